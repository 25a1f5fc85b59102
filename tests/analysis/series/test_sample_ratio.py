"""Observed against configured share: chance, bursts, stickiness."""

import numpy as np
import pytest

from analysis import sample_ratio, time_grid
from domain import Window
from tests.factories.frames import tidy_frame, window


def ratio_of(baseline: list[float], canary: list[float], expected_share: float):  # type: ignore[no-untyped-def]
    frame = tidy_frame({("baseline", "ec2", "requests", "sum"): baseline, ("canary", "ecs", "requests", "sum"): canary})
    return sample_ratio(time_grid(frame, window(len(baseline))), expected_share, window(len(baseline)))


def test_the_configured_share_matches() -> None:
    result = ratio_of([900] * 10, [100] * 10, 0.1)
    assert (result.verdict, result.observed_share, result.requests, result.minutes) == ("matches", 0.1, 10_000, 10)
    assert result.lower is not None and result.upper is not None and result.lower < 0.1 < result.upper


def test_sticky_sessions_that_stay_differ() -> None:
    assert ratio_of([9700] * 30, [300] * 30, 0.1).verdict == "differs"


def test_a_tiny_significant_deviation_matches() -> None:
    assert ratio_of([5_010_000] * 30, [4_990_000] * 30, 0.5).verdict == "matches"


def test_a_burst_on_one_side_widens_the_interval() -> None:
    steady, burst = ratio_of([1000] * 30, [1000] * 30, 0.5), ratio_of([1000] * 29 + [1000], [1000] * 29 + [6000], 0.5)
    assert steady.upper is not None and steady.lower is not None and burst.upper is not None and burst.lower is not None
    assert burst.upper - burst.lower > 3 * (steady.upper - steady.lower)
    assert burst.verdict == "matches"


def test_the_interval_by_hand() -> None:
    """Deviations of ±100 in four of five minutes: standard error √(5/4 · 40,000) / 5,000, times 4."""
    result = ratio_of([1000, 800, 1000, 800, 900], [0, 200, 0, 200, 100], 0.1)
    assert (result.observed_share, result.lower) == (0.1, 0.0)
    assert result.upper == pytest.approx(0.1 + 4 * (5 / 4 * 40_000) ** 0.5 / 5_000)


def test_too_few_minutes_are_not_enough_data() -> None:
    result = ratio_of([900] * 4, [100] * 4, 0.1)
    assert (result.verdict, result.observed_share) == ("not enough data", None)


@pytest.mark.parametrize("expected_share", [0.01, 0.1, 0.5])
@pytest.mark.slow
def test_chance_alone_rarely_differs(expected_share: float) -> None:
    """400 hours of a correct load balancer, with bursts that both fleets share."""
    random = np.random.default_rng(7)
    wrong = 0
    for _hour in range(400):
        total = random.gamma(2.0, 1000.0, size=60).astype(int)
        canary = random.binomial(total, expected_share)
        wrong += ratio_of(list(total - canary), list(canary), expected_share).verdict == "differs"
    assert wrong <= 2


def test_minutes_with_unknown_requests_are_excluded() -> None:
    frame = tidy_frame(
        {
            ("baseline", "ec2", "requests", "sum"): [900] * 20,
            ("canary", "ecs", "requests", "sum"): [100] * 10,
        }
    )
    all_minutes = window(20)
    last_minutes = Window(all_minutes.start + 600, all_minutes.end)
    result = sample_ratio(time_grid(frame, all_minutes), 0.1, all_minutes, unread=(last_minutes,))
    assert (result.verdict, result.observed_share, result.minutes) == ("matches", 0.1, 10)
    assert (
        sample_ratio(time_grid(frame, all_minutes), 0.1, all_minutes, unread=(all_minutes,)).verdict
        == "not enough data"
    )
    assert sample_ratio(time_grid(frame, all_minutes), 0.1, all_minutes).verdict == "differs"  # a dead fleet has none
