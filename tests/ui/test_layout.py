"""The frame: the brand in the header, and the kiosk."""

import pytest

from tests.factories.html import EVIL
from ui import layout, style


def test_the_name_in_the_header_can_end_neither_its_string_nor_the_style(rendered: list[str]) -> None:
    layout.brand(f"{EVIL}</style>\\")
    body = rendered[0].removeprefix("<style>").removesuffix("</style>")
    assert "<" not in body and body.count('"') == 2


def test_a_kiosk_is_dark_and_has_its_style(monkeypatch: pytest.MonkeyPatch, rendered: list[str]) -> None:
    for query, theme in (({"kiosk": "1"}, "dark"), ({"kiosk": "0"}, "light"), ({}, "light")):
        monkeypatch.setattr(style, "query_params", lambda query=query: query)
        assert style.theme() == theme
        style.apply_style()
        assert ("/* A page on a wall" in rendered[-1]) is (theme == "dark")


def test_the_document_has_the_variables_of_the_theme_that_the_browser_prefers(rendered: list[str]) -> None:
    style.apply_style()
    light = rendered[-1].removeprefix("<style>:root ").partition("}")[0] + "}"
    document = style.document_css()
    assert "--paper: #fff" in light and f":root {light}" in document
    assert "@media (prefers-color-scheme: dark) { :root { --paper: #171614" in document and ".dark" not in document
