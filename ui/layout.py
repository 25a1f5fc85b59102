"""What every page wears: its style, the demo's banner, and how trouble at the door is told."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st
from markupsafe import Markup

from archive import ArchiveError
from messages.errors import sources
from messages.errors.sources import Said

STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


def is_dark() -> bool:
    """Whether the reader's browser shows the dark theme."""
    return st.context.theme.type == "dark"


def style() -> None:
    """The page's style, for the theme the reader has."""
    css = STYLE
    if is_dark():
        css = css.replace(".dark {", ":root {")
    st.html(f"<style>{css}</style>")


def trouble(title: str, sentences: Iterable[Said]) -> None:
    """A page that cannot be shown, and why: each sentence with its next step."""
    body = Markup("").join(
        Markup("<div class='trouble'><b>{}</b><br>{}<br>→ {}</div>").format(said.title, said.text, said.next_step)
        for said in sentences
    )
    st.html(Markup("<h1 class='page-title'>{}</h1>{}").format(title, body))


@contextmanager
def needs_archive(title: str) -> Iterator[None]:
    """What stands in here ends where the archive cannot be used, with the reason and the next step."""
    try:
        yield
    except ArchiveError as error:
        trouble(title, [sources.say_archive(error.kind, error.detail)])
