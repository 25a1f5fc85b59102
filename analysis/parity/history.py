"""What is known from before a window: how the periods of a service scatter, and its usual errors. docs/MATH.md says how much it counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from analysis.parity.confidence_sequences import MIN_HISTORY, Scatter, difference_scatter, rate_scatter
from analysis.parity.context import JudgeContext
from analysis.parity.samples import PairedSamples, PreparedGrid, paired_samples
from analysis.parity.verdicts import DEFAULT_CRITERIA
from analysis.series.grid import BoolArray
from domain import FLEETS, Criterion
from domain.window import DAY_S


@dataclass(frozen=True, slots=True)
class History:
    """What earlier periods say. `scatter`: by metric; `weights`: of the periods that each is known from, see `paired_weights`.

    `usual`: errors and requests of both fleets in ordinary periods.
    """

    scatter: Mapping[str, Scatter] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    usual: tuple[float, float] = (0.0, 0.0)

    def added_to(self, context: JudgeContext, judged: pd.DataFrame) -> JudgeContext:
        """The context with what is known of periods with the traffic of `judged` (tidy).

        Percentiles of fewer answers scatter more, but at most by as many times as there are fewer: that is assumed, as it errs on the wide side.
        """
        weight = _mean_weight(judged)
        scatter = {
            metric: replace(known, variance=known.variance * max(1.0, self.weights.get(metric, 0.0) / weight))
            if weight
            else known
            for metric, known in self.scatter.items()
        }
        return replace(context, scatter=scatter, usual=self.usual)


def learn_history(pasts: Iterable[PreparedGrid], criteria: Sequence[Criterion] = ()) -> History:
    """What earlier periods, as long as those that are judged, say of each criterion: the first of `pasts` with MIN_HISTORY usable periods.

    Incidents and the warm-up are left out.
    """
    chosen = tuple(criteria) or DEFAULT_CRITERIA
    learnt: dict[str, _Learnt] = {}
    usual: tuple[float, float] | None = None
    for prepared in pasts:
        ordinary = _without_incidents(prepared)
        for criterion in chosen:
            samples = paired_samples(prepared, criterion)
            used = ordinary[samples.index]
            if criterion.metric not in learnt and used.sum() >= MIN_HISTORY:
                learnt[criterion.metric] = _learn(criterion, samples, used)
        usual = usual or _usual(prepared, ordinary)
        if usual and len(learnt) == len(chosen):
            break
    return History(
        {metric: item.scatter for metric, item in learnt.items()},
        {metric: item.weight for metric, item in learnt.items() if item.weight is not None},
        usual or (0.0, 0.0),
    )


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


@dataclass(frozen=True, slots=True)
class _Learnt:
    scatter: Scatter
    weight: float | None


def _learn(criterion: Criterion, samples: PairedSamples, used: BoolArray) -> _Learnt:
    if samples.is_rate:
        parts = samples.baseline, samples.requests_b, samples.canary, samples.requests_c
        return _Learnt(rate_scatter(*(part[used] for part in parts)), None)
    baseline, canary = samples.levels(criterion)
    return _Learnt(difference_scatter((canary - baseline)[used]), float(samples.weights[used].mean()))


def _usual(prepared: PreparedGrid, ordinary: BoolArray) -> tuple[float, float] | None:
    """Errors and requests of both fleets in periods with requests of both; None if these are too few."""
    scan = prepared.scan
    used = ordinary & (scan.requests["baseline"] > 0) & (scan.requests["canary"] > 0)
    if used.sum() < MIN_HISTORY:
        return None
    errors, requests = (
        sum(float(counts[fleet][used].sum()) for fleet in FLEETS) for counts in (scan.failed, scan.requests)
    )
    return errors, requests


def _without_incidents(prepared: PreparedGrid) -> BoolArray:
    ts = prepared.grid.ts
    ordinary = np.ones(len(ts), dtype=bool)
    for incident in prepared.scan.incidents:
        ordinary &= (ts < incident.window.start) | (ts >= incident.window.end)
    return ordinary


def _mean_weight(frame: pd.DataFrame) -> float:
    """The weight of a period with the mean requests of each fleet; 0 if one had none."""
    rows = frame[frame["metric"] == "requests"]
    totals = [float(rows.loc[rows["fleet"] == fleet, "value"].sum()) for fleet in FLEETS]
    periods = rows["ts"].nunique()
    return totals[0] * totals[1] / sum(totals) / periods if all(totals) else 0.0
