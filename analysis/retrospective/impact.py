"""Impact of a migration on users: excess errors over the baseline's rate, time outside the margin, and rollbacks."""

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
from domain.window import DAY_S, MINUTE_S

CONFIDENCE = 0.95
OUTLIER_SIGMAS = 6.0  # robust standard deviations: residuals beyond are an outage, not ordinary variance
OUTSIDE_SIGMAS = 3.0  # standard errors beyond the margin: by chance about 1 in 700 buckets
REMAINING_SHARE = (
    0.1  # a weight change has taken effect with at most this part of the change missing: draining connections
)
CONSECUTIVE_PERIODS = 3
LOOK_AHEAD_S = 3600
MIN_PAIRS = 10
MIN_BATCHES, MAX_BATCH = 4, 36  # of buckets, for their long-run variance: batches of at most six hours


@dataclass(frozen=True, slots=True, eq=False)
class PairedBuckets:
    """Errors and requests of both fleets in buckets in which both had requests; `unpaired_requests`: the canary's in other buckets."""

    ts: npt.NDArray[np.int64]
    errors_b: FloatArray
    requests_b: FloatArray
    errors_c: FloatArray
    requests_c: FloatArray
    unpaired_requests: int = 0


@dataclass(frozen=True, slots=True)
class ExcessErrors:
    """The canary's errors beyond those expected at the baseline's rate: `estimate` with prediction interval `lower` … `upper`.

    `observed` errors in `requests` paired requests, `expected` at the baseline's rate. `unpaired_requests` are in neither. Bounds are None
    without a phase of MIN_PAIRS buckets.
    """

    estimate: float
    lower: float | None
    upper: float | None
    observed: int
    expected: float
    requests: int
    unpaired_requests: int


@dataclass(frozen=True, slots=True)
class Rollback:
    """A weight change at `ts` that reduced the canary's share, and within how many seconds it took effect (None if unknown).

    `share_before`: None if unknown. `effect_s` counts whole periods. `alert_lead_s`: how long before it the first open alert was raised.
    """

    ts: int
    share_before: float | None
    share_after: float
    title: str
    effect_s: int | None
    alert_lead_s: int | None


def paired_buckets(timeline: Timeline) -> PairedBuckets:
    """The buckets of one phase in which both fleets had requests."""
    b, c = (timeline.fleets[fleet] for fleet in FLEETS)
    served_b, served_c = np.nan_to_num(b.requests) > 0, np.nan_to_num(c.requests) > 0
    both = served_b & served_c & ~np.isnan(b.errors) & ~np.isnan(c.errors)
    unpaired = round(float(np.nansum(c.requests[served_c & ~both])))
    return PairedBuckets(
        timeline.ts[both], b.errors[both], b.requests[both], c.errors[both], c.requests[both], unpaired
    )


def overdispersion(phases: Sequence[PairedBuckets]) -> float:
    """Long-run variance of the paired differences of ordinary buckets over that of independent errors; ≥ 1.

    Residuals are clipped at OUTLIER_SIGMAS: an outage is no variance. Σe²/Σv, so that buckets with many errors weigh more, times the long-run
    factor of their autocorrelation (analysis.parity.confidence_sequences.running_differences).
    """
    residuals = [_residuals(pairs) for pairs in phases if len(pairs.ts) >= MIN_PAIRS]
    if not residuals:
        return 1.0
    z, variance = (np.concatenate([getattr(phase, name) for phase in residuals]) for name in ("clipped", "variance"))
    running = running_differences(z)
    long_run = float(running.minutes[-1] / max(running.effective_minutes[-1], 1e-9))
    return max(1.0, float((z**2 * variance).sum() / variance.sum()) * max(long_run, 1.0))


def excess_errors(phases: Sequence[PairedBuckets]) -> ExcessErrors:
    """The canary's errors minus those expected at the baseline's rate in the same bucket, so that shared bursts cancel; of all phases.

    K_c is known; unknown is K*, the errors of the same requests on the baseline. Per bucket its expectation is ρ·K_b with ρ = N_c/N_b, and
    K* − ρ·K_b has variance ρ(1 + ρ)·E[K_b] for independent errors: a prediction interval for a Poisson count (Nelson 1982, Applied Life Data
    Analysis, ch. 6), with one more event at the mean ρ, so that a baseline without errors does not look certain. The variance is multiplied by
    the overdispersion of long batches of ordinary buckets, and the storms of the baseline are added. docs/MATH.md, "Impact". The excess cannot
    be more than the observed errors.
    """
    errors_b, requests_b, errors_c, requests_c = (
        np.concatenate([getattr(pairs, name) for pairs in phases]) if phases else np.array([])
        for name in ("errors_b", "requests_b", "errors_c", "requests_c")
    )
    ratio = requests_c / requests_b
    observed, expected = round(errors_c.sum()), float((ratio * errors_b).sum())
    estimate, lower, upper = observed - expected, None, None
    if residuals := [_residuals(pairs) for pairs in phases if len(pairs.ts) >= MIN_PAIRS]:
        mean_ratio = float(requests_c.sum() / requests_b.sum())
        variance = float((ratio * (1 + ratio) * errors_b).sum()) + mean_ratio * (1 + mean_ratio)
        half_width = float(_ordinary_factor(residuals) * variance + _storm_variance(residuals)) ** 0.5
        lower, upper = estimate - half_width, min(estimate + half_width, float(observed))
    unpaired = sum(pairs.unpaired_requests for pairs in phases)
    return ExcessErrors(estimate, lower, upper, observed, expected, round(requests_c.sum()), unpaired)


def _ordinary_factor(phases: Sequence["_Residuals"]) -> float:
    """The squared half-width of a sum of ordinary buckets over the variance of independent errors: at least the squared normal quantile.

    Batch means: the sum of a few batches that are independent has a t distribution. The largest counts of batches of at most six hours, of
    half as long ones, and so on: that of the longest if buckets resemble their neighbours.
    """
    e = np.concatenate([phase.clipped * phase.variance**0.5 for phase in phases])
    largest, batches = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) ** 2, max(MIN_BATCHES, len(e) // MAX_BATCH)
    while (length := len(e) // batches) >= 1:
        sums = e[: length * batches].reshape(batches, length).sum(axis=1)
        mean_square = float((sums**2).sum()) * len(e) / (length * batches)
        largest = max(largest, t_quantile(batches - 1) ** 2 * mean_square / sum(p.variance.sum() for p in phases))
        batches *= 2
    return largest


def _storm_variance(phases: Sequence["_Residuals"]) -> float:
    """The squared half-width from the storms of the baseline, whose number and size may be different in K*: each counts twice, and one more.

    Degrees of freedom: (Σs²)²/Σs⁴, the number of storms if they are equal. A storm of the canary alone is impact.
    """
    squares = np.concatenate([phase.storms**2 for phase in phases])
    if not len(squares):
        return 0.0
    dof = float(squares.sum() ** 2 / (squares**2).sum())
    return t_quantile(dof) ** 2 * 2 * float(squares.sum()) * (1 + 1 / len(squares))


def t_quantile(dof: float) -> float:
    """Student's t at CONFIDENCE, both sides (Abramowitz & Stegun 26.7.5): too low by 3 % at 2 degrees of freedom, by less than 1 % from 3 on."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    return (
        z
        + (z**3 + z) / (4 * dof)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * dof**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * dof**3)
    )


def outside_error_rate(timeline: Timeline, margin: Margin, overdispersion: float) -> BoolArray:
    """Buckets in which the canary's error rate exceeded the baseline's by the margin and OUTSIDE_SIGMAS standard errors."""
    b, c = (timeline.fleets[fleet] for fleet in FLEETS)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = c.requests / b.requests
        level = (b.errors + 0.5) / b.requests
        allowed = margin.value / 100 * (level if margin.unit == "%" else 1.0) * c.requests
        standard_error = np.sqrt(overdispersion * (level + allowed / c.requests) * c.requests * (1 + ratio))
        beyond = c.errors - ratio * b.errors > allowed + OUTSIDE_SIGMAS * standard_error
    result: BoolArray = np.where((b.requests > 0) & (c.requests > 0), beyond, False).astype(bool)
    return result


def outside_p95(timeline: Timeline, margin: Margin) -> BoolArray:
    """Buckets of one phase in which the canary's p95 exceeded the baseline's by the margin and OUTSIDE_SIGMAS robust standard deviations.

    The standard deviation is that of their ratio, or difference, over the phase. Only buckets with sufficient answers count.
    """
    b, c = (timeline.fleets[fleet] for fleet in FLEETS)
    both = b.is_sufficient & c.is_sufficient & (np.nan_to_num(b.p95) > 0) & (np.nan_to_num(c.p95) > 0)
    result = np.zeros(len(timeline.ts), dtype=bool)
    if margin.unit == "%":
        differences, allowed = np.log(c.p95[both] / b.p95[both]), np.log1p(margin.value / 100)
    else:
        differences, allowed = c.p95[both] - b.p95[both], margin.value / 1000
    sd = 1.4826 * float(np.median(np.abs(differences - np.median(differences)))) if len(differences) else 0.0
    result[both] = differences > allowed + OUTSIDE_SIGMAS * sd
    return result


def rollbacks(
    phases: Sequence[Phase], events: Sequence[Event], timelines: Mapping[int, Timeline]
) -> tuple[Rollback, ...]:
    """The reductions of the canary's share between consecutive phases. `timelines`: by the time of such a change, the minutes around it."""
    result = []
    for before, after in itertools.pairwise(phases):
        share, reduced = before.canary_share, after.canary_share
        if share is None or reduced is None or reduced >= share:
            continue
        ts = after.change.ts if after.change else after.window.start
        timeline = timelines.get(ts)
        effect_s = time_to_effect_s(timeline, ts, share, reduced) if timeline else None
        result.append(Rollback(ts, share, reduced, _rollback_title(events, ts), effect_s, _alert_lead_s(events, ts)))
    return tuple(result)


def deployment_rollback(at: int, share: float | None, title: str, events: Sequence[Event]) -> Rollback:
    """Of a deployment that was rolled back by `at` (epoch seconds), whatever is known of its weights: no change of them may have been seen."""
    return Rollback(at, share, 0.0, title, None, _alert_lead_s(events, at))


def time_to_effect_s(timeline: Timeline, at: int, before: float, after: float) -> int | None:
    """Seconds from `at` until the observed share had followed the weights from share `before` to `after`; None if it did not.

    Measured to the end of the first of CONSECUTIVE_PERIODS periods with at least 90 % of the change.
    """
    share, limit = timeline.canary_share, after + (before - after) * REMAINING_SHARE
    later = np.flatnonzero(
        (timeline.ts + timeline.spacing_s > at) & (timeline.ts < at + LOOK_AHEAD_S) & ~np.isnan(share)
    )
    is_reduced = share[later] <= limit
    for index, ts in enumerate(timeline.ts[later]):
        if is_reduced[index : index + CONSECUTIVE_PERIODS].all():
            return int(ts + timeline.spacing_s - at)
    return None


def totals(timeline: Timeline) -> tuple[dict[FleetName, int | None], dict[FleetName, int | None]]:
    """Requests and errors of each fleet; None if no bucket has a number."""
    requests = {fleet: _known_sum(timeline.fleets[fleet].requests) for fleet in FLEETS}
    return requests, {fleet: _known_sum(timeline.fleets[fleet].errors) for fleet in FLEETS}


def _known_sum(values: FloatArray) -> int | None:
    return None if np.isnan(values).all() else round(float(np.nansum(values)))


@dataclass(frozen=True, slots=True, eq=False)
class _Residuals:
    """The residuals e = K_c − θ·ρ·K_b of a phase, with θ the ratio of the rates in its ordinary buckets.

    `clipped`: in standard deviations of independent errors, at most ± OUTLIER_SIGMAS robust ones, and 0 in a storm. `variance`: that of
    independent errors, by the baseline's. `storms`: e/θ of the buckets in which the baseline was further above the canary than that.
    """

    clipped: FloatArray
    variance: FloatArray
    storms: FloatArray


def _residuals(pairs: PairedBuckets) -> _Residuals:
    z, _ = _standardised(pairs, 1.0)
    ordinary = np.abs(z - np.median(z)) <= OUTLIER_SIGMAS * _robust_sd(z) / 2
    expected = (pairs.requests_c / pairs.requests_b * pairs.errors_b)[ordinary].sum()
    theta = (pairs.errors_c[ordinary].sum() + 0.5) / (expected + 0.5)
    z, variance = _standardised(pairs, theta)
    limit = OUTLIER_SIGMAS * _robust_sd(z)
    storm = z < -limit
    e = pairs.errors_c / theta - pairs.requests_c / pairs.requests_b * pairs.errors_b
    return _Residuals(np.where(storm, 0.0, np.minimum(z, limit)), variance, e[storm])


def _standardised(pairs: PairedBuckets, theta: float) -> tuple[FloatArray, FloatArray]:
    """Standardised residuals if the canary's rate is `theta` times the baseline's, and the Poisson variance by the baseline's errors."""
    ratio = theta * pairs.requests_c / pairs.requests_b
    # The pooled rate of both fleets; half an event avoids division by zero.
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
    """How long before `at` the first of the alerts was raised that were open at `at` and not older than a day."""
    open_then = [
        event.ts
        for event in events
        if event.kind == "alert" and at - DAY_S <= event.ts <= at and (event.open or (event.until or event.ts) >= at)
    ]
    return at - min(open_then) if open_then else None


def effect_window(at: int) -> Window:
    """The window in which the effect of a weight change at `at` is measured."""
    start = at - at % MINUTE_S - 5 * MINUTE_S
    return Window(start, start + LOOK_AHEAD_S)
