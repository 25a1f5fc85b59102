"""CodeDeploy as a source: a deployment group's blue/green deployments of an ECS service, with their stages, task sets and rollbacks."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from domain import FLEETS, Aws, Clock, FleetName, Migration, Window, utc_now
from domain.deployments import Deployment, PlannedShift, Stage, TaskSet, TrafficRoute, Wait, newest_first
from domain.window import MINUTE_S
from sources.aws.calls import ApiSession, ClientProvider, Operation
from sources.aws.client import aws_of
from sources.aws.commit_tags import CommitTags
from sources.aws.console import console_url
from sources.aws.deployments import (
    MAX_DETAILED,
    DeploymentSource,
    DeploymentTarget,
    earliest_start,
    epoch_seconds,
    latest_start,
)
from sources.base import Problem

SOURCE = "codedeploy"
BATCH_SIZE = 25  # AWS's maximum for BatchGetDeployments

_OPERATIONS: Mapping[str, Operation] = {
    "GetDeploymentGroup": Operation("deploymentGroupInfo"),
    "ListDeployments": Operation("deployments", "nextToken", "nextToken"),
    "BatchGetDeployments": Operation("deploymentsInfo", item_key="deploymentId"),
    "BatchGetDeploymentTargets": Operation(
        "deploymentTargets",
        empty_result_codes=frozenset({"DeploymentNotStartedException", "DeploymentTargetDoesNotExistException"}),
    ),
    "GetApplicationRevision": Operation("revision", empty_result_codes=frozenset({"RevisionDoesNotExistException"})),
}
_ECS_OPERATIONS: Mapping[str, Operation] = {"DescribeTaskDefinition": Operation("taskDefinition")}
# TaskDefinition: "arn:aws:ecs:…:task-definition/web:42" in an AppSpec, which may be JSON or YAML.
_SHIFT = re.compile(r"CodeDeployDefault\.ECS(Canary|Linear)(\d+)Percent(?:Every)?(\d+)Minutes")
_TASK_DEFINITION = re.compile(r"""["']?TaskDefinition["']?\s*:\s*["']?([^\s"',}]+)""")


class CodeDeploy(DeploymentSource):
    """The fleets with `codedeploy`. With links to commits, the images of each deployment are read from ECS. Raises ValueError without [aws]."""

    name, operations = SOURCE, _OPERATIONS
    required = frozenset({"ListDeployments", "BatchGetDeployments"})

    def __init__(
        self, migration: Migration, *, clock: Clock = utc_now, client: Any = None, ecs_client: Any = None
    ) -> None:
        aws = aws_of(migration, "CodeDeploy")
        self._ecs = ClientProvider("ecs", aws, ecs_client)
        self._reads_images = bool(migration.releases and migration.releases.commit_url)
        key = migration.releases.commit_tag if migration.releases else ""
        self._commit_tags = CommitTags(key, SOURCE, self._ecs)
        self._services = {fleet: migration.fleets[fleet].ecs_service for fleet in FLEETS}
        targets = {fleet: migration.fleets[fleet].codedeploy for fleet in FLEETS}
        super().__init__(aws, targets, clock, client, looks_back=migration.release is None)

    def _clear_cache(self) -> None:
        self._finished: dict[str, Deployment] = {}  # by ID
        self._task_definitions: dict[str, str] = {}  # by the AppSpec's SHA-256
        self._images: dict[str, tuple[str, ...]] = {}  # by task definition
        self._commit_tags.clear()

    def _fetch_target(self, session: ApiSession, target: DeploymentTarget, window: Window) -> None:
        application, group = target.name.split("/")
        names = {"applicationName": application, "deploymentGroupName": group}
        created = {"start": earliest_start(window), "end": latest_start(window, self._clock())}
        infos = session.fetch_or_empty("GetDeploymentGroup", about=target.name, **names)
        listed = session.fetch_all("ListDeployments", about=target.name, **names, createTimeRange=created)
        info: Mapping[str, Any] = infos[0] if infos else {}
        target.route = parse_route(info)
        ids = dict.fromkeys([*_remembered_ids(info), *([] if isinstance(listed, Problem) else listed)])
        deployments = [self._finished[id_] for id_ in ids if id_ in self._finished]
        unread = [id_ for id_ in ids if id_ not in self._finished]
        payloads: dict[str, Mapping[str, Any]] = {}
        for payload in session.fetch_batches(
            "BatchGetDeployments", about=target.name, size=BATCH_SIZE, deploymentIds=unread
        ):
            current = self._task_definition(session, target.name, payload.get("revision", {}))
            previous = self._task_definition(session, target.name, payload.get("previousRevision", {}))
            deployment = parse_deployment(payload, target.fleet, self._aws)
            deployments.append(replace(deployment, task_definition=current, previous_task_definition=previous))
            payloads[deployment.id] = payload
        target.listed = not isinstance(listed, Problem) and not session.has_failed("BatchGetDeployments")
        deployments.sort(key=newest_first)
        target_id = _target_id(info) or self._services[target.fleet].replace("/", ":")
        detailed = [self._with_targets(session, deployment, target_id) for deployment in deployments[:MAX_DETAILED]]
        target.deployments = [
            replace(deployment, waits=parse_waits(payloads.get(deployment.id, {}), deployment.stages))
            for deployment in detailed + deployments[MAX_DETAILED:]
        ]
        if not session.has_failed("GetApplicationRevision") and not session.has_failed("BatchGetDeploymentTargets"):
            self._finished |= {deployment.id: deployment for deployment in target.deployments if not deployment.running}

    def _with_targets(self, session: ApiSession, deployment: Deployment, target_id: str) -> Deployment:
        """Adds stages and task sets, unless they were read after the deployment finished."""
        if not target_id or deployment.id in self._finished:
            return deployment
        targets = session.fetch_or_empty(
            "BatchGetDeploymentTargets", about=deployment.id, deploymentId=deployment.id, targetIds=[target_id]
        )
        images = self._images_of(session, deployment.task_definition) if self._reads_images else ()
        commit = self._commit_tags.commit_of(session, deployment.task_definition)
        return replace(add_targets(deployment, targets, images), commit=commit)

    def _images_of(self, session: ApiSession, task_definition: str) -> tuple[str, ...]:
        if task_definition and task_definition not in self._images:
            ecs = ApiSession(self.name, "ecs", _ECS_OPERATIONS, self._ecs, per_resource=True)
            payloads = ecs.fetch_or_empty(
                "DescribeTaskDefinition", about=task_definition, taskDefinition=task_definition
            )
            for payload in payloads:
                containers = payload.get("containerDefinitions", ())
                self._images[task_definition] = tuple(container.get("image", "") for container in containers)
            for problem in ecs.problems:
                session.add_failure("DescribeTaskDefinition", problem)
        return self._images.get(task_definition, ())

    def _task_definition(self, session: ApiSession, pair: str, revision: Mapping[str, Any]) -> str:
        """The task definition of a revision; "" if it cannot be read. CodeDeploy may return only the AppSpec's SHA-256."""
        spec: Mapping[str, Any] = revision.get("appSpecContent") or revision.get("string") or {}
        if content := spec.get("content"):
            return parse_task_definition(content)
        sha256 = spec.get("sha256", "")
        if not sha256 or sha256 in self._task_definitions:
            return self._task_definitions.get(sha256, "")
        payloads = session.fetch_all(
            "GetApplicationRevision", about=pair, applicationName=pair.split("/")[0], revision=revision
        )
        if isinstance(payloads, Problem):
            return ""
        specs = (payload.get("appSpecContent") or payload.get("string") or {} for payload in payloads)
        self._task_definitions[sha256] = next((parse_task_definition(spec.get("content", "")) for spec in specs), "")
        return self._task_definitions[sha256]


def _remembered_ids(info: Mapping[str, Any]) -> Iterator[str]:
    """The deployments that a group's own entry names; they may be older than any window."""
    for key in ("lastAttemptedDeployment", "lastSuccessfulDeployment"):
        if id_ := info.get(key, {}).get("deploymentId"):
            yield id_


def _target_id(info: Mapping[str, Any]) -> str:
    """CodeDeploy's ID of the ECS service: `cluster:service`."""
    services: Sequence[Mapping[str, str]] = info.get("ecsServices", ())
    return next((f"{service.get('clusterName', '')}:{service.get('serviceName', '')}" for service in services), "")


def parse_route(info: Mapping[str, Any]) -> TrafficRoute | None:
    """The target groups (by name) and the listener between which a deployment group shifts production traffic."""
    pairs: Sequence[Mapping[str, Any]] = info.get("loadBalancerInfo", {}).get("targetGroupPairInfoList", ())
    if not pairs:
        return None
    groups = tuple(group.get("name", "") for group in pairs[0].get("targetGroups", ()))
    listeners = pairs[0].get("prodTrafficRoute", {}).get("listenerArns", ())
    return TrafficRoute(groups, listener_arn=next(iter(listeners), ""))


def parse_deployment(payload: Mapping[str, Any], fleet: FleetName, aws: Aws) -> Deployment:
    """A deployment of BatchGetDeployments, without task definitions, stages, task sets and waits."""
    id_, rollback = payload.get("deploymentId", ""), payload.get("rollbackInfo", {})
    error = payload.get("errorInformation", {})
    return Deployment(
        system="codedeploy",
        id=id_,
        fleet=fleet,
        status=payload.get("status", ""),
        created=epoch_seconds(payload.get("createTime")) or 0,
        started=epoch_seconds(payload.get("startTime")),
        ended=epoch_seconds(payload.get("completeTime")),
        creator=payload.get("creator", ""),
        configuration=payload.get("deploymentConfigName", ""),
        shift=parse_shift(payload.get("deploymentConfigName", "")),
        rolls_back=rollback.get("rollbackTriggeringDeploymentId", ""),
        rolled_back_by=rollback.get("rollbackDeploymentId", ""),
        reason=rollback.get("rollbackMessage", ""),
        error=": ".join(part for part in (error.get("code", ""), error.get("message", "")) if part),
        link=console_url(aws, f"codesuite/codedeploy/deployments/{id_}"),
    )


def parse_shift(configuration: str) -> PlannedShift | None:
    """The shift of one of CodeDeploy's own configurations, whose name has its numbers; None of others."""
    if configuration == "CodeDeployDefault.ECSAllAtOnce":
        return PlannedShift("all_at_once")
    if match := _SHIFT.fullmatch(configuration):
        return PlannedShift("canary" if match[1] == "Canary" else "linear", float(match[2]), int(match[3]))
    return None


def parse_waits(payload: Mapping[str, Any], stages: Sequence[Stage]) -> tuple[Wait, ...]:
    """What a deployment of BatchGetDeployments waits for. Both waits begin when the stage before them has ended: CodeDeploy names no deadline."""
    options, status = payload.get("blueGreenDeploymentConfiguration", {}), payload.get("status")
    began = max((stage.ended for stage in stages if stage.ended), default=None)
    if status == "Ready":
        option = options.get("deploymentReadyOption", {})
        stops = option.get("actionOnTimeout") == "STOP_DEPLOYMENT"
        deadline = _deadline(began, option.get("waitTimeInMinutes")) if stops else None
        return (Wait("READY_WAIT", deadline, "stop" if stops else ""),)
    if status == "InProgress" and payload.get("instanceTerminationWaitTimeStarted"):
        option = options.get("terminateBlueInstancesOnDeploymentSuccess", {})
        return (Wait("TERMINATION_WAIT", _deadline(began, option.get("terminationWaitTimeInMinutes")), "terminate"),)
    return ()


def _deadline(began: int | None, minutes: int | None) -> int | None:
    return None if began is None or minutes is None else began + minutes * MINUTE_S


def add_targets(
    deployment: Deployment, targets: Iterable[Mapping[str, Any]], images: tuple[str, ...] = ()
) -> Deployment:
    """The deployment with the stages and task sets of its ECS target. `images`: of the new task set."""
    payload: Mapping[str, Any] = next((target["ecsTarget"] for target in targets if target.get("ecsTarget")), {})
    stages = tuple(
        Stage(
            event.get("lifecycleEventName", ""),
            event.get("status", ""),
            epoch_seconds(event.get("startTime")),
            epoch_seconds(event.get("endTime")),
        )
        for event in payload.get("lifecycleEvents", ())
    )
    current = next((stage.name for stage in stages if stage.status == "InProgress"), "")
    return replace(
        deployment,
        stages=stages,
        stage=current if deployment.running else "",
        task_sets=tuple(_parse_task_set(task_set, images) for task_set in payload.get("taskSetsInfo", ())),
    )


def _parse_task_set(payload: Mapping[str, Any], images: tuple[str, ...]) -> TaskSet:
    return TaskSet(
        id=payload.get("identifer", ""),  # AWS's spelling
        status=payload.get("status", ""),
        task_definition="",
        target_group=payload.get("targetGroup", {}).get("name", ""),
        desired=payload.get("desiredCount", 0),
        running=payload.get("runningCount", 0),
        pending=payload.get("pendingCount", 0),
        weight=payload.get("trafficWeight"),
        label=payload.get("taskSetLabel", ""),
        container_images=images if payload.get("taskSetLabel") == "Green" else (),
    )


def parse_task_definition(app_spec: str) -> str:
    """The task definition ("web:42") of an AppSpec in JSON or YAML; "" if it has none."""
    match = _TASK_DEFINITION.search(app_spec)
    return match[1].rpartition("/")[2] if match else ""
