"""Properties of the judge: invariances, and mirroring."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import CriterionVerdict
from analysis.parity.confidence_sequences import (
    difference_bounds,
    log_ratio_bounds,
    mean_bounds,
    running_differences,
    running_rates,
)
from domain import Criterion
from tests.factories.frames import tidy_frame
from tests.factories.judgement import judge

MIRROR = {
    "regression": "improvement",
    "improvement": "regression",
    "significantly_worse": "significantly_better",
    "significantly_better": "significantly_worse",
}

# A scenario: number of minutes, factor of the canary's errors, its share of the traffic, and the seed.
scenarios = st.tuples(
    st.integers(12, 90),
    st.sampled_from([0.3, 1.0, 1.5, 4.0]),
    st.sampled_from([0.01, 0.3, 0.5]),
    st.integers(0, 2**32 - 1),
)
few_examples = settings(max_examples=25, deadline=None, derandomize=True)


def simulated_frame(scenario: tuple[int, float, float, int]) -> pd.DataFrame:
    minutes, canary_factor, share, seed = scenario
    random = np.random.default_rng(seed)
    rows: dict[tuple[str, str, str, str], list[float | None]] = {}
    level = 0.2 * np.exp(0.1 * random.normal(size=minutes))
    for fleet, part, factor in (("baseline", 1 - share, 1.0), ("canary", share, canary_factor)):
        requests = np.full(minutes, round(20_000 * part))
        rows[fleet, fleet, "requests", "sum"] = list(requests)
        rows[fleet, fleet, "target_5xx", "sum"] = list(random.poisson(requests * 1e-3 * factor).astype(float))
        rows[fleet, fleet, "latency", "p50"] = list(level * factor**0.2 * np.exp(0.1 * random.normal(size=minutes)))
    return tidy_frame(rows)


def criteria(rate: str = "50%", latency: str = "10%") -> list[Criterion]:
    return [
        Criterion.model_validate({"metric": "target_5xx_rate", "margin": rate}),
        Criterion.model_validate({"metric": "latency_p50", "margin": latency}),
    ]


def estimate_and_bounds(verdict: CriterionVerdict) -> list[float]:
    return [
        value
        for value in (verdict.estimate, verdict.lower, verdict.upper, verdict.alarm_lower, verdict.alarm_upper)
        if value is not None
    ]


@few_examples
@given(scenarios, st.sampled_from([("50%", "10%"), ("0.05pp", "20ms")]))
def test_swapped_fleets_mirror_the_verdict(world: tuple[int, float, float, int], margins: tuple[str, str]) -> None:
    original = simulated_frame(world)
    swapped = original.assign(
        fleet=original["fleet"].cat.rename_categories({"baseline": "canary", "canary": "baseline"})
    )
    swapped["fleet"] = pd.Categorical(swapped["fleet"].astype(str), categories=original["fleet"].cat.categories)
    for one, other in zip(
        judge(original, criteria(*margins)).criteria, judge(swapped, criteria(*margins)).criteria, strict=True
    ):
        assert other.verdict == MIRROR.get(one.verdict, one.verdict)
        assert other.reason == MIRROR.get(one.reason, one.reason)
        assert (other.baseline_events, other.canary) == (one.canary_events, pytest.approx(one.baseline))
        if "pp" in margins[0] and one.lower is not None:
            assert other.upper == pytest.approx(-one.lower, abs=1e-12) and other.lower == pytest.approx(
                -one.upper, abs=1e-12
            )


@few_examples
@given(scenarios, st.sampled_from([1e-3, 60.0, 1e3]))
def test_the_unit_of_latency_changes_nothing(world: tuple[int, float, float, int], factor: float) -> None:
    original = simulated_frame(world)
    scaled = original.assign(
        value=np.where(original["metric"] == "latency", original["value"] * factor, original["value"])
    )
    one, other = (judge(each, criteria()).criteria[1] for each in (original, scaled))
    assert (one.verdict, one.reason) == (other.verdict, other.reason)
    assert estimate_and_bounds(other) == pytest.approx([x * factor for x in estimate_and_bounds(one)], rel=1e-7)
    absolute, scaled_too = (
        judge(each, criteria(latency=f"{20 * times:g}ms")).criteria[1]
        for each, times in ((original, 1.0), (scaled, factor))
    )
    assert absolute.verdict == scaled_too.verdict


@few_examples
@given(scenarios)
def test_the_order_of_rows_is_irrelevant(world: tuple[int, float, float, int]) -> None:
    original = simulated_frame(world)
    shuffled = original.sample(frac=1, random_state=world[3] % 1000)
    assert judge(original, criteria()) == judge(shuffled, criteria())


@few_examples
@given(scenarios, st.data())
def test_unpaired_minutes_change_nothing(world: tuple[int, float, float, int], data: st.DataObject) -> None:
    original = simulated_frame(world)
    minutes = sorted(original["ts"].unique())
    alone = data.draw(st.sets(st.sampled_from(minutes[1:-1]), max_size=len(minutes) // 4))
    side = data.draw(st.sampled_from(["baseline", "canary"]))
    neither = original[~original["ts"].isin(alone)]
    one_side = original[~(original["ts"].isin(alone) & (original["fleet"] == side))]
    for one, other in zip(judge(neither, criteria()).criteria, judge(one_side, criteria()).criteria, strict=True):
        for field in fields(CriterionVerdict):
            if field.name not in ("excluded", "minutes_to_decision", "minutes_to_decision_even"):
                assert getattr(one, field.name) == getattr(other, field.name)


@few_examples
@given(scenarios, st.integers(2, 6))
def test_repeated_evidence_does_not_widen_the_interval(world: tuple[int, float, float, int], times: int) -> None:
    """The same minutes again and again: each round narrows every interval, but for what their own memory is believed (≤ 5%)."""
    minutes, worse, share, seed = world
    random = np.random.default_rng(seed)
    n_b, n_c = np.full(minutes, 20_000 * (1 - share)), np.full(minutes, 20_000 * share)
    b, c = random.poisson(n_b * 1e-3).astype(float), random.poisson(n_c * 1e-3 * worse).astype(float)
    d = random.normal(size=minutes)
    known = running_rates(*(np.tile(side, times) for side in (b, n_b, c, n_c)))
    after = np.arange(1, times + 1) * minutes - 1
    for low, high in (
        difference_bounds(known, 0.025),
        log_ratio_bounds(known, 0.025),
        mean_bounds(running_differences(np.tile(d, times)), 0.025),
    ):
        with np.errstate(invalid="ignore"):
            width = (high - low)[after]
        width = width[np.isfinite(width)]
        assert (width[1:] <= 1.05 * width[:-1]).all()
