"""Rollback readiness: could the baseline take all of the traffic back now, by what its targets have carried before?"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from analysis.deployments.aws_commands import set_weights
from domain import Traffic

TakeBackVerdict = Literal["ready", "unproven", "impossible", "unknown"]
# Why: all_there: nothing is away; carried_before: each target has had as much; never_carried: it has not, as far as is kept; no_history: nobody
# knows what it has carried; no_healthy: nobody could answer; not_in_rule: the rule does not name the baseline; strangers: some goes to a group of
# neither fleet, whose requests nobody counts; the others could not be read.
TakeBackReason = Literal[
    "all_there",
    "carried_before",
    "never_carried",
    "no_history",
    "no_healthy",
    "not_in_rule",
    "strangers",
    "health_unread",
    "requests_unread",
]


@dataclass(frozen=True, slots=True)
class Loads:
    """Requests a minute of each fleet of late, and the most that one healthy baseline target has carried (requests a minute); None where unknown."""

    baseline: float | None
    canary: float | None
    proven: float | None


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Whether the baseline could take 100 %. Loads are requests a minute for each healthy target: now, with all of the traffic, and proven.

    `command` is what a person would run, "" where it cannot be told.
    """

    verdict: TakeBackVerdict
    reason: TakeBackReason
    healthy: int | None
    registered: int | None
    now: float | None = None
    then: float | None = None
    proven: float | None = None
    command: str = ""


def take_back(traffic: Traffic, loads: Loads) -> TakeBack | None:
    """By the healthy targets of the baseline's groups in the splitting rule. None where there is no such rule.

    Fit is what was carried before: no threshold is guessed. The comparison takes a quarter of an hour of now beside whole hours of before, whose
    peaks were higher still.
    """
    split = traffic.split
    if split is None:
        return None
    shares = [share for share in split.shares if share.fleet == "baseline"]
    if not shares:
        return TakeBack("unknown", "not_in_rule", None, None)
    total = sum(share.weight for share in shares)
    command = set_weights(
        split,
        {share.arn: ((share.weight if total else 1) if share.fleet == "baseline" else 0) for share in split.shares},
    )
    names = {share.target_group for share in shares if share.weight or not total}
    groups = [group for group in traffic.groups if group.target_group in names]
    if not groups or any(group.targets is None for group in groups):
        return TakeBack("unknown", "health_unread", None, None, command=command)
    healthy = sum(group.healthy for group in groups)
    registered = sum(len(group.targets or ()) for group in groups)
    if not healthy:
        return TakeBack("impossible", "no_healthy", 0, registered, command=command)
    if any(share.fleet is None for share in split.live):
        return TakeBack("unknown", "strangers", healthy, registered, proven=loads.proven, command=command)
    if "canary" not in split.sides:
        return TakeBack("ready", "all_there", healthy, registered, _per(loads.baseline, healthy), proven=loads.proven)
    if loads.baseline is None and loads.canary is None:
        return TakeBack("unknown", "requests_unread", healthy, registered, proven=loads.proven, command=command)
    then = ((loads.baseline or 0.0) + (loads.canary or 0.0)) / healthy
    verdict: TakeBackVerdict = "unknown"
    reason: TakeBackReason = "no_history"
    if loads.proven is not None:
        carried = then <= loads.proven
        verdict, reason = ("ready", "carried_before") if carried else ("unproven", "never_carried")
    return TakeBack(verdict, reason, healthy, registered, _per(loads.baseline, healthy), then, loads.proven, command)


def busiest(requests_per_minute: npt.NDArray[np.float64], healthy: npt.NDArray[np.float64]) -> float | None:
    """The most requests a minute that one healthy target carried, over arrays of equal length; NaN and stretches without a healthy target aside."""
    with np.errstate(invalid="ignore", divide="ignore"):
        each = requests_per_minute / healthy
    each = each[np.isfinite(each)]
    return float(each.max()) if len(each) else None


def _per(requests: float | None, targets: int) -> float | None:
    return None if requests is None else requests / targets
