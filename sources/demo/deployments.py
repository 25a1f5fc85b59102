"""The demo's CodeDeploy and ECS: the story's service and its deployments, one of which was taken back."""

from datetime import datetime

from domain import Clock, Window, utc_now
from domain.deployments import Deployment, Message, Route, Service, Stage, Standing, TaskSet, events_of
from sources.base import Events, Health
from sources.demo.metrics import TARGETS
from sources.demo.scenario import BLUE, GREEN, Story, story_of
from sources.demo.sources import SPLIT

SOURCE = "demo_deployments"
_REVISIONS = (38, 39, 41, 42)  # of the task definition, one a deployment of the story; 40 was taken back
_TAKEN_BACK = 40
_BEFORE_THE_CURE_S, _TRY_S, _BACK_S = (
    25 * 60,
    9 * 60,
    4 * 60,
)  # 25 minutes before the deployment that mended the dead tasks
_CONFIGURATION = "CodeDeployDefault.ECSAllAtOnce"
_ERROR = "HEALTH_CONSTRAINTS: The new tasks did not become healthy in time."
_WHY = (
    "Rolled back by the deployment group's settings: the tasks ended at once, because their secret could not be read."
)
_STAGES = ("BeforeInstall", "Install", "AfterInstall", "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic")
_IMAGE = "123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/photo/web:1.2.0"
_STEADY_EVERY_S = 6 * 3600


class DemoDeployments:
    """A sources.EventSource: how the story's service stands. Its deployments are the story's own events; what was taken back is told here."""

    name = SOURCE

    def __init__(self, *, anchor: datetime, clock: Clock = utc_now) -> None:
        self._story, self._clock = story_of(anchor), clock

    def events(self, window: Window) -> Events:
        """What was taken back in `window`, as far as it has happened, and the standing of now."""
        now = int(self._clock().timestamp())
        told = (event for one in _taken_back(self._story) for event in events_of(one, source=SOURCE))
        within = (event for event in told if window.start <= event.ts < min(window.end, now))
        return Events(window, now, tuple(within), standing=standing(self._story, now))

    def check(self) -> tuple[Health, ...]:
        return (Health(self.name, "demo", "up", 0.0),)


def standing(story: Story, now: int) -> Standing:
    """The service and its deployments as they stood at `now`, the newest deployment first."""
    known = [one for one in (*_done(story), *_taken_back(story)) if (one.ended or one.created) <= now]
    known.sort(key=lambda one: -one.created)
    done = [one for one in known if one.outcome == "succeeded" and not one.is_rollback]
    live = story.step_at(now).live
    tasks, definition = TARGETS[live], done[0].task_definition if done else ""
    primary = TaskSet("ecs-svc/1", "PRIMARY", definition, live, tasks, tasks, 0, stability="STEADY_STATE")
    steady_at = story.anchor + (now - story.anchor) // _STEADY_EVERY_S * _STEADY_EVERY_S
    service = Service(
        fleet="canary",
        name="photo/web",
        status="ACTIVE",
        controller="CODE_DEPLOY",
        strategy="codedeploy",
        desired=tasks,
        running=tasks,
        pending=0,
        task_definition=definition,
        before=done[1].task_definition if len(done) > 1 else "",
        images=(_IMAGE,),
        task_sets=(primary,),
        messages=(Message(steady_at, "(service web) has reached a steady state."),),
    )
    return Standing(now, (service,), tuple(known), (("canary", Route((BLUE, GREEN), listener_arn=SPLIT)),))


def _done(story: Story) -> tuple[Deployment, ...]:
    """The story's own deployments, as CodeDeploy would tell them."""
    told = [event for event in story.happened if event.kind == "deployment"]
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


def _taken_back(story: Story) -> tuple[Deployment, Deployment]:
    """The first try at mending the dead tasks, and the deployment that took it back."""
    cure = _done(story)[_REVISIONS.index(_TAKEN_BACK + 1)]
    begun = cure.created - _BEFORE_THE_CURE_S
    ended = begun + _TRY_S
    failed = Deployment(
        system="codedeploy",
        id=f"d-{_TAKEN_BACK:09}",
        fleet="canary",
        status="Failed",
        created=begun,
        started=begun,
        ended=ended,
        creator="user",
        configuration=_CONFIGURATION,
        task_definition=f"web:{_TAKEN_BACK}",
        rolled_back_by=f"d-{_TAKEN_BACK:09}R",
        error=_ERROR,
        why=_WHY,
    )
    back = Deployment(
        system="codedeploy",
        id=failed.rolled_back_by,
        fleet="canary",
        status="Succeeded",
        created=ended,
        started=ended,
        ended=ended + _BACK_S,
        creator="codeDeployRollback",
        configuration=_CONFIGURATION,
        task_definition=f"web:{_TAKEN_BACK - 1}",
        rolls_back=failed.id,
        why=_WHY,
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
