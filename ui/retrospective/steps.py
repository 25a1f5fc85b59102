"""The steps that users entered: a form that adds one, and the list."""

from datetime import datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from domain.weight_changes import parse_share
from messages import notes, numbers
from messages import steps as text
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

FORM = "step"


def steps_section(app: AppContext, *, now: datetime) -> None:
    """The form, and the steps, newest first."""
    st.html(
        Markup("<section class='below'><h2>{}</h2><p class='note'>{}</p></section>").format(text.TITLE, text.EXPLAINED)
    )
    if may_edit(app):
        _form(app, now)
    else:
        show_needed_role()
    steps = sorted(app.archive.steps.read(), key=lambda step: step.ts, reverse=True)
    used = {change.key for change in app.archive.events.weight_changes() if change.origin == "entered"}
    remove = partial(app.archive.steps.remove, removed_by=current_identity(app).name) if may_edit(app) else None
    for step in steps:
        clock, share = layout.format_clock(step.ts, app.migration, now), numbers.configured_share(step.after or 0.0)
        details = [notes.by_author(step.author), "" if step.key in used else str(text.UNUSED)]
        shown = ", ".join(filter(None, details))
        restore = partial(app.archive.steps.add, step.ts, step.after or 0.0, step.author)
        entry_row(clock, share, shown, form=FORM, key=step.key, remove=remove, restore=restore)
    removal_lines(app, app.archive.steps.removals(), now=now)


def _form(app: AppContext, now: datetime) -> None:
    with st.form(key := form_key(FORM), border=False):
        first, second, third = st.columns(3)
        share = first.text_input(str(text.SHARE), help=str(text.SHARE_EXAMPLE), max_chars=20, key=f"{key}_share")
        when_help = notes.when_help(app.migration.timezone)
        at = second.text_input(str(text.AT), help=when_help, max_chars=40, key=f"{key}_when")
        author = author_input(app, str(text.AUTHOR), third, key=key)
        if st.form_submit_button(str(text.SAVE)):
            _save(app, share, at, author, now)
    confirmation(FORM)


def _save(app: AppContext, share: str, at: str, author: str, now: datetime) -> None:
    try:
        canary_share = parse_share(share)
    except ValueError:
        show_invalid(text.invalid_share(share))
        return
    try:
        ts = entered_time(app, at)
    except ValueError:
        show_invalid(notes.invalid_time(at))
        return
    if ts > now.timestamp():
        show_invalid(str(text.FUTURE))
        return
    remove = partial(app.archive.steps.remove, removed_by=current_identity(app).name)
    add = partial(app.archive.steps.add, ts, canary_share, author)
    save_entry(FORM, str(text.TITLE), add, lambda step: remove(step.key))
