"""What the forms and lists of notes and of steps have in common."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TypeVar

import streamlit as st
from markupsafe import Markup
from streamlit.delta_generator import DeltaGenerator

from archive import ArchiveError
from domain import Removal
from domain.window import parse_datetime
from messages import notes as text
from messages.sign_in import needs_role
from reports.templating import render
from ui import layout
from ui.app_context import AppContext
from ui.identity import current_identity
from ui.language import rerun_fragment
from ui.retrospective.rate_limit import ARCHIVE_LIMIT, SESSION_LIMIT, RateLimit

MAX_REMOVALS = 20
_DONE = "entry_done"
_Entry = TypeVar("_Entry")
_of_archive = RateLimit(ARCHIVE_LIMIT)  # a process has one archive


def entered_time(app: AppContext, at: str) -> int:
    """The epoch seconds of a time that a user entered, now if it is empty. Raises ValueError."""
    return int((parse_datetime(at, app.migration.zone) if at.strip() else datetime.now(UTC)).timestamp())


def show_invalid(message: str) -> None:
    st.html(Markup("<p class='warn'>{}</p>").format(message))


def may_edit(app: AppContext) -> bool:
    """Whether the visitor may add and remove entries."""
    return current_identity(app).may("editor")


def show_needed_role() -> None:
    """In place of a form of entries."""
    layout.note(needs_role("editor"))


def author_input(app: AppContext, label: str, container: DeltaGenerator, *, key: str) -> str:
    """The author of an entry: who is signed in, else what is typed."""
    if author := current_identity(app).name:
        container.text_input(label, value=author, disabled=True)
        return author
    return container.text_input(label, max_chars=60, key=f"{key}_author")


def form_key(form: str) -> str:
    """The key of a form, and the beginning of those of its inputs: another one once an entry is stored, so that they are empty again.

    Until then they keep what was typed.
    """
    return f"{form}_{st.session_state.get(f'{form}_entries', 0)}"


@dataclass(frozen=True, slots=True)
class _Done:
    """What was done in the section of a form, in words, and what undoes it (None: nothing)."""

    form: str
    message: str
    undo: Callable[[], object] | None


def save_entry(
    form: str,
    title: str,
    save: Callable[[], _Entry],
    undo: Callable[[_Entry], object] | None = None,
    *,
    done: str = "",
) -> None:
    """Stores an entry, confirms it and draws the section again, or says that there were too many or why the archive cannot be used.

    `undo`: None if an entry stays. `done`: in place of "Added.".
    """
    of_session: RateLimit = st.session_state.setdefault("entry_limit", RateLimit(SESSION_LIMIT))
    if wait_s := of_session.try_enter() or _of_archive.try_enter():
        show_invalid(text.too_many(wait_s))
        return
    try:
        entry = save()
    except ArchiveError as error:
        layout.archive_error_page(title, error)
        return
    st.session_state[f"{form}_entries"] = st.session_state.get(f"{form}_entries", 0) + 1
    st.session_state[_DONE] = _Done(form, done or str(text.ADDED), partial(undo, entry) if undo else None)
    rerun_fragment()


def confirmation(form: str) -> None:
    """What was done last in the section of a form, and a button that undoes it."""
    done: _Done | None = st.session_state.get(_DONE)
    if done is None or done.form != form:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(Markup("<p class='good' role='status'>✓ {}</p>").format(done.message), width="content")
        if done.undo:
            st.button(str(text.UNDO), key=f"undo_{form}", on_click=partial(_undo, done), type="tertiary")


def _undo(done: _Done) -> None:
    assert done.undo
    with suppress(ArchiveError):  # shown by the page that follows
        done.undo()
        st.session_state[_DONE] = _Done(done.form, str(text.UNDONE), None)


def entry_row(
    clock: str,
    title: str,
    author: str,
    *,
    form: str = "",
    key: str = "",
    remove: Callable[[str], object] | None = None,
    restore: Callable[[], object] | None = None,
) -> None:
    """One line of a list of a form's entries; with `remove`, a button that removes the entry `key`, which `restore` undoes."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(render("retrospective.note", clock=clock, title=title, author=author))
        if remove:
            st.button(
                str(text.REMOVE),
                key=f"remove_{key}",
                on_click=partial(_remove, form, remove, key, restore),
                type="tertiary",
            )


def removal_lines(app: AppContext, removals: Iterable[Removal], *, now: datetime) -> None:
    """A line for each entry that was removed."""
    for item in islice(removals, MAX_REMOVALS):
        layout.note(text.removal(item, app.migration.zone, now=now))


def _remove(form: str, remove: Callable[[str], object], key: str, restore: Callable[[], object] | None) -> None:
    with suppress(ArchiveError):  # shown by the page that follows
        remove(key)
        st.session_state[_DONE] = _Done(form, str(text.REMOVED), restore)
