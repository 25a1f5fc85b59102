"""A side that breaks in the middle of a phase: whether the last minutes alone are beyond the margin, whatever was before them.

Over a whole phase a break looks like one long burst: the longer all was well, the less the judge believes it. So evidence also starts anew
every half hour (an e-detector: Shin, Ramdas & Rinaldo 2022), and how far minutes scatter is taken from before the start, where no break is.
"""

import numpy as np
import numpy.typing as npt

from analysis.parity.confidence_sequences import (
    RunningDifferences,
    RunningRates,
    difference_bounds,
    log_ratio_bounds,
    recent_mean_lower_bound,
)
from analysis.series.grid import BoolArray, FloatArray
from domain import Criterion

START_EVERY_MINUTES = 30  # minutes between starts, and the history before the first
FOLLOWED_MINUTES = 60  # minutes that a start is followed
IGNORED_WORST_MINUTES = 3  # minutes of each that do not count: what a burst is must not be a break
FIRST_LOOK_MINUTES = IGNORED_WORST_MINUTES + 1  # no look before more of them were seen
ALPHA = 0.0025  # for all starts of a phase together, the k-th one gets 6 / (π·k)² of it


def recent_rate_above_margin(
    criterion: Criterion,
    samples: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    running: RunningRates,
    n_comparisons: int,
    *,
    last_only: bool,
) -> BoolArray:
    """For each minute (the last alone if `last`), whether the second side's rate since one of the starts is above the first's by the margin.

    `sides`: events and requests of the first, then the second's, minute by minute; `known` is the running evidence of them all.
    """
    b, n_b, c, n_c = samples
    starts = _starts(len(b), last_only=last_only)
    found = np.zeros(len(b), dtype=bool)
    if not len(starts):
        return found[-1:] if last_only else found
    at = _followed_indices(starts, len(b))
    keep = _weights_without_worst((c / n_c - b / n_b)[at])
    sums = [np.einsum("sme,sm->se", keep, side[at]) for side in (b, n_b, c, n_c)]
    before = (starts - 1)[:, None] + np.zeros_like(at[:, FIRST_LOOK_MINUTES:])
    since = RunningRates(
        running.minutes[before], sums[0], sums[1], sums[2], sums[3], running.overdispersion[before], running.dof[before]
    )
    relative, margin = criterion.margin.unit == "%", criterion.margin.value / 100
    low, _ = (log_ratio_bounds if relative else difference_bounds)(since, _alphas(starts, n_comparisons))
    return _flag_minutes(low > (np.log1p(margin) if relative else margin), starts, found, last_only=last_only)


def recent_difference_above_margin(
    criterion: Criterion, values: FloatArray, running: RunningDifferences, n_comparisons: int, *, last_only: bool
) -> BoolArray:
    """The same for paired differences of latency, second − first (of their logarithms where the margin is relative)."""
    starts = _starts(len(values), last_only=last_only)
    found = np.zeros(len(values), dtype=bool)
    if not len(starts):
        return found[-1:] if last_only else found
    at = _followed_indices(starts, len(values))
    keep = _weights_without_worst(values[at])
    minutes = keep.sum(axis=1)
    mean = np.einsum("sme,sm->se", keep, values[at]) / minutes
    history = RunningDifferences(*(getattr(running, name)[starts - 1][:, None] for name in running.__slots__))
    low = recent_mean_lower_bound(mean, minutes, history, _alphas(starts, n_comparisons))
    margin = np.log1p(criterion.margin.value / 100) if criterion.margin.unit == "%" else criterion.margin.value / 1000
    return _flag_minutes(low > margin, starts, found, last_only=last_only)


def _starts(minutes: int, *, last_only: bool) -> npt.NDArray[np.int64]:
    """The minutes at which evidence starts anew; of the last minute's alone those that are still followed."""
    first = (
        START_EVERY_MINUTES
        if not last_only
        else max(START_EVERY_MINUTES, -(-(minutes - FOLLOWED_MINUTES) // START_EVERY_MINUTES) * START_EVERY_MINUTES)
    )
    return np.arange(first, minutes, START_EVERY_MINUTES)


def _alphas(starts: npt.NDArray[np.int64], n_comparisons: int) -> FloatArray:
    """What each start may spend, starts × 1."""
    spent: FloatArray = ALPHA / n_comparisons * 6 / np.square(np.pi * (starts[:, None] // START_EVERY_MINUTES))
    return spent


def _followed_indices(starts: npt.NDArray[np.int64], minutes: int) -> npt.NDArray[np.int64]:
    """Starts × LASTS places; what would lie beyond the end is the last minute again, and is not looked at."""
    places: npt.NDArray[np.int64] = np.minimum(starts[:, None] + np.arange(FOLLOWED_MINUTES), minutes - 1)
    return places


def _weights_without_worst(score: FloatArray) -> FloatArray:
    """Starts × minutes × ends (from FIRST): 1 where a minute counts at that end, because it was by then and WORST others were at least as bad."""
    minute = np.arange(FOLLOWED_MINUTES)
    worse = (score[:, :, None] > score[:, None, :]) | (
        (score[:, :, None] == score[:, None, :]) & (minute[:, None] > minute)
    )  # starts × others × minutes
    others = np.cumsum(worse, axis=1)[:, FIRST_LOOK_MINUTES:, :].transpose(0, 2, 1)
    return np.where((minute[:, None] <= minute[FIRST_LOOK_MINUTES:]) & (others >= IGNORED_WORST_MINUTES), 1.0, 0.0)


def _flag_minutes(hits: BoolArray, starts: npt.NDArray[np.int64], flags: BoolArray, *, last_only: bool) -> BoolArray:
    """Each start's minutes back in their places."""
    for start, row in zip(starts + FIRST_LOOK_MINUTES, hits, strict=True):
        end = min(start + len(row), len(flags))
        flags[start:end] |= row[: max(end - start, 0)]
    return flags[-1:] if last_only else flags
