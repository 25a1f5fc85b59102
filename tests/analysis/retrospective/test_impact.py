"""Impact of a migration: literal numbers, and coverage of the interval in simulations."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.retrospective.impact import (
    ExcessErrors,
    PairedBuckets,
    Rollback,
    excess_errors,
    outside_error_rate,
    outside_p95,
    overdispersion,
    paired_buckets,
    rollbacks,
    t_quantile,
    time_to_effect_s,
    totals,
)
from domain import Margin
from tests.factories.phases import make_event, make_phase
from tests.factories.timelines import NAN, START, make_fleet_timeline, make_timeline

TEN = [900.0] * 10, [9.0] * 10, [100.0] * 10, [3.0] * 10


def ten_buckets(**changed: list[float]) -> PairedBuckets:
    columns = dict(zip(("requests_b", "errors_b", "requests_c", "errors_c"), TEN, strict=True)) | changed
    arrays = {name: np.array(values, dtype=float) for name, values in columns.items()}
    return PairedBuckets(ts=START + np.arange(10) * 600, **arrays)


def test_excess_is_observed_minus_expected_errors() -> None:
    result = excess_errors([ten_buckets()])
    # ρ = 1/9 in each bucket; variance Σ ρ(1 + ρ)·9 = 11.11, plus one event at the mean ρ: 0.12; 1.96 · √11.23 = 6.57
    assert (result.observed, result.expected, result.estimate, result.requests) == (
        30,
        pytest.approx(10),
        pytest.approx(20),
        1000,
    )
    assert (result.lower, result.upper) == (pytest.approx(13.4306, abs=1e-3), pytest.approx(26.5694, abs=1e-3))


def test_a_storm_of_the_baseline_is_uncertainty_and_one_of_the_canary_is_impact() -> None:
    storm = [9.0] * 5 + [909.0] + [9.0] * 4
    # 900 errors too many are 100 of the canary's requests; e = 3 − 2.9/9·909 of its errors, so 99.97 at the baseline's rate. One storm, twice,
    # and one more: the squared half-width is t(1)² · 2 · 2 · 99.97², and that of ordinary buckets 1.96² times 11.23 + 111.1.
    result = excess_errors([ten_buckets(errors_b=storm)])
    assert result.estimate == pytest.approx(-80)
    assert result.lower is not None
    assert result.estimate - result.lower == pytest.approx(
        ((t_quantile(1) ** 2 * 4 * 99.97**2) + 1.96**2 * 122.3) ** 0.5, rel=1e-3
    )
    canary = excess_errors([ten_buckets(errors_c=[3.0] * 5 + [93.0] + [3.0] * 4)])
    assert canary.estimate == pytest.approx(110) and canary.lower is not None and canary.lower > 80


def test_quantiles_of_t() -> None:
    assert [t_quantile(dof) for dof in (3, 4, 10, 1e9)] == [
        pytest.approx(exact, rel=0.01) for exact in (3.182, 2.776, 2.228, 1.960)
    ]
    assert t_quantile(2) == pytest.approx(4.303, rel=0.04)


def test_the_excess_is_at_most_the_observed_errors() -> None:
    result = excess_errors([ten_buckets(errors_b=[0.0] * 10, errors_c=[0.0] * 9 + [1.0])])
    assert (result.estimate, result.upper) == (1, 1)
    assert result.lower is not None and 0.2 < result.lower < 1  # a baseline without errors does not look certain


def test_below_ten_buckets_there_is_no_interval() -> None:
    nine = PairedBuckets(
        *(getattr(ten_buckets(), name)[:9] for name in ("ts", "errors_b", "requests_b", "errors_c", "requests_c"))
    )
    assert excess_errors([nine]) == ExcessErrors(pytest.approx(18), None, None, 27, pytest.approx(9), 900, 0)
    assert overdispersion([nine]) == 1.0
    empty = paired_buckets(make_timeline(make_fleet_timeline([]), make_fleet_timeline([])))
    assert excess_errors([empty]) == excess_errors([]) == ExcessErrors(0, None, None, 0, 0, 0, 0)


def test_phases_add_up() -> None:
    both = excess_errors([ten_buckets(), ten_buckets()])
    assert (both.estimate, both.observed, both.requests) == (pytest.approx(40), 60, 2000)
    assert both.lower == pytest.approx(40 - 6.5694 * 2**0.5, abs=0.1)  # one event at the mean ρ, not two


def test_unpaired_requests_are_counted_separately() -> None:
    timeline = make_timeline(
        make_fleet_timeline([900, NAN, 0], [9, NAN, 0]), make_fleet_timeline([100, 500, 40], [1, 2, 0])
    )
    result = paired_buckets(timeline)
    assert (list(result.requests_c), list(result.errors_b), result.unpaired_requests) == ([100], [9], 540)
    assert totals(timeline) == ({"baseline": 900, "canary": 640}, {"baseline": 9, "canary": 3})


def simulate(
    kind: str, rng: np.random.Generator, *, share: float = 0.1, days: int = 5, p: float = 2e-3
) -> tuple[PairedBuckets, float]:
    """Ten-minute buckets of some days, and how many errors more there were than the same requests would have met on the baseline."""
    n = days * 144
    served = (60_000 * (1 + 0.4 * np.cos(2 * np.pi * np.arange(n) / 144))).astype(int)
    canary = rng.binomial(served, share).astype(float)
    baseline = served - canary
    rate = p * (rng.gamma(0.5, 2.0, n) if kind == "shared bursts" else np.ones(n))

    def own_bursts() -> np.ndarray:
        return rng.gamma(5, 0.2, n) if kind == "own bursts" else np.ones(n)

    errors_b = rng.poisson(baseline * rate * own_bursts()).astype(float)
    errors_c = rng.poisson(canary * rate * own_bursts() * (1.5 if kind == "worse" else 1.0)).astype(float)
    counterfactual = rng.poisson(canary * rate * own_bursts())
    if kind == "outage":
        errors_c[100:103] = canary[100:103]
    if kind == "storms":  # of one minute, every other hour, on each fleet

        def storms(requests: np.ndarray) -> np.ndarray:
            return (rng.random(n) < 1 / 12) * rng.uniform(1000, 2000, n).round() * requests / served

        errors_b, errors_c = errors_b + storms(baseline), errors_c + storms(canary)
        counterfactual = counterfactual + storms(canary)
    return PairedBuckets(START + np.arange(n) * 600, errors_b, baseline, errors_c, canary), float(
        errors_c.sum() - counterfactual.sum()
    )


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("independent", {}),
        ("independent", {"share": 0.001}),
        ("independent", {"share": 0.95}),
        ("independent", {"p": 1e-6}),
        ("shared bursts", {}),
        ("own bursts", {}),
        ("worse", {}),
        ("outage", {}),
        ("storms", {"days": 1}),
        ("storms", {"share": 0.5}),
    ],
)
def test_the_interval_covers_the_truth_in_95_of_100_simulations(kind: str, options: dict[str, float]) -> None:
    rng, covered = np.random.default_rng(20261124), 0
    for _ in range(200):
        pairs, truth = simulate(kind, rng, **options)
        result = excess_errors([pairs])
        assert result.lower is not None and result.upper is not None
        covered += result.lower <= truth <= result.upper
    assert covered >= 182  # 95 % of 200 are 190; two and a half standard errors are 8


def test_independent_bursts_are_overdispersion_shared_ones_and_outages_are_not() -> None:
    result = {
        kind: overdispersion([simulate(kind, np.random.default_rng(1))[0]])
        for kind in ("independent", "shared bursts", "outage", "own bursts")
    }
    assert result["independent"] < 1.3 and result["shared bursts"] < 1.5 and result["outage"] < 2.5
    assert 3 < result["own bursts"] < 12


def test_bursts_that_last_for_hours_are_more_overdispersion_than_single_ones() -> None:
    rng = np.random.default_rng(4)
    n = 720
    requests, lasting = np.full(n, 60_000.0), np.repeat(rng.gamma(5, 0.2, n // 12), 12)

    def of(rate: np.ndarray) -> float:
        errors = [rng.poisson(requests * 2e-3 * factor).astype(float) for factor in (np.ones(n), rate)]
        return overdispersion([PairedBuckets(START + np.arange(n) * 600, errors[0], requests, errors[1], requests)])

    assert of(lasting) > 3 * of(rng.permutation(lasting))


def test_a_bucket_is_outside_the_margin_only_if_significant() -> None:
    timeline = make_timeline(
        make_fleet_timeline([90_000] * 4, [180] * 4),
        make_fleet_timeline([10_000, 10_000, 10_000, 100], [20, 30, 60, 1]),  # 0.2 %, 0.3 %, 0.6 %, 1 % of few
    )
    assert list(outside_error_rate(timeline, Margin(value=0.05, unit="pp"), 1.0)) == [False, False, True, False]
    assert list(outside_error_rate(timeline, Margin(value=10, unit="%"), 1.0)) == [False, False, True, False]
    assert list(outside_error_rate(timeline, Margin(value=0.05, unit="pp"), 30.0)) == [False] * 4


def test_a_dead_canary_is_outside_and_a_missing_one_is_not() -> None:
    timeline = make_timeline(
        make_fleet_timeline([9000] * 3, [18] * 3), make_fleet_timeline([1000, NAN, 0], [1000, NAN, 0])
    )
    assert list(outside_error_rate(timeline, Margin(value=0.05, unit="pp"), 2.0)) == [True, False, False]


def test_p95_is_outside_the_margin_only_if_significant_and_sufficient() -> None:
    wave = [0.2, 0.21, 0.19, 0.2, 0.21, 0.19, 0.2, 0.21, 0.19]
    requests = [3000.0] * 9 + [3000, 3000, 100, 3000]
    timeline = make_timeline(
        make_fleet_timeline([9000] * 13, p95=[0.2] * 13),
        make_fleet_timeline(requests, p95=[*wave, 0.23, 0.4, 0.9, NAN]),
    )
    # By 15 %, by 100 %, on too few answers, without an answer: the first is beyond 10 % and within what the two scatter.
    assert list(outside_p95(timeline, Margin(value=10, unit="%")))[9:] == [False, True, False, False]
    assert list(outside_p95(timeline, Margin(value=10, unit="ms")))[9:] == [False, True, False, False]
    assert not outside_p95(timeline, Margin(value=10, unit="%"))[:9].any()


def test_a_phase_that_is_slow_throughout_is_outside_throughout() -> None:
    timeline = make_timeline(
        make_fleet_timeline([9000] * 3, p95=[0.2] * 3), make_fleet_timeline([3000] * 3, p95=[0.4, 0.42, 0.41])
    )
    assert list(outside_p95(timeline, Margin(value=10, unit="%"))) == [True] * 3


def minute_timeline(shares: list[float]) -> object:
    canary = [1000 * share for share in shares]
    return make_timeline(make_fleet_timeline([1000 - one for one in canary]), make_fleet_timeline(canary), bucket_s=60)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([0.25, 0.25, 0.0, 0.0, 0.0, 0.0], 60),  # changed and observed in the third minute
        ([0.25, 0.25, 0.2, 0.1, 0.0, 0.0, 0.0], 180),
        ([0.25, 0.25, 0.0, 0.2, 0.02, 0.02, 0.01], 180),  # a single minute is not enough
        ([0.25, 0.25, 0.25, 0.25], None),
        ([0.25, 0.25], None),  # no data after it
    ],
)
def test_a_rollback_takes_effect_when_the_observed_share_stays_low(shares: list[float], expected: int | None) -> None:
    assert time_to_effect_s(minute_timeline(shares), START + 120, 0.25, 0.0) == expected  # type: ignore[arg-type]


def test_the_effect_is_measured_from_the_second_of_the_change() -> None:
    assert time_to_effect_s(minute_timeline([0.25, 0.0, 0.0, 0.0]), START + 40, 0.25, 0.0) == 80  # type: ignore[arg-type]


def test_the_effect_is_a_multiple_of_the_archived_period() -> None:
    shares = [0.25, NAN, NAN, NAN, NAN, 0.0, NAN, NAN, NAN, NAN, 0.0]
    assert time_to_effect_s(minute_timeline(shares), START + 300, 0.25, 0.0) == 300  # type: ignore[arg-type]


def test_rollbacks_have_a_title_and_the_first_alert() -> None:
    known = [make_phase(0, 10, 0.1), make_phase(10, 60, 0.25, 0.1), make_phase(60, 90, 0.0, 0.25)]
    happened = [
        make_event(5, "alert", "long over", until=8),
        make_event(48, "alert", "no healthy host", until=70),
        make_event(52, "alert", "5xx", until=61),
        make_event(61, "rollback", "Back to 0%"),
    ]
    around = {START + 3600: replace(minute_timeline([0.25, 0.0, 0.0, 0.0]), ts=START + 3540 + np.arange(4) * 60)}  # type: ignore[type-var]
    assert rollbacks(known, happened, around) == (Rollback(START + 3600, 0.25, 0.0, "Back to 0%", 60, 720),)
    far = [make_event(71, "rollback", "Another"), make_event(-1390, "alert", "yesterday", until=70)]
    assert rollbacks(known, far, {}) == (Rollback(START + 3600, 0.25, 0.0, "", None, None),)
    assert rollbacks(known, [], {}) == (Rollback(START + 3600, 0.25, 0.0, "", None, None),)
    assert rollbacks([make_phase(0, 10, 0.1), make_phase(10, 60, None), make_phase(60, 90, 0.0)], [], {}) == ()
