"""Incidents: what is one, whose it is, and what it does to the verdicts."""

import numpy as np
import pandas as pd
import pytest

from analysis.parity.context import JudgeContext
from analysis.parity.incidents import Incident
from analysis.parity.samples import prepare_grid
from analysis.series.grid import FloatArray
from domain import Criterion, FleetName, Window
from tests.factories.frames import START, tidy_frame
from tests.factories.judgement import judge, trace

ERRORS = Criterion.model_validate({"metric": "error_rate", "margin": "0.05pp", "critical": True})
P95 = Criterion.model_validate({"metric": "latency_p95", "margin": "10%"})
HALF = JudgeContext(configured=((START - 3600, 0.5),))
MINUTES = 120


def at(minute: int) -> int:
    return START + minute * 60


def errors(rate: float = 1.0, seed: int = 1) -> FloatArray:
    return np.random.default_rng(seed).poisson(rate, MINUTES).astype(float)


def frame(
    baseline: FloatArray, canary: FloatArray, requests_c: list[float | None] | None = None, **more: list[float]
) -> pd.DataFrame:
    """600 requests a minute and fleet, if not `requests_c`; `more`: counts of the load balancer."""
    n_c = requests_c or [600.0] * len(canary)
    rows: dict[tuple[str, str, str, str], list[float | None]] = {
        ("baseline", "ec2", "requests", "sum"): [600.0] * len(baseline),
        ("baseline", "ec2", "target_5xx", "sum"): list(baseline),
        ("canary", "ecs", "requests", "sum"): n_c,
        ("canary", "ecs", "target_5xx", "sum"): [None if n is None else k for n, k in zip(n_c, canary, strict=True)],
    }
    rows |= {("load_balancer", "", name, "sum"): list(values) for name, values in more.items()}
    return tidy_frame(rows)


def with_burst(counts: FloatArray, burst: float, start: int, minutes: int = 1) -> FloatArray:
    result = counts.copy()
    result[start : start + minutes] = burst
    return result


def incidents_by_period(data: pd.DataFrame, context: JudgeContext) -> list[tuple[Incident, ...]]:
    return list(prepare_grid(data, [ERRORS], context=context).incidents_by_period())


def the_incident(data: pd.DataFrame, context: JudgeContext = HALF) -> Incident:
    (incident,) = judge(data, [ERRORS], context=context).incidents
    return incident


def test_one_burst_is_one_incident_and_no_verdict() -> None:
    data = frame(errors(0.1), with_burst(errors(0.1, 2), 300, 60))
    incident = the_incident(data)
    assert (incident.kind, incident.window, incident.own, incident.open) == (
        "errors",
        Window(at(60), at(61)),
        "canary",
        False,
    )
    assert (
        incident.errors is not None
        and incident.errors["canary"] == 300
        and incident.requests == {"baseline": 600, "canary": 600}
    )
    assert incident.excess == 300 - incident.errors["baseline"] and incident.failed_share("canary") == 0.5
    assert incident.id == f"{pd.Timestamp(at(60), unit='s'):%Y-%m-%dT%H:%MZ}"
    assert not {"regression", "improvement"} & set(trace(data, [ERRORS], context=HALF)["verdict"])
    assert judge(data, [ERRORS], context=HALF).criteria[0].excluded["incident"] == 1  # type: ignore[index]


def test_an_outage_of_few_requests_is_known_late_and_is_from_its_beginning() -> None:
    n_c, small = [3.0] * MINUTES, JudgeContext(configured=((START, 0.005),))
    data = frame(errors(0.1), with_burst(np.zeros(MINUTES), 3, 60, 6), n_c)
    incident = the_incident(data, small)
    assert (incident.window, incident.own, incident.errors) == (
        Window(at(60), at(66)),
        "canary",
        {"baseline": 1, "canary": 18},
    )
    known = [[item.window for item in after] for after in incidents_by_period(data, small)]
    assert known[62] == [] and known[63] == [Window(at(60), at(64))]
    assert judge(data, [ERRORS], context=small).criteria[0].canary_events == 9, "those before it was known"


@pytest.mark.parametrize(("burst", "expected"), [(9, 0), (24, 0), (40, 1)])
def test_a_burst_needs_ten_errors_and_25_times_the_usual_rate(burst: float, expected: int) -> None:
    data = frame(errors(), with_burst(errors(1.0, 2), burst, 60))
    assert len(judge(data, [ERRORS], context=HALF).incidents) == expected


def test_where_errors_are_not_rare_a_fifth_of_the_requests_more_is_enough() -> None:
    usual = errors(12.0)
    assert the_incident(frame(usual, with_burst(errors(12.0, 2), 200, 60))).own == "canary"
    assert not judge(frame(usual, with_burst(errors(12.0, 2), 120, 60)), [ERRORS]).incidents


def test_a_burst_far_within_the_margin_is_none() -> None:
    """30 of 600 are 5%, 25 times the usual 0.2%, and not two margins of 3 percentage points."""
    wide = ERRORS.model_copy(update={"margin": ERRORS.margin.model_copy(update={"value": 3.0})})
    data = frame(errors(), with_burst(errors(1.0, 2), 30, 60))
    assert judge(data, [ERRORS]).incidents and not judge(data, [wide]).incidents


@pytest.mark.parametrize(
    ("rate_b", "fleets"), [(180.0, ("baseline", "canary")), (70.0, ("baseline", "canary")), (40.0, ("canary",))]
)
def test_shared_unless_one_fleet_fails_three_times_as_much(rate_b: float, fleets: tuple[FleetName, ...]) -> None:
    data = frame(with_burst(errors(), rate_b, 60, 5), with_burst(errors(1.0, 2), 200, 60, 5))
    assert the_incident(data).fleets == fleets


def test_gaps_of_five_minutes_do_not_divide_an_incident() -> None:
    near, far = errors(1.0, 2), errors(1.0, 2)
    near[[60, 66]] = far[[60, 67]] = 300.0
    assert the_incident(frame(errors(), near)).window == Window(at(60), at(67))
    assert len(judge(frame(errors(), far), [ERRORS]).incidents) == 2


def test_at_the_start_of_a_phase_the_other_fleet_is_the_reference() -> None:
    assert the_incident(frame(errors(), with_burst(errors(1.0, 2), 300, 0, 3))).window.start == at(0)
    usual = JudgeContext(usual=(100.0, 50_000.0))
    both = frame(with_burst(errors(), 300, 0, 3), with_burst(errors(1.0, 2), 300, 0, 3))
    assert not judge(both, [ERRORS]).incidents
    assert the_incident(both, usual).fleets == ("baseline", "canary")


def test_minutes_that_no_target_received_are_failed_requests_of_the_canary() -> None:
    gone = [None if 60 <= minute < 65 else 600.0 for minute in range(MINUTES)]
    incident = the_incident(frame(errors(), errors(1.0, 2), gone))
    assert (incident.window, incident.own, incident.uncounted) == (Window(at(60), at(65)), "canary", 3000)
    assert "parity" not in set(trace(frame(errors(), errors(1.0, 2), gone), [ERRORS], context=HALF)["verdict"][60:])


def test_a_canary_that_is_down_again_and_again_is_not_at_parity() -> None:
    """Rates are equal, and without the outages the interval is within the margin. Three of every 20 minutes from minute 240 on."""
    counts = [np.random.default_rng(seed).poisson(0.1, 480).astype(float) for seed in (1, 2)]
    gone = [None if minute >= 240 and minute % 20 >= 17 else 600.0 for minute in range(480)]
    verdicts = trace(frame(*counts, gone), [ERRORS], context=HALF)["verdict"].to_numpy()
    assert (verdicts[200:257] == "parity").all() and not (verdicts[257:] == "parity").any()
    (result,) = judge(frame(*counts, gone), [ERRORS], context=HALF).criteria
    assert (result.verdict, result.reason) == ("undecided", "incident")
    assert judge(frame(*counts), [ERRORS], context=HALF).verdict == "parity"


@pytest.mark.parametrize(
    "context",
    [JudgeContext(), JudgeContext(configured=((START, 0.0),)), JudgeContext(configured=((START + 7200, 0.5),))],
    ids=["unknown", "no share", "not yet"],
)
def test_without_a_share_an_absent_canary_failed_nothing(context: JudgeContext) -> None:
    gone = [None if 60 <= minute < 65 else 600.0 for minute in range(MINUTES)]
    assert not judge(frame(errors(), errors(1.0, 2), gone), [ERRORS], context=context).incidents


def test_uncounted_requests_are_bounded_by_the_load_balancers_503() -> None:
    gone = [None if 60 <= minute < 65 else 600.0 for minute in range(MINUTES)]
    none, some = [0.0] * MINUTES, [0.0] * 60 + [40.0] * 5 + [0.0] * 55
    assert not judge(frame(errors(), errors(1.0, 2), gone, alb_503=none), [ERRORS], context=HALF).incidents
    assert the_incident(frame(errors(), errors(1.0, 2), gone, alb_503=some)).uncounted == 200


def test_a_small_canary_is_absent_by_chance() -> None:
    """2 of 600 requests a minute: three minutes without any are not an incident."""
    small = [None if 60 <= minute < 63 else 2.0 for minute in range(MINUTES)]
    context = JudgeContext(configured=((START, 2 / 602),))
    assert not judge(frame(errors(), np.zeros(MINUTES), small), [ERRORS], context=context).incidents


@pytest.mark.parametrize("failure", ["5xx", "no target"])
def test_an_outage_of_a_small_canary_is_one_although_no_minute_has_ten_errors(failure: str) -> None:
    """6 requests a minute: after two or three minutes ten of them failed."""
    failing, counted = range(100, 106), failure == "5xx"
    requests: list[float | None] = [None if minute in failing and not counted else 6.0 for minute in range(MINUTES)]
    canary = np.array([6.0 if minute in failing and counted else 0.0 for minute in range(MINUTES)])
    context = JudgeContext(configured=((START, 6 / 606),))
    incident = the_incident(frame(errors(), canary, requests), context)
    assert (incident.own, incident.window.end, incident.failed_share("canary")) == ("canary", at(106), 1.0)
    assert incident.window.start == at(100 if counted else 101)


def test_single_errors_of_a_small_canary_are_none() -> None:
    canary = np.zeros(MINUTES)
    canary[[40, 41, 60, 80, 81, 82]] = 1.0
    data = frame(errors(), canary, [6.0] * MINUTES)
    assert not judge(data, [ERRORS], context=JudgeContext(configured=((START, 6 / 606),))).incidents


def test_the_canarys_incident_is_judged_after_ten_minutes_that_of_the_baseline_is_not() -> None:
    """30% fail for half an hour."""
    quiet, broken = errors(), with_burst(errors(1.0, 2), 180, 60, 30)
    verdicts = trace(frame(quiet, broken), [ERRORS], context=HALF)["verdict"].to_numpy()
    assert "regression" not in verdicts[:69] and verdicts[75] == "regression"
    assert not {"improvement", "regression"} & set(trace(frame(broken, quiet), [ERRORS], context=HALF)["verdict"])


def test_an_outage_is_open_while_it_lasts() -> None:
    data = frame(errors(), with_burst(errors(1.0, 2), 600, 117, 3))
    incident = the_incident(data)
    assert incident.open and incident.is_outage
    before, *_, latest = incidents_by_period(data, HALF)[116:]
    assert not before and latest == (incident,)
    assert not the_incident(frame(errors(), with_burst(errors(1.0, 2), 600, 100, 3))).is_outage


def test_a_trace_has_the_incidents_as_they_were_known_then() -> None:
    canary = with_burst(with_burst(with_burst(errors(1.0, 2), 600, 60, 5), 300, 67, 2), 200, 110)
    values = 0.1 * np.exp(0.05 * np.random.default_rng(5).normal(size=(2, MINUTES)))
    values[1, 90:95] *= 3
    rows = {
        (fleet, group, "latency", stat): list(counts)
        for fleet, group, p95 in (("baseline", "ec2", values[0]), ("canary", "ecs", values[1]))
        for stat, counts in (("p95", p95), ("sample_count", np.full(MINUTES, 600.0)))
    }
    data = pd.concat([frame(with_burst(errors(), 500, 64, 3), canary), tidy_frame(rows)], ignore_index=True)
    known = incidents_by_period(data, HALF)
    assert [incident.kind for incident in known[-1]] == ["errors", "slow", "errors"]
    for minute in (59, 60, 63, 65, 67, 70, 75, 91, 93, 95, 110, 119):
        then = data[data["ts"] < pd.Timestamp(at(minute + 1), unit="s", tz="UTC")]
        assert known[minute] == judge(then, [ERRORS], context=HALF).incidents, minute


def test_p95_far_above_the_others_is_a_slow_incident() -> None:
    values = 0.1 * np.exp(0.05 * np.random.default_rng(5).normal(size=(2, 200)))
    values[1, 150:155] *= 3
    rows: dict[tuple[str, str, str, str], list[float]] = {}
    for index, (fleet, group) in enumerate((("baseline", "ec2"), ("canary", "ecs"))):
        rows[fleet, group, "requests", "sum"] = rows[fleet, group, "latency", "sample_count"] = [600.0] * 200
        rows[fleet, group, "latency", "p95"] = list(values[index])
    (incident,) = judge(tidy_frame(rows), [P95]).incidents
    assert (incident.kind, incident.own, incident.window) == ("slow", "canary", Window(at(150), at(155)))
    assert incident.p95_s is not None and incident.p95_s["canary"] > 0.25 and incident.excess is None
    assert incident.id.endswith("Z-slow")
