"""The parity judge: from a tidy frame and criteria to an anytime-valid verdict. docs/MATH.md has the method."""

from collections.abc import Callable, Sequence
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
from analysis.series.fleet_requests import FleetRequests, RequestsState, worst_state
from analysis.series.grid import FloatArray, UnknownWindows
from domain import FLEETS, Criterion, Series, Window

TRACE_COLUMNS = (
    "ts",
    "metric",
    "verdict",
    "estimate",
    "lower",
    "upper",
    "alarm_lower",
    "alarm_upper",
    "margin_lower",
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
    fleets: Sequence[FleetRequests] = (),
) -> Judgement:
    """The verdict over the final minutes of `frame` (tidy) in `window`, which should be one phase; by DEFAULT_CRITERIA if there are none.

    `provisional_from`: epoch seconds from which minutes may still change. `unknown`: when counts are unknown, so that a missing row is not 0.
    `fleets`: the requests of each fleet, if more is known of them than `frame` and `unknown` say; they explain a verdict and do not change it.
    The verdict is anytime-valid: however often it is computed, the probability that any alarm is ever false stays ≤ 5 %.
    """
    chosen = tuple(criteria) or DEFAULT_CRITERIA
    prepared = prepare_grid(frame, window, provisional_from, unknown, fleets)
    verdicts = tuple(
        judge_criterion(criterion, paired_samples(prepared, criterion), len(chosen), prepared.grid.period_s / 60)
        for criterion in chosen
    )
    return Judgement(overall_verdict(verdicts), verdicts, default_criteria=not criteria, fleets=prepared.fleets)


def is_needed(series: Series, criteria: Sequence[Criterion] = ()) -> bool:
    """Whether `judge` and `trace` use this series."""
    return is_series_needed(series, tuple(criteria) or DEFAULT_CRITERIA)


def trace(
    frame: pd.DataFrame,
    criteria: Sequence[Criterion] = (),
    *,
    window: Window | None = None,
    provisional_from: int | None = None,
    unknown: UnknownWindows = MappingProxyType({}),
    before_criterion: Callable[[], None] = lambda: None,
) -> pd.DataFrame:
    """The result of `judge` after every final minute, as a frame of TRACE_COLUMNS in the metric's own unit; the last row is the judgement.

    `ts` (UTC) is the period's start. An excluded minute repeats the row before it; NaN and "not enough data" until there is an interval.
    `before_criterion` may raise to give up.
    """
    chosen = tuple(criteria) or DEFAULT_CRITERIA
    prepared = prepare_grid(frame, window, provisional_from, unknown)
    final = np.flatnonzero(prepared.final)
    ts = pd.to_datetime(prepared.grid.ts[final], unit="s", utc=True).as_unit("s")
    parts = []
    for criterion in chosen:
        before_criterion()
        samples = paired_samples(prepared, criterion)
        columns: dict[str, Any] = {"ts": ts, "metric": criterion.metric, "verdict": "not enough data"}
        columns |= dict.fromkeys(NUMERIC_COLUMNS, np.nan)
        if samples.is_measured and len(samples.ts):
            running, baseline_level = _running_estimates(criterion, samples)
            intervals = _intervals(criterion, running, baseline_level, len(chosen))
            verdicts = _with_recent_regression(
                criterion, samples, running, interval_verdicts(criterion, intervals), len(chosen)
            )
            last_sample = (
                np.searchsorted(samples.index, final, side="right") - 1
            )  # −1 (the appended value): before the first
            columns["verdict"] = np.append(verdicts, "not enough data")[last_sample]
            if samples.recent_gap:
                columns["verdict"] = np.where(final > samples.index[-1], "not enough data", columns["verdict"])
            for name in NUMERIC_COLUMNS:
                columns[name] = np.append(np.where(intervals.is_known, getattr(intervals, name), np.nan), np.nan)[
                    last_sample
                ]
        parts.append(pd.DataFrame(columns, index=range(len(ts))))
    return pd.concat(parts, ignore_index=True)


def judge_criterion(
    criterion: Criterion, samples: PairedSamples, n_comparisons: int, period_minutes: float
) -> CriterionVerdict:
    """The verdict over all of `samples`, whose periods have `period_minutes`. `n_comparisons`: how many criteria share the alarms' error budget."""
    counts: dict[str, Any] = _counts(samples) | {
        "minutes": round(len(samples.ts) * period_minutes),
        "excluded": samples.excluded,
    }
    insufficient = _insufficiency(samples)
    if insufficient not in (None, "few_minutes", "no_events") or not len(samples.ts):
        details: dict[str, Any] = {"missing": samples.missing} if samples.missing and not len(samples.ts) else {}
        details |= {"gone": samples.gone} if insufficient == "one_side_gone" else {}
        return CriterionVerdict(criterion, "not enough data", insufficient or "few_minutes", **counts, **details)
    running, levels = _running_estimates(criterion, samples)
    latest, baseline_level = _last(running), levels[-1:]
    intervals = _intervals(criterion, latest, baseline_level, n_comparisons)
    numbers = intervals.at(-1)
    phase_verdicts = interval_verdicts(criterion, intervals)
    verdict: Verdict = str(_with_recent_regression(criterion, samples, running, phase_verdicts, n_comparisons)[-1])  # type: ignore[assignment]
    decided: dict[str, Any] = {"minutes_to_decision": 0, "minutes_to_decision_even": 0}
    if verdict != str(phase_verdicts[-1]):
        return CriterionVerdict(criterion, verdict, "recent_change", **numbers, **counts, **decided)
    if verdict in DECISIVE_VERDICTS:
        reason = _reason(criterion, verdict, numbers)
        return CriterionVerdict(criterion, verdict, reason, **numbers, **counts, **decided)
    observed_minutes = samples.paired_periods * period_minutes
    forecast = ForecastInput(
        latest, baseline_level, observed_minutes, counts["baseline_requests"], counts["canary_requests"]
    )
    counts |= {
        "minutes_to_decision": minutes_to_decision(criterion, forecast, n_comparisons),
        "minutes_to_decision_even": minutes_to_decision(criterion, forecast, n_comparisons, even=True),
    }
    if insufficient is not None or verdict == "not enough data":
        estimates = {name: numbers[name] for name in ("estimate", "baseline", "canary", "margin", "margin_lower")}
        return CriterionVerdict(criterion, "not enough data", insufficient or "few_minutes", **estimates, **counts)
    return CriterionVerdict(criterion, verdict, _reason(criterion, verdict, numbers), **numbers, **counts)


_REASONS: dict[RequestsState, VerdictReason] = {
    "none": "one_side_empty",
    "never_reported": "one_side_empty",
    "not_yet": "not_yet",
    "not_asked": "not_asked",
    "unknown": "unknown",
}


def _counts(samples: PairedSamples) -> dict[str, int | None]:
    """Events, requests and unexplained ones of each fleet. None if no period was used, unless there were no requests."""
    if len(samples.ts):
        return {
            "baseline_events": round(samples.baseline.sum()) if samples.is_rate else None,
            "canary_events": round(samples.canary.sum()) if samples.is_rate else None,
            "baseline_requests": round(samples.requests_b.sum()),
            "canary_requests": round(samples.requests_c.sum()),
            "baseline_unexplained": samples.unexplained["baseline"] if samples.is_rate else None,
            "canary_unexplained": samples.unexplained["canary"] if samples.is_rate else None,
        }
    known = {requests.fleet: requests.count for requests in samples.missing}
    return {
        f"{fleet}_{name}": known.get(fleet) if name == "requests" or samples.is_rate else None
        for name in ("events", "requests", "unexplained")
        for fleet in FLEETS
    }


def _insufficiency(samples: PairedSamples) -> VerdictReason | None:
    """The reason for "not enough data", if any."""
    if samples.missing and not len(samples.ts):
        return _REASONS[worst_state(samples.missing)]
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
    if numbers["alarm_lower"] > 0:
        return "significantly_worse" if lower_is_better else "significantly_better"
    if numbers["alarm_upper"] < 0:
        return "significantly_better" if lower_is_better else "significantly_worse"
    return "inconclusive"


def _running_estimates(
    criterion: Criterion, samples: PairedSamples
) -> tuple[RunningRates | RunningDifferences, FloatArray]:
    """The estimates after each period, and the baseline's mean level so far (used for a latency only; geometric if the margin is relative)."""
    if samples.is_rate:
        return running_rates(samples.baseline, samples.requests_b, samples.canary, samples.requests_c), samples.baseline
    geometric = criterion.margin.unit == "%"
    mean = np.cumsum(np.log(samples.baseline) if geometric else samples.baseline) / np.arange(1, len(samples.ts) + 1)
    return running_differences(_paired_differences(criterion, samples)), np.exp(mean) if geometric else mean


def _with_recent_regression(
    criterion: Criterion,
    samples: PairedSamples,
    running: RunningRates | RunningDifferences,
    phase_verdicts: VerdictArray,
    n_comparisons: int,
) -> VerdictArray:
    """`phase_verdicts`, replaced by an alarm in the periods whose last hour alone is beyond the margin.

    `phase_verdicts` has one value per period, or only the last one.
    """
    last_only = len(phase_verdicts) < len(samples.ts)
    if isinstance(running, RunningRates):
        b, c = (samples.baseline, samples.requests_b), (samples.canary, samples.requests_c)
        above = recent_rate_above_margin(criterion, (*b, *c), running, n_comparisons, last_only=last_only)
        below = recent_rate_above_margin(criterion, (*c, *b), running, n_comparisons, last_only=last_only)
    else:
        differences = _paired_differences(criterion, samples)
        above = recent_difference_above_margin(criterion, differences, running, n_comparisons, last_only=last_only)
        below = recent_difference_above_margin(criterion, -differences, running, n_comparisons, last_only=last_only)
    worse, better = (above, below) if criterion.better == "lower" else (below, above)
    replaceable = np.isin(phase_verdicts, ("undecided", "parity"))
    return np.select([replaceable & worse, replaceable & better], ["regression", "improvement"], phase_verdicts)


def _paired_differences(criterion: Criterion, samples: PairedSamples) -> FloatArray:
    """Canary against baseline latency of each period: the log ratio if the margin is relative, else the difference."""
    if criterion.margin.unit == "%":
        return np.log(samples.canary / samples.baseline)
    return samples.canary - samples.baseline


def _last(running: RunningRates | RunningDifferences) -> RunningRates | RunningDifferences:
    """The last of the running estimates, as arrays of length 1."""
    return type(running)(*(getattr(running, name)[-1:] for name in running.__slots__))


def _intervals(
    criterion: Criterion, running: RunningRates | RunningDifferences, baseline_level: FloatArray, n_comparisons: int
) -> SequentialIntervals:
    if isinstance(running, RunningRates):
        return rate_intervals(criterion, running, n_comparisons)
    return latency_intervals(criterion, running, baseline_level, n_comparisons)
