"""The parity judge: from a tidy frame and criteria to an anytime-valid verdict. docs/MATH.md has the method."""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.parity.breaks import SignArray, break_signs, changed_from, paired_weights
from analysis.parity.confidence_sequences import (
    NO_HISTORY,
    RunningDifferences,
    RunningRates,
    Scatter,
    running_differences,
    running_rates,
)
from analysis.parity.context import JudgeContext
from analysis.parity.incidents import Incident
from analysis.parity.intervals import (
    SequentialIntervals,
    interval_verdicts,
    intervals,
)
from analysis.parity.samples import (
    PairedSamples,
    PreparedGrid,
    is_series_needed,
    paired_samples,
    prepare_grid,
)
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
from domain.decision import judged_criteria
from domain.window import HOUR_S

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
MIN_WORST_HOUR = 0.5  # of its periods must be used
ERROR_METRICS = ("error_rate", "target_5xx_rate", "unanswered_rate")
VerdictArray = npt.NDArray[np.str_]


def judge(
    frame: pd.DataFrame,
    criteria: Sequence[Criterion] = (),
    *,
    window: Window | None = None,
    provisional_from: int | None = None,
    unknown: UnknownWindows = MappingProxyType({}),
    fleets: Sequence[FleetRequests] = (),
    context: JudgeContext | None = None,
) -> Judgement:
    """The verdict over the final minutes of `frame` (tidy) in `window`, which should be one phase; by DEFAULT_CRITERIA if there are none.

    `provisional_from`: epoch seconds from which minutes may still change. `unknown`: when counts are unknown, so that a missing row is not 0.
    `fleets`: the requests of each fleet, if more is known of them than `frame` and `unknown` say; they explain a verdict and do not change it.
    The verdict may be computed as often as one likes: docs/MATH.md says which of its errors are bounded by proof, and which by measurement.
    """
    chosen, context = tuple(criteria) or DEFAULT_CRITERIA, context or JudgeContext()
    prepared = prepare_grid(
        frame, window, provisional_from, unknown, fleets, context=context, error_margin=_error_margin(chosen)
    )
    verdicts = tuple(
        judge_criterion(
            criterion,
            paired_samples(prepared, criterion),
            len(judged_criteria(chosen)),
            prepared.grid.period_s / 60,
            excess=_incident_excess(prepared, criterion),
            history=context.scatter.get(criterion.metric, NO_HISTORY),
        )
        for criterion in chosen
    )
    return Judgement(
        overall_verdict(verdicts),
        verdicts,
        default_criteria=not criteria,
        fleets=prepared.fleets,
        incidents=prepared.scan.incidents,
    )


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
    context: JudgeContext | None = None,
    before_criterion: Callable[[], None] = lambda: None,
) -> pd.DataFrame:
    """The result of `judge` after every final minute, as a frame of TRACE_COLUMNS in the metric's own unit; the last row is the judgement.

    `ts` (UTC) is the period's start. An excluded minute repeats the row before it; NaN and "not enough data" until there is an interval.
    `before_criterion` may raise to give up.
    """
    chosen, context = tuple(criteria) or DEFAULT_CRITERIA, context or JudgeContext()
    prepared = prepare_grid(
        frame, window, provisional_from, unknown, (), context=context, error_margin=_error_margin(chosen)
    )
    n_judged = len(judged_criteria(chosen))
    final = np.flatnonzero(prepared.final)
    ts = pd.to_datetime(prepared.grid.ts[final], unit="s", utc=True).as_unit("s")
    parts = []
    for criterion in chosen:
        before_criterion()
        samples = paired_samples(prepared, criterion)
        columns: dict[str, Any] = {"ts": ts, "metric": criterion.metric, "verdict": "not enough data"}
        columns |= dict.fromkeys(NUMERIC_COLUMNS, np.nan)
        if samples.is_measured and len(samples.ts):
            estimates = _Estimates(criterion, samples, context.scatter.get(criterion.metric, NO_HISTORY))
            found = estimates.intervals(n_judged)
            # −1, the appended value: before the first sample.
            last_sample = np.searchsorted(samples.judged_from, final, side="right") - 1
            excess = _incident_excess(prepared, criterion)[final]
            signs = np.append(estimates.break_signs(n_judged), 0)[last_sample]
            verdicts = np.append(interval_verdicts(criterion, found), "not enough data")[last_sample]
            upper = np.append(found.upper, np.inf)[last_sample]
            margin = np.append(found.margin, 0.0)[last_sample]
            verdicts = _with_incidents(verdicts, upper + excess <= margin)
            columns["verdict"] = _with_breaks(criterion, verdicts, signs)
            if samples.recent_gap:
                columns["verdict"] = np.where(final > samples.index[-1], "not enough data", columns["verdict"])
            for name in NUMERIC_COLUMNS:
                known = np.where(found.is_known, getattr(found, name), np.nan)
                columns[name] = np.append(known, np.nan)[last_sample]
        parts.append(pd.DataFrame(columns, index=range(len(ts))))
    return pd.concat(parts, ignore_index=True)


def trace_incidents(
    frame: pd.DataFrame,
    criteria: Sequence[Criterion] = (),
    *,
    window: Window | None = None,
    provisional_from: int | None = None,
    unknown: UnknownWindows = MappingProxyType({}),
    context: JudgeContext | None = None,
) -> Iterator[tuple[Incident, ...]]:
    """The incidents as they were known after every final minute: as many as `trace` has times."""
    margin = _error_margin(tuple(criteria) or DEFAULT_CRITERIA)
    prepared = prepare_grid(frame, window, provisional_from, unknown, (), context=context, error_margin=margin)
    return prepared.scan.incidents_after(np.flatnonzero(prepared.final).tolist())


def judge_criterion(
    criterion: Criterion,
    samples: PairedSamples,
    n_comparisons: int,
    period_minutes: float,
    *,
    excess: FloatArray | None = None,
    history: Scatter = NO_HISTORY,
) -> CriterionVerdict:
    """The verdict over all of `samples`, whose periods have `period_minutes`. `n_comparisons`: how many criteria share the alarms' error budget.

    `excess`: what the canary's own incidents add to its rate up to each period. `history`: the scatter of earlier periods.
    """
    counts: dict[str, Any] = _counts(samples) | {
        "minutes": round(len(samples.ts) * period_minutes),
        "excluded": samples.excluded,
    }
    insufficient = _insufficiency(samples)
    if insufficient not in (None, "few_minutes", "no_events") or not len(samples.ts):
        details: dict[str, Any] = {"missing": samples.missing} if samples.missing and not len(samples.ts) else {}
        details |= {"gone": samples.gone} if insufficient == "one_side_gone" else {}
        return CriterionVerdict(criterion, "not enough data", insufficient or "few_minutes", **counts, **details)
    estimates = _Estimates(criterion, samples, history)
    latest = estimates.last()
    found = latest.intervals(n_comparisons)
    numbers = found.at(-1)
    counts |= estimates.worst_hour(found) | {"effective_minutes": estimates.effective_minutes}
    by_interval = interval_verdicts(criterion, found)
    in_margin = numbers["upper"] + (excess[-1] if excess is not None and len(excess) else 0.0) <= numbers["margin"]
    with_incidents = _with_incidents(by_interval, np.array([in_margin]))
    signs = estimates.break_signs(n_comparisons, last_only=True)
    verdict: Verdict = str(_with_breaks(criterion, with_incidents, signs)[-1])  # type: ignore[assignment]
    if verdict in DECISIVE_VERDICTS:
        counts |= {"minutes_to_decision": 0, "minutes_to_decision_even": 0}
        reason = _reason(criterion, verdict, found)
        if verdict != str(by_interval[-1]):
            reason, counts["changed_at"] = "recent_change", estimates.changed_at(float(signs[-1]))
        return CriterionVerdict(criterion, verdict, reason, **numbers, **counts)
    if verdict != str(by_interval[-1]):
        return CriterionVerdict(criterion, verdict, "incident", **numbers, **counts)
    forecast = ForecastInput(
        latest.running,
        latest.baseline_level,
        samples.paired_periods * period_minutes,
        counts["baseline_requests"],
        counts["canary_requests"],
    )
    counts |= {
        "minutes_to_decision": minutes_to_decision(criterion, forecast, n_comparisons),
        "minutes_to_decision_even": minutes_to_decision(criterion, forecast, n_comparisons, even=True),
    }
    if insufficient == "no_events" or verdict == "not enough data":
        numbers = {name: numbers[name] for name in ("estimate", "baseline", "canary", "margin", "margin_lower")}
        few: VerdictReason = "resemblance" if latest.running.is_enough[-1] else "few_minutes"
        return CriterionVerdict(criterion, "not enough data", insufficient or few, **numbers, **counts)
    return CriterionVerdict(criterion, verdict, _reason(criterion, verdict, found), **numbers, **counts)


class _Estimates:
    """The estimates of one criterion after each sample. `values`: the paired differences of a latency (log ratios if the margin is relative).

    `baseline_level`: of a latency, see `latency_intervals`.
    """

    def __init__(self, criterion: Criterion, samples: PairedSamples, history: Scatter) -> None:
        self._criterion, self._samples = criterion, samples
        self.values, self.baseline_level = np.zeros(0), samples.baseline
        self.running: RunningRates | RunningDifferences
        if samples.is_rate:
            self.running = running_rates(
                samples.baseline, samples.requests_b, samples.canary, samples.requests_c, history
            )
            return
        geometric = criterion.margin.unit == "%"
        transform = np.log if geometric else np.positive
        baseline, weights = transform(samples.baseline), paired_weights(samples)
        self.values = transform(samples.canary) - baseline
        self.running = running_differences(self.values, weights, history)
        level = np.cumsum(weights * baseline) / np.cumsum(weights)
        self.baseline_level = np.exp(level) if geometric else level

    def last(self) -> "_Estimates":
        """Those after the last sample alone, as arrays of length 1."""
        last = copy(self)
        last.running = type(self.running)(*(getattr(self.running, name)[-1:] for name in self.running.__slots__))
        last.baseline_level = self.baseline_level[-1:]
        return last

    @property
    def effective_minutes(self) -> float | None:
        """Of a latency: the number of independent periods that its samples are worth."""
        running = self.running
        return float(running.effective_minutes[-1]) if isinstance(running, RunningDifferences) else None

    def intervals(self, n_comparisons: int) -> SequentialIntervals:
        return intervals(self._criterion, self.running, self.baseline_level, n_comparisons)

    def break_signs(self, n_comparisons: int, *, last_only: bool = False) -> SignArray:
        return break_signs(
            self._criterion, self._samples, self.running, self.values, n_comparisons, last_only=last_only
        )

    def changed_at(self, sign: float) -> int:
        """The start of the sample (epoch seconds) from which on the fleets have differed in this direction."""
        differences, weights = self._differences()
        newest = slice(-min(len(differences), 120) // 2, None)
        level = np.average(differences[newest], weights=weights[newest])
        index = changed_from(sign * weights * (differences - level / 2))
        return int(self._samples.ts[min(index, len(self._samples.ts) - 1)])

    def worst_hour(self, found: SequentialIntervals) -> dict[str, Any]:
        """The clock hour with the worst difference of both fleets, in the metric's own unit; nothing if no hour has enough samples."""
        samples = self._samples
        differences, weights = self._differences()
        hours, index = np.unique(samples.ts // HOUR_S, return_inverse=True)
        period_s = int(np.diff(samples.ts).min()) if len(samples.ts) > 1 else HOUR_S
        enough = np.bincount(index) * period_s >= MIN_WORST_HOUR * HOUR_S
        if not enough.any():
            return {}
        means = np.bincount(index, weights * differences) / np.bincount(index, weights)
        worse = means if self._criterion.better == "lower" else -means
        worst = int(np.argmax(np.where(enough, worse, -np.inf)))
        mean = float(means[worst])
        if not samples.is_rate and self._criterion.margin.unit == "%":
            mean = float(np.expm1(mean)) * float(found.baseline[-1])
        return {"worst_hour": int(hours[worst]) * HOUR_S, "worst_hour_estimate": mean}

    def _differences(self) -> tuple[FloatArray, FloatArray]:
        """Canary − baseline of each sample, and its weight."""
        samples = self._samples
        if not samples.is_rate:
            return self.values, paired_weights(samples)
        return samples.canary / samples.requests_c - samples.baseline / samples.requests_b, paired_weights(samples)


def _error_margin(criteria: Sequence[Criterion]) -> float:
    """The smallest absolute margin of the criteria of errors, as a fraction of requests; 0 without one."""
    margins = [
        criterion.margin.value / 100
        for criterion in criteria
        if criterion.metric in ERROR_METRICS and criterion.margin.unit == "pp"
    ]
    return min(margins, default=0.0)


def _incident_excess(prepared: PreparedGrid, criterion: Criterion) -> FloatArray:
    """For each period of the grid, what the incidents of the canary alone that are not judged so far add to its rate.

    A fact, not an inference: parity has to hold with it.
    """
    scan, grid = prepared.scan, prepared.grid
    if criterion.metric not in ERROR_METRICS:
        return np.zeros(len(grid.ts))
    failed = scan.failed["canary"]
    target_5xx = np.nan_to_num(grid.fleets["canary"].counts["target_5xx"])
    if criterion.metric == "target_5xx_rate":
        failed = np.minimum(failed, target_5xx)
    elif criterion.metric == "unanswered_rate":
        failed = np.maximum(failed - scan.uncounted - target_5xx, 0.0)
    own = np.flatnonzero(scan.in_incident["canary"] & ~scan.in_incident["baseline"])
    added = np.zeros(len(grid.ts) + 1)
    np.add.at(added, own, failed[own])
    np.add.at(added, np.minimum(scan.judged_from[own], len(grid.ts)), -failed[own])
    excess: FloatArray = np.cumsum(added)[:-1] / np.maximum(np.cumsum(scan.requests["canary"]), 1.0)
    return excess


def _with_incidents(verdicts: VerdictArray, in_margin: npt.NDArray[np.bool_]) -> VerdictArray:
    """Parity must also hold with the canary's own incidents."""
    return np.where((verdicts == "parity") & ~in_margin, "undecided", verdicts)


def _with_breaks(criterion: Criterion, verdicts: VerdictArray, signs: SignArray) -> VerdictArray:
    """`verdicts`, replaced where a fleet has been beyond the margin since some start."""
    worse, better = (signs > 0, signs < 0) if criterion.better == "lower" else (signs < 0, signs > 0)
    replaceable = ~np.isin(verdicts, ("regression", "improvement"))
    return np.select([replaceable & worse, replaceable & better], ["regression", "improvement"], verdicts)


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
    if not len(samples.ts):
        return "few_minutes"
    if samples.is_rate and not samples.baseline.any() and not samples.canary.any():
        return "no_events"
    return None


def _reason(criterion: Criterion, verdict: Verdict, found: SequentialIntervals) -> VerdictReason:
    if verdict == "parity":
        return "inside_margin"
    if verdict != "undecided":
        return "beyond_margin"
    if found.is_multiple[-1] and found.lower[-1] >= found.margin_lower[-1] and found.upper[-1] <= found.margin[-1]:
        return "ratio"
    lower_is_better = criterion.better == "lower"
    if found.alarm_lower[-1] > 0:
        return "significantly_worse" if lower_is_better else "significantly_better"
    if found.alarm_upper[-1] < 0:
        return "significantly_better" if lower_is_better else "significantly_worse"
    return "inconclusive"
