"""The notes of a migration: a form that adds one, and the list."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from archive import NOTES
from archive.events.notes import acknowledged_incident
from domain import Event, Window
from domain.window import DAY_S, MINUTE_S
from messages import notes as text
from services.retrospective import MigrationOutline
from ui import layout
from ui.app_context import AppContext
from ui.identity import current_identity
from ui.retrospective.entries import (
    author_input,
    confirmation,
    entered_time,
    entry_row,
    form_key,
    may_edit,
    removal_lines,
    save_entry,
    show_invalid,
    show_needed_role,
)

FORM = "note"
MAX_NOTES = 50
LOOKAHEAD_S = DAY_S  # a source's note may be about the future


def notes_section(app: AppContext, outline: MigrationOutline, *, now: datetime) -> None:
    """The form, and the notes, newest first."""
    st.html(
        Markup("<section class='below' id='notes'><h2>{}</h2><p class='note'>{}</p></section>").format(
            text.TITLE, text.EXPLAINED
        )
    )
    if may_edit(app):
        _form(app)
    else:
        show_needed_role()
    end = int(now.timestamp()) // MINUTE_S * MINUTE_S + LOOKAHEAD_S
    events = app.archive.events.read(Window(outline.window.start, end))
    others = [event for event in events if event.kind == "note" and event.source != NOTES]
    # Own notes of any time: one that is not listed could not be removed.
    notes = sorted((*others, *app.archive.notes.read()), key=lambda note: note.ts, reverse=True)
    if not notes:
        layout.note(str(text.NONE))
    remove = partial(app.archive.notes.remove, removed_by=current_identity(app).name)
    for note in notes[:MAX_NOTES]:
        is_own = note.source == NOTES
        author = text.by_author(note.detail) if is_own else note.detail
        clock = layout.format_clock(note.ts, app.migration, now)
        entry_row(
            clock,
            note.title,
            author,
            form=FORM,
            key=note.key,
            remove=remove if is_own and may_edit(app) else None,
            restore=partial(_restore, app, note),
        )
    removal_lines(app, app.archive.notes.removals(), now=now)


def _form(app: AppContext) -> None:
    with st.form(key := form_key(FORM), border=False):
        words = st.text_input(str(text.TEXT), max_chars=500, key=f"{key}_text")
        first, second = st.columns(2)
        when_help = text.when_help(app.migration.timezone)
        at = first.text_input(str(text.WHEN), help=when_help, max_chars=40, key=f"{key}_when")
        author = author_input(app, str(text.AUTHOR), second, key=key)
        if st.form_submit_button(str(text.SAVE)):
            save_note(app, FORM, words, at, author)
    confirmation(FORM)


def save_note(
    app: AppContext, form: str, words: str, at: str, author: str, *, on_stored: Callable[[], None] = lambda: None
) -> None:
    """Stores what was entered in `form`, or says what is wrong with it."""
    if not words.strip():
        show_invalid(str(text.EMPTY))
        return
    try:
        ts = entered_time(app, at)
    except ValueError:
        show_invalid(text.invalid_time(at))
        return
    remove = partial(app.archive.notes.remove, removed_by=current_identity(app).name)

    def add() -> Event:
        note = app.archive.notes.add(ts, words, author)
        on_stored()
        return note

    save_entry(form, str(text.TITLE), add, lambda note: remove(note.key))


def _restore(app: AppContext, note: Event) -> None:
    """Adds a removed note again. That of a time that only older versions accepted stays removed."""
    with suppress(ValueError):
        app.archive.notes.add(note.ts, note.title, note.detail, incident=acknowledged_incident(note))
