"""Rollback readiness: could the baseline take all of the traffic back now, judged by the highest load its targets have carried?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analysis.deployments.aws_commands import set_weights_command
from analysis.series.grid import BoolArray, FloatArray, IntArray, TimeGrid, nan_ratio
from domain import Group, Rule, Share, Traffic
from domain.window import HOUR_S, MINUTE_S

RollbackVerdict = Literal["ready", "unproven", "impossible", "unknown"]
RollbackReason = Literal[
    "all_on_baseline",
    "carried_before",  # each target has had at least the expected load
    "never_carried",  # … not within the recorded history
    "no_history",
    "no_healthy",  # no target is healthy
    "empty_group",  # a baseline group would get traffic and has no healthy target
    "not_in_rule",  # the rule has no target group of the baseline
    "other_groups",  # some traffic goes to a target group of neither fleet, whose requests are not counted
    "health_unread",
    "requests_unread",
]


MIN_PEAK_MINUTES = (
    15  # a peak is the mean of an hour; of a partly known hour at least as long as the load that it is compared with
)
MIN_LOST_REQUESTS = 10  # if so many are expected and none comes, it is not chance (p < 0.0001)


@dataclass(frozen=True, slots=True)
class FleetLoad:
    """Requests per minute, None if unknown: of the `baseline` at the current weights, of both fleets in `total`, and `max_load`, the most that
    one healthy baseline target has carried."""

    baseline: float | None
    total: float | None
    max_load: float | None


@dataclass(frozen=True, slots=True)
class RollbackReadiness:
    """Whether the baseline could take 100 %. Loads are requests per minute and healthy target: current, expected with all traffic, and the maximum
    so far. `command`: the AWS CLI commands for the rollback, one for each rule that names both fleets, a line between them; "" if unknown or not needed.
    `of_deployment`: it rolls back a running deployment instead, which would set the weights again.
    `unchanged_rules`: those that still send requests to the canary after the command. `empty_groups`: the target groups (names) of the baseline
    that would get traffic and have no healthy target."""

    verdict: RollbackVerdict
    reason: RollbackReason
    healthy: int | None
    registered: int | None
    current_load: float | None = None
    expected_load: float | None = None
    max_load: float | None = None
    command: str = ""
    of_deployment: bool = False
    unchanged_rules: tuple[Rule, ...] = ()
    empty_groups: tuple[str, ...] = ()


def rollback_readiness(traffic: Traffic, load: FleetLoad) -> RollbackReadiness | None:
    """Readiness by the healthy targets of the baseline's groups in the splitting rule. None if there is no such rule.

    The criterion is a load that was carried before, not a guessed threshold. It compares the last quarter of an hour with hourly means, whose
    peaks were higher still.
    """
    split = traffic.split
    if split is None:
        return None
    shares = [share for share in split.shares if share.fleet == "baseline"]
    if not shares:
        return RollbackReadiness("unknown", "not_in_rule", None, None)
    groups = {group.arn: group for group in traffic.groups}
    command, unchanged_rules = _rollback_commands(traffic, split, groups)
    weights = _rollback_weights(shares, groups)
    serving = {share.target_group: groups.get(share.arn) for share in shares if weights[share.arn]}
    read = [group for group in serving.values() if group and group.targets is not None]
    healthy, registered = sum(group.healthy for group in read), sum(len(group.targets or ()) for group in read)
    empty = tuple(group.target_group for group in read if not group.healthy)
    readiness = RollbackReadiness(
        "unknown", "health_unread", None, None, command=command, unchanged_rules=unchanged_rules
    )
    if len(read) == len(serving):
        readiness = replace(readiness, healthy=healthy, registered=registered)
        if not healthy:
            return replace(readiness, verdict="impossible", reason="no_healthy")
    if empty:
        return replace(readiness, verdict="impossible", reason="empty_group", empty_groups=empty)
    if len(read) < len(serving):
        return readiness
    on_canary = "canary" in split.fleets or bool(_other_rules_on_canary(traffic))
    return _judge_load(replace(readiness, max_load=load.max_load), split, load, healthy, on_canary=on_canary)


def _judge_load(
    readiness: RollbackReadiness, split: Rule, load: FleetLoad, healthy: int, *, on_canary: bool
) -> RollbackReadiness:
    """`on_canary`: a rule that names both fleets sends requests to the canary."""
    if any(share.fleet is None for share in split.weighted_shares):
        return replace(readiness, reason="other_groups")
    current_load = None if load.baseline is None else load.baseline / healthy
    if not on_canary:
        return replace(readiness, verdict="ready", reason="all_on_baseline", current_load=current_load, command="")
    if load.total is None:
        return replace(readiness, reason="requests_unread", current_load=current_load)
    expected_load = load.total / healthy
    readiness = replace(readiness, current_load=current_load, expected_load=expected_load)
    if load.max_load is None:
        return replace(readiness, reason="no_history")
    if expected_load <= load.max_load:
        return replace(readiness, verdict="ready", reason="carried_before")
    return replace(readiness, verdict="unproven", reason="never_carried")


def _rollback_commands(traffic: Traffic, split: Rule, groups: Mapping[str, Group]) -> tuple[str, tuple[Rule, ...]]:
    """The commands of the split and of `_other_rules_on_canary`, and the rules that keep sending requests to the canary.

    No commands if the split's is unknown.
    """
    rules = (split, *_other_rules_on_canary(traffic))
    command_of = {rule.arn: command for rule in rules if (command := _rollback_command(rule, groups))}
    unchanged = tuple(
        rule for rule in traffic.reachable_rules if "canary" in rule.fleets and rule.arn not in command_of
    )
    return "\n\n".join(command_of.values()) if split.arn in command_of else "", unchanged


def _other_rules_on_canary(traffic: Traffic) -> tuple[Rule, ...]:
    """The rules beside the split, header rules excepted, that send requests to the canary and name a target group of the baseline."""
    header_rules = traffic.header_rules
    return tuple(
        rule
        for rule in traffic.reachable_rules
        if rule.arn != traffic.split_arn
        and "canary" in rule.fleets
        and any(share.fleet == "baseline" for share in rule.shares)
        and rule not in header_rules
    )


def _rollback_command(rule: Rule, groups: Mapping[str, Group]) -> str:
    """Sets the weights of all target groups but the baseline's to 0."""
    weights = _rollback_weights([share for share in rule.shares if share.fleet == "baseline"], groups)
    return set_weights_command(rule, {share.arn: weights.get(share.arn, 0) for share in rule.shares})


def _rollback_weights(baseline: Sequence[Share], groups: Mapping[str, Group]) -> dict[str, int]:
    """The baseline's weights after the rollback, by ARN: the current ones, or if all are 0, 1 for each group that has a healthy target (or all)."""
    kept = {share.arn: share.weight for share in baseline}
    if any(kept.values()):
        return kept
    usable = {arn for arn in kept if (group := groups.get(arn)) and group.healthy} or set(kept)
    return {arn: int(arn in usable) for arn in kept}


def recent_load(
    grid: TimeGrid, known: BoolArray, *, weights_since: int, canary_share: float | None
) -> tuple[float | None, float | None]:
    """Requests per minute of the baseline since `weights_since` (epoch seconds), and of both fleets in the whole grid; None if unknown.

    `known`: the periods in which the source answered for all target groups: a fleet without a value had no requests. A canary with a share that
    has none any more fails its requests, which the load balancer counts for no group: they are estimated by its share.
    """
    known = known & ~((grid.ts < weights_since) & (grid.ts + grid.lengths_s > weights_since))
    current = known & (grid.ts >= weights_since)
    baseline, canary = (np.nan_to_num(grid.fleets[fleet].requests) for fleet in ("baseline", "canary"))
    minutes = grid.lengths_s / MINUTE_S
    if not (baseline + canary)[known].sum():
        return None, None
    served = np.flatnonzero((canary > 0) | (grid.ts < weights_since))
    silent = current & (np.arange(len(grid.ts)) > served.max(initial=-1))
    lost = baseline[silent].sum() * canary_share / (1 - canary_share) if canary_share and canary_share < 1 else 0.0
    requests = (baseline + canary)[known].sum() + (lost if lost >= MIN_LOST_REQUESTS else 0.0)
    from_load = float(baseline[current].sum() / minutes[current].sum()) if current.any() else None
    return from_load, float(requests / minutes[known].sum())


def peak_per_target(ts: IntArray, requests: FloatArray, healthy: FloatArray, known_minutes: FloatArray) -> float | None:
    """The highest requests per minute and healthy target in an hour; None if unknown.

    The arrays have one value per bucket from `ts` (epoch seconds) on, of at most an hour: the requests, the healthy targets (NaN if unknown), and
    the minutes in which both are known. Hours of which less than MIN_PEAK_MINUTES are known do not count: a burst proves nothing.
    """
    usable = (known_minutes > 0) & np.isfinite(healthy)
    hours, index = np.unique(ts // HOUR_S, return_inverse=True)

    def per_hour(values: FloatArray) -> FloatArray:
        return np.bincount(index, np.where(usable, np.nan_to_num(values), 0.0), minlength=len(hours)).astype(np.float64)

    minutes = per_hour(known_minutes)
    load = nan_ratio(per_hour(requests), per_hour(healthy * known_minutes))[minutes >= MIN_PEAK_MINUTES]
    return float(np.nanmax(load)) if np.isfinite(load).any() else None
