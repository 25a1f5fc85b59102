"""The forms of notes and steps: how many may be entered, who is the author, and what a removal leaves."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
import streamlit as st
from sqlalchemy import update
from streamlit.runtime.context import StreamlitHeaders
from streamlit.testing.v1 import AppTest

from archive.db import schema
from archive.events.notes import acknowledged_incident
from tests.factories.app_context import NOW
from tests.factories.html import EVIL, ParsedHtml
from ui import app_context
from ui.app_context import AppContext, AppContexts
from ui.retrospective import entries
from ui.retrospective.rate_limit import RateLimit


def _page() -> None:
    from types import SimpleNamespace
    from typing import Any, cast

    from domain import Window
    from tests.factories.app_context import NOW
    from ui.app_context import get_app_context
    from ui.retrospective.notes import notes_section
    from ui.retrospective.steps import steps_section

    end = int(NOW.timestamp())
    outline: Any = SimpleNamespace(window=Window(end - 3600, end))
    steps_section(get_app_context(), now=NOW)
    notes_section(get_app_context(), cast(Any, outline), now=NOW)


@pytest.fixture
def open_app(
    build_app: Callable[..., AppContext], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., AppContext]]:
    """An app whose context the page gets, and whose connection has these headers."""

    def open_app(author_header: str = "", *headers: tuple[str, str]) -> AppContext:
        app = build_app("server", {"author_header": author_header})
        monkeypatch.setattr(app_context, "_contexts", AppContexts({app.migration.slug: app}))
        monkeypatch.setattr(st, "context", SimpleNamespace(headers=StreamlitHeaders(headers)))
        monkeypatch.setattr(entries, "_of_archive", RateLimit(60))
        return app

    yield open_app


def open_page() -> AppTest:
    page = AppTest.from_function(_page, default_timeout=30).run()
    assert not page.exception
    return page


def enter_note(page: AppTest, words: str, author: str = "") -> None:
    field(page, "Note").set_value(words)
    if author:
        field(page, "Author (optional)").set_value(author)
    page.button[1].click().run()
    assert not page.exception


def field(page: AppTest, label: str):  # type: ignore[no-untyped-def]
    """The last field of a label: the form of notes is below that of steps."""
    return next(item for item in reversed(page.text_input) if item.label == label)


def shown_text(page: AppTest) -> str:
    return ParsedHtml(" ".join(item.proto.body for item in page.get("html"))).text


def test_a_session_enters_ten_in_a_minute(open_app: Callable[..., AppContext]) -> None:
    app = open_app()
    page = open_page()
    for number in range(10):
        enter_note(page, f"note {number}")
        page.run()  # which st.rerun did
    assert "Too many entries" not in shown_text(page)
    field(page, "Share of the canary, or weights").set_value("10%")  # a step counts, too
    field(page, "From").set_value("2026-11-22 20:00")
    page.button[0].click().run()
    assert "Too many entries within a minute; not stored. Retry in" in shown_text(page)
    assert (len(app.archive.notes.read()), app.archive.steps.read()) == (10, ())
    enter_note(open_page(), "of another session")
    assert len(app.archive.notes.read()) == 11


def test_all_sessions_together_have_a_limit(
    open_app: Callable[..., AppContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app()
    monkeypatch.setattr(entries, "_of_archive", RateLimit(2))
    for number in range(3):
        page = open_page()
        enter_note(page, f"note {number}")
    assert "Too many entries" in shown_text(page)
    assert len(app.archive.notes.read()) == 2


def test_the_limit_is_of_any_minute() -> None:
    limit = RateLimit(2, clock=iter((0.0, 30.0, 45.0, 60.0, 61.0, 90.0)).__next__)
    waits = [limit.try_enter() for _ in range(6)]
    assert waits == [0, 0, 15, 0, 29, 0]


@pytest.mark.parametrize(
    ("author_header", "headers", "author"),
    [
        ("X-Forwarded-User", [("x-forwarded-user", "taro")], "taro"),
        ("X-Forwarded-User", [("X-Forwarded-User", "太郎".encode().decode("latin-1"))], "太郎"),
        ("X-Forwarded-User", [("X-Forwarded-User", "J\u00f6rg")], "J\u00f6rg"),
        # Not trusted unless it is configured, nor if a client may have added one of its own.
        ("", [("X-Forwarded-User", "taro")], "Eve"),
        ("X-Forwarded-User", [("X-Forwarded-User", "taro"), ("X-Forwarded-User", "root")], "Eve"),
        ("X-Forwarded-User", [], "Eve"),
    ],
)
def test_the_author_is_who_is_signed_in_at_the_proxy(
    author_header: str, headers: list[tuple[str, str]], author: str, open_app: Callable[..., AppContext]
) -> None:
    app = open_app(author_header, *headers)
    page = open_page()
    assert field(page, "Author (optional)").disabled == (author != "Eve")
    enter_note(page, "Sale begins", "" if author != "Eve" else "Eve")
    (note,) = app.archive.notes.read()
    assert note.detail == author
    page.button(f"remove_{note.key}").click().run()
    assert [item.removed_by for item in app.archive.notes.removals()] == ["" if author == "Eve" else author]


def test_a_removal_is_a_line_on_the_page(open_app: Callable[..., AppContext]) -> None:
    app = open_app()
    ts = int((NOW - timedelta(hours=1)).timestamp())
    note, step = app.archive.notes.add(ts, EVIL, "Mika"), app.archive.steps.add(ts, 0.25)
    app.archive.notes.remove(note.key, "Taro")
    app.archive.steps.remove(step.key)
    text = shown_text(open_page())
    assert f"Removed 21:00 JST by Taro: Note “{EVIL}”, 20:00 JST, by Mika" in text
    assert "Removed 21:00 JST: Step to 25%, 20:00 JST" in text


@pytest.mark.parametrize("ts", [253_402_300_799, 2**62])
def test_a_note_of_an_impossible_time_is_removed_on_the_page(ts: int, open_app: Callable[..., AppContext]) -> None:
    app = open_app()
    note = app.archive.notes.add(int(NOW.timestamp()), "Sale begins")
    with app.archive.engine.begin() as connection:
        connection.execute(update(schema.event).values(ts=ts))
    page = open_page()
    assert "invalid time" in shown_text(page)
    page.button(f"remove_{note.key}").click().run()
    assert not page.exception
    assert app.archive.notes.read() == ()


def test_a_note_keeps_its_text_on_an_error_confirms_and_can_be_undone(open_app: Callable[..., AppContext]) -> None:
    app = open_app()
    page = open_page()
    field(page, "When").set_value("noon")
    enter_note(page, "Sale begins", "Mika")
    assert "noon" in shown_text(page) and "Added." not in shown_text(page)
    assert [field(page, name).value for name in ("Note", "When", "Author (optional)")] == [
        "Sale begins",
        "noon",
        "Mika",
    ]
    field(page, "When").set_value("")
    page.button[1].click().run()
    page.run()  # which st.rerun did
    assert "✓ Added." in shown_text(page) and field(page, "Note").value == ""
    page.button("undo_note").click().run()
    assert "✓ Undone." in shown_text(page) and app.archive.notes.read() == ()


def test_the_removal_of_a_note_and_of_a_step_can_be_undone(open_app: Callable[..., AppContext]) -> None:
    app = open_app()
    ts = int((NOW - timedelta(hours=1)).timestamp())
    note = app.archive.notes.add(ts, "A broken release", "Mika", incident="2026-11-22T11:00Z")
    step = app.archive.steps.add(ts, 0.25, "Taro")
    page = open_page()
    page.button(f"remove_{note.key}").click().run()
    assert "✓ Removed." in shown_text(page) and app.archive.notes.read() == ()
    page.button("undo_note").click().run()
    (restored,) = app.archive.notes.read()
    assert (restored.ts, restored.title, restored.detail) == (ts, "A broken release", "Mika")
    assert acknowledged_incident(restored) == "2026-11-22T11:00Z"
    page.button(f"remove_{step.key}").click().run()
    page.button("undo_step").click().run()
    assert [(item.ts, item.after, item.author) for item in app.archive.steps.read()] == [(ts, 0.25, "Taro")]
