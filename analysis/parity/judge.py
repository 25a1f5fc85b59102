"""The parity judge: from a tidy frame and criteria to an anytime-valid verdict. docs/MATH.md has the method."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.parity.breaks import SignArray, break_signs
from analysis.parity.confidence_sequences import RunningDifferences, RunningRates, running_differences, running_rates
from analysis.parity.intervals import SequentialIntervals, VerdictArray, interval_verdicts, intervals
from analysis.parity.samples import PairedSamples, PreparedGrid, paired_samples
from analysis.parity.time_to_decision import minutes_to_decision
from analysis.parity.verdicts import (
    DECISIVE_VERDICTS,
    DEFAULT_CRITERIA,
    CriterionVerdict,
    Judgement,
    Verdict,
    VerdictReason,
    overall_verdict,
)
from analysis.series.fleet_requests import RequestsState, worst_state
from analysis.series.grid import FloatArray, IntArray
from domain import FLEETS, Criterion
from domain.decision import judged_criteria
from domain.window import HOUR_S, MINUTE_S

NUMERIC_COLUMNS = ("estimate", "lower", "upper", "alarm_lower", "alarm_upper", "margin_lower", "margin")
TRACE_COLUMNS = ("ts", "metric", "verdict", *NUMERIC_COLUMNS)
MIN_WORST_HOUR = 0.5  # of its periods must be used


def judge(prepared: PreparedGrid) -> Judgement:
    """The verdict over the final periods.

    It may be computed as often as one likes: docs/MATH.md says which of its errors are bounded by proof, and which by measurement.
    """
    n_judged = len(judged_criteria(prepared.criteria))
    verdicts = tuple(judge_criterion(paired_samples(prepared, item), n_judged) for item in prepared.criteria)
    return Judgement(
        overall_verdict(verdicts),
        verdicts,
        default_criteria=prepared.criteria == DEFAULT_CRITERIA,
        fleets=prepared.fleets,
        incidents=prepared.scan.incidents,
    )


def trace(prepared: PreparedGrid, before_criterion: Callable[[], None] = lambda: None) -> pd.DataFrame:
    """The result of `judge` after every final minute, as a frame of TRACE_COLUMNS in the metric's own unit; the last row is the judgement.

    `ts` (UTC) is the period's start. An excluded minute repeats the row before it; NaN and "not enough data" until there is an interval.
    `before_criterion` may raise to give up.
    """
    n_judged = len(judged_criteria(prepared.criteria))
    final = np.flatnonzero(prepared.final)
    ts = pd.to_datetime(prepared.grid.ts[final], unit="s", utc=True).as_unit("s")
    parts = []
    for criterion in prepared.criteria:
        before_criterion()
        samples = paired_samples(prepared, criterion)
        columns: dict[str, Any] = {"ts": ts, "metric": criterion.metric, "verdict": "not enough data"}
        columns |= dict.fromkeys(NUMERIC_COLUMNS, np.nan)
        if samples.is_measured and len(samples.ts):
            # The last sample; −1 before the first.
            after = np.searchsorted(samples.judged_from, final, side="right") - 1
            looks = _Estimates(samples).looks(after, samples.excess[final], n_judged)
            is_judged = (after >= 0) & ~(bool(samples.recent_gap) & (final > samples.index[-1]))
            columns["verdict"] = np.where(is_judged, looks.verdicts, "not enough data")
            for name in NUMERIC_COLUMNS:
                columns[name] = np.where((after >= 0) & looks.found.is_known, getattr(looks.found, name), np.nan)
        parts.append(pd.DataFrame(columns, index=range(len(ts))))
    return pd.concat(parts, ignore_index=True)


def judge_criterion(samples: PairedSamples, n_comparisons: int) -> CriterionVerdict:
    """The verdict over all of `samples`. `n_comparisons`: how many criteria share the alarms' error budget."""
    details, insufficient = _counts(samples), _insufficiency(samples)
    if insufficient not in (None, "no_events"):
        details |= {"gone": samples.gone} if insufficient == "one_side_gone" else {}
        return CriterionVerdict(samples.criterion, "not enough data", insufficient, **details)
    estimates, last = _Estimates(samples), np.array([len(samples.ts) - 1])
    look, running = estimates.looks(last, samples.excess[-1:], n_comparisons), estimates.running.at(last)
    verdict: Verdict = str(look.verdicts[-1])  # type: ignore[assignment]
    reason = _reason(samples.criterion, look)
    names = (*NUMERIC_COLUMNS, "baseline", "canary")
    numbers: dict[str, Any] = {name: float(getattr(look.found, name)[-1]) for name in names}
    details |= estimates.worst_hour(look.found)
    if isinstance(running, RunningDifferences):
        details["effective_minutes"] = float(running.effective_minutes[-1])
    if reason == "recent_change":
        details["changed_at"] = estimates.changed_at(float(look.signs[-1]))
    forecasts: list[int | None] = [0, 0]
    if verdict not in DECISIVE_VERDICTS:
        level, minutes = estimates.baseline_level[last], samples.paired_periods * samples.period_s / MINUTE_S
        requests = float(samples.requests_b.sum()), float(samples.requests_c.sum())
        forecasts = [
            None
            if reason == "incident"
            else minutes_to_decision(
                samples.criterion, running, level, n_comparisons, minutes=minutes, requests=requests, even=even
            )
            for even in (False, True)
        ]
    if verdict == "not enough data":
        reason = insufficient or ("resemblance" if running.is_enough[-1] else "few_minutes")
        numbers = {name: numbers[name] for name in ("estimate", "baseline", "canary", "margin", "margin_lower")}
    details |= dict(zip(("minutes_to_decision", "minutes_to_decision_even"), forecasts, strict=True))
    return CriterionVerdict(samples.criterion, verdict, reason, **numbers, **details)


@dataclass(frozen=True, slots=True, eq=False)
class _Looks:
    """What is said at some looks: by the intervals alone, and with incidents and breaks (`signs`)."""

    found: SequentialIntervals
    by_interval: VerdictArray
    signs: SignArray
    verdicts: VerdictArray


class _Estimates:
    """The estimates of one criterion after each sample. `differences`: canary − baseline of each sample, of `PairedSamples.levels`.

    `baseline_level`: of a latency, see `intervals`.
    """

    def __init__(self, samples: PairedSamples) -> None:
        self._samples = samples
        baseline, canary = samples.levels
        self.differences, self.baseline_level = canary - baseline, baseline
        self.running: RunningRates | RunningDifferences
        if samples.is_rate:
            self.running = running_rates(*samples.counts, samples.history)
            return
        weights = samples.weights
        self.running = running_differences(self.differences, weights, samples.history)
        level = np.cumsum(weights * baseline) / np.cumsum(weights)
        self.baseline_level = np.exp(level) if samples.criterion.margin.is_relative else level

    def looks(self, after: IntArray, excess: FloatArray, n_comparisons: int) -> _Looks:
        """What is said after each of these samples (ascending indices); `excess`: what the canary's own incidents add to its rate at each.

        Parity must also hold with them. Since a break a fleet is worse or better, whatever the interval of the whole phase says.
        """
        criterion, first = self._samples.criterion, max(int(after[0]), 0)
        found = intervals(criterion, self.running.at(after), n_comparisons, self.baseline_level[after])
        by_interval = interval_verdicts(criterion, found)
        signs = break_signs(self._samples, self.running, n_comparisons, first_look=first)[after]
        worse, better = criterion.worse_and_better(signs > 0, signs < 0)
        replaceable = ~np.isin(by_interval, ("regression", "improvement"))
        hidden = (by_interval == "parity") & (found.upper + excess > found.margin)
        conditions = [replaceable & worse, replaceable & better, hidden]
        verdicts = np.select(conditions, ["regression", "improvement", "undecided"], by_interval)
        return _Looks(found, by_interval, signs, verdicts)

    def changed_at(self, sign: float) -> int:
        """The start of the sample (epoch seconds) from which on the fleets have differed in this direction by more than half of what they do now:
        where the running sum of the excess was lowest."""
        differences, weights = self.differences, self._samples.weights
        newest = slice(-min(len(differences), 120) // 2, None)
        level = np.average(differences[newest], weights=weights[newest])
        excess = np.cumsum(sign * weights * (differences - level / 2))
        return int(self._samples.ts[np.argmin(np.append(0.0, excess[:-1]))])

    def worst_hour(self, found: SequentialIntervals) -> dict[str, Any]:
        """The clock hour with the worst difference of both fleets, in the metric's own unit; nothing if no hour has enough samples."""
        samples, weights = self._samples, self._samples.weights
        hours, index = np.unique(samples.ts // HOUR_S, return_inverse=True)
        enough = np.bincount(index) * samples.period_s >= MIN_WORST_HOUR * HOUR_S
        if not enough.any():
            return {}
        means = np.bincount(index, weights * self.differences) / np.bincount(index, weights)
        worse = {"lower": means, "higher": -means, "equal": np.abs(means)}[samples.criterion.better]
        worst = int(np.argmax(np.where(enough, worse, -np.inf)))
        mean = float(means[worst])
        if not samples.is_rate and samples.criterion.margin.is_relative:
            mean = float(np.expm1(mean)) * float(found.baseline[-1])
        return {"worst_hour": int(hours[worst]) * HOUR_S, "worst_hour_estimate": mean}


def _counts(samples: PairedSamples) -> dict[str, Any]:
    """What was counted of each fleet, and the minutes that were used. No counts if no period was used, unless there were no requests, and
    none of a value of one's own.
    """
    known = {requests.fleet: requests.count for requests in samples.missing}
    details: dict[str, Any] = {
        "minutes": len(samples.ts) * samples.period_s // MINUTE_S,
        "excluded": samples.excluded,
        "missing": () if len(samples.ts) else samples.missing,
    }
    if samples.criterion.quantity == "value":
        return details
    for fleet, events, requests in zip(FLEETS, samples.counts[::2], samples.counts[1::2], strict=True):
        counts = {"requests": round(requests.sum())}
        if samples.is_rate:
            counts |= {"events": round(events.sum()), "unexplained": samples.unexplained[fleet]}
        details |= {f"{fleet}_{name}": n if len(samples.ts) else known.get(fleet) for name, n in counts.items()}
    return details


_REASONS: dict[RequestsState, VerdictReason] = {
    "none": "one_side_empty",
    "never_reported": "one_side_empty",
    "not_yet": "not_yet",
    "not_asked": "not_asked",
    "unknown": "unknown",
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


def _reason(criterion: Criterion, look: _Looks) -> VerdictReason:
    """Why the last of `look` has its verdict, if there is enough data."""
    found, verdict, by_interval = look.found, look.verdicts[-1], look.by_interval[-1]
    if verdict in ("regression", "improvement"):
        return "beyond_margin" if verdict == by_interval else "recent_change"
    if verdict == "parity":
        return "inside_margin"
    if found.is_inside[-1]:
        return "incident" if by_interval == "parity" else "ratio"
    above, below = found.alarm_lower[-1] > 0, found.alarm_upper[-1] < 0
    worse, better = criterion.worse_and_better(above, below)
    return "significantly_worse" if worse else "significantly_better" if better else "inconclusive"
