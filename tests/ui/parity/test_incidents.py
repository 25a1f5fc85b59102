"""The incidents of a phase on a page: the decision above them, and the form that acknowledges one."""

import re
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.runtime.context import StreamlitHeaders
from streamlit.testing.v1 import AppTest

from analysis import Phase
from domain import Window
from services.decision import Circumstances
from services.incidents import acknowledgements
from tests.factories.app_context import NOW
from tests.factories.html import EVIL, ParsedHtml
from tests.factories.incidents import EARLIER, INCIDENT, evaluation_with
from ui import app_context
from ui.app_context import AppContext
from ui.decision import decision_hero, incident_url, incidents_table, reason_url
from ui.retrospective import entries
from ui.retrospective.rate_limit import RateLimit


def _page() -> None:
    from services.decision import Circumstances
    from tests.factories.app_context import NOW
    from tests.factories.incidents import EARLIER, INCIDENT, evaluation_with
    from ui.app_context import get_app_context
    from ui.parity.incidents import incidents_section

    app = get_app_context()
    circumstances = Circumstances(notes=app.archive.notes.read())
    incidents_section(app, evaluation_with(EARLIER, INCIDENT, circumstances=circumstances), now=NOW)


def test_an_incident_is_acknowledged_by_a_note(
    build_app: Callable[..., AppContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = build_app()
    monkeypatch.setattr(app_context, "_app_context", app)
    monkeypatch.setattr(st, "context", SimpleNamespace(headers=StreamlitHeaders(())))
    monkeypatch.setattr(entries, "_of_archive", RateLimit(60))
    monkeypatch.setattr(st, "rerun", lambda **_: None)  # of a fragment, which AppTest cannot
    page = AppTest.from_function(_page, default_timeout=30).run()
    assert not page.exception
    page.button[0].click().run()
    assert app.archive.notes.read() == ()  # a note needs words
    page.text_input[0].set_value("A broken release")
    page.button[0].click().run()
    (note,) = app.archive.notes.read()
    assert (note.ts, note.title) == (INCIDENT.window.start, "A broken release")
    assert acknowledgements([EARLIER, INCIDENT], [note]) == {INCIDENT.id: note}
    page = AppTest.from_function(_page, default_timeout=30).run()
    assert [option.rpartition(" ")[2] for option in page.selectbox[0].options] == [EARLIER.id]
    assert "A broken release" in " ".join(item.proto.body for item in page.get("html"))


def test_the_decision_has_its_word_its_reasons_and_their_links() -> None:
    evaluation = evaluation_with(INCIDENT, circumstances=Circumstances(regressed_routes=("/v1/feed",)))
    html = decision_hero(evaluation)
    assert "<section class='hero hold'" in html and "<b>■ HOLD</b> <span>1 route regressed</span>" in html
    assert html.count("<li>") == 2 and "Rollback" not in html
    urls = [reason_url(reason, evaluation) for reason in evaluation.decision.reasons]
    assert urls[0].startswith("/endpoints?route=%2Fv1%2Ffeed&from=") and urls[1] == incident_url(INCIDENT)
    assert urls[1] == "/?from=2026-11-22T09%3A30Z&to=2026-11-22T10%3A35Z"


def test_many_incidents_are_one_reason_with_the_last() -> None:
    first = replace(INCIDENT, window=Window(EARLIER.window.start - 3600, EARLIER.window.end - 3600))
    html = decision_hero(evaluation_with(first, EARLIER, INCIDENT))
    assert html.count("<li>") == 1 and "<span>3 incidents</span>" in html
    ((url, sentence),) = re.findall("<li><a href='([^']+)'[^>]*>([^<]+)", html)
    assert url.replace("&amp;", "&") == incident_url(INCIDENT)
    assert sentence.startswith("3 incidents, the last 22 Nov 19:00–19:05 JST, failed: ECS 96.67 %")
    assert sentence.endswith("over. A note on each acknowledges it.")


def test_above_charts_of_the_past_it_is_said_to_be_of_now() -> None:
    sentence = "The decision now; the charts below show another time."
    assert sentence in decision_hero(evaluation_with(INCIDENT), past=True)
    assert sentence not in decision_hero(evaluation_with(INCIDENT))


def test_a_rollback_is_linked() -> None:
    html = decision_hero(evaluation_with(replace(INCIDENT, open=True)))
    assert "<b>✕ ROLL BACK</b>" in html and "href='/#rollback'" in html
    phase = Phase(INCIDENT.window, 0.1, "weight", number=1, outcome="rolled_back")
    over = replace(evaluation_with(replace(INCIDENT, open=True)), phase=phase)
    assert "✕ ROLL BACK" in decision_hero(over) and "#rollback" not in decision_hero(over)


def test_without_reasons_it_is_continue_and_without_incidents_there_is_no_table() -> None:
    html = decision_hero(evaluation_with())
    assert "<section class='hero continue'" in html and "<b>✓ CONTINUE</b> <span>parity</span>" in html
    assert incidents_table(evaluation_with(), now=NOW) == ""


def test_external_text_is_escaped_and_many_reasons_are_cut() -> None:
    routes = tuple(f"/{EVIL}{number}" for number in range(8))
    html = decision_hero(evaluation_with(circumstances=Circumstances(regressed_routes=routes)))
    parsed = ParsedHtml(html)
    assert html.count("<li>") == 7 and "and 2 more reasons" in parsed.text
    assert "x-evil" not in parsed.tags
