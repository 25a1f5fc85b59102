"""The parity judge: a frame and what parity means in, a verdict that may be looked at every minute out. docs/MATH.md explains it."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.parity.confidence_sequences import (
    MIN_MINUTES,
    RunningDifferences,
    RunningRates,
    running_differences,
    running_rates,
)
from analysis.parity.intervals import SequentialIntervals, interval_verdicts, latency_intervals, rate_intervals
from analysis.parity.recent_regression import recent_difference_above_margin, recent_rate_above_margin
from analysis.parity.samples import PairedSamples, is_series_needed, paired_samples, prepare_grid
from analysis.parity.time_to_decision import ForecastInput, minutes_to_decision
from analysis.parity.verdicts import (
    DECISIVE_VERDICTS,
    DEFAULT_CRITERIA,
    CriterionVerdict,
    Judgement,
    Verdict,
    VerdictReason,
    overall_verdict,
)
from analysis.series.grid import FloatArray, UnknownWindows
from domain import Criterion, Series, Window

TRACE_COLUMNS = (
    "ts",
    "metric",
    "verdict",
    "estimate",
    "low",
    "high",
    "alarm_low",
    "alarm_high",
    "margin_low",
    "margin",
)
NUMERIC_COLUMNS = TRACE_COLUMNS[3:]
VerdictArray = npt.NDArray[np.str_]


def judge(
    frame: pd.DataFrame,
    criteria: Sequence[Criterion] = (),
    *,
    window: Window | None = None,
    provisional_from: int | None = None,
    unknown: UnknownWindows = MappingProxyType({}),
) -> Judgement:
    """The verdict over the settled minutes of `frame` (tidy) in `window`; without criteria by DEFAULT_CRITERIA, and marked so.

    `provisional_from`: epoch seconds from which minutes may still change. `unknown`: counts that could not be read, and
    when: absent there is not 0. The window is one phase of the migration: cut it where the canary was
    deployed anew. The verdict holds at every look: ask as often as you like, the chance that any of the alarms is ever false stays ≤ 5 %.
    """
    chosen = tuple(criteria) or DEFAULT_CRITERIA
    kept = prepare_grid(frame, window, provisional_from, unknown)
    said = tuple(
        judge_criterion(criterion, paired_samples(kept, criterion), len(chosen), kept.grid.period_s / 60)
        for criterion in chosen
    )
    return Judgement(overall_verdict(said), said, default_criteria=not criteria)


def is_needed(series: Series, criteria: Sequence[Criterion] = ()) -> bool:
    """Whether `judge` and `trace` look at this series: whoever reads for them alone needs no other."""
    return is_series_needed(series, tuple(criteria) or DEFAULT_CRITERIA)


def trace(
    frame: pd.DataFrame,
    criteria: Sequence[Criterion] = (),
    *,
    window: Window | None = None,
    provisional_from: int | None = None,
    unknown: UnknownWindows = MappingProxyType({}),
) -> pd.DataFrame:
    """What `judge` would have said after every settled minute: TRACE_COLUMNS, in the metric's own unit; the last row of a metric is its judgement.

    `ts` (UTC) is the period's start. A minute that was left out repeats the one before it; NaN and "not enough data" while there is no interval.
    """
    chosen = tuple(criteria) or DEFAULT_CRITERIA
    kept = prepare_grid(frame, window, provisional_from, unknown)
    settled = np.flatnonzero(kept.final)
    ts = pd.to_datetime(kept.grid.ts[settled], unit="s", utc=True).as_unit("s")
    parts = []
    for criterion in chosen:
        found = paired_samples(kept, criterion)
        columns: dict[str, Any] = {"ts": ts, "metric": criterion.metric, "verdict": "not enough data"}
        columns |= dict.fromkeys(NUMERIC_COLUMNS, np.nan)
        if found.is_measured and len(found.ts):
            known, level = _running_estimates(criterion, found)
            looks = _intervals(criterion, known, level, len(chosen))
            verdict = _with_recent_regression(criterion, found, known, interval_verdicts(criterion, looks), len(chosen))
            newest = np.searchsorted(found.index, settled, side="right") - 1  # −1, the added last one: before the first
            columns["verdict"] = np.append(verdict, "not enough data")[newest]
            if found.recent_gap:
                columns["verdict"] = np.where(settled > found.index[-1], "not enough data", columns["verdict"])
            for name in NUMERIC_COLUMNS:
                columns[name] = np.append(np.where(looks.is_known, getattr(looks, name), np.nan), np.nan)[newest]
        parts.append(pd.DataFrame(columns, index=range(len(ts))))
    return pd.concat(parts, ignore_index=True)


def judge_criterion(
    criterion: Criterion, samples: PairedSamples, n_comparisons: int, period_minutes: float
) -> CriterionVerdict:
    """The verdict over all of `found`, minutes (or longer periods of `period_minutes`) in order. `family`: how many alarms could be raised in all."""
    sums: dict[str, Any] = {
        "baseline_events": round(samples.baseline.sum()) if samples.is_rate else 0,
        "canary_events": round(samples.canary.sum()) if samples.is_rate else 0,
        "baseline_requests": round(samples.requests_b.sum()),
        "canary_requests": round(samples.requests_c.sum()),
        "minutes": round(len(samples.ts) * period_minutes),
        "left_out": samples.excluded,
    }
    missing = _insufficiency(samples)
    if missing in ("one_side_empty", "not_measured", "one_side_gone", "unread") or not len(samples.ts):
        return CriterionVerdict(criterion, "not enough data", missing or "few_minutes", **sums)
    history, levels = _running_estimates(criterion, samples)
    known, level = _last(history), levels[-1:]
    looks = _intervals(criterion, known, level, n_comparisons)
    numbers = looks.at(-1)
    said = interval_verdicts(criterion, looks)
    verdict: Verdict = str(_with_recent_regression(criterion, samples, history, said, n_comparisons)[-1])  # type: ignore[assignment]
    now: dict[str, Any] = {"minutes_to_decision": 0, "minutes_to_decision_even": 0}
    if verdict != str(said[-1]):
        return CriterionVerdict(criterion, verdict, "broke_lately", **numbers, **sums, **now)
    if verdict in DECISIVE_VERDICTS:
        reason = _reason(criterion, verdict, numbers)
        return CriterionVerdict(criterion, verdict, reason, **numbers, **sums, **now)
    clock = samples.paired_periods * period_minutes
    pace = ForecastInput(known, level, clock, sums["baseline_requests"], sums["canary_requests"])
    sums |= {
        "minutes_to_decision": minutes_to_decision(criterion, pace, n_comparisons),
        "minutes_to_decision_even": minutes_to_decision(criterion, pace, n_comparisons, even=True),
    }
    if missing is not None or verdict == "not enough data":
        seen = {name: numbers[name] for name in ("estimate", "baseline", "canary", "margin", "margin_low")}
        return CriterionVerdict(criterion, "not enough data", missing or "few_minutes", **seen, **sums)
    return CriterionVerdict(criterion, verdict, _reason(criterion, verdict, numbers), **numbers, **sums)


def _insufficiency(samples: PairedSamples) -> VerdictReason | None:
    """What stands against any verdict."""
    if samples.one_side_empty:
        return "one_side_empty"
    if not samples.is_measured:
        return "not_measured"
    if samples.recent_gap:
        return samples.recent_gap
    if len(samples.ts) < MIN_MINUTES:
        return "few_minutes"
    if samples.is_rate and not samples.baseline.any() and not samples.canary.any():
        return "no_events"
    return None


def _reason(criterion: Criterion, verdict: Verdict, numbers: dict[str, float]) -> VerdictReason:
    if verdict == "parity":
        return "inside_margin"
    if verdict != "undecided":
        return "beyond_margin"
    lower_is_better = criterion.better == "lower"
    if numbers["alarm_low"] > 0:
        return "surely_worse" if lower_is_better else "surely_better"
    if numbers["alarm_high"] < 0:
        return "surely_better" if lower_is_better else "surely_worse"
    return "straddles"


def _running_estimates(
    criterion: Criterion, samples: PairedSamples
) -> tuple[RunningRates | RunningDifferences, FloatArray]:
    """The running evidence after each of the minutes, and the baseline's level (of a latency; of a rate it is in the evidence)."""
    if samples.is_rate:
        return running_rates(samples.baseline, samples.requests_b, samples.canary, samples.requests_c), samples.baseline
    n = np.arange(1, len(samples.ts) + 1)
    if criterion.margin.unit == "%":
        return running_differences(_paired_differences(criterion, samples)), np.exp(
            np.cumsum(np.log(samples.baseline)) / n
        )
    return running_differences(_paired_differences(criterion, samples)), np.cumsum(samples.baseline) / n


def _with_recent_regression(
    criterion: Criterion,
    samples: PairedSamples,
    running: RunningRates | RunningDifferences,
    phase_verdicts: VerdictArray,
    n_comparisons: int,
) -> VerdictArray:
    """The verdicts `said`, but where the last hour at most is beyond the margin by itself, its own; for as many minutes as `said` has, to the last."""
    last = len(phase_verdicts) < len(samples.ts)
    if isinstance(running, RunningRates):
        b, c = (samples.baseline, samples.requests_b), (samples.canary, samples.requests_c)
        above = recent_rate_above_margin(criterion, (*b, *c), running, n_comparisons, last_only=last)
        below = recent_rate_above_margin(criterion, (*c, *b), running, n_comparisons, last_only=last)
    else:
        pairs = _paired_differences(criterion, samples)
        above = recent_difference_above_margin(criterion, pairs, running, n_comparisons, last_only=last)
        below = recent_difference_above_margin(criterion, -pairs, running, n_comparisons, last_only=last)
    worse, better = (above, below) if criterion.better == "lower" else (below, above)
    open_ = np.isin(phase_verdicts, ("undecided", "parity"))
    return np.select([open_ & worse, open_ & better], ["regression", "improvement"], phase_verdicts)


def _paired_differences(criterion: Criterion, samples: PairedSamples) -> FloatArray:
    """What is compared of a latency in each minute: the logarithm of the ratio where the margin is relative, otherwise the difference."""
    if criterion.margin.unit == "%":
        return np.log(samples.canary / samples.baseline)
    return samples.canary - samples.baseline


def _last(running: RunningRates | RunningDifferences) -> RunningRates | RunningDifferences:
    """The same evidence at its last moment alone."""
    return type(running)(*(getattr(running, name)[-1:] for name in running.__slots__))


def _intervals(
    criterion: Criterion, running: RunningRates | RunningDifferences, level: FloatArray, n_comparisons: int
) -> SequentialIntervals:
    if isinstance(running, RunningRates):
        return rate_intervals(criterion, running, n_comparisons)
    return latency_intervals(criterion, running, level, n_comparisons)
