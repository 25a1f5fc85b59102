"""One criterion at many moments: intervals in the metric's own unit beside its margin, and the verdict each moment allows."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.parity.confidence_sequences import (
    MIN_MINUTES,
    RunningDifferences,
    RunningRates,
    difference_bounds,
    log_ratio_bounds,
    mean_bounds,
)
from analysis.series.grid import BoolArray, FloatArray
from domain import Criterion

ALPHA_PER_SIDE = 0.025  # a side: an interval is wrong at any look with probability ≤ 5 %


@dataclass(frozen=True, slots=True, eq=False)
class SequentialIntervals:
    """Differences canary − baseline in the metric's own unit, one value a moment; what they mean stands at CriterionVerdict.

    `known`: there is an interval, and something happened. Where it is False the bounds mean nothing.
    """

    estimate: FloatArray
    lower: FloatArray
    upper: FloatArray
    alarm_lower: FloatArray
    alarm_upper: FloatArray
    margin_lower: FloatArray
    margin: FloatArray
    baseline: FloatArray
    canary: FloatArray
    is_known: BoolArray

    def at(self, index: int) -> dict[str, Any]:
        """All numbers of one moment, by name."""
        return {one.name: float(getattr(self, one.name)[index]) for one in fields(self) if one.name != "is_known"}


def rate_intervals(criterion: Criterion, rates: RunningRates, n_comparisons: int) -> SequentialIntervals:
    """What rates allow to say. `family`: how many criteria may raise an alarm (Bonferroni)."""
    margin, relative = criterion.margin.value / 100, criterion.margin.unit == "%"
    rate_b, rate_c = rates.rate_b, rates.rate_c
    events = rates.events_b + rates.events_c
    # What a relative margin is relative to: while the baseline has no errors yet, both sides' rate.
    level = (
        np.where(rate_b > 0, rate_b, events / (rates.exposure_b + rates.exposure_c))
        if relative
        else np.ones_like(rate_b)
    )
    bounds: list[FloatArray] = []
    for alpha in (ALPHA_PER_SIDE, ALPHA_PER_SIDE / n_comparisons):
        if relative:
            ratios = (np.expm1(np.clip(bound, -700, 700)) for bound in log_ratio_bounds(rates, alpha))  # ±∞ before it
            low, high = (np.clip(ratio * level, -1.0, 1.0) for ratio in ratios)
        else:
            low, high = difference_bounds(rates, alpha)
        bounds += [low, high]
    edge = -margin / (1 + margin) if relative else -margin
    enough = (rates.minutes >= MIN_MINUTES) & (events > 0)
    low, high, alarm_low, alarm_high = bounds
    return SequentialIntervals(
        rate_c - rate_b, low, high, alarm_low, alarm_high, edge * level, margin * level, rate_b, rate_c, enough
    )


def latency_intervals(
    criterion: Criterion, differences: RunningDifferences, baseline_level: FloatArray, n_comparisons: int
) -> SequentialIntervals:
    """What latencies allow to say. `level`: the baseline's mean so far in seconds; geometric for a relative margin, where `known` is of log ratios."""
    relative = criterion.margin.unit == "%"
    margin = criterion.margin.value / (100 if relative else 1000)
    edge = -margin / (1 + margin) if relative else -margin

    def own_unit(difference: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):
            return np.expm1(difference) * baseline_level if relative else difference

    bounds = [
        bound for alpha in (ALPHA_PER_SIDE, ALPHA_PER_SIDE / n_comparisons) for bound in mean_bounds(differences, alpha)
    ]
    estimate = own_unit(differences.mean)
    scale = baseline_level if relative else np.ones_like(baseline_level)
    with np.errstate(invalid="ignore"):
        enough = (differences.minutes >= MIN_MINUTES) & np.isfinite(bounds[2]) & np.isfinite(bounds[3])
    low, high, alarm_low, alarm_high = (own_unit(bound) for bound in bounds)
    return SequentialIntervals(
        estimate,
        low,
        high,
        alarm_low,
        alarm_high,
        edge * scale,
        margin * scale,
        baseline_level,
        baseline_level + estimate,
        enough,
    )


def interval_verdicts(criterion: Criterion, intervals: SequentialIntervals) -> npt.NDArray[np.str_]:
    """The verdict of each moment."""
    above, below = intervals.alarm_lower > intervals.margin, intervals.alarm_upper < intervals.margin_lower
    worse, better = (above, below) if criterion.better == "lower" else (below, above)
    inside = (intervals.lower >= intervals.margin_lower) & (intervals.upper <= intervals.margin)
    return np.select(
        [~intervals.is_known, worse, better, inside],
        ["not enough data", "regression", "improvement", "parity"],
        "undecided",
    )
