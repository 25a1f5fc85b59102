"""The protocols and values of all sources. A source reads one external system, never writes to it, and returns that system's faults as values."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from math import ceil, inf
from typing import Literal, Protocol, runtime_checkable

import pandas as pd

from domain import Event, Series, Traffic, WeightChange, Window, empty_frame
from domain.deployments import Deployment, DeploymentState
from domain.redaction import redact
from domain.window import HOUR_S, MINUTE_S

ProblemKind = Literal[
    "no_credentials",  # nothing to sign requests with
    "expired_token",  # credentials or session expired
    "denied",  # authenticated but not authorized: `operation` is the IAM action, or the right that is missing from the API key
    "wrong_key",  # unknown access key or API key, or one of another organization
    "wrong_region",  # the resource is in another region
    "not_found",  # unknown load balancer, rule, target group, service or host
    "gone",  # unknown or deleted deployment application, group or service: what is archived stays
    "elsewhere",  # a target group of another load balancer
    "no_split",  # no rule forwards to both fleets
    "throttled",  # rate limit exceeded; retried automatically
    "timeout",  # no response in time
    "unreachable",  # no connection
    "server_error",  # the service failed (HTTP 5xx)
    "not_supported",  # the server does not implement the operation: an emulator, or a proxy
    "bad_request",  # rejected as invalid: an error in this program or in the configuration
    "bad_reply",  # a response that does not match the API's documentation
    "partial_data",  # CloudWatch ended a result with PartialData
    "internal_error",  # CloudWatch could not compute one series, or an unexpected exception in a poll
    "forbidden_metric",  # CloudWatch refused one series
    "refused_metric",  # CloudWatch rejects one series as invalid, and answers the others
    "unanswered_metric",  # a server error instead of some series, while the others are answered
    "message",  # a message of CloudWatch about its response
    "no_such_metric",  # a metric never reported, or not yet: a state, not an error
    "clock_skew",  # the local clock differs from the service's
    "not_enabled",  # the load balancer writes no access logs
    "no_room",  # the local disk is full
    "too_costly",  # a query above the cost limit: not started
    "query_failed",  # a query that the service started and could not finish
    "query_cancelled",  # a query cancelled by a user or by a limit of the service
    "incomplete",  # only part of the request was answered
    "no_secret",  # the environment variable of a channel is not set, or is not what it should be
    "private_address",  # a webhook in a private network
    "not_installed",  # optional packages that the configuration needs
    "bad_certificate",  # a TLS certificate that cannot be verified
    "no_approver",  # no user may sign off
]
# Problems of single series, while others are answered.
SERIES_PROBLEMS: frozenset[ProblemKind] = frozenset(
    {"forbidden_metric", "refused_metric", "unanswered_metric", "internal_error", "partial_data"}
)
MAX_CLOCK_SKEW_S = 30  # AWS rejects signatures from 5 minutes on; beyond this the newest minutes are already wrong


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason why a source returned less than it was asked for. messages/errors/sources.py has the texts.

    `operation`: what was tried, by the permission's name ("cloudwatch:GetMetricData", "GET /api/v0/alerts"). `about`: its subject (an ARN, a
    series, a region). `detail`: the service's own error text. Escape `about` and `detail`. All three are without credentials.
    """

    kind: ProblemKind
    source: str
    operation: str
    about: str = ""
    detail: str = ""

    def __post_init__(self) -> None:
        for name in ("operation", "about", "detail"):
            object.__setattr__(self, name, redact(getattr(self, name)))


HealthState = Literal["up", "slow", "partial", "throttled", "denied", "down"]  # of a source
ANSWERING_STATES: frozenset[HealthState] = frozenset({"up", "slow", "partial"})
IDLE_GROUP = "idle_group"  # detail of a problem `no_such_metric`: another target group of the fleet has reported
CheckState = Literal["up", "slow", "throttled", "denied", "failed", "not_checked", "never_reported", "idle", "stale"]
REPLY_TIME_S = 10.0  # a Date header is in whole seconds, and older than its reply
STALE_AFTER_S = 3 * HOUR_S  # of a target group without datapoints


@dataclass(frozen=True, slots=True)
class Health:
    """The result of one check: of a permission (an IAM action, or a right of the API key), or of a `subject` that was read with it.

    A subject is a target group, a rule, a service or a job. `problem`: None if there is none; with "not_checked" the failure that prevented the
    check, None if there was nothing to read. `newest_age_s`: seconds since the subject's newest datapoint began, None if unknown or irrelevant.
    """

    source: str
    permission: str
    state: CheckState
    took_s: float
    problem: Problem | None = None
    subject: str = ""
    newest_age_s: int | None = None


@dataclass(frozen=True, slots=True)
class AnsweredRange:
    """Series that were answered completely: within `window` they have no points besides those in the frame ("no data" differs from "not asked")."""

    series: frozenset[Series]
    window: Window
    period_s: int


def clock_lead_s(ahead_s: float) -> float:
    """How far the local clock is ahead of a service's, 0 if that is no more than a reply takes. `ahead_s`: of the reply's Date header."""
    return ahead_s if ahead_s > REPLY_TIME_S else 0.0


@dataclass(frozen=True, slots=True)
class Pull:
    """The metrics of a source for a window. `asked_at`: epoch seconds. `datapoints_requested`: series × periods.

    `clock_ahead_s`: how far the local clock is ahead of the source's; 0 if it is not, or if that is unknown.
    `frame` is tidy (domain.frame). It may hold rows of series outside `answered_ranges`: partial results, which are requested again.
    """

    window: Window
    asked_at: int
    frame: pd.DataFrame = field(default_factory=empty_frame)
    answered_ranges: tuple[AnsweredRange, ...] = ()
    problems: tuple[Problem, ...] = ()
    datapoints_requested: int = 0
    took_s: float = 0.0
    clock_ahead_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Events:
    """The events of one source in a window. `complete` is False if some are missing because of a problem. `clock_ahead_s`: as of a Pull.

    `weight_changes`: changes of rules from an audit log; the archive merges them with the observed traffic snapshots.
    `deployment_state`: the current state of services and deployments, if the source reads them. `deployments`: all that were read.
    """

    window: Window
    asked_at: int
    events: tuple[Event, ...] = ()
    problems: tuple[Problem, ...] = ()
    complete: bool = True
    took_s: float = 0.0
    weight_changes: tuple[WeightChange, ...] = ()
    deployment_state: DeploymentState | None = None
    clock_ahead_s: float = 0.0
    deployments: tuple[Deployment, ...] = ()

    @property
    def covered(self) -> Window | None:
        """The part of the window that was over by the local clock and by the source's: later events may still be missing."""
        end = min(self.window.end, (self.asked_at - ceil(self.clock_ahead_s)) // MINUTE_S * MINUTE_S)
        return Window(self.window.start, end) if self.complete and self.window.start < end else None


@dataclass(frozen=True, slots=True)
class TrafficSnapshot:
    """The load balancer at one time. `traffic` is None if it could not be read, or only in part."""

    asked_at: int
    traffic: Traffic | None
    problems: tuple[Problem, ...] = ()
    took_s: float = 0.0


class CheckableSource(Protocol):
    name: str

    def check(self) -> tuple[Health, ...]:
        """Tries each permission, and reads each configured subject."""


class MetricSource(CheckableSource, Protocol):
    """Metrics of both fleets."""

    def series(self) -> tuple[Series, ...]:
        """All series of this source, in a fixed order. Sends no request."""

    def unsupported_metrics(self) -> tuple[str, ...]:
        """Metrics or statistics this source does not provide ("latency.p50", "connection_errors"); the UI marks them unavailable."""

    def finest_period_s(self, start: int, *, now: int) -> int:
        """The shortest period in seconds that the source still retains for a minute that began at `start`; 0 if none."""

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        """The metrics in `window` (only of `series`, if given), each part in the finest retained period. Faults of the service are problems."""


class TrafficSource(CheckableSource, Protocol):
    """The load balancer's current weights, rules and target health."""

    def snapshot(self) -> TrafficSnapshot: ...


class EventSource(CheckableSource, Protocol):
    """Alerts, annotations and deployments."""

    def events(self, window: Window) -> Events: ...


@runtime_checkable
class HistorySource(EventSource, Protocol):
    """An event source that is slow to query and whose past does not change: polled for the newest events, and once for its whole retention.

    `retention_s`: how far back it goes. `delivery_delay_s`: how late an event may still arrive. `poll_interval_s`: seconds between two polls.
    """

    retention_s: int
    delivery_delay_s: int
    poll_interval_s: int


# Sources that only add detail. Everything works without them: their problems are notes, not alarms.
SUPPLEMENTARY = frozenset(
    {
        "cloudtrail",
        "cloudwatch_criteria",
        "mackerel_criteria",
        "codedeploy",
        "ecs",
        "eventbridge",
        "function_logs",
        "lambda",
    }
)
_REMARKS: frozenset[ProblemKind] = frozenset(
    ("message", "no_such_metric", "no_split", "gone", "elsewhere", "incomplete")
)


def health_state(
    problems: Collection[Problem], took_s: float, *, answered: bool = True, slow_s: float = 5.0
) -> HealthState:
    """The state of a source after a request: that of its worst problem, else "slow" above `slow_s` seconds, else "up".

    "partial": some series failed while others were answered. Clock skew counts only if it made the request fail (`answered` is False).
    """
    kinds = {problem.kind for problem in problems}
    if kinds & {"denied", "no_credentials", "expired_token", "wrong_key", "forbidden_metric"}:
        return "denied"
    if "throttled" in kinds:
        return "throttled"
    if kinds - _REMARKS - SERIES_PROBLEMS - ({"clock_skew"} if answered else set()):
        return "down"
    if kinds & SERIES_PROBLEMS:
        return "partial"
    return "slow" if took_s > slow_s else "up"


# Remarks of a poll, which has other data, but failures of a check.
_CHECK_FAILURES: frozenset[ProblemKind] = frozenset(("elsewhere", "gone", "incomplete"))
_CHECK_SEVERITY: tuple[CheckState, ...] = ("denied", "throttled", "failed", "never_reported", "slow", "up")


def check_result(
    source: str,
    permission: str,
    took_s: float,
    problems: Collection[Problem] = (),
    *,
    answered: bool = True,
    subject: str = "",
) -> Health:
    """The result of a check that was made: the state of its worst problem. `answered`: see `health_state`."""

    def state_of(problem: Problem) -> CheckState:
        if problem.kind == "no_such_metric":
            return "never_reported"
        if problem.kind == "no_credentials":
            return "failed"  # nothing was asked
        match health_state((problem,), took_s, answered=answered):
            case "down" | "partial":
                return "failed"
            case state:
                return "failed" if problem.kind in _CHECK_FAILURES else state

    worst = min(problems, key=lambda problem: _CHECK_SEVERITY.index(state_of(problem)), default=None)
    state: CheckState = state_of(worst) if worst else "slow" if health_state((), took_s) == "slow" else "up"
    return Health(source, permission, state, took_s, worst, subject)


def with_newest(result: Health, age_s: int | None, *, stale_after_s: float = inf) -> Health:
    """The result with the age of the newest datapoint; "stale" if it is older than `stale_after_s`."""
    stale = age_s is not None and age_s > stale_after_s and result.state in ("up", "slow")
    return replace(result, newest_age_s=age_s, state="stale" if stale else result.state)
