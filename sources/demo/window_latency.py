"""The demo's metrics over periods longer than a minute: summed counts, and percentiles of the mixture of the minutes' latency distributions."""

import math
from collections.abc import Iterable, Mapping

import numpy as np

from domain import FleetName, Window
from domain.latency import CDF_THRESHOLDS_S, LatencySummary
from domain.series import PERCENTILES, hourly_stat, within_stat
from domain.window import HOUR_S, MINUTE_S
from sources.demo.metrics import (
    MAX_LATENCY_S,
    Floats,
    LatencyDistributions,
    MetricArrays,
    latency_distributions,
    minute_metrics,
)
from sources.demo.scenario import Scenario

_BISECTION_STEPS = 24  # of the logarithm of a latency: to far less than a microsecond


def period_metrics(
    scenario: Scenario, window: Window, period_s: int, *, now: int, slow_thresholds_s: Iterable[float], hourly: bool
) -> MetricArrays:
    """The metrics known at `now` of the periods of `window`, like minute_metrics. The ends of `window` are multiples of `period_s`.

    `hourly`: only percentiles, which have names of their own for hours.
    """
    ts, n = np.arange(window.start, window.end, MINUTE_S, dtype=np.int64), period_s // MINUTE_S
    thresholds_s = tuple(slow_thresholds_s)
    metrics: dict[tuple[str, str, str], Floats] = {}
    if not hourly:
        for (group, metric, stat), value in minute_metrics(scenario, ts, now=now, slow_thresholds_s=()).items():
            if metric != "latency" or stat == "sample_count":
                metrics[group, metric, stat] = _combine(value.reshape(-1, n), use_min=stat == "minimum")
    for group, minutes in latency_distributions(scenario, ts, now=now).items():
        periods = minutes.reshape(n)
        stats = {name: _percentile(periods, name) for name in PERCENTILES}
        if period_s == HOUR_S:
            stats |= {hourly_stat(name): stats[name] for name in PERCENTILES}
        if not hourly:
            stats["average"] = _weighted_mean(periods, periods.average())
            stats |= {within_stat(threshold_s): _share_within(periods, threshold_s) for threshold_s in thresholds_s}
        metrics |= {(group, "latency", stat): np.round(value, 6) for stat, value in stats.items()}
    return metrics


def group_latencies(
    scenario: Scenario, window: Window, *, now: int, fleets: Mapping[str, FleetName], slow_thresholds_s: Iterable[float]
) -> tuple[LatencySummary, ...]:
    """The latency over all of `window` of each target group of `fleets` (group → fleet) that answered any request."""
    thresholds_s = sorted({*CDF_THRESHOLDS_S, *slow_thresholds_s})
    ts = np.arange(window.start, window.end, MINUTE_S, dtype=np.int64)
    distributions = latency_distributions(scenario, ts, now=now)
    summaries = []
    for group, fleet in fleets.items():
        period = distributions[group].reshape(window.minutes)
        if not period.answered.any():
            continue
        shares = {threshold_s: _share_within(period, threshold_s) for threshold_s in thresholds_s}
        summaries.append(
            LatencySummary(
                fleet=fleet,
                target_group=group,
                requests=float(period.requests.sum()),
                answers=float(period.answered.sum()),
                average_s=round(float(_weighted_mean(period, period.average())[0]), 6),
                percentiles={name: round(float(_percentile(period, name)[0]), 6) for name in PERCENTILES},
                within={threshold_s: round(float(share[0]), 6) for threshold_s, share in shares.items()},
            )
        )
    return tuple(summaries)


def _combine(minutes: Floats, *, use_min: bool) -> Floats:
    """The sum or minimum of each row without NaN; NaN if there is nothing else."""
    is_present = np.isfinite(minutes)
    filled = np.where(is_present, minutes, np.inf if use_min else 0)
    combined = filled.min(axis=1) if use_min else filled.sum(axis=1)
    return np.where(is_present.any(axis=1), combined, np.nan)


def _share_within(periods: LatencyDistributions, threshold_s: float | Floats) -> Floats:
    """The share of each period's answers of at most `threshold_s`: the mean of the minutes' shares, weighted by their answers."""
    threshold = np.asarray(threshold_s, dtype=np.float64).reshape(-1, 1)
    threshold = np.broadcast_to(threshold, periods.median.shape)
    return _weighted_mean(periods, np.where(threshold >= MAX_LATENCY_S, 1.0, periods.share_within(threshold)))


def _percentile(periods: LatencyDistributions, name: str) -> Floats:
    """A percentile of each period's answers in seconds: the inverse of `_share_within` by bisection between the minutes' own percentiles."""
    share = float(name[1:]) / 100
    of_minutes = np.log(periods.quantile(math.log(share / (1 - share))))
    answered = periods.answered > 0
    has_answers = answered.any(axis=1)
    lower = np.where(has_answers, np.where(answered, of_minutes, np.inf).min(axis=1), 0.0)
    upper = np.where(has_answers, np.where(answered, of_minutes, -np.inf).max(axis=1), 0.0)
    for _ in range(_BISECTION_STEPS):
        middle = (lower + upper) / 2
        too_low = _share_within(periods, np.exp(middle)) < share
        lower, upper = np.where(too_low, middle, lower), np.where(too_low, upper, middle)
    return np.where(has_answers, np.exp(upper), np.nan)


def _weighted_mean(periods: LatencyDistributions, value: Floats) -> Floats:
    """The mean of each row weighted by answers; NaN if there are none."""
    answers = periods.answered.sum(axis=1)
    mean: Floats = (value * periods.answered).sum(axis=1) / np.where(answers > 0, answers, np.nan)
    return mean
