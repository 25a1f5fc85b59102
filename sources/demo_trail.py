"""Who made each step of the demo: what CloudTrail would tell of the story's load balancer."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from migration import Clock, How, SplitChange, Window, utc_now
from sources import Events, Health
from sources.demo import SPLIT
from sources.demo_story import Story, story_of

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
    """A sources.HistorySource: each change of the weights with its author."""

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
    steps = [(before, after) for before, after in pairwise(story.steps) if before.share != after.share]
    for (before, after), (who, how) in zip(steps, _AUTHORS, strict=True):
        yield SplitChange(
            ts=after.ts,
            since=after.ts,
            before=before.share,
            after=after.share,
            rule=SPLIT,
            operation="ModifyListener",
            who=who,
            how=how,
            sources=(DemoTrail.name,),
            key=f"step:{after.ts}",
        )
