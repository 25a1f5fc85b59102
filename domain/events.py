"""Things that happened at a time: weight changes, alerts, annotations. Drawn the same on every chart."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from domain.weight_changes import WeightChange

EventKind = Literal["weight", "alert", "annotation", "deployment", "rollback", "note"]
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One thing that happened from `ts` to `until` (epoch seconds; None: at one moment, or still going on where `open`).

    `key` is unique within `source`, so that hearing of the same event twice keeps it once. `title` and `detail` are somebody's words: escape them.
    `change` is what a change of weights, or of a rule, was: messages/events.py says it in full.
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


def weight_event(change: WeightChange) -> Event:
    """A change of the split as one of the things that happened."""
    return _change_event(change, "weight", change.title)


def rule_event(change: WeightChange) -> Event:
    """A change of another rule, or of something else than weights, as one of the things that happened."""
    return _change_event(change, "annotation", change.operation)


def _change_event(change: WeightChange, kind: EventKind, title: str) -> Event:
    return Event(
        ts=change.ts,
        until=None,
        kind=kind,
        title=title,
        detail=change.about,
        fleet="canary" if kind == "weight" else "",
        link="",
        source=change.sources[0] if change.sources else "",
        key=change.key,
        change=change,
    )
