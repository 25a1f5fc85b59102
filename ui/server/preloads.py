"""Scripts that every page needs and asks for late, one after the other: named in the document, they are there when they are needed."""

import re
from pathlib import Path

import streamlit

from ui.assets import OVERLAY_CHART_JS, PLOTLY_JS

_STATIC = Path(streamlit.__file__).parent / "static"
_SCRIPTS = _STATIC / "static" / "js"
# Streamlit's elements that all pages have, by the beginning of their script's name; after it is a hash.
ELEMENTS = ("Html", "BidiComponent", "ButtonGroup", "Button")
PAGES_WITHOUT_CHARTS = ("/batches",)


def preload_links(path: str) -> str:
    """The elements for the head of the document at `path`."""
    links = _ELEMENT_LINKS
    if path not in PAGES_WITHOUT_CHARTS:
        links += f'<script type="module" crossorigin src="{OVERLAY_CHART_JS.url}"></script>'
        links += f'<link rel="preload" as="script" fetchpriority="low" href="{PLOTLY_JS.url}">'
    return links


def element_scripts() -> list[str]:
    """The names of the scripts of ELEMENTS with all that these import, without those in Streamlit's document. Empty if Streamlit is built differently."""
    in_document = set(re.findall(r"/js/([\w.-]+\.js)", (_STATIC / "index.html").read_text(encoding="utf-8")))
    names = [file.name for element in ELEMENTS for file in sorted(_SCRIPTS.glob(f"{element}.*.js"))]
    for name in names:  # grows
        imported = re.findall(r'(?:from|import)"\./([\w.-]+\.js)"', (_SCRIPTS / name).read_text(encoding="utf-8"))
        names += [other for other in dict.fromkeys(imported) if other not in in_document and other not in names]
    return names


def _module(url: str) -> str:
    return f'<link rel="modulepreload" crossorigin href="{url}">'


_ELEMENT_LINKS = "".join(_module(f"/static/js/{name}") for name in element_scripts())
