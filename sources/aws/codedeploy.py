"""CodeDeploy as a source: a deployment group's blue/green deployments of an ECS service, with their stages, task sets and roll-backs."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from domain import FLEETS, Aws, Clock, FleetName, Migration, Window, utc_now
from domain.deployments import Deployment, DeploymentState, Stage, TaskSet, TrafficRoute
from sources.aws.calls import ApiSession, ClientProvider, Operation
from sources.aws.deployments import MAX_DEPLOYMENT_S, MAX_DETAILED, DeploymentSource
from sources.base import Health, Problem

SOURCE = "codedeploy"
BATCH_SIZE = 25  # as many as BatchGetDeployments takes

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
    """A sources.EventSource for the fleets that name `codedeploy`. One may serve many threads. `client` is a boto3 client; left out, one is made.

    Raises ValueError where the migration has no [aws].
    """

    name = SOURCE

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, client: Any = None) -> None:
        if migration.aws is None:
            raise ValueError("CodeDeploy needs the [aws] table.")
        self._aws = migration.aws
        self._groups = [(fleet, pair) for fleet in FLEETS if (pair := migration.fleets[fleet].codedeploy)]
        self._services = {fleet: migration.fleets[fleet].ecs_service for fleet in FLEETS}
        super().__init__(clock)
        self._client = ClientProvider("codedeploy", migration.aws, client)
        # What does not change any more, so that it is asked once.
        self._finished: dict[str, Deployment] = {}
        self._revisions: dict[str, str] = {}

    def check(self) -> tuple[Health, ...]:
        """Each permission, by asking for the last day and the newest deployments."""
        now = self._clock()
        self._finished, self._revisions = {}, {}
        *_, talk = self._read(Window.last(1440, now=now), int(now.timestamp()))
        return tuple(
            talk.health(action)
            for action in _OPERATIONS
            if talk.was_called(action) or talk.has_failed("GetDeploymentGroup")
        )

    def _read(self, window: Window, asked_at: int) -> tuple[list[Deployment], DeploymentState | None, bool, ApiSession]:
        """The deployments, the standing (None where no group could be read), and whether nothing was kept back."""
        talk = ApiSession(SOURCE, SOURCE, _OPERATIONS, self._client)
        told: list[Deployment] = []
        newest: list[Deployment] = []
        routes: list[tuple[FleetName, TrafficRoute]] = []
        whole = True
        for fleet, pair in self._groups:
            application, group = pair.split("/")
            names = {"applicationName": application, "deploymentGroupName": group}
            infos = talk.fetch_all("GetDeploymentGroup", about=pair, **names)
            ids = talk.fetch_all("ListDeployments", about=pair, **names, createTimeRange=_creation_range(window))
            info: Mapping[str, Any] = {} if isinstance(infos, Problem) else infos[0]
            routes += [(fleet, route) for route in parse_routes(info)]
            listed = [] if isinstance(ids, Problem) else ids
            found, answered = self._read_deployments(
                talk, fleet, pair, dict.fromkeys([*_remembered_ids(info), *listed]), info
            )
            whole = whole and answered and not isinstance(ids, Problem)
            told += found
            newest += found[:MAX_DETAILED]
        self._client.reset_on_auth_error(talk.problems)
        standing = DeploymentState(asked_at, (), tuple(newest), tuple(routes)) if routes or newest else None
        return told, standing, whole, talk

    def _read_deployments(
        self, talk: ApiSession, fleet: FleetName, pair: str, ids: Iterable[str], info: Mapping[str, Any]
    ) -> tuple[list[Deployment], bool]:
        """The deployments with these ids, the newest first, and whether all of them could be read."""
        ids = list(ids)
        found = [self._finished[one] for one in ids if one in self._finished]
        asked, answered = [one for one in ids if one not in self._finished], True
        for batch in (asked[at : at + BATCH_SIZE] for at in range(0, len(asked), BATCH_SIZE)):
            told = talk.fetch_all("BatchGetDeployments", about=pair, deploymentIds=batch)
            if isinstance(told, Problem):
                answered = False
                continue
            for one in told:
                made = parse_deployment(one, fleet, self._aws)
                made = replace(made, task_definition=self._task_definition(talk, pair, one.get("revision", {})))
                found.append(
                    replace(
                        made,
                        previous_task_definition=self._task_definition(talk, pair, one.get("previousRevision", {})),
                    )
                )
        found.sort(key=lambda one: (-one.created, one.id))
        target = _target_id(info) or self._services[fleet].replace("/", ":")
        found[:MAX_DETAILED] = [self._with_targets(talk, one, target) for one in found[:MAX_DETAILED]]
        if not talk.has_failed("GetApplicationRevision") and not talk.has_failed("BatchGetDeploymentTargets"):
            self._finished |= {one.id: one for one in found if not one.running}
        return found, answered

    def _with_targets(self, talk: ApiSession, deployment: Deployment, target: str) -> Deployment:
        """With its lifecycle events and task sets. One that was read when it had ended already is not asked again."""
        if not target or deployment.id in self._finished:
            return deployment
        told = talk.fetch_all(
            "BatchGetDeploymentTargets", about=deployment.id, deploymentId=deployment.id, targetIds=[target]
        )
        return deployment if isinstance(told, Problem) else add_targets(deployment, told)

    def _task_definition(self, talk: ApiSession, pair: str, revision: Mapping[str, Any]) -> str:
        """The task definition that a revision names, "" where it cannot be read. CodeDeploy may tell only the sum of the AppSpec."""
        spec: Mapping[str, Any] = revision.get("appSpecContent") or revision.get("string") or {}
        if content := spec.get("content"):
            return parse_task_definition(content)
        sum_ = spec.get("sha256", "")
        if not sum_ or sum_ in self._revisions:
            return self._revisions.get(sum_, "")
        told = talk.fetch_all(
            "GetApplicationRevision", about=pair, applicationName=pair.split("/")[0], revision=revision
        )
        if isinstance(told, Problem):
            return ""
        contents = (one.get("appSpecContent") or one.get("string") or {} for one in told)
        self._revisions[sum_] = next((parse_task_definition(one.get("content", "")) for one in contents), "")
        return self._revisions[sum_]


def _creation_range(window: Window) -> dict[str, datetime]:
    """Also what was made before the window and may still have run in it."""
    return {"start": datetime.fromtimestamp(max(window.start - MAX_DEPLOYMENT_S, 0), UTC), "end": window.ends_at}


def _remembered_ids(info: Mapping[str, Any]) -> Iterator[str]:
    """The deployments that a group itself remembers: they may be older than any window."""
    for key in ("lastAttemptedDeployment", "lastSuccessfulDeployment"):
        if found := info.get(key, {}).get("deploymentId"):
            yield found


def _target_id(info: Mapping[str, Any]) -> str:
    """What CodeDeploy calls the ECS service: `cluster:service`."""
    services: Sequence[Mapping[str, str]] = info.get("ecsServices", ())
    return next((f"{one.get('clusterName', '')}:{one.get('serviceName', '')}" for one in services), "")


def parse_routes(info: Mapping[str, Any]) -> tuple[TrafficRoute, ...]:
    """Between which target groups (told by name), and at which listener, a deployment group shifts production traffic; at most one."""
    pairs: Sequence[Mapping[str, Any]] = info.get("loadBalancerInfo", {}).get("targetGroupPairInfoList", ())
    return tuple(
        TrafficRoute(
            groups=tuple(group.get("name", "") for group in pair.get("targetGroups", ())),
            listener_arn=next(iter(pair.get("prodTrafficRoute", {}).get("listenerArns", ())), ""),
        )
        for pair in pairs[:1]
    )


def parse_deployment(payload: Mapping[str, Any], fleet: FleetName, aws: Aws) -> Deployment:
    """A deployment as BatchGetDeployments tells it, without its revision's task definition and its targets."""
    id_, back = payload.get("deploymentId", ""), payload.get("rollbackInfo", {})
    error = payload.get("errorInformation", {})
    return Deployment(
        system="codedeploy",
        id=id_,
        fleet=fleet,
        status=payload.get("status", ""),
        created=_epoch(payload.get("createTime")) or 0,
        started=_epoch(payload.get("startTime")),
        ended=_epoch(payload.get("completeTime")),
        creator=payload.get("creator", ""),
        configuration=payload.get("deploymentConfigName", ""),
        rolls_back=back.get("rollbackTriggeringDeploymentId", ""),
        rolled_back_by=back.get("rollbackDeploymentId", ""),
        reason=back.get("rollbackMessage", ""),
        error=": ".join(part for part in (error.get("code", ""), error.get("message", "")) if part),
        waits_for="Ready" if payload.get("status") == "Ready" else "",
        link=f"https://{aws.region}.{aws.load_balancer_arn.console}/codesuite/codedeploy/deployments/{id_}?region={aws.region}",
    )


def add_targets(deployment: Deployment, targets: Iterable[Mapping[str, Any]]) -> Deployment:
    """The deployment with the stages and task sets of its ECS target."""
    told: Mapping[str, Any] = next((one["ecsTarget"] for one in targets if one.get("ecsTarget")), {})
    stages = tuple(
        Stage(
            one.get("lifecycleEventName", ""),
            one.get("status", ""),
            _epoch(one.get("startTime")),
            _epoch(one.get("endTime")),
        )
        for one in told.get("lifecycleEvents", ())
    )
    now = next((stage.name for stage in stages if stage.status == "InProgress"), "")
    return replace(
        deployment,
        stages=stages,
        stage=now if deployment.running else "",
        task_sets=tuple(_parse_task_set(one) for one in told.get("taskSetsInfo", ())),
    )


def _parse_task_set(told: Mapping[str, Any]) -> TaskSet:
    return TaskSet(
        id=told.get("identifer", ""),  # spelt so by AWS
        status=told.get("status", ""),
        task_definition="",
        target_group=told.get("targetGroup", {}).get("name", ""),
        desired=told.get("desiredCount", 0),
        running=told.get("runningCount", 0),
        pending=told.get("pendingCount", 0),
        weight=told.get("trafficWeight"),
        label=told.get("taskSetLabel", ""),
    )


def parse_task_definition(app_spec: str) -> str:
    """ "web:42" from the TaskDefinition of an AppSpec in JSON or YAML; "" where it has none."""
    found = _TASK_DEFINITION.search(app_spec)
    return found[1].rpartition("/")[2] if found else ""


def _epoch(when: datetime | None) -> int | None:
    return int(when.timestamp()) if when else None
