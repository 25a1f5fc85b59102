"""Observed against configured share: chance, bursts, stickiness."""

import numpy as np
import pytest

from analysis import ExpectedShare, SampleRatio, sample_ratio, time_grid
from domain import Window
from tests.factories.frames import tidy_frame, window


def ratio_of(baseline: list[float], canary: list[float], expected: ExpectedShare) -> SampleRatio:
    frame = tidy_frame({("baseline", "ec2", "requests", "sum"): baseline, ("canary", "ecs", "requests", "sum"): canary})
    return sample_ratio(time_grid(frame, window(len(baseline))), expected, window(len(baseline)))


TEN, HALF = ExpectedShare(0.1), ExpectedShare(0.5)


def test_the_configured_share_matches() -> None:
    result = ratio_of([900] * 20, [100] * 20, TEN)
    assert (result.verdict, result.observed_share, result.requests, result.minutes) == ("matches", 0.1, 20_000, 20)
    assert result.lower is not None and result.upper is not None and result.lower < 0.1 < result.upper


def test_a_share_of_three_of_ten_differs() -> None:
    assert ratio_of([9700] * 30, [300] * 30, TEN).verdict == "differs"


def test_a_tiny_significant_deviation_matches() -> None:
    assert ratio_of([5_010_000] * 30, [4_990_000] * 30, HALF).verdict == "matches"


def test_sticky_sessions_may_wander_but_not_be_missing() -> None:
    sticky = ExpectedShare(0.5, sticky=True)
    assert ratio_of([600] * 30, [400] * 30, HALF).verdict == "differs"
    assert ratio_of([600] * 30, [400] * 30, sticky).verdict == "matches"
    assert ratio_of([700] * 30, [300] * 30, sticky).verdict == "differs"
    assert ratio_of([50] * 30, [950] * 30, ExpectedShare(0.9, sticky=True)).verdict == "differs"


def test_after_a_weight_change_sessions_may_be_bound_by_the_earlier_share() -> None:
    changed = ExpectedShare(0.5, sticky=True, earlier=(0.1,))
    assert ratio_of([800] * 30, [200] * 30, changed).verdict == "matches"
    assert ratio_of([990] * 30, [10] * 30, changed).verdict == "differs"  # less than either share


def test_a_burst_on_one_side_widens_the_interval() -> None:
    steady, burst = ratio_of([1000] * 30, [1000] * 30, HALF), ratio_of([1000] * 30, [1000] * 29 + [6000], HALF)
    assert steady.upper is not None and steady.lower is not None and burst.upper is not None and burst.lower is not None
    assert burst.upper - burst.lower > 3 * (steady.upper - steady.lower)
    assert burst.verdict == "matches"


def test_minutes_that_resemble_each_other_widen_the_interval() -> None:
    wave = 100 * np.sin(np.arange(60) / 12)
    slow, mixed = list(1000 + wave), list(1000 + np.random.default_rng(1).permutation(wave))
    one, other = (ratio_of([1000] * 60, canary, HALF) for canary in (slow, mixed))
    assert other.lower is not None and other.upper is not None and other.upper - other.lower < 0.06
    assert (one.verdict, one.lower) == ("not enough data", None) and one.observed_share == pytest.approx(0.5, abs=0.02)


def test_independent_requests_are_the_least_that_is_assumed() -> None:
    """Minutes that are all equal: 20,000 requests at 10% have a standard error of 0.21 points."""
    result = ratio_of([900] * 20, [100] * 20, TEN)
    assert result.upper is not None and result.upper - 0.1 > 3 * (0.1 * 0.9 / 20_000) ** 0.5


def test_too_few_minutes_are_not_enough_data() -> None:
    result = ratio_of([900] * 9, [100] * 9, TEN)
    assert (result.verdict, result.observed_share, result.upper) == ("not enough data", 0.1, None)
    assert ratio_of([0] * 9, [0] * 9, TEN) == SampleRatio("not enough data", 0.1, None, None, None, 0, 0)


def test_only_the_time_since_the_change_and_since_the_full_hour_before_the_last_counts() -> None:
    baseline, canary = [900.0] * 200, [100.0] * 200
    assert window(1).start % 3600 == 600
    assert [ratio_of(baseline[:n], canary[:n], TEN).minutes for n in (50, 110, 111, 170, 171)] == [50, 110, 61, 120, 61]
    changed = ExpectedShare(0.1, since=window(1).start + 90 * 60)
    assert ratio_of(baseline[:111], canary[:111], changed).minutes == 21


@pytest.mark.parametrize("expected_share", [0.01, 0.1, 0.5])
@pytest.mark.slow
def test_chance_alone_rarely_differs(expected_share: float) -> None:
    """400 hours of a correct load balancer, with bursts that both fleets share."""
    random = np.random.default_rng(7)
    wrong = 0
    for _hour in range(400):
        total = random.gamma(2.0, 1000.0, size=60).astype(int)
        canary = random.binomial(total, expected_share)
        wrong += ratio_of(list(total - canary), list(canary), ExpectedShare(expected_share)).verdict == "differs"
    assert wrong <= 2


def test_minutes_with_unknown_requests_are_excluded() -> None:
    frame = tidy_frame(
        {
            ("baseline", "ec2", "requests", "sum"): [900] * 40,
            ("canary", "ecs", "requests", "sum"): [100] * 20,
        }
    )
    all_minutes = window(40)
    last_minutes = Window(all_minutes.start + 1200, all_minutes.end)
    result = sample_ratio(time_grid(frame, all_minutes), TEN, all_minutes, unread=(last_minutes,))
    assert (result.verdict, result.observed_share, result.minutes) == ("matches", 0.1, 20)
    assert (
        sample_ratio(time_grid(frame, all_minutes), TEN, all_minutes, unread=(all_minutes,)).verdict
        == "not enough data"
    )
    dead = tidy_frame(
        {("baseline", "ec2", "requests", "sum"): [900] * 40, ("canary", "ecs", "requests", "sum"): [0] * 40}
    )
    assert sample_ratio(time_grid(dead, all_minutes), TEN, all_minutes).verdict == "differs"
