"""Vocabulary and values of a judgement: the verdict of each criterion and the overall one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from analysis.parity.incidents import Incident
from analysis.series.fleet_requests import FleetRequests
from domain import Criterion, FleetName, Margin
from domain.decision import gate_criteria

Verdict = Literal["parity", "regression", "improvement", "undecided", "not enough data"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
DECISIVE_VERDICTS: tuple[Verdict, ...] = ("parity", "regression", "improvement")

# Why a criterion has its verdict.
VerdictReason = Literal[
    "inside_margin",  # parity: the whole interval
    "beyond_margin",  # regression, improvement: the whole interval
    "recent_change",  # regression, improvement: since `changed_at`
    "significantly_worse",  # undecided: 0 is excluded, but the margin is not exceeded
    "significantly_better",
    "incident",  # undecided: parity but for the canary's own incidents
    "ratio",  # undecided: parity, but the rate is a multiple of the baseline's, beyond the criterion's `max_ratio`
    "inconclusive",  # undecided: neither 0 nor the margin's end is excluded
    "not_measured",  # not enough data: a fleet without this metric
    "one_side_empty",  # … a fleet had no requests in this window (`missing`)
    "not_yet",  # … no minute is final
    "not_asked",  # … a source was not asked for a fleet's requests
    "unknown",  # … it was, and did not answer
    "one_side_gone",  # … a fleet (`gone`) had no requests in the newest minutes, though the weights did not change
    "unread",  # … the newest minutes' counts are unknown
    "few_minutes",  # … too few are usable for an interval
    "resemblance",  # … the minutes resemble each other so much that they are worth too few (`effective_minutes`)
    "no_events",  # … neither fleet had an error
]
# Why a minute is not judged.
ExclusionReason = Literal[
    "provisional",
    "other_period",  # its rows have another period than most of the window's
    "no_traffic",
    "one_side_missing",
    "both_sides_missing",  # requests, but the metric of neither fleet
    "mixed_groups",  # two target groups of one fleet served: their percentiles cannot be merged
    "low_samples",
    "unread",  # a count that the rate needs is unknown
    "warm_up",  # the phase, or a release of the canary, had just begun
    "incident",  # a fact by itself, and no sample of the ordinary difference
    "in_flight",  # a window's first minutes: requests in flight look like unanswered ones
    "not_comparable",  # of a criterion of one's own: a share above 100 %, or no positive value with a relative margin
]
EXCLUSION_REASONS: tuple[ExclusionReason, ...] = get_args(ExclusionReason)

# Used, and marked as defaults, if the configuration has no criteria.
DEFAULT_CRITERIA: tuple[Criterion, ...] = (
    Criterion(metric="error_rate", margin=Margin(value=0.05, unit="pp"), critical=True, max_ratio=3),
    Criterion(metric="latency_p50", margin=Margin(value=10, unit="%")),
    Criterion(metric="latency_p95", margin=Margin(value=10, unit="%"), critical=True),
    Criterion(metric="latency_p99", margin=Margin(value=20, unit="%")),
)


@dataclass(frozen=True, slots=True)
class CriterionVerdict:
    """The judgement of one criterion, in the metric's own unit: a rate is a fraction of requests, latency is in seconds.

    `estimate`, `lower` … `upper`: the difference canary − baseline and its CI; None before there is an interval. `alarm_lower` … `alarm_upper` is
    wider, for all criteria together: regression, improvement and `significantly_…` are decided by it. Parity: the CI lies between
    `margin_lower` < 0 and `margin`; a relative margin is converted at the baseline's level.

    `baseline`, `canary`: the rates, with equal weights per minute; or the latencies' means (geometric for a relative margin).
    `…_events` of `…_requests`: the rates' plain numerators and denominators, None for latency and if no minute was used, unless it is known that
    there were none. `…_unexplained`: requests without a counted response that are no errors. `minutes` were used; `excluded` were not, by reason.
    `missing`: the fleets without counted requests; `gone`, `changed_at` (epoch seconds), `effective_minutes` (of a latency): see the reason.
    `worst_hour`: the start (epoch seconds) of the clock hour with the worst difference, which is `worst_hour_estimate`.
    `minutes_to_decision`: forecast of the minutes until a decisive verdict; 0 if there is one, None if unknown or more than four weeks;
    `…_even`: the same at 50:50. `is_over`: its window will not grow, so there is no forecast.
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
    baseline_events: int | None = None
    canary_events: int | None = None
    baseline_requests: int | None = None
    canary_requests: int | None = None
    baseline_unexplained: int | None = None
    canary_unexplained: int | None = None
    minutes: int = 0
    excluded: Mapping[ExclusionReason, int] | None = None
    minutes_to_decision: int | None = None
    minutes_to_decision_even: int | None = None
    is_over: bool = False
    changed_at: int | None = None
    effective_minutes: float | None = None
    worst_hour: int | None = None
    worst_hour_estimate: float | None = None
    missing: tuple[FleetRequests, ...] = ()
    gone: tuple[FleetName, ...] = ()

    @property
    def metric(self) -> str:
        return self.criterion.metric

    @property
    def is_significantly_worse(self) -> bool:
        """Whether a difference of 0 is excluded on the worse side."""
        if self.alarm_lower is None or self.alarm_upper is None:
            return False
        return self.criterion.worse_and_better(self.alarm_lower > 0, self.alarm_upper < 0)[0]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The overall verdict and that of each criterion. `default_criteria`: they are DEFAULT_CRITERIA.

    `fleets`: the requests of each fleet in the final part of the window. `incidents`: in the same, in order of time.
    """

    verdict: Verdict
    criteria: tuple[CriterionVerdict, ...]
    default_criteria: bool = False
    fleets: tuple[FleetRequests, ...] = ()
    incidents: tuple[Incident, ...] = ()

    def __getitem__(self, metric: str) -> CriterionVerdict:
        return next(criterion for criterion in self.criteria if criterion.metric == metric)

    @property
    def missing(self) -> tuple[FleetRequests, ...]:
        """The fleets without counted requests."""
        return tuple(requests for requests in self.fleets if not requests.is_counted)


def close_judgement(judgement: Judgement) -> Judgement:
    """The judgement of a window that is over: without forecasts."""
    criteria = (
        criterion
        if criterion.verdict in DECISIVE_VERDICTS
        else replace(criterion, minutes_to_decision=None, minutes_to_decision_even=None, is_over=True)
        for criterion in judgement.criteria
    )
    return replace(judgement, criteria=tuple(criteria))


def overall_verdict(criteria: Sequence[CriterionVerdict]) -> Verdict:
    """The worst verdict of the critical criteria, or of all if none is critical; those that are only watched do not count.

    In this order: regression, undecided if a criterion is significantly worse, not enough data, undecided, improvement, parity.
    """
    gate = gate_criteria([result.criterion for result in criteria])
    deciding = [result for result in criteria if result.criterion in gate]
    verdicts = {result.verdict for result in deciding}
    if "regression" not in verdicts and any(result.reason == "significantly_worse" for result in deciding):
        return "undecided"
    for verdict in ("regression", "not enough data", "undecided", "improvement", "parity"):
        if verdict in verdicts:
            return verdict
    return "not enough data"
