"""Forecast of the time until there is a verdict, at the current split and at 50:50."""

import math
from dataclasses import dataclass

import numpy as np

from analysis.parity.confidence_sequences import RunningDifferences, RunningRates
from analysis.parity.intervals import interval_verdicts, latency_intervals, rate_intervals
from analysis.parity.verdicts import DECISIVE_VERDICTS
from analysis.series.grid import FloatArray
from domain import Criterion

MAX_MINUTES = 28 * 24 * 60
TIME_STEPS = 60  # geometric: each a few per cent longer than the one before


@dataclass(frozen=True, slots=True, eq=False)
class ForecastInput:
    """Current estimates (arrays of length 1), the baseline's level (latency), and the minutes and requests of each fleet they took."""

    running: RunningRates | RunningDifferences
    baseline_level: FloatArray
    minutes: float
    requests_b: float
    requests_c: float


def minutes_to_decision(
    criterion: Criterion, observed: ForecastInput, n_comparisons: int, *, even: bool = False
) -> int | None:
    """Minutes until the verdict is parity, regression or improvement; 0 if it is already, None if not within four weeks.

    Assumes that estimate and variance stay as they are. `even`: as if the traffic had been split 50:50 from the start, with a percentile's
    variance falling as for independent answers (best case).
    """
    if observed.minutes <= 0 or not observed.running.is_enough[-1]:
        return None
    factors = np.geomspace(1.0, max(MAX_MINUTES / observed.minutes, 1.0) + 1.0, TIME_STEPS)
    even_requests = (observed.requests_b + observed.requests_c) / 2
    if isinstance(observed.running, RunningRates):
        rates, (scale_b, scale_c) = observed.running, (1.0, 1.0)
        if even:
            scale_b, scale_c = even_requests / observed.requests_b, even_requests / observed.requests_c
        future_rates = RunningRates(
            rates.minutes * factors,
            rates.events_b * factors * scale_b,
            rates.exposure_b * factors * scale_b,
            rates.events_c * factors * scale_c,
            rates.exposure_c * factors * scale_c,
            rates.overdispersion * np.ones(TIME_STEPS),
            np.ones(TIME_STEPS, dtype=bool),
        )
        intervals = rate_intervals(criterion, future_rates, n_comparisons)
    else:
        differences = observed.running
        variance_scale = (2 / even_requests) / (1 / observed.requests_b + 1 / observed.requests_c) if even else 1.0
        ones = np.ones(TIME_STEPS)
        future_differences = RunningDifferences(
            differences.minutes * factors,
            differences.mean * ones,
            differences.variance * variance_scale * ones,
            differences.effective_minutes * factors,
            differences.dof * factors,
            np.ones(TIME_STEPS, dtype=bool),
        )
        intervals = latency_intervals(criterion, future_differences, observed.baseline_level * ones, n_comparisons)
    decisive = np.flatnonzero(np.isin(interval_verdicts(criterion, intervals), DECISIVE_VERDICTS))
    if not len(decisive):
        return None
    factor = float(factors[decisive[0]])
    return math.ceil((factor - 1) * observed.minutes)
