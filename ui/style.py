"""The style of all pages, and what their document has before the script runs."""

import re
from pathlib import Path

import streamlit as st
from markupsafe import Markup

from charts.base.palette import Theme
from messages.i18n import LANGUAGES, in_language
from messages.server import NO_CONNECTION
from ui.controls import query_params

CSS, KIOSK_CSS = ((Path(__file__).parent / name).read_text(encoding="utf-8") for name in ("page.css", "kiosk.css"))
_SELECTORS: dict[Theme, str] = {"light": ":root", "dark": ".dark"}
# The lines of page.css with the variables of each theme: "{ --header: …; }".
_VARIABLES = {
    theme: re.findall(rf"(?m)^{re.escape(selector)} ({{.*}})$", CSS)[0] for theme, selector in _SELECTORS.items()
}


def is_kiosk() -> bool:
    """Whether the page is shown on a wall: large, dark, without controls."""
    return query_params().get("kiosk") == "1"


def theme() -> Theme:
    """The theme of the viewer's browser; dark in a kiosk."""
    return "dark" if is_kiosk() or st.context.theme.type == "dark" else "light"


def document_css() -> str:
    """The style of all pages, for their document: until the script runs, in the theme that the browser prefers."""
    dark = _VARIABLES["dark"]
    return CSS.replace(f".dark {dark}", f"@media (prefers-color-scheme: dark) {{ :root {dark} }}")


def no_connection() -> str:
    """What the document shows while nothing arrives: Streamlit's placeholder says nothing, for as long as no WebSocket can be opened."""
    paragraphs = []
    for language in LANGUAGES:
        with in_language(language):
            paragraphs.append(Markup("<p lang='{}'>{}</p>").format(language, str(NO_CONNECTION)))
    return f"<div class='no-connection' role='status'>{''.join(paragraphs)}</div>"


def apply_style() -> None:
    """What is not yet in the document: the theme that the viewer chose in Streamlit's menu, and the kiosk."""
    st.html(f"<style>:root {_VARIABLES[theme()]} {KIOSK_CSS if is_kiosk() else ''}</style>")
