"""Which requests without a counted response were errors: those that connection errors or the load balancer's own 5xx account for.

A request that a target group received is in its RequestCount, and its response in one of 2xx … 5xx. What is missing there failed (the load
balancer made a 502 or 504 instead), or no target failed it: a WebSocket upgrade (101), a client that went away (460), a request in flight. No
metric of a target group separates them; the load balancer's own 5xx, of all its target groups together, are an upper bound of the failed ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.series.grid import BoolArray, FloatArray, TimeGrid
from domain import FLEETS, FleetName

FOREIGN_ERRORS_FACTOR = 2.0  # more 5xx than that times all unanswered requests: the load balancer serves others, too
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


def _is_silent(counts: ResponseCounts, other: ResponseCounts) -> BoolArray:
    """Whether a fleet responded to nothing while the other fleet did."""
    silent: BoolArray = (counts.requests >= MIN_SILENT_REQUESTS) & (counts.answers == 0) & (other.answers > 0)
    return silent


def trailing_sum(values: FloatArray | BoolArray, first: npt.NDArray[np.intp]) -> FloatArray:
    """For each index, the sum from `first` up to and including it."""
    total = np.cumsum(np.concatenate(([0.0], values)))
    trailing: FloatArray = total[1:] - total[first]
    return trailing
