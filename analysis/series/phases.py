"""Phases of a migration: the time between two weight changes or deployments of the canary."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from domain import Event, WeightChange, Window
from domain.window import MINUTE_S

PhaseStart = Literal["weight", "deployment", "window"]
MIN_STAGE_S = 30 * 60


@dataclass(frozen=True, slots=True)
class Phase:
    """A time in which neither the weights nor the canary's release changed. `canary_share` (0–1) is the configured share, None if unknown.

    `started_by`: a weight change (`change`), a deployment of the canary, or the start of the observed window. `bake_time_s`: seconds from the
    event that started the phase to the one that ended it, including the minutes around them that `window` excludes.
    """

    window: Window
    canary_share: float | None
    started_by: PhaseStart
    bake_time_s: int = 0
    change: WeightChange | None = None

    @property
    def is_one_sided(self) -> bool:
        """Whether one fleet had no weight, so that there is nothing to compare."""
        return self.canary_share in (0.0, 1.0)


def phases(events: Iterable[Event], window: Window) -> tuple[Phase, ...]:
    """The phases in `window`, oldest first, by the weight changes and the canary's deployments among `events`.

    The minute of a change and the next belong to no phase, because they mix requests from before and after. Nor does the time between two
    snapshots if a change is known only from their difference. Phases shorter than a minute are dropped, except the current (last) one: until it
    has a minute of its own, its window is the newest minute.
    """
    boundaries = sorted((event for event in events if _is_boundary(event)), key=lambda event: event.ts)
    # The share at the window's start is known from the last change before it, else from the first one after it.
    share = next((event.change.before for event in boundaries if event.change), None)
    started_by: PhaseStart = "window"
    change: WeightChange | None = None
    start, started_at, result = window.start, window.start, list[Phase]()

    def close(end: int, ended_at: int) -> None:
        if start < end:
            result.append(Phase(Window(start, end), share, started_by, ended_at - started_at, change))

    for event in boundaries:
        if event.ts >= window.end:
            break
        if event.ts >= window.start:
            change_start = max(min(event.change.since, event.ts) if event.change else event.ts, window.start)
            close(change_start - change_start % MINUTE_S, event.ts)
            start, started_at = max(start, _settled_at(event.ts)), event.ts
            started_by, change = ("weight", event.change) if event.change else ("deployment", None)
        if event.change:
            share = event.change.after
    close(window.end, window.end)
    if not result or result[-1].window.end < window.end:
        newest_minute = Window(window.end - MINUTE_S, window.end)
        result.append(Phase(newest_minute, share, started_by, window.end - started_at, change))
    return tuple(result)


def weights_settled_at(change: WeightChange) -> int:
    """The first minute (epoch seconds) with requests of the new weights alone."""
    return _settled_at(change.ts)


def _settled_at(ts: int) -> int:
    return (ts // MINUTE_S + 2) * MINUTE_S


def _is_boundary(event: Event) -> bool:
    return (event.kind == "weight" and event.change is not None) or (
        event.kind == "deployment" and event.fleet == "canary"
    )


@dataclass(frozen=True, slots=True)
class WeightStep:
    """One weight change and how long it held. The current one holds until the time of the query."""

    change: WeightChange
    bake_time_s: int
    is_current: bool

    @property
    def is_brief(self) -> bool:
        """Whether it held for less than MIN_STAGE_S, as when all weight moves to one fleet while the other is redeployed."""
        return not self.is_current and self.bake_time_s < MIN_STAGE_S


def weight_steps(changes: Sequence[WeightChange], until: int) -> tuple[WeightStep, ...]:
    """The weight changes (in order) up to `until` (epoch seconds), each with its bake time."""
    past = [change for change in changes if change.ts <= until]
    ends = [*(change.ts for change in past), until][1:]
    return tuple(
        WeightStep(change, end - change.ts, is_current=change is past[-1])
        for change, end in zip(past, ends, strict=True)
    )
