"""Which requests without a counted response were errors: those that connection errors or the load balancer's own 5xx account for.

A request that a target group received is in its RequestCount, and its response in one of 2xx … 5xx. What is missing there failed (the load
balancer made a 502 or 504 instead), or no target failed it: a WebSocket upgrade (101), a client that went away (460), a request in flight. No
metric of a target group separates them; the load balancer's own 5xx, of all its target groups together, are an upper bound of the failed ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.series.grid import STATUS_COUNTS, BoolArray, FloatArray, TimeGrid, nan_ratio
from domain import FLEETS, FleetName

FOREIGN_ERRORS_FACTOR = 2.0  # more 5xx than that times all unanswered requests: the load balancer serves others, too
MAX_IN_FLIGHT_SHARE = 0.05  # of the requests of the last minutes; if more have no response, they will have none
NOTABLE_SHARE = 0.001  # of all requests; below it, requests may be in flight
MIN_SILENT_REQUESTS = 20  # this many requests and not one response: no mixture of WebSockets looks like that


@dataclass(frozen=True, slots=True, eq=False)
class ResponseCounts:
    """One fleet's counts over a trailing window at each period. `unanswered`: requests without a counted response, for whatever reason;
    `competing`: the same over the window of the load balancer's 5xx, if that is longer: how many of these may be this fleet's."""

    requests: FloatArray
    answers: FloatArray
    unanswered: FloatArray
    competing: FloatArray
    connection_errors: FloatArray


def alb_errors(grid: TimeGrid) -> FloatArray:
    """The load balancer's own 5xx that may stand for a request of a target group: without 503, made if no target was chosen. NaN if unknown."""
    return np.maximum(grid.alb["alb_5xx"] - np.nan_to_num(grid.alb["alb_503"]), 0.0)


def failed_responses(
    fleets: Mapping[FleetName, ResponseCounts], alb_5xx: FloatArray, settled_alb_5xx: FloatArray | None = None
) -> dict[FleetName, FloatArray]:
    """How many of each fleet's unanswered requests are errors: the explained ones.

    All of them if `alb_5xx` is unknown, or if the fleet responded to nothing while the other did.
    """
    explained = explained_failures(fleets, alb_5xx, settled_alb_5xx)
    failed: dict[FleetName, FloatArray] = {}
    for fleet, other in zip(FLEETS, reversed(FLEETS), strict=True):
        all_failed = np.isnan(alb_5xx) | _is_silent(fleets[fleet], fleets[other])
        failed[fleet] = np.where(all_failed, fleets[fleet].unanswered, explained[fleet])
    return failed


def explained_failures(
    fleets: Mapping[FleetName, ResponseCounts], alb_5xx: FloatArray, settled_alb_5xx: FloatArray | None = None
) -> dict[FleetName, FloatArray]:
    """How many of each fleet's unanswered requests other counts show to have failed.

    At least its connection errors; and as many of the load balancer's own 5xx (`alb_5xx`) as cannot be the other fleet's. If these are far more
    than both fleets left unanswered, they are of other target groups and explain nothing (`settled_alb_5xx`: those that had time to be counted
    as unanswered, if not all did).
    """
    known = {fleet: np.nan_to_num(fleets[fleet].unanswered) for fleet in FLEETS}
    settled = alb_5xx if settled_alb_5xx is None else settled_alb_5xx
    foreign = np.nan_to_num(settled) > FOREIGN_ERRORS_FACTOR * (known["baseline"] + known["canary"])
    explained: dict[FleetName, FloatArray] = {}
    for fleet, other in zip(FLEETS, reversed(FLEETS), strict=True):
        by_alb = np.where(foreign, 0.0, np.nan_to_num(alb_5xx) - np.nan_to_num(fleets[other].competing))
        evidence = np.maximum(np.nan_to_num(fleets[fleet].connection_errors), by_alb)
        explained[fleet] = np.minimum(fleets[fleet].unanswered, evidence)
    return explained


def failed_by_period(
    grid: TimeGrid, index: npt.NDArray[np.intp], delay_periods: int
) -> tuple[dict[FleetName, FloatArray], dict[FleetName, FloatArray]]:
    """The unanswered requests of both fleets in the periods `index`: those that are errors, and those that are not.

    An unanswered request is counted up to `delay_periods` after the load balancer's 5xx for it, so the window of these starts that much earlier.
    """
    periods = np.arange(len(index))
    recent, earlier, newest = (
        np.maximum(periods - length, 0) for length in (delay_periods, 2 * delay_periods, delay_periods - 1)
    )
    lost: dict[FleetName, FloatArray] = {}
    responses: dict[FleetName, ResponseCounts] = {}
    for fleet in FLEETS:
        counts = {name: np.nan_to_num(count[index]) for name, count in grid.fleets[fleet].counts.items()}
        answers = np.fmax(np.sum([counts[name] for name in STATUS_COUNTS], axis=0), counts["sample_count"])
        lost[fleet] = unanswered_counts(counts["requests"], answers, delay_periods)
        competing = trailing_sum(lost[fleet], earlier)
        outstanding = trailing_sum(counts["requests"] - answers, earlier)
        surely_lost = outstanding > MAX_IN_FLIGHT_SHARE * trailing_sum(counts["requests"], earlier)
        responses[fleet] = ResponseCounts(
            trailing_sum(counts["requests"], recent),
            trailing_sum(answers, recent),
            trailing_sum(lost[fleet], recent),
            np.where(surely_lost, np.maximum(outstanding, competing), competing),
            trailing_sum(counts["connection_errors"], recent),
        )
    alb_5xx = alb_errors(grid)[index]
    known_5xx = np.nan_to_num(alb_5xx)
    total = trailing_sum(known_5xx, earlier)
    unread = trailing_sum(np.isnan(alb_5xx), earlier) > 0
    failed = failed_responses(responses, np.where(unread, np.nan, total), total - trailing_sum(known_5xx, newest))
    unanswered = {
        fleet: lost[fleet] * np.nan_to_num(nan_ratio(failed[fleet], responses[fleet].unanswered)) for fleet in FLEETS
    }
    return unanswered, {fleet: lost[fleet] - unanswered[fleet] for fleet in FLEETS}


def unanswered_counts(requests: FloatArray, answers: FloatArray, delay_periods: int) -> FloatArray:
    """Unanswered requests of each period, counted up to `delay_periods` later.

    Requests − answers so far holds unanswered requests, which stay, and those in flight, which do not. So the running maximum of its minimum
    over the last `delay_periods` is certainly lost; its growth is counted.
    """
    if not len(requests):
        return requests
    outstanding = np.concatenate((np.zeros(delay_periods), np.cumsum(requests - answers)))
    lowest = np.lib.stride_tricks.sliding_window_view(outstanding, delay_periods + 1).min(axis=-1)
    lost = np.maximum.accumulate(np.maximum(lowest, 0.0))
    growth: FloatArray = np.diff(lost, prepend=0.0)
    return growth


def _is_silent(counts: ResponseCounts, other: ResponseCounts) -> BoolArray:
    """Whether a fleet responded to nothing while the other fleet did."""
    silent: BoolArray = (counts.requests >= MIN_SILENT_REQUESTS) & (counts.answers == 0) & (other.answers > 0)
    return silent


def trailing_sum(values: FloatArray | BoolArray, first: npt.NDArray[np.intp]) -> FloatArray:
    """For each index, the sum from `first` up to and including it."""
    total = np.cumsum(np.concatenate(([0.0], values)))
    trailing: FloatArray = total[1:] - total[first]
    return trailing
