"""Who made each step of the demo: what CloudTrail would tell of the story's load balancer."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from domain import Clock, How, SplitChange, Window, utc_now
from sources.base import Events, Health
from sources.demo.scenario import Step, Story, story_of
from sources.demo.sources import DOOR, SPLIT

# Of every step that changed the share, in order.
_AUTHORS: tuple[tuple[str, How], ...] = (
    ("photo-terraform", "terraform"),
    ("naoko.sato", "console"),
    ("naoko.sato", "console"),
    ("kenji.mori", "cli"),
    ("kenji.mori", "cli"),  # rolled back: slow
    ("kenji.mori", "cli"),  # everything to EC2 for the swap, and back
    ("kenji.mori", "cli"),
    ("naoko.sato", "console"),
    ("naoko.sato", "console"),
    ("oncall", "console"),  # rolled back: dead
    ("kenji.mori", "cli"),
    ("kenji.mori", "cli"),
    ("kenji.mori", "cli"),  # and for the next swap
    ("kenji.mori", "cli"),
    ("naoko.sato", "console"),
)


class DemoTrail:
    """A sources.HistorySource: each change of the weights, and of the door beside them, with its author."""

    name = "demo_trail"
    reach_s = 90 * 86_400
    settle_s = 3600
    every_s = 60

    def __init__(self, *, anchor: datetime, clock: Clock = utc_now) -> None:
        self._story, self._clock = story_of(anchor), clock

    def events(self, window: Window) -> Events:
        """The changes in `window`, as far as they have happened."""
        now = int(self._clock().timestamp())
        told = (change for change in _changes(self._story) if window.start <= change.ts < min(window.end, now))
        return Events(window, now, changes=tuple(told))

    def check(self) -> tuple[Health, ...]:
        return (Health(self.name, "demo", "up", 0.0),)


def _changes(story: Story) -> Iterator[SplitChange]:
    first, *_ = story.steps
    yield _door(first, "CreateRule", "photo-terraform", "terraform")
    made = iter(_AUTHORS)
    for before, after in pairwise(story.steps):
        if (
            before.live != after.live
        ):  # CodeDeploy rewrites every rule of the listener that sends to the group it leaves
            yield _door(after, "ModifyRule", "codedeploy", "deployment")
        if before.share != after.share:
            who, how = next(made)
            yield _change(after, "ModifyListener", SPLIT, who, how, before.share, after.share)


def _door(step: Step, operation: str, who: str, how: How) -> SplitChange:
    return _change(step, operation, DOOR, who, how, None, 1.0, f"X-Canary: ecs → {step.live} 1")


def _change(
    step: Step, operation: str, rule: str, who: str, how: How, before: float | None, after: float, about: str = ""
) -> SplitChange:
    return SplitChange(
        ts=step.ts,
        since=step.ts,
        before=before,
        after=after,
        rule=rule,
        operation=operation,
        who=who,
        how=how,
        sources=(DemoTrail.name,),
        key=f"{operation}:{step.ts}",
        about=about,
    )
