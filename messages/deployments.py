"""Messages for deployments: state of services, preflight of a blue/green deployment, rollback readiness."""

from collections.abc import Sequence
from datetime import datetime

from analysis.deployments.health import DeploymentIssue
from analysis.deployments.preflight import Preflight, PreflightCheck, StepPurpose
from analysis.deployments.rollback import RollbackReadiness
from analysis.deployments.waits import WaitEnd, WaitingDeployment
from domain import FleetName, Migration
from domain.deployments import Deployment, EcsService, Outcome, Strategy, Wait
from messages import numbers, times
from messages.i18n import LazyText, _, comma_list, lazy
from messages.traffic import rule_name

TITLE = lazy("Deployment")
TRAFFIC_SHIFT_TITLE = lazy("Traffic shift")
COMMAND_NOT_AVAILABLE = lazy(
    "This rule has actions besides forward (authentication, for example): take them from `aws elbv2 describe-rules` and change only the weights."
)
NEVER_RUN = lazy("Read-only: commands are never executed. Copy to run.")
NOTHING_READ = lazy(
    "No service and no deployment was read. Set `ecs_service` and `codedeploy` under [fleets.canary]; denied permissions are listed below."
)
OUTCOMES: dict[Outcome, LazyText] = {
    "running": lazy("running"),
    "succeeded": lazy("succeeded"),
    "failed": lazy("failed"),
    "stopped": lazy("stopped"),
    "rolled_back": lazy("rolled back"),
}
PURPOSES: dict[StepPurpose, LazyText] = {
    "route_off": lazy("1. Route 100% to the other fleet"),
    "deploy": lazy("2. Deploy (and the other fleet with its own tooling)"),
    "route_back": lazy("3a. If it succeeded: restore the split to the new group"),
    "route_back_unchanged": lazy("3b. If it rolled back: restore current weights"),
}
WAIT_ENDS: dict[WaitEnd, LazyText] = {
    "continue": lazy("Continue the deployment"),
    "roll_back": lazy("Roll the deployment back"),
    "terminate": lazy("Terminate the old tasks now"),
}
END_WAIT = lazy("Continue or roll back…")
KEEP_ACTION = lazy(
    "Keep `--action`: without it, the command continues the deployment. The same with ecspresso v3: `ecspresso continue`, `ecspresso rollback`."
)


def counts(service: EcsService) -> str:
    return _("desired {desired} · running {running} · pending {pending}").format(
        desired=service.desired, running=service.running, pending=service.pending
    )


def task_definition(service: EcsService) -> str:
    if not service.task_definition:
        return _("task definition unknown")
    if not service.previous_task_definition:
        return _("task definition {now}").format(now=service.task_definition)
    return _("task definition {now} (previous {before})").format(
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
        "external": _("external controller"),
    }[name]


def rollout(service: EcsService) -> str:
    """AWS's rollout state with its reason; "" if there is none or if it is complete."""
    if service.rollout in ("", "COMPLETED"):
        return ""
    return ": ".join(part for part in (service.rollout, service.rollout_reason) if part)


def latest(deployment: Deployment, *, age: str) -> str:
    """ "web:42 is being deployed: AllowTraffic, begun 5 min ago", "last deployment: web:42 succeeded 3d ago"."""
    if deployment.running:
        text = _("Deploying {what}: {stage}, started {age}")
    elif deployment.is_rollback:
        text = _("last deployment: rollback to {what}, {outcome} {age}")
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
    """The issue and the next step. Not of "waits": `waiting` has those."""
    values: dict[str, object] = {"duration": times.duration(stage_s)}
    if service:
        values |= {"status": service.status, "running": service.running, "desired": service.desired}
    if deployment:
        values |= {"what": deployment.task_definition or deployment.id, "why": failure_reason(deployment)}
        values |= {"stage": deployment.stage}
    text = {
        "inactive": _("Service status: {status}."),
        "rollout_failed": _("ECS rollout failed. Check the service events below, then redeploy or roll back."),
        "failed": _("Deployment of {what} failed. {why}"),
        "stuck": _(
            "Deployment of {what} has been at {stage} for {duration}, longer than tasks need to start. Check the service events below and the new tasks' "
            "logs; `ecspresso rollback` reverts it."
        ),
        "short_of_tasks": _(
            "{running} of {desired} tasks running, no deployment in progress. Check the service events below."
        ),
    }[name]
    return text.format(**values).strip()


def waiting(item: WaitingDeployment, migration: Migration, *, now: datetime) -> str:
    """What the deployment waits for, how long it still does, and what happens then."""
    return f"{_waits_for(item)} {_countdown(item.wait, migration, now=now)}"


def wait_in_short(wait: Wait, migration: Migration, *, now: datetime) -> str:
    """How long it waits and what happens then, for a table."""
    countdown = _countdown(wait, migration, now=now)
    return (
        countdown if wait.id == "TERMINATION_WAIT" else _("Waits for approval. {countdown}").format(countdown=countdown)
    )


def waited(item: WaitingDeployment, since: datetime, until: datetime, migration: Migration, *, now: datetime) -> str:
    """A wait of the past, with the time in which it was read."""
    return f"{times.span(since, until, migration.zone, now=now)}: {_waits_for(item)}"


def _waits_for(item: WaitingDeployment) -> str:
    text = {
        "READY_WAIT": _("Deployment of {what} waits for approval before it shifts the traffic (READY_WAIT)."),
        "TERMINATION_WAIT": _("Deployment of {what} waits before it terminates the old tasks (TERMINATION_WAIT)."),
    }.get(item.wait.id, _("Deployment of {what} waits at {stage} for approval (hook {hook})."))
    deployment = item.deployment
    return text.format(
        what=deployment.task_definition or deployment.id,
        stage=deployment.stage or deployment.status,
        hook=item.wait.id or "PAUSE",
    )


def _countdown(wait: Wait, migration: Migration, *, now: datetime) -> str:
    if wait.expires_at is None:
        return str(_("Its time-out is unknown."))
    left_s = wait.expires_at - now.timestamp()
    if left_s <= 0:
        text = _("Its time-out was at {clock}.")
    else:
        text = {
            "continue": _("{left} left: it continues at {clock} without an answer."),
            "roll_back": _("{left} left: ECS rolls it back at {clock}."),
            "stop": _("{left} left: CodeDeploy stops it at {clock}."),
            "terminate": _("{left} left: the old tasks are terminated at {clock}."),
            "": _("{left} left, until {clock}; what happens then is unknown."),
        }[wait.on_timeout]
    clock = times.clock_of(wait.expires_at, migration.zone, now=now)
    return text.format(left=times.duration(left_s), clock=clock)


def preflight(result: Preflight) -> str:
    """Whether a blue/green deployment would succeed now."""
    system = {"codedeploy": "CodeDeploy", "ecs": "ECS"}[result.system]
    if result.verdict == "ready":
        return _("{by} blue/green deployment possible.").format(by=system)
    if result.verdict == "unknown":
        return _("{by} blue/green deployment: unknown whether possible.").format(by=system)
    failed = {check.name: check for check in result.checks if check.passed is False}
    if "one_live" in failed:  # its groups include those of "baseline_silent"
        failed.pop("baseline_silent", None)
    reasons = "; ".join(map(finding, failed.values()))
    return _("{by} blue/green is blocked: {reasons}.").format(by=system, reasons=reasons)


def finding(check: PreflightCheck) -> str:
    """The result of a check: passed, failed or unknown."""
    passed, failed, unknown = {
        "one_live": (
            _("the production rule routes 100% to one target group"),
            _("{groups} are both weighted in the production rule"),
            _("the production rule was not found"),
        ),
        "primary_live": (
            _("the target group in service ({groups}) is behind it"),
            _("the production rule does not forward to the target group in service ({groups})"),
            _("the target group in service is unknown"),
        ),
        "baseline_silent": (
            _("no target group of the other fleet has weight in it"),
            _("{groups} does not belong to this service"),
            _("the production rule was not found"),
        ),
        "partner_unused": (
            _("the target group for the new tasks has no weight"),
            _("the target group for the new tasks ({groups}) already has weight"),
            _("the target group in service is unknown"),
        ),
        "none_running": (
            _("no deployment in progress"),
            _("another deployment is in progress"),
            _("unknown whether a deployment is in progress"),
        ),
    }[check.name]
    text = unknown if check.passed is None else passed if check.passed else failed
    return text.format(groups=_join(check.groups))


def basis(result: Preflight) -> str:
    """The reason for the preflight's verdict."""
    if [check.name for check in result.checks] == ["none_running"]:
        return _("While a deployment runs, ECS sets the weights: leave them as they are.")
    if result.system == "ecs":
        return _("AWS documentation: ECS rolls back if its production rule has more than one target group with weight.")
    return _(
        "CodeDeploy requires the PRIMARY task set's target group behind the listener (AWS documentation) and rewrites every rule that forwards to it; in "
        "practice it fails if a second target group has weight."
    )


def commands_intro(result: Preflight, migration: Migration) -> str:
    if result.interim_fleet is None:
        return ""
    label = migration.fleets[result.interim_fleet].label
    return _("Run in order. {label} serves all traffic meanwhile: check its capacity first.").format(label=label)


def rollback_readiness(readiness: RollbackReadiness, migration: Migration) -> str:
    """Whether the baseline could serve all of the traffic now."""
    text = {
        "all_on_baseline": _("{label} has all traffic; {healthy}."),
        "carried_before": _(
            "Rollback capacity OK: {label} {healthy}, {now} → {then} req/min per target (sustained {proven} for 1h)."
        ),
        "never_carried": _(
            "Rollback capacity unverified: {label} {healthy}, would need {then} req/min per target (now {now}); highest sustained for 1h {proven}."
        ),
        "no_history": _(
            "Rollback capacity unknown: {label} {healthy}, would need {then} req/min per target (now {now}); no history of sustained load."
        ),
        "no_healthy": _("Cannot roll back: no healthy targets in {label} ({healthy})."),
        "empty_group": _("Cannot roll back to 100% {label}: {groups} would get traffic and has no healthy target."),
        "not_in_rule": _("Rollback capacity unknown: the rule has no target group of {label}."),
        "other_groups": _(
            "Rollback capacity unknown: an unassigned target group has weight, and its requests are not counted. {healthy}."
        ),
        "health_unread": _("Rollback capacity unknown: target health of {label} could not be read."),
        "requests_unread": _("Rollback capacity unknown: no requests to measure. {healthy}."),
    }[readiness.reason]
    return text.format(
        label=migration.fleets.baseline.label,
        healthy=_healthy_targets(readiness),
        now=numbers.count(readiness.current_load),
        then=numbers.count(readiness.expected_load),
        proven=numbers.count(readiness.max_load),
        groups=_join(readiness.empty_groups),
    )


def _healthy_targets(readiness: RollbackReadiness) -> str:
    if readiness.healthy is None or readiness.registered is None:
        return ""
    return _("{healthy}/{all} healthy").format(healthy=readiness.healthy, all=readiness.registered)


def rollback_command_title(readiness: RollbackReadiness, migration: Migration) -> str:
    """What the command does, and whose requests it leaves on the canary."""
    if readiness.of_deployment:
        return str(WAIT_ENDS["roll_back"])
    title = _("Route 100% to {label}").format(label=migration.fleets.baseline.label)
    if not readiness.unchanged_rules:
        return title
    return _("{title}, except {rules}, which stays on {canary}").format(
        title=title,
        rules=comma_list(map(rule_name, readiness.unchanged_rules)),
        canary=migration.fleets.canary.label,
    )


def messages_title(service: EcsService) -> str:
    return _("Service events of {service}").format(service=service.name)


def stages_title(deployment: Deployment) -> str:
    return _("Stages: {what}").format(what=deployment.task_definition or deployment.id)


def state_unknown(fleet: FleetName, migration: Migration) -> str:
    return _("Deployment state of {label} unknown: see Data sources.").format(label=migration.fleets[fleet].label)


def read_age(age: str) -> str:
    return _("read {age}").format(age=age)


def _join(groups: Sequence[str]) -> str:
    if len(groups) < 2:
        return "".join(groups)
    return _("{groups} and {last}").format(groups=comma_list(groups[:-1]), last=groups[-1])
