"""What is known from before a window: how the periods of a service scatter, and its usual errors. docs/MATH.md says how much it counts."""

from collections.abc import Iterable

import pandas as pd

from analysis.parity.confidence_sequences import MIN_HISTORY, Scatter, difference_scatter, rate_scatter
from analysis.parity.context import JudgeContext
from analysis.parity.samples import PreparedGrid, paired_samples
from analysis.series.grid import BoolArray
from domain import FLEETS, Criterion
from domain.window import DAY_S


def learn_history(pasts: Iterable[PreparedGrid]) -> JudgeContext:
    """The `scatter` and the `usual` errors of periods as long as those that are judged: each of the first of `pasts` with MIN_HISTORY usable ones.

    Incidents and the warm-up are left out.
    """
    scatter: dict[str, Scatter] = {}
    usual = (0.0, 0.0)
    for prepared in pasts:
        ordinary = ~prepared.grid.overlaps(incident.window for incident in prepared.scan.incidents)
        for criterion in prepared.criteria:
            if criterion.metric not in scatter and (learnt := _scatter(prepared, criterion, ordinary)):
                scatter[criterion.metric] = learnt
        usual = usual if usual[1] else _usual(prepared, ordinary)
        if usual[1] and len(scatter) == len(prepared.criteria):
            break
    return JudgeContext(scatter=scatter, usual=usual)


def baseline_by_day(day: pd.DataFrame, day_before: pd.DataFrame) -> pd.DataFrame:
    """The baseline's rows of `day` as the canary's, and those of the day before at the same times as the baseline's."""
    recent, earlier = (rows[rows["fleet"] == "baseline"] for rows in (day, day_before))
    return pd.concat(
        [
            day[day["fleet"] == "load_balancer"],
            recent.assign(fleet=pd.Series("canary", recent.index, day["fleet"].dtype)),
            earlier.assign(ts=earlier["ts"] + pd.Timedelta(DAY_S, "s")),
        ],
        ignore_index=True,
    )


def _scatter(prepared: PreparedGrid, criterion: Criterion, ordinary: BoolArray) -> Scatter | None:
    samples = paired_samples(prepared, criterion)
    used = ordinary[samples.index]
    if used.sum() < MIN_HISTORY:
        return None
    if samples.is_rate:
        return rate_scatter(*(part[used] for part in samples.counts))
    baseline, canary = samples.levels
    return difference_scatter((canary - baseline)[used], samples.weights[used])


def _usual(prepared: PreparedGrid, ordinary: BoolArray) -> tuple[float, float]:
    """Errors and requests of both fleets in periods with requests of both; 0 if these are too few."""
    scan = prepared.scan
    used = ordinary & (scan.requests["baseline"] > 0) & (scan.requests["canary"] > 0)
    if used.sum() < MIN_HISTORY:
        return 0.0, 0.0
    errors, requests = (
        sum(float(counts[fleet][used].sum()) for fleet in FLEETS) for counts in (scan.failed, scan.requests)
    )
    return errors, requests
