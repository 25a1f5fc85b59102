"""Deployments that wait for a command, on the Live page: until when, what happens then, and the commands that end it."""

from datetime import UTC, datetime

import streamlit as st
from markupsafe import Markup

from archive import ArchiveError
from domain import Window
from messages import deployments as text
from reports.templating import render
from services.deployments import past_waits, waits_now
from ui.app_context import AppContext
from ui.layout import format_ago, note
from ui.live.deployments import MAX_STATE_AGE_S
from ui.rollback import command_to_copy


def waits_section(app: AppContext, past: Window | None, *, now: datetime) -> None:
    """A sentence for each wait: of now with its commands, or those of a range of the past; nothing without one. Raises ArchiveError."""
    with st.container():  # what follows keeps its position
        if past:
            _past_waits(app, past, now=now)
        else:
            _waits_now(app, now=now)


def _waits_now(app: AppContext, *, now: datetime) -> None:
    state = app.archive.events.deployment_state()
    is_old = state is not None and now.timestamp() - state.asked_at > MAX_STATE_AGE_S
    age = f" ({text.read_age(format_ago(state.asked_at, now))})" if state and is_old else ""
    for number, item in enumerate(waits_now(app.migration, state)):
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"wait_{number}"):
            with st.container(width="stretch"):
                st.html(_line(text.waiting(item, app.migration, now=now) + age))
            if not item.commands:
                continue
            popover = st.popover(
                str(text.END_WAIT), type="tertiary", key=f"end_wait_{number}_{item.deployment.id}", on_change="rerun"
            )
            if popover.open:
                with popover:
                    for command in item.commands:
                        command_to_copy(str(text.WAIT_ENDS[command.end]), command.command)
                    if item.deployment.system == "ecs":
                        note(str(text.KEEP_ACTION))
                    note(str(text.NEVER_RUN))


def _past_waits(app: AppContext, window: Window, *, now: datetime) -> None:
    try:
        waits = past_waits(app.archive.events.deployment_states(window))
    except ArchiveError:
        if app.archive.outage is None:
            raise
        return
    for item in waits:
        since, until = (datetime.fromtimestamp(ts, UTC) for ts in (item.since, item.until))
        st.html(_line(text.waited(item.waiting, since, until, app.migration, now=now)))


def _line(sentence: str) -> Markup:
    return render("deployments.wait", sentence=sentence)
