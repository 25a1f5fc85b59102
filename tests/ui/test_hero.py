"""The hero: the decision, its reasons, what it depends on, and the title of the tab."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import streamlit as st

from analysis import Alarm, AlarmValue, Phase
from analysis.deployments.rollback import RollbackReadiness
from analysis.retrospective.error_budget import ErrorBudget
from domain import Event, Slo, Window
from services import decision
from services.alarms import AlarmStatus
from services.live import TrafficStatus
from services.phases import PhaseCounts
from tests.factories.app_context import NOW
from tests.factories.html import EVIL, ParsedHtml
from tests.factories.incidents import EARLIER, INCIDENT, MIGRATION, evaluation_with
from ui import hero, rollback
from ui.app_context import AppContext
from ui.decision import incident_url
from ui.hero import CurrentStatus, decision_hero, hero_section, show_in_tab
from ui.rollback import rollback_popover

NOW_S = int(NOW.timestamp())
SLO = Slo.model_validate("99.9% over 30d")
CAPACITY = RollbackReadiness("ready", "carried_before", 4, 4, 10.0, 20.0, 30.0, "aws elbv2 modify-listener")
ALERT = Event(NOW_S, None, "alert", "photo: 5xx above 0.4%", "", "", "", "mackerel_events", "1", open=True)
ALARM = Alarm(
    "error_rate",
    "canary",
    NOW_S - 600,
    NOW_S - 420,
    None,
    {"baseline": AlarmValue(14 / 6846, 14, 6846), "canary": AlarmValue(19775 / 20538, 19775, 20538)},
)
NO_ALARMS = AlarmStatus((), NOW_S, ())


def of_now(alarms: AlarmStatus = NO_ALARMS) -> CurrentStatus:
    return CurrentStatus(alarms, TrafficStatus(None, None, None), CAPACITY)


def test_the_word_its_reasons_and_their_links() -> None:
    circumstances = decision.Circumstances(regressed_routes=("/v1/feed",))
    html = decision_hero(evaluation_with(INCIDENT, circumstances=circumstances), of_now())
    assert "<section class='hero hold'" in html
    assert "</span> HOLD</b> <span>1 route regressed</span>" in html
    assert html.count("<li><a href='/endpoints?route=%2Fv1%2Ffeed") == 1
    assert "<a class='chip bad' href='/endpoints'" in html
    text = ParsedHtml(html).text
    assert "routes ▲ 1 regressed" in text and "alerts 0" in text


def test_a_phase_lasts_until_its_newest_data() -> None:
    phase = Phase(Window(0, 6 * 3600), 0.1, "weight")
    evaluation = replace(evaluation_with(), phase=phase, window=Window(0, 6 * 3600))
    for data_until, length in ((None, "6h"), (3 * 3600 + 630, "3h 10m"), (7 * 3600, "6h")):
        html = decision_hero(replace(evaluation, data_until=data_until), of_now())
        assert f"<p class='note'>90:10 for {length}</p>" in html


def test_without_reasons_it_is_continue() -> None:
    html = decision_hero(evaluation_with(), of_now())
    assert "<section class='hero continue'" in html and "</span> CONTINUE</b> <span>parity</span>" in html
    text = ParsedHtml(html).text
    assert "error rate ● parityp95 ● parity" in text and "routes –alerts 0" in text


def test_many_incidents_are_one_reason_with_the_last() -> None:
    first = replace(INCIDENT, window=Window(EARLIER.window.start - 3600, EARLIER.window.end - 3600))
    html = decision_hero(evaluation_with(first, EARLIER, INCIDENT), of_now())
    assert "<span>3 incidents</span>" in html
    ((url, sentence),) = re.findall("<li><a href='(/[^']+)' target='_self'>([^<]+)", html)
    assert url.replace("&amp;", "&") == incident_url(INCIDENT)
    assert sentence.startswith("3 incidents, the last 22 Nov 19:00–19:05 JST, failed: ECS 96.67%")
    assert sentence.endswith("over. A note on each acknowledges it.")


def test_routes_that_are_being_judged_are_not_none() -> None:
    html = decision_hero(evaluation_with(circumstances=decision.Circumstances(routes="pending")), of_now())
    assert "routes ◐ loading" in ParsedHtml(html).text
    html = decision_hero(evaluation_with(circumstances=decision.Circumstances(routes="unreadable")), of_now())
    assert "routes ⚠ unreadable" in ParsedHtml(html).text


def test_a_decision_whose_source_is_down_is_as_of_its_data(monkeypatch: pytest.MonkeyPatch) -> None:
    circumstances = decision.Circumstances(sources_down=("cloudwatch",))
    evaluation = replace(evaluation_with(replace(INCIDENT, open=True), circumstances=circumstances), data_until=NOW_S)
    html = decision_hero(evaluation, of_now())
    assert "<section class='hero roll_back aged'" in html
    assert "Decision as of 21:00 JST · last 3h" in ParsedHtml(html).text
    config: dict[str, Any] = {}
    monkeypatch.setattr(st, "set_page_config", lambda **options: config.update(options))
    show_in_tab(MIGRATION, evaluation)
    assert config["page_title"].endswith(" · Decision as of 21:00 JST — Photo service")


def test_what_is_firing_is_a_red_chip_and_an_alarm_a_reason_with_its_counts() -> None:
    circumstances = decision.Circumstances(alarms=(ALARM,), alerts=(ALERT,))
    html = decision_hero(evaluation_with(circumstances=circumstances), of_now(AlarmStatus((ALARM,), NOW_S, ())))
    assert "<span class='chip bad firing' title='ECS error rate 96.28% · photo: 5xx above 0.4%'>" in html
    text = ParsedHtml(html).text
    assert "✕ 2 alerts firing" in text
    assert "Alarm (not a verdict): error rate ECS 96.28% (19,775 of 20,538), EC2 0.20% (14 of 6,846)." in text


def test_alarms_that_are_not_known_are_not_none() -> None:
    rules = tuple(
        (rule, fleet)
        for rule in ("error_rate", "no_response", "no_requests", "latency_p95")
        for fleet in ("baseline", "canary")
    )
    html = decision_hero(evaluation_with(), of_now(AlarmStatus((), None, rules)))  # type: ignore[arg-type]
    assert "alerts ? unknown" in ParsedHtml(html).text and "Alarms unknown: no current data." in html
    html = decision_hero(evaluation_with(), of_now(AlarmStatus((), NOW_S, (("no_requests", "canary"),))))
    assert "Insufficient data for: no requests." in html


def test_external_text_is_escaped_and_many_reasons_are_folded() -> None:
    routes = tuple(f"/{EVIL}{number}" for number in range(8))
    html = decision_hero(evaluation_with(circumstances=decision.Circumstances(regressed_routes=routes)), of_now())
    shown, folded = html.split("<details>")
    assert shown.count("<li><a href='/endpoints?route=") == 3 and folded.count("<li><a href='/endpoints?route=") == 5
    parsed = ParsedHtml(html)
    assert "and 5 more reasons" in parsed.text and "x-evil" not in parsed.tags


def test_the_tab_has_the_decision_in_its_title_and_icon(monkeypatch: pytest.MonkeyPatch) -> None:
    config: dict[str, Any] = {}
    monkeypatch.setattr(st, "set_page_config", lambda **options: config.update(options))
    evaluation = evaluation_with(circumstances=decision.Circumstances(regressed_routes=("/v1/feed",)))
    show_in_tab(MIGRATION, evaluation, "Parity")
    assert config["page_title"] == "■ HOLD · 1 route regressed — Parity — Photo service"
    held = config["page_icon"]
    show_in_tab(MIGRATION, evaluation_with())
    assert config["page_title"] == "✓ CONTINUE · parity — Photo service"
    show_in_tab(MIGRATION, evaluation_with(), is_loading=True)
    assert config["page_title"] == "Loading… — Photo service"
    assert held.startswith("<svg") and held != config["page_icon"]


class Popover:
    """Stands for st.popover, and keeps its arguments."""

    def __init__(self, *, is_open: bool) -> None:
        self.open, self.options = is_open, dict[str, Any]()

    def __call__(self, _label: str, **options: Any) -> "Popover":
        self.options = options
        return self

    def __enter__(self) -> "Popover":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_the_rollback_button_opens_the_command_alone(monkeypatch: pytest.MonkeyPatch, rendered: list[str]) -> None:
    popover, code = Popover(is_open=True), list[str]()
    monkeypatch.setattr(st, "popover", popover)
    monkeypatch.setattr(st, "code", lambda body, **_: code.append(body))
    rollback_popover(MIGRATION, CAPACITY, is_urgent=True)
    assert code == ["aws elbv2 modify-listener"] and popover.options["type"] == "primary"
    assert "4/4 healthy" in rendered[0] and not popover.options["disabled"]
    for readiness in (None, replace(CAPACITY, reason="all_on_baseline")):
        rollback_popover(MIGRATION, readiness, is_urgent=False)
        assert popover.options["disabled"]


def test_the_section_has_the_age_of_the_data_and_the_rollback(
    build_app: Callable[..., AppContext], rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(hero, "rollback_popover", lambda *_, **__: shown.append("rollback"))
    monkeypatch.setattr(hero, "top_line", lambda _texts: shown.append("age of the data"))
    hero_section(build_app(), "cloudwatch", evaluation_with(INCIDENT), now=NOW, refresh_s=15)
    assert shown == ["age of the data", "rollback"] and "alerts" in ParsedHtml(rendered[0]).text
    hero_section(build_app(), "cloudwatch", evaluation_with(), now=NOW, refresh_s=15, is_loading=True)
    assert "Loading…" in rendered[1] and "CONTINUE" not in rendered[1] and "parity" not in rendered[1]


def test_the_command_is_not_computed_while_the_button_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "popover", Popover(is_open=False))
    monkeypatch.setattr(rollback, "rollback_command", lambda *_: pytest.fail("computed"))
    rollback_popover(MIGRATION, CAPACITY, is_urgent=False)


def test_the_error_budget_that_the_phase_burned_is_a_chip_if_there_is_an_slo() -> None:
    phase = Phase(Window(NOW_S - 7200, NOW_S), 0.5, "weight")
    counts = PhaseCounts({"baseline": 9000, "canary": 9000}, {"baseline": 60, "canary": 30_000})
    evaluation = replace(evaluation_with(), phase=phase, counts=counts)
    assert "budget" not in decision_hero(evaluation, of_now())
    for budget, expected, css in (
        (ErrorBudget(SLO, 30_000.0, 604_800), "error budget burned EC2 0.20% · ECS 100%", "warn"),
        (ErrorBudget(SLO, 60_000.0, 604_800), "error budget burned EC2 0.10% · ECS 50.0%", "note"),
        (ErrorBudget(SLO, None, 600), "error budget burned –", "note"),
    ):
        html = decision_hero(replace(evaluation, counts=replace(counts, budget=budget)), of_now())
        assert expected in ParsedHtml(html).text and f"<span class='chip {css}' title='" in html
    assert "at least a day of requests" in html
