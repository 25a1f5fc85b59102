"""The steps that users entered: a form that adds one, and the list."""

from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from archive import ArchiveError
from domain.weight_changes import parse_share
from domain.window import parse_datetime
from messages import notes, numbers
from messages import steps as text
from reports.templating import render
from ui import layout
from ui.app_context import AppContext


def steps_section(app: AppContext, *, now: datetime) -> None:
    """The form, and the steps, newest first."""
    st.html(
        Markup("<section class='below'><h2>{}</h2><p class='note'>{}</p></section>").format(text.TITLE, text.EXPLAINED)
    )
    with st.form("step", clear_on_submit=True, border=False):
        first, second, third = st.columns(3)
        share = first.text_input(text.SHARE, help=text.SHARE_EXAMPLE, max_chars=20)
        at = second.text_input(text.AT, help=notes.when_help(app.migration.timezone), max_chars=40)
        author = third.text_input(text.AUTHOR, max_chars=60)
        if st.form_submit_button(text.SAVE):
            _save(app, share, at, author, now)
    steps = sorted(app.archive.steps.read(), key=lambda step: step.ts, reverse=True)
    used = {change.key for change in app.archive.events.weight_changes() if change.origin == "entered"}
    for step in steps:
        clock, share = layout.format_clock(step.ts, app.migration, now), numbers.share(step.after or 0.0)
        details = [notes.by_author(step.author), "" if step.key in used else text.UNUSED]
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.html(render("retrospective.note", clock=clock, title=share, author=", ".join(filter(None, details))))
            remove = partial(_remove, app, step.key)
            st.button(notes.REMOVE, key=f"remove_{step.key}", on_click=remove, type="tertiary")


def _save(app: AppContext, share: str, at: str, author: str, now: datetime) -> None:
    try:
        canary_share = parse_share(share)
    except ValueError:
        _invalid(text.invalid_share(share))
        return
    try:
        ts = int((parse_datetime(at, app.migration.zone) if at.strip() else datetime.now(UTC)).timestamp())
    except (ValueError, OverflowError):
        _invalid(notes.invalid_time(at))
        return
    if ts > now.timestamp():
        _invalid(text.FUTURE)
        return
    try:
        app.archive.steps.add(ts, canary_share, author)
    except ArchiveError as error:
        layout.archive_error_page(text.TITLE, error)
        return
    st.rerun(scope="fragment")


def _invalid(message: str) -> None:
    st.html(Markup("<p class='warn'>{}</p>").format(message))


def _remove(app: AppContext, key: str) -> None:
    with suppress(ArchiveError):  # shown by the page that follows
        app.archive.steps.remove(key)
