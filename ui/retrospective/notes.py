"""Notes that a person adds at a time: a small form, and the list of what was written down."""

from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from archive import NOTES, ArchiveError
from domain import Window
from domain.window import parse_datetime
from messages import notes as words
from messages import times
from messages.errors import sources
from services.retrospective import MigrationOutline
from ui import layout
from ui.app_context import AppContext

MAX_NOTES = 50
LOOKAHEAD_S = 86_400


def notes_section(app: AppContext, outline: MigrationOutline, *, now: datetime) -> None:
    """The notes of the migration, newest first, and the form that adds one."""
    zone = app.migration.zone
    st.html(Markup("<section class='below'><h2>{}</h2><p class='note'>{}</p></section>").format(
        words.TITLE, words.EXPLAINED()
    ))  # fmt: skip
    with st.form("note", clear_on_submit=True, border=False):
        text = st.text_input(words.TEXT, max_chars=500)
        first, second = st.columns(2)
        at = first.text_input(words.WHEN, help=words.when_help(app.migration.timezone), max_chars=40)
        author = second.text_input(words.AUTHOR, max_chars=60)
        if st.form_submit_button(words.SAVE):
            _save(app, text, at, author)
    # Also those of the last minutes, and of the days to come: the chart ends with what is settled, the list does not.
    known = app.archive.events.read(Window(outline.window.start, int(now.timestamp()) // 60 * 60 + LOOKAHEAD_S))
    every = [event for event in reversed(known) if event.kind == "note"]
    if not every:
        st.html(Markup("<p class='note'>{}</p>").format(words.NONE))
    for event in every[:MAX_NOTES]:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.html(
                Markup("<div class='kept'><b>{}</b> {} <span class='note'>{}</span></div>").format(
                    times.clock(datetime.fromtimestamp(event.ts, UTC), zone, now=now),
                    event.title,
                    words.by_author(event.detail) if event.source == NOTES else event.detail,
                )
            )
            if event.source == NOTES:
                st.button(
                    words.REMOVE,
                    key=f"remove_{event.key}",
                    on_click=partial(_remove, app, event.key),
                    type="tertiary",
                )


def _save(app: AppContext, text: str, at: str, author: str) -> None:
    if not text.strip():
        st.html(Markup("<p class='warn'>{}</p>").format(words.EMPTY()))
        return
    try:
        ts = int((parse_datetime(at, app.migration.zone) if at.strip() else datetime.now(UTC)).timestamp())
    except (ValueError, OverflowError):
        st.html(Markup("<p class='warn'>{}</p>").format(words.invalid_time(at)))
        return
    try:
        app.archive.notes.add(ts, text, author)
    except ArchiveError as error:
        layout.error_page(words.TITLE, [sources.format_archive_problem(error.kind, error.detail)])
        return
    st.rerun(scope="fragment")


def _remove(app: AppContext, key: str) -> None:
    with suppress(ArchiveError):  # the page that follows says what is wrong with the archive
        app.archive.notes.remove(key)
