"""The decision: each rule alone, their order, and the same rules at a minute of the past."""

from dataclasses import replace
from typing import Any, get_args

import pytest

from analysis import Alarm, AlarmValue, CriterionVerdict, Judgement, Verdict, VerdictReason
from analysis.parity.incidents import Incident
from analysis.parity.verdicts import overall_verdict
from domain import Criterion, Event, FleetName, Margin, Window
from domain.decision import DECISION_BY_REASON, EXIT_CODES, Decision, DecisionReason, ReasonCode, ReasonedDecision
from services.decision import Circumstances, decide, decide_minute
from services.incidents import acknowledgements, parse_incident_id
from tests.factories.notes import acknowledging_note

ERRORS = Criterion(metric="error_rate", margin=Margin(value=0.05, unit="pp"), critical=True)
P50 = Criterion(metric="latency_p50", margin=Margin(value=10, unit="%"))
WATCHED = Criterion(metric="latency_p99", margin=Margin(value=10, unit="%"), watch_only=True)
START = 1_795_000_020
OUTAGE = Incident(
    "errors",
    Window(START, START + 300),
    ("canary",),
    {"baseline": 3000, "canary": 3000},
    {"baseline": 3, "canary": 2900},
)
BOTH = replace(OUTAGE, fleets=("baseline", "canary"), errors={"baseline": 2800, "canary": 2900})
BASELINE = replace(OUTAGE, fleets=("baseline",), errors={"baseline": 2800, "canary": 2})
SLOW = replace(OUTAGE, kind="slow", requests=None, errors=None, p95_s={"baseline": 0.2, "canary": 2.0})
ALARM = Alarm("error_rate", "canary", START, START, None, dict.fromkeys(("baseline", "canary"), AlarmValue(0.1, 1, 10)))
ALERT = Event(START, None, "alert", "p95 above 1 s", "", "", "", "mackerel_events", "1", open=True)


def result(
    criterion: Criterion, verdict: Verdict, reason: VerdictReason = "inside_margin", **more: Any
) -> CriterionVerdict:
    return CriterionVerdict(criterion, verdict, reason, **more)


def judgement(*results: CriterionVerdict, incidents: tuple[Incident, ...] = ()) -> Judgement:
    return Judgement(overall_verdict(results), results, incidents=incidents)


def codes(decided: ReasonedDecision) -> list[tuple[ReasonCode, str]]:
    return [(reason.code, reason.subject) for reason in decided.reasons]


EQUAL = judgement(result(ERRORS, "parity"), result(P50, "parity"), result(WATCHED, "parity"))


@pytest.mark.parametrize(
    ("errors", "p50", "watched", "decision", "reasons"),
    [
        ("parity", "parity", "regression", "continue", []),
        ("improvement", "parity", "parity", "continue", []),
        ("parity", "undecided", "parity", "continue", []),
        ("parity", "not enough data", "parity", "continue", []),
        ("parity", "regression", "parity", "hold", [("regression", "latency_p50")]),
        ("undecided", "parity", "parity", "wait", [("undecided", "error_rate")]),
        ("not enough data", "parity", "regression", "wait", [("undecided", "error_rate")]),
        (
            "undecided",
            "regression",
            "parity",
            "hold",
            [("regression", "latency_p50"), ("undecided", "error_rate")],
        ),
        (
            "regression",
            "regression",
            "parity",
            "roll_back",
            [("gate_regression", "error_rate"), ("regression", "latency_p50")],
        ),
    ],
)
def test_verdicts(
    errors: Verdict, p50: Verdict, watched: Verdict, decision: Decision, reasons: list[tuple[ReasonCode, str]]
) -> None:
    verdicts = [(ERRORS, errors), (P50, p50), (WATCHED, watched)]
    decided = decide(judgement(*(result(criterion, verdict) for criterion, verdict in verdicts)))
    assert (decided.decision, codes(decided)) == (decision, reasons)
    assert codes(decide_minute(verdicts, ())) == reasons


def test_without_a_critical_criterion_each_one_decides() -> None:
    decided = decide(judgement(result(P50, "regression"), result(WATCHED, "regression")))
    assert (decided.decision, codes(decided)) == ("roll_back", [("gate_regression", "latency_p50")])


@pytest.mark.parametrize(
    ("incident", "decision"),
    [
        (OUTAGE, "hold"),
        (replace(OUTAGE, open=True), "roll_back"),
        (replace(OUTAGE, open=True, errors={"baseline": 3, "canary": 900}), "hold"),  # not most of its requests
        (SLOW, "hold"),
        (BOTH, "continue"),
        (replace(BOTH, open=True), "hold"),
        (BASELINE, "continue"),
        (replace(BASELINE, open=True), "hold"),
        (replace(SLOW, fleets=("baseline",)), "continue"),
    ],
)
def test_incidents(incident: Incident, decision: Decision) -> None:
    equal = replace(EQUAL, incidents=(incident,))
    assert decide(equal).decision == decision
    verdicts = [(criterion.criterion, criterion.verdict) for criterion in EQUAL.criteria]
    assert decide_minute(verdicts, (incident,)).decision == decision


@pytest.mark.parametrize(
    ("incident", "decision"),
    [(OUTAGE, "continue"), (replace(OUTAGE, open=True), "roll_back"), (replace(SLOW, open=True), "hold")],
)
def test_a_note_on_an_incident_that_is_over_lifts_the_hold(incident: Incident, decision: Decision) -> None:
    decided = decide(replace(EQUAL, incidents=(incident,)), Circumstances(notes=(acknowledging_note(incident.id),)))
    assert decided.decision == decision


@pytest.mark.parametrize(
    ("circumstances", "decision", "reasons"),
    [
        ({"no_data": "unavailable"}, "no_data", [("unavailable", "")]),
        ({"no_data": "stale", "alerts": (ALERT,)}, "no_data", [("stale", ""), ("alert", "p95 above 1 s")]),
        ({"regressed_routes": ("/v1/feed",)}, "hold", [("route_regression", "/v1/feed")]),
        ({"regressed_routes": ()}, "continue", []),
        ({"routes": "pending"}, "wait", [("routes_pending", "")]),
        ({"routes": "unreadable"}, "wait", [("routes_unreadable", "")]),
        ({"alarms": (ALARM,)}, "hold", [("alarm", "error_rate:canary")]),
        ({"alerts": (ALERT,)}, "hold", [("alert", "p95 above 1 s")]),
        ({"sample_ratio_differs": True}, "hold", [("sample_ratio", "")]),
        ({"sources_down": ("cloudwatch",)}, "wait", [("source_down", "cloudwatch")]),
    ],
)
def test_circumstances(
    circumstances: dict[str, Any], decision: Decision, reasons: list[tuple[ReasonCode, str]]
) -> None:
    decided = decide(EQUAL, Circumstances(**circumstances))
    assert (decided.decision, codes(decided)) == (decision, reasons)


@pytest.mark.parametrize(
    ("reason", "gone", "decision", "code"),
    [
        ("unread", (), "no_data", "unread"),
        ("unknown", (), "no_data", "unread"),
        ("one_side_gone", ("canary",), "hold", "fleet_gone"),
        ("one_side_empty", (), "wait", "undecided"),
    ],
)
def test_missing_data(reason: VerdictReason, gone: tuple[FleetName, ...], decision: Decision, code: ReasonCode) -> None:
    decided = decide(judgement(result(ERRORS, "not enough data", reason, gone=gone)))
    assert (decided.decision, decided.reasons[0].code) == (decision, code)


def test_a_wait_has_its_forecast() -> None:
    decided = decide(judgement(result(ERRORS, "undecided", minutes_to_decision=25)))
    assert decided.reasons == (DecisionReason("undecided", "error_rate", 25),)


def test_a_phase_of_the_past_waits_for_nothing_and_what_is_open_now_is_not_its_own() -> None:
    undecided = judgement(result(ERRORS, "undecided"))
    now = Circumstances(alarms=(ALARM,), alerts=(ALERT,), sample_ratio_differs=True, sources_down=("cloudwatch",))
    assert codes(decide(undecided, now, is_over=True)) == [("inconclusive", "error_rate")]
    assert decide(undecided, now, is_over=True).decision == "hold"
    assert decide(replace(EQUAL, incidents=(OUTAGE,)), now, is_over=True).decision == "hold"
    assert decide(EQUAL, now, is_over=True).decision == "continue"


def test_the_weightiest_reason_decides_whatever_the_order() -> None:
    every = tuple(DecisionReason(code) for code in reversed(DECISION_BY_REASON))
    assert [reason.code for reason in ReasonedDecision(every).reasons] == list(get_args(ReasonCode))
    order: list[Decision] = ["no_data", "roll_back", "hold", "wait"]
    assert list(dict.fromkeys(DECISION_BY_REASON.values())) == order


def test_every_decision_has_its_exit_code() -> None:
    assert EXIT_CODES == {"continue": 0, "roll_back": 1, "hold": 2, "wait": 2, "no_data": 3}
    assert set(EXIT_CODES) == set(get_args(Decision))
    assert ReasonedDecision().exit_code == 0


@pytest.mark.parametrize("incident", [OUTAGE, SLOW])
def test_the_id_of_an_incident_is_its_kind_and_start(incident: Incident) -> None:
    assert parse_incident_id(incident.id) == (incident.kind, START // 60 * 60)


@pytest.mark.parametrize("text", ["", "now", "2026-11-10", "2026-11-10T15:19", "2026-11-10T15:19Z-fast"])
def test_an_invalid_id(text: str) -> None:
    with pytest.raises(ValueError, match=r"time data|unconverted"):
        parse_incident_id(text)


@pytest.mark.parametrize(
    ("shift_s", "kind", "found"),
    [(0, "", True), (-300, "", True), (600, "", True), (-360, "", False), (660, "", False), (0, "-slow", False)],
)
def test_a_note_is_of_the_incident_that_was_around_its_time(shift_s: int, kind: str, found: bool) -> None:
    incident = replace(OUTAGE, window=Window(START // 60 * 60, START // 60 * 60 + 300))
    named = replace(incident, window=Window(incident.window.start + shift_s, incident.window.end + shift_s)).id
    note = acknowledging_note(named + kind)
    assert acknowledgements([incident], [note]) == ({incident.id: note} if found else {})
