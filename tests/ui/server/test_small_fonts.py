"""The fonts that are sent in place of Streamlit's."""

import re
from pathlib import Path

import streamlit

from ui.server.small_fonts import SMALL_FONTS

ROOT = Path(__file__).parents[3]
ICONS = (ROOT / "ui" / "server" / "fonts" / "icons.txt").read_text(encoding="utf-8").split()
STATIC = Path(streamlit.__file__).parent / "static"


def test_streamlits_style_refers_to_the_fonts_that_are_replaced() -> None:
    fonts = [f"/static/media/{file.name}" for file in (STATIC / "static" / "media").glob("*.woff2")]
    for prefix, small in SMALL_FONTS.items():
        [name] = [name for name in fonts if name.startswith(prefix)]
        assert small.read_bytes().startswith(b"wOF2")
        assert small.stat().st_size < (STATIC / name.removeprefix("/")).stat().st_size / 4


def test_every_icon_of_a_page_is_in_the_font() -> None:
    sources = [file for folder in ("pages", "ui") for file in (ROOT / folder).rglob("*.py")]
    used = {name for file in sources for name in re.findall(r":material/(\w+):", file.read_text(encoding="utf-8"))}
    assert used and used <= set(ICONS)


def test_every_icon_of_streamlits_widgets_is_in_the_font() -> None:
    scripts = (STATIC / "static" / "js").glob("*.js")
    used = {
        name
        for file in scripts
        for name in re.findall(r"iconValue:`:material/(\w+):`", file.read_text(encoding="utf-8"))
    }
    assert used and used <= set(ICONS)
