"""Preflight: would a blue/green deployment fail now, why, and by which steps would it succeed?"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from analysis.deployments.aws_commands import set_weights_command
from domain import FLEETS, FleetName, Rule, Traffic
from domain.deployments import Deployment, DeploymentState, DeploymentSystem, EcsService

CheckName = Literal["one_live", "primary_live", "baseline_silent", "partner_unused", "none_running"]
PreflightVerdict = Literal["ready", "blocked", "unknown"]
StepPurpose = Literal["route_off", "deploy", "route_back", "route_back_unchanged"]


@dataclass(frozen=True, slots=True)
class PreflightCheck:
    """One thing that must hold; None: it cannot be told. `groups` are the target groups that it is about."""

    name: CheckName
    passed: bool | None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunbookStep:
    """One command of the way through a deployment. `text` is what a person would copy, "" where it cannot be told whole."""

    purpose: StepPurpose
    command: str


@dataclass(frozen=True, slots=True)
class Preflight:
    """Whether a blue/green deployment of `fleet` would go through now. `rules` are those whose traffic it would shift.

    `steps` is the way round what blocks it, in order; empty where nothing does. `meanwhile` is the side that then serves everybody.
    """

    fleet: FleetName
    system: DeploymentSystem
    verdict: PreflightVerdict
    rules: tuple[Rule, ...]
    checks: tuple[PreflightCheck, ...]
    steps: tuple[RunbookStep, ...] = ()
    interim_fleet: FleetName | None = None


def preflights(traffic: Traffic, deployments: DeploymentState | None) -> tuple[Preflight, ...]:
    """One for each fleet that is deployed by blue/green, as far as that is known. A rolling deployment does not touch the rules."""
    if deployments is None:
        return ()
    return tuple(found for fleet in FLEETS if (found := _preflight(traffic, deployments, fleet)))


def _preflight(traffic: Traffic, deployments: DeploymentState, fleet: FleetName) -> Preflight | None:
    """The rules: ECS wants exactly one group with weight in its production rule, that of the tasks in service (troubleshooting-blue-green).

    CodeDeploy wants the PRIMARY task set's group behind the listener (troubleshooting-ecs), and rewrites every rule that forwards to it; that it
    fails on a second group with weight is known from the field, not from its documentation.
    """
    service, latest = deployments.service(fleet), deployments.latest(fleet)
    system = _system(service, has_route=deployments.route(fleet) is not None)
    if system is None:
        return None
    route = deployments.route(fleet) if system == "codedeploy" else service.route if service else None
    pair = (route.groups if route else ()) or tuple(
        group.target_group for group in traffic.groups if group.fleet == fleet
    )
    listener = (route.listener_arn if route else "") or (traffic.split.listener_arn if traffic.split else "")
    if system == "ecs":
        rules = tuple(rule for rule in traffic.rules if route and rule.arn == route.rule_arn)
    else:
        mine = (rule for rule in traffic.rules if rule.listener_arn == listener)
        rules = tuple(rule for rule in mine if {share.target_group for share in rule.weighted_shares} & set(pair))
    primary = serving_group(service, latest)
    findings = (
        *_checks(rules, pair, primary, fleet),
        *([PreflightCheck("none_running", not (latest and latest.running))] if system == "codedeploy" else ()),
    )
    held = [finding.passed for finding in findings]
    verdict: PreflightVerdict = "blocked" if False in held else "unknown" if None in held else "ready"
    made = Preflight(fleet, system, verdict, rules, findings)
    about_rules = any(finding.passed is False and finding.name != "none_running" for finding in findings)
    return _with_steps(made, traffic, pair, primary) if about_rules and primary else made


def serving_group(service: EcsService | None, latest: Deployment | None) -> str:
    """The target group of the tasks in service: the PRIMARY task set's, or that of the revision that ECS's newest deployment left; "" if unknown."""
    if service and service.primary:
        return service.primary.target_group
    if latest is None or latest.system != "ecs":
        return ""
    role = "target" if latest.outcome == "succeeded" else "source"
    return next((one.target_group for one in latest.task_sets if one.status == role), "")


def _system(service: EcsService | None, *, has_route: bool) -> DeploymentSystem | None:
    if service is None:
        return "codedeploy" if has_route else None
    if service.strategy == "codedeploy":
        return "codedeploy"
    return "ecs" if service.strategy in ("blue_green", "linear", "canary") else None


def _checks(
    rules: tuple[Rule, ...], pair: tuple[str, ...], primary: str, fleet: FleetName
) -> tuple[PreflightCheck, ...]:
    live = [tuple(share.target_group for share in rule.weighted_shares) for rule in rules]
    crowded = [groups for groups in live if len(groups) > 1]
    strangers = _unique(share.target_group for rule in rules for share in rule.weighted_shares if share.fleet != fleet)
    partners = _unique(group for groups in live for group in groups if primary and group in pair and group != primary)
    behind = all(primary in groups for groups in live) and bool(live) if primary else None
    return (
        PreflightCheck(
            "one_live", not crowded if live else None, _unique(group for groups in crowded for group in groups)
        ),
        PreflightCheck("primary_live", behind, (primary,) if primary else ()),
        PreflightCheck("baseline_silent", not strangers if live else None, strangers),
        PreflightCheck("partner_unused", not partners if primary and live else None, partners),
    )


def _with_steps(preflight: Preflight, traffic: Traffic, pair: tuple[str, ...], primary: str) -> Preflight:
    """The way round: all the weight of each crowded rule on one side, the deployment, and the weights of now again.

    Which side: the other fleet, where CodeDeploy's PRIMARY group has a rule of its own and so stays behind the listener; else the PRIMARY group,
    as both want it. A deployment that succeeds leaves the partner group in service: the weights go back to that one.
    """
    crowded = [rule for rule in preflight.rules if len(rule.weighted_shares) > 1]
    if not preflight.rules and traffic.split:
        crowded = [traffic.split]  # nothing forwards to the tasks in service
    own_rule = any(
        tuple(share.target_group for share in rule.weighted_shares) == (primary,) for rule in preflight.rules
    )
    aside = preflight.system == "codedeploy" and own_rule
    meanwhile: FleetName = preflight.fleet
    if aside:
        meanwhile = "baseline" if preflight.fleet == "canary" else "canary"
    partner = next((group for group in pair if group != primary), "")
    off: list[str] = []
    back: list[str] = []
    same: list[str] = []
    for rule in crowded:
        now = {share.arn: share.weight for share in rule.shares}
        off.append(
            set_weights_command(rule, _weights_off(preflight.system, rule, primary, meanwhile if aside else None))
        )
        same.append(set_weights_command(rule, now))
        swapped = _swapped_weights(rule, traffic, primary, partner)
        back += [set_weights_command(rule, swapped)] if swapped else []
    steps = [RunbookStep("route_off", _script(off)), RunbookStep("deploy", "ecspresso deploy")]
    steps += [RunbookStep("route_back", _script(back))] if len(back) == len(crowded) else []
    steps.append(RunbookStep("route_back_unchanged", _script(same)))
    return Preflight(
        preflight.fleet,
        preflight.system,
        preflight.verdict,
        preflight.rules,
        preflight.checks,
        tuple(steps) if crowded else (),
        meanwhile,
    )


def _weights_off(system: DeploymentSystem, rule: Rule, primary: str, interim_fleet: FleetName | None) -> dict[str, int]:
    """The weights with one side alone. CodeDeploy's rule then names nothing else, which it might rewrite; ECS's own keeps its other group at 0,
    which must stay with the rule."""
    keeps = {
        share.arn: share.weight or 1
        for share in rule.shares
        if (share.fleet == interim_fleet if interim_fleet else share.target_group == primary)
    }
    return keeps if system == "codedeploy" else {share.arn: keeps.get(share.arn, 0) for share in rule.shares}


def _swapped_weights(rule: Rule, traffic: Traffic, primary: str, partner: str) -> dict[str, int]:
    """The weights of now with the partner group in the primary's place, by ARN; empty where the partner's ARN is not known."""
    arns = {group.target_group: group.arn for group in traffic.groups}
    arns |= {share.target_group: share.arn for share in rule.shares}
    if partner not in arns or primary not in arns:
        return {}
    now = {share.arn: share.weight for share in rule.shares}
    weight = now.get(arns[primary], 0)
    return {**now, arns[primary]: now.get(arns[partner], 0), arns[partner]: weight}


def _script(commands: list[str]) -> str:
    """All of them, one after the other; "" where one cannot be told."""
    return "\n".join(commands) if all(commands) else ""


def _unique(groups: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(groups))
