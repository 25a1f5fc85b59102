"""A range or a phase of the past: what happened in it, never a decision of now."""

from dataclasses import replace
from typing import Any

import pytest
import streamlit as st

from analysis import Phase
from analysis.parity.incidents import Incident
from domain import Window
from services.decision import Circumstances
from services.evaluation import Evaluation
from tests.factories.html import ParsedHtml
from tests.factories.incidents import EARLIER, INCIDENT, MIGRATION, evaluation_with
from ui.past import finding, past_hero, show_past_in_tab

SHARED = replace(EARLIER, fleets=("baseline", "canary"))
OF_BASELINE = replace(INCIDENT, fleets=("baseline",), errors={"baseline": 900, "canary": 3})
SLOW = replace(INCIDENT, kind="slow", requests=None, errors=None, p95_s={"baseline": 0.21, "canary": 0.84})
DECISIONS = ("CONTINUE", "WAIT", "HOLD", "ROLL BACK")


def of_range(*incidents: Incident, verdict: str = "parity", **changes: Any) -> Evaluation:
    evaluation = evaluation_with(*incidents)
    first, *others = evaluation.judgement.criteria
    criteria = (replace(first, verdict=verdict), *others)  # type: ignore[arg-type]
    judgement = replace(evaluation.judgement, criteria=criteria)
    return replace(evaluation, judgement=judgement, **({"data_until": 1} | changes))


@pytest.mark.parametrize(
    ("incident", "expected"),
    [
        (INCIDENT, ("bad", "▲", "ECS unavailable 22 Nov 19:00–19:05 JST, 96.67% errors")),
        (
            replace(INCIDENT, errors={"baseline": 3, "canary": 300}),
            ("bad", "▲", "ECS failing 22 Nov 19:00–19:05 JST, 10.0% errors"),
        ),
        (SHARED, ("bad", "▲", "Both fleets failing 22 Nov 18:00–18:05 JST")),
        (OF_BASELINE, ("warn", "▲", "EC2 failing 22 Nov 19:00–19:05 JST, 30.0% errors")),
        (SLOW, ("bad", "▲", "ECS slow 22 Nov 19:00–19:05 JST, p95 840 ms")),
    ],
)
def test_an_incident_is_what_happened(incident: Incident, expected: tuple[str, str, str]) -> None:
    assert finding(of_range(incident)) == expected


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ("parity", ("good", "●", "parity")),
        ("regression", ("bad", "▲", "error rate regressed")),
        ("undecided", ("warn", "◐", "error rate inconclusive in this range")),
        ("not enough data", ("note", "○", "error rate: insufficient data")),
    ],
)
def test_else_the_weightiest_verdict(verdict: str, expected: tuple[str, str, str]) -> None:
    assert finding(of_range(verdict=verdict)) == expected


def test_no_data_is_no_verdict() -> None:
    evaluation = of_range(data_until=None)
    assert finding(evaluation) == ("note", "○", "No data in this range")
    assert "parity" not in past_hero(evaluation)


def test_a_range_has_its_routes() -> None:
    judged = past_hero(of_range(circumstances=Circumstances(regressed_routes=("/v1/feed",))), note="40 of 60 min.")
    assert "routes ▲ 1 regressed" in ParsedHtml(judged).text and "Route /v1/feed regressed" in ParsedHtml(judged).text
    assert "<p class='note'>40 of 60 min.</p>" in judged
    assert "<a class='chip bad' href='/endpoints?from=2026-11-22T" in judged
    assert "routes –" in ParsedHtml(past_hero(of_range())).text
    assert "routes ◐ loading" in ParsedHtml(past_hero(of_range(circumstances=Circumstances(routes="pending")))).text


def test_beside_an_incident_it_says_why_criteria_are_not_judged() -> None:
    evaluation = of_range(INCIDENT, verdict="not enough data")
    first, *others = evaluation.judgement.criteria
    judgement = replace(evaluation.judgement, criteria=(replace(first, reason="few_minutes"), *others))
    evaluation = replace(evaluation, judgement=judgement)
    note = "<p class='note'>Criteria not judged. Too few minutes.</p>"
    assert note in past_hero(evaluation)
    assert note not in past_hero(replace(evaluation, judgement=replace(judgement, incidents=())))
    gone = replace(judgement, criteria=(replace(first, reason="one_side_gone", gone=("canary",)), *others))
    assert "Criteria not judged. ECS reported no data at the end." in past_hero(replace(evaluation, judgement=gone))


def test_a_phase_has_its_outcome_and_no_word_of_now() -> None:
    phase = Phase(Window(0, 7200), 0.1, "weight", outcome="rolled_back")
    evaluation = of_range(
        INCIDENT, SHARED, verdict="undecided", phase=phase, circumstances=Circumstances(regressed_routes=("/v1/feed",))
    )
    html = past_hero(evaluation)
    text = ParsedHtml(html).text
    assert "ECS unavailable" in text and "Rolled back" in text and "Route /v1/feed regressed" in text
    assert html.index("ECS unavailable") < html.index("Both fleets failing")
    assert not any(word in text for word in DECISIONS)
    assert (
        finding(replace(evaluation, judgement=of_range(verdict="undecided").judgement))[2]
        == "error rate inconclusive when rolled back"
    )


@pytest.mark.parametrize(("share", "label"), [(0.0, "EC2"), (1.0, "ECS")])
def test_a_phase_of_one_fleet_has_nothing_to_compare(share: float, label: str) -> None:
    phase = Phase(Window(0, 7200), share, "weight", outcome="advanced")
    expected = ("note", "○", f"{label} only: nothing to compare")
    assert finding(of_range(verdict="not enough data", phase=phase)) == expected


def test_the_tab_has_the_range_and_the_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    config: dict[str, Any] = {}
    monkeypatch.setattr(st, "set_page_config", lambda **options: config.update(options))
    show_past_in_tab(MIGRATION, "22 Nov 19:00–20:00 JST", "▲ ECS slow", "Parity")
    assert config["page_title"] == "22 Nov 19:00–20:00 JST · ▲ ECS slow — Parity — Photo service"


def test_what_is_over_at_unknown_weights_has_its_own_time_span() -> None:
    phase = Phase(Window(0, 7200), None, "deployment", number=1, outcome="rolled_back")
    evaluation = of_range(phase=phase, window=Window(600, 7200), data_until=7200)
    assert "1 Jan 09:10–11:00 JST" in ParsedHtml(past_hero(evaluation)).text
    assert "last 1h 50m" not in past_hero(evaluation)
    running = replace(evaluation, phase=replace(phase, outcome="running"))
    assert "last 1h 50m" in past_hero(running)
