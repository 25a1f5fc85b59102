"""A phase across CloudWatch's retention limit of 15 days: one-minute periods on one side, five-minute periods on the other."""

import pandas as pd
import pytest

from domain import Criterion, epoch_s
from tests.factories.frames import START, tidy_frame, window
from tests.factories.judgement import judge, trace

ERRORS = Criterion.model_validate({"metric": "target_5xx_rate", "margin": "0.1pp"})
P95 = Criterion.model_validate({"metric": "latency_p95", "margin": "10%"})
SLOW = Criterion.model_validate({"metric": "slow_0.3s", "margin": "2pp"})


def frame_of(n: int, times: int) -> pd.DataFrame:
    """`n` periods of `times` minutes: per minute and fleet 3,000 requests and three errors, p95 of 200 to 220 ms, 1% slower than 0.3 s."""
    rows = {}
    for fleet in ("baseline", "canary"):
        rows[fleet, fleet, "requests", "sum"] = [3000.0 * times] * n
        rows[fleet, fleet, "target_5xx", "sum"] = [3.0 * times + i % 2 for i in range(n)]
        rows[fleet, fleet, "latency", "p95"] = [0.2 + (i + (fleet == "canary")) % 3 / 100 for i in range(n)]
        rows[fleet, fleet, "latency", "sample_count"] = [3000.0 * times] * n
        rows[fleet, fleet, "latency", "within_0.3s"] = [0.99] * n
    return tidy_frame(rows, period_s=60 * times, start=START if times == 5 else START + COARSE * 300)


COARSE = 40  # periods of five minutes, before the one-minute periods


def mixed_resolution_frame(n_minutes: int) -> pd.DataFrame:
    return pd.concat([frame_of(COARSE, 5), frame_of(n_minutes, 1)], ignore_index=True)


def test_five_minute_periods_are_excluded_if_minutes_are_more_frequent() -> None:
    judgement = judge(mixed_resolution_frame(120), [ERRORS, P95, SLOW], window=window(COARSE * 5 + 120))
    for result in judgement.criteria:
        assert (result.minutes, result.verdict) == (120, "parity")
        assert result.excluded is not None and result.excluded["other_period"] == COARSE * 5
        assert result.excluded["no_traffic"] == result.excluded["one_side_missing"] == 0


def test_minutes_are_merged_or_excluded_if_five_minute_periods_are_more_frequent() -> None:
    frame, whole = mixed_resolution_frame(30), window(COARSE * 5 + 30)
    errors, p95, slow = judge(frame, [ERRORS, P95, SLOW], window=whole).criteria
    assert errors.minutes == slow.minutes == COARSE * 5 + 30
    assert errors.baseline_requests == 3000 * (COARSE * 5 + 30)
    assert slow.baseline_events == slow.canary_events == 30 * (COARSE * 5 + 30)
    assert (p95.minutes, p95.verdict) == (COARSE * 5, "parity")  # the newest are left out, not gone
    assert p95.excluded is not None and p95.excluded["other_period"] == 30
    last = trace(frame, [P95], window=whole).iloc[-1]
    assert (last["lower"], last["upper"]) == (p95.lower, p95.upper)


def test_times_are_in_minutes_whatever_the_period() -> None:
    """The same numbers in periods of one and of five minutes: the same verdict, forecast and exclusions, in five times as many minutes."""
    made = {}
    for fleet, error in (("baseline", 0), ("canary", 1)):
        made[fleet, fleet, "requests", "sum"] = [1000.0] * 40
        made[fleet, fleet, "target_2xx", "sum"] = [999.0 - (i % 3 == error) for i in range(40)]
    made["load_balancer", "", "alb_5xx", "sum"] = [3.0 - (i % 3 == 2) for i in range(40)]
    criterion = Criterion.model_validate({"metric": "unanswered_rate", "margin": "0.05pp"})
    (one,), (five,) = (judge(tidy_frame(made, period_s=s), [criterion]).criteria for s in (60, 300))
    assert one.excluded is not None and five.excluded is not None
    assert (one.excluded["in_flight"], five.excluded["in_flight"]) == (5, 5)  # five minutes are one period
    assert (one.minutes, five.minutes) == (35, 39 * 5)
    assert one.minutes_to_decision and five.minutes_to_decision == pytest.approx(5 * one.minutes_to_decision, rel=0.2)


def test_a_fleet_that_is_silent_in_the_last_five_minute_period_is_gone() -> None:
    frame = frame_of(COARSE, 5)
    last = START + (COARSE - 1) * 300
    silent = frame[~((epoch_s(frame) == last) & (frame["fleet"] == "canary"))]
    assert judge(silent, [ERRORS], window=window(COARSE * 5)).criteria[0].reason == "one_side_gone"


def test_a_single_resolution_is_judged_as_it_is() -> None:
    (result,) = judge(frame_of(COARSE, 5), [P95], window=window(COARSE * 5)).criteria
    assert result.minutes == COARSE * 5 and result.excluded is not None and not any(result.excluded.values())


def test_few_five_minute_periods_do_not_coarsen_the_grid() -> None:
    frame = pd.concat([frame_of(12, 5), frame_of(200, 1)], ignore_index=True)
    assert len(trace(frame, [ERRORS], window=window(COARSE * 5 + 200))) == COARSE * 5 + 200
