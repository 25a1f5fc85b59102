"""The parity judge: a frame and what parity means in, a verdict that may be looked at every minute out. docs/MATH.md explains it."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.parity.confidence_sequences import FEWEST_MINUTES, Counts, Differences, counts, differences
from analysis.parity.intervals import Looks, looks_at_counts, looks_at_differences, verdicts
from analysis.parity.recent_regression import above_lately_counts, above_lately_differences
from analysis.parity.samples import Evidence, evidence, needs, record
from analysis.parity.time_to_decision import Pace, minutes_to_decision
from analysis.parity.verdicts import DECIDED, DEFAULT_CRITERIA, CriterionVerdict, Judgement, Reason, Verdict, overall
from analysis.series.grid import Unknown, Values
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
NUMBERS = TRACE_COLUMNS[3:]
VerdictArray = npt.NDArray[np.str_]


def judge(
    frame: pd.DataFrame,
    criteria: Sequence[Criterion] = (),
    *,
    window: Window | None = None,
    provisional_from: int | None = None,
    unknown: Unknown = MappingProxyType({}),
) -> Judgement:
    """The verdict over the settled minutes of `frame` (tidy) in `window`; without criteria by DEFAULT_CRITERIA, and marked so.

    `provisional_from`: epoch seconds from which minutes may still change. `unknown`: counts that could not be read, and
    when: absent there is not 0. The window is one phase of the migration: cut it where the canary was
    deployed anew. The verdict holds at every look: ask as often as you like, the chance that any of the alarms is ever false stays ≤ 5 %.
    """
    chosen = tuple(criteria) or DEFAULT_CRITERIA
    kept = record(frame, window, provisional_from, unknown)
    said = tuple(
        judged(criterion, evidence(kept, criterion), len(chosen), kept.minutes.period_s / 60) for criterion in chosen
    )
    return Judgement(overall(said), said, default_criteria=not criteria)


def needed(series: Series, criteria: Sequence[Criterion] = ()) -> bool:
    """Whether `judge` and `trace` look at this series: whoever reads for them alone needs no other."""
    return needs(series, tuple(criteria) or DEFAULT_CRITERIA)


def trace(
    frame: pd.DataFrame,
    criteria: Sequence[Criterion] = (),
    *,
    window: Window | None = None,
    provisional_from: int | None = None,
    unknown: Unknown = MappingProxyType({}),
) -> pd.DataFrame:
    """What `judge` would have said after every settled minute: TRACE_COLUMNS, in the metric's own unit; the last row of a metric is its judgement.

    `ts` (UTC) is the period's start. A minute that was left out repeats the one before it; NaN and "not enough data" while there is no interval.
    """
    chosen = tuple(criteria) or DEFAULT_CRITERIA
    kept = record(frame, window, provisional_from, unknown)
    settled = np.flatnonzero(kept.settled)
    ts = pd.to_datetime(kept.minutes.ts[settled], unit="s", utc=True).as_unit("s")
    parts = []
    for criterion in chosen:
        found = evidence(kept, criterion)
        columns: dict[str, Any] = {"ts": ts, "metric": criterion.metric, "verdict": "not enough data"}
        columns |= dict.fromkeys(NUMBERS, np.nan)
        if found.measured and len(found.ts):
            known, level = _known(criterion, found)
            looks = _looks(criterion, known, level, len(chosen))
            verdict = _lately(criterion, found, known, verdicts(criterion, looks), len(chosen))
            newest = np.searchsorted(found.place, settled, side="right") - 1  # −1, the added last one: before the first
            columns["verdict"] = np.append(verdict, "not enough data")[newest]
            if found.gone:
                columns["verdict"] = np.where(settled > found.place[-1], "not enough data", columns["verdict"])
            for name in NUMBERS:
                columns[name] = np.append(np.where(looks.known, getattr(looks, name), np.nan), np.nan)[newest]
        parts.append(pd.DataFrame(columns, index=range(len(ts))))
    return pd.concat(parts, ignore_index=True)


def judged(criterion: Criterion, found: Evidence, family: int, period_minutes: float) -> CriterionVerdict:
    """The verdict over all of `found`, minutes (or longer periods of `period_minutes`) in order. `family`: how many alarms could be raised in all."""
    sums: dict[str, Any] = {
        "baseline_events": round(found.baseline.sum()) if found.rate else 0,
        "canary_events": round(found.canary.sum()) if found.rate else 0,
        "baseline_requests": round(found.requests_b.sum()),
        "canary_requests": round(found.requests_c.sum()),
        "minutes": round(len(found.ts) * period_minutes),
        "left_out": found.left_out,
    }
    missing = _missing(found)
    if missing in ("one_side_empty", "not_measured", "one_side_gone", "unread") or not len(found.ts):
        return CriterionVerdict(criterion, "not enough data", missing or "few_minutes", **sums)
    history, levels = _known(criterion, found)
    known, level = _newest(history), levels[-1:]
    looks = _looks(criterion, known, level, family)
    numbers = looks.at(-1)
    said = verdicts(criterion, looks)
    verdict: Verdict = str(_lately(criterion, found, history, said, family)[-1])  # type: ignore[assignment]
    now: dict[str, Any] = {"minutes_to_decision": 0, "minutes_to_decision_even": 0}
    if verdict != str(said[-1]):
        return CriterionVerdict(criterion, verdict, "broke_lately", **numbers, **sums, **now)
    if verdict in DECIDED:
        reason = _reason(criterion, verdict, numbers)
        return CriterionVerdict(criterion, verdict, reason, **numbers, **sums, **now)
    clock = found.served * period_minutes
    pace = Pace(known, level, clock, sums["baseline_requests"], sums["canary_requests"])
    sums |= {
        "minutes_to_decision": minutes_to_decision(criterion, pace, family),
        "minutes_to_decision_even": minutes_to_decision(criterion, pace, family, even=True),
    }
    if missing is not None or verdict == "not enough data":
        seen = {name: numbers[name] for name in ("estimate", "baseline", "canary", "margin", "margin_low")}
        return CriterionVerdict(criterion, "not enough data", missing or "few_minutes", **seen, **sums)
    return CriterionVerdict(criterion, verdict, _reason(criterion, verdict, numbers), **numbers, **sums)


def _missing(found: Evidence) -> Reason | None:
    """What stands against any verdict."""
    if found.one_side_empty:
        return "one_side_empty"
    if not found.measured:
        return "not_measured"
    if found.gone:
        return found.gone
    if len(found.ts) < FEWEST_MINUTES:
        return "few_minutes"
    if found.rate and not found.baseline.any() and not found.canary.any():
        return "no_events"
    return None


def _reason(criterion: Criterion, verdict: Verdict, numbers: dict[str, float]) -> Reason:
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


def _known(criterion: Criterion, found: Evidence) -> tuple[Counts | Differences, Values]:
    """The running evidence after each of the minutes, and the baseline's level (of a latency; of a rate it is in the evidence)."""
    if found.rate:
        return counts(found.baseline, found.requests_b, found.canary, found.requests_c), found.baseline
    n = np.arange(1, len(found.ts) + 1)
    if criterion.margin.unit == "%":
        return differences(_pairs(criterion, found)), np.exp(np.cumsum(np.log(found.baseline)) / n)
    return differences(_pairs(criterion, found)), np.cumsum(found.baseline) / n


def _lately(
    criterion: Criterion, found: Evidence, known: Counts | Differences, said: VerdictArray, family: int
) -> VerdictArray:
    """The verdicts `said`, but where the last hour at most is beyond the margin by itself, its own; for as many minutes as `said` has, to the last."""
    last = len(said) < len(found.ts)
    if isinstance(known, Counts):
        b, c = (found.baseline, found.requests_b), (found.canary, found.requests_c)
        above = above_lately_counts(criterion, (*b, *c), known, family, last=last)
        below = above_lately_counts(criterion, (*c, *b), known, family, last=last)
    else:
        pairs = _pairs(criterion, found)
        above = above_lately_differences(criterion, pairs, known, family, last=last)
        below = above_lately_differences(criterion, -pairs, known, family, last=last)
    worse, better = (above, below) if criterion.better == "lower" else (below, above)
    open_ = np.isin(said, ("undecided", "parity"))
    return np.select([open_ & worse, open_ & better], ["regression", "improvement"], said)


def _pairs(criterion: Criterion, found: Evidence) -> Values:
    """What is compared of a latency in each minute: the logarithm of the ratio where the margin is relative, otherwise the difference."""
    if criterion.margin.unit == "%":
        return np.log(found.canary / found.baseline)
    return found.canary - found.baseline


def _newest(known: Counts | Differences) -> Counts | Differences:
    """The same evidence at its last moment alone."""
    return type(known)(*(getattr(known, name)[-1:] for name in known.__slots__))


def _looks(criterion: Criterion, known: Counts | Differences, level: Values, family: int) -> Looks:
    if isinstance(known, Counts):
        return looks_at_counts(criterion, known, family)
    return looks_at_differences(criterion, known, level, family)
