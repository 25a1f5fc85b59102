"""What the forms and lists of notes and of steps have in common."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from archive import ArchiveError
from domain.window import parse_datetime
from messages import notes as text
from reports.templating import render
from ui import layout
from ui.app_context import AppContext


def entered_time(app: AppContext, at: str) -> int:
    """The epoch seconds of a time that a user entered, now if it is empty. Raises ValueError."""
    return int((parse_datetime(at, app.migration.zone) if at.strip() else datetime.now(UTC)).timestamp())


def show_invalid(message: str) -> None:
    st.html(Markup("<p class='warn'>{}</p>").format(message))


def save_entry(title: str, save: Callable[[], object]) -> None:
    """Stores an entry and draws the section again, or says why the archive cannot be used."""
    try:
        save()
    except ArchiveError as error:
        layout.archive_error_page(title, error)
        return
    st.rerun(scope="fragment")


def entry_row(
    clock: str, title: str, author: str, *, key: str = "", remove: Callable[[str], object] | None = None
) -> None:
    """One line of a list; with `remove`, a button that removes the entry `key`."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(render("retrospective.note", clock=clock, title=title, author=author))
        if remove:
            st.button(text.REMOVE, key=f"remove_{key}", on_click=partial(_remove, remove, key), type="tertiary")


def _remove(remove: Callable[[str], object], key: str) -> None:
    with suppress(ArchiveError):  # shown by the page that follows
        remove(key)
