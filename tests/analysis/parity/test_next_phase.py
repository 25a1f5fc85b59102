"""The forecast of a phase at another share: when it is decided, and its extra errors at worst."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.parity.confidence_sequences import NO_HISTORY, Scatter
from analysis.parity.next_phase import PhasePattern, minutes_at_share, phase_pattern, worst_extra_errors
from analysis.parity.samples import PairedSamples
from analysis.parity.verdicts import CriterionVerdict
from domain import Criterion

ERRORS = Criterion.model_validate({"metric": "error_rate", "margin": "0.05pp", "critical": True})
P95 = Criterion.model_validate({"metric": "latency_p95", "margin": "10%", "critical": True})
MINUTES = 480


def rates(share: float = 0.1, *, total: float = 6000.0, rate: float = 2e-3, worse: float = 0.0) -> PairedSamples:
    """A phase with as many errors in each minute as expected, in turns a few more and a few less."""
    n_b, n_c = total * (1 - share), total * share
    swing = np.where(np.arange(MINUTES) % 2, 1.1, 0.9)
    return _samples(ERRORS, (n_b * rate * swing, n_c * (rate + worse) * swing), (n_b, n_c))


def latencies(
    share: float = 0.1, *, total: float = 6000.0, noise: float = 0.05, sampling: float = 0.0
) -> PairedSamples:
    """Lognormal p95 of 0.3 s with `noise` per minute, and `sampling` / √requests."""
    random, requests = np.random.default_rng(1), (total * (1 - share), total * share)
    b, c = (
        0.3 * np.exp(random.normal(size=MINUTES) * noise + random.normal(size=MINUTES) * sampling / np.sqrt(n))
        for n in requests
    )
    return _samples(P95, (b, c), requests)


def _samples(
    criterion: Criterion, values: tuple[np.ndarray, np.ndarray], requests: tuple[float, float]
) -> PairedSamples:
    index = np.arange(MINUTES)
    n_b, n_c = (np.full(MINUTES, n) for n in requests)
    return PairedSamples(criterion, 60, index * 60, index, index, *values, n_b, n_c, {}, True, MINUTES)


def pattern_of(samples: PairedSamples) -> PhasePattern:
    pattern = phase_pattern(samples)
    assert pattern
    return pattern


def minutes(samples: PairedSamples, share: float, n_comparisons: int = 2) -> int | None:
    return minutes_at_share(pattern_of(samples), share, n_comparisons)


def test_an_even_split_is_decided_first() -> None:
    shares = (0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9)
    known = [minutes(rates(), share) for share in shares]
    assert all(known)
    assert known == sorted(known[:5], key=lambda n: -(n or 0)) + known[5:]
    assert (known[3], known[6]) == (known[5], known[2])  # the margin is as far from below


def test_the_minutes_of_a_phase_without_a_difference() -> None:
    assert [minutes(rates(), share) for share in (0.01, 0.1, 0.25, 0.5)] == [3975, 469, 230, 193]
    assert [minutes(latencies(noise=0.2), share) for share in (0.1, 0.25)] == [210, 193]


def test_what_scattered_before_widens_the_forecast() -> None:
    pattern = replace(pattern_of(rates(total=60_000.0)), scatter=Scatter(240.0, 0.5, 1.5))
    assert minutes_at_share(pattern, 0.25, 2) == 392


def test_nothing_is_compared_without_one_of_the_fleets() -> None:
    assert (minutes(rates(), 0.0), minutes(rates(), 1.0)) == (None, None)


def test_a_tenth_of_the_requests_takes_ten_times_as_long() -> None:
    certain = [replace(pattern_of(rates(total=total)), standard_error=1e-9) for total in (6000.0, 600.0)]
    fast, slow = (minutes_at_share(pattern, 0.1, 2) for pattern in certain)
    assert fast and slow
    assert 8 < slow / fast < 12


def test_a_certain_regression_is_decided_sooner_than_parity() -> None:
    worse, equal = minutes(rates(worse=2e-3), 0.25), minutes(rates(), 0.25)
    assert worse and equal and worse < equal / 3


def test_a_difference_at_the_margin_is_not_decided_within_four_weeks() -> None:
    certain = replace(pattern_of(rates(share=0.5)), difference=5e-4, standard_error=1e-9, spread=1.0)
    assert minutes_at_share(certain, 0.5, 2) is None


def test_an_uncertain_difference_is_taken_for_less_than_it_looks() -> None:
    pattern = replace(pattern_of(rates()), difference=4.5e-4)
    certain, uncertain = (minutes_at_share(replace(pattern, standard_error=error), 0.5, 2) for error in (1e-5, 5e-4))
    assert certain and uncertain and certain > 10 * uncertain


@pytest.mark.parametrize(("sampling", "noise"), [(0.0, 0.2), (8.0, 0.0)])
def test_a_percentile_gains_from_more_requests_only_if_they_are_why_it_scatters(sampling: float, noise: float) -> None:
    samples = latencies(noise=noise, sampling=sampling)
    assert (pattern_of(samples).noise > 0.9) is bool(sampling)
    now, even = minutes(samples, 0.1), minutes(samples, 0.5)
    assert now and even
    assert (even < now / 1.5) is bool(sampling)


def test_of_two_equal_fleets_a_smaller_canary_is_expected_to_scatter_more() -> None:
    samples = latencies(share=0.5, noise=0.1)
    assert pattern_of(samples).noise == 1.0
    even, small = minutes(samples, 0.5), minutes(samples, 0.1)
    assert even and small and small > 1.5 * even


def test_a_percentile_is_not_decided_with_too_few_responses_a_minute() -> None:
    assert minutes(latencies(), 0.02) is None  # 120 of 200
    assert minutes(latencies(), 0.05)
    assert minutes(latencies(), 0.98) is None


def test_few_minutes_say_nothing() -> None:
    samples = rates()
    index = np.arange(9)
    few = PairedSamples(ERRORS, 60, index * 60, index, index, *(part[:9] for part in _by_fleet(samples)), {}, True, 9)
    assert phase_pattern(few) is None
    assert phase_pattern(replace(samples, is_measured=False)) is None


def _by_fleet(samples: PairedSamples) -> tuple[np.ndarray, ...]:
    return samples.baseline, samples.canary, samples.requests_b, samples.requests_c


def test_the_difference_is_known_as_well_as_the_smaller_fleet_allows() -> None:
    assert pattern_of(rates(0.1)).standard_error == pytest.approx(np.sqrt(2e-3 / (480 * 6000 * 0.1 * 0.9)), rel=1e-3)


def test_a_day_before_the_phase_counts_if_the_phase_is_shorter() -> None:
    before = replace(NO_HISTORY, periods=1440.0, variance=0.5)
    assert pattern_of(replace(rates(), history=before)).scatter == before
    assert pattern_of(replace(rates(), history=replace(before, periods=60.0))).scatter.periods == MINUTES


def test_extra_errors_at_worst_are_those_at_the_upper_bound_and_chance() -> None:
    pattern = replace(pattern_of(rates()), scatter=NO_HISTORY, level=2e-3)
    known = CriterionVerdict(ERRORS, "parity", "inside_margin", upper=1e-4, margin=5e-4)
    # 100 minutes of 1,500 requests: 15 at the bound; 315 errors at 75 % of what is compared.
    assert worst_extra_errors(pattern, known, 0.25, 100) == pytest.approx(15 + 1.96 * np.sqrt(315 / 0.75))
    unknown = replace(known, upper=None)
    assert worst_extra_errors(pattern, unknown, 0.25, 100) == pytest.approx(75 + 1.96 * np.sqrt(375 / 0.75))
    better = replace(known, upper=-1e-4)
    assert worst_extra_errors(pattern, better, 0.25, 100) == pytest.approx(1.96 * np.sqrt(300 / 0.75))
