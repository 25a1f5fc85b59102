"""Confidence sequences: their parts by hand, and small simulations."""

import math

import numpy as np
import pytest

from analysis.parity.confidence_sequences import (
    RunningRates,
    difference_bounds,
    difference_llr,
    log_ratio_bounds,
    mean_bounds,
    running_differences,
    running_rates,
)


def rates_of(events_b: float, exposure_b: float, events_c: float, exposure_c: float) -> RunningRates:
    """A hundred minutes of independent events."""
    values = (100, events_b, exposure_b, events_c, exposure_c, 1)
    return RunningRates(*(np.array([float(value)]) for value in values), np.array([True]))


def test_with_a_constant_split_the_evidence_is_the_plain_totals() -> None:
    rates = running_rates(np.array([1.0, 3, 2]), np.full(3, 900.0), np.array([0.0, 1, 1]), np.full(3, 100.0))
    assert [rates.events_b.tolist(), rates.exposure_b.tolist()] == [
        pytest.approx([1, 4, 6]),
        pytest.approx([900, 1800, 2700]),
    ]
    assert [rates.events_c.tolist(), rates.exposure_c.tolist()] == [
        pytest.approx([0, 1, 2]),
        pytest.approx([100, 200, 300]),
    ]


def test_minutes_are_weighted_by_requests() -> None:
    n = np.array([100.0, 10_000, 100, 10_000])
    rates = running_rates(np.array([5.0, 10, 5, 10]), n, np.array([0.0, 10, 0, 10]), n)
    assert (rates.events_b[-1], rates.exposure_b[-1]) == (pytest.approx(30), pytest.approx(20_200))
    assert (rates.events_c[-1], rates.exposure_c[-1]) == (pytest.approx(20), pytest.approx(20_200))


def test_a_change_of_the_split_is_no_difference() -> None:
    """Simpson's paradox: a 1% split while errors are frequent, 50% while they are rare, and equal rates in every minute."""
    share, rate = np.repeat([0.01, 0.5], 60), np.repeat([0.02, 0.001], 60)
    n_b, n_c = 10_000 * (1 - share), 10_000 * share
    running = running_rates(n_b * rate, n_b, n_c * rate, n_c)
    assert running.rate_c[-1] == pytest.approx(running.rate_b[-1])
    assert (n_b * rate).sum() / n_b.sum() > 2 * (n_c * rate).sum() / n_c.sum()  # the plain totals differ


@pytest.mark.parametrize("totals", [(40, 1e4, 90, 1e4), (500, 1e6, 3, 1e4), (5, 1e4, 0, 1e4), (0, 1e4, 9, 1e4)])
def test_at_a_bound_the_likelihood_has_fallen_by_the_boundary(totals: tuple[float, float, float, float]) -> None:
    b, n_b, c, n_c = totals
    low, high = (float(bound[0]) for bound in difference_bounds(rates_of(*totals), 0.025))

    def likelihood(difference: float) -> float:
        """The profile likelihood, by grid search."""
        best = -math.inf
        for level in np.geomspace(1e-9, 1.0, 40_001) + max(0.0, -difference):
            other = level + difference
            if other <= 0:
                continue
            best = max(
                best, (b * math.log(level) if b else 0) - n_b * level + (c * math.log(other) if c else 0) - n_c * other
            )
        return best

    top = likelihood(c / n_c - b / n_b + 1e-12)
    x = max((b + c) * n_b * n_c / (n_b + n_c) ** 2, 0.25) * 1.25**2
    boundary = (1 + x) / x * (math.log1p(x) / 2 + math.log(20))
    assert top - likelihood(low) == pytest.approx(boundary, rel=0.01)
    assert top - likelihood(high) == pytest.approx(boundary, rel=0.01)


@pytest.mark.parametrize(("b", "c"), [(40, 90), (1000, 0), (0, 1000), (0, 0)])
@pytest.mark.parametrize("difference", [-0.2, -0.07, -0.02, 0.02, 0.07, 0.2])
def test_the_slope_is_that_of_the_likelihood_without_events_too(b: float, c: float, difference: float) -> None:
    rates, step = rates_of(b, 10_000, c, 20_000), 1e-7
    below, above = (float(difference_llr(rates, np.array([difference + by]))[0][0]) for by in (-step, step))
    assert float(difference_llr(rates, np.array([difference]))[1][0]) == pytest.approx(
        (above - below) / (2 * step), rel=1e-4
    )


def test_a_ratio_is_unbounded_while_one_side_has_no_events() -> None:
    low, high = log_ratio_bounds(rates_of(0, 1e4, 20, 1e4), 0.025)
    assert 0 < low[0] < math.inf == high[0]
    low, high = log_ratio_bounds(rates_of(20, 1e4, 0, 1e4), 0.025)
    assert low[0] == -math.inf < high[0] < 0


def test_the_mean_without_autocorrelation() -> None:
    """By hand, from the t e-process: 100 alternating ±1 have negative autocorrelation, which is treated as none."""
    low, high = mean_bounds(running_differences(np.tile([1.0, -1.0], 50)), 0.025)
    assert not np.isfinite(low[:9]).any() and np.isfinite(low[30:]).all()
    long_run = (1 + 0.002) / (1 - 0.002)  # prior autocorrelation: 0.2·(10 / 100)²
    n = 100 / long_run
    c = ((1 + n / 10) * 20**2) ** (1 / n)
    half = math.sqrt((c - 1) / (1 - c / (1 + n / 10)) * (n - 1) * (100 / 99) / n)
    assert (low[-1], high[-1]) == (pytest.approx(-half), pytest.approx(half))


def test_autocorrelation_is_corrected_for_its_bias() -> None:
    """By hand: 1, 1, −1, −1 … has r = 1/32 at lag 1; corrected (n·r + 1) / (n − 3), shrunk, and raised by four standard errors."""
    n = 32
    r = (n * (1 / n) + 1) / (n - 3)
    error = (1 - r**2) / n
    raised = r**3 / (r**2 + 4 * error) * (1 + 4 * error**0.5) + 0.2 * (10 / n) ** 2
    effective = n * (1 - raised) / (1 + raised)
    assert running_differences(np.tile([1.0, 1.0, -1.0, -1.0], 8)).effective_minutes[-1] == pytest.approx(effective)


def test_rounding_is_no_variance() -> None:
    assert running_differences(np.tile([0.3, 0.1 + 0.2], 20)).variance[-1] == 0.0


def test_a_slow_wave_under_alternating_noise_counts_less() -> None:
    """Neighbouring minutes are negatively correlated; only blocks of minutes show the wave."""
    minute = np.arange(600)
    values = np.tile([1.0, -1.0], 300) + 0.7 * np.sin(2 * np.pi * minute / 120)
    assert running_differences(values).effective_minutes[-1] == pytest.approx(37.94451524)
    n = np.full(600, 1e5)
    running = running_rates(
        50 + 5 * np.tile([1.0, -1.0], 300) + 20 * np.sin(2 * np.pi * minute / 120), n, np.full(600, 50.0), n
    )
    assert running.overdispersion[-1] > 20


def test_autocorrelation_masked_by_poisson_noise_is_found() -> None:
    """30 errors a minute whose rates vary with φ = 0.9: the literal result of this seed, to pin all of its factors."""
    rng = np.random.default_rng(21)
    log_rates = rng.normal(size=(2, 480)) * 0.3
    for minute in range(1, 480):
        log_rates[:, minute] = 0.9 * log_rates[:, minute - 1] + (1 - 0.81) ** 0.5 * log_rates[:, minute]
    b, c = rng.poisson(30 * np.exp(log_rates - 0.045)).astype(float)
    n = np.full(480, 6000.0)
    running = running_rates(b, n, c, n)
    assert running.overdispersion[-1] == pytest.approx(289.8568959249)


def test_overdispersion_by_hand() -> None:
    """Alternating 0 and 20 errors against a constant 10: no autocorrelation, so that only the variance and the early prior count."""
    n, requests = 20, 1000.0
    running = running_rates(np.full(n, 10.0), np.full(n, requests), np.tile([0.0, 20.0], n // 2), np.full(n, requests))
    w, total = requests / 2, 200.0
    rate = (total + 0.5) / (n * requests)
    squares = n * (rate * w * 10 / requests) ** 2
    poisson = 2 * rate**2 * w**2 * total / requests**2
    error = 4 / n
    excess = squares / poisson * n / (n - 1) - 1
    assert excess > 0
    shrunk = excess**3 / (excess**2 + error) * (1 + 10 / n**0.5)
    overdispersion = 1 + shrunk + total / n * (10 / n) ** 3
    assert running.overdispersion[-1] == pytest.approx(overdispersion)


def test_autocorrelated_minutes_count_less() -> None:
    random = np.random.default_rng(3)
    independent = random.normal(size=300)
    autocorrelated = np.convolve(random.normal(size=310), np.ones(10) / 10, "valid")[:300]
    assert running_differences(independent).effective_minutes[-1] > 200
    assert running_differences(autocorrelated).effective_minutes[-1] < 60


def test_a_burst_is_overdispersion_and_a_shared_one_is_not() -> None:
    n, quiet = np.full(60, 1000.0), np.tile([1.0, 2.0], 30)
    with_bursts = quiet + np.where(np.arange(60) % 20 == 5, 200.0, 0.0)
    assert running_rates(quiet, n, with_bursts, n).overdispersion[-1] > 30
    assert running_rates(with_bursts, n, with_bursts, n).overdispersion[-1] < 1.5


@pytest.mark.parametrize("share", [0.01, 0.5])
def test_equal_rates_are_rarely_called_different_in_a_day_of_looks(share: float) -> None:
    random = np.random.default_rng(11)
    n_b, n_c = (np.full((200, 480), 6000 * part) for part in (1 - share, share))
    low, high = difference_bounds(
        running_rates(random.poisson(n_b * 1e-3) * 1.0, n_b, random.poisson(n_c * 1e-3) * 1.0, n_c), 0.025
    )
    assert ((low > 0) | (high < 0)).any(axis=1).mean() <= 0.05


def test_equal_latencies_are_rarely_called_different_in_a_day_of_looks() -> None:
    low, high = mean_bounds(running_differences(np.random.default_rng(12).normal(size=(200, 480))), 0.025)
    assert ((low > 0) | (high < 0)).any(axis=1).mean() <= 0.05
