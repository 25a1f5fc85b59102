"""CodeDeploy as a source: a deployment group's blue/green deployments of an ECS service, with their stages, task sets and rollbacks."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from domain import FLEETS, Aws, Clock, FleetName, Migration, Window, utc_now
from domain.deployments import Deployment, DeploymentState, Stage, TaskSet, TrafficRoute
from sources.aws.calls import ApiSession, ClientProvider, Operation
from sources.aws.client import aws_of
from sources.aws.console import console_url
from sources.aws.deployments import (
    MAX_DETAILED,
    DeploymentSource,
    FetchedDeployments,
    earliest_start,
    epoch_seconds,
    newest_first,
)
from sources.base import Health, Problem

SOURCE = "codedeploy"
BATCH_SIZE = 25  # AWS's maximum for BatchGetDeployments

_OPERATIONS: Mapping[str, Operation] = {
    "GetDeploymentGroup": Operation("get_deployment_group", "deploymentGroupInfo"),
    "ListDeployments": Operation("list_deployments", "deployments", "nextToken", "nextToken"),
    "BatchGetDeployments": Operation("batch_get_deployments", "deploymentsInfo"),
    "BatchGetDeploymentTargets": Operation(
        "batch_get_deployment_targets",
        "deploymentTargets",
        empty_result_codes=frozenset({"DeploymentNotStartedException", "DeploymentTargetDoesNotExistException"}),
    ),
    "GetApplicationRevision": Operation(
        "get_application_revision", "revision", empty_result_codes=frozenset({"RevisionDoesNotExistException"})
    ),
}
# TaskDefinition: "arn:aws:ecs:…:task-definition/web:42" in an AppSpec, which may be JSON or YAML.
_TASK_DEFINITION = re.compile(r"""["']?TaskDefinition["']?\s*:\s*["']?([^\s"',}]+)""")


class CodeDeploy(DeploymentSource):
    """An EventSource for the fleets with `codedeploy`. Thread-safe. `client`: a boto3 client to use instead of making one.

    Raises ValueError if the migration has no [aws].
    """

    name = SOURCE

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, client: Any = None) -> None:
        self._aws = aws_of(migration, "CodeDeploy")
        self._groups = [(fleet, pair) for fleet in FLEETS if (pair := migration.fleets[fleet].codedeploy)]
        self._services = {fleet: migration.fleets[fleet].ecs_service for fleet in FLEETS}
        super().__init__(clock)
        self._client = ClientProvider("codedeploy", self._aws, client)
        # Immutable, so read once: finished deployments by ID, task definitions by the AppSpec's SHA-256.
        self._finished: dict[str, Deployment] = {}
        self._task_definitions: dict[str, str] = {}

    def check(self) -> tuple[Health, ...]:
        """Each permission, by reading the last day and the newest deployments."""
        now = self._clock()
        self._finished, self._task_definitions = {}, {}
        session = self._fetch(Window.last(1440, now=now), int(now.timestamp())).session
        return tuple(
            session.health(action)
            for action in _OPERATIONS
            if session.was_called(action) or session.has_failed("GetDeploymentGroup")
        )

    def _fetch(self, window: Window, now: int) -> FetchedDeployments:
        session = ApiSession(SOURCE, SOURCE, _OPERATIONS, self._client)
        deployments: list[Deployment] = []
        newest: list[Deployment] = []
        routes: list[tuple[FleetName, TrafficRoute]] = []
        complete = True
        created = {"start": earliest_start(window), "end": window.ends_at}
        for fleet, pair in self._groups:
            application, group = pair.split("/")
            names = {"applicationName": application, "deploymentGroupName": group}
            infos = session.fetch_all("GetDeploymentGroup", about=pair, **names)
            listed = session.fetch_all("ListDeployments", about=pair, **names, createTimeRange=created)
            info: Mapping[str, Any] = {} if isinstance(infos, Problem) else infos[0]
            routes += [(fleet, route) for route in parse_routes(info)]
            ids = dict.fromkeys([*_remembered_ids(info), *([] if isinstance(listed, Problem) else listed)])
            own_deployments, answered = self._read_deployments(session, fleet, pair, list(ids), info)
            complete = complete and answered and not isinstance(listed, Problem)
            deployments += own_deployments
            newest += own_deployments[:MAX_DETAILED]
        state = DeploymentState(now, (), tuple(newest), tuple(routes)) if routes or newest else None
        return FetchedDeployments(deployments, state, complete, session)

    def _read_deployments(
        self, session: ApiSession, fleet: FleetName, pair: str, ids: Sequence[str], info: Mapping[str, Any]
    ) -> tuple[list[Deployment], bool]:
        """The deployments with these IDs, newest first, and whether all were read."""
        deployments = [self._finished[id_] for id_ in ids if id_ in self._finished]
        unread, complete = [id_ for id_ in ids if id_ not in self._finished], True
        for batch in (unread[first : first + BATCH_SIZE] for first in range(0, len(unread), BATCH_SIZE)):
            payloads = session.fetch_all("BatchGetDeployments", about=pair, deploymentIds=batch)
            if isinstance(payloads, Problem):
                complete = False
                continue
            for payload in payloads:
                current = self._task_definition(session, pair, payload.get("revision", {}))
                previous = self._task_definition(session, pair, payload.get("previousRevision", {}))
                deployment = parse_deployment(payload, fleet, self._aws)
                deployments.append(replace(deployment, task_definition=current, previous_task_definition=previous))
        deployments.sort(key=newest_first)
        target = _target_id(info) or self._services[fleet].replace("/", ":")
        detailed = [self._with_targets(session, deployment, target) for deployment in deployments[:MAX_DETAILED]]
        deployments[:MAX_DETAILED] = detailed
        if not session.has_failed("GetApplicationRevision") and not session.has_failed("BatchGetDeploymentTargets"):
            self._finished |= {deployment.id: deployment for deployment in deployments if not deployment.running}
        return deployments, complete

    def _with_targets(self, session: ApiSession, deployment: Deployment, target: str) -> Deployment:
        """Adds stages and task sets, unless they were read after the deployment finished."""
        if not target or deployment.id in self._finished:
            return deployment
        targets = session.fetch_all(
            "BatchGetDeploymentTargets", about=deployment.id, deploymentId=deployment.id, targetIds=[target]
        )
        return deployment if isinstance(targets, Problem) else add_targets(deployment, targets)

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


def parse_routes(info: Mapping[str, Any]) -> tuple[TrafficRoute, ...]:
    """The target groups (by name) and the listener between which a deployment group shifts production traffic; at most one."""
    pairs: Sequence[Mapping[str, Any]] = info.get("loadBalancerInfo", {}).get("targetGroupPairInfoList", ())
    return tuple(
        TrafficRoute(
            groups=tuple(group.get("name", "") for group in pair.get("targetGroups", ())),
            listener_arn=next(iter(pair.get("prodTrafficRoute", {}).get("listenerArns", ())), ""),
        )
        for pair in pairs[:1]
    )


def parse_deployment(payload: Mapping[str, Any], fleet: FleetName, aws: Aws) -> Deployment:
    """A deployment of BatchGetDeployments, without task definitions, stages and task sets."""
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
        rolls_back=rollback.get("rollbackTriggeringDeploymentId", ""),
        rolled_back_by=rollback.get("rollbackDeploymentId", ""),
        reason=rollback.get("rollbackMessage", ""),
        error=": ".join(part for part in (error.get("code", ""), error.get("message", "")) if part),
        waits_for="Ready" if payload.get("status") == "Ready" else "",
        link=console_url(aws, f"codesuite/codedeploy/deployments/{id_}"),
    )


def add_targets(deployment: Deployment, targets: Iterable[Mapping[str, Any]]) -> Deployment:
    """The deployment with the stages and task sets of its ECS target."""
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
        task_sets=tuple(_parse_task_set(task_set) for task_set in payload.get("taskSetsInfo", ())),
    )


def _parse_task_set(payload: Mapping[str, Any]) -> TaskSet:
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
    )


def parse_task_definition(app_spec: str) -> str:
    """The task definition ("web:42") of an AppSpec in JSON or YAML; "" if it has none."""
    match = _TASK_DEFINITION.search(app_spec)
    return match[1].rpartition("/")[2] if match else ""
