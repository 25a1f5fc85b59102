"""Forecast of the time until there is a verdict, at the current split and at 50:50."""

import math

import numpy as np

from analysis.parity.confidence_sequences import RunningDifferences, RunningRates
from analysis.parity.intervals import interval_verdicts, intervals
from analysis.parity.verdicts import DECISIVE_VERDICTS
from analysis.series.grid import FloatArray
from domain import Criterion

MAX_MINUTES = 28 * 24 * 60
DEVIATIONS = (-0.75, 0.0, 0.4)  # in standard errors
TIME_STEPS = 60  # geometric: each a few per cent longer than the one before


def minutes_to_decision(
    criterion: Criterion,
    running: RunningRates | RunningDifferences,
    baseline_level: FloatArray,
    n_comparisons: int,
    *,
    minutes: float,
    requests: tuple[float, float],
    even: bool = False,
) -> int | None:
    """Minutes until the verdict is parity, regression or improvement; None if not within four weeks.

    `running`, `baseline_level`: the current estimates, arrays of length 1, which took `minutes` and these `requests` of each fleet. The soonest
    for the differences in DEVIATIONS: noise decides sooner than a steady estimate would. `even`: as if the traffic had been split 50:50 from the
    start, with a percentile's variance falling as for independent answers (best case).
    """
    if minutes <= 0 or not running.is_enough[-1]:
        return None
    steps = np.geomspace(1.0, max(MAX_MINUTES / minutes, 1.0) + 1.0, TIME_STEPS)
    factors, deviations = np.tile(steps, len(DEVIATIONS)), np.repeat(DEVIATIONS, TIME_STEPS)
    (b, c), half = requests, sum(requests) / 2
    future: RunningRates | RunningDifferences
    if isinstance(running, RunningRates):
        future = _future_rates(running, factors, deviations, (half / b, half / c) if even else (1.0, 1.0))
    else:
        future = _future_differences(running, factors, deviations, (2 / half) / (1 / b + 1 / c) if even else 1.0)
    verdicts = interval_verdicts(
        criterion, intervals(criterion, future, n_comparisons, baseline_level * np.ones_like(factors))
    )
    decisive = factors[np.isin(verdicts, DECISIVE_VERDICTS)]
    return math.ceil((float(decisive.min()) - 1) * minutes) if len(decisive) else None


def _future_rates(
    rates: RunningRates, factors: FloatArray, deviations: FloatArray, scales: tuple[float, float]
) -> RunningRates:
    pooled = (rates.events_b + rates.events_c) / (rates.exposure_b + rates.exposure_c)
    variance = rates.overdispersion * pooled * (1 / rates.exposure_b + 1 / rates.exposure_c)
    kept = _multiple(rates.rate_c - rates.rate_b, variance, deviations)
    exposure_b, exposure_c = rates.exposure_b * factors * scales[0], rates.exposure_c * factors * scales[1]
    rate_b, rate_c = (np.maximum(pooled + kept * (rate - pooled), 0.0) for rate in (rates.rate_b, rates.rate_c))
    counts = rate_b * exposure_b, exposure_b, rate_c * exposure_c, exposure_c
    return RunningRates(rates.minutes * factors, *counts, _fade(rates.overdispersion, factors), factors > 0)


def _future_differences(
    differences: RunningDifferences, factors: FloatArray, deviations: FloatArray, scale: float
) -> RunningDifferences:
    n, variance = differences.minutes * factors, np.full_like(factors, differences.variance)
    effective = n / _fade(differences.minutes / differences.effective_minutes, factors)
    mean = differences.mean * _multiple(differences.mean, variance / differences.effective_minutes, deviations)
    dof = differences.dof + effective - differences.effective_minutes
    return RunningDifferences(n, mean, variance * scale, effective, dof, factors > 0)


def _multiple(difference: FloatArray, variance: FloatArray, deviations: FloatArray) -> FloatArray:
    """The factor that moves a difference by `deviations` in standard errors, but not beyond 0."""
    return np.maximum(1 + deviations * np.sqrt(variance) / np.maximum(np.abs(difference), 1e-300), 0.0)


def _fade(widening: FloatArray, factors: FloatArray) -> FloatArray:
    """A widening of the intervals (≥ 1) after `factors` times as many minutes: most of it is caution that fades."""
    return 1 + (widening - 1) / factors**0.3
