"""What a document names in advance."""

import re
from pathlib import Path

import pytest
import streamlit

from ui.assets import OVERLAY_CHART_JS, PLOTLY_JS
from ui.server.preloads import element_scripts, preload_links

STATIC = Path(streamlit.__file__).parent / "static"


def test_the_scripts_of_elements_exist_and_are_not_in_streamlits_document() -> None:
    names = element_scripts()
    assert [name.partition(".")[0] for name in names[:4]] == ["Html", "BidiComponent", "ButtonGroup", "Button"]
    assert len(names) > 4 and len(names) == len(set(names))
    document = (STATIC / "index.html").read_text(encoding="utf-8")
    assert all((STATIC / "static" / "js" / name).is_file() and name not in document for name in names)


@pytest.mark.parametrize(("path", "with_charts"), [("/", True), ("/parity", True), ("/batches", False)])
def test_a_page_without_charts_does_not_load_plotly(path: str, with_charts: bool) -> None:
    urls = re.findall(r'(?:href|src)="([^"]+)"', preload_links(path))
    assert f"/static/js/{element_scripts()[0]}" in urls
    assert ({PLOTLY_JS.url, OVERLAY_CHART_JS.url} <= set(urls)) is with_charts
