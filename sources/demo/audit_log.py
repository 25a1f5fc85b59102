"""Who made each step of the demo: what CloudTrail would tell of the story's load balancer."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from domain import ChangeTool, Clock, WeightChange, Window, utc_now
from sources.base import Events, Health
from sources.demo.scenario import Scenario, WeightStep, scenario_for
from sources.demo.sources import HEADER_RULE_ARN, SPLIT_LISTENER_ARN

# Of every step that changed the share, in order.
_AUTHORS: tuple[tuple[str, ChangeTool], ...] = (
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


class DemoAuditLog:
    """A sources.HistorySource: each change of the weights, and of the door beside them, with its author."""

    name = "demo_trail"
    retention_s = 90 * 86_400
    delivery_delay_s = 3600
    poll_interval_s = 60

    def __init__(self, *, anchor: datetime, clock: Clock = utc_now) -> None:
        self._scenario, self._clock = scenario_for(anchor), clock

    def events(self, window: Window) -> Events:
        """The changes in `window`, as far as they have happened."""
        now = int(self._clock().timestamp())
        told = (change for change in _changes(self._scenario) if window.start <= change.ts < min(window.end, now))
        return Events(window, now, weight_changes=tuple(told))

    def check(self) -> tuple[Health, ...]:
        return (Health(self.name, "demo", "up", 0.0),)


def _changes(story: Scenario) -> Iterator[WeightChange]:
    first, *_ = story.steps
    yield _header_rule_change(first, "CreateRule", "photo-terraform", "terraform")
    made = iter(_AUTHORS)
    for before, after in pairwise(story.steps):
        if (
            before.live != after.live
        ):  # CodeDeploy rewrites every rule of the listener that sends to the group it leaves
            yield _header_rule_change(after, "ModifyRule", "codedeploy", "deployment")
        if before.share != after.share:
            who, how = next(made)
            yield _weight_change(after, "ModifyListener", SPLIT_LISTENER_ARN, who, how, before.share, after.share)


def _header_rule_change(step: WeightStep, operation: str, who: str, how: ChangeTool) -> WeightChange:
    return _weight_change(step, operation, HEADER_RULE_ARN, who, how, None, 1.0, f"X-Canary: ecs → {step.live} 1")


def _weight_change(
    step: WeightStep,
    operation: str,
    rule: str,
    who: str,
    how: ChangeTool,
    before: float | None,
    after: float,
    about: str = "",
) -> WeightChange:
    return WeightChange(
        ts=step.ts,
        since=step.ts,
        before=before,
        after=after,
        rule=rule,
        operation=operation,
        author=who,
        tool=how,
        sources=(DemoAuditLog.name,),
        key=f"{operation}:{step.ts}",
        about=about,
    )
