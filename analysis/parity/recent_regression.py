"""A side that breaks in the middle of a phase: whether the last minutes alone are beyond the margin, whatever was before them.

Over a whole phase a break looks like one long burst: the longer all was well, the less the judge believes it. So evidence also starts anew
every half hour (an e-detector: Shin, Ramdas & Rinaldo 2022), and how far minutes scatter is taken from before the start, where no break is.
"""

import numpy as np
import numpy.typing as npt

from analysis.parity.confidence_sequences import (
    Counts,
    Differences,
    difference_bounds,
    log_ratio_bounds,
    recent_mean_above,
)
from analysis.series.grid import Flags, Values
from domain import Criterion

EVERY = 30  # minutes between starts, and the history before the first
LASTS = 60  # minutes that a start is followed
WORST = 3  # minutes of each that do not count: what a burst is must not be a break
FIRST = WORST + 1  # no look before more of them were seen
ALPHA = 0.0025  # for all starts of a phase together, the k-th one gets 6 / (π·k)² of it


def above_lately_counts(
    criterion: Criterion, sides: tuple[Values, Values, Values, Values], known: Counts, family: int, *, last: bool
) -> Flags:
    """For each minute (the last alone if `last`), whether the second side's rate since one of the starts is above the first's by the margin.

    `sides`: events and requests of the first, then the second's, minute by minute; `known` is the running evidence of them all.
    """
    b, n_b, c, n_c = sides
    starts = _starts(len(b), last=last)
    found = np.zeros(len(b), dtype=bool)
    if not len(starts):
        return found[-1:] if last else found
    at = _places(starts, len(b))
    keep = _but_the_worst((c / n_c - b / n_b)[at])
    sums = [np.einsum("sme,sm->se", keep, side[at]) for side in (b, n_b, c, n_c)]
    before = (starts - 1)[:, None] + np.zeros_like(at[:, FIRST:])
    since = Counts(
        known.minutes[before], sums[0], sums[1], sums[2], sums[3], known.inflation[before], known.freedom[before]
    )
    relative, margin = criterion.margin.unit == "%", criterion.margin.value / 100
    low, _ = (log_ratio_bounds if relative else difference_bounds)(since, _alphas(starts, family))
    return _spread(low > (np.log1p(margin) if relative else margin), starts, found, last=last)


def above_lately_differences(
    criterion: Criterion, values: Values, known: Differences, family: int, *, last: bool
) -> Flags:
    """The same for paired differences of latency, second − first (of their logarithms where the margin is relative)."""
    starts = _starts(len(values), last=last)
    found = np.zeros(len(values), dtype=bool)
    if not len(starts):
        return found[-1:] if last else found
    at = _places(starts, len(values))
    keep = _but_the_worst(values[at])
    minutes = keep.sum(axis=1)
    mean = np.einsum("sme,sm->se", keep, values[at]) / minutes
    history = Differences(*(getattr(known, name)[starts - 1][:, None] for name in known.__slots__))
    low = recent_mean_above(mean, minutes, history, _alphas(starts, family))
    margin = np.log1p(criterion.margin.value / 100) if criterion.margin.unit == "%" else criterion.margin.value / 1000
    return _spread(low > margin, starts, found, last=last)


def _starts(minutes: int, *, last: bool) -> npt.NDArray[np.int64]:
    """The minutes at which evidence starts anew; of the last minute's alone those that are still followed."""
    first = EVERY if not last else max(EVERY, -(-(minutes - LASTS) // EVERY) * EVERY)
    return np.arange(first, minutes, EVERY)


def _alphas(starts: npt.NDArray[np.int64], family: int) -> Values:
    """What each start may spend, starts × 1."""
    spent: Values = ALPHA / family * 6 / np.square(np.pi * (starts[:, None] // EVERY))
    return spent


def _places(starts: npt.NDArray[np.int64], minutes: int) -> npt.NDArray[np.int64]:
    """Starts × LASTS places; what would lie beyond the end is the last minute again, and is not looked at."""
    places: npt.NDArray[np.int64] = np.minimum(starts[:, None] + np.arange(LASTS), minutes - 1)
    return places


def _but_the_worst(score: Values) -> Values:
    """Starts × minutes × ends (from FIRST): 1 where a minute counts at that end, because it was by then and WORST others were at least as bad."""
    minute = np.arange(LASTS)
    worse = (score[:, :, None] > score[:, None, :]) | (
        (score[:, :, None] == score[:, None, :]) & (minute[:, None] > minute)
    )  # starts × others × minutes
    others = np.cumsum(worse, axis=1)[:, FIRST:, :].transpose(0, 2, 1)
    return np.where((minute[:, None] <= minute[FIRST:]) & (others >= WORST), 1.0, 0.0)


def _spread(hits: Flags, starts: npt.NDArray[np.int64], found: Flags, *, last: bool) -> Flags:
    """Each start's minutes back in their places."""
    for start, row in zip(starts + FIRST, hits, strict=True):
        end = min(start + len(row), len(found))
        found[start:end] |= row[: max(end - start, 0)]
    return found[-1:] if last else found
