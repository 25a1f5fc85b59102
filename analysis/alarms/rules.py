"""The alarm rules, minute by minute: whether each is met by one fleet compared with the other. docs/MATH.md has them in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from analysis.series.comparison import latency
from analysis.series.grid import STATUS_COUNTS, BoolArray, FloatArray, TimeGrid, nan_ratio
from analysis.series.unanswered import ResponseCounts, alb_errors, explained_failures
from domain import FLEETS, FleetName, Window

AlarmRule = Literal["error_rate", "no_response", "no_requests", "latency_p95"]
ALARM_RULES: tuple[AlarmRule, ...] = get_args(AlarmRule)

RATE_RATIO = 10
MIN_RATE_DIFFERENCE = 0.05
LATENCY_RATIO = 2.0
LATENCY_SCATTER_SIGMAS = 6.0
SCATTER_MINUTES = 180
MIN_SCATTER_MINUTES = 60
MIN_ANSWERED_SHARE = 0.5  # a fleet that answers less has failed, even if nothing else shows it
COMPLETE_SHARE = 0.9  # the status counts of a minute have arrived if the other fleet answered this share

# The state of a rule in a minute. UNDEFINED: it cannot apply (no requests, too few answers); UNKNOWN: data that it needs was not read.
NOT_MET, MET, UNDEFINED, UNKNOWN = 0, 1, 2, 3
StateArray = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class SplitShares:
    """The configured shares (0–1) since `settled_at` (epoch seconds). `only_split`: no stickiness, and no other rule sends requests to a fleet
    in other shares, so that the requests of a fleet follow from its share."""

    shares: Mapping[FleetName, float]
    settled_at: int
    only_split: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class RuleStates:
    """One rule for one fleet: its state in each minute, and the `events` that a minute adds: failures, or requests that were expected.

    `counts`, `totals`: numerator and denominator of both fleets' values; for a latency the value in seconds and its sample size.
    """

    states: StateArray
    events: FloatArray
    counts: Mapping[FleetName, FloatArray]
    totals: Mapping[FleetName, FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class AlarmData:
    """Both fleets in minutes. `requests_unknown`: when it is not known whether a fleet had requests."""

    grid: TimeGrid
    split: SplitShares | None = None
    requests_unknown: Mapping[FleetName, Sequence[Window]] = field(default_factory=dict)

    def unread(self, fleet: FleetName) -> BoolArray:
        return self.grid.overlaps(self.requests_unknown.get(fleet, ()))


@dataclass(frozen=True, slots=True, eq=False)
class _Failures:
    """The failed requests of one fleet: `lower` are certain; `upper` adds what could have failed if counts are not known."""

    requests: FloatArray
    lower: FloatArray
    upper: FloatArray

    def __add__(self, other: "_Failures") -> "_Failures":
        lower, upper = self.lower + other.lower, self.upper + other.upper
        return _Failures(self.requests, np.minimum(lower, self.requests), np.minimum(upper, self.requests))


def other_fleet(fleet: FleetName) -> FleetName:
    return "canary" if fleet == "baseline" else "baseline"


def rule_states(data: AlarmData, fleet: FleetName) -> dict[AlarmRule, RuleStates]:
    """Every rule for `fleet`. A minute that meets "error_rate" does not count for "no_response", which is a part of it."""
    unanswered = _no_response(data.grid)
    failed = {name: _target_5xx(data.grid, name) + unanswered[name] for name in FLEETS}
    error_rate = _rate_states(data, fleet, failed)
    no_response = _rate_states(data, fleet, unanswered)
    no_response = replace(no_response, states=np.where(error_rate.states == MET, UNDEFINED, no_response.states))
    return {
        "error_rate": error_rate,
        "no_response": no_response,
        "no_requests": _no_requests(data, fleet),
        "latency_p95": _latency(data.grid, fleet),
    }


def failed_requests(grid: TimeGrid) -> dict[FleetName, FloatArray]:
    """The requests of each fleet that certainly failed in each minute: target 5xx and, as far as something else shows it, no response."""
    unanswered = _no_response(grid)
    return {fleet: (_target_5xx(grid, fleet) + unanswered[fleet]).lower for fleet in FLEETS}


def latency_states(grid: TimeGrid, fleet: FleetName) -> tuple[StateArray, Mapping[FleetName, FloatArray]]:
    """The state of the rule "latency_p95" in each period, and the p95 of both fleets in seconds."""
    result = _latency(grid, fleet)
    return result.states, result.counts


def _target_5xx(grid: TimeGrid, fleet: FleetName) -> _Failures:
    requests, count = grid.fleets[fleet].requests, grid.fleets[fleet].counts["target_5xx"]
    return _Failures(requests, np.nan_to_num(count), np.where(np.isnan(count), requests, count))


def _no_response(grid: TimeGrid) -> dict[FleetName, _Failures]:
    """Requests − answers of each fleet in each minute, as far as something else shows that they failed.

    WebSocket upgrades (101) and clients that went away (460) have no answer in any metric, and status counts can arrive later than the requests.
    So the explained ones count; or all, if the fleet answered less than half of its requests while the other fleet's answers are complete.
    """
    responses = {fleet: _responses(grid, fleet) for fleet in FLEETS}
    alb_5xx = alb_errors(grid)
    explained = explained_failures(responses, alb_5xx)
    failures: dict[FleetName, _Failures] = {}
    for fleet in FLEETS:
        own, other = responses[fleet], responses[other_fleet(fleet)]
        other_complete = other.answers >= COMPLETE_SHARE * other.requests
        collapsed = (own.answers < MIN_ANSWERED_SHARE * own.requests) & other_complete
        lower = np.where(collapsed, own.unanswered, explained[fleet])
        upper = np.where(np.isnan(alb_5xx), own.unanswered, lower)
        unread = np.isnan(own.unanswered)
        lower, upper = np.where(unread, 0.0, lower), np.where(unread, own.requests, upper)
        failures[fleet] = _Failures(own.requests, lower, upper)
    return failures


def _responses(grid: TimeGrid, fleet: FleetName) -> ResponseCounts:
    """If more answers were timed than counted by status, the timed ones count, so that an unreadable status metric is no outage."""
    counts = grid.fleets[fleet].counts
    answers = np.fmax(np.sum([counts[name] for name in STATUS_COUNTS], axis=0), counts["sample_count"])
    unanswered = np.maximum(counts["requests"] - answers, 0.0)
    return ResponseCounts(counts["requests"], answers, unanswered, unanswered, counts["connection_errors"])


def _rate_states(data: AlarmData, fleet: FleetName, failures: Mapping[FleetName, _Failures]) -> RuleStates:
    """Whether the fleet's rate is at least 10 × the other's and at least 5 pp above it."""
    own, reference = failures[fleet], failures[other_fleet(fleet)]
    n, n_reference = np.nan_to_num(own.requests), np.nan_to_num(reference.requests)

    def is_met(count: FloatArray, reference_count: FloatArray) -> BoolArray:
        # Cross-multiplied: whole numbers compare exactly.
        left, right = np.nan_to_num(count) * n_reference, np.nan_to_num(reference_count) * n
        above: BoolArray = (left - right) * round(1 / MIN_RATE_DIFFERENCE) >= n * n_reference
        return above & (left >= RATE_RATIO * right)

    states = np.where(is_met(own.upper, reference.lower), UNKNOWN, NOT_MET)
    states[is_met(own.lower, reference.upper)] = MET
    states[(n == 0) | (n_reference == 0)] = UNDEFINED
    states[data.unread(fleet) | data.unread(other_fleet(fleet))] = UNKNOWN
    counts = {name: of_fleet.lower for name, of_fleet in failures.items()}
    totals = {name: of_fleet.requests for name, of_fleet in failures.items()}
    return RuleStates(states.astype(np.int8), np.nan_to_num(own.lower), counts, totals)


def _no_requests(data: AlarmData, fleet: FleetName) -> RuleStates:
    """Whether the fleet has a share and no requests. `events`: the requests that were expected.

    They follow from the share, or, if sticky sessions or other rules shift it, from the quotient that was observed since the weights were set.
    Without such a quotient they are the load balancer's own 5xx, but not more than the share gives.
    """
    grid, split, other = data.grid, data.split, other_fleet(fleet)
    requests, others = (np.nan_to_num(grid.fleets[name].requests) for name in (fleet, other))
    unread = data.unread(fleet) | data.unread(other)
    states = np.full(len(grid.ts), UNDEFINED if split else UNKNOWN)
    expected = np.zeros(len(grid.ts))
    if split and split.shares.get(fleet, 0) > 0:
        settled = (grid.ts >= split.settled_at) & ~unread
        expected = _expected_requests(data, split, fleet, settled & (requests > 0))
        states = np.select(
            [grid.ts < split.settled_at, unread, requests > 0, np.isnan(expected), expected > 0],
            [UNDEFINED, UNKNOWN, NOT_MET, UNKNOWN, MET],
            UNDEFINED,
        )
    return RuleStates(
        states.astype(np.int8),
        np.nan_to_num(expected),
        {fleet: requests, other: others},
        {fleet: np.nan_to_num(expected), other: others},
    )


def _expected_requests(data: AlarmData, split: SplitShares, fleet: FleetName, served: BoolArray) -> FloatArray:
    """Requests that the fleet should have had in each minute. `served`: the minutes in which it had some. NaN if unknown."""
    grid, other = data.grid, other_fleet(fleet)
    others, share_of_other = np.nan_to_num(grid.fleets[other].requests), split.shares.get(other, 0.0)
    by_share = others * split.shares[fleet] / share_of_other if share_of_other else np.full(len(others), np.inf)
    if split.only_split and share_of_other:
        return by_share
    settled = grid.ts >= split.settled_at
    if served.any() and others[settled].any():
        return others * float(grid.fleets[fleet].requests[served].sum() / others[settled].sum())
    # What is usual for other services of the load balancer is not evidence.
    usual = float(np.median(np.nan_to_num(grid.alb["alb_5xx"])[served])) if served.any() else 0.0
    return np.minimum(np.maximum(grid.alb["alb_5xx"] - 2 * usual, 0.0), by_share)


def _latency(grid: TimeGrid, fleet: FleetName) -> RuleStates:
    """Whether the fleet's p95 is at least 2 × the other's, and further above it than six standard deviations of their log ratio.

    The deviation is √2 × that of the other fleet's log p95 in the three hours before, which the fleet's own slowness does not widen.
    """
    comparison, other = latency(grid, "p95"), other_fleet(fleet)
    values = {name: comparison.values[name] for name in (fleet, other)}
    ratio = nan_ratio(values[fleet], values[other])
    measured = ~np.isnan(ratio)
    usable = measured & ~comparison.low_sample[fleet] & ~comparison.low_sample[other]
    if comparison.multi_group is not None:
        usable &= ~comparison.multi_group  # percentiles of two groups cannot be merged
    answered = np.min([np.nan_to_num(grid.fleets[name].counts["sample_count"]) for name in values], axis=0)
    states = np.where(usable, NOT_MET, np.where(~measured & (answered > 0), UNKNOWN, UNDEFINED))
    for index in np.flatnonzero(usable & (ratio >= LATENCY_RATIO)):
        deviation = _log_deviation(comparison.values, comparison.low_sample, (other, fleet), int(index))
        if deviation is None:
            states[index] = UNKNOWN
        elif np.log(ratio[index]) >= LATENCY_SCATTER_SIGMAS * np.sqrt(2) * deviation:
            states[index] = MET
    return RuleStates(states.astype(np.int8), np.zeros(len(grid.ts)), values, comparison.samples)


def _log_deviation(
    values: Mapping[FleetName, FloatArray],
    low_sample: Mapping[FleetName, BoolArray],
    fleets: Sequence[FleetName],
    index: int,
) -> float | None:
    """The robust standard deviation (1.4826 · MAD) of the log p95 before the period `index`, of the first fleet with an hour of minutes."""
    before = slice(max(index - SCATTER_MINUTES, 0), index)
    for fleet in fleets:
        history = values[fleet][before][~low_sample[fleet][before]]
        history = np.log(history[history > 0])
        if len(history) >= MIN_SCATTER_MINUTES:
            return 1.4826 * float(np.median(np.abs(history - np.median(history))))
    return None
