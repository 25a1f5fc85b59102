"""What every page wears: its style, the demo's banner, and how trouble at the door is told."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st
from markupsafe import Markup

from archive import ArchiveError
from messages.errors import sources
from messages.errors.sources import Message

CSS = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


def is_dark() -> bool:
    """Whether the reader's browser shows the dark theme."""
    return st.context.theme.type == "dark"


def apply_style() -> None:
    """The page's style, for the theme the reader has."""
    css = CSS
    if is_dark():
        css = css.replace(".dark {", ":root {")
    st.html(f"<style>{css}</style>")


def error_page(title: str, errors: Iterable[Message]) -> None:
    """A page that cannot be shown, and why: each sentence with its next step."""
    body = Markup("").join(
        Markup("<div class='trouble'><b>{}</b><br>{}<br>→ {}</div>").format(said.title, said.text, said.next_step)
        for said in errors
    )
    st.html(Markup("<h1 class='page-title'>{}</h1>{}").format(title, body))


@contextmanager
def show_archive_errors(title: str) -> Iterator[None]:
    """What stands in here ends where the archive cannot be used, with the reason and the next step."""
    try:
        yield
    except ArchiveError as error:
        error_page(title, [sources.format_archive_problem(error.kind, error.detail)])
