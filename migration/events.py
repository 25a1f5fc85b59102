"""Things that happened at a time: weight changes, alerts, annotations. Drawn the same on every chart."""

from dataclasses import dataclass
from typing import Literal

EventKind = Literal["weight", "alert", "annotation", "deployment", "rollback", "note"]


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One thing that happened from `ts` to `until` (epoch seconds; None: at one moment, or still going on where `open`).

    `key` is unique within `source`, so that hearing of the same event twice keeps it once. `title` and `detail` are somebody's words: escape them.
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
