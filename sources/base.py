"""What every source promises. A source talks to one outside system, never raises for that system's faults, and only reads."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import pandas as pd

from domain import Event, Series, Traffic, WeightChange, Window, empty_frame
from domain.deployments import DeploymentState

ProblemKind = Literal[
    "no_credentials",  # nothing to sign with
    "expired_token",  # signed with something that has run out
    "denied",  # known, but not allowed: `operation` is the IAM action or the key's missing right
    "wrong_key",  # a key that the other side does not know, or of another organisation
    "wrong_region",  # asked where the thing does not live
    "not_found",  # a load balancer, rule, target group, service or host that is not there
    "gone",  # a deployment application, group or service that is not there, or not any more: what is known of it stays
    "elsewhere",  # a target group that belongs to another load balancer
    "no_split",  # no rule sends traffic to both fleets
    "throttled",  # asked too often; asked again later by itself
    "timeout",  # no answer in time
    "unreachable",  # no connection
    "server_error",  # the other side's own fault
    "bad_request",  # refused as nonsense: a mistake here or in the configuration
    "bad_reply",  # an answer that is not what its documentation promises
    "partial_data",  # CloudWatch stopped in the middle and did not go on
    "internal_error",  # CloudWatch could not answer for one series
    "forbidden_metric",  # CloudWatch refused one series
    "message",  # CloudWatch said something about its answer
    "no_such_metric",  # a metric that was never reported, or not yet: a state, not an error
    "clock_skew",  # this machine's clock and theirs differ
    "not_enabled",  # the load balancer writes no access logs
    "no_room",  # the disk of this machine is full
    "too_costly",  # a query that would cost more than was allowed: it was not begun
    "query_failed",  # a query that the other side began and could not end
    "query_cancelled",  # a query that somebody, or a limit of the other side, ended
    "incomplete",  # some of what was asked was answered, some not
]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that kept a source from answering. messages/errors/sources.py turns it into a sentence that ends in the next step.

    `operation` is what was tried, as the permission is called ("cloudwatch:GetMetricData", "GET /api/v0/alerts"); `about` is what it was about
    (an ARN, a series, a region); `detail` is what the other side said, in its own words: escape both.
    """

    kind: ProblemKind
    source: str
    operation: str
    about: str = ""
    detail: str = ""


HealthState = Literal["up", "slow", "throttled", "denied", "down"]


@dataclass(frozen=True, slots=True)
class Health:
    """One line of a check: `permission` is the IAM action or the key's right that was tried. `problem` is None where it worked."""

    source: str
    permission: str
    state: HealthState
    took_s: float
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """One resolved query: what was asked for a series, in the other side's own terms, and where a person can see the same graph."""

    series: Series
    period_s: int
    text: str
    link: str


@dataclass(frozen=True, slots=True)
class AnsweredRange:
    """What was asked and fully answered: these series have no rows in `window` beyond those in the frame. Nothing is not the same as not asked."""

    series: frozenset[Series]
    window: Window
    period_s: int


@dataclass(frozen=True, slots=True)
class Pull:
    """What a source answered for a window. `asked_at` is epoch seconds; `asked` counts the datapoints asked for (series × periods).

    `frame` is tidy (domain.frame) and may hold rows of series that are not in `answers`: those were answered in part, and are asked again.
    """

    window: Window
    asked_at: int
    frame: pd.DataFrame = field(default_factory=empty_frame)
    answered_ranges: tuple[AnsweredRange, ...] = ()
    queries: tuple[Query, ...] = ()
    problems: tuple[Problem, ...] = ()
    datapoints_requested: int = 0
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Events:
    """What happened in a window, as one source tells it. `complete` is False where a problem kept part of it back.

    `changes` are changes of rules that were logged as they happened: the archive joins them with what the looks at the load balancer found.
    `standing` is how services and deployments stand now, where the source knows of any.
    """

    window: Window
    asked_at: int
    events: tuple[Event, ...] = ()
    problems: tuple[Problem, ...] = ()
    complete: bool = True
    took_s: float = 0.0
    weight_changes: tuple[WeightChange, ...] = ()
    deployment_state: DeploymentState | None = None


@dataclass(frozen=True, slots=True)
class TrafficSnapshot:
    """One look at the load balancer. `traffic` is None where it could not be read at all."""

    asked_at: int
    traffic: Traffic | None
    problems: tuple[Problem, ...] = ()
    took_s: float = 0.0


class MetricSource(Protocol):
    """Answers for both fleets over a window."""

    name: str

    def series(self) -> tuple[Series, ...]:
        """Everything this source can be asked for, in a fixed order. Never talks."""
        ...

    def unsupported_metrics(self) -> tuple[str, ...]:
        """Names of metrics or statistics that this source cannot know ("latency.p50", "connection_errors"), so that pages say so."""
        ...

    def finest_period_s(self, start: int, *, now: int) -> int:
        """The shortest period in seconds that the source still keeps for a minute that began at `start`; 0 where it keeps nothing any more."""
        ...

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        """The numbers in `window`; only of `series`, if given. Each part of the window in the finest period still kept. Never raises for outside faults."""
        ...

    def check(self) -> tuple[Health, ...]:
        """One line a permission: reachable? allowed? what to do if not."""
        ...


class TrafficSource(Protocol):
    """Reads weights, rules and target health as they are now."""

    name: str

    def snapshot(self) -> TrafficSnapshot: ...

    def check(self) -> tuple[Health, ...]: ...


class EventSource(Protocol):
    """Things that happened: alerts, annotations, deployments."""

    name: str

    def events(self, window: Window) -> Events: ...

    def check(self) -> tuple[Health, ...]: ...


@runtime_checkable
class HistorySource(EventSource, Protocol):
    """An event source that is slow to ask and does not change what it once told: asked for the newest time, and once for all that lies behind.

    `reach_s`: so far back it knows. `settle_s`: so young, it may still hear of something. `every_s`: so often it is asked.
    """

    retention_s: int
    delivery_delay_s: int
    poll_interval_s: int


# What only adds to what others tell. Without it everything works: its trouble is a note, and no alarm.
SUPPLEMENTARY = frozenset({"cloudtrail", "codedeploy", "ecs", "eventbridge", "lambda"})


def health_state(
    problems: Collection[Problem], took_s: float, *, answered: bool = True, slow_s: float = 5.0
) -> HealthState:
    """The one word for a source after an attempt: the worst that happened, else "slow" beyond `slow_s` seconds, else "up".

    A clock that is off is only a remark, unless it kept the source from answering (`answered`).
    """
    kinds = {problem.kind for problem in problems}
    if kinds & {"denied", "no_credentials", "expired_token", "wrong_key", "forbidden_metric"}:
        return "denied"
    if "throttled" in kinds:
        return "throttled"
    if kinds - {
        "message",
        "no_such_metric",
        "no_split",
        "gone",
        "elsewhere",
        "clock_skew",
        "incomplete",
        "partial_data",
        "internal_error",
    }:
        return "down"
    if "clock_skew" in kinds and not answered:
        return "down"
    return "slow" if took_s > slow_s else "up"
