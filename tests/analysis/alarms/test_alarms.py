"""The alarm rules on literal minutes: just below and just above each threshold, over, gone, and not known."""

from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from analysis import Alarm, AlarmData, AlarmState, AlarmValue, SplitShares, find_alarms, time_grid
from domain import FLEETS, FleetName, Series, Window
from tests.factories.frames import START, SeriesValues, tidy_frame, window

Counts = Sequence[float | None]
EVEN = SplitShares({"baseline": 0.5, "canary": 0.5}, START)


def fleet(name: FleetName, requests: Counts, errors: Counts = (), answers: Counts | None = None) -> SeriesValues:
    """A fleet's minutes. `answers`: 2xx; by default all requests without `errors`."""
    errors = errors or [0] * len(requests)
    if answers is None:
        answers = [None if n is None else n - (k or 0) for n, k in zip(requests, errors, strict=True)]
    counts = {"requests": requests, "target_5xx": errors, "target_2xx": answers}
    return {(name, name, metric, "sum"): values for metric, values in counts.items()}


def alb_5xx(counts: Counts) -> SeriesValues:
    return {("load_balancer", "", "alb_5xx", "sum"): counts}


def p95(name: FleetName, seconds: Counts, answers: Counts) -> SeriesValues:
    return {(name, name, "latency", "p95"): seconds, (name, name, "latency", "sample_count"): answers}


def evaluate(
    *rows: SeriesValues, split: SplitShares | None = EVEN, unknown: dict[tuple[str, str], Window] | None = None
) -> AlarmState:
    """`unknown`: by fleet and metric, the window in which its counts are unknown."""
    merged = {key: values for part in rows for key, values in part.items()}
    minutes = max(map(len, merged.values()))
    series = {
        Series("test", name, "" if name == "load_balancer" else name, metric, "sum", ""): (part,)
        for (name, metric), part in (unknown or {}).items()
    }
    grid = time_grid(tidy_frame(merged), window(minutes), series, period_s=60)
    requests = {name: [part] for (name, metric), part in (unknown or {}).items() if metric == "requests"}
    return find_alarms(AlarmData(grid, split, requests))  # type: ignore[arg-type]


def summary(state: AlarmState) -> list[tuple[str, str, int, int | None]]:
    """Rule, fleet, first minute, and the minute of the end."""
    return [(a.rule, a.fleet, _minute(a.start), a.until and _minute(a.until)) for a in state.alarms]


def _minute(ts: int) -> int:
    return (ts - START) // 60


# ---- error rate: ≥ 10 × and ≥ 5 pp above the other fleet's, for two minutes, with ten failures


@pytest.mark.parametrize(
    ("canary_errors", "baseline_errors", "alarms"),
    [
        (50, 0, 1),  # exactly 5 pp above
        (49, 0, 0),
        (60, 6, 1),  # exactly 10 ×
        (60, 7, 0),
        (56, 6, 0),  # 5.0 pp above, but 9.3 ×
    ],
)
def test_error_rate_thresholds(canary_errors: int, baseline_errors: int, alarms: int):
    state = evaluate(
        fleet("baseline", [1000] * 5, [0, 0, baseline_errors, baseline_errors, 0]),
        fleet("canary", [1000] * 5, [0, 0, canary_errors, canary_errors, 0]),
    )
    assert summary(state) == [("error_rate", "canary", 2, None)] * alarms
    assert state.checked_until == START + 300 and state.not_known == ()


def test_error_rate_needs_two_minutes_and_leaves_out_the_newest():
    baseline = fleet("baseline", [1000] * 5)
    assert summary(evaluate(baseline, fleet("canary", [1000] * 5, [0, 0, 300, 0, 0]))) == []
    assert summary(evaluate(baseline, fleet("canary", [1000] * 5, [0, 0, 0, 300, 300]))) == []
    (alarm,) = evaluate(baseline, fleet("canary", [1000] * 5, [0, 0, 300, 300, 300])).alarms
    assert alarm == Alarm(
        "error_rate",
        "canary",
        start=START + 120,
        raised_at=START + 300,  # three minutes of data
        until=None,
        values={"baseline": AlarmValue(0.0, 0, 2000), "canary": AlarmValue(0.3, 600, 2000)},
    )


@pytest.mark.parametrize(("second", "alarms"), [(4, 0), (5, 1)])
def test_error_rate_needs_ten_failures(second: int, alarms: int):
    canary = fleet("canary", [5] * 4, [0, 5, second, 0])
    assert len(evaluate(fleet("baseline", [1000] * 4), canary).alarms) == alarms


def test_failures_of_a_long_stretch_add_up():
    canary = fleet("canary", [2] * 8, [0, 2, 2, 2, 2, 2, 2, 0])
    (alarm,) = evaluate(fleet("baseline", [1000] * 8), canary).alarms
    assert (_minute(alarm.start), _minute(alarm.raised_at), alarm.open) == (1, 7, True)


def test_it_is_gone_when_it_is_over():
    canary = fleet("canary", [1000] * 7, [0, 300, 300, 300, 0, 0, 0])
    state = evaluate(fleet("baseline", [1000] * 7), canary)
    assert summary(state) == [("error_rate", "canary", 1, 4)]
    assert not state.alarms[0].open


def test_two_outages_are_two_alarms():
    canary = fleet("canary", [1000] * 9, [0, 300, 300, 0, 0, 300, 300, 300, 0])
    state = evaluate(fleet("baseline", [1000] * 9), canary)
    assert summary(state) == [("error_rate", "canary", 1, 3), ("error_rate", "canary", 5, None)]


def test_a_broken_baseline_raises_it_too():
    state = evaluate(fleet("baseline", [1000] * 5, [0, 0, 300, 300, 300]), fleet("canary", [1000] * 5))
    assert summary(state) == [("error_rate", "baseline", 2, None)]


def test_a_shared_outage_is_no_alarm():
    errors = [0, 0, 900, 900, 900]
    assert evaluate(fleet("baseline", [1000] * 5, errors), fleet("canary", [1000] * 5, errors)).alarms == ()


def test_unread_error_counts_are_neither_an_alarm_nor_none():
    baseline = fleet("baseline", [1000] * 5)
    canary = fleet("canary", [1000] * 5)
    canary[("canary", "canary", "target_5xx", "sum")] = [None] * 5  # type: ignore[index]
    canary[("canary", "canary", "target_2xx", "sum")] = [1000, 1000, 800, 800, 800]  # type: ignore[index]
    state = evaluate(baseline, canary, unknown={("canary", "target_5xx"): window(5)})
    assert state.alarms == ()
    assert ("error_rate", "canary") in state.not_known
    assert ("no_requests", "canary") not in state.not_known


def test_unknown_minutes_end_no_alarm_and_begin_none():
    baseline = fleet("baseline", [1000] * 8)
    rows = fleet("canary", [1000, 1000, 1000, None, None, 1000, 1000, 1000], [0, 300, 300, None, None, 300, 300, 300])
    gap = Window(START + 180, START + 300)
    unread = {("canary", name): gap for name in ("requests", "target_5xx", "target_2xx")}
    assert summary(evaluate(baseline, rows, unknown=unread)) == [("error_rate", "canary", 1, None)]
    tail = Window(START + 180, START + 480)
    unread = {("canary", name): tail for name in ("requests", "target_5xx", "target_2xx")}
    rows = fleet("canary", [1000, 1000, 1000, *[None] * 5], [0, 300, 300, *[None] * 5])
    state = evaluate(baseline, rows, unknown=unread)
    assert summary(state) == [("error_rate", "canary", 1, 3)]
    assert {rule for rule, name in state.not_known if name == "canary"} >= {"error_rate", "no_response", "no_requests"}


def test_without_any_data_nothing_is_known():
    assert evaluate({("canary", "canary", "requests", "sum"): [None]}) == AlarmState((), None, ())


# ---- no response


def test_unanswered_requests_that_the_load_balancer_answered_with_5xx():
    canary = fleet("canary", [1000] * 5, answers=[1000, 1000, 700, 700, 700])
    baseline = fleet("baseline", [1000] * 5)
    state = evaluate(baseline, canary, alb_5xx([None, None, 300, 300, 300]))
    assert summary(state) == [("error_rate", "canary", 2, None)]
    assert state.alarms[0].values["canary"] == AlarmValue(0.3, 600, 2000)
    assert evaluate(baseline, canary, alb_5xx([None, None, 49, 49, 49])).alarms == ()


def test_web_sockets_and_clients_that_went_away_are_no_alarm():
    canary = fleet("canary", [1000] * 5, answers=[700] * 5)
    assert evaluate(fleet("baseline", [1000] * 5), canary, alb_5xx([None] * 5)).alarms == ()


def test_errors_of_other_services_of_the_load_balancer_explain_nothing():
    canary = fleet("canary", [1000] * 5, answers=[700] * 5)
    assert evaluate(fleet("baseline", [1000] * 5), canary, alb_5xx([5000] * 5)).alarms == ()


def test_connection_errors_show_that_unanswered_requests_failed():
    canary = fleet("canary", [1000] * 5, answers=[1000, 1000, 700, 700, 700])
    canary = {**canary, ("canary", "canary", "connection_errors", "sum"): [None, None, 300, 300, 300]}
    assert summary(evaluate(fleet("baseline", [1000] * 5), canary)) == [("error_rate", "canary", 2, None)]


@pytest.mark.parametrize(("answered", "alarms"), [(499, 1), (500, 0)])
def test_less_than_half_answered_is_a_failure_by_itself(answered: int, alarms: int):
    canary = fleet("canary", [1000] * 5, answers=[1000, 1000, *[answered] * 3])
    assert len(evaluate(fleet("baseline", [1000] * 5), canary).alarms) == alarms


def test_answers_that_arrive_later_than_requests_are_no_alarm():
    late = [1000, 1000, 1000, 300, None]
    baseline, canary = (fleet(name, [1000] * 5, [0, 0, 0, 0, None], answers=late) for name in FLEETS)
    assert evaluate(baseline, canary).alarms == ()
    other = fleet("baseline", [1000] * 5)
    assert evaluate(other, canary).alarms == ()  # one late minute beside the newest


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=2, max_size=2),
    st.integers(0, 1000),
)
def test_late_counts_of_the_newest_two_minutes_never_alarm(late: list[tuple[int, int]], newest_5xx: int):
    """The newest minutes of healthy fleets, whose answers have arrived in any part and any order."""
    rows = [
        fleet(name, [1000] * 5, answers=[1000, 1000, 1000, *(of_minute[index] for of_minute in late)])
        for index, name in enumerate(FLEETS)
    ]
    assert evaluate(*rows, alb_5xx([None, None, None, newest_5xx, newest_5xx])).alarms == ()


def test_no_response_is_an_alarm_of_its_own_beside_a_high_error_rate():
    baseline = fleet("baseline", [1000] * 5, [100] * 5)
    canary = fleet("canary", [1000] * 5, [100] * 5, answers=[900, 900, 750, 750, 750])
    state = evaluate(baseline, canary, alb_5xx([None, None, 150, 150, 150]))
    assert summary(state) == [("no_response", "canary", 2, None)]


def test_unread_errors_of_the_load_balancer_leave_it_open():
    canary = fleet("canary", [1000] * 5, answers=[1000, 1000, 700, 700, 700])
    rows = (fleet("baseline", [1000] * 5), canary, alb_5xx([None] * 5))
    state = evaluate(*rows, unknown={("load_balancer", "alb_5xx"): window(5)})
    assert state.alarms == () and ("error_rate", "canary") in state.not_known


# ---- a share and no requests


def test_a_fleet_with_a_share_and_no_requests():
    state = evaluate(fleet("baseline", [100] * 5), fleet("canary", [100, 100, None, None, None]))
    (alarm,) = state.alarms
    assert (alarm.rule, alarm.fleet, alarm.start, alarm.raised_at) == (
        "no_requests", "canary", START + 120, START + 300,
    )  # fmt: skip
    assert alarm.values == {"baseline": AlarmValue(None, 200, 200), "canary": AlarmValue(None, 0, 200)}
    state = evaluate(fleet("baseline", [100, 100, None, None, None]), fleet("canary", [100] * 5))
    assert summary(state) == [("no_requests", "baseline", 2, None)]


@pytest.mark.parametrize(("per_minute", "raised"), [(7, 6), (8, 5)])
def test_no_requests_needs_fifteen_expected_ones(per_minute: int, raised: int):
    (alarm,) = evaluate(fleet("baseline", [per_minute] * 7), fleet("canary", [8, 8, *[None] * 5])).alarms
    assert _minute(alarm.raised_at) == raised


def test_no_requests_of_a_small_share():
    one_per_cent = SplitShares({"baseline": 0.99, "canary": 0.01}, START)
    rows = fleet("baseline", [99] * 20), fleet("canary", [1, *[None] * 19])
    (alarm,) = evaluate(*rows, split=one_per_cent).alarms
    assert _minute(alarm.raised_at) == 17  # 15 requests are expected in 15 minutes


def test_a_fleet_without_a_share_needs_no_requests():
    rows = fleet("baseline", [100] * 5), fleet("canary", [100, 100, None, None, None])
    assert evaluate(*rows, split=SplitShares({"baseline": 1.0, "canary": 0.0}, START)).alarms == ()


def test_minutes_of_a_weight_change_do_not_count():
    rows = fleet("baseline", [100] * 6), fleet("canary", [None] * 6)
    assert summary(evaluate(*rows, split=SplitShares(EVEN.shares, START + 180))) == [("no_requests", "canary", 3, None)]
    assert evaluate(*rows, split=SplitShares(EVEN.shares, START + 240)).alarms == ()


def test_no_requests_is_not_known_without_weights_or_counts():
    rows = fleet("baseline", [100] * 5), fleet("canary", [100, 100, None, None, None])
    assert ("no_requests", "canary") in evaluate(*rows, split=None).not_known
    state = evaluate(*rows, unknown={("canary", "requests"): Window(START + 120, START + 300)})
    assert state.alarms == () and ("no_requests", "canary") in state.not_known


def test_sticky_sessions_count_by_the_observed_quotient():
    sticky = SplitShares(EVEN.shares, START, only_split=False)
    baseline = fleet("baseline", [1000] * 30)
    assert evaluate(baseline, fleet("canary", [None] * 30), split=sticky).alarms == ()  # perhaps no new visitors
    rows = baseline, fleet("canary", [*[10] * 10, *[None] * 20])
    (alarm,) = evaluate(*rows, split=sticky).alarms
    assert (_minute(alarm.start), _minute(alarm.raised_at)) == (10, 16)  # 100 of 30,000: 3.3 a minute
    state = evaluate(baseline, fleet("canary", [None] * 30), alb_5xx([500] * 30), split=sticky)
    assert summary(state) == [("no_requests", "canary", 0, None)]  # 503s show that it has visitors


def test_a_fleet_with_all_of_the_weight_is_known_by_the_errors_of_the_load_balancer():
    everything = SplitShares({"baseline": 0.0, "canary": 1.0}, START)
    canary = fleet("canary", [1000, 1000, *[None] * 4])
    state = evaluate(canary, alb_5xx([None, None, 900, 900, 900, 900]), split=everything)
    assert summary(state) == [("no_requests", "canary", 2, None)]
    assert evaluate(canary, alb_5xx([50] * 6), split=everything).alarms == ()  # of another service


# ---- p95


def latencies(canary: Counts, *, baseline: float = 0.2, answers: float = 200, history: int = 60) -> SeriesValues:
    n = len(canary)
    return {
        **p95("baseline", [baseline] * (history + n), [answers] * (history + n)),
        **p95("canary", [*[0.2] * history, *canary], [answers] * (history + n)),
        **fleet("baseline", [answers] * (history + n)),
        **fleet("canary", [answers] * (history + n)),
    }


@pytest.mark.parametrize(
    ("canary", "alarms"),
    [
        ([0.4, 0.4, 0.4], 1),
        ([0.4, 0.4, 0.399], 0),
        ([0.2, 0.4, 0.4], 0),
        ([0.1, 0.1, 0.1], 1),  # then the baseline's is twice the canary's
    ],
)
def test_p95_twice_the_other_for_three_minutes(canary: list[float], alarms: int):
    assert len(evaluate(latencies(canary)).alarms) == alarms


def test_p95_names_the_newest_minute():
    (alarm,) = evaluate(latencies([0.5, 0.6, 0.7])).alarms
    assert (alarm.rule, alarm.fleet, alarm.open) == ("latency_p95", "canary", True)
    assert alarm.values == {"baseline": AlarmValue(0.2, None, 200), "canary": AlarmValue(0.7, None, 200)}
    assert alarm.raised_at - alarm.start == 180


def test_p95_needs_200_answers():
    assert evaluate(latencies([0.9] * 3, answers=199)).alarms == ()


def test_p95_needs_an_hour_to_know_its_scatter():
    state = evaluate(latencies([0.9] * 3, history=50))
    assert state.alarms == () and ("latency_p95", "canary") in state.not_known


def test_p95_of_two_target_groups_in_a_minute_is_not_compared():
    rows = latencies([0.9] * 3)
    green = {("canary", "green", "requests", "sum"): [*[None] * 60, 5, 5, 5]}
    state = evaluate({**rows, **green})
    assert state.alarms == () and state.not_known == ()


def test_p95_must_exceed_its_scatter():
    random = np.random.default_rng(1)
    noisy = [float(value) for value in 0.2 * np.exp(0.3 * random.normal(size=120))]
    quiet: dict[Any, Any] = {
        **latencies([0.2] * 117 + [0.8] * 3, history=0),
        ("baseline", "baseline", "latency", "p95"): noisy[:117] + [0.2] * 3,
    }
    assert evaluate(quiet).alarms == ()  # 4 ×, but six deviations are 13 ×
    quiet["baseline", "baseline", "latency", "p95"] = [0.2 * value for value in (1.05, 0.95)] * 58 + [0.2] * 4
    assert summary(evaluate(quiet)) == [("latency_p95", "canary", 117, None)]
