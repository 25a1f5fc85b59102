"""Reads the account when the button is pressed, shows what was found and why, lets one choose, and hands out migration.toml. Writes nothing."""

import streamlit as st

from analysis.setup.discovery import propose
from analysis.setup.proposal import DECISIONS, Answers, Choice, DecisionKey, DiscoveryFailure, Option, Proposal
from domain import ConfigurationError
from domain.inventory import Inventory
from messages import setup as text
from messages.errors.config import format_config_issue
from messages.errors.sources import format_problem
from reports.templating import render
from services.setup.migration_toml import migration_toml, parse_toml
from services.setup.reading import read_inventory
from sources.aws.client import default_region
from sources.aws.inventory import AwsReading
from sources.configuration import DEFAULT_PATH
from ui import layout
from ui.retrospective.rate_limit import RateLimit
from ui.server.connections import is_unprotected
from ui.settings import server_settings, sign_in_settings

READINGS_PER_MINUTE = 4  # of all visitors together: AWS limits the account, not the visitor
DEADLINE_S = 25.0
_KEY = "setup_reading"
_limit = RateLimit(READINGS_PER_MINUTE)


def setup_section() -> None:
    if is_unprotected(server_settings(), sign_in_settings()):
        layout.empty_state(str(text.NOT_PROTECTED))
        return
    layout.note(str(text.PAGE_EXPLAINED))
    known: AwsReading | None = st.session_state.get(_KEY)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        region = st.text_input(str(text.REGION_LABEL), default_region(), key="setup_region", max_chars=40, width=220)
        pressed = st.button(str(text.READ_AGAIN if known else text.READ), key="setup_read", type="primary")
    if pressed:
        known = _read(region.strip()) or known
    if known:
        _show(known)


def _read(region: str) -> AwsReading | None:
    """The reading, which the session keeps; None if it was not allowed."""
    if not region:
        layout.warning(str(text.ENTER_REGION))
        return None
    if wait_s := _limit.try_enter():
        layout.warning(text.wait(wait_s))
        return None
    state = st.empty()

    def on_progress(source: str) -> None:
        with state:
            layout.note(text.reading(source))

    reading = read_inventory(region, deadline_s=DEADLINE_S, on_progress=on_progress)
    state.empty()
    st.session_state[_KEY] = reading
    return reading


def _show(reading: AwsReading) -> None:
    if reading.problems:
        problems = [format_problem(problem, is_retried=False) for problem in reading.problems]
        st.html(render("parity.problems", items=problems))
    try:
        proposal = _chosen(reading.inventory)
    except DiscoveryFailure as failure:
        if "load_balancer" not in reading.inventory.unread:  # else the problem is the reason
            layout.empty_state(text.failure_text(failure, reading.inventory.region))
        return
    st.html(render("setup.findings", title=text.FOUND_TITLE, rows=list(text.findings(proposal))))
    _file(proposal)


def _chosen(inventory: Inventory) -> Proposal:
    """The proposal with what is selected, one decision after the other: each may change the options of those that follow."""
    answers: dict[DecisionKey, tuple[str, ...]] = {}
    for key in DECISIONS:
        choice = next((item for item in propose(inventory, answers=answers).choices if item.key == key), None)
        if choice and len(choice.options) > 1:
            answers[key] = _select(choice, answers).values
    return propose(inventory, answers=answers)


def _select(choice: Choice, before: Answers) -> Option:
    return st.selectbox(
        str(text.QUESTIONS[choice.key]),
        choice.options,
        index=choice.options.index(choice.chosen),
        format_func=text.option_text,
        width=720,
        key=f"setup {choice.key} {sorted(before.items())}",  # other answers before it: another question
    )


def _file(proposal: Proposal) -> None:
    toml = migration_toml(proposal)
    try:
        parse_toml(toml, DEFAULT_PATH)
    except ConfigurationError as error:
        layout.error_page(text.FILE_TITLE, map(format_config_issue, error.issues))
        return
    layout.panel_title(text.FILE_TITLE)
    st.download_button(
        str(text.DOWNLOAD),
        toml,
        DEFAULT_PATH.name,
        "application/toml",
        on_click="ignore",
        type="primary",
        icon=":material/download:",
    )
    st.html(render("setup.steps", items=text.STEPS))
    st.code(toml, language="toml")
