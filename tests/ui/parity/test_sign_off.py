"""The sign-offs on the Parity page: an approver signs, others cannot, and a changed row is named."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from sqlalchemy import text
from streamlit.runtime.context import StreamlitHeaders
from streamlit.testing.v1 import AppTest

from domain import Event, Window, utc_now
from domain.config.sign_in import SignIn
from domain.identity import Identity
from reports.evidence.verify import verify_evidence
from sources.base import Events
from tests.factories.demo_app import demo_app
from tests.factories.html import EVIL, ParsedHtml
from tests.fakes.alb_signer import SIGNER
from ui import app_context
from ui.app_context import AppContext, AppContexts
from ui.parity import sign_off
from ui.retrospective import entries
from ui.retrospective.rate_limit import RateLimit


def _page() -> None:
    from domain import utc_now
    from ui.app_context import get_app_context
    from ui.parity.sign_off import sign_off_section
    from ui.parity.view import judgement_view, phase_evaluation

    app, now = get_app_context(), utc_now()
    view = judgement_view(app, app.source_names[0], now=now)
    sign_off_section(app, view, phase_evaluation(app, view, now=now), app.source_names[0], now=now)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppContext]:
    """The demo, whose current phase may continue."""
    with demo_app(tmp_path) as app:
        monkeypatch.setattr(app_context, "_contexts", AppContexts({app.migration.slug: app}))
        monkeypatch.setattr(st, "context", SimpleNamespace(headers=StreamlitHeaders(())))
        monkeypatch.setattr(entries, "_of_archive", RateLimit(60))
        yield app


def hold(app: AppContext) -> None:
    """An open alert."""
    end = int(utc_now().timestamp()) // 60 * 60
    alert = Event(end - 300, None, "alert", "CPU of ECS", "", "canary", "", "mackerel_events", "a-1", open=True)
    app.archive.events.save_events(Events(Window(end - 600, end), end, (alert,)), "mackerel_events")


@pytest.fixture
def sign_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def sign_in(*fields: Any, **options: Any) -> None:
        for module in (sign_off, entries):
            monkeypatch.setattr(module, "current_identity", lambda _app: Identity(*fields, **options))

    return sign_in


def open_page() -> AppTest:
    page = AppTest.from_function(_page, default_timeout=120).run()
    assert not page.exception
    return page


def shown_text(page: AppTest) -> str:
    return ParsedHtml(" ".join(item.proto.body for item in page.get("html"))).text


def press_sign(page: AppTest, comment: str = "", name: str = "") -> None:
    if name:
        page.text_input[0].set_value(name)
    page.text_input[1].set_value(comment)
    page.button[0].click().run()
    assert not page.exception


def test_a_hold_is_signed_with_a_name_and_a_reason(app: AppContext, tmp_path: Path) -> None:
    hold(app)
    page = open_page()
    assert "The evidence of this phase is not signed." in shown_text(page)
    press_sign(page, "We know the alert.")
    assert "Not signed: a name is required." in shown_text(page)
    press_sign(page, name="<b>Mika</b>")
    assert "Not signed: unless the decision is CONTINUE, a reason is required." in shown_text(page)
    assert app.archive.sign_offs.read().entries == ()
    press_sign(page, f"We know {EVIL}")
    page.run()  # which st.rerun did
    assert "✓ Signed." in shown_text(page) and "<b>Mika</b>name typed, not verified" in shown_text(page)
    assert f"We know {EVIL}" in shown_text(page) and "■ HOLD" in shown_text(page)
    (entry,) = app.archive.sign_offs.read().entries
    assert entry.sign_off and (entry.sign_off.name, entry.sign_off.verified) == ("<b>Mika</b>", False)
    assert [field.value for field in page.text_input] == ["", ""]

    file = page.session_state["sign_off_file"]
    (tmp_path / "signed.zip").write_bytes(file.content)
    check = verify_evidence(tmp_path / "signed.zip")
    assert check.is_unchanged and check.signatures == (entry,)


def test_a_signed_in_approver_is_recorded_as_verified(app: AppContext, sign_in: Callable[..., None]) -> None:
    sign_in("Ayumi", "ayumi@example.com")
    page = open_page()
    assert page.text_input[0].disabled
    press_sign(page)
    (entry,) = app.archive.sign_offs.read().entries
    signed = entry.sign_off
    assert signed and (signed.name, signed.email, signed.verified) == ("Ayumi", "ayumi@example.com", True)


def test_a_viewer_and_an_editor_cannot_sign(app: AppContext, sign_in: Callable[..., None]) -> None:
    for role in ("viewer", "editor"):
        sign_in("Ayumi", role=role)
        page = open_page()
        assert "Only approvers can sign." in shown_text(page) and not page.button


@pytest.mark.parametrize(
    ("approvers", "sentence"),
    [((), "No user can sign: [sign_in] has no approvers."), (("boss@example.com",), "Only approvers can sign.")],
)
def test_without_any_approver_the_page_says_so(
    approvers: tuple[str, ...], sentence: str, app: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in = SignIn(method="alb", load_balancer=SIGNER, viewers=("*",), approvers=approvers)
    with_sign_in = replace(app, migration=app.migration.model_copy(update={"sign_in": sign_in}))
    monkeypatch.setattr(app_context, "_contexts", AppContexts({app.migration.slug: with_sign_in}))
    page = open_page()
    assert sentence in shown_text(page) and not page.button


def test_a_role_that_was_lost_meanwhile_cannot_sign(app: AppContext, sign_in: Callable[..., None]) -> None:
    sign_in("Ayumi")
    page = open_page()
    sign_in("Ayumi", role="viewer")
    press_sign(page, "We know the alert.")
    assert app.archive.sign_offs.read().entries == () and "Only approvers can sign." in shown_text(page)


def test_a_decision_that_was_not_shown_is_not_signed(app: AppContext) -> None:
    page = open_page()
    for shown in (None, (page.session_state["sign_off_shown"][0], "hold"), (0, "continue")):
        page.session_state["sign_off_shown"] = shown
        press_sign(page, "We know the alert.", "Mika")
        assert "Not signed: the decision is now ✓ CONTINUE. Check its reasons, then sign again." in shown_text(page)
    assert app.archive.sign_offs.read().entries == ()
    press_sign(page, "We know the alert.", "Mika")
    assert len(app.archive.sign_offs.read().entries) == 1


def test_a_changed_row_is_named_on_the_page(app: AppContext) -> None:
    page = open_page()
    press_sign(page, "We know the alert.", "Mika")
    assert "1 sign-off in the ledger, unchanged." in shown_text(open_page())
    with app.archive.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER sign_off_no_update"))
        connection.execute(text("UPDATE sign_off SET body = replace(body, 'Mika', 'Eve!')"))
    shown = shown_text(open_page())
    assert shown.count("Sign-off 1 was changed after it was signed.") == 2  # above, and in its row
    assert "unchanged" not in shown
