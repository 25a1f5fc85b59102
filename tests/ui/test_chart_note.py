"""A note on a time of a chart: from the axis into the URL, and from there into the form."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.runtime.context import StreamlitHeaders
from streamlit.testing.v1 import AppTest

from domain import Window
from tests.factories.app_context import NOW
from tests.factories.html import EVIL, ParsedHtml
from ui import app_context, chart_note
from ui.app_context import AppContext, AppContexts
from ui.retrospective import entries
from ui.retrospective.rate_limit import RateLimit

WINDOW = Window.last(60, now=NOW)  # 20:00–21:00 in Tokyo


def _page() -> None:
    from ui.app_context import get_app_context
    from ui.chart_note import chart_note_form

    chart_note_form(get_app_context())


@pytest.fixture
def app(build_app: Callable[..., AppContext], monkeypatch: pytest.MonkeyPatch) -> AppContext:
    app = build_app()
    monkeypatch.setattr(app_context, "_contexts", AppContexts({app.migration.slug: app}))
    monkeypatch.setattr(st, "context", SimpleNamespace(headers=StreamlitHeaders([])))
    monkeypatch.setattr(entries, "_of_archive", RateLimit(60))
    return app


def open_page(**query: str) -> AppTest:
    page = AppTest.from_function(_page, default_timeout=30)
    for name, value in query.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def text_of(page: AppTest) -> str:
    return ParsedHtml(" ".join(item.proto.body for item in page.get("html"))).text


@pytest.mark.parametrize(
    ("on_axis", "in_url"),
    [
        ("2026-11-22 20:42:00", "2026-11-22T11:42Z"),
        ("2026-11-22 20:42:00.1234567", "2026-11-22T11:42Z"),
        ("soon", None),
        ("0001-01-01 00:00:00", None),
        ("9999-12-31 23:59:00", None),
        ("x" * 5000, None),
    ],
)
def test_a_time_of_the_axis_is_in_the_url(
    app: AppContext, monkeypatch: pytest.MonkeyPatch, on_axis: str, in_url: str | None
) -> None:
    changes: dict[str, str] = {}
    monkeypatch.setattr(chart_note, "set_query", lambda **values: changes.update(values))
    chart_note.choose_note_time(app.migration, WINDOW, on_axis)
    assert changes.get("note") == in_url


def test_the_form_has_the_time_and_is_closed_once_the_note_is_stored(app: AppContext) -> None:
    assert open_page().text_input.len == 0
    page = open_page(note="2026-11-22T11:42Z")
    words, when, author = page.text_input
    assert (words.value, when.value) == ("", "2026-11-22 20:42")
    words.set_value("Cache was cold")
    author.set_value("Mika")
    page.button[0].click().run()
    (note,) = app.archive.notes.read()
    assert (note.title, note.detail, note.ts) == ("Cache was cold", "Mika", WINDOW.start + 42 * 60)
    page.run()
    assert page.text_input.len == 0 and "✓ Added." in text_of(page)
    next(button for button in page.button if button.label == "Undo").click().run()
    assert app.archive.notes.read() == ()


def test_the_text_is_kept_on_an_error_and_for_another_time(app: AppContext) -> None:
    page = open_page(note="2026-11-22T11:42Z")
    page.text_input[0].set_value("Cache was cold")
    page.text_input[1].set_value("noon")
    page.button[0].click().run()
    assert "Invalid time “noon”." in text_of(page) and page.text_input[0].value == "Cache was cold"
    assert app.archive.notes.read() == ()
    page.session_state["query_params"] = {"note": "2026-11-22T11:50Z"}
    page.run()
    assert [field.value for field in page.text_input[:2]] == ["Cache was cold", "2026-11-22 20:50"]


def test_cancel_closes_it(app: AppContext) -> None:
    page = open_page(note="2026-11-22T11:42Z")
    page.text_input[0].set_value("Cache was cold")
    page.button[1].click().run()
    assert page.text_input.len == 0 and app.archive.notes.read() == ()


@pytest.mark.parametrize("query", [{"note": EVIL}, {"note": "x" * 20_000}, {"note": "0001-01-01"}])
def test_an_invalid_time_in_the_url_is_said(app: AppContext, query: dict[str, str]) -> None:
    page = open_page(**query)
    assert page.text_input.len == 0
    assert text_of(page).startswith("Invalid time “") and len(text_of(page)) < 100


def test_a_kiosk_has_no_form(app: AppContext) -> None:
    assert open_page(note="2026-11-22T11:42Z", kiosk="1").text_input.len == 0
