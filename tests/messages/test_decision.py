"""Messages for decisions and incidents: words, headlines, and a sentence for every reason."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from analysis import CriterionVerdict, Judgement, PhaseOutcome
from analysis.parity.incidents import Incident
from domain import Criterion, FleetName, Margin, Window
from domain.decision import Decision, DecisionReason, ReasonCode, ReasonedDecision
from messages import decision, incidents
from tests.factories.notes import acknowledging_note

LABELS: dict[FleetName, str] = {"baseline": "EC2", "canary": "ECS"}
ZONE = ZoneInfo("Asia/Tokyo")
ERRORS = Criterion(metric="error_rate", margin=Margin(value=0.05, unit="pp"), critical=True)
P95 = Criterion(metric="latency_p95", margin=Margin(value=10, unit="%"))
START = int(datetime(2026, 11, 10, 6, 19, tzinfo=UTC).timestamp())
INCIDENT = Incident(
    "errors",
    Window(START, START + 900),
    ("canary",),
    {"baseline": 52_000, "canary": 108_000},
    {"baseline": 130, "canary": 42_050},
    uncounted=1200,
)
SLOW = replace(INCIDENT, kind="slow", requests=None, errors=None, uncounted=0, p95_s={"baseline": 0.21, "canary": 0.84})
UNDECIDED = CriterionVerdict(ERRORS, "undecided", "inconclusive", minutes_to_decision=25)
WORSE = CriterionVerdict(P95, "regression", "beyond_margin", lower=0.11, upper=0.14)
JUDGEMENT = Judgement("undecided", (UNDECIDED, WORSE), incidents=(INCIDENT,))


def headline(*reasons: DecisionReason, outcome: PhaseOutcome | None = None) -> str:
    return decision.headline(ReasonedDecision(reasons), JUDGEMENT, outcome)


def sentence(reason: DecisionReason, judgement: Judgement = JUDGEMENT, outcome: PhaseOutcome | None = None) -> str:
    return decision.reason(reason, judgement, LABELS, ZONE, outcome=outcome)


def test_every_decision_has_a_word_and_a_sign_of_its_own() -> None:
    assert [str(word) for word in decision.WORDS.values()] == ["CONTINUE", "WAIT", "HOLD", "ROLL BACK", "NO DATA"]
    assert set(decision.SIGNS) == set(get_args(Decision)) and len(set(decision.SIGNS.values())) == 5


HEADLINES: dict[ReasonCode, str] = {
    "unavailable": "NO DATA · no data for this window",
    "stale": "NO DATA · data is stale",
    "unread": "NO DATA · error rate could not be read",
    "outage": "ROLL BACK · the canary did not respond",
    "gate_regression": "ROLL BACK · error rate regressed",
    "fleet_gone": "HOLD · a fleet stopped reporting",
    "regression": "HOLD · p95 regressed",
    "route_regression": "HOLD · 1 route regressed",
    "incident": "HOLD · 1 incident",
    "alarm": "HOLD · 1 alarm",
    "alert": "HOLD · 1 alert firing",
    "sample_ratio": "HOLD · split mismatch",
    "inconclusive": "HOLD · error rate inconclusive when rolled back",
    "source_down": "WAIT · CloudWatch unavailable",
    "routes_unreadable": "WAIT · access logs unreadable",
    "routes_pending": "WAIT · routes not judged yet",
    "undecided": "WAIT · ~25 min",
}
REASONS: dict[ReasonCode, DecisionReason] = {
    "unavailable": DecisionReason("unavailable"),
    "stale": DecisionReason("stale"),
    "unread": DecisionReason("unread", "error_rate"),
    "outage": DecisionReason("outage", INCIDENT.id),
    "gate_regression": DecisionReason("gate_regression", "error_rate"),
    "fleet_gone": DecisionReason("fleet_gone", "canary"),
    "regression": DecisionReason("regression", "latency_p95"),
    "route_regression": DecisionReason("route_regression", "/v1/feed"),
    "incident": DecisionReason("incident", INCIDENT.id),
    "alarm": DecisionReason("alarm", "error_rate:canary"),
    "alert": DecisionReason("alert", "p95 above 1 s"),
    "sample_ratio": DecisionReason("sample_ratio"),
    "inconclusive": DecisionReason("inconclusive", "error_rate"),
    "source_down": DecisionReason("source_down", "cloudwatch"),
    "routes_unreadable": DecisionReason("routes_unreadable"),
    "routes_pending": DecisionReason("routes_pending"),
    "undecided": DecisionReason("undecided", "error_rate", 25),
}


@pytest.mark.parametrize("code", get_args(ReasonCode))
def test_headlines(code: ReasonCode) -> None:
    assert headline(REASONS[code], outcome="rolled_back") == HEADLINES[code]


def test_a_headline_of_several_reasons_counts_or_names_the_weightiest() -> None:
    routes = [DecisionReason("route_regression", route) for route in ("/a", "/b")]
    assert headline(*routes, REASONS["undecided"]) == "HOLD · 2 routes regressed"
    both = [DecisionReason("gate_regression", metric) for metric in ("error_rate", "latency_p95")]
    assert headline(*both, *routes) == "ROLL BACK · error rate, p95 regressed"
    assert headline(DecisionReason("undecided", "error_rate"), REASONS["undecided"]) == "WAIT · inconclusive so far"
    equal = Judgement("parity", (CriterionVerdict(ERRORS, "parity", "inside_margin"),))
    assert decision.headline(ReasonedDecision(), equal) == "CONTINUE · parity"


DESCRIBED = (
    "10 Nov 15:19–15:34 JST, failed: ECS 38.9% (42,050 of 108,000), EC2 0.25% (130 of 52,000); 1,200 of them "
    "reached no target of ECS"
)
SENTENCES: dict[ReasonCode, str] = {
    "unavailable": "No data for this window. See Data sources.",
    "stale": "Data is stale: no statement about now. See Data sources.",
    "unread": "error rate: latest counts unavailable. See Data sources on Live.",
    "outage": f"Incident {DESCRIBED}, over. Roll back.",
    "gate_regression": "error rate regressed: –, margin ±0.05 pp. CI crosses the margin.",
    "fleet_gone": "ECS has no requests in recent minutes; weights unchanged. Check its targets.",
    "regression": "p95 regressed: +110 … +140 ms, margin ±10%. CI outside the margin.",
    "route_regression": "Route /v1/feed regressed. See Endpoints.",
    "incident": f"Incident {DESCRIBED}, over. Add a note to acknowledge it.",
    "alarm": "Alarm: ECS error rate. See Live.",
    "alert": "Alert firing: p95 above 1 s.",
    "sample_ratio": "Split mismatch: observed traffic differs from the weights. See Live.",
    "inconclusive": "error rate inconclusive when the phase ended: CI crosses the margin.",
    "source_down": "CloudWatch is unavailable; retrying. See Data sources on Live.",
    "routes_unreadable": "Access logs could not be read: routes not judged. See Endpoints.",
    "routes_pending": "Routes not judged yet.",
    "undecided": "error rate: CI crosses the margin. (~25 min)",
}


@pytest.mark.parametrize("code", get_args(ReasonCode))
def test_every_reason_is_a_sentence(code: ReasonCode) -> None:
    assert sentence(REASONS[code]) == SENTENCES[code]


def test_an_open_incident_waits_for_its_end() -> None:
    judgement = replace(JUDGEMENT, incidents=(replace(SLOW, open=True),))
    reason = DecisionReason("incident", SLOW.id)
    assert sentence(reason, judgement) == (
        "Incident 10 Nov 15:19–15:34 JST, p95: ECS 840 ms, EC2 210 ms, open. Do not continue while it lasts."
    )


def test_an_incident_at_the_end_of_a_phase_of_the_past_is_not_open() -> None:
    judgement = replace(JUDGEMENT, incidents=(replace(INCIDENT, open=True),))
    for reason in (REASONS["outage"], REASONS["incident"]):
        assert sentence(reason, judgement, "rolled_back") == f"Incident {DESCRIBED}, open at the end of the phase."
    assert sentence(REASONS["fleet_gone"], outcome="rolled_back") == (
        "ECS had no requests in the last minutes of the phase; weights unchanged."
    )


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("advanced", "p95 inconclusive when advanced"),
        ("rolled_back", "p95 inconclusive when rolled back"),
        ("deployed", "p95 inconclusive at the deployment"),
        (None, "p95 inconclusive when the phase ended"),
    ],
)
def test_an_inconclusive_phase_says_how_it_ended(outcome: PhaseOutcome | None, expected: str) -> None:
    assert decision.inconclusive(outcome, "p95") == expected


def test_incidents() -> None:
    both = replace(INCIDENT, fleets=("baseline", "canary"), uncounted=0)
    assert incidents.cost(both, LABELS) == "failed: EC2 0.25% (130 of 52,000), ECS 38.9% (42,050 of 108,000)"
    assert (incidents.fleets(both, LABELS), incidents.fleets(INCIDENT, LABELS)) == ("both fleets", "ECS")
    assert (incidents.excess(INCIDENT), incidents.excess(both), incidents.excess(SLOW)) == ("41,780", "42,180", "–")
    note = acknowledging_note(INCIDENT.id)
    now = datetime.fromtimestamp(note.ts, UTC)
    assert incidents.acknowledged_by(note, ZONE, now=now) == "A broken release · by Mika · 20:06 JST"
    assert incidents.acknowledged_by(None, ZONE, now=now) == ""
