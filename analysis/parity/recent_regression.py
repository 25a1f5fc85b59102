"""Recent regressions: is a fleet beyond the margin in the last minutes alone, whatever came before?

Over a whole phase a break looks like one burst, so the intervals widen and detect it late. Therefore evidence is also accumulated afresh
from a new start every half hour (an e-detector: Shin, Ramdas & Rinaldo 2022), with the variance estimated before the start.
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

START_EVERY_MINUTES = 30  # between starts, and before the first
FOLLOWED_MINUTES = 60  # after each start
IGNORED_WORST_MINUTES = 3  # the worst minutes after a start do not count: a burst is no break
FIRST_LOOK_MINUTES = IGNORED_WORST_MINUTES + 1
ALPHA = 0.0025  # of all starts of a phase together: the k-th gets 6 / (π·k)² of it


def recent_rate_above_margin(
    criterion: Criterion,
    samples: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    running: RunningRates,
    n_comparisons: int,
    *,
    last_only: bool,
) -> BoolArray:
    """For each minute (or the last one), whether the second rate since any start exceeds the first by more than the margin.

    `samples`: events and requests of the first fleet, then of the second, per minute; `running`: the running rates of the whole phase.
    """
    b, n_b, c, n_c = samples
    starts = _starts(len(b), last_only=last_only)
    flags = np.zeros(len(b), dtype=bool)
    if not len(starts):
        return flags[-1:] if last_only else flags
    indices = _followed_indices(starts, len(b))
    weights = _weights_without_worst((c / n_c - b / n_b)[indices])
    sums = [np.einsum("sme,sm->se", weights, counts[indices]) for counts in (b, n_b, c, n_c)]
    history = (starts - 1)[:, None] + np.zeros_like(indices[:, FIRST_LOOK_MINUTES:])
    recent = RunningRates(
        running.minutes[history],
        sums[0],
        sums[1],
        sums[2],
        sums[3],
        running.overdispersion[history],
        running.dof[history],
    )
    relative, margin = criterion.margin.unit == "%", criterion.margin.value / 100
    lower, _ = (log_ratio_bounds if relative else difference_bounds)(recent, _alphas(starts, n_comparisons))
    return _flag_minutes(lower > (np.log1p(margin) if relative else margin), starts, flags, last_only=last_only)


def recent_difference_above_margin(
    criterion: Criterion, values: FloatArray, running: RunningDifferences, n_comparisons: int, *, last_only: bool
) -> BoolArray:
    """The same for paired differences of latency, second − first (log ratios if the margin is relative)."""
    starts = _starts(len(values), last_only=last_only)
    flags = np.zeros(len(values), dtype=bool)
    if not len(starts):
        return flags[-1:] if last_only else flags
    indices = _followed_indices(starts, len(values))
    weights = _weights_without_worst(values[indices])
    minutes = weights.sum(axis=1)
    mean = np.einsum("sme,sm->se", weights, values[indices]) / minutes
    history = RunningDifferences(*(getattr(running, name)[starts - 1][:, None] for name in running.__slots__))
    lower = recent_mean_lower_bound(mean, minutes, history, _alphas(starts, n_comparisons))
    margin = np.log1p(criterion.margin.value / 100) if criterion.margin.unit == "%" else criterion.margin.value / 1000
    return _flag_minutes(lower > margin, starts, flags, last_only=last_only)


def _starts(minutes: int, *, last_only: bool) -> npt.NDArray[np.int64]:
    """Indices of the minutes that start afresh; for the last minute only those that are still followed."""
    starts = np.arange(START_EVERY_MINUTES, minutes, START_EVERY_MINUTES)
    return starts[starts >= minutes - FOLLOWED_MINUTES] if last_only else starts


def _alphas(starts: npt.NDArray[np.int64], n_comparisons: int) -> FloatArray:
    """Error probability of each start: shape (starts, 1)."""
    alphas: FloatArray = ALPHA / n_comparisons * 6 / np.square(np.pi * (starts[:, None] // START_EVERY_MINUTES))
    return alphas


def _followed_indices(starts: npt.NDArray[np.int64], minutes: int) -> npt.NDArray[np.int64]:
    """Minutes after each start: shape (starts, FOLLOWED_MINUTES). Indices beyond the end repeat the last minute and are discarded later."""
    indices: npt.NDArray[np.int64] = np.minimum(starts[:, None] + np.arange(FOLLOWED_MINUTES), minutes - 1)
    return indices


def _weights_without_worst(score: FloatArray) -> FloatArray:
    """1 for minutes that count at each end, 0 for later ones and the worst so far: shape (starts, minutes, ends from FIRST_LOOK_MINUTES)."""
    minute = np.arange(FOLLOWED_MINUTES)
    # Shape (starts, others, minutes); among equal scores the later minute is the worse one.
    worse = (score[:, :, None] > score[:, None, :]) | (
        (score[:, :, None] == score[:, None, :]) & (minute[:, None] > minute)
    )
    others = np.cumsum(worse, axis=1)[:, FIRST_LOOK_MINUTES:, :].transpose(0, 2, 1)
    return np.where((minute[:, None] <= minute[FIRST_LOOK_MINUTES:]) & (others >= IGNORED_WORST_MINUTES), 1.0, 0.0)


def _flag_minutes(hits: BoolArray, starts: npt.NDArray[np.int64], flags: BoolArray, *, last_only: bool) -> BoolArray:
    """Combines the hits of all starts into flags per minute."""
    for start, row in zip(starts + FIRST_LOOK_MINUTES, hits, strict=True):
        end = min(start + len(row), len(flags))
        flags[start:end] |= row[: max(end - start, 0)]
    return flags[-1:] if last_only else flags
