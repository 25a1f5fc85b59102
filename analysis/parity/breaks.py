"""Breaks: has a fleet been beyond the margin since some start, whatever came before?

Over a whole phase a break looks like one burst, so the intervals widen and detect it late. Therefore evidence is also accumulated from a new start
every half hour (an e-detector: Shin, Ramdas & Rinaldo 2022), with the scatter from before the start, and each start is followed to the end.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.parity.confidence_sequences import (
    RunningDifferences,
    RunningRates,
    difference_llr,
    log_ratio_llr,
    mean_half_width,
    mixture_boundary,
)
from analysis.parity.samples import PairedSamples
from analysis.series.grid import BoolArray, FloatArray
from domain import Criterion

SignArray = npt.NDArray[np.int8]

START_EVERY = 30  # periods between starts, and before the first
FIRST_LOOK = 4  # periods after a start
FOLLOWED = 1440  # periods at least; every second start twice as long, every fourth four times, …
MAX_TRAILING = (
    120  # the mean of the newest half of a start's periods, but not of more than these, must be beyond the margin, too
)
CAP_SIGMAS = 4.0  # beyond the margin: a period counts for no more, so that one burst is no break
ALPHA = 0.0025  # of all starts of a phase together: the k-th gets 6 / (π·k)² of it


@dataclass(frozen=True, slots=True)
class _Start:
    """A start at `index`, the periods `ends` after which it is looked at, and the first of the trailing periods at each. `alpha` of one side."""

    index: int
    ends: npt.NDArray[np.int64]
    trailing_from: npt.NDArray[np.int64]
    alpha: float


def break_signs(
    criterion: Criterion,
    samples: PairedSamples,
    running: RunningRates | RunningDifferences,
    values: FloatArray,
    n_comparisons: int,
    *,
    last_only: bool = False,
) -> SignArray:
    """For each period (or the last one), 1 if the canary has been above the margin since some start, −1 if below it, else 0.

    `values`: the paired differences of a latency; of a rate they are not used.
    """
    signs = np.zeros(len(samples.ts), dtype=np.int8)
    plain = _PlainMeans(criterion, samples, values)
    for start in _starts(len(samples.ts), n_comparisons, last_only=last_only):
        beyond = plain.beyond_margin(start)
        if beyond.any():
            if isinstance(running, RunningRates):
                found = _rate_signs(criterion, samples, running, start)
            else:
                found = _difference_signs(criterion, samples, running, values, start)
            signs[start.ends] = np.where(signs[start.ends] == 0, np.where(found == beyond, found, 0), signs[start.ends])
    return signs[-1:] if last_only else signs


class _PlainMeans:
    """The means since any start, of all values as they are."""

    def __init__(self, criterion: Criterion, samples: PairedSamples, values: FloatArray) -> None:
        w = paired_weights(samples)
        relative, margin = criterion.margin.unit == "%", criterion.margin.value / 100
        if samples.is_rate:
            rate_b, rate_c = samples.baseline / samples.requests_b, samples.canary / samples.requests_c
            factor, distance = (1 + margin, 0.0) if relative else (1.0, margin)
        else:
            rate_b, rate_c, factor = np.zeros_like(values), values, 1.0
            distance = np.log1p(margin) if relative else criterion.margin.value / 1000
        # Above the margin if this is positive.
        self._above = _sums(w * (rate_c - factor * rate_b - distance))
        self._below = _sums(w * (rate_b - factor * rate_c - distance))

    def beyond_margin(self, start: _Start) -> SignArray:
        """1 (above) or −1 (below) where the mean since the start and that of its trailing periods are beyond the margin."""
        above, below = (
            (total[start.ends + 1] > total[start.index]) & (total[start.ends + 1] > total[start.trailing_from])
            for total in (self._above, self._below)
        )
        return _signs(above, below)


def changed_from(excess: FloatArray) -> int:
    """The index of the period from which `excess` (beyond half of the difference, in the direction of the change) has been positive: where its
    running sum was lowest."""
    return int(np.argmin(np.cumsum(np.concatenate(([0.0], excess))))) if len(excess) else 0


def _starts(periods: int, n_comparisons: int, *, last_only: bool) -> Iterator[_Start]:
    for number in range(1, (periods - 1) // START_EVERY + 1):
        index = number * START_EVERY
        end = min(periods, index + FOLLOWED * (number & -number))
        first = max(index + FIRST_LOOK - 1, periods - 1 if last_only else 0)
        if first < end:
            ends = np.arange(first, end)
            trailing = np.minimum((ends + 1 - index) // 2, MAX_TRAILING)
            yield _Start(index, ends, ends + 1 - trailing, ALPHA / n_comparisons * 6 / (np.pi * number) ** 2)


def _rate_signs(criterion: Criterion, samples: PairedSamples, running: RunningRates, start: _Start) -> SignArray:
    relative, margin, before = criterion.margin.unit == "%", criterion.margin.value / 100, start.index - 1
    overdispersion = float(running.overdispersion[before])
    usual = float(
        (running.events_b[before] + running.events_c[before] + 1)
        / (running.exposure_b[before] + running.exposure_c[before])
    )
    highest = usual * (1 + margin) if relative else usual + margin
    used = slice(start.index, int(start.ends[-1]) + 1)
    n_b, n_c = samples.requests_b[used], samples.requests_c[used]
    # The same highest rate for both fleets, so that a shared burst stays shared.
    w = n_b * n_c / (n_b + n_c)
    cap = highest + CAP_SIGMAS * np.sqrt(overdispersion * (w * highest + 1)) / w
    b, c = np.minimum(samples.baseline[used], n_b * cap), np.minimum(samples.canary[used], n_c * cap)
    sum_w, sum_b, sum_c, sum_w2_b, sum_w2_c = (
        _sums(part)[start.ends + 1 - start.index] for part in (w, w * b / n_b, w * c / n_c, w**2 / n_b, w**2 / n_c)
    )
    exposure_b, exposure_c = sum_w**2 / sum_w2_b, sum_w**2 / sum_w2_c
    events_b, events_c = sum_b / sum_w * exposure_b, sum_c / sum_w * exposure_c
    if relative:
        factor = np.where(sum_c > sum_b, 1 + margin, 1 / (1 + margin))
        llr = log_ratio_llr(events_b, exposure_b, events_c, exposure_c, np.log(factor))
        above, below = sum_c > sum_b * (1 + margin), sum_b > sum_c * (1 + margin)
    else:
        target = np.where(sum_c > sum_b, margin, -margin)
        llr = difference_llr(events_b, exposure_b, events_c, exposure_c, target)
        above, below = sum_c - sum_b > margin * sum_w, sum_b - sum_c > margin * sum_w
    exposure = exposure_b + exposure_c
    information = (events_b + events_c) * exposure_b * exposure_c / exposure**2
    decided = llr >= mixture_boundary(information / overdispersion, start.alpha) * overdispersion
    return _signs(decided & above, decided & below)


def _difference_signs(
    criterion: Criterion, samples: PairedSamples, running: RunningDifferences, values: FloatArray, start: _Start
) -> SignArray:
    before = start.index - 1
    margin = np.log1p(criterion.margin.value / 100) if criterion.margin.unit == "%" else criterion.margin.value / 1000
    variance, dof = float(running.variance[before]), max(float(running.dof[before]), 0.1)
    share = float(running.effective_minutes[before] / running.minutes[before])
    used = slice(start.index, int(start.ends[-1]) + 1)
    w = paired_weights(samples)[used]
    cap = margin + CAP_SIGMAS * np.sqrt(variance)
    ends = start.ends + 1 - start.index
    sum_w, sum_w2, sum_d = (_sums(part)[ends] for part in (w, w**2, w * np.clip(values[used], -cap, cap)))
    mean, n = sum_d / sum_w, sum_w**2 / sum_w2 * share
    half_width = mean_half_width(n, np.array(variance), np.array(dof), start.alpha)
    return _signs(mean - half_width > margin, mean + half_width < -margin)


def paired_weights(samples: PairedSamples) -> FloatArray:
    """The weight of each period: its requests, harmonic over the fleets, so that the smaller one decides (Mantel & Haenszel)."""
    weights: FloatArray = samples.requests_b * samples.requests_c / (samples.requests_b + samples.requests_c)
    return weights


def _sums(values: FloatArray) -> FloatArray:
    return np.concatenate(([0.0], np.cumsum(values)))


def _signs(above: BoolArray, below: BoolArray) -> SignArray:
    return above.astype(np.int8) - below.astype(np.int8)
