"""The demo's CodeDeploy and ECS: the scenario's service and its deployments, one of which was rolled back."""

from dataclasses import replace

from domain import Window
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
from domain.window import HOUR_S, MINUTE_S
from sources.base import Events
from sources.demo.base import DemoSource
from sources.demo.metrics import TARGET_COUNTS
from sources.demo.scenario import BLUE, GREEN, Scenario
from sources.demo.sources import SPLIT_LISTENER_ARN

SOURCE = "demo_deployments"
_REVISIONS = (38, 39, 41, 42)  # of the task definition, one for each scripted deployment; 40 was rolled back
_ROLLED_BACK_REVISION = 40
_FAILED_LEAD_S = 25 * MINUTE_S  # from the start of the failed deployment to that of the one that fixed the outage
_FAILED_DURATION_S, _ROLLBACK_DURATION_S = 9 * MINUTE_S, 4 * MINUTE_S
_ERROR = "HEALTH_CONSTRAINTS: The new tasks did not become healthy in time."
_ROLLBACK_REASON = (
    "Rolled back by the deployment group's settings: the tasks ended at once, because their secret could not be read."
)
_STAGES = ("BeforeInstall", "Install", "AfterInstall", "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic")
_IMAGE = "123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/photo/web:1.2.0"
_STEADY_MESSAGE_INTERVAL_S = 6 * HOUR_S


class DemoDeployments(DemoSource):
    """An EventSource: the deployment state, and the events of the rolled-back deployment. The other deployments are events of DemoEvents."""

    name = SOURCE

    def events(self, window: Window) -> Events:
        now = self._now()
        events = (
            event
            for deployment in _rolled_back_deployments(self._scenario)
            for event in deployment_events(deployment, source=SOURCE)
            if window.start <= event.ts < min(window.end, now)
        )
        return Events(window, now, tuple(events), deployment_state=deployment_state(self._scenario, now))


def deployment_state(scenario: Scenario, now: int) -> DeploymentState:
    """The service and its deployments at `now`, newest deployment first."""
    deployments = sorted(
        (
            deployment
            for deployment in (*_succeeded_deployments(scenario), *_rolled_back_deployments(scenario))
            if (deployment.ended or deployment.created) <= now
        ),
        key=lambda deployment: -deployment.created,
    )
    task_definitions = [
        deployment.task_definition
        for deployment in deployments
        if deployment.outcome == "succeeded" and not deployment.is_rollback
    ]
    current, previous, *_ = (*task_definitions, "", "")
    live = scenario.step_at(now).live
    tasks = TARGET_COUNTS[live]
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
        task_definition=current,
        previous_task_definition=previous,
        images=(_IMAGE,),
        task_sets=(TaskSet("ecs-svc/1", "PRIMARY", current, live, tasks, tasks, 0, stability="STEADY_STATE"),),
        events=(ServiceEvent(steady_at, "(service web) has reached a steady state."),),
    )
    route = TrafficRoute((BLUE, GREEN), listener_arn=SPLIT_LISTENER_ARN)
    return DeploymentState(now, (service,), tuple(deployments), (("canary", route),), (("canary", now),))


def _deployment(revision: int, start: int, end: int | None) -> Deployment:
    return Deployment(
        system="codedeploy",
        id=f"d-{revision:09}",
        fleet="canary",
        status="Succeeded",
        created=start,
        started=start,
        ended=end,
        creator="user",
        configuration="CodeDeployDefault.ECSAllAtOnce",
        task_definition=f"web:{revision}",
    )


def _succeeded_deployments(scenario: Scenario) -> tuple[Deployment, ...]:
    events = [event for event in scenario.scripted_events if event.kind == "deployment"]
    return tuple(
        replace(_deployment(revision, event.ts, event.until), stages=_stages(event.ts, event.until or event.ts))
        for event, revision in zip(events, _REVISIONS, strict=True)
    )


def _rolled_back_deployments(scenario: Scenario) -> tuple[Deployment, Deployment]:
    """The first attempt to fix the outage, and the deployment that rolled it back."""
    fix = _succeeded_deployments(scenario)[_REVISIONS.index(_ROLLED_BACK_REVISION + 1)]
    start = fix.created - _FAILED_LEAD_S
    end = start + _FAILED_DURATION_S
    failed = _deployment(_ROLLED_BACK_REVISION, start, end)
    failed = replace(failed, status="Failed", rolled_back_by=f"{failed.id}R", error=_ERROR, reason=_ROLLBACK_REASON)
    rollback = replace(
        _deployment(_ROLLED_BACK_REVISION - 1, end, end + _ROLLBACK_DURATION_S),
        id=failed.rolled_back_by,
        creator="codeDeployRollback",
        rolls_back=failed.id,
        reason=_ROLLBACK_REASON,
    )
    return failed, rollback


def _stages(start: int, end: int) -> tuple[Stage, ...]:
    """The lifecycle events of a successful deployment: all but Install take seconds."""
    ends = [start + (end - start) * percent // 100 for percent in (2, 80, 82, 84, 96, 100)]
    return tuple(
        Stage(name, "Succeeded", stage_start, stage_end)
        for name, stage_start, stage_end in zip(_STAGES, (start, *ends[:-1]), ends, strict=True)
    )
