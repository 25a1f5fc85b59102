"""Percentiles of counted values, exact, and how sure they are."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Z_95 = 1.959964  # 95 %


@dataclass(frozen=True, slots=True)
class Percentile:
    """A percentile in seconds, and the interval that holds the true one with 95 %; an end is None where so few values cannot bound it."""

    value_s: float
    lower_s: float | None
    upper_s: float | None


def percentile(ms: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], quantile: float) -> Percentile | None:
    """The `share` quantile (0–1) of values `ms` (ascending milliseconds) that occur `n` times each; None without any.

    Between two neighbours it is interpolated as numpy.quantile does. The interval are the order statistics whose ranks bound a binomial with
    probability 95 % (Conover, Practical Nonparametric Statistics, 3.2; normal approximation, ranks rounded outwards). It takes requests for
    independent of each other; where they cluster it is too narrow.
    """
    total = int(counts.sum())
    if not total:
        return None
    upto = np.cumsum(counts)

    def at(rank: int) -> float:
        return float(ms[np.searchsorted(upto, rank, side="right")]) / 1000

    place = quantile * (total - 1)
    below = int(place)
    value = at(below) + (place - below) * (at(min(below + 1, total - 1)) - at(below))
    spread = Z_95 * (total * quantile * (1 - quantile)) ** 0.5
    low, high = int(np.floor(total * quantile - spread)) - 1, int(np.ceil(total * quantile + spread))
    return Percentile(value, at(low) if low >= 0 else None, at(high) if high < total else None)
