"""The share that was seen against the share that was told: chance, bursts, stickiness."""

import numpy as np
import pytest

from analysis import sample_ratio, time_grid
from domain import Window
from tests.factories.frames import tidy_frame, window


def ratio_of(baseline: list[float], canary: list[float], expected_share: float):  # type: ignore[no-untyped-def]
    frame = tidy_frame({("baseline", "ec2", "requests", "sum"): baseline, ("canary", "ecs", "requests", "sum"): canary})
    return sample_ratio(time_grid(frame, window(len(baseline))), expected_share, window(len(baseline)))


def test_exactly_as_told_matches() -> None:
    found = ratio_of([900] * 10, [100] * 10, 0.1)
    assert (found.verdict, found.observed_share, found.requests, found.minutes) == ("matches", 0.1, 10_000, 10)
    assert found.lower is not None and found.upper is not None and found.lower < 0.1 < found.upper


def test_sticky_visitors_that_stay_behind_differ() -> None:
    assert ratio_of([9700] * 30, [300] * 30, 0.1).verdict == "differs"


def test_a_sure_but_tiny_deviation_is_of_no_consequence() -> None:
    assert ratio_of([5_010_000] * 30, [4_990_000] * 30, 0.5).verdict == "matches"


def test_a_burst_on_one_side_widens_the_interval() -> None:
    calm, burst = ratio_of([1000] * 30, [1000] * 30, 0.5), ratio_of([1000] * 29 + [1000], [1000] * 29 + [6000], 0.5)
    assert calm.upper is not None and calm.lower is not None and burst.upper is not None and burst.lower is not None
    assert burst.upper - burst.lower > 3 * (calm.upper - calm.lower)
    assert burst.verdict == "matches"


def test_too_few_minutes_say_nothing() -> None:
    found = ratio_of([900] * 4, [100] * 4, 0.1)
    assert (found.verdict, found.observed_share) == ("not enough data", None)


@pytest.mark.parametrize("told", [0.01, 0.1, 0.5])
def test_chance_alone_hardly_ever_differs(told: float) -> None:
    """400 hours of an honest balancer, with bursts that both sides share."""
    random = np.random.default_rng(7)
    wrong = 0
    for _hour in range(400):
        total = random.gamma(2.0, 1000.0, size=60).astype(int)
        canary = random.binomial(total, told)
        wrong += ratio_of(list(total - canary), list(canary), told).verdict == "differs"
    assert wrong <= 2


def test_minutes_whose_requests_were_not_read_are_no_minutes_without_requests() -> None:
    frame = tidy_frame(
        {
            ("baseline", "ec2", "requests", "sum"): [900] * 20,
            ("canary", "ecs", "requests", "sum"): [100] * 10,
        }
    )
    whole = window(20)
    cut_short = Window(whole.start + 600, whole.end)
    found = sample_ratio(time_grid(frame, whole), 0.1, whole, unread=(cut_short,))
    assert (found.verdict, found.observed_share, found.minutes) == ("matches", 0.1, 10)
    assert sample_ratio(time_grid(frame, whole), 0.1, whole, unread=(whole,)).verdict == "not enough data"
    assert sample_ratio(time_grid(frame, whole), 0.1, whole).verdict == "differs"  # a dead side is one
