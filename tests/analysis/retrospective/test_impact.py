"""What a migration cost: literal numbers, and the interval in worlds whose truth is known."""

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
    sum_excess,
    time_to_effect_s,
    totals,
)
from domain import Margin
from tests.factories.phases import make_event, make_phase
from tests.factories.timelines import NAN, START, make_fleet_timeline, make_timeline

TEN = [900.0] * 10, [9.0] * 10, [100.0] * 10, [3.0] * 10


def ten_buckets(**changed: list[float]) -> PairedBuckets:
    given = dict(zip(("requests_b", "errors_b", "requests_c", "errors_c"), TEN, strict=True)) | changed
    arrays = {name: np.array(values, dtype=float) for name, values in given.items()}
    return PairedBuckets(ts=START + np.arange(10) * 600, **arrays)


def test_excess_is_what_was_seen_less_what_the_baselines_rate_makes_of_it() -> None:
    found = excess_errors(ten_buckets(), 1.0)
    # ρ = 1/9 in every bucket; variance Σ ρ(1 + ρ)·9 = 11.11, and one event at the mean ρ: 0.12; 1.96 · √11.23 = 6.57
    assert (found.observed, found.expected, found.estimate, found.requests) == (
        30,
        pytest.approx(10),
        pytest.approx(20),
        1000,
    )
    assert (found.lower, found.upper) == (pytest.approx(13.4306, abs=1e-3), pytest.approx(26.5694, abs=1e-3))


def test_scatter_widens_the_interval_by_its_root() -> None:
    narrow, wide = excess_errors(ten_buckets(), 1.0), excess_errors(ten_buckets(), 4.0)
    assert narrow.lower is not None and wide.lower is not None
    assert wide.estimate - wide.lower == pytest.approx(2 * (narrow.estimate - narrow.lower))


def test_nobody_can_have_suffered_more_errors_than_were_seen() -> None:
    found = excess_errors(ten_buckets(errors_b=[0.0] * 10, errors_c=[0.0] * 9 + [1.0]), 1.0)
    assert (found.estimate, found.upper) == (1, 1)
    assert found.lower is not None and 0.2 < found.lower < 1  # a baseline without errors does not look certain


def test_below_ten_stretches_there_is_no_interval() -> None:
    nine = PairedBuckets(
        *(getattr(ten_buckets(), name)[:9] for name in ("ts", "errors_b", "requests_b", "errors_c", "requests_c"))
    )
    assert excess_errors(nine, 1.0) == ExcessErrors(pytest.approx(18), None, None, 27, pytest.approx(9), 900, 1.0, 0)
    assert overdispersion([nine]) == 1.0
    assert (
        excess_errors(paired_buckets(make_timeline(make_fleet_timeline([]), make_fleet_timeline([]))), 1.0).estimate
        == 0
    )


def test_phases_add_up() -> None:
    both = sum_excess([excess_errors(ten_buckets(), 1.0), excess_errors(ten_buckets(), 1.0)])
    assert (both.estimate, both.observed, both.requests) == (pytest.approx(40), 60, 2000)
    assert both.lower == pytest.approx(40 - 6.5694 * 2**0.5, abs=1e-3)
    assert sum_excess([]) == ExcessErrors(0, None, None, 0, 0, 0, 1.0, 0)


def test_what_had_no_baseline_beside_it_is_counted_apart() -> None:
    told = make_timeline(
        make_fleet_timeline([900, NAN, 0], [9, NAN, 0]), make_fleet_timeline([100, 500, 40], [1, 2, 0])
    )
    found = paired_buckets(told)
    assert (list(found.requests_c), list(found.errors_b), found.unpaired_requests) == ([100], [9], 540)
    assert totals(told) == ({"baseline": 900, "canary": 640}, {"baseline": 9, "canary": 3})


def simulate(
    kind: str, rng: np.random.Generator, *, share: float = 0.1, days: int = 5, p: float = 2e-3
) -> tuple[PairedBuckets, float]:
    """Ten-minute buckets of some days, and how many errors more there were than the same requests would have met on the baseline."""
    n = days * 144
    served = (60_000 * (1 + 0.4 * np.cos(2 * np.pi * np.arange(n) / 144))).astype(int)
    canary = rng.binomial(served, share).astype(float)
    baseline = served - canary
    rate = p * (rng.gamma(0.5, 2.0, n) if kind == "shared bursts" else np.ones(n))

    def own() -> np.ndarray:
        return rng.gamma(5, 0.2, n) if kind == "own bursts" else np.ones(n)

    errors_b = rng.poisson(baseline * rate * own()).astype(float)
    errors_c = rng.poisson(canary * rate * own() * (1.5 if kind == "worse" else 1.0)).astype(float)
    would = rng.poisson(canary * rate * own())
    if kind == "outage":
        errors_c[100:103] = canary[100:103]
    return PairedBuckets(START + np.arange(n) * 600, errors_b, baseline, errors_c, canary), float(
        errors_c.sum() - would.sum()
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
    ],
)
def test_the_interval_holds_what_is_true_in_nineteen_worlds_of_twenty(kind: str, options: dict[str, float]) -> None:
    rng, inside = np.random.default_rng(20261124), 0
    for _ in range(200):
        told, truth = simulate(kind, rng, **options)
        found = excess_errors(told, overdispersion([told]))
        assert found.lower is not None and found.upper is not None
        inside += found.lower <= truth <= found.upper
    assert inside >= 182  # 95 % of 200 are 190; two and a half standard errors are 8


def test_own_bursts_widen_the_interval_shared_ones_and_an_outage_hardly() -> None:
    found = {
        kind: overdispersion([simulate(kind, np.random.default_rng(1))[0]])
        for kind in ("independent", "shared bursts", "outage", "own bursts")
    }
    assert found["independent"] < 1.3 and found["shared bursts"] < 1.5 and found["outage"] < 2.5
    assert 3 < found["own bursts"] < 12


def test_a_bucket_is_outside_the_margin_only_where_chance_does_not_explain_it() -> None:
    told = make_timeline(
        make_fleet_timeline([90_000] * 4, [180] * 4),
        make_fleet_timeline([10_000, 10_000, 10_000, 100], [20, 30, 60, 1]),  # 0.2 %, 0.3 %, 0.6 %, 1 % of few
    )
    assert list(outside_error_rate(told, Margin(value=0.05, unit="pp"), 1.0)) == [False, False, True, False]
    assert list(outside_error_rate(told, Margin(value=10, unit="%"), 1.0)) == [False, False, True, False]
    assert list(outside_error_rate(told, Margin(value=0.05, unit="pp"), 30.0)) == [False] * 4


def test_a_dead_canary_is_outside_and_a_missing_one_is_not() -> None:
    told = make_timeline(make_fleet_timeline([9000] * 3, [18] * 3), make_fleet_timeline([1000, NAN, 0], [1000, NAN, 0]))
    assert list(outside_error_rate(told, Margin(value=0.05, unit="pp"), 2.0)) == [True, False, False]


def test_p95_is_outside_where_both_have_answers_enough_and_chance_does_not_explain_it() -> None:
    wave = [0.2, 0.21, 0.19, 0.2, 0.21, 0.19, 0.2, 0.21, 0.19]
    requests = [3000.0] * 9 + [3000, 3000, 100, 3000]
    told = make_timeline(
        make_fleet_timeline([9000] * 13, p95=[0.2] * 13),
        make_fleet_timeline(requests, p95=[*wave, 0.23, 0.4, 0.9, NAN]),
    )
    # By 15 %, by 100 %, on too few answers, without an answer: the first is beyond 10 % and within what the two scatter.
    assert list(outside_p95(told, Margin(value=10, unit="%")))[9:] == [False, True, False, False]
    assert list(outside_p95(told, Margin(value=10, unit="ms")))[9:] == [False, True, False, False]
    assert not outside_p95(told, Margin(value=10, unit="%"))[:9].any()


def test_a_phase_that_is_slow_throughout_is_outside_throughout() -> None:
    told = make_timeline(
        make_fleet_timeline([9000] * 3, p95=[0.2] * 3), make_fleet_timeline([3000] * 3, p95=[0.4, 0.42, 0.41])
    )
    assert list(outside_p95(told, Margin(value=10, unit="%"))) == [True] * 3


def minute_timeline(shares: list[float]) -> object:
    canary = [1000 * share for share in shares]
    return make_timeline(make_fleet_timeline([1000 - one for one in canary]), make_fleet_timeline(canary), bucket_s=60)


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ([0.25, 0.25, 0.0, 0.0, 0.0, 0.0], 60),  # told in the third minute, seen in it
        ([0.25, 0.25, 0.2, 0.1, 0.0, 0.0, 0.0], 180),
        ([0.25, 0.25, 0.0, 0.2, 0.02, 0.02, 0.01], 180),  # once is not enough
        ([0.25, 0.25, 0.25, 0.25], None),
        ([0.25, 0.25], None),  # nothing was kept after it
    ],
)
def test_a_step_back_takes_effect_when_the_share_that_is_seen_stays_back(shares: list[float], said: int | None) -> None:
    assert time_to_effect_s(minute_timeline(shares), START + 120, 0.25, 0.0) == said  # type: ignore[arg-type]


def test_within_is_counted_from_the_second_of_the_step() -> None:
    assert time_to_effect_s(minute_timeline([0.25, 0.0, 0.0, 0.0]), START + 40, 0.25, 0.0) == 80  # type: ignore[arg-type]


def test_where_only_longer_periods_are_kept_within_is_one_of_them() -> None:
    shares = [0.25, NAN, NAN, NAN, NAN, 0.0, NAN, NAN, NAN, NAN, 0.0]
    assert time_to_effect_s(minute_timeline(shares), START + 300, 0.25, 0.0) == 300  # type: ignore[arg-type]


def test_steps_back_are_told_with_their_reason_and_the_first_alert() -> None:
    known = [make_phase(0, 10, 0.1), make_phase(10, 60, 0.25, 0.1), make_phase(60, 90, 0.0, 0.25)]
    happened = [
        make_event(5, "alert", "long over", until=8),
        make_event(48, "alert", "no healthy host", until=70),
        make_event(52, "alert", "5xx", until=61),
        make_event(61, "rollback", "Back to 0 %"),
    ]
    around = {START + 3600: replace(minute_timeline([0.25, 0.0, 0.0, 0.0]), ts=START + 3540 + np.arange(4) * 60)}  # type: ignore[type-var]
    assert rollbacks(known, happened, around) == (Rollback(START + 3600, 0.25, 0.0, "Back to 0 %", 60, 720),)
    assert rollbacks(known, [], {}) == (Rollback(START + 3600, 0.25, 0.0, "", None, None),)
    assert rollbacks([make_phase(0, 10, 0.1), make_phase(10, 60, None), make_phase(60, 90, 0.0)], [], {}) == ()
