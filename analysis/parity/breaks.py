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
    llr_threshold,
    log_ratio_llr,
    mean_half_width,
    weighted_rates,
)
from analysis.parity.samples import PairedSamples
from analysis.series.grid import BoolArray
from domain import Criterion

SignArray = npt.NDArray[np.int8]

START_EVERY = 30  # periods between starts, and before the first
FIRST_LOOK = 4  # periods after a start
FOLLOWED = 1440  # periods at least; every second start twice as long, every fourth four times, …
MAX_TRAILING = 120  # the mean of a start's newest half, or of so many periods, must be beyond the margin, too
CAP_SIGMAS = 4.0  # beyond the margin: a period counts for no more, so that one burst is no break
ALPHA = 0.0025  # of all starts of a phase together: the k-th gets 6 / (π·k)² of it


@dataclass(frozen=True, slots=True)
class _Start:
    """A start at `index`, the periods `ends` after which it is looked at, and the first of the trailing periods at each. `alpha` of one side."""

    index: int
    ends: npt.NDArray[np.int64]
    trailing_from: npt.NDArray[np.int64]
    alpha: float

    @property
    def followed(self) -> slice:
        return slice(self.index, int(self.ends[-1]) + 1)


def break_signs(
    criterion: Criterion,
    samples: PairedSamples,
    running: RunningRates | RunningDifferences,
    n_comparisons: int,
    *,
    first_look: int = 0,
) -> SignArray:
    """For each period, 1 if the canary has been above the margin since some start, −1 if below it, else 0; 0 before `first_look`."""
    signs = np.zeros(len(samples.ts), dtype=np.int8)
    b, c = samples.levels(criterion)
    relative, margin = criterion.margin.is_relative, criterion.margin.amount
    factor, distance = 1.0, np.log1p(margin) if relative else margin
    if samples.is_rate and relative:
        factor, distance = 1 + margin, 0.0
    # Running sums that grow while the canary is above the margin, or below it.
    above, below = (
        np.append(0.0, np.cumsum(samples.weights * (x - factor * y - distance))) for x, y in ((c, b), (b, c))
    )
    for start in _starts(len(signs), n_comparisons, first_look):
        is_above, is_below = (
            (total[start.ends + 1] > total[start.index]) & (total[start.ends + 1] > total[start.trailing_from])
            for total in (above, below)
        )
        if is_above.any() or is_below.any():
            side = is_above.astype(np.int8) - is_below
            decided = (
                _rates_decided(criterion, samples, running, start, side)
                if isinstance(running, RunningRates)
                else _differences_decided(criterion, samples, running, start, side)
            )
            signs[start.ends] += side * (decided & (signs[start.ends] == 0))
    return signs


def _starts(periods: int, n_comparisons: int, first_look: int) -> Iterator[_Start]:
    for number in range(1, (periods - 1) // START_EVERY + 1):
        index = number * START_EVERY
        ends = np.arange(max(index + FIRST_LOOK - 1, first_look), min(periods, index + FOLLOWED * (number & -number)))
        if len(ends):
            trailing = np.minimum((ends + 1 - index) // 2, MAX_TRAILING)
            yield _Start(index, ends, ends + 1 - trailing, ALPHA / n_comparisons * 6 / (np.pi * number) ** 2)


def _rates_decided(
    criterion: Criterion, samples: PairedSamples, running: RunningRates, start: _Start, side: SignArray
) -> BoolArray:
    """Whether the rates since `start` are beyond the margin on this `side`, after each of its ends."""
    relative, margin, before = criterion.margin.is_relative, criterion.margin.amount, running.at(start.index - 1)
    usual = (before.events_b + before.events_c + 1) / (before.exposure_b + before.exposure_c)
    highest = usual * (1 + margin) if relative else usual + margin
    n_b, n_c, w = (part[start.followed] for part in (samples.requests_b, samples.requests_c, samples.weights))
    # The same highest rate for both fleets, so that a shared burst stays shared.
    cap = highest + CAP_SIGMAS * np.sqrt(before.overdispersion * (w * highest + 1)) / w
    b, c = (
        np.minimum(samples.baseline[start.followed], n_b * cap),
        np.minimum(samples.canary[start.followed], n_c * cap),
    )
    rates = weighted_rates(b, n_b, c, n_c, before.overdispersion).at(start.ends - start.index)
    target = side.astype(np.float64) * (np.log1p(margin) if relative else margin)
    if relative:
        llr, beyond = log_ratio_llr(rates, target)[0], rates.rate_c - rates.rate_b * np.exp(target)
    else:
        llr, beyond = difference_llr(rates, target)[0], rates.rate_c - rates.rate_b - target
    decided: BoolArray = (llr >= llr_threshold(rates, start.alpha)) & (side * beyond > 0)
    return decided


def _differences_decided(
    criterion: Criterion, samples: PairedSamples, running: RunningDifferences, start: _Start, side: SignArray
) -> BoolArray:
    """Likewise of paired differences."""
    b, c = (level[start.followed] for level in samples.levels(criterion))
    w, before = samples.weights[start.followed], running.at(start.index - 1)
    margin = np.log1p(criterion.margin.amount) if criterion.margin.is_relative else criterion.margin.amount
    cap = margin + CAP_SIGMAS * np.sqrt(before.variance)
    sum_w, sum_w2, sum_d = (
        np.cumsum(part)[start.ends - start.index] for part in (w, w**2, w * np.clip(c - b, -cap, cap))
    )
    n = sum_w**2 / sum_w2 * before.effective_minutes / before.minutes
    half_width = mean_half_width(n, before.variance, np.maximum(before.dof, 0.1), start.alpha)
    beyond: BoolArray = side * sum_d / sum_w - half_width > margin
    return beyond
