"""A note on a time that was chosen on a chart: the form, filled with that time, which is a parameter of the URL."""

import streamlit as st

from domain import Migration, Window
from domain.window import parse_datetime
from messages import notes as text
from reports.formats import local_minute
from ui import layout
from ui.app_context import AppContext
from ui.controls import axis_offset_s, query_params, set_query
from ui.retrospective.entries import author_input, confirmation, form_key, may_edit, show_needed_role
from ui.retrospective.notes import save_note
from ui.style import is_kiosk
from ui.url import format_time, time_on_axis

FORM = "chart_note"
MAX_SHOWN_CHARS = 40


def choose_note_time(migration: Migration, window: Window, at: str) -> None:
    """Asks for a note on a time of a chart of `window`, as its axis writes it."""
    ts = time_on_axis(at, utc_offset_s=axis_offset_s(migration, window))
    if ts is not None:
        set_query(note=format_time(ts))


def chart_note_form(app: AppContext) -> None:
    """The form for the time in the URL, until the note is stored or cancelled; then its confirmation. Nothing in a kiosk."""
    chosen = query_params().get("note", "")
    if is_kiosk():
        return
    if not chosen:
        confirmation(FORM)
        return
    if not may_edit(app):
        show_needed_role()
        return
    try:
        ts = int(parse_datetime(chosen, app.migration.zone).timestamp())
    except ValueError:
        layout.warning(text.invalid_time(chosen[:MAX_SHOWN_CHARS]))
        return
    with st.container(key="chart_note"), st.form(key := form_key(FORM)):
        words = st.text_input(str(text.TEXT), max_chars=500, key=f"{key}_text")
        first, second = st.columns(2)
        # The text is kept if another time is chosen.
        when_help, when_key = text.when_help(app.migration.timezone), f"{key}_{ts}_when"
        at = first.text_input(
            str(text.WHEN), local_minute(app.migration, ts), help=when_help, max_chars=40, key=when_key
        )
        author = author_input(app, str(text.AUTHOR), second, key=key)
        with st.container(horizontal=True, gap="small"):
            is_saved = st.form_submit_button(str(text.SAVE))
            st.form_submit_button(str(text.CANCEL), on_click=_close, type="tertiary")
        if is_saved:
            save_note(app, FORM, words, at, author, on_stored=_close)


def _close() -> None:
    set_query(note=None)
