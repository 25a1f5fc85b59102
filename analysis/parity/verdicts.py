"""The words of a judgement: what is said of one criterion, and of all of them together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from domain import Criterion, Margin

Verdict = Literal["parity", "regression", "improvement", "undecided", "not enough data"]
VERDICTS: tuple[Verdict, ...] = ("parity", "regression", "improvement", "undecided", "not enough data")
DECISIVE_VERDICTS: tuple[Verdict, ...] = ("parity", "regression", "improvement")

# Why a criterion has its verdict.
VerdictReason = Literal[
    "inside_margin",  # parity: the whole interval
    "beyond_margin",  # regression, improvement: the whole interval
    "recent_change",  # regression, improvement: not the whole phase, but the last hour of it at most, by itself
    "significantly_worse",  # undecided: not 0, but perhaps still within the margin
    "significantly_better",
    "inconclusive",  # undecided: 0 and an edge of the margin are both possible
    "not_measured",  # not enough data: nobody brought this metric for both sides
    "one_side_empty",  # … one fleet had no requests in this window
    "one_side_gone",  # … one fleet had no requests any more in the newest minutes, though the split did not change
    "unread",  # … the newest minutes' counts could not be read
    "few_minutes",  # … fewer than FEWEST_MINUTES can be used
    "no_events",  # … not one error on either side: nothing was compared
]
ExclusionReason = Literal[
    "provisional",
    "other_period",
    "no_traffic",
    "one_side_missing",
    "mixed_groups",
    "low_samples",
    "unread",
    "in_flight",
]
EXCLUSION_REASONS: tuple[ExclusionReason, ...] = (
    "provisional",
    "other_period",  # kept in other periods than most of the window: what is compared must be of one kind
    "no_traffic",
    "one_side_missing",
    "mixed_groups",
    "low_samples",
    "unread",  # a count that the rate is made of could not be read: absent, and yet not 0
    "in_flight",  # the first minutes of unanswered requests: which of them are on their way cannot be told yet
)

# What parity means where nobody said so. Marked as defaults wherever they are shown: a margin is a decision, and it is not ours.
DEFAULT_CRITERIA: tuple[Criterion, ...] = (
    Criterion(metric="error_rate", margin=Margin(value=0.05, unit="pp"), critical=True),
    Criterion(metric="latency_p50", margin=Margin(value=10, unit="%")),
    Criterion(metric="latency_p95", margin=Margin(value=10, unit="%"), critical=True),
    Criterion(metric="latency_p99", margin=Margin(value=20, unit="%")),
)


@dataclass(frozen=True, slots=True)
class CriterionVerdict:
    """What is known of one criterion, in the metric's own unit: a rate is a fraction of requests, latency is in seconds.

    `estimate`, `low` … `high`: the difference canary − baseline, and where it surely lies, judged by itself (each bound wrong at any look with
    probability ≤ 2.5 %); None before there is an interval. `alarm_low` … `alarm_high` is wider: all criteria's alarms together are wrong with
    probability ≤ 5 %; regression, improvement and `surely_…` are said by it. Parity lies between `margin_low` < 0 and `margin`: for a relative
    margin these are at the baseline's level, and `margin_low` is the same factor the other way (10 % → −9.1 %), so that swapped fleets mirror.

    `baseline`, `canary`: the rates, weighted alike by minute; or the latencies' mean over the minutes (geometric for a relative margin).
    `baseline_events` of `baseline_requests` are the rate's numerator and denominator, 0 events for latency. `minutes` were used, `left_out` not.
    `minutes_to_decision`: how many more until parity, regression or improvement could be said if all goes on as it did; 0 when it has been,
    None when it cannot be told or takes more than four weeks; `…_even` the same at 50:50.
    """

    criterion: Criterion
    verdict: Verdict
    reason: VerdictReason
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    alarm_lower: float | None = None
    alarm_upper: float | None = None
    margin: float | None = None
    margin_lower: float | None = None
    baseline: float | None = None
    canary: float | None = None
    baseline_events: int = 0
    canary_events: int = 0
    baseline_requests: int = 0
    canary_requests: int = 0
    minutes: int = 0
    excluded: Mapping[ExclusionReason, int] | None = None
    minutes_to_decision: int | None = None
    minutes_to_decision_even: int | None = None

    @property
    def metric(self) -> str:
        return self.criterion.metric

    @property
    def is_significantly_worse(self) -> bool:
        """Whether there is certainly a difference in the wrong direction, however small."""
        if self.alarm_lower is None or self.alarm_upper is None:
            return False
        return self.alarm_lower > 0 if self.criterion.better == "lower" else self.alarm_upper < 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict over all criteria, and each one's. `default_criteria` says that nobody fixed what parity means."""

    verdict: Verdict
    criteria: tuple[CriterionVerdict, ...]
    default_criteria: bool = False

    def __getitem__(self, metric: str) -> CriterionVerdict:
        return next(one for one in self.criteria if one.metric == metric)


def overall_verdict(criteria: Sequence[CriterionVerdict]) -> Verdict:
    """The word for all criteria: of the critical ones, or of all where none is.

    Regression if any is. Otherwise not enough data if any lacks it, undecided if any is; parity only if every one is at parity. Improvement
    where every one is at parity or better: equal it is not, but nobody would object.
    """
    critical = [one for one in criteria if one.criterion.critical] or list(criteria)
    said = {one.verdict for one in critical}
    for verdict in ("regression", "not enough data", "undecided", "improvement", "parity"):
        if verdict in said:
            return verdict
    return "not enough data"
