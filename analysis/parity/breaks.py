"""Breaks: has a fleet been beyond the margin since some start, whatever came before? An e-detector (Shin, Ramdas & Rinaldo 2022)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analysis.parity.confidence_sequences import (
    RunningDifferences,
    RunningRates,
    difference_llr,
    llr_threshold,
    log_ratio_llr,
    mean_half_width,
    weighted_rates,
)
from analysis.parity.samples import PairedSamples
from analysis.series.grid import BoolArray, IntArray

SignArray = npt.NDArray[np.int8]

START_EVERY = 30  # periods between starts, and before the first
FIRST_LOOK = 4  # periods after a start
FOLLOWED = 1440  # periods at least; every second start twice as long, every fourth four times, …
MAX_TRAILING = 120  # the mean of a start's newest half, or of so many periods, must be beyond the margin, too
CAP_SIGMAS = 4.0  # beyond the margin: a period counts for no more, so that one burst is no break
ALPHA = 0.0025  # of all starts of a phase together: the k-th gets 6 / (π·k)² of it


@dataclass(frozen=True, slots=True)
class _Start:
    """A start at the period `index`, and the periods `ends` after which it is looked at. `alpha` of one side."""

    index: int
    ends: IntArray
    alpha: float

    @property
    def followed(self) -> slice:
        return slice(self.index, int(self.ends[-1]) + 1)


def break_signs(
    samples: PairedSamples, running: RunningRates | RunningDifferences, n_comparisons: int, *, first_look: int = 0
) -> SignArray:
    """For each period, 1 if the canary has been above the margin since some start, −1 if below it, else 0; 0 before `first_look`."""
    signs = np.zeros(len(samples.ts), dtype=np.int8)
    (b, c), factor, distance = samples.levels, 1.0, samples.edge
    if samples.is_rate and samples.criterion.margin.is_relative:
        factor, distance = np.exp(samples.edge), 0.0
    # Running sums that grow while the canary is above the margin, or below it.
    above, below = (
        np.append(0.0, np.cumsum(samples.weights * (x - factor * y - distance))) for x, y in ((c, b), (b, c))
    )
    for start in _starts(len(signs), n_comparisons, first_look):
        after = start.ends + 1
        is_above, is_below = (total[after] > total[start.index] for total in (above, below))
        if not (is_above | is_below).any():
            continue
        trailing_from = after - np.minimum((after - start.index) // 2, MAX_TRAILING)
        side = (is_above & (above[after] > above[trailing_from])).astype(np.int8)
        side -= is_below & (below[after] > below[trailing_from])
        if side.any():
            before = running.at(start.index - 1)
            decided = (
                _rates_decided(samples, before, start, side)
                if isinstance(before, RunningRates)
                else _differences_decided(samples, before, start, side)
            )
            signs[start.ends] += side * (decided & (signs[start.ends] == 0))
    return signs


def _starts(periods: int, n_comparisons: int, first_look: int) -> Iterator[_Start]:
    for number in range(1, (periods - 1) // START_EVERY + 1):
        index = number * START_EVERY
        ends = np.arange(max(index + FIRST_LOOK - 1, first_look), min(periods, index + FOLLOWED * (number & -number)))
        if len(ends):
            yield _Start(index, ends, ALPHA / n_comparisons * 6 / (np.pi * number) ** 2)


def _rates_decided(samples: PairedSamples, before: RunningRates, start: _Start, side: SignArray) -> BoolArray:
    """Whether the rates since `start` are beyond the margin on this `side`, after each of its ends. `before`: the estimates at the start."""
    relative, margin = samples.criterion.margin.is_relative, samples.criterion.margin.amount
    usual = (before.events_b + before.events_c + 1) / (before.exposure_b + before.exposure_c)
    highest = usual * (1 + margin) if relative else usual + margin
    w = samples.weights[start.followed]
    b, n_b, c, n_c = (part[start.followed] for part in samples.counts)
    # The same highest rate for both fleets, so that a shared burst stays shared.
    cap = highest + CAP_SIGMAS * np.sqrt(before.overdispersion * (w * highest + 1)) / w
    rates = weighted_rates(np.minimum(b, n_b * cap), n_b, np.minimum(c, n_c * cap), n_c)
    rates = replace(rates.at(start.ends - start.index), overdispersion=before.overdispersion)
    llr, slope = (log_ratio_llr if relative else difference_llr)(rates, side.astype(np.float64) * samples.edge)
    # It rises from the most likely difference on.
    decided: BoolArray = (llr >= llr_threshold(rates, start.alpha)) & (side * slope < 0)
    return decided


def _differences_decided(
    samples: PairedSamples, before: RunningDifferences, start: _Start, side: SignArray
) -> BoolArray:
    """Likewise of paired differences."""
    b, c = (level[start.followed] for level in samples.levels)
    w, cap = samples.weights[start.followed], samples.edge + CAP_SIGMAS * np.sqrt(before.variance)
    sum_w, sum_w2, sum_d = (
        np.cumsum(part)[start.ends - start.index] for part in (w, w**2, w * np.clip(c - b, -cap, cap))
    )
    n = sum_w**2 / sum_w2 * before.effective_minutes / before.minutes
    half_width = mean_half_width(n, before.variance, np.maximum(before.dof, 0.1), start.alpha)
    beyond: BoolArray = side * sum_d / sum_w - half_width > samples.edge
    return beyond
