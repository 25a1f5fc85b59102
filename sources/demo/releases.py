"""The demo's releases: a second service behind the load balancer, which ECS deploys by canary; one release was rolled back, the newest runs."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from domain import Window
from domain.deployments import Deployment, EcsService, PlannedShift, Stage, TaskSet, TrafficRoute, Wait
from domain.window import DAY_S, HOUR_S, MINUTE_S
from sources.demo.scenario import RELEASE_GROUPS, RELEASE_SERVICE, ZONE, Scenario, ScenarioStep, local_epoch_s

CANARY_PERCENT, BAKE_S, END_S = 20, HOUR_S, 15 * MINUTE_S
STEP_AFTER_S = 2 * HOUR_S  # to 100 %: after BAKE_S, a hook of type PAUSE waits for a person
_PAUSE_TIMEOUT_S = DAY_S
_ARN_PREFIX = f"arn:aws:ecs:ap-northeast-1:123456789012:service-deployment/{RELEASE_SERVICE}"
_ROLLED_BACK_AFTER_S = 42 * MINUTE_S
_RUNNING_FOR_S = 95 * MINUTE_S  # at the hour in which the program started
_REPOSITORY = "123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/photo/search"
_ALARM = "alarms: photo-search: p95 above 400 ms"
_REASON = "Service deployment rolled back because the alarm is in ALARM state."


@dataclass(frozen=True, slots=True)
class ScriptedRelease:
    """A deployment of `revision` of the task definition at `start` (epoch seconds) to the target group `group`; `previous` is on the other one."""

    start: int
    revision: int
    previous: int
    group: str
    end: Literal["succeeded", "rolled_back", "running"]
    commit: str

    @property
    def old_group(self) -> str:
        return RELEASE_GROUPS[1 - RELEASE_GROUPS.index(self.group)]

    @property
    def ended(self) -> int | None:
        """When ECS ended the deployment (epoch seconds)."""
        if self.end == "running":
            return None
        return self.start + (STEP_AFTER_S + END_S if self.end == "succeeded" else _ROLLED_BACK_AFTER_S + 6 * MINUTE_S)


@lru_cache(maxsize=8)
def scripted_releases(anchor: datetime) -> tuple[ScriptedRelease, ...]:
    """The releases of a program that started in the hour of `anchor`, oldest first."""
    anchor_s = int(anchor.timestamp()) // HOUR_S * HOUR_S
    today = datetime.fromtimestamp(anchor_s, ZONE).date()
    blue, green = RELEASE_GROUPS

    def at(days_before: int, clock: str) -> int:
        return local_epoch_s(today - timedelta(days=days_before), clock)

    return (
        ScriptedRelease(at(9, "10:30"), 58, 57, green, "succeeded", "4be17d0"),
        ScriptedRelease(at(6, "14:00"), 59, 58, blue, "rolled_back", "c02f9a3"),
        ScriptedRelease(at(5, "15:30"), 60, 58, blue, "succeeded", "7d31e58"),
        ScriptedRelease(anchor_s - _RUNNING_FOR_S, 61, 60, green, "running", "e95ab16"),
    )


@lru_cache(maxsize=8)
def release_scenario(anchor: datetime) -> Scenario:
    """The service's traffic: all of it to one target group, and a part of it to the other one during a release."""
    releases = scripted_releases(anchor)
    start = releases[0].start - 2 * HOUR_S
    steps = [ScenarioStep(start, 100, 0, releases[0].group, releases[0].old_group)]
    for release in releases:
        rest = 100 - CANARY_PERCENT
        steps.append(ScenarioStep(release.start, rest, CANARY_PERCENT, release.group, release.old_group))
        if release.end == "succeeded":
            steps.append(ScenarioStep(release.start + STEP_AFTER_S, 0, 100, release.group, release.old_group))
        if release.end == "rolled_back":
            end = release.start + _ROLLED_BACK_AFTER_S
            steps.append(ScenarioStep(end, 100, 0, release.group, release.old_group))
    slow = next(release for release in releases if release.end == "rolled_back")
    return Scenario(
        anchor=int(anchor.timestamp()) // HOUR_S * HOUR_S,
        start=start,
        steps=tuple(steps),
        slowdown=Window(slow.start - 10 * MINUTE_S, slow.start + _ROLLED_BACK_AFTER_S),
        outage=Window(start - HOUR_S, start),  # none
        scripted_events=(),
        groups=RELEASE_GROUPS,
    )


def release_deployments(anchor: datetime, now: int) -> tuple[Deployment, ...]:
    """The service's deployments as ECS has them at `now` (epoch seconds), newest first."""
    return tuple(_deployment(release, now) for release in reversed(scripted_releases(anchor)) if release.start <= now)


def _deployment(release: ScriptedRelease, now: int) -> Deployment:
    new, old = f"search:{release.revision}", f"search:{release.previous}"
    is_back, is_running = release.end == "rolled_back", release.end == "running"
    weight = {"running": CANARY_PERCENT, "rolled_back": 0, "succeeded": 100}[release.end]
    stages = _stages(release, now) if is_running else ()
    return Deployment(
        system="ecs",
        id=_id(release),
        fleet="canary",
        status={"running": "IN_PROGRESS", "rolled_back": "ROLLBACK_SUCCESSFUL", "succeeded": "SUCCESSFUL"}[release.end],
        created=release.start,
        started=release.start,
        ended=release.ended,
        configuration="CANARY",
        shift=PlannedShift("canary", CANARY_PERCENT, BAKE_S // MINUTE_S),
        task_definition=new,
        previous_task_definition=old,
        stage=stages[-1].name if stages else "",
        stages=stages,
        waits=_waits(release, now) if is_running else (),
        arn=f"{_ARN_PREFIX}/{_id(release)}",
        task_sets=(
            _task_set(release.revision, "target", release.group, weight, release.commit),
            _task_set(release.previous, "source", release.old_group, 100 - weight),
        ),
        rollback_at=release.start + _ROLLED_BACK_AFTER_S if is_back else None,
        reason=_REASON if is_back else "",
        error=_ALARM if is_back else "",
    )


def _id(release: ScriptedRelease) -> str:
    return f"demo{release.revision:017}"


def _stages(release: ScriptedRelease, now: int) -> tuple[Stage, ...]:
    """The current stage, as ECS has it."""
    paused_at = release.start + BAKE_S
    if now < paused_at:
        return (Stage("BAKE_TIME", "IN_PROGRESS", release.start),)
    return (Stage("PRE_PRODUCTION_TRAFFIC_SHIFT", "IN_PROGRESS", paused_at),)


def _waits(release: ScriptedRelease, now: int) -> tuple[Wait, ...]:
    """The hook that pauses the deployment. In a demo that runs for days its time-out is put off by a day each time."""
    paused_s = now - release.start - BAKE_S
    if paused_s < 0:
        return ()
    expires_at = now - paused_s + (paused_s // _PAUSE_TIMEOUT_S + 1) * _PAUSE_TIMEOUT_S
    return (Wait("hook-before-100", expires_at, "roll_back"),)


def _task_set(revision: int, status: str, group: str, weight: int, commit: str = "") -> TaskSet:
    tasks = 6 if weight else 0
    return TaskSet(
        id=str(revision),
        status=status,
        task_definition=f"search:{revision}",
        target_group=group,
        desired=tasks,
        running=tasks,
        pending=0,
        weight=weight,
        container_images=(f"{_REPOSITORY}:{commit}",) if commit else (),
    )


def release_service(anchor: datetime, now: int) -> EcsService:
    """The service as ECS has it at `now` (epoch seconds)."""
    deployments = release_deployments(anchor, now)
    newest = deployments[0]
    current = next(deployment for deployment in deployments if deployment.outcome == "succeeded")
    return EcsService(
        fleet="canary",
        name=RELEASE_SERVICE,
        status="ACTIVE",
        controller="ECS",
        strategy="canary",
        desired=6,
        running=6,
        pending=0,
        task_definition=newest.task_definition if newest.running else current.task_definition,
        previous_task_definition=newest.previous_task_definition,
        images=next(task_set.container_images for task_set in newest.task_sets),
        task_sets=newest.task_sets,
        route=TrafficRoute(RELEASE_GROUPS),
    )
