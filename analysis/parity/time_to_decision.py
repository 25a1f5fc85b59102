"""How long until there is a verdict, if all goes on as it did; and how long with the traffic split in halves."""

import math
from dataclasses import dataclass

import numpy as np

from analysis.parity.confidence_sequences import MIN_MINUTES, RunningDifferences, RunningRates
from analysis.parity.intervals import interval_verdicts, latency_intervals, rate_intervals
from analysis.parity.verdicts import DECISIVE_VERDICTS
from analysis.series.grid import FloatArray
from domain import Criterion

MAX_MINUTES = 28 * 24 * 60  # what takes longer is not worth waiting for
TIME_STEPS = 60  # of time, each a few per cent longer than the one before it


@dataclass(frozen=True, slots=True, eq=False)
class ForecastInput:
    """What was seen, and how fast it comes: `known` is one moment's, `level` the baseline's (latency), and all of it took `minutes` of the clock.

    `requests_b` and `requests_c` are what each side had in them.
    """

    running: RunningRates | RunningDifferences
    baseline_level: FloatArray
    minutes: float
    requests_b: float
    requests_c: float


def minutes_to_decision(
    criterion: Criterion, observed: ForecastInput, n_comparisons: int, *, even: bool = False
) -> int | None:
    """How many more minutes until parity, regression or improvement could be said; 0 when it can be, None when not within four weeks.

    As if estimate and scatter stayed as they are now: a forecast, not a promise; an estimate that lies on the margin never gets there. `even`: at
    50:50 from the start, with a percentile's scatter falling as for independent answers (at best).
    """
    if observed.minutes <= 0 or float(observed.running.minutes[-1]) < MIN_MINUTES:
        return None
    factors = np.geomspace(1.0, max(MAX_MINUTES / observed.minutes, 1.0) + 1.0, TIME_STEPS)
    half = (observed.requests_b + observed.requests_c) / 2
    if isinstance(observed.running, RunningRates):
        known, (wide_b, wide_c) = observed.running, (1.0, 1.0)
        if even:
            wide_b, wide_c = half / observed.requests_b, half / observed.requests_c
        later = RunningRates(
            known.minutes * factors,
            known.events_b * factors * wide_b,
            known.exposure_b * factors * wide_b,
            known.events_c * factors * wide_c,
            known.exposure_c * factors * wide_c,
            known.overdispersion * np.ones(TIME_STEPS),
            known.dof * factors,
        )
        looks = rate_intervals(criterion, later, n_comparisons)
    else:
        paired = observed.running
        thinner = (2 / half) / (1 / observed.requests_b + 1 / observed.requests_c) if even else 1.0
        ones = np.ones(TIME_STEPS)
        further = RunningDifferences(
            paired.minutes * factors,
            paired.mean * ones,
            paired.variance * thinner * ones,
            paired.effective_minutes * factors,
        )
        looks = latency_intervals(criterion, further, observed.baseline_level * ones, n_comparisons)
    decided = np.flatnonzero(np.isin(interval_verdicts(criterion, looks), DECISIVE_VERDICTS))
    if not len(decided):
        return None
    factor = float(factors[decided[0]])
    return math.ceil((factor - 1) * observed.minutes)
