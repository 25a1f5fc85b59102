"""The requests of one fleet in a window: their number, or why it is not known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.series.grid import FloatArray
from domain import FleetName

RequestsState = Literal[
    "counted",  # there were requests
    "none",  # the source answered for the whole time, and there were none: 0
    "never_reported",  # the same, but the source has never reported a request of this fleet, so that it may count something else
    "not_yet",  # no minute is final
    "not_asked",  # the source was not asked for some of the time
    "unknown",  # the source was asked for it and did not answer
]

# The state to name if the fleets differ: first what the user can mend.
MISSING_STATES: tuple[RequestsState, ...] = ("unknown", "not_asked", "not_yet", "never_reported", "none")


@dataclass(frozen=True, slots=True)
class FleetRequests:
    """The requests of one fleet in the final part of a window. `count` is None unless the state is "counted" or "none".

    `source`: the name of the metric source. `zero_share`: the fleet's configured share is 0. `groups`: target groups that never reported a request.
    """

    fleet: FleetName
    state: RequestsState
    count: int | None = None
    source: str = ""
    zero_share: bool = False
    groups: tuple[str, ...] = ()

    @property
    def is_counted(self) -> bool:
        return self.state == "counted"


def requests_of_series(fleet: FleetName, requests: FloatArray, *, unknown: bool) -> FleetRequests:
    """The requests of a fleet by its counts in each final period (NaN: no row). `unknown`: those of some of the periods are not known."""
    count = round(float(np.nansum(requests)))
    if count:
        return FleetRequests(fleet, "counted", count)
    if not len(requests):
        return FleetRequests(fleet, "not_yet")
    return FleetRequests(fleet, "unknown") if unknown else FleetRequests(fleet, "none", 0)


def worst_state(missing: Sequence[FleetRequests]) -> RequestsState:
    """The first of MISSING_STATES that a fleet is in. Raises StopIteration for no fleet."""
    return next(state for state in MISSING_STATES if any(requests.state == state for requests in missing))
