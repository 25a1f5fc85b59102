"""Exact percentiles of counted values, with confidence intervals."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Z_95 = 1.959964  # two-sided 95 % quantile of the normal distribution


@dataclass(frozen=True, slots=True)
class Percentile:
    """A percentile with its 95 % CI, in seconds; a bound is None if there are too few values for it."""

    value_s: float
    lower_s: float | None
    upper_s: float | None


def percentile(ms: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], quantile: float) -> Percentile | None:
    """The `quantile` (0–1) of values `ms` (ascending milliseconds) that occur `counts` times each; None if there are none.

    Interpolated like numpy.quantile. The CI's bounds are order statistics (Conover, Practical Nonparametric Statistics, 3.2; normal
    approximation of the binomial ranks, rounded outwards). It assumes independent requests: it is too narrow if they cluster.
    """
    total = int(counts.sum())
    if not total:
        return None
    cumulative = np.cumsum(counts)

    def value_at(rank: int) -> float:
        return float(ms[np.searchsorted(cumulative, rank, side="right")]) / 1000

    position = quantile * (total - 1)
    below = int(position)
    value = value_at(below) + (position - below) * (value_at(min(below + 1, total - 1)) - value_at(below))
    half_width = Z_95 * (total * quantile * (1 - quantile)) ** 0.5
    lower_rank, upper_rank = (
        int(np.floor(total * quantile - half_width)) - 1,
        int(np.ceil(total * quantile + half_width)),
    )
    return Percentile(
        value, value_at(lower_rank) if lower_rank >= 0 else None, value_at(upper_rank) if upper_rank < total else None
    )


def block_percentiles(
    block: npt.NDArray[np.int64],
    ms: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    quantile: float,
    n_blocks: int,
    *,
    min_values: int,
) -> npt.NDArray[np.float64]:
    """The `quantile` of each block in seconds; NaN of fewer than `min_values` values. `block`: the index of each value's block, in any order."""
    result = np.full(n_blocks, np.nan)
    order = np.lexsort((ms, block))
    edges = np.searchsorted(block[order], np.arange(n_blocks + 1))
    for index in np.flatnonzero(np.diff(edges)):
        rows = order[edges[index] : edges[index + 1]]
        found = percentile(ms[rows], counts[rows], quantile)
        if found and counts[rows].sum() >= min_values:
            result[index] = found.value_s
    return result


@dataclass(frozen=True, slots=True)
class RelativeDifference:
    """A difference as a fraction of the baseline's value, with its 95% CI; without one, both bounds are None."""

    estimate: float
    lower: float | None
    upper: float | None


def relative_difference(baseline: Percentile, canary: Percentile) -> RelativeDifference | None:
    """canary / baseline − 1; None at a baseline of zero.

    The CI joins the worst cases of both CIs. It covers at least 95%: the half widths of independent estimates add up to more than their root
    sum of squares.
    """
    if not baseline.value_s:
        return None
    estimate = canary.value_s / baseline.value_s - 1
    if canary.lower_s is None or canary.upper_s is None or not baseline.lower_s or baseline.upper_s is None:
        return RelativeDifference(estimate, None, None)
    return RelativeDifference(estimate, canary.lower_s / baseline.upper_s - 1, canary.upper_s / baseline.lower_s - 1)
