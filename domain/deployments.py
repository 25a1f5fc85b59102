"""How the ECS side is deployed: services as they stand, and deployments with their stages, task sets and roll-backs, by CodeDeploy or ECS itself."""

from dataclasses import dataclass, replace
from typing import Literal

from pydantic import TypeAdapter

from domain.events import Event
from domain.series import FleetName

DeploymentSystem = Literal["codedeploy", "ecs"]
# What became of a deployment, whatever its system calls it.
Outcome = Literal["running", "succeeded", "failed", "stopped", "rolled_back"]
# How new tasks take over: CodeDeploy's blue/green, ECS's own ways, or somebody else's.
Strategy = Literal["codedeploy", "rolling", "blue_green", "linear", "canary", "external"]

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
    """One lifecycle event or stage in its system's own words (`AllowTraffic`, `BAKE_TIME`). Times are epoch seconds; None: not yet, or not told."""

    name: str
    status: str
    began: int | None = None
    ended: int | None = None


@dataclass(frozen=True, slots=True)
class TaskSet:
    """The tasks of one revision. `weight` and `test_weight` are percent of the production and the test traffic; None where nobody tells.

    `status` is PRIMARY, ACTIVE or DRAINING for a task set, "source" or "target" for a revision of ECS's own deployments. `deployment` is the
    CodeDeploy deployment that made it.
    """

    id: str
    status: str
    task_definition: str  # "web:42"
    target_group: str  # its name
    desired: int
    running: int
    pending: int
    weight: float | None = None
    test_weight: float | None = None
    label: str = ""  # CodeDeploy's "Blue" or "Green"
    stability: str = ""  # STEADY_STATE or STABILIZING
    deployment: str = ""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment. `status` and `error` are the system's own words: escape them. Times are epoch seconds.

    `started` may lie after `ended`: CodeDeploy's own clocks differ. `rolls_back` is the deployment that this one takes back, `rolled_back_by`
    the deployment or revision that took this one back; `why` is what was said about that. ECS takes a deployment back within itself, from
    `rollback_at` on.
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
    task_definition: str = ""
    previous_task_definition: str = ""  # the task definition that it replaces
    stage: str = ""  # where it is, while it runs
    stages: tuple[Stage, ...] = ()
    task_sets: tuple[TaskSet, ...] = ()
    rolls_back: str = ""
    rolled_back_by: str = ""
    rollback_at: int | None = None
    reason: str = ""
    error: str = ""  # "ALARM_ACTIVE: One or more alarms …"
    waits_for: str = ""  # a hook that somebody has to let go on, or a wait that somebody has to end
    link: str = ""

    @property
    def outcome(self) -> Outcome:
        found = _OUTCOMES.get(self.status, "running")
        return "rolled_back" if self.rolled_back_by and found in ("failed", "stopped") else found

    @property
    def running(self) -> bool:
        return self.outcome == "running"

    @property
    def is_rollback(self) -> bool:
        return bool(self.rolls_back)


@dataclass(frozen=True, slots=True)
class TrafficRoute:
    """Where a blue/green deployment shifts traffic: the two target groups by name, and the production rule or, with CodeDeploy, the listener."""

    groups: tuple[str, ...] = ()
    rule_arn: str = ""
    listener_arn: str = ""


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """One line of a service's own diary."""

    ts: int
    text: str


@dataclass(frozen=True, slots=True)
class EcsService:
    """An ECS service now. `before` is the task definition that ran before this one, "" where nobody tells; `images` are this one's.

    `rollout` is the state of ECS's own deployment (IN_PROGRESS, COMPLETED, FAILED) with its reason; CodeDeploy's services have none.
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
        return next((one for one in self.task_sets if one.status == "PRIMARY"), None)


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """How services and deployments stand at `asked_at` (epoch seconds): each fleet's newest deployments, newest first, and the routes that
    CodeDeploy's deployment groups shift traffic along."""

    asked_at: int
    services: tuple[EcsService, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    routes: tuple[tuple[FleetName, TrafficRoute], ...] = ()

    def service(self, fleet: FleetName) -> EcsService | None:
        return next((one for one in self.services if one.fleet == fleet), None)

    def latest(self, fleet: FleetName) -> Deployment | None:
        """The deployment that runs, else the newest."""
        mine = [one for one in self.deployments if one.fleet == fleet]
        return next((one for one in mine if one.running), mine[0] if mine else None)

    def route(self, fleet: FleetName) -> TrafficRoute | None:
        return next((route for name, route in self.routes if name == fleet), None)


def merge_deployment_states(states: tuple[DeploymentState, ...]) -> DeploymentState | None:
    """What several sources said, as one; as old as the oldest of it. A service takes what it lacks from CodeDeploy's deployment: what ran before."""
    if not states:
        return None
    deployments = sorted(
        (one for standing in states for one in standing.deployments), key=lambda one: (-one.created, one.id)
    )
    whole = DeploymentState(
        min(standing.asked_at for standing in states),
        tuple(one for standing in states for one in standing.services),
        tuple(deployments),
        tuple(one for standing in states for one in standing.routes),
    )
    return replace(whole, services=tuple(_with_previous_task_definition(one, whole) for one in whole.services))


def _with_previous_task_definition(service: EcsService, state: DeploymentState) -> EcsService:
    """The task definition that ran before this one, by the deployments that are known."""
    if service.previous_task_definition:
        return service
    earlier = (
        one.task_definition
        for one in state.deployments
        if one.fleet == service.fleet and one.outcome == "succeeded" and one.task_definition
    )
    return replace(
        service, previous_task_definition=next((one for one in earlier if one != service.task_definition), "")
    )


@dataclass(frozen=True, slots=True)
class ShiftPart:
    """One side of a traffic shift: `percent` of the service's production traffic."""

    target_group: str
    task_definition: str
    percent: float
    new: bool


def traffic_shift(service: EcsService | None, deployment: Deployment) -> tuple[ShiftPart, ...]:
    """How far a deployment has moved the traffic, the tasks before first; empty where nobody tells weights."""
    definitions = {one.id: one.task_definition for one in service.task_sets} if service else {}
    parts = [
        ShiftPart(
            one.target_group,
            one.task_definition or definitions.get(one.id, ""),
            one.weight,
            new=one.label == "Green" or one.status == "target",
        )
        for one in deployment.task_sets
        if one.weight is not None
    ]
    return tuple(sorted(parts, key=lambda part: part.new))


def deployment_events(deployment: Deployment, *, source: str) -> tuple[Event, ...]:
    """A deployment on the time line, in its system's own words. CodeDeploy's roll-back is a deployment that takes another back; ECS's begins
    within the deployment that it takes back."""
    what = deployment.task_definition or deployment.id
    said = (deployment.id, deployment.configuration, deployment.creator, deployment.error, deployment.reason)
    until = deployment.ended
    made = Event(
        ts=deployment.created,
        until=None if deployment.running or until is None else max(until, deployment.created),
        kind="rollback" if deployment.is_rollback else "deployment",
        title=f"{what} {deployment.status}",
        detail=" · ".join(part for part in said if part),
        fleet=deployment.fleet,
        link=deployment.link,
        source=source,
        key=deployment.id,
        open=deployment.running,
    )
    if deployment.rollback_at is None:
        return (made,)
    back = replace(
        made,
        ts=deployment.rollback_at,
        kind="rollback",
        title=f"{deployment.previous_task_definition or what} ← {what}",
    )
    return made, replace(back, key=f"{deployment.id} rollback", until=made.until and max(made.until, back.ts))


_STATE = TypeAdapter(DeploymentState)


def deployment_state_to_json(state: DeploymentState) -> str:
    """As the archive keeps it: equal values give equal texts."""
    return _STATE.dump_json(state).decode()


def deployment_state_from_json(text: str) -> DeploymentState:
    """What `standing_to_json` wrote. Raises ValueError where it did not."""
    return _STATE.validate_json(text)
