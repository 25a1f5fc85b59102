"""Messages for deployments: state of services, preflight of a blue/green deployment, rollback readiness."""

from collections.abc import Sequence

from analysis.deployments.health import DeploymentIssue
from analysis.deployments.preflight import Preflight, PreflightCheck, StepPurpose
from analysis.deployments.rollback import RollbackReadiness
from domain import FleetName, Migration
from domain.deployments import Deployment, EcsService, Outcome, Strategy
from messages import numbers, times
from messages.i18n import LazyText, _, comma_list, lazy, plural
from messages.traffic import rule_name

TITLE = lazy("Deployment")
TRAFFIC_SHIFT_TITLE = lazy("Traffic shift")
COMMAND_NOT_AVAILABLE = lazy(
    "This rule does more than forward (it signs visitors in, say), so the command cannot be printed whole: take its actions from "
    "`aws elbv2 describe-rules` and change the weights alone."
)
NEVER_RUN = lazy("This program runs none of these: copy what you mean to run.")
NOTHING_READ = lazy(
    "No service and no deployment was read. Name `ecs_service` and `codedeploy` under [fleets.canary]; what was refused stands below."
)
OUTCOMES: dict[Outcome, LazyText] = {
    "running": lazy("running"),
    "succeeded": lazy("succeeded"),
    "failed": lazy("failed"),
    "stopped": lazy("stopped"),
    "rolled_back": lazy("rolled back"),
}
PURPOSES: dict[StepPurpose, LazyText] = {
    "route_off": lazy("1. Weighted routing off"),
    "deploy": lazy("2. Deploy both sides (the other one by its own means)"),
    "route_back": lazy(
        "3. Routing back, if the deployment succeeded: the shares of now, with the new group in service"
    ),
    "route_back_unchanged": lazy("3. Routing back, if it was rolled back: exactly the weights of now"),
}


def counts(service: EcsService) -> str:
    return _("desired {desired} · running {running} · pending {pending}").format(
        desired=service.desired, running=service.running, pending=service.pending
    )


def task_definition(service: EcsService) -> str:
    if not service.task_definition:
        return _("task definition not known")
    if not service.previous_task_definition:
        return _("task definition {now}").format(now=service.task_definition)
    return _("task definition {now} (before {before})").format(
        now=service.task_definition, before=service.previous_task_definition
    )


def images(service: EcsService) -> str:
    """Names and tags of the images, without the registry."""
    return comma_list(image.rpartition("/")[2] for image in service.images)


def strategy(name: Strategy) -> str:
    return {
        "codedeploy": _("CodeDeploy blue/green"),
        "rolling": _("ECS rolling"),
        "blue_green": _("ECS blue/green"),
        "linear": _("ECS linear"),
        "canary": _("ECS canary"),
        "external": _("an external controller"),
    }[name]


def rollout(service: EcsService) -> str:
    """AWS's rollout state with its reason; "" if there is none or if it is complete."""
    if service.rollout in ("", "COMPLETED"):
        return ""
    return ": ".join(part for part in (service.rollout, service.rollout_reason) if part)


def latest(deployment: Deployment, *, age: str) -> str:
    """ "web:42 is being deployed: AllowTraffic, begun 5 min ago", "last deployment: web:42 succeeded 3d ago"."""
    if deployment.running:
        text = _("{what} is being deployed: {stage}, begun {age}")
    elif deployment.is_rollback:
        text = _("last deployment: back to {what}, {outcome} {age}")
    else:
        text = _("last deployment: {what} {outcome} {age}")
    return text.format(
        what=deployment.task_definition or deployment.id,
        stage=deployment.stage or deployment.status,
        outcome=OUTCOMES[deployment.outcome],
        age=age,
    )


def failure_reason(deployment: Deployment) -> str:
    """AWS's error and reason for a failed deployment, or ""."""
    return " · ".join(filter(None, (deployment.error, deployment.reason)))


def shift_part(group: str, definition: str, percent: float) -> str:
    return " ".join(filter(None, (group, definition, numbers.share(percent / 100))))


def deployment_issue(
    name: DeploymentIssue, service: EcsService | None, deployment: Deployment | None, *, stage_s: int
) -> str:
    """The issue and the next step."""
    values: dict[str, object] = {"duration": times.duration(stage_s)}
    if service:
        values |= {"status": service.status, "running": service.running, "desired": service.desired}
    if deployment:
        values |= {"what": deployment.task_definition or deployment.id, "why": failure_reason(deployment)}
        values |= {"hook": deployment.waits_for, "stage": deployment.stage}
    text = {
        "inactive": _("The service is {status}."),
        "rollout_failed": _("ECS gave the rollout up. Look at the service's messages below, and deploy again or back."),
        "failed": _("The deployment of {what} did not go through. {why}"),
        "waits": _(
            "The deployment of {what} waits for somebody: {hook}. Let it go on or stop it in the AWS console or with the tool that deployed."
        ),
        "stuck": _(
            "The deployment of {what} has been at {stage} for {duration}, longer than tasks take to come up. "
            "Look at the service's messages below, and at the new tasks' logs; `ecspresso rollback` takes it back."
        ),
        "short_of_tasks": _(
            "{running} of {desired} tasks run, and nothing is being deployed. Look at the service's messages below."
        ),
    }[name]
    return text.format(**values).strip()


def preflight(result: Preflight) -> str:
    """Whether a blue/green deployment would succeed now."""
    system = {"codedeploy": "CodeDeploy", "ecs": "ECS"}[result.system]
    if result.verdict == "ready":
        return _("A blue/green deployment by {by} could start now.").format(by=system)
    if result.verdict == "unknown":
        return _("Whether a blue/green deployment by {by} would go through now is not known.").format(by=system)
    failed = {check.name: check for check in result.checks if check.passed is False}
    if "one_live" in failed:  # its groups include those of "baseline_silent"
        failed.pop("baseline_silent", None)
    reasons = "; ".join(map(finding, failed.values()))
    return _("A blue/green deployment by {by} would fail now: {reasons}.").format(by=system, reasons=reasons)


def finding(check: PreflightCheck) -> str:
    """The result of a check: passed, failed or unknown."""
    passed, failed, unknown = {
        "one_live": (
            _("the production rule sends all of it to one target group"),
            _("{groups} carry weight in the production rule at once"),
            _("the production rule was not found"),
        ),
        "primary_live": (
            _("{groups}, where the tasks in service are, is behind it"),
            _("the production rule does not forward to {groups}, where the tasks in service are"),
            _("the target group in service is not known"),
        ),
        "baseline_silent": (
            _("no target group of the other side carries weight in it"),
            _("{groups} is not of this service"),
            _("the production rule was not found"),
        ),
        "partner_unused": (
            _("the target group for the new tasks carries no weight"),
            _("{groups}, meant for the new tasks, carries weight already"),
            _("the target group in service is not known"),
        ),
        "none_running": (
            _("no deployment is running"),
            _("another deployment is running"),
            _("whether a deployment runs is not known"),
        ),
    }[check.name]
    text = unknown if check.passed is None else passed if check.passed else failed
    return text.format(groups=_join(check.groups))


def basis(result: Preflight) -> str:
    """The reason for the preflight's verdict."""
    if result.system == "ecs":
        return _(
            "By AWS's documentation: ECS rolls back where its production rule has more than one group with weight."
        )
    return _(
        "CodeDeploy wants the PRIMARY task set's group behind the listener (AWS's documentation) and rewrites every rule that forwards to it; "
        "that it fails on a second group with weight is known from the field."
    )


def commands_intro(result: Preflight, migration: Migration) -> str:
    if result.interim_fleet is None:
        return ""
    label = migration.fleets[result.interim_fleet].label
    return _("In order, by a person. Meanwhile {label} serves everybody: make sure that it can carry that.").format(
        label=label
    )


def rollback_readiness(readiness: RollbackReadiness, migration: Migration) -> str:
    """Whether the baseline could serve all of the traffic now."""
    text = {
        "all_on_baseline": _("All of the traffic is on {label}; {healthy}."),
        "carried_before": _(
            "Rollback: {label} could take 100% back. {healthy}; each would go from {now} to {then}, and has carried {proven}, averaged over an hour."
        ),
        "never_carried": _(
            "Rollback: unproven that {label} can take 100% back. {healthy}; each would go from {now} to {then}; the highest average of an hour is {proven}."
        ),
        "no_history": _(
            "Rollback: not known whether {label} can take 100% back. {healthy}; each would go from {now} to {then}, and nothing is kept of what "
            "one has carried."
        ),
        "no_healthy": _("Rollback: {label} could not take any traffic back: {healthy}."),
        "empty_group": _(
            "Rollback: {label} could not take 100% back: {groups} would get traffic and has no healthy target."
        ),
        "not_in_rule": _("Rollback: not known, because the rule does not name a target group of {label}."),
        "other_groups": _(
            "Rollback: not known, because a target group of neither fleet carries weight, and its requests are not counted. {healthy}."
        ),
        "health_unread": _("Rollback: not known, because the health of {label}'s targets could not be read."),
        "requests_unread": _("Rollback: not known, because there are no requests to go by. {healthy}."),
    }[readiness.reason]
    return text.format(
        label=migration.fleets.baseline.label,
        healthy=_healthy_targets(readiness),
        now=numbers.per_minute(readiness.current_load),
        then=numbers.per_minute(readiness.expected_load),
        proven=numbers.per_minute(readiness.max_load),
        groups=_join(readiness.empty_groups),
    )


def _healthy_targets(readiness: RollbackReadiness) -> str:
    if readiness.healthy is None or readiness.registered is None:
        return ""
    return plural(
        "{healthy} of {all} target is healthy",
        "{healthy} of {all} targets are healthy",
        readiness.registered,
        healthy=readiness.healthy,
        all=readiness.registered,
    )


def rollback_command_title(readiness: RollbackReadiness, migration: Migration) -> str:
    """What the command does, and whose requests it leaves on the canary."""
    title = _("Take 100% back to {label}").format(label=migration.fleets.baseline.label)
    if not readiness.unchanged_rules:
        return title
    return _("{title}, except the requests of {rules}, which stay on {canary}").format(
        title=title,
        rules=comma_list(map(rule_name, readiness.unchanged_rules)),
        canary=migration.fleets.canary.label,
    )


def messages_title(service: EcsService) -> str:
    return _("Newest messages of {service}").format(service=service.name)


def stages_title(deployment: Deployment) -> str:
    return _("Stages of {what}").format(what=deployment.task_definition or deployment.id)


def state_unknown(fleet: FleetName, migration: Migration) -> str:
    return _("How {label} is deployed is not known yet: see Sources below.").format(label=migration.fleets[fleet].label)


def read_age(age: str) -> str:
    return _("read {age}").format(age=age)


def _join(groups: Sequence[str]) -> str:
    if len(groups) < 2:
        return "".join(groups)
    return _("{groups} and {last}").format(groups=comma_list(groups[:-1]), last=groups[-1])
