"""ECS services and their deployments by CodeDeploy or by ECS itself: stages, task sets and rollbacks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from domain.events import Event
from domain.series import FleetName

DeploymentSystem = Literal["codedeploy", "ecs"]
Outcome = Literal["running", "succeeded", "failed", "stopped", "rolled_back"]
# CodeDeploy's blue/green, ECS's own deployment strategies, or an external controller.
Strategy = Literal["codedeploy", "rolling", "blue_green", "linear", "canary", "external"]
# What follows when a wait is not ended: the deployment goes on, is rolled back, is stopped, or the old tasks are terminated; "": unknown.
TimeoutAction = Literal["continue", "roll_back", "stop", "terminate", ""]

_OUTCOMES: dict[str, Outcome] = {
    # CodeDeploy
    "Succeeded": "succeeded",
    "Failed": "failed",
    "Stopped": "stopped",
    # ECS
    "SUCCESSFUL": "succeeded",
    "STOPPED": "stopped",
    "ROLLBACK_SUCCESSFUL": "rolled_back",
    "ROLLBACK_FAILED": "failed",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """A CodeDeploy lifecycle event or an ECS lifecycle stage (`AllowTraffic`, `BAKE_TIME`). Times in epoch seconds; None: not yet, or unknown."""

    name: str
    status: str
    began: int | None = None
    ended: int | None = None


@dataclass(frozen=True, slots=True)
class TaskSet:
    """The tasks of one revision. `weight` and `test_weight` are percent of the production and the test traffic; None: unknown.

    `status`: PRIMARY, ACTIVE or DRAINING for a task set; "source" or "target" for a revision of an ECS deployment. `deployment`: the id of the
    CodeDeploy deployment that created it. `container_images`: () if unknown.
    """

    id: str
    status: str
    task_definition: str  # "web:42"
    target_group: str  # name
    desired: int
    running: int
    pending: int
    weight: float | None = None
    test_weight: float | None = None
    label: str = ""  # CodeDeploy's "Blue" or "Green"
    stability: str = ""  # STEADY_STATE or STABILIZING
    deployment: str = ""
    container_images: tuple[str, ...] = ()

    def completed_by(self, before: "TaskSet") -> "TaskSet":
        """The task set with the revision of an earlier read, if this one is without it."""
        return replace(
            self,
            task_definition=self.task_definition or before.task_definition,
            target_group=self.target_group or before.target_group,
            container_images=self.container_images or before.container_images,
        )


@dataclass(frozen=True, slots=True)
class Wait:
    """A point at which a deployment waits for a command. `id`: of ECS's hook of type PAUSE, or CodeDeploy's READY_WAIT or TERMINATION_WAIT.

    `expires_at`: when `on_timeout` happens (epoch seconds); None: unknown.
    """

    id: str
    expires_at: int | None = None
    on_timeout: TimeoutAction = ""


@dataclass(frozen=True, slots=True)
class PlannedShift:
    """How a deployment is configured to shift the traffic: `percent` of it first (canary), or in each step (linear), for `minutes`."""

    kind: Literal["all_at_once", "canary", "linear"]
    percent: float = 100.0
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment. Times are epoch seconds; `started` may be after `ended`, because CodeDeploy's clocks differ. Texts are external: escape them.

    A rollback by CodeDeploy is another deployment: `rolls_back` is the id of the deployment that it reverts, `rolled_back_by` the id of
    the deployment that reverted this one, with `reason`. ECS rolls back within the deployment, from `rollback_at` on.
    """

    system: DeploymentSystem
    id: str
    fleet: FleetName
    status: str
    created: int
    started: int | None = None
    ended: int | None = None
    creator: str = ""
    configuration: str = ""  # CodeDeployDefault.ECSAllAtOnce, or ECS's strategy
    commit: str = ""  # a tag of the new task definition
    shift: PlannedShift | None = None  # of `configuration`; None: rolling, or unknown
    task_definition: str = ""
    previous_task_definition: str = ""
    stage: str = ""  # the current one, while running
    stages: tuple[Stage, ...] = ()
    task_sets: tuple[TaskSet, ...] = ()
    rolls_back: str = ""
    rolled_back_by: str = ""
    rollback_at: int | None = None
    reason: str = ""
    error: str = ""  # "ALARM_ACTIVE: One or more alarms …"
    waits: tuple[Wait, ...] = ()
    link: str = ""
    arn: str = ""  # of ECS

    @property
    def outcome(self) -> Outcome:
        outcome = _OUTCOMES.get(self.status, "running")
        return "rolled_back" if self.rolled_back_by and outcome in ("failed", "stopped") else outcome

    @property
    def running(self) -> bool:
        return self.outcome == "running"

    @property
    def is_rollback(self) -> bool:
        return bool(self.rolls_back)

    def completed_by(self, before: "Deployment") -> "Deployment":
        """The deployment with what only an earlier read of it had, because it is old or a permission was denied."""
        known = {task_set.id: task_set for task_set in before.task_sets}
        task_sets = [task_set.completed_by(known.pop(task_set.id, task_set)) for task_set in self.task_sets]
        return replace(
            self,
            task_sets=(*task_sets, *known.values()),
            task_definition=self.task_definition or before.task_definition,
            previous_task_definition=self.previous_task_definition or before.previous_task_definition,
            commit=self.commit or before.commit,
        )


@dataclass(frozen=True, slots=True)
class TrafficRoute:
    """The target groups (names) between which a blue/green deployment shifts traffic, and the production rule or (CodeDeploy) listener."""

    groups: tuple[str, ...] = ()
    rule_arn: str = ""
    listener_arn: str = ""


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """An entry of an ECS service's event log."""

    ts: int
    text: str


@dataclass(frozen=True, slots=True)
class EcsService:
    """The current state of an ECS service. `previous_task_definition`: "" if unknown; `images`: those of `task_definition`.

    `rollout`: the state of the ECS deployment (IN_PROGRESS, COMPLETED, FAILED); "" for services deployed by CodeDeploy.
    """

    fleet: FleetName
    name: str  # cluster/service
    status: str
    controller: str  # ECS, CODE_DEPLOY, EXTERNAL
    strategy: Strategy
    desired: int
    running: int
    pending: int
    task_definition: str
    previous_task_definition: str = ""
    images: tuple[str, ...] = ()
    rollout: str = ""
    rollout_reason: str = ""
    task_sets: tuple[TaskSet, ...] = ()
    route: TrafficRoute = TrafficRoute()
    events: tuple[ServiceEvent, ...] = ()
    link: str = ""

    @property
    def primary(self) -> TaskSet | None:
        """The task set that serves production traffic."""
        return next((task_set for task_set in self.task_sets if task_set.status == "PRIMARY"), None)


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """Services, recent deployments (newest first) and CodeDeploy's traffic routes by fleet, fetched at `asked_at` (epoch seconds).

    `listed_at`: when CodeDeploy's deployments of a fleet were last read in full; without an entry it is unknown whether one is running.
    """

    asked_at: int
    services: tuple[EcsService, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    routes: tuple[tuple[FleetName, TrafficRoute], ...] = ()
    listed_at: tuple[tuple[FleetName, int], ...] = ()

    def asked_at_time(self, asked_at: int) -> "DeploymentState":
        """The same state, fetched at another time."""
        return replace(self, asked_at=asked_at, listed_at=tuple((fleet, asked_at) for fleet, _ in self.listed_at))

    def is_listed(self, fleet: FleetName, *, since: int) -> bool:
        """Whether CodeDeploy's deployments of the fleet were read in full at `since` (epoch seconds) or later."""
        return any(name == fleet and listed_at >= since for name, listed_at in self.listed_at)

    def service(self, fleet: FleetName) -> EcsService | None:
        return next((service for service in self.services if service.fleet == fleet), None)

    def latest(self, fleet: FleetName) -> Deployment | None:
        """The running deployment, else the newest."""
        deployments = [deployment for deployment in self.deployments if deployment.fleet == fleet]
        running = (deployment for deployment in deployments if deployment.running)
        return next(running, deployments[0] if deployments else None)

    def route(self, fleet: FleetName) -> TrafficRoute | None:
        return next((route for name, route in self.routes if name == fleet), None)


def newest_first(deployment: Deployment) -> tuple[int, str]:
    """A sort key."""
    return -deployment.created, deployment.id


def merge_deployment_states(states: tuple[DeploymentState, ...]) -> DeploymentState | None:
    """The states of several sources as one, with the oldest `asked_at`; a service's unknown previous task definition is taken from its deployments."""
    if not states:
        return None
    deployments = [deployment for state in states for deployment in state.deployments]
    deployments.sort(key=newest_first)
    return DeploymentState(
        min(state.asked_at for state in states),
        tuple(_with_previous_task_definition(service, deployments) for state in states for service in state.services),
        tuple(deployments),
        tuple(route for state in states for route in state.routes),
        tuple(listed for state in states for listed in state.listed_at),
    )


def _with_previous_task_definition(service: EcsService, deployments: Sequence[Deployment]) -> EcsService:
    """The service with the last successfully deployed task definition before the current one. `deployments`: newest first."""
    if service.previous_task_definition:
        return service
    previous = (
        deployment.task_definition
        for deployment in deployments
        if deployment.fleet == service.fleet
        and deployment.outcome == "succeeded"
        and deployment.task_definition not in ("", service.task_definition)
    )
    return replace(service, previous_task_definition=next(previous, ""))


@dataclass(frozen=True, slots=True)
class ShiftPart:
    """A task set's share of the service's production traffic. `new`: of the revision that is being deployed."""

    target_group: str
    task_definition: str
    percent: float
    new: bool


def traffic_shift(service: EcsService | None, deployment: Deployment) -> tuple[ShiftPart, ...]:
    """How the production traffic is divided between the old and the new task set, the old one first; () if the weights are unknown."""
    definitions = {task_set.id: task_set.task_definition for task_set in service.task_sets} if service else {}
    parts = [
        ShiftPart(
            task_set.target_group,
            task_set.task_definition or definitions.get(task_set.id, ""),
            task_set.weight,
            new=task_set.label == "Green" or task_set.status == "target",
        )
        for task_set in deployment.task_sets
        if task_set.weight is not None
    ]
    return tuple(sorted(parts, key=lambda part: part.new))


def deployment_events(deployment: Deployment, *, source: str) -> tuple[Event, ...]:
    """The event of a deployment, and a second one if ECS rolled it back; a rollback by CodeDeploy is a deployment of its own."""
    name = deployment.task_definition or deployment.id
    details = (deployment.id, deployment.configuration, deployment.creator, deployment.error, deployment.reason)
    ended = deployment.ended
    event = Event(
        ts=deployment.created,
        until=None if deployment.running or ended is None else max(ended, deployment.created),
        kind="rollback" if deployment.is_rollback else "deployment",
        title=f"{name} {deployment.status}",
        detail=" · ".join(filter(None, details)),
        fleet=deployment.fleet,
        link=deployment.link,
        source=source,
        key=deployment.id,
        open=deployment.running,
    )
    if deployment.rollback_at is None:
        return (event,)
    rollback = replace(
        event,
        ts=deployment.rollback_at,
        until=event.until and max(event.until, deployment.rollback_at),
        kind="rollback",
        title=f"{deployment.previous_task_definition or name} ← {name}",
        key=f"{deployment.id} rollback",
    )
    return event, rollback
