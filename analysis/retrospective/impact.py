"""What a migration cost its users: errors that they would not have seen on the old fleet, minutes outside the margin, and the ways back."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from analysis.parity.confidence_sequences import differences
from analysis.retrospective.timeline import Course
from analysis.series.grid import Flags, Values
from analysis.series.phases import Phase
from domain import FLEETS, Event, FleetName, Margin, Window
from domain.window import MINUTE_S

CONFIDENCE = 0.95
ORDINARY = 6.0  # robust standard deviations: what lies beyond is an outage, and tells nothing of how ordinary stretches scatter
SURELY = 3.0  # a bucket is outside the margin where chance alone would put one in about seven hundred there
BACK_WITHIN = 0.1  # of the way from the share before to the share after: the rest are connections that drain
STAYS = 3  # minutes in a row
LOOK_AHEAD_S = 3600
FEWEST_PAIRS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Buckets in which both fleets had requests: errors and requests of each. `alone`: what the canary served without the baseline beside it."""

    ts: npt.NDArray[np.int64]
    errors_b: Values
    requests_b: Values
    errors_c: Values
    requests_c: Values
    alone: int = 0


@dataclass(frozen=True, slots=True)
class Excess:
    """How many of the errors that the canary's users saw they would not have seen on the baseline: `estimate`, and from `low` to `high`.

    `seen` errors in `requests` requests that had the baseline beside them; `expected` is what the baseline's rate makes of these requests.
    `inflation`: by how much ordinary stretches scatter beyond independent errors, ≥ 1. `alone`: requests without the baseline beside them, in
    neither. Bounds are None below ten stretches.
    """

    estimate: float
    low: float | None
    high: float | None
    seen: int
    expected: float
    requests: int
    inflation: float
    alone: int


@dataclass(frozen=True, slots=True)
class StepBack:
    """A step that took traffic away from the canary: when, from which share to which, and in how many seconds that was seen (None: not known).

    `effect_s` is a whole number of periods, so it says "within". `alert_s`: how long before the step the first alert of it was raised.
    """

    at: int
    before: float
    after: float
    title: str
    effect_s: int | None
    alert_s: int | None


def pairs(told: Course) -> Pairs:
    """The buckets of one phase in which both fleets had requests."""
    b, c = (told.fleets[fleet] for fleet in FLEETS)
    served_b, served_c = np.nan_to_num(b.requests) > 0, np.nan_to_num(c.requests) > 0
    both = served_b & served_c & ~np.isnan(b.errors) & ~np.isnan(c.errors)
    alone = round(float(np.nansum(c.requests[served_c & ~both])))
    return Pairs(told.ts[both], b.errors[both], b.requests[both], c.errors[both], c.requests[both], alone)


def inflation(every: Sequence[Pairs]) -> float:
    """By how much the paired differences of ordinary stretches scatter beyond independent errors, in the long run; ≥ 1.

    Of every phase: residuals e = K_c − θ·ρ·K_b with ρ = N_c/N_b and θ the ratio of the rates in its ordinary stretches, over the variance v that
    independent errors would give them. Cut off at six robust deviations: an outage is no scatter. Σe²/Σv, so that stretches with many errors count
    for more, times the memory from one stretch to the next (analysis.parity.confidence_sequences.differences: AR(1) without bias, or blocks where those show more).
    """
    residuals, chance = [], []
    for one in every:
        if len(one.ts) >= FEWEST_PAIRS:
            z, variance = _residuals(one, 1.0)
            ordinary = np.abs(z - np.median(z)) <= ORDINARY * _spread(z) / 2
            expected = (one.requests_c / one.requests_b * one.errors_b)[ordinary].sum()
            z, variance = _residuals(one, (one.errors_c[ordinary].sum() + 0.5) / (expected + 0.5))
            residuals.append(np.clip(z, -ORDINARY * _spread(z), ORDINARY * _spread(z)))
            chance.append(variance)
    if not residuals:
        return 1.0
    z, variance = np.concatenate(residuals), np.concatenate(chance)
    known = differences(z)
    long_run = float(known.minutes[-1] / max(known.effective[-1], 1e-9))
    return max(1.0, float((z**2 * variance).sum() / variance.sum()) * max(long_run, 1.0))


def excess(told: Pairs, scatter: float) -> Excess:
    """The canary's errors less those that the baseline's rate makes of the same requests, bucket by bucket, so that shared bursts cancel.

    K_c is known; what is not is K*, the errors that the same requests would have met on the baseline. Bucket by bucket its expectation is
    ρ·K_b with ρ = N_c/N_b, and K* − ρ·K_b has variance ρ(1 + ρ)·E[K_b] for independent errors: a prediction interval for a Poisson count
    (Nelson 1982, Applied Life Data Analysis, ch. 6), widened by `scatter` and by one event at the mean ρ, so that a baseline without errors does
    not look certain. Normal quantiles; nobody can have been spared more errors than there would have been, nor have suffered more than were seen.
    """
    ratio = told.requests_c / told.requests_b if len(told.ts) else np.array([])
    expected = float((ratio * told.errors_b).sum())
    seen, requests = round(told.errors_c.sum()), round(told.requests_c.sum())
    low = high = None
    if len(told.ts) >= FEWEST_PAIRS:
        mean_ratio = requests / float(told.requests_b.sum())
        variance = float((ratio * (1 + ratio) * told.errors_b).sum()) + mean_ratio * (1 + mean_ratio)
        half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * (scatter * variance) ** 0.5
        low, high = seen - expected - half, min(seen - expected + half, float(seen))
    return Excess(seen - expected, low, high, seen, expected, requests, scatter, told.alone)


def together(every: Sequence[Excess]) -> Excess:
    """The excess of several phases: estimates add up, and so do the squares of their half-widths, as what one phase had of luck the next has not."""
    bounded = [one for one in every if one.low is not None and one.high is not None]
    estimate, seen = sum(one.estimate for one in every), sum(one.seen for one in every)
    low = high = None
    if bounded:
        half = sum((one.estimate - (one.low or 0.0)) ** 2 for one in bounded) ** 0.5
        low, high = estimate - half, min(estimate + half, float(seen))
    return Excess(
        estimate,
        low,
        high,
        seen,
        sum(one.expected for one in every),
        sum(one.requests for one in every),
        max((one.inflation for one in every), default=1.0),
        sum(one.alone for one in every),
    )


def outside_error_rate(told: Course, margin: Margin, scatter: float) -> Flags:
    """The buckets in which the canary's error rate was surely beyond the margin over the baseline's: by three standard errors more than it."""
    b, c = (told.fleets[fleet] for fleet in FLEETS)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = c.requests / b.requests
        level = (b.errors + 0.5) / b.requests
        allowed = margin.value / 100 * (level if margin.unit == "%" else 1.0) * c.requests
        error = np.sqrt(scatter * (level + allowed / c.requests) * c.requests * (1 + ratio))
        beyond = c.errors - ratio * b.errors > allowed + SURELY * error
    found: Flags = np.where((b.requests > 0) & (c.requests > 0), beyond, False).astype(bool)
    return found


def outside_p95(told: Course, margin: Margin) -> Flags:
    """The buckets of one phase in which the canary's p95 (the median of its periods) was surely beyond the margin over the baseline's.

    Both on answers enough, and by three deviations more than the margin: as many as their ratio, or difference, scatters in this phase around its median.
    """
    b, c = (told.fleets[fleet] for fleet in FLEETS)
    both = b.enough & c.enough & (np.nan_to_num(b.p95) > 0) & (np.nan_to_num(c.p95) > 0)
    found = np.zeros(len(told.ts), dtype=bool)
    if margin.unit == "%":
        apart, allowed = np.log(c.p95[both] / b.p95[both]), np.log1p(margin.value / 100)
    else:
        apart, allowed = c.p95[both] - b.p95[both], margin.value / 1000
    spread = 1.4826 * float(np.median(np.abs(apart - np.median(apart)))) if len(apart) else 0.0
    found[both] = apart > allowed + SURELY * spread
    return found


def steps_back(known: Sequence[Phase], events: Sequence[Event], around: Mapping[int, Course]) -> tuple[StepBack, ...]:
    """The steps by which the canary got less, of phases that follow each other. `around`: by the end of a phase, the hour after it in minutes."""
    found = []
    for before, after in itertools.pairwise(known):
        share, less = before.canary_share, after.canary_share
        if share is None or less is None or less >= share:
            continue
        at, place = after.change.ts if after.change else before.window.end, before.window.end
        found.append(
            StepBack(
                at,
                share,
                less,
                _reason(events, at),
                effect(around[place], at, share, less) if place in around else None,
                _alerted(events, at),
            )
        )
    return tuple(found)


def effect(told: Course, at: int, before: float, after: float) -> int | None:
    """Seconds from `at` until the canary's observed share was back: the end of the first of three periods with nine tenths of the way dtold."""
    share, limit = told.canary_share, after + (before - after) * BACK_WITHIN
    later = np.flatnonzero((told.ts + told.spacing_s > at) & (told.ts < at + LOOK_AHEAD_S) & ~np.isnan(share))
    back = share[later] <= limit
    for place, moment in enumerate(told.ts[later]):
        if back[place : place + STAYS].all():
            return int(moment + told.spacing_s - at)
    return None


def tally(told: Course) -> tuple[dict[FleetName, int], dict[FleetName, int]]:
    """Requests and errors of each fleet."""
    requests = {fleet: round(float(np.nansum(told.fleets[fleet].requests))) for fleet in FLEETS}
    return requests, {fleet: round(float(np.nansum(told.fleets[fleet].errors))) for fleet in FLEETS}


def _residuals(one: Pairs, theta: float) -> tuple[Values, Values]:
    """Standardised differences where the canary's rate is `theta` times the baseline's, and the variance that the baseline's errors alone foretell."""
    ratio = theta * one.requests_c / one.requests_b
    # The level of both sides together; half an event keeps a stretch without any from dividing by nothing.
    level = (one.errors_b + one.errors_c + 0.5) / (one.requests_b + theta * one.requests_c)
    exposure = theta * one.requests_c * (1 + ratio)
    z = (one.errors_c - ratio * one.errors_b) / np.sqrt(level * exposure)
    return z, (one.errors_b + 0.5) / one.requests_b * exposure


def _spread(z: Values) -> float:
    return max(1.4826 * float(np.median(np.abs(z - np.median(z)))), 1.0)


def _reason(events: Sequence[Event], at: int) -> str:
    near = [event for event in events if event.kind == "rollback" and abs(event.ts - at) <= 10 * MINUTE_S]
    return min(near, key=lambda event: abs(event.ts - at)).title if near else ""


def _alerted(events: Sequence[Event], at: int) -> int | None:
    """How long before `at` the first of the alerts was raised that were open then and are not older than a day."""
    open_then = [
        event.ts
        for event in events
        if event.kind == "alert" and at - 86_400 <= event.ts <= at and (event.open or (event.until or event.ts) >= at)
    ]
    return at - min(open_then) if open_then else None


def window_around(at: int) -> Window:
    """The time in which the effect of a step at `at` is looked for."""
    start = at - at % MINUTE_S - 5 * MINUTE_S
    return Window(start, start + LOOK_AHEAD_S)
