"""Forecast of a phase that would begin now at another share of the canary: minutes to its decision, and extra errors. docs/MATH.md, "Next step"."""

import math
from dataclasses import dataclass

import numpy as np

from analysis.parity.confidence_sequences import (
    EARLY_MINUTES,
    MAX_AUTOCORRELATION,
    RunningDifferences,
    RunningRates,
    Scatter,
    difference_scatter,
    rate_scatter,
)
from analysis.parity.intervals import interval_verdicts, intervals
from analysis.parity.samples import PairedSamples
from analysis.parity.time_to_decision import MAX_MINUTES
from analysis.parity.verdicts import DECISIVE_VERDICTS, CriterionVerdict
from analysis.series.comparison import required_samples
from analysis.series.grid import FloatArray
from domain.window import DAY_S, MINUTE_S

TIME_STEPS = 120  # geometric
# Standard normal quantiles at 5, 15 … 95 %: what the estimate of the new phase may become, equally probable.
DEVIATIONS = np.array([-1.645, -1.036, -0.674, -0.385, -0.126, 0.126, 0.385, 0.674, 1.036, 1.645])
DECIDED_OF_TEN = 9
PRIOR_OF_EDGE = 1 / 3  # standard deviation of the difference, in margins, before anything is known
MIN_SAMPLES = 10  # periods; fewer say nothing of how they scatter
MIN_USABLE = 0.05  # of the periods of a percentile
Z_WORST = 1.96  # of the extra errors: one-sided 97.5 %, as each end of the CI that they begin with


@dataclass(frozen=True, slots=True)
class PhasePattern:
    """What the phase so far says of one criterion. Requests and variances are of one minute, or of one period if that is longer.

    `difference`: canary − baseline, with its standard error and `spread`, the standard deviation that it has before anything is known. `level`: of
    the baseline; of a rate that of both fleets. `noise`: of a latency, the part of the variance that falls as 1/requests of the smaller fleet grows.
    `required`: responses that a percentile needs in each period.
    """

    samples: PairedSamples
    requests: float
    share: float
    difference: float
    standard_error: float
    spread: float
    level: float
    scatter: Scatter
    noise: float = 1.0
    required: int = 0


def phase_pattern(samples: PairedSamples) -> PhasePattern | None:
    """The pattern of one criterion; None if its periods are too few to say anything."""
    if not samples.is_measured or len(samples.ts) < MIN_SAMPLES:
        return None
    newest = slice(-DAY_S // samples.period_s, None)
    b, c = samples.requests_b, samples.requests_c
    requests, share = float((b + c)[newest].mean()), float(c.sum() / (b + c).sum())
    if samples.is_rate:
        scatter = _longer(samples.history, rate_scatter(*(part[newest] for part in samples.counts)))
        events, exposure_b, exposure_c = samples.baseline.sum() + samples.canary.sum(), b.sum(), c.sum()
        rate = (events + 0.5) / (exposure_b + exposure_c)
        widening = 1 + scatter.variance * scatter.long_run * rate * (b + c).mean() * share * (1 - share)
        error = math.sqrt(widening * rate * (1 / exposure_b + 1 / exposure_c))
        difference = float(samples.canary.sum() / exposure_c - samples.baseline.sum() / exposure_b)
        margin = samples.criterion.margin
        edge = margin.amount * (rate if margin.is_relative else 1.0)
        return PhasePattern(samples, requests, share, difference, error, edge * PRIOR_OF_EDGE, float(rate), scatter)
    baseline, canary = samples.levels
    weights, differences = samples.weights, canary - baseline
    scatter = _longer(samples.history, difference_scatter(differences[newest], weights[newest]))
    level = float(np.average(baseline, weights=weights))
    return PhasePattern(
        samples,
        requests,
        share,
        float(np.average(differences, weights=weights)),
        math.sqrt(scatter.variance * scatter.long_run / len(samples.ts)),
        samples.edge * PRIOR_OF_EDGE,
        math.exp(level) if samples.criterion.margin.is_relative else level,
        scatter,
        _noise_of_requests(samples),
        required_samples(samples.criterion.metric.removeprefix("latency_"))
        if samples.criterion.metric.startswith("latency_")
        else 0,
    )


def minutes_at_share(pattern: PhasePattern, share: float, n_comparisons: int) -> int | None:
    """Judged minutes after which a phase at `share` (0–1) of the canary is decided with a probability of about 90 %; None if not within four weeks.

    "If all goes on as it did": the requests, the difference and the scatter of the phase so far, at another share.
    """
    if not 0 < share < 1:
        return None
    period_min = pattern.samples.period_s / MINUTE_S
    steps = np.unique(np.ceil(np.geomspace(1.0, MAX_MINUTES / period_min, TIME_STEPS)))
    usable = _usable_share(pattern, share)
    if usable < MIN_USABLE:
        return None
    n, z = np.tile(steps * usable, len(DEVIATIONS)), np.repeat(DEVIATIONS, len(steps))
    future = _rates_at(pattern, share, n, z) if pattern.samples.is_rate else _differences_at(pattern, share, n, z)
    found = intervals(pattern.samples.criterion, future, n_comparisons, pattern.level * np.ones_like(n))
    verdicts = interval_verdicts(pattern.samples.criterion, found)
    decisive = np.isin(verdicts, DECISIVE_VERDICTS).reshape(len(DEVIATIONS), len(steps))
    first = np.sort(np.where(decisive.any(axis=1), steps[decisive.argmax(axis=1)], np.inf))[DECIDED_OF_TEN - 1]
    return math.ceil(first * period_min) if np.isfinite(first) else None


def worst_extra_errors(pattern: PhasePattern, result: CriterionVerdict, share: float, minutes: float) -> float:
    """Errors of the canary beyond those at the baseline's rate in `minutes` at `share`, that more come with a probability of less than 5 %.

    `pattern`, `result`: of the error rate. Its difference is at the end of its CI, or of its margin while there is no CI; and errors scatter.
    """
    bound = max(result.upper if result.upper is not None else (result.margin or pattern.spread / PRIOR_OF_EDGE), 0.0)
    n = minutes * MINUTE_S / pattern.samples.period_s
    requests = pattern.requests * share * n
    widening = 1 + pattern.scatter.variance * pattern.scatter.long_run * _information(pattern, share)
    # Measured against the baseline's rate, which scatters, too; at 100 % against what it would have been.
    errors = (pattern.level + bound) * requests / max(1 - share, 0.5)
    return requests * bound + Z_WORST * math.sqrt(widening * errors)


def _posterior(pattern: PhasePattern) -> tuple[float, float]:
    """Mean and variance of the difference: a prior without a difference, as most phases of a migration have, and the phase so far."""
    prior, variance = pattern.spread**2, pattern.standard_error**2
    weight = prior / max(prior + variance, 1e-300)
    return weight * pattern.difference, weight * variance


def _information(pattern: PhasePattern, share: float) -> float:
    """Of a rate, in one period: see `RunningRates.information`."""
    return pattern.level * pattern.requests * share * (1 - share)


def _rates_at(pattern: PhasePattern, share: float, n: FloatArray, z: FloatArray) -> RunningRates:
    """The rates after `n` periods, as `running_rates` would have them, deviating by `z` standard errors from what is expected."""
    scatter, information = pattern.scatter, _information(pattern, share)
    excess = scatter.variance * information * scatter.long_run
    own = 1 + excess * (1 + EARLY_MINUTES / np.sqrt(n)) + 2 * information * (EARLY_MINUTES / n) ** 3
    overdispersion = scatter.pooled(n, own, 1 + excess)
    exposure_b, exposure_c = pattern.requests * (1 - share) * n, pattern.requests * share * n
    mean, variance = _posterior(pattern)
    noise = (1 + excess) * pattern.level * (1 / exposure_b + 1 / exposure_c)
    difference = mean + z * np.sqrt(variance + noise)
    # Most of the noise is the smaller fleet's.
    rate_b = np.maximum(pattern.level - share * difference, 0.0)
    rate_c = np.maximum(pattern.level + (1 - share) * difference, 0.0)
    counts = rate_b * exposure_b, exposure_b, rate_c * exposure_c, exposure_c
    return RunningRates(n, *counts, overdispersion, scatter.is_enough(n))


def _differences_at(pattern: PhasePattern, share: float, n: FloatArray, z: FloatArray) -> RunningDifferences:
    """The differences after `n` periods, as `running_differences` would have them, likewise."""
    scatter = pattern.scatter
    noise_now, noise_then = 1 / (pattern.share * (1 - pattern.share)), 1 / (share * (1 - share))
    variance = scatter.variance * (1 - pattern.noise + pattern.noise * noise_then / noise_now)
    correlation = (scatter.long_run - 1) / (scatter.long_run + 1) * (1 + 4 / np.sqrt(n)) + 0.2 * (
        EARLY_MINUTES / n
    ) ** 2
    correlation = np.clip(correlation, 0.0, MAX_AUTOCORRELATION)
    long_run = scatter.pooled(n, (1 + correlation) / (1 - correlation), scatter.long_run)
    effective = n / long_run
    mean, posterior = _posterior(pattern)
    difference = mean + z * np.sqrt(posterior + variance * scatter.long_run / n)
    dof = (n + scatter.counted_periods) / long_run - 1
    return RunningDifferences(n, difference, variance + 0 * n, effective, dof, scatter.is_enough(n))


def _usable_share(pattern: PhasePattern, share: float) -> float:
    """Of the periods, those with enough responses of the smaller fleet for a percentile; 1 if none are needed."""
    if not pattern.required:
        return 1.0
    smaller = pattern.requests * min(share, 1 - share)
    return 0.5 * math.erfc((pattern.required - smaller) / math.sqrt(2 * max(smaller, 1.0)))


def _noise_of_requests(samples: PairedSamples) -> float:
    """The part (0–1) of a paired difference's variance that is due to few requests, by comparing how much each fleet changes between neighbours.

    Of two fleets of nearly equal size that says nothing: 1, so that a smaller canary is expected to scatter more.
    """
    if samples.criterion.quantity == "value":
        return 0.0
    inverse = [float((1 / requests).mean()) for requests in (samples.requests_b, samples.requests_c)]
    if max(inverse) < 1.5 * min(inverse):
        return 1.0
    changes = [float((np.diff(levels) ** 2).mean()) / 2 for levels in samples.levels]
    per_request = (changes[1] - changes[0]) / (inverse[1] - inverse[0])
    baseline, canary = samples.levels
    total = float((np.diff(canary - baseline) ** 2).mean()) / 2
    return float(np.clip(per_request * sum(inverse) / total, 0.0, 1.0)) if total > 0 else 0.0


def _longer(*scatters: Scatter) -> Scatter:
    """The one that rests on more periods."""
    return max(scatters, key=lambda scatter: scatter.periods)
