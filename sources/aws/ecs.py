"""ECS as a source: services as they stand, and ECS's own deployments (rolling, blue/green, linear, canary) with stage and weights."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from domain import FLEETS, Arn, Aws, Clock, FleetName, Migration, Window, utc_now
from domain.deployments import (
    Deployment,
    DeploymentState,
    EcsService,
    ServiceEvent,
    Stage,
    Strategy,
    TaskSet,
    TrafficRoute,
)
from sources.aws.calls import ApiSession, ClientProvider, Operation
from sources.aws.deployments import MAX_DEPLOYMENT_S, MAX_DETAILED, DeploymentSource
from sources.base import Health, Problem

SOURCE = "ecs"
BATCH_SIZE = 20  # as many as DescribeServiceDeployments and DescribeServiceRevisions take
MAX_MESSAGES = 10  # of a hundred that a service remembers; ecspresso shows as many

_OPERATIONS: Mapping[str, Operation] = {
    "DescribeServices": Operation("describe_services", "services"),
    "DescribeTaskDefinition": Operation("describe_task_definition", "taskDefinition"),
    "ListServiceDeployments": Operation("list_service_deployments", "serviceDeployments", "nextToken", "nextToken"),
    "DescribeServiceDeployments": Operation("describe_service_deployments", "serviceDeployments"),
    "DescribeServiceRevisions": Operation("describe_service_revisions", "serviceRevisions"),
}
_STRATEGIES: Mapping[str, Strategy] = {
    "ROLLING": "rolling",
    "BLUE_GREEN": "blue_green",
    "LINEAR": "linear",
    "CANARY": "canary",
}


class Ecs(DeploymentSource):
    """A sources.EventSource for the fleets that name an `ecs_service`. One may serve many threads. `client` is a boto3 client; left out, one is made.

    Raises ValueError where the migration has no [aws].
    """

    name = SOURCE

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, client: Any = None) -> None:
        if migration.aws is None:
            raise ValueError("ECS needs the [aws] table.")
        self._aws = migration.aws
        self._service_names = [(fleet, name) for fleet in FLEETS if (name := migration.fleets[fleet].ecs_service)]
        super().__init__(clock)
        self._client = ClientProvider("ecs", migration.aws, client)
        # What never changes, so that it is asked once.
        self._images: dict[str, tuple[str, ...]] = {}
        self._revisions: dict[str, Mapping[str, Any]] = {}
        self._finished: dict[str, Deployment] = {}

    def check(self) -> tuple[Health, ...]:
        """Each permission that this kind of service needs, by asking for the last day."""
        now = self._clock()
        self._images, self._revisions, self._finished = {}, {}, {}
        *_, talk = self._read(Window.last(1440, now=now), int(now.timestamp()))
        return tuple(
            talk.health(action)
            for action in _OPERATIONS
            if talk.was_called(action) or talk.has_failed("DescribeServices")
        )

    def _read(self, window: Window, asked_at: int) -> tuple[list[Deployment], DeploymentState | None, bool, ApiSession]:
        """The deployments, the standing (None where no service could be read), and whether nothing was kept back."""
        talk = ApiSession(SOURCE, SOURCE, _OPERATIONS, self._client)
        services: list[EcsService] = []
        told: list[Deployment] = []
        newest: list[Deployment] = []
        whole = True
        for fleet, name in self._service_names:
            cluster, short = name.split("/")
            answer = talk.fetch_all("DescribeServices", about=name, cluster=cluster, services=[short])
            if isinstance(answer, Problem):
                whole = False
                continue
            here = next((one for one in answer if one.get("status") != "INACTIVE"), None)
            if here is None:  # MISSING among the failures, or deleted a while ago
                talk.add_problem("gone", "DescribeServices", name)
                whole = False
                continue
            found, answered = self._read_deployments(talk, fleet, name, here, window)
            whole = whole and answered
            told += found
            newest += found[:MAX_DETAILED]
            services.append(
                replace(
                    parse_service(here, fleet, name, self._aws, found),
                    images=self._images_of(talk, _task_definition_arn(here)),
                )
            )
        self._client.reset_on_auth_error(talk.problems)
        standing = DeploymentState(asked_at, tuple(services), tuple(newest)) if services else None
        return told, standing, whole, talk

    def _read_deployments(
        self, talk: ApiSession, fleet: FleetName, name: str, service: Mapping[str, Any], window: Window
    ) -> tuple[list[Deployment], bool]:
        """ECS's own deployments of a service, the newest first; those that CodeDeploy drives are CodeDeploy's to tell."""
        if _controller_type(service) != "ECS":
            return [], True
        cluster, short = name.split("/")
        after = datetime.fromtimestamp(max(window.start - MAX_DEPLOYMENT_S, 0), UTC)
        listed = talk.fetch_all(
            "ListServiceDeployments",
            about=name,
            cluster=cluster,
            service=short,
            createdAt={"after": after, "before": window.ends_at},
        )
        if isinstance(listed, Problem):
            listed, answered = [], False
        else:
            answered = True
        arns = [one.get("serviceDeploymentArn", "") for one in listed]
        arns = list(dict.fromkeys(arn for arn in (service.get("currentServiceDeployment", ""), *arns) if arn))
        found = [self._finished[arn] for arn in arns if arn in self._finished]
        asked = [arn for arn in arns if arn not in self._finished]
        for batch in _batches(asked):
            told = talk.fetch_all("DescribeServiceDeployments", about=name, serviceDeploymentArns=batch)
            if isinstance(told, Problem):
                answered = False
                continue
            self._load_revisions(talk, name, told)
            made = {one["serviceDeploymentArn"]: self._parse_deployment(one, fleet, name) for one in told}
            found += made.values()
            if not talk.has_failed("DescribeServiceRevisions"):
                self._finished |= {arn: one for arn, one in made.items() if not one.running}
        return sorted(found, key=lambda one: (-one.created, one.id)), answered

    def _load_revisions(self, talk: ApiSession, name: str, deployments: Iterable[Mapping[str, Any]]) -> None:
        """Asks for the service revisions that are not known yet: they hold the task definitions and target groups."""
        every = {arn for one in deployments for arn, *_ in _revisions_in(one)}
        for batch in _batches(sorted(every - self._revisions.keys())):
            told = talk.fetch_all("DescribeServiceRevisions", about=name, serviceRevisionArns=batch)
            if not isinstance(told, Problem):
                self._revisions |= {one["serviceRevisionArn"]: one for one in told}

    def _parse_deployment(self, told: Mapping[str, Any], fleet: FleetName, name: str) -> Deployment:
        return parse_deployment(told, fleet, name, self._aws, self._revisions)

    def _images_of(self, talk: ApiSession, arn: str) -> tuple[str, ...]:
        if not arn or arn in self._images:
            return self._images.get(arn, ())
        told = talk.fetch_all("DescribeTaskDefinition", about=_short_name(arn), taskDefinition=arn)
        if isinstance(told, Problem):
            return ()
        containers = (container for one in told for container in one.get("containerDefinitions", ()))
        self._images[arn] = tuple(container.get("image", "") for container in containers)
        return self._images[arn]


def parse_service(
    payload: Mapping[str, Any], fleet: FleetName, name: str, aws: Aws, deployments: Sequence[Deployment] = ()
) -> EcsService:
    """A service as DescribeServices tells it; its revisions by `deployments`, ECS's own, the newest first."""
    controller = _controller_type(payload)
    strategy: Strategy = "codedeploy" if controller == "CODE_DEPLOY" else "external"
    if controller == "ECS":
        strategy = _STRATEGIES.get(payload.get("deploymentConfiguration", {}).get("strategy", "ROLLING"), "rolling")
    rollouts: Sequence[Mapping[str, Any]] = payload.get("deployments", ())
    primary: Mapping[str, Any] = next((one for one in rollouts if one.get("status") == "PRIMARY"), {})
    task_sets = tuple(parse_task_set(one) for one in payload.get("taskSets", ()))
    if not task_sets and deployments:
        task_sets = deployments[0].task_sets
    definition = _short_name(_task_definition_arn(payload))
    events: Sequence[Mapping[str, Any]] = payload.get("events", ())
    cluster, short = name.split("/")
    return EcsService(
        fleet=fleet,
        name=name,
        status=payload.get("status", ""),
        controller=controller,
        strategy=strategy,
        desired=payload.get("desiredCount", 0),
        running=payload.get("runningCount", 0),
        pending=payload.get("pendingCount", 0),
        task_definition=definition,
        previous_task_definition=next(
            (one for one in _previous_task_definitions(payload, deployments) if one not in ("", definition)), ""
        ),
        rollout=primary.get("rolloutState", ""),
        rollout_reason=primary.get("rolloutStateReason", ""),
        task_sets=task_sets,
        route=_parse_route(payload.get("loadBalancers", ())),
        events=tuple(
            ServiceEvent(_epoch(one.get("createdAt")) or 0, one.get("message", "")) for one in events[:MAX_MESSAGES]
        ),
        link=_console_url(aws, cluster, short),
    )


def parse_task_set(payload: Mapping[str, Any]) -> TaskSet:
    """A task set as DescribeServices tells it: one of CodeDeploy's, or of another controller."""
    balancers: Sequence[Mapping[str, Any]] = payload.get("loadBalancers", ())
    return TaskSet(
        id=payload.get("id", ""),
        status=payload.get("status", ""),
        task_definition=_short_name(payload.get("taskDefinition", "")),
        target_group=next((_target_group_name(one.get("targetGroupArn", "")) for one in balancers), ""),
        desired=payload.get("computedDesiredCount", 0),
        running=payload.get("runningCount", 0),
        pending=payload.get("pendingCount", 0),
        stability=payload.get("stabilityStatus", ""),
        deployment=payload.get("externalId", ""),
    )


def parse_deployment(
    payload: Mapping[str, Any], fleet: FleetName, name: str, aws: Aws, revisions: Mapping[str, Mapping[str, Any]]
) -> Deployment:
    """A deployment as DescribeServiceDeployments tells it. `revisions`: what DescribeServiceRevisions said, by ARN.

    The weights are those that were asked for; AWS calls them a snapshot.
    """
    cluster, short = name.split("/")
    back, stage = payload.get("rollback", {}), payload.get("lifecycleStage", "")
    definitions = {arn: _short_name(one.get("taskDefinition", "")) for arn, one in revisions.items()}
    target = payload.get("targetServiceRevision", {}).get("arn", "")
    sources = [one.get("arn", "") for one in payload.get("sourceServiceRevisions", ())]
    alarms: Sequence[str] = payload.get("alarms", {}).get("triggeredAlarmNames", ())
    breaker = payload.get("deploymentCircuitBreaker", {})
    hooks = [one for one in payload.get("lifecycleHookDetails", ()) if one.get("status") == "AWAITING_ACTION"]
    reasons = (
        [payload.get("statusReason", "")]
        if payload.get("status") not in ("SUCCESSFUL", "IN_PROGRESS", "PENDING")
        else []
    )
    reasons += [f"alarms: {', '.join(alarms)}"] if alarms else []
    reasons += [f"circuit breaker: {breaker.get('failureCount', 0)}"] if breaker.get("status") == "TRIGGERED" else []
    made = Deployment(
        system="ecs",
        id=payload.get("serviceDeploymentArn", "").rpartition("/")[2],
        fleet=fleet,
        status=payload.get("status", ""),
        created=_epoch(payload.get("createdAt")) or 0,
        started=_epoch(payload.get("startedAt")),
        ended=_epoch(payload.get("finishedAt") or payload.get("stoppedAt")),
        configuration=payload.get("deploymentConfiguration", {}).get("strategy", ""),
        task_definition=definitions.get(target, ""),
        previous_task_definition=next((found for arn in sources if (found := definitions.get(arn, ""))), ""),
        task_sets=tuple(
            _parse_revision_task_set(one, role, revisions.get(arn, {})) for arn, role, one in _revisions_in(payload)
        ),
        reason=back.get("reason", ""),
        rollback_at=_epoch(back.get("startedAt")),
        rolled_back_by=back.get("serviceRevisionArn", "").rpartition("/")[2],
        error="; ".join(reason for reason in reasons if reason),
        waits_for=", ".join(one.get("hookId", "") or one.get("targetType", "") for one in hooks),
        link=_console_url(aws, cluster, short),
    )
    if not made.running or not stage:
        return made
    return replace(made, stage=stage, stages=(Stage(stage, payload.get("status", "")),))


def _revisions_in(deployment: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """(ARN, "target" or "source", what the deployment says of it), the new revision first."""
    target: Mapping[str, Any] = deployment.get("targetServiceRevision", {})
    found = [("target", target), *(("source", one) for one in deployment.get("sourceServiceRevisions", ()))]
    return [(one["arn"], role, one) for role, one in found if one.get("arn")]


def _parse_revision_task_set(told: Mapping[str, Any], role: str, revision: Mapping[str, Any]) -> TaskSet:
    resolved = revision.get("resolvedConfiguration", {}).get("loadBalancers") or revision.get("loadBalancers") or ()
    return TaskSet(
        id=told.get("arn", "").rpartition("/")[2],
        status=role,
        task_definition=_short_name(revision.get("taskDefinition", "")),
        target_group=next((_target_group_name(one.get("targetGroupArn", "")) for one in resolved), ""),
        desired=told.get("requestedTaskCount", 0),
        running=told.get("runningTaskCount", 0),
        pending=told.get("pendingTaskCount", 0),
        weight=told.get("requestedProductionTrafficWeight"),
        test_weight=told.get("requestedTestTrafficWeight"),
    )


def _parse_route(balancers: Sequence[Mapping[str, Any]]) -> TrafficRoute:
    """Where ECS's own blue/green deployments shift traffic; without a rule where it has none of its own (rolling, or CodeDeploy's)."""
    for one in balancers:
        more = one.get("advancedConfiguration", {})
        groups = [
            _target_group_name(arn) for arn in (one.get("targetGroupArn"), more.get("alternateTargetGroupArn")) if arn
        ]
        if groups:
            return TrafficRoute(tuple(groups), rule_arn=more.get("productionListenerRule", ""))
    return TrafficRoute()


def _task_definition_arn(service: Mapping[str, Any]) -> str:
    """The ARN of the task definition in service: the PRIMARY task set's, where there are task sets; the service's own is then as it was created."""
    return str(_primary_task_set(service).get("taskDefinition", "") or service.get("taskDefinition", ""))


def _primary_task_set(service: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((one for one in service.get("taskSets", ()) if one.get("status") == "PRIMARY"), {})


def _previous_task_definitions(service: Mapping[str, Any], deployments: Sequence[Deployment]) -> Iterator[str]:
    """Task definitions that ran before the one in service, as far as the service itself tells. A task set that is newer is the next one."""
    for one in service.get("deployments", ()):
        if one.get("status") != "PRIMARY":
            yield _short_name(one.get("taskDefinition", ""))
    since = _primary_task_set(service).get("createdAt")
    for one in service.get("taskSets", ()):
        made = one.get("createdAt")
        if since is not None and made is not None and made < since:
            yield _short_name(one.get("taskDefinition", ""))
    for deployment in deployments[:1]:
        yield deployment.previous_task_definition


def _controller_type(service: Mapping[str, Any]) -> str:
    return str(service.get("deploymentController", {}).get("type", "ECS"))


def _short_name(arn: str) -> str:
    """arn:aws:ecs:…:task-definition/web:42 → web:42"""
    return arn.rpartition("/")[2]


def _target_group_name(arn: str) -> str:
    parsed = Arn.parse(arn)
    return parsed.name if parsed else arn


def _console_url(place: Aws, cluster: str, service: str) -> str:
    host = place.load_balancer_arn.console
    return (
        f"https://{place.region}.{host}/ecs/v2/clusters/{cluster}/services/{service}/deployments?region={place.region}"
    )


def _batches(arns: Sequence[str]) -> list[Sequence[str]]:
    return [arns[at : at + BATCH_SIZE] for at in range(0, len(arns), BATCH_SIZE)]


def _epoch(when: datetime | None) -> int | None:
    return int(when.timestamp()) if when else None
