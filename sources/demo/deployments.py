"""The demo's CodeDeploy and ECS: the story's service and its deployments, one of which was taken back."""

from datetime import datetime

from domain import Clock, Window, utc_now
from domain.deployments import (
    Deployment,
    DeploymentState,
    EcsService,
    ServiceEvent,
    Stage,
    TaskSet,
    TrafficRoute,
    deployment_events,
)
from sources.base import Events, Health
from sources.demo.metrics import TARGET_COUNTS
from sources.demo.scenario import BLUE, GREEN, Scenario, scenario_for
from sources.demo.sources import SPLIT_LISTENER_ARN

SOURCE = "demo_deployments"
_REVISIONS = (38, 39, 41, 42)  # of the task definition, one a deployment of the story; 40 was taken back
_ROLLED_BACK_REVISION = 40
_FAILED_LEAD_S, _FAILED_DURATION_S, _ROLLBACK_DURATION_S = (
    25 * 60,
    9 * 60,
    4 * 60,
)  # 25 minutes before the deployment that mended the dead tasks
_CONFIGURATION = "CodeDeployDefault.ECSAllAtOnce"
_ERROR = "HEALTH_CONSTRAINTS: The new tasks did not become healthy in time."
_ROLLBACK_REASON = (
    "Rolled back by the deployment group's settings: the tasks ended at once, because their secret could not be read."
)
_STAGES = ("BeforeInstall", "Install", "AfterInstall", "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic")
_IMAGE = "123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/photo/web:1.2.0"
_STEADY_MESSAGE_INTERVAL_S = 6 * 3600


class DemoDeployments:
    """A sources.EventSource: how the story's service stands. Its deployments are the story's own events; what was taken back is told here."""

    name = SOURCE

    def __init__(self, *, anchor: datetime, clock: Clock = utc_now) -> None:
        self._scenario, self._clock = scenario_for(anchor), clock

    def events(self, window: Window) -> Events:
        """What was taken back in `window`, as far as it has happened, and the standing of now."""
        now = int(self._clock().timestamp())
        told = (
            event for one in _rolled_back_deployments(self._scenario) for event in deployment_events(one, source=SOURCE)
        )
        within = (event for event in told if window.start <= event.ts < min(window.end, now))
        return Events(window, now, tuple(within), deployment_state=deployment_state(self._scenario, now))

    def check(self) -> tuple[Health, ...]:
        return (Health(self.name, "demo", "up", 0.0),)


def deployment_state(scenario: Scenario, now: int) -> DeploymentState:
    """The service and its deployments as they stood at `now`, the newest deployment first."""
    known = [
        one
        for one in (*_succeeded_deployments(scenario), *_rolled_back_deployments(scenario))
        if (one.ended or one.created) <= now
    ]
    known.sort(key=lambda one: -one.created)
    done = [one for one in known if one.outcome == "succeeded" and not one.is_rollback]
    live = scenario.step_at(now).live
    tasks, definition = TARGET_COUNTS[live], done[0].task_definition if done else ""
    primary = TaskSet("ecs-svc/1", "PRIMARY", definition, live, tasks, tasks, 0, stability="STEADY_STATE")
    steady_at = scenario.anchor + (now - scenario.anchor) // _STEADY_MESSAGE_INTERVAL_S * _STEADY_MESSAGE_INTERVAL_S
    service = EcsService(
        fleet="canary",
        name="photo/web",
        status="ACTIVE",
        controller="CODE_DEPLOY",
        strategy="codedeploy",
        desired=tasks,
        running=tasks,
        pending=0,
        task_definition=definition,
        previous_task_definition=done[1].task_definition if len(done) > 1 else "",
        images=(_IMAGE,),
        task_sets=(primary,),
        events=(ServiceEvent(steady_at, "(service web) has reached a steady state."),),
    )
    return DeploymentState(
        now, (service,), tuple(known), (("canary", TrafficRoute((BLUE, GREEN), listener_arn=SPLIT_LISTENER_ARN)),)
    )


def _succeeded_deployments(story: Scenario) -> tuple[Deployment, ...]:
    """The story's own deployments, as CodeDeploy would tell them."""
    told = [event for event in story.scripted_events if event.kind == "deployment"]
    return tuple(
        Deployment(
            system="codedeploy",
            id=f"d-{revision:09}",
            fleet="canary",
            status="Succeeded",
            created=event.ts,
            started=event.ts,
            ended=event.until,
            creator="user",
            configuration=_CONFIGURATION,
            task_definition=f"web:{revision}",
            stages=_stages(event.ts, event.until or event.ts),
        )
        for event, revision in zip(told, _REVISIONS, strict=True)
    )


def _rolled_back_deployments(story: Scenario) -> tuple[Deployment, Deployment]:
    """The first try at mending the dead tasks, and the deployment that took it back."""
    cure = _succeeded_deployments(story)[_REVISIONS.index(_ROLLED_BACK_REVISION + 1)]
    begun = cure.created - _FAILED_LEAD_S
    ended = begun + _FAILED_DURATION_S
    failed = Deployment(
        system="codedeploy",
        id=f"d-{_ROLLED_BACK_REVISION:09}",
        fleet="canary",
        status="Failed",
        created=begun,
        started=begun,
        ended=ended,
        creator="user",
        configuration=_CONFIGURATION,
        task_definition=f"web:{_ROLLED_BACK_REVISION}",
        rolled_back_by=f"d-{_ROLLED_BACK_REVISION:09}R",
        error=_ERROR,
        reason=_ROLLBACK_REASON,
    )
    back = Deployment(
        system="codedeploy",
        id=failed.rolled_back_by,
        fleet="canary",
        status="Succeeded",
        created=ended,
        started=ended,
        ended=ended + _ROLLBACK_DURATION_S,
        creator="codeDeployRollback",
        configuration=_CONFIGURATION,
        task_definition=f"web:{_ROLLED_BACK_REVISION - 1}",
        rolls_back=failed.id,
        reason=_ROLLBACK_REASON,
    )
    return failed, back


def _stages(start: int, end: int) -> tuple[Stage, ...]:
    """Every lifecycle event of a deployment that went through: all but the installing of tasks takes seconds."""
    length = end - start
    ends = [start + length * part // 100 for part in (2, 80, 82, 84, 96, 100)]
    return tuple(
        Stage(name, "Succeeded", began, ended)
        for name, began, ended in zip(_STAGES, (start, *ends[:-1]), ends, strict=True)
    )
