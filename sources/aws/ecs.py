"""ECS as a source: the current state of services, and ECS's own deployments (rolling, blue/green, linear, canary) with stage and weights."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from domain import FLEETS, Aws, Clock, Migration, Window, utc_now
from domain.deployments import (
    Deployment,
    EcsService,
    PlannedShift,
    ServiceEvent,
    Stage,
    Strategy,
    TaskSet,
    TimeoutAction,
    TrafficRoute,
    Wait,
    newest_first,
)
from sources.aws.calls import ApiSession, ClientProvider, Operation
from sources.aws.client import aws_of
from sources.aws.commit_tags import MAX_DEPLOYMENTS, CommitTags
from sources.aws.console import console_url
from sources.aws.deployments import DeploymentSource, DeploymentTarget, earliest_start, epoch_seconds, latest_start
from sources.aws.load_balancer import target_group_name
from sources.base import Problem

SOURCE = "ecs"
BATCH_SIZE = 20  # AWS's maximum for DescribeServiceDeployments and DescribeServiceRevisions
MAX_EVENTS = 10  # of the hundred that a service retains

_OPERATIONS: Mapping[str, Operation] = {
    "DescribeServices": Operation("services"),
    "DescribeTaskDefinition": Operation("taskDefinition"),
    "ListServiceDeployments": Operation("serviceDeployments", "nextToken", "nextToken"),
    "DescribeServiceDeployments": Operation("serviceDeployments", item_key="serviceDeploymentArn"),
    "DescribeServiceRevisions": Operation("serviceRevisions", item_key="serviceRevisionArn"),
}
_TIMEOUT_ACTIONS: Mapping[str, TimeoutAction] = {"ROLLBACK": "roll_back", "CONTINUE": "continue"}
_STRATEGIES: Mapping[str, Strategy] = {"BLUE_GREEN": "blue_green", "LINEAR": "linear", "CANARY": "canary"}


class Ecs(DeploymentSource):
    """The fleets with an `ecs_service`. Raises ValueError if the migration has no [aws]."""

    name, operations = SOURCE, _OPERATIONS
    required = frozenset({"DescribeServices", "ListServiceDeployments", "DescribeServiceDeployments"})

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, client: Any = None) -> None:
        targets = {fleet: migration.fleets[fleet].ecs_service for fleet in FLEETS}
        aws, key = aws_of(migration, "ECS"), migration.releases.commit_tag if migration.releases else ""
        self._commit_tags = CommitTags(key, SOURCE, ClientProvider("ecs", aws, client))
        super().__init__(aws, targets, clock, client, looks_back=migration.release is None)

    def _clear_cache(self) -> None:
        # By ARN.
        self._images: dict[str, tuple[str, ...]] = {}
        self._revisions: dict[str, Mapping[str, Any]] = {}
        self._finished: dict[str, Deployment] = {}
        self._commit_tags.clear()

    def _fetch_target(self, session: ApiSession, target: DeploymentTarget, window: Window) -> None:
        cluster, service_name = target.name.split("/")
        payloads = session.fetch_all("DescribeServices", about=target.name, cluster=cluster, services=[service_name])
        if isinstance(payloads, Problem):
            return
        payload = next((service for service in payloads if service.get("status") != "INACTIVE"), None)
        if payload is None and session.has_failed("DescribeServices"):
            return
        if payload is None:  # MISSING among the failures, or deleted a while ago
            session.add_problem("gone", "DescribeServices", target.name)
            return
        if _controller_type(payload) == "ECS":  # deployments by CodeDeploy are read from CodeDeploy
            target.deployments = self._read_deployments(session, target, payload, window)
        service = parse_service(payload, target, self._aws)
        target.service = replace(service, images=self._images_of(session, task_definition_arn(payload)))

    def _read_deployments(
        self, session: ApiSession, target: DeploymentTarget, service: Mapping[str, Any], window: Window
    ) -> list[Deployment]:
        cluster, service_name = target.name.split("/")
        created = {"after": earliest_start(window), "before": latest_start(window, self._clock())}
        listed = session.fetch_or_empty(
            "ListServiceDeployments", about=target.name, cluster=cluster, service=service_name, createdAt=created
        )
        arns = {
            service.get("currentServiceDeployment", ""),
            *(brief.get("serviceDeploymentArn", "") for brief in listed),
        }
        deployments = {arn: self._finished[arn] for arn in arns & self._finished.keys()}
        payloads = session.fetch_batches(
            "DescribeServiceDeployments",
            about=target.name,
            size=BATCH_SIZE,
            serviceDeploymentArns=sorted(arns - self._finished.keys() - {""}),
        )
        # Service revisions hold the task definitions and target groups.
        revision_arns = {arn for payload in payloads for arn, *_ in _revisions_in(payload)}
        revisions = session.fetch_batches(
            "DescribeServiceRevisions",
            about=target.name,
            size=BATCH_SIZE,
            serviceRevisionArns=sorted(revision_arns - self._revisions.keys()),
        )
        self._revisions |= {revision["serviceRevisionArn"]: revision for revision in revisions}
        deployments |= {
            payload["serviceDeploymentArn"]: parse_deployment(payload, target, self._aws, self._revisions)
            for payload in payloads
        }
        if not session.has_failed("DescribeServiceRevisions"):
            self._finished |= {arn: deployment for arn, deployment in deployments.items() if not deployment.running}
        newest = sorted(deployments.values(), key=newest_first)
        return [*(self._with_commit(session, item) for item in newest[:MAX_DEPLOYMENTS]), *newest[MAX_DEPLOYMENTS:]]

    def _with_commit(self, session: ApiSession, deployment: Deployment) -> Deployment:
        return replace(deployment, commit=self._commit_tags.commit_of(session, deployment.task_definition))

    def _images_of(self, session: ApiSession, arn: str) -> tuple[str, ...]:
        if arn and arn not in self._images:
            payloads = session.fetch_or_empty("DescribeTaskDefinition", about=_short_name(arn), taskDefinition=arn)
            for payload in payloads:
                containers = payload.get("containerDefinitions", ())
                self._images[arn] = tuple(container.get("image", "") for container in containers)
        return self._images.get(arn, ())


def parse_service(payload: Mapping[str, Any], target: DeploymentTarget, aws: Aws) -> EcsService:
    """A service of DescribeServices, without images. Uses the target's deployments, which are ECS's own."""
    controller = _controller_type(payload)
    strategy: Strategy = "codedeploy" if controller == "CODE_DEPLOY" else "external"
    if controller == "ECS":
        strategy = _STRATEGIES.get(payload.get("deploymentConfiguration", {}).get("strategy"), "rolling")
    rollout = _primary(payload.get("deployments", ()))
    task_sets = tuple(parse_task_set(task_set) for task_set in payload.get("taskSets", ()))
    if not task_sets and target.deployments:
        task_sets = target.deployments[0].task_sets
    current = _short_name(task_definition_arn(payload))
    previous = (name for name in _previous_task_definitions(payload, target.deployments) if name not in ("", current))
    events = payload.get("events", ())[:MAX_EVENTS]
    return EcsService(
        fleet=target.fleet,
        name=target.name,
        status=payload.get("status", ""),
        controller=controller,
        strategy=strategy,
        desired=payload.get("desiredCount", 0),
        running=payload.get("runningCount", 0),
        pending=payload.get("pendingCount", 0),
        task_definition=current,
        previous_task_definition=next(previous, ""),
        rollout=rollout.get("rolloutState", ""),
        rollout_reason=rollout.get("rolloutStateReason", ""),
        task_sets=task_sets,
        route=_parse_route(payload.get("loadBalancers", ())),
        events=tuple(
            ServiceEvent(epoch_seconds(event.get("createdAt")) or 0, event.get("message", "")) for event in events
        ),
        link=_service_url(aws, target.name),
    )


def parse_task_set(payload: Mapping[str, Any]) -> TaskSet:
    """A task set of DescribeServices, created by CodeDeploy or by an external controller."""
    return TaskSet(
        id=payload.get("id", ""),
        status=payload.get("status", ""),
        task_definition=_short_name(payload.get("taskDefinition", "")),
        target_group=_first_target_group(payload.get("loadBalancers", ())),
        desired=payload.get("computedDesiredCount", 0),
        running=payload.get("runningCount", 0),
        pending=payload.get("pendingCount", 0),
        stability=payload.get("stabilityStatus", ""),
        deployment=payload.get("externalId", ""),
    )


def parse_deployment(
    payload: Mapping[str, Any], target: DeploymentTarget, aws: Aws, revisions: Mapping[str, Mapping[str, Any]]
) -> Deployment:
    """A deployment of DescribeServiceDeployments, with the requested weights. `revisions`: those of DescribeServiceRevisions, by ARN."""
    rollback, stage = payload.get("rollback", {}), payload.get("lifecycleStage", "")
    definitions = {arn: _short_name(revision.get("taskDefinition", "")) for arn, revision in revisions.items()}
    source_arns = [revision.get("arn", "") for revision in payload.get("sourceServiceRevisions", ())]
    deployment = Deployment(
        system="ecs",
        id=_short_name(payload.get("serviceDeploymentArn", "")),
        fleet=target.fleet,
        status=payload.get("status", ""),
        created=epoch_seconds(payload.get("createdAt")) or 0,
        started=epoch_seconds(payload.get("startedAt")),
        ended=epoch_seconds(payload.get("finishedAt") or payload.get("stoppedAt")),
        configuration=payload.get("deploymentConfiguration", {}).get("strategy", ""),
        shift=_parse_shift(payload.get("deploymentConfiguration", {})),
        task_definition=definitions.get(payload.get("targetServiceRevision", {}).get("arn", ""), ""),
        previous_task_definition=next((definitions[arn] for arn in source_arns if definitions.get(arn)), ""),
        task_sets=tuple(
            _parse_revision_task_set(revision, role, revisions.get(arn, {}))
            for arn, role, revision in _revisions_in(payload)
        ),
        reason=rollback.get("reason", ""),
        rollback_at=epoch_seconds(rollback.get("startedAt")),
        rolled_back_by=_short_name(rollback.get("serviceRevisionArn", "")),
        error="; ".join(_failure_reasons(payload)),
        waits=tuple(_parse_waits(payload)),
        arn=payload.get("serviceDeploymentArn", ""),
        link=_service_url(aws, target.name),
    )
    if not deployment.running or not stage:
        return deployment
    return replace(deployment, stage=stage, stages=(Stage(stage, payload.get("status", "")),))


def _parse_shift(configuration: Mapping[str, Any]) -> PlannedShift | None:
    match configuration.get("strategy"):
        case "BLUE_GREEN":
            return PlannedShift("all_at_once")
        case "CANARY" if canary := configuration.get("canaryConfiguration"):
            return PlannedShift("canary", canary.get("canaryPercent", 0.0), canary.get("canaryBakeTimeInMinutes", 0))
        case "LINEAR" if linear := configuration.get("linearConfiguration"):
            return PlannedShift("linear", linear.get("stepPercent", 0.0), linear.get("stepBakeTimeInMinutes", 0))
    return None


def _parse_waits(deployment: Mapping[str, Any]) -> Iterator[Wait]:
    """Its hooks of type PAUSE that wait. A Lambda hook is IN_PROGRESS, and no command ends it."""
    for hook in deployment.get("lifecycleHookDetails", ()):
        if hook.get("status") == "AWAITING_ACTION":
            yield Wait(
                hook.get("hookId", ""),
                epoch_seconds(hook.get("expiresAt")),
                _TIMEOUT_ACTIONS.get(hook.get("timeoutAction", ""), ""),
            )


def _failure_reasons(deployment: Mapping[str, Any]) -> Iterator[str]:
    failed = deployment.get("status") not in ("SUCCESSFUL", "IN_PROGRESS", "PENDING")
    if failed and (reason := deployment.get("statusReason", "")):
        yield reason
    if alarms := deployment.get("alarms", {}).get("triggeredAlarmNames", ()):
        yield f"alarms: {', '.join(alarms)}"
    breaker = deployment.get("deploymentCircuitBreaker", {})
    if breaker.get("status") == "TRIGGERED":
        yield f"circuit breaker: {breaker.get('failureCount', 0)}"


def _revisions_in(deployment: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """(ARN, "target" or "source", the deployment's entry for it), the new revision first."""
    target: Mapping[str, Any] = deployment.get("targetServiceRevision", {})
    entries = [("target", target), *(("source", source) for source in deployment.get("sourceServiceRevisions", ()))]
    return [(entry["arn"], role, entry) for role, entry in entries if entry.get("arn")]


def _parse_revision_task_set(payload: Mapping[str, Any], role: str, revision: Mapping[str, Any]) -> TaskSet:
    resolved = revision.get("resolvedConfiguration", {}).get("loadBalancers") or revision.get("loadBalancers") or ()
    return TaskSet(
        id=_short_name(payload.get("arn", "")),
        status=role,
        task_definition=_short_name(revision.get("taskDefinition", "")),
        target_group=_first_target_group(resolved),
        desired=payload.get("requestedTaskCount", 0),
        running=payload.get("runningTaskCount", 0),
        pending=payload.get("pendingTaskCount", 0),
        weight=payload.get("requestedProductionTrafficWeight"),
        test_weight=payload.get("requestedTestTrafficWeight"),
        container_images=tuple(container.get("image", "") for container in revision.get("containerImages", ())),
    )


def _parse_route(load_balancers: Sequence[Mapping[str, Any]]) -> TrafficRoute:
    """Where ECS's own blue/green deployments shift traffic; without a rule for rolling deployments and CodeDeploy's."""
    for balancer in load_balancers:
        advanced = balancer.get("advancedConfiguration", {})
        arns = (balancer.get("targetGroupArn"), advanced.get("alternateTargetGroupArn"))
        if groups := tuple(target_group_name(arn) for arn in arns if arn):
            return TrafficRoute(groups, rule_arn=advanced.get("productionListenerRule", ""))
    return TrafficRoute()


def task_definition_arn(service: Mapping[str, Any]) -> str:
    """The task definition in service: that of the PRIMARY task set, if there are task sets (the service's own is then as it was created)."""
    return str(_primary(service.get("taskSets", ())).get("taskDefinition", "") or service.get("taskDefinition", ""))


def _primary(items: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The task set or deployment with status PRIMARY."""
    return next((item for item in items if item.get("status") == "PRIMARY"), {})


def _previous_task_definitions(service: Mapping[str, Any], deployments: Sequence[Deployment]) -> Iterator[str]:
    """Task definitions that ran before the one in service. A task set newer than the primary one is the next one, not a previous one."""
    for rollout in service.get("deployments", ()):
        if rollout.get("status") != "PRIMARY":
            yield _short_name(rollout.get("taskDefinition", ""))
    since = _primary(service.get("taskSets", ())).get("createdAt")
    for task_set in service.get("taskSets", ()):
        created = task_set.get("createdAt")
        if since is not None and created is not None and created < since:
            yield _short_name(task_set.get("taskDefinition", ""))
    for deployment in deployments[:1]:
        yield deployment.previous_task_definition


def _controller_type(service: Mapping[str, Any]) -> str:
    return str(service.get("deploymentController", {}).get("type", "ECS"))


def _short_name(arn: str) -> str:
    """arn:aws:ecs:…:task-definition/web:42 → web:42"""
    return arn.rpartition("/")[2]


def _first_target_group(load_balancers: Iterable[Mapping[str, Any]]) -> str:
    return next((target_group_name(balancer.get("targetGroupArn", "")) for balancer in load_balancers), "")


def _service_url(aws: Aws, name: str) -> str:
    cluster, service = name.split("/")
    return console_url(aws, f"ecs/v2/clusters/{cluster}/services/{service}/deployments")
