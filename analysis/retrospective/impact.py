"""What a migration cost its users: errors that they would not have seen on the old fleet, minutes outside the margin, and the ways back."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from analysis.parity.confidence_sequences import running_differences
from analysis.retrospective.timeline import Timeline
from analysis.series.grid import BoolArray, FloatArray
from analysis.series.phases import Phase
from domain import FLEETS, Event, FleetName, Margin, Window
from domain.window import MINUTE_S

CONFIDENCE = 0.95
OUTLIER_SIGMAS = 6.0  # robust standard deviations: what lies beyond is an outage, and tells nothing of how ordinary stretches scatter
OUTSIDE_SIGMAS = 3.0  # a bucket is outside the margin where chance alone would put one in about seven hundred there
REMAINING_SHARE = 0.1  # of the way from the share before to the share after: the rest are connections that drain
CONSECUTIVE_PERIODS = 3  # minutes in a row
LOOK_AHEAD_S = 3600
MIN_PAIRS = 10


@dataclass(frozen=True, slots=True, eq=False)
class PairedBuckets:
    """Buckets in which both fleets had requests: errors and requests of each. `alone`: what the canary served without the baseline beside it."""

    ts: npt.NDArray[np.int64]
    errors_b: FloatArray
    requests_b: FloatArray
    errors_c: FloatArray
    requests_c: FloatArray
    unpaired_requests: int = 0


@dataclass(frozen=True, slots=True)
class ExcessErrors:
    """How many of the errors that the canary's users saw they would not have seen on the baseline: `estimate`, and from `low` to `high`.

    `seen` errors in `requests` requests that had the baseline beside them; `expected` is what the baseline's rate makes of these requests.
    `inflation`: by how much ordinary stretches scatter beyond independent errors, ≥ 1. `alone`: requests without the baseline beside them, in
    neither. Bounds are None below ten stretches.
    """

    estimate: float
    lower: float | None
    upper: float | None
    observed: int
    expected: float
    requests: int
    overdispersion: float
    unpaired_requests: int


@dataclass(frozen=True, slots=True)
class Rollback:
    """A step that took traffic away from the canary: when, from which share to which, and in how many seconds that was seen (None: not known).

    `effect_s` is a whole number of periods, so it says "within". `alert_s`: how long before the step the first alert of it was raised.
    """

    ts: int
    share_before: float
    share_after: float
    title: str
    effect_s: int | None
    alert_lead_s: int | None


def paired_buckets(timeline: Timeline) -> PairedBuckets:
    """The buckets of one phase in which both fleets had requests."""
    b, c = (timeline.fleets[fleet] for fleet in FLEETS)
    served_b, served_c = np.nan_to_num(b.requests) > 0, np.nan_to_num(c.requests) > 0
    both = served_b & served_c & ~np.isnan(b.errors) & ~np.isnan(c.errors)
    alone = round(float(np.nansum(c.requests[served_c & ~both])))
    return PairedBuckets(timeline.ts[both], b.errors[both], b.requests[both], c.errors[both], c.requests[both], alone)


def overdispersion(phases: Sequence[PairedBuckets]) -> float:
    """By how much the paired differences of ordinary stretches scatter beyond independent errors, in the long run; ≥ 1.

    Of every phase: residuals e = K_c − θ·ρ·K_b with ρ = N_c/N_b and θ the ratio of the rates in its ordinary stretches, over the variance v that
    independent errors would give them. Cut off at six robust deviations: an outage is no scatter. Σe²/Σv, so that stretches with many errors count
    for more, times the memory from one stretch to the next (analysis.parity.confidence_sequences.differences: AR(1) without bias, or blocks where those show more).
    """
    residuals, chance = [], []
    for one in phases:
        if len(one.ts) >= MIN_PAIRS:
            z, variance = _residuals(one, 1.0)
            ordinary = np.abs(z - np.median(z)) <= OUTLIER_SIGMAS * _robust_sd(z) / 2
            expected = (one.requests_c / one.requests_b * one.errors_b)[ordinary].sum()
            z, variance = _residuals(one, (one.errors_c[ordinary].sum() + 0.5) / (expected + 0.5))
            residuals.append(np.clip(z, -OUTLIER_SIGMAS * _robust_sd(z), OUTLIER_SIGMAS * _robust_sd(z)))
            chance.append(variance)
    if not residuals:
        return 1.0
    z, variance = np.concatenate(residuals), np.concatenate(chance)
    known = running_differences(z)
    long_run = float(known.minutes[-1] / max(known.effective_minutes[-1], 1e-9))
    return max(1.0, float((z**2 * variance).sum() / variance.sum()) * max(long_run, 1.0))


def excess_errors(pairs: PairedBuckets, overdispersion: float) -> ExcessErrors:
    """The canary's errors less those that the baseline's rate makes of the same requests, bucket by bucket, so that shared bursts cancel.

    K_c is known; what is not is K*, the errors that the same requests would have met on the baseline. Bucket by bucket its expectation is
    ρ·K_b with ρ = N_c/N_b, and K* − ρ·K_b has variance ρ(1 + ρ)·E[K_b] for independent errors: a prediction interval for a Poisson count
    (Nelson 1982, Applied Life Data Analysis, ch. 6), widened by `scatter` and by one event at the mean ρ, so that a baseline without errors does
    not look certain. Normal quantiles; nobody can have been spared more errors than there would have been, nor have suffered more than were seen.
    """
    ratio = pairs.requests_c / pairs.requests_b if len(pairs.ts) else np.array([])
    expected = float((ratio * pairs.errors_b).sum())
    seen, requests = round(pairs.errors_c.sum()), round(pairs.requests_c.sum())
    low = high = None
    if len(pairs.ts) >= MIN_PAIRS:
        mean_ratio = requests / float(pairs.requests_b.sum())
        variance = float((ratio * (1 + ratio) * pairs.errors_b).sum()) + mean_ratio * (1 + mean_ratio)
        half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * (overdispersion * variance) ** 0.5
        low, high = seen - expected - half, min(seen - expected + half, float(seen))
    return ExcessErrors(seen - expected, low, high, seen, expected, requests, overdispersion, pairs.unpaired_requests)


def sum_excess(phases: Sequence[ExcessErrors]) -> ExcessErrors:
    """The excess of several phases: estimates add up, and so do the squares of their half-widths, as what one phase had of luck the next has not."""
    bounded = [one for one in phases if one.lower is not None and one.upper is not None]
    estimate, seen = sum(one.estimate for one in phases), sum(one.observed for one in phases)
    low = high = None
    if bounded:
        half = sum((one.estimate - (one.lower or 0.0)) ** 2 for one in bounded) ** 0.5
        low, high = estimate - half, min(estimate + half, float(seen))
    return ExcessErrors(
        estimate,
        low,
        high,
        seen,
        sum(one.expected for one in phases),
        sum(one.requests for one in phases),
        max((one.overdispersion for one in phases), default=1.0),
        sum(one.unpaired_requests for one in phases),
    )


def outside_error_rate(timeline: Timeline, margin: Margin, overdispersion: float) -> BoolArray:
    """The buckets in which the canary's error rate was surely beyond the margin over the baseline's: by three standard errors more than it."""
    b, c = (timeline.fleets[fleet] for fleet in FLEETS)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = c.requests / b.requests
        level = (b.errors + 0.5) / b.requests
        allowed = margin.value / 100 * (level if margin.unit == "%" else 1.0) * c.requests
        error = np.sqrt(overdispersion * (level + allowed / c.requests) * c.requests * (1 + ratio))
        beyond = c.errors - ratio * b.errors > allowed + OUTSIDE_SIGMAS * error
    found: BoolArray = np.where((b.requests > 0) & (c.requests > 0), beyond, False).astype(bool)
    return found


def outside_p95(timeline: Timeline, margin: Margin) -> BoolArray:
    """The buckets of one phase in which the canary's p95 (the median of its periods) was surely beyond the margin over the baseline's.

    Both on answers enough, and by three deviations more than the margin: as many as their ratio, or difference, scatters in this phase around its median.
    """
    b, c = (timeline.fleets[fleet] for fleet in FLEETS)
    both = b.is_sufficient & c.is_sufficient & (np.nan_to_num(b.p95) > 0) & (np.nan_to_num(c.p95) > 0)
    found = np.zeros(len(timeline.ts), dtype=bool)
    if margin.unit == "%":
        apart, allowed = np.log(c.p95[both] / b.p95[both]), np.log1p(margin.value / 100)
    else:
        apart, allowed = c.p95[both] - b.p95[both], margin.value / 1000
    spread = 1.4826 * float(np.median(np.abs(apart - np.median(apart)))) if len(apart) else 0.0
    found[both] = apart > allowed + OUTSIDE_SIGMAS * spread
    return found


def rollbacks(
    phases: Sequence[Phase], events: Sequence[Event], timelines: Mapping[int, Timeline]
) -> tuple[Rollback, ...]:
    """The steps by which the canary got less, of phases that follow each other. `around`: by the end of a phase, the hour after it in minutes."""
    found = []
    for before, after in itertools.pairwise(phases):
        share, less = before.canary_share, after.canary_share
        if share is None or less is None or less >= share:
            continue
        at, place = after.change.ts if after.change else before.window.end, before.window.end
        found.append(
            Rollback(
                at,
                share,
                less,
                _rollback_title(events, at),
                time_to_effect_s(timelines[place], at, share, less) if place in timelines else None,
                _alert_lead_s(events, at),
            )
        )
    return tuple(found)


def time_to_effect_s(timeline: Timeline, at: int, before: float, after: float) -> int | None:
    """Seconds from `at` until the canary's observed share was back: the end of the first of three periods with nine tenths of the way dtold."""
    share, limit = timeline.canary_share, after + (before - after) * REMAINING_SHARE
    later = np.flatnonzero(
        (timeline.ts + timeline.spacing_s > at) & (timeline.ts < at + LOOK_AHEAD_S) & ~np.isnan(share)
    )
    back = share[later] <= limit
    for place, moment in enumerate(timeline.ts[later]):
        if back[place : place + CONSECUTIVE_PERIODS].all():
            return int(moment + timeline.spacing_s - at)
    return None


def totals(timeline: Timeline) -> tuple[dict[FleetName, int], dict[FleetName, int]]:
    """Requests and errors of each fleet."""
    requests = {fleet: round(float(np.nansum(timeline.fleets[fleet].requests))) for fleet in FLEETS}
    return requests, {fleet: round(float(np.nansum(timeline.fleets[fleet].errors))) for fleet in FLEETS}


def _residuals(pairs: PairedBuckets, theta: float) -> tuple[FloatArray, FloatArray]:
    """Standardised differences where the canary's rate is `theta` times the baseline's, and the variance that the baseline's errors alone foretell."""
    ratio = theta * pairs.requests_c / pairs.requests_b
    # The level of both sides together; half an event keeps a stretch without any from dividing by nothing.
    level = (pairs.errors_b + pairs.errors_c + 0.5) / (pairs.requests_b + theta * pairs.requests_c)
    exposure = theta * pairs.requests_c * (1 + ratio)
    z = (pairs.errors_c - ratio * pairs.errors_b) / np.sqrt(level * exposure)
    return z, (pairs.errors_b + 0.5) / pairs.requests_b * exposure


def _robust_sd(z: FloatArray) -> float:
    return max(1.4826 * float(np.median(np.abs(z - np.median(z)))), 1.0)


def _rollback_title(events: Sequence[Event], at: int) -> str:
    near = [event for event in events if event.kind == "rollback" and abs(event.ts - at) <= 10 * MINUTE_S]
    return min(near, key=lambda event: abs(event.ts - at)).title if near else ""


def _alert_lead_s(events: Sequence[Event], at: int) -> int | None:
    """How long before `at` the first of the alerts was raised that were open then and are not older than a day."""
    open_then = [
        event.ts
        for event in events
        if event.kind == "alert" and at - 86_400 <= event.ts <= at and (event.open or (event.until or event.ts) >= at)
    ]
    return at - min(open_then) if open_then else None


def effect_window(at: int) -> Window:
    """The time in which the effect of a step at `at` is looked for."""
    start = at - at % MINUTE_S - 5 * MINUTE_S
    return Window(start, start + LOOK_AHEAD_S)
