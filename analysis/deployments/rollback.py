"""Rollback readiness: could the baseline take all of the traffic back now, judged by the highest load its targets have carried?"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analysis.deployments.aws_commands import set_weights_command
from analysis.series.grid import FloatArray, nan_ratio
from domain import Rule, Traffic

RollbackVerdict = Literal["ready", "unproven", "impossible", "unknown"]
RollbackReason = Literal[
    "all_on_baseline",
    "carried_before",  # each target has had at least the expected load
    "never_carried",  # … not within the recorded history
    "no_history",
    "no_healthy",  # no target is healthy
    "not_in_rule",  # the rule has no target group of the baseline
    "other_groups",  # some traffic goes to a target group of neither fleet, whose requests are not counted
    "health_unread",
    "requests_unread",
]


@dataclass(frozen=True, slots=True)
class FleetLoad:
    """Recent requests per minute of each fleet, and `max_load`: the most that one healthy baseline target has carried; None if unknown."""

    baseline: float | None
    canary: float | None
    max_load: float | None


@dataclass(frozen=True, slots=True)
class RollbackReadiness:
    """Whether the baseline could take 100 %. Loads are requests per minute and healthy target: current, expected with all traffic, and the maximum
    so far. `command`: the AWS CLI commands for the rollback, one for each rule that names both fleets, a line between them; "" if unknown or not needed.
    `unchanged_rules`: those that still send requests to the canary after the command."""

    verdict: RollbackVerdict
    reason: RollbackReason
    healthy: int | None
    registered: int | None
    current_load: float | None = None
    expected_load: float | None = None
    max_load: float | None = None
    command: str = ""
    unchanged_rules: tuple[Rule, ...] = ()


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
    command, unchanged_rules = _rollback_commands(traffic, split)
    readiness = RollbackReadiness(
        "unknown", "health_unread", None, None, command=command, unchanged_rules=unchanged_rules
    )
    weighted = [share for share in shares if share.weight] or shares
    names = {share.target_group for share in weighted}
    groups = [group for group in traffic.groups if group.target_group in names]
    if not groups or any(group.targets is None for group in groups):
        return readiness
    healthy = sum(group.healthy for group in groups)
    registered = sum(len(group.targets or ()) for group in groups)
    readiness = replace(readiness, healthy=healthy, registered=registered)
    if not healthy:
        return replace(readiness, verdict="impossible", reason="no_healthy")
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
    if load.baseline is None and load.canary is None:
        return replace(readiness, reason="requests_unread")
    expected_load = ((load.baseline or 0.0) + (load.canary or 0.0)) / healthy
    readiness = replace(readiness, current_load=current_load, expected_load=expected_load)
    if load.max_load is None:
        return replace(readiness, reason="no_history")
    if expected_load <= load.max_load:
        return replace(readiness, verdict="ready", reason="carried_before")
    return replace(readiness, verdict="unproven", reason="never_carried")


def _rollback_commands(traffic: Traffic, split: Rule) -> tuple[str, tuple[Rule, ...]]:
    """The commands of the split and of `_other_rules_on_canary`, and the rules that keep sending requests to the canary.

    No commands if the split's is unknown.
    """
    rules = (split, *_other_rules_on_canary(traffic))
    command_of = {rule.arn: command for rule in rules if (command := _rollback_command(rule))}
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


def _rollback_command(rule: Rule) -> str:
    """Keeps the baseline's weights (1 if they are all 0) and sets all others to 0."""
    kept = {share.arn: share.weight for share in rule.shares if share.fleet == "baseline"}
    if not any(kept.values()):
        kept = dict.fromkeys(kept, 1)
    return set_weights_command(rule, {share.arn: kept.get(share.arn, 0) for share in rule.shares})


def peak_per_target(requests_per_minute: FloatArray, healthy: FloatArray) -> float | None:
    """The highest requests per minute and healthy target, over arrays of equal length; None without a finite value."""
    load = nan_ratio(requests_per_minute, healthy)
    return float(np.nanmax(load)) if np.isfinite(load).any() else None
