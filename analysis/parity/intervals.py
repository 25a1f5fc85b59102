"""One criterion at many moments: intervals in the metric's own unit beside its margin, and the verdict each moment allows."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.parity.confidence_sequences import (
    FEWEST_MINUTES,
    Counts,
    Differences,
    difference_bounds,
    log_ratio_bounds,
    mean_bounds,
)
from analysis.series.grid import Flags, Values
from domain import Criterion

ALPHA = 0.025  # a side: an interval is wrong at any look with probability ≤ 5 %


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """Differences canary − baseline in the metric's own unit, one value a moment; what they mean stands at CriterionVerdict.

    `known`: there is an interval, and something happened. Where it is False the bounds mean nothing.
    """

    estimate: Values
    low: Values
    high: Values
    alarm_low: Values
    alarm_high: Values
    margin_low: Values
    margin: Values
    baseline: Values
    canary: Values
    known: Flags

    def at(self, moment: int) -> dict[str, Any]:
        """All numbers of one moment, by name."""
        return {one.name: float(getattr(self, one.name)[moment]) for one in fields(self) if one.name != "known"}


def looks_at_counts(criterion: Criterion, known: Counts, family: int) -> Looks:
    """What rates allow to say. `family`: how many criteria may raise an alarm (Bonferroni)."""
    margin, relative = criterion.margin.value / 100, criterion.margin.unit == "%"
    rate_b, rate_c = known.rate_b, known.rate_c
    events = known.events_b + known.events_c
    # What a relative margin is relative to: while the baseline has no errors yet, both sides' rate.
    level = (
        np.where(rate_b > 0, rate_b, events / (known.exposure_b + known.exposure_c))
        if relative
        else np.ones_like(rate_b)
    )
    bounds: list[Values] = []
    for alpha in (ALPHA, ALPHA / family):
        if relative:
            ratios = (np.expm1(np.clip(bound, -700, 700)) for bound in log_ratio_bounds(known, alpha))  # ±∞ before it
            low, high = (np.clip(ratio * level, -1.0, 1.0) for ratio in ratios)
        else:
            low, high = difference_bounds(known, alpha)
        bounds += [low, high]
    edge = -margin / (1 + margin) if relative else -margin
    enough = (known.minutes >= FEWEST_MINUTES) & (events > 0)
    low, high, alarm_low, alarm_high = bounds
    return Looks(
        rate_c - rate_b, low, high, alarm_low, alarm_high, edge * level, margin * level, rate_b, rate_c, enough
    )


def looks_at_differences(criterion: Criterion, known: Differences, level: Values, family: int) -> Looks:
    """What latencies allow to say. `level`: the baseline's mean so far in seconds; geometric for a relative margin, where `known` is of log ratios."""
    relative = criterion.margin.unit == "%"
    margin = criterion.margin.value / (100 if relative else 1000)
    edge = -margin / (1 + margin) if relative else -margin

    def own_unit(difference: Values) -> Values:
        with np.errstate(over="ignore"):
            return np.expm1(difference) * level if relative else difference

    bounds = [bound for alpha in (ALPHA, ALPHA / family) for bound in mean_bounds(known, alpha)]
    estimate = own_unit(known.mean)
    scale = level if relative else np.ones_like(level)
    with np.errstate(invalid="ignore"):
        enough = (known.minutes >= FEWEST_MINUTES) & np.isfinite(bounds[2]) & np.isfinite(bounds[3])
    low, high, alarm_low, alarm_high = (own_unit(bound) for bound in bounds)
    return Looks(
        estimate, low, high, alarm_low, alarm_high, edge * scale, margin * scale, level, level + estimate, enough
    )


def verdicts(criterion: Criterion, looks: Looks) -> npt.NDArray[np.str_]:
    """The verdict of each moment."""
    above, below = looks.alarm_low > looks.margin, looks.alarm_high < looks.margin_low
    worse, better = (above, below) if criterion.better == "lower" else (below, above)
    inside = (looks.low >= looks.margin_low) & (looks.high <= looks.margin)
    return np.select(
        [~looks.known, worse, better, inside], ["not enough data", "regression", "improvement", "parity"], "undecided"
    )
