"""Sequential intervals of one criterion in the metric's own unit, its margin, and the verdict at each time."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.parity.confidence_sequences import (
    RunningDifferences,
    RunningRates,
    difference_bounds,
    log_ratio_bounds,
    mean_bounds,
)
from analysis.series.grid import BoolArray, FloatArray
from domain import Criterion

ALPHA_PER_SIDE = 0.025  # an interval is ever wrong with probability ≤ 5 %


@dataclass(frozen=True, slots=True, eq=False)
class SequentialIntervals:
    """Differences canary − baseline in the metric's own unit, one value for each time; CriterionVerdict describes the fields.

    If `is_known` is False there is no interval yet (or no event), and the bounds are meaningless. `is_multiple`: the canary's rate is surely more
    than `max_ratio` times the baseline's.
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
    is_multiple: BoolArray

    def at(self, index: int) -> dict[str, Any]:
        """All numbers at one time, by name."""
        return {
            field.name: float(getattr(self, field.name)[index])
            for field in fields(self)
            if not field.name.startswith("is_")
        }


def intervals(
    criterion: Criterion, running: RunningRates | RunningDifferences, baseline_level: FloatArray, n_comparisons: int
) -> SequentialIntervals:
    """The intervals of running estimates. `n_comparisons`: Bonferroni correction of the alarm bounds; `baseline_level`: see `latency_intervals`."""
    if isinstance(running, RunningRates):
        return rate_intervals(criterion, running, n_comparisons)
    return latency_intervals(criterion, running, baseline_level, n_comparisons)


def rate_intervals(criterion: Criterion, rates: RunningRates, n_comparisons: int) -> SequentialIntervals:
    """Intervals of a difference of rates. `n_comparisons`: Bonferroni correction of the alarm bounds."""
    margin, relative = criterion.margin.value / 100, criterion.margin.unit == "%"
    rate_b, rate_c = rates.rate_b, rates.rate_c
    events = rates.events_b + rates.events_c
    # A relative margin refers to the baseline's rate, or to both fleets' rate while the baseline has no errors.
    level = (
        np.where(rate_b > 0, rate_b, events / (rates.exposure_b + rates.exposure_c))
        if relative
        else np.ones_like(rate_b)
    )
    bounds: list[FloatArray] = []
    for alpha in (ALPHA_PER_SIDE, ALPHA_PER_SIDE / n_comparisons):
        if relative:
            ratios = (
                np.expm1(np.clip(bound, -700, 700)) for bound in log_ratio_bounds(rates, alpha)
            )  # bounds may be ±∞
            lower, upper = (np.clip(ratio * level, -1.0, 1.0) for ratio in ratios)
        else:
            lower, upper = difference_bounds(rates, alpha)
        bounds += [lower, upper]
    is_known = rates.is_enough & (events > 0)
    is_multiple = np.zeros_like(is_known)
    if criterion.max_ratio is not None and not relative:
        is_multiple = log_ratio_bounds(rates, ALPHA_PER_SIDE / n_comparisons)[0] > np.log(criterion.max_ratio)
    lowest = _margin_lower(margin, relative=relative)
    lower, upper, alarm_lower, alarm_upper = bounds
    return SequentialIntervals(
        rate_c - rate_b,
        lower,
        upper,
        alarm_lower,
        alarm_upper,
        lowest * level,
        margin * level,
        rate_b,
        rate_c,
        is_known,
        is_multiple,
    )


def latency_intervals(
    criterion: Criterion, differences: RunningDifferences, baseline_level: FloatArray, n_comparisons: int
) -> SequentialIntervals:
    """Intervals of a difference of latencies, in seconds.

    `baseline_level`: the baseline's mean so far in seconds; geometric if the margin is relative, and then `differences` are log ratios.
    """
    relative = criterion.margin.unit == "%"
    margin = criterion.margin.value / (100 if relative else 1000)

    def own_unit(difference: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):
            return np.expm1(difference) * baseline_level if relative else difference

    bounds = [
        bound for alpha in (ALPHA_PER_SIDE, ALPHA_PER_SIDE / n_comparisons) for bound in mean_bounds(differences, alpha)
    ]
    estimate = own_unit(differences.mean)
    scale = baseline_level if relative else np.ones_like(baseline_level)
    is_known = np.isfinite(bounds[2]) & np.isfinite(bounds[3])
    lower, upper, alarm_lower, alarm_upper = (own_unit(bound) for bound in bounds)
    return SequentialIntervals(
        estimate,
        lower,
        upper,
        alarm_lower,
        alarm_upper,
        _margin_lower(margin, relative=relative) * scale,
        margin * scale,
        baseline_level,
        baseline_level + estimate,
        is_known,
        np.zeros_like(is_known),
    )


def _margin_lower(margin: float, *, relative: bool) -> float:
    """The lower end of a margin; for a relative one the inverse factor (10 % → −9.1 %), so that swapped fleets mirror the verdict."""
    return -margin / (1 + margin) if relative else -margin


def interval_verdicts(criterion: Criterion, intervals: SequentialIntervals) -> npt.NDArray[np.str_]:
    """The verdict at each time."""
    above, below = intervals.alarm_lower > intervals.margin, intervals.alarm_upper < intervals.margin_lower
    worse, better = (above, below) if criterion.better == "lower" else (below, above)
    inside = (intervals.lower >= intervals.margin_lower) & (intervals.upper <= intervals.margin)
    inside &= ~intervals.is_multiple
    return np.select(
        [~intervals.is_known, worse, better, inside],
        ["not enough data", "regression", "improvement", "parity"],
        "undecided",
    )
