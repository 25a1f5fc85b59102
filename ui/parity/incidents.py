"""The incidents of a phase, and a form that acknowledges one with a note."""

from contextlib import suppress
from datetime import datetime
from functools import partial

import streamlit as st

from archive import ArchiveError
from messages import incidents as text
from messages import notes
from reports.templating import render
from services.evaluation import Evaluation
from services.incidents import acknowledgements
from ui.app_context import AppContext
from ui.decision import incidents_table
from ui.endpoints.details import incident_hints
from ui.retrospective.entries import author_input, confirmation, form_key, may_edit, save_entry, show_invalid

FORM = "incident"


def incidents_section(app: AppContext, evaluation: Evaluation, *, now: datetime) -> None:
    """Nothing without an incident; the form while one has no note."""
    found = evaluation.judgement.incidents
    if not found:
        return
    st.html(incidents_table(evaluation, now=now))
    with suppress(ArchiveError):  # shown by the page
        if hints := incident_hints(app, found):
            items = [(text.span(incident, evaluation.zone, now=now), parts) for incident, parts in hints]
            st.html(render("answers.incident_hints", items=items))
    acknowledged = acknowledgements(found, evaluation.circumstances.notes)
    waiting = {incident.id: incident for incident in reversed(found) if incident.id not in acknowledged}
    confirmation(FORM)
    if not waiting or not may_edit(app):
        return
    with st.expander(str(text.ACKNOWLEDGE)), st.form(key := form_key(FORM), border=False):
        labels, zone = evaluation.labels, evaluation.zone
        chosen = st.selectbox(
            str(text.INCIDENT), list(waiting), format_func=lambda name: text.option(waiting[name], labels, zone)
        )
        first, second = st.columns(2)
        words = first.text_input(str(text.NOTE), max_chars=500, key=f"{key}_text")
        author = author_input(app, str(notes.AUTHOR), second, key=key)
        if not st.form_submit_button(str(text.SAVE)):
            return
        if not words.strip():
            show_invalid(str(notes.EMPTY))
            return
        start = waiting[chosen].window.start
        add = partial(app.archive.notes.add, start, words, author, incident=chosen)
        save_entry(FORM, str(text.TITLE), add, lambda note: app.archive.notes.remove(note.key))
