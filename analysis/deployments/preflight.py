"""Preflight: would a blue/green deployment fail now, why, and which steps avoid that?"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from analysis.deployments.aws_commands import set_weights_command
from domain import FLEETS, FleetName, Rule, Traffic
from domain.deployments import Deployment, DeploymentState, DeploymentSystem, EcsService, TrafficRoute

CheckName = Literal["one_live", "primary_live", "baseline_silent", "partner_unused", "none_running"]
PreflightVerdict = Literal["ready", "blocked", "unknown"]
StepPurpose = Literal["route_off", "deploy", "route_back", "route_back_unchanged"]


@dataclass(frozen=True, slots=True)
class PreflightCheck:
    """One precondition; `passed` is None if unknown. `groups`: the target groups concerned."""

    name: CheckName
    passed: bool | None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunbookStep:
    """One shell command of the runbook; "" if it cannot be given in full."""

    purpose: StepPurpose
    command: str


@dataclass(frozen=True, slots=True)
class Preflight:
    """Whether a blue/green deployment of `fleet` would succeed now. `rules`: those whose traffic it would shift.

    `steps`: how to deploy despite failed checks, in order; `interim_fleet` then serves all of the traffic.
    """

    fleet: FleetName
    system: DeploymentSystem
    verdict: PreflightVerdict
    rules: tuple[Rule, ...]
    checks: tuple[PreflightCheck, ...]
    steps: tuple[RunbookStep, ...] = ()
    interim_fleet: FleetName | None = None


MAX_LIST_AGE_S = 300  # deployments are read every minute; a deployment may have started since an older list


def preflights(traffic: Traffic, deployments: DeploymentState | None, *, now: int) -> tuple[Preflight, ...]:
    """One for each fleet known to be deployed by blue/green, at `now` (epoch seconds). A rolling deployment does not touch the rules."""
    if deployments is None:
        return ()
    return tuple(preflight for fleet in FLEETS if (preflight := _preflight(traffic, deployments, fleet, now)))


def _preflight(traffic: Traffic, deployments: DeploymentState, fleet: FleetName, now: int) -> Preflight | None:
    """The preconditions: ECS requires exactly one weighted group in its production rule, that of the tasks in service (troubleshooting-blue-green).

    CodeDeploy requires the PRIMARY task set's group behind the listener (troubleshooting-ecs), and rewrites every rule that forwards to it. That
    it fails on a second weighted group is observed, not documented.
    """
    service, latest = deployments.service(fleet), deployments.latest(fleet)
    in_codedeploy = deployments.route(fleet) is not None or deployments.is_listed(fleet, since=0)
    system = _system(service, in_codedeploy=in_codedeploy)
    if system is None:
        return None
    if system == "ecs" and latest and latest.running:  # the weights are ECS's until it ends: nothing to set by hand
        return Preflight(fleet, system, "blocked", (), (PreflightCheck("none_running", False),))
    route = deployments.route(fleet) if system == "codedeploy" else service.route if service else None
    pair = (route.groups if route else ()) or tuple(
        group.target_group for group in traffic.groups if group.fleet == fleet
    )
    rules = _production_rules(traffic, system, route, pair)
    primary = serving_group(service, latest)
    checks = _checks(rules, pair, primary, fleet)
    needs_steps = any(check.passed is False for check in checks)
    if system == "codedeploy":
        checks = (
            *checks,
            PreflightCheck("none_running", _none_running(deployments, fleet, since=now - MAX_LIST_AGE_S)),
        )
    passed = [check.passed for check in checks]
    verdict: PreflightVerdict = "blocked" if False in passed else "unknown" if None in passed else "ready"
    preflight = Preflight(fleet, system, verdict, rules, checks)
    return _with_steps(preflight, traffic, pair, primary) if needs_steps and primary else preflight


def _none_running(deployments: DeploymentState, fleet: FleetName, *, since: int) -> bool | None:
    """Whether no deployment of CodeDeploy is running; None if it was not read at `since` (epoch seconds) or later."""
    latest, is_listed = deployments.latest(fleet), deployments.is_listed(fleet, since=since)
    if latest and latest.running:
        return False if is_listed or deployments.asked_at >= since else None
    return True if is_listed else None


def _production_rules(
    traffic: Traffic, system: DeploymentSystem, route: TrafficRoute | None, pair: tuple[str, ...]
) -> tuple[Rule, ...]:
    """The rules whose traffic a deployment shifts: that of the ECS service, or those of CodeDeploy's listener that forward to the pair."""
    if system == "ecs":
        return tuple(rule for rule in traffic.rules if route and rule.arn == route.rule_arn)
    listener = (route.listener_arn if route else "") or (traffic.split.listener_arn if traffic.split else "")
    return tuple(
        rule
        for rule in traffic.rules
        if rule.listener_arn == listener and {share.target_group for share in rule.weighted_shares} & set(pair)
    )


def serving_group(service: EcsService | None, latest: Deployment | None) -> str:
    """The target group of the tasks in service: that of the PRIMARY task set, or of the revision that ECS's newest deployment kept; "" if unknown."""
    if service and service.primary:
        return service.primary.target_group
    if latest is None or latest.system != "ecs":
        return ""
    role = "target" if latest.outcome == "succeeded" else "source"
    return next((task_set.target_group for task_set in latest.task_sets if task_set.status == role), "")


def _system(service: EcsService | None, *, in_codedeploy: bool) -> DeploymentSystem | None:
    if service is None:
        return "codedeploy" if in_codedeploy else None
    if service.strategy == "codedeploy":
        return "codedeploy"
    return "ecs" if service.strategy in ("blue_green", "linear", "canary") else None


def _checks(
    rules: tuple[Rule, ...], pair: tuple[str, ...], primary: str, fleet: FleetName
) -> tuple[PreflightCheck, ...]:
    weighted = [tuple(share.target_group for share in rule.weighted_shares) for rule in rules]
    shared = _unique(group for groups in weighted if len(groups) > 1 for group in groups)
    others = _unique(share.target_group for rule in rules for share in rule.weighted_shares if share.fleet != fleet)
    partners = _unique(
        group for groups in weighted for group in groups if primary and group in pair and group != primary
    )
    primary_weighted = all(primary in groups for groups in weighted) and bool(weighted) if primary else None
    return (
        PreflightCheck("one_live", not shared if weighted else None, shared),
        PreflightCheck("primary_live", primary_weighted, (primary,) if primary else ()),
        PreflightCheck("baseline_silent", not others if weighted else None, others),
        PreflightCheck("partner_unused", not partners if primary and weighted else None, partners),
    )


def _with_steps(preflight: Preflight, traffic: Traffic, pair: tuple[str, ...], primary: str) -> Preflight:
    """Adds the runbook: move all the weight of each shared rule to one fleet, deploy, and restore the current weights.

    The interim fleet is the other one if CodeDeploy's PRIMARY group has a rule of its own and so stays behind the listener; else the deployed
    one, by its PRIMARY group. After a successful deployment the partner group is in service: it gets the primary's weight.
    """
    shared = [rule for rule in preflight.rules if len(rule.weighted_shares) > 1]
    if not preflight.rules and traffic.split:
        shared = [traffic.split]  # nothing forwards to the tasks in service
    own_rule = any(
        tuple(share.target_group for share in rule.weighted_shares) == (primary,) for rule in preflight.rules
    )
    use_other_fleet = preflight.system == "codedeploy" and own_rule
    interim_fleet: FleetName = preflight.fleet
    if use_other_fleet:
        interim_fleet = "baseline" if preflight.fleet == "canary" else "canary"
    if not shared:
        return replace(preflight, interim_fleet=interim_fleet)
    partner = next((group for group in pair if group != primary), "")
    off = [
        set_weights_command(
            rule, _weights_off(preflight.system, rule, primary, interim_fleet if use_other_fleet else None)
        )
        for rule in shared
    ]
    swapped = [_swapped_weights(rule, traffic, primary, partner) for rule in shared]
    back = [set_weights_command(rule, weights) for rule, weights in zip(shared, swapped, strict=True)]
    unchanged = [set_weights_command(rule, {share.arn: share.weight for share in rule.shares}) for rule in shared]
    steps = (
        RunbookStep("route_off", _script(off)),
        RunbookStep("deploy", "ecspresso deploy"),
        *([RunbookStep("route_back", _script(back))] if all(swapped) else ()),
        RunbookStep("route_back_unchanged", _script(unchanged)),
    )
    return replace(preflight, steps=steps, interim_fleet=interim_fleet)


def _weights_off(system: DeploymentSystem, rule: Rule, primary: str, interim_fleet: FleetName | None) -> dict[str, int]:
    """Weights (by ARN) with `interim_fleet` alone, or the primary group if None.

    CodeDeploy's rule then has no other group, which it might rewrite; ECS's rule keeps its other group at 0, as ECS requires.
    """
    kept = {
        share.arn: share.weight or 1
        for share in rule.shares
        if (share.fleet == interim_fleet if interim_fleet else share.target_group == primary)
    }
    return kept if system == "codedeploy" else {share.arn: kept.get(share.arn, 0) for share in rule.shares}


def _swapped_weights(rule: Rule, traffic: Traffic, primary: str, partner: str) -> dict[str, int]:
    """The current weights (by ARN) with partner and primary group swapped; empty if an ARN is unknown."""
    arns = {group.target_group: group.arn for group in traffic.groups}
    arns |= {share.target_group: share.arn for share in rule.shares}
    if partner not in arns or primary not in arns:
        return {}
    current = {share.arn: share.weight for share in rule.shares}
    weight = current.get(arns[primary], 0)
    return {**current, arns[primary]: current.get(arns[partner], 0), arns[partner]: weight}


def _script(commands: list[str]) -> str:
    """The commands, one after the other; "" if one is unknown."""
    return "\n".join(commands) if all(commands) else ""


def _unique(groups: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(groups))
