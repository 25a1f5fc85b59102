"""The demo over longer periods than a minute: counts summed, the minutes' latency mixed, each with the weight of its answers, and the mixture asked."""

import math
from collections.abc import Iterable, Mapping

import numpy as np

from domain import FleetName, Window
from domain.latency import CDF_THRESHOLDS_S, LatencySummary
from domain.series import PERCENTILES, hourly_stat, within_stat
from sources.demo.metrics import (
    MAX_LATENCY_S,
    Floats,
    LatencyDistributions,
    MetricArrays,
    average,
    latency_distributions,
    minute_metrics,
    quantile,
    share_within,
)
from sources.demo.scenario import Scenario

_BISECTION_STEPS = 24  # of the interval in which a percentile lies, as a logarithm: to far less than a microsecond


def period_metrics(
    scenario: Scenario,
    window: Window,
    period_s: int,
    *,
    now: int,
    slow_thresholds_s: Iterable[float],
    percentiles_only: bool,
) -> MetricArrays:
    """What a source had at `now` for the periods of `window`, as `numbers` tells it for minutes; of whole hours also the hourly percentiles.

    `percentiles_only`: none of the rest, which takes as long again. The ends of `window` are multiples of `period_s`.
    """
    ts, each = np.arange(window.start, window.end, 60, dtype=np.int64), period_s // 60
    thresholds_s = tuple(slow_thresholds_s)
    told: dict[tuple[str, str, str], Floats] = {}
    if not percentiles_only:
        for (group, metric, stat), value in minute_metrics(scenario, ts, now=now, slow_thresholds_s=()).items():
            if metric != "latency" or stat == "sample_count":
                told[group, metric, stat] = _combine(value.reshape(-1, each), use_min=stat == "minimum")
    for group, minutes in latency_distributions(scenario, ts, now=now).items():
        every = minutes.reshape(each)
        for name in PERCENTILES:
            value = told[group, "latency", name] = np.round(_percentile(every, name), 6)
            if period_s == 3600:
                told[group, "latency", hourly_stat(name)] = value
        if not percentiles_only:
            told[group, "latency", "average"] = np.round(_weighted_mean(every, average(every.median, every.stretch)), 6)
            for threshold_s in thresholds_s:
                told[group, "latency", within_stat(threshold_s)] = np.round(_share_within(every, threshold_s), 6)
    return told


def group_latencies(
    scenario: Scenario, window: Window, *, now: int, fleets: Mapping[str, FleetName], slow_thresholds_s: Iterable[float]
) -> tuple[LatencySummary, ...]:
    """Every target group of `fleets` (group → fleet) that answered anything in `window`, over all of it."""
    thresholds_s = sorted({*CDF_THRESHOLDS_S, *slow_thresholds_s})
    minutes = latency_distributions(scenario, np.arange(window.start, window.end, 60, dtype=np.int64), now=now)
    every = {group: minutes[group].reshape(window.minutes) for group in fleets}
    return tuple(
        LatencySummary(
            fleet=fleet,
            target_group=group,
            requests=float(every[group].requests.sum()),
            answers=float(every[group].answered.sum()),
            average_s=round(
                float(_weighted_mean(every[group], average(every[group].median, every[group].stretch))[0]), 6
            ),
            percentiles={name: round(float(_percentile(every[group], name)[0]), 6) for name in PERCENTILES},
            within={
                threshold_s: round(float(_share_within(every[group], threshold_s)[0]), 6)
                for threshold_s in thresholds_s
            },
        )
        for group, fleet in fleets.items()
        if every[group].answered.any()
    )


def _combine(minutes: Floats, *, use_min: bool) -> Floats:
    """Sums, or the least, of what is there in each row; NaN where nothing is."""
    there = np.isfinite(minutes)
    merged = np.where(there, minutes, np.inf).min(axis=1) if use_min else np.where(there, minutes, 0).sum(axis=1)
    return np.where(there.any(axis=1), merged, np.nan)


def _share_within(mixture: LatencyDistributions, threshold_s: float | Floats) -> Floats:
    """The share of each period's answers that took at most `threshold_s`: shares do add up, weighted by the answers."""
    within_s = np.broadcast_to(np.asarray(threshold_s, dtype=np.float64).reshape(-1, 1), mixture.median.shape)
    return _weighted_mean(
        mixture, np.where(within_s >= MAX_LATENCY_S, 1.0, share_within(mixture.median, mixture.stretch, within_s))
    )


def _percentile(mixture: LatencyDistributions, name: str) -> Floats:
    """The seconds within which this share of each period's answers came: `_share` turned around, by halving.

    It lies between the least and the greatest of the minutes' own.
    """
    share = float(name[1:]) / 100
    own = np.log(quantile(mixture.median, mixture.stretch, math.log(share / (1 - share))))
    answered = mixture.answered > 0
    low, high = np.where(answered, own, np.inf).min(axis=1), np.where(answered, own, -np.inf).max(axis=1)
    some = answered.any(axis=1)
    low, high = np.where(some, low, 0.0), np.where(some, high, 0.0)
    for _ in range(_BISECTION_STEPS):
        middle = (low + high) / 2
        below = _share_within(mixture, np.exp(middle)) < share
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.where(some, np.exp(high), np.nan)


def _weighted_mean(mixture: LatencyDistributions, value: Floats) -> Floats:
    """The mean of each row by its answers; NaN where there are none."""
    answers = mixture.answered.sum(axis=1)
    mean: Floats = (value * mixture.answered).sum(axis=1) / np.where(answers > 0, answers, np.nan)
    return mean
