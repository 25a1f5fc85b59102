"""Sequential intervals of one criterion in the metric's own unit, its margin, and the verdict at each time."""

from dataclasses import dataclass

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
VerdictArray = npt.NDArray[np.str_]


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

    @property
    def is_inside(self) -> BoolArray:
        """Whether the whole interval lies inside the margin."""
        return (self.lower >= self.margin_lower) & (self.upper <= self.margin)


def intervals(
    criterion: Criterion,
    running: RunningRates | RunningDifferences,
    n_comparisons: int,
    baseline_level: FloatArray | None = None,
) -> SequentialIntervals:
    """The intervals of running estimates. `n_comparisons`: Bonferroni correction of the alarm bounds.

    `baseline_level`, of a latency: the baseline's mean so far in seconds; geometric if the margin is relative: then the differences are log ratios.
    """
    relative, margin = criterion.margin.is_relative, criterion.margin.amount
    is_multiple = np.zeros_like(running.is_enough)
    alphas = ALPHA_PER_SIDE, ALPHA_PER_SIDE / n_comparisons
    if isinstance(running, RunningRates):
        limit, events, baseline = 1.0, running.events_b + running.events_c, running.rate_b
        # A relative margin refers to the baseline's rate, or to both fleets' rate while the baseline has no errors.
        level = np.where(baseline > 0, baseline, events / (running.exposure_b + running.exposure_c))
        estimate, is_known = running.rate_c - baseline, running.is_enough & (events > 0)
        bounds_of = log_ratio_bounds if relative else difference_bounds
        bounds = [bound for alpha in alphas for bound in bounds_of(running, alpha)]
        if criterion.max_ratio is not None and not relative:
            is_multiple = log_ratio_bounds(running, alphas[1])[0] > np.log(criterion.max_ratio)
    else:
        assert baseline_level is not None
        limit, baseline, level = np.inf, baseline_level, baseline_level
        estimate = np.expm1(running.mean) * level if relative else running.mean
        bounds = [bound for alpha in alphas for bound in mean_bounds(running, alpha)]
        is_known = np.isfinite(bounds[2]) & np.isfinite(bounds[3])
    if relative:
        with np.errstate(over="ignore", invalid="ignore"):  # they may be infinite
            bounds = [np.expm1(bound) * level for bound in bounds]
    # The lower end of a relative margin is the inverse factor (10 % → −9.1 %), so that swapped fleets mirror the verdict.
    lowest, scale = (-margin / (1 + margin), level) if relative else (-margin, np.ones_like(level))
    margins, levels = (lowest * scale, margin * scale), (baseline, baseline + estimate)
    lower, upper, alarm_lower, alarm_upper = (np.clip(bound, -limit, limit) for bound in bounds)
    return SequentialIntervals(
        estimate, lower, upper, alarm_lower, alarm_upper, *margins, *levels, is_known, is_multiple
    )


def interval_verdicts(criterion: Criterion, intervals: SequentialIntervals) -> VerdictArray:
    """The verdict at each time."""
    above, below = intervals.alarm_lower > intervals.margin, intervals.alarm_upper < intervals.margin_lower
    worse, better = criterion.worse_and_better(above, below)
    return np.select(
        [~intervals.is_known, worse, better, intervals.is_inside & ~intervals.is_multiple],
        ["not enough data", "regression", "improvement", "parity"],
        "undecided",
    )
