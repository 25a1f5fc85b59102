"""The phases of a migration: the time between two steps, cut where the canary was deployed anew."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from domain import Event, WeightChange, Window
from domain.window import MINUTE_S

PhaseStart = Literal["weight", "deployment", "window"]
MIN_STAGE_S = 30 * 60


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch in which neither the split nor the canary changed. `canary_share` (0–1) is what the weights said, None where nobody knows.

    `begun_by`: a change of weight, a deployment of the canary, or merely the start of the time that was looked at; `change` is the change of weight.
    `dwell_s`: seconds from what began it to what ended it, the very seconds that `window` leaves out included.
    """

    window: Window
    canary_share: float | None
    started_by: PhaseStart
    bake_time_s: int = 0
    change: WeightChange | None = None

    @property
    def is_one_sided(self) -> bool:
        """Whether the weights left one side without traffic: there is nothing to compare."""
        return self.canary_share in (0.0, 1.0)


def phases(events: Iterable[Event], window: Window) -> tuple[Phase, ...]:
    """The phases in `window`, oldest first, by the weight changes and the canary's deployments among `events`.

    The minute in which something changed, and the next, belong to no phase: some of their requests were served before, some after. Where only looks
    told of a change, so does the time between them. What is shorter than a minute is left out, but for the current phase, the last one: while it is
    too young, the newest minute stands for it.
    """
    cuts = sorted((event for event in events if _is_boundary(event)), key=lambda event: event.ts)
    # What held at the start is told by the last change before it, else by the first one after.
    share = next((event.change.before for event in cuts if event.change), None)
    begun_by: PhaseStart = "window"
    change: WeightChange | None = None
    start, began, found = window.start, window.start, list[Phase]()

    def close(end: int, ended: int) -> None:
        if start < end:
            found.append(Phase(Window(start, end), share, begun_by, ended - began, change))

    for event in cuts:
        if event.ts >= window.end:
            break
        if event.ts >= window.start:
            first = max(min(event.change.since, event.ts) if event.change else event.ts, window.start)
            close(first - first % MINUTE_S, event.ts)
            start, began = max(start, (event.ts // MINUTE_S + 2) * MINUTE_S), event.ts
            begun_by, change = ("weight", event.change) if event.change else ("deployment", None)
        if event.change:
            share = event.change.after
    close(window.end, window.end)
    if not found or found[-1].window.end < window.end:
        newest = Window(window.end - MINUTE_S, window.end)
        found.append(Phase(newest, share, begun_by, window.end - began, change))
    return tuple(found)


def _is_boundary(event: Event) -> bool:
    return (event.kind == "weight" and event.change is not None) or (
        event.kind == "deployment" and event.fleet == "canary"
    )


@dataclass(frozen=True, slots=True)
class WeightStep:
    """One change of the split and how long it held, in seconds; the last one up to when it was looked at.

    `brief`: it held for less than BRIEF_S and is over, as when all weight is moved to one side while the canary is swapped. A stage holds longer.
    """

    change: WeightChange
    bake_time_s: int
    is_current: bool

    @property
    def is_brief(self) -> bool:
        return not self.is_current and self.bake_time_s < MIN_STAGE_S


def weight_steps(changes: Sequence[WeightChange], until: int) -> tuple[WeightStep, ...]:
    """The changes of the split (in order) up to `until` (epoch seconds), each with its dwell time."""
    told = [change for change in changes if change.ts <= until]
    ends = [change.ts for change in told[1:]] + [until] * bool(told)
    return tuple(
        WeightStep(change, end - change.ts, is_current=place == len(told))
        for place, (change, end) in enumerate(zip(told, ends, strict=True), start=1)
    )
