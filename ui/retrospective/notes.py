"""The notes of a migration: a form that adds one, and the list."""

from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from archive import NOTES, ArchiveError
from domain import Window
from domain.window import DAY_S, MINUTE_S, parse_datetime
from messages import notes as text
from reports.templating import render
from services.retrospective import MigrationOutline
from ui import layout
from ui.app_context import AppContext

MAX_NOTES = 50
LOOKAHEAD_S = DAY_S  # a source's note may be about the future


def notes_section(app: AppContext, outline: MigrationOutline, *, now: datetime) -> None:
    """The form, and the notes, newest first."""
    st.html(
        Markup("<section class='below'><h2>{}</h2><p class='note'>{}</p></section>").format(text.TITLE, text.EXPLAINED)
    )
    with st.form("note", clear_on_submit=True, border=False):
        words = st.text_input(text.TEXT, max_chars=500)
        first, second = st.columns(2)
        at = first.text_input(text.WHEN, help=text.when_help(app.migration.timezone), max_chars=40)
        author = second.text_input(text.AUTHOR, max_chars=60)
        if st.form_submit_button(text.SAVE):
            _save(app, words, at, author)
    end = int(now.timestamp()) // MINUTE_S * MINUTE_S + LOOKAHEAD_S
    events = app.archive.events.read(Window(outline.window.start, end))
    others = [event for event in events if event.kind == "note" and event.source != NOTES]
    # Own notes of any time: one that is not listed could not be removed.
    notes = sorted((*others, *app.archive.notes.read()), key=lambda note: note.ts, reverse=True)
    if not notes:
        layout.note(text.NONE)
    for note in notes[:MAX_NOTES]:
        is_own = note.source == NOTES
        author = text.by_author(note.detail) if is_own else note.detail
        clock = layout.format_clock(note.ts, app.migration, now)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.html(render("retrospective.note", clock=clock, title=note.title, author=author))
            if is_own:
                remove = partial(_remove, app, note.key)
                st.button(text.REMOVE, key=f"remove_{note.key}", on_click=remove, type="tertiary")


def _save(app: AppContext, words: str, at: str, author: str) -> None:
    if not words.strip():
        _invalid(text.EMPTY)
        return
    try:
        time = parse_datetime(at, app.migration.zone) if at.strip() else datetime.now(UTC)
        ts = int(time.timestamp())
    except (ValueError, OverflowError):
        _invalid(text.invalid_time(at))
        return
    try:
        app.archive.notes.add(ts, words, author)
    except ArchiveError as error:
        layout.archive_error_page(text.TITLE, error)
        return
    st.rerun(scope="fragment")


def _invalid(message: str) -> None:
    st.html(Markup("<p class='warn'>{}</p>").format(message))


def _remove(app: AppContext, key: str) -> None:
    with suppress(ArchiveError):  # shown by the page that follows
        app.archive.notes.remove(key)
