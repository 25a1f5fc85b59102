"""The demo's audit log: the authors of the scenario's weight changes, as CloudTrail would record them."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from domain import ChangeTool, WeightChange, Window
from domain.window import DAY_S, HOUR_S, MINUTE_S
from sources.base import Events
from sources.demo.base import DemoSource
from sources.demo.scenario import Scenario, ScenarioStep
from sources.demo.sources import HEADER_RULE_ARN, SPLIT_LISTENER_ARN

# The author of each step that changed the share, in order.
_AUTHORS: tuple[tuple[str, ChangeTool], ...] = (
    ("photo-terraform", "terraform"),
    ("naoko.sato", "console"),
    ("naoko.sato", "console"),
    ("kenji.mori", "cli"),
    ("kenji.mori", "cli"),  # rolled back: slow
    ("kenji.mori", "cli"),  # everything to EC2 for CodeDeploy's swap, and back
    ("kenji.mori", "cli"),
    ("naoko.sato", "console"),
    ("naoko.sato", "console"),
    ("oncall", "console"),  # rolled back: dead
    ("kenji.mori", "cli"),
    ("kenji.mori", "cli"),
    ("kenji.mori", "cli"),  # for the next swap
    ("kenji.mori", "cli"),
    ("naoko.sato", "console"),
)


class DemoAuditLog(DemoSource):
    """A HistorySource: the changes of weights and of the header rule, with their authors."""

    name = "demo_audit_log"
    retention_s = 90 * DAY_S
    delivery_delay_s = HOUR_S
    poll_interval_s = MINUTE_S

    def events(self, window: Window) -> Events:
        """The changes in `window` up to now."""
        now = self._now()
        changes = (change for change in _changes(self._scenario) if window.start <= change.ts < min(window.end, now))
        return Events(window, now, weight_changes=tuple(changes))


def _changes(scenario: Scenario) -> Iterator[WeightChange]:
    yield _header_rule_change(scenario.steps[0], "CreateRule", "photo-terraform", "terraform")
    authors = iter(_AUTHORS)
    for before, after in pairwise(scenario.steps):
        if before.live != after.live:  # CodeDeploy rewrites all rules that forward to the group it replaces
            yield _header_rule_change(after, "ModifyRule", "codedeploy", "deployment")
        if before.share != after.share:
            change = _change(after, "ModifyListener", *next(authors))
            yield replace(change, rule=SPLIT_LISTENER_ARN, before=before.share, after=after.share)


def _header_rule_change(step: ScenarioStep, operation: str, author: str, tool: ChangeTool) -> WeightChange:
    about = f"X-Canary: ecs → {step.live} 1"
    return replace(_change(step, operation, author, tool), rule=HEADER_RULE_ARN, after=1.0, about=about)


def _change(step: ScenarioStep, operation: str, author: str, tool: ChangeTool) -> WeightChange:
    return WeightChange(
        ts=step.ts,
        since=step.ts,
        before=None,
        after=None,
        rule="",
        operation=operation,
        author=author,
        tool=tool,
        sources=(DemoAuditLog.name,),
        key=f"{operation}:{step.ts}",
    )
