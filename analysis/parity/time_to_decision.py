"""How long until there is a verdict, if all goes on as it did; and how long with the traffic split in halves."""

import math
from dataclasses import dataclass

import numpy as np

from analysis.parity.confidence_sequences import FEWEST_MINUTES, Counts, Differences
from analysis.parity.intervals import looks_at_counts, looks_at_differences, verdicts
from analysis.parity.verdicts import DECIDED
from analysis.series.grid import Values
from domain import Criterion

LONGEST_MINUTES = 28 * 24 * 60  # what takes longer is not worth waiting for
STEPS = 60  # of time, each a few per cent longer than the one before it


@dataclass(frozen=True, slots=True, eq=False)
class Pace:
    """What was seen, and how fast it comes: `known` is one moment's, `level` the baseline's (latency), and all of it took `minutes` of the clock.

    `requests_b` and `requests_c` are what each side had in them.
    """

    known: Counts | Differences
    level: Values
    minutes: float
    requests_b: float
    requests_c: float


def minutes_to_decision(criterion: Criterion, pace: Pace, family: int, *, even: bool = False) -> int | None:
    """How many more minutes until parity, regression or improvement could be said; 0 when it can be, None when not within four weeks.

    As if estimate and scatter stayed as they are now: a forecast, not a promise; an estimate that lies on the margin never gets there. `even`: at
    50:50 from the start, with a percentile's scatter falling as for independent answers (at best).
    """
    if pace.minutes <= 0 or float(pace.known.minutes[-1]) < FEWEST_MINUTES:
        return None
    factors = np.geomspace(1.0, max(LONGEST_MINUTES / pace.minutes, 1.0) + 1.0, STEPS)
    half = (pace.requests_b + pace.requests_c) / 2
    if isinstance(pace.known, Counts):
        known, (wide_b, wide_c) = pace.known, (1.0, 1.0)
        if even:
            wide_b, wide_c = half / pace.requests_b, half / pace.requests_c
        later = Counts(
            known.minutes * factors,
            known.events_b * factors * wide_b,
            known.exposure_b * factors * wide_b,
            known.events_c * factors * wide_c,
            known.exposure_c * factors * wide_c,
            known.inflation * np.ones(STEPS),
            known.freedom * factors,
        )
        looks = looks_at_counts(criterion, later, family)
    else:
        paired = pace.known
        thinner = (2 / half) / (1 / pace.requests_b + 1 / pace.requests_c) if even else 1.0
        ones = np.ones(STEPS)
        further = Differences(
            paired.minutes * factors, paired.mean * ones, paired.variance * thinner * ones, paired.effective * factors
        )
        looks = looks_at_differences(criterion, further, pace.level * ones, family)
    decided = np.flatnonzero(np.isin(verdicts(criterion, looks), DECIDED))
    if not len(decided):
        return None
    factor = float(factors[decided[0]])
    return math.ceil((factor - 1) * pace.minutes)
