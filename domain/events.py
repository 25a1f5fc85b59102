"""Events drawn on the charts: weight changes, alarms, alerts, annotations, deployments, rollbacks and notes."""

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from domain.weight_changes import WeightChange

EventKind = Literal["weight", "alarm", "alert", "annotation", "deployment", "rollback", "note"]
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """An event from `ts` to `until` (epoch seconds; None: an instant, or not ended yet if `open`).

    `key` is unique within `source`. `title` and `detail` are external text: escape them. `change`: the details of a change of a rule.
    """

    ts: int
    until: int | None
    kind: EventKind
    title: str
    detail: str
    fleet: str
    link: str
    source: str
    key: str
    open: bool = False
    change: WeightChange | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Removal:
    """Who removed what: an entry of `author` at `ts`, and when and by whom it was removed ("": unknown). Times in epoch seconds.

    `text`: of a note. `share`: of a step, else None. All texts are external: escape them.
    """

    key: str
    ts: int
    author: str
    removed_at: int
    removed_by: str
    text: str = ""
    share: float | None = None


def weight_event(change: WeightChange) -> Event:
    """The event of a change of the split's weights."""
    return replace(rule_event(change), kind="weight", title=change.title, fleet="canary")


def rule_event(change: WeightChange) -> Event:
    """The event of another change of a rule."""
    return Event(
        ts=change.ts,
        until=None,
        kind="annotation",
        title=change.operation,
        detail=change.about,
        fleet="",
        link="",
        source=change.sources[0] if change.sources else "",
        key=change.key,
        change=change,
    )
