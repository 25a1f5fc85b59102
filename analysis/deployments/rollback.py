"""Rollback readiness: could the baseline take all of the traffic back now, by what its targets have carried before?"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from analysis.deployments.aws_commands import set_weights_command
from domain import Traffic

RollbackVerdict = Literal["ready", "unproven", "impossible", "unknown"]
# Why: all_there: nothing is away; carried_before: each target has had as much; never_carried: it has not, as far as is kept; no_history: nobody
# knows what it has carried; no_healthy: nobody could answer; not_in_rule: the rule does not name the baseline; strangers: some goes to a group of
# neither fleet, whose requests nobody counts; the others could not be read.
RollbackReason = Literal[
    "all_on_baseline",
    "carried_before",
    "never_carried",
    "no_history",
    "no_healthy",
    "not_in_rule",
    "other_groups",
    "health_unread",
    "requests_unread",
]


@dataclass(frozen=True, slots=True)
class FleetLoad:
    """Requests a minute of each fleet of late, and the most that one healthy baseline target has carried (requests a minute); None where unknown."""

    baseline: float | None
    canary: float | None
    max_load: float | None


@dataclass(frozen=True, slots=True)
class RollbackReadiness:
    """Whether the baseline could take 100 %. Loads are requests a minute for each healthy target: now, with all of the traffic, and proven.

    `command` is what a person would run, "" where it cannot be told.
    """

    verdict: RollbackVerdict
    reason: RollbackReason
    healthy: int | None
    registered: int | None
    current_load: float | None = None
    expected_load: float | None = None
    max_load: float | None = None
    command: str = ""


def rollback_readiness(traffic: Traffic, load: FleetLoad) -> RollbackReadiness | None:
    """By the healthy targets of the baseline's groups in the splitting rule. None where there is no such rule.

    Fit is what was carried before: no threshold is guessed. The comparison takes a quarter of an hour of now beside whole hours of before, whose
    peaks were higher still.
    """
    split = traffic.split
    if split is None:
        return None
    shares = [share for share in split.shares if share.fleet == "baseline"]
    if not shares:
        return RollbackReadiness("unknown", "not_in_rule", None, None)
    total = sum(share.weight for share in shares)
    command = set_weights_command(
        split,
        {share.arn: ((share.weight if total else 1) if share.fleet == "baseline" else 0) for share in split.shares},
    )
    names = {share.target_group for share in shares if share.weight or not total}
    groups = [group for group in traffic.groups if group.target_group in names]
    if not groups or any(group.targets is None for group in groups):
        return RollbackReadiness("unknown", "health_unread", None, None, command=command)
    healthy = sum(group.healthy for group in groups)
    registered = sum(len(group.targets or ()) for group in groups)
    if not healthy:
        return RollbackReadiness("impossible", "no_healthy", 0, registered, command=command)
    if any(share.fleet is None for share in split.weighted_shares):
        return RollbackReadiness(
            "unknown", "other_groups", healthy, registered, max_load=load.max_load, command=command
        )
    if "canary" not in split.fleets:
        return RollbackReadiness(
            "ready", "all_on_baseline", healthy, registered, _per_target(load.baseline, healthy), max_load=load.max_load
        )
    if load.baseline is None and load.canary is None:
        return RollbackReadiness(
            "unknown", "requests_unread", healthy, registered, max_load=load.max_load, command=command
        )
    then = ((load.baseline or 0.0) + (load.canary or 0.0)) / healthy
    verdict: RollbackVerdict = "unknown"
    reason: RollbackReason = "no_history"
    if load.max_load is not None:
        carried = then <= load.max_load
        verdict, reason = ("ready", "carried_before") if carried else ("unproven", "never_carried")
    return RollbackReadiness(
        verdict, reason, healthy, registered, _per_target(load.baseline, healthy), then, load.max_load, command
    )


def peak_per_target(requests_per_minute: npt.NDArray[np.float64], healthy: npt.NDArray[np.float64]) -> float | None:
    """The most requests a minute that one healthy target carried, over arrays of equal length; NaN and stretches without a healthy target aside."""
    with np.errstate(invalid="ignore", divide="ignore"):
        each = requests_per_minute / healthy
    each = each[np.isfinite(each)]
    return float(each.max()) if len(each) else None


def _per_target(requests: float | None, targets: int) -> float | None:
    return None if requests is None else requests / targets
