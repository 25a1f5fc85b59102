"""What earlier periods say, and how much it counts beside those of the window."""

import numpy as np
import pytest

from analysis.parity.confidence_sequences import (
    NO_HISTORY,
    Scatter,
    difference_scatter,
    mean_bounds,
    rate_scatter,
    running_differences,
    running_rates,
)

ALPHA = 0.025
RANDOM = np.random.default_rng(7)


def half_width(values: np.ndarray, history: Scatter) -> float:
    lower, upper = mean_bounds(running_differences(values, None, history), ALPHA)
    return float(upper[-1] - lower[-1]) / 2


def test_ten_periods_are_as_sure_as_the_history_says() -> None:
    """Alone, ten periods in a row above the others could be a single episode."""
    past = RANDOM.normal(0, 0.03, 288)
    values = 0.4 + np.array([-1.0, -1, -1, -1, -1, 1, 1, 1, 1, 1]) * 0.03
    assert half_width(values, NO_HISTORY) > 0.4
    assert half_width(values, difference_scatter(past)) < 0.15
    wide = difference_scatter(past * 5)
    assert half_width(values, wide) > 2 * half_width(values, difference_scatter(past)), "it widens, too"


def test_three_periods_are_enough_with_a_history_of_sixty() -> None:
    values = np.array([0.01, 0.02, 0.03])
    for periods, is_enough in ((59, False), (60, True)):
        assert running_differences(values, None, Scatter(periods, 0.001, 1.0)).is_enough[-1] == is_enough


def test_bursts_of_the_past_are_expected_again() -> None:
    requests = np.full(288, 1000.0)
    calm, bursts = RANDOM.poisson(5, (2, 288)).astype(float), RANDOM.poisson(5 * RANDOM.gamma(0.5, 2, (2, 288)))
    judged = RANDOM.poisson(5, (2, 20)).astype(float)
    overdispersion = []
    for past in (calm, bursts.astype(float)):
        history = rate_scatter(past[0], requests, past[1], requests)
        rates = running_rates(judged[0], requests[:20], judged[1], requests[:20], history)
        overdispersion.append(float(rates.overdispersion[-1]))
    assert overdispersion[0] == pytest.approx(1.1, abs=0.1) and overdispersion[1] > 3


def test_much_own_data_outweighs_the_history() -> None:
    values = np.tile([0.02, -0.02], 2000)
    assert half_width(values, Scatter(10_000, 1.0, 10.0)) == pytest.approx(half_width(values, NO_HISTORY), abs=0.05)
