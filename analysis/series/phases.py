"""Phases of a migration: the time between two weight changes or deployments of the canary."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from domain import Event, WeightChange, Window
from domain.weight_changes import ChangeOrigin
from domain.window import MINUTE_S

# "first_look": the weights were as they were first read, so the phase began before. "window": its beginning is unknown.
PhaseStart = Literal["weight", "deployment", "first_look", "window"]
# What ended a phase: the next one has a larger share of the canary, a smaller one, or began with a deployment. "running": nothing yet.
PhaseOutcome = Literal["advanced", "rolled_back", "deployed", "running"]
MIN_STAGE_S = 30 * 60


@dataclass(frozen=True, slots=True)
class MergedSwap:
    """A short time in which the canary was deployed and its share was reduced to `share`."""

    start: int
    duration_s: int
    share: float


@dataclass(frozen=True, slots=True)
class Phase:
    """A time in which neither the weights nor the canary's release changed. `canary_share` (0–1) is the configured share, None if unknown.

    `window` is what is counted: the phases of a migration adjoin. `judged`: the part of it with requests of these weights and this release
    alone; None if there is no such minute. `bake_time_s`: seconds from the event that started the phase to the one that ended it.
    `change`: the weight change that started it. `merged_swaps`: swaps at its start, which `window` includes and `judged` does not.
    `number`: from 1, the oldest phase of the migration; 0 outside of one. `outcome`: None outside of one, or if a share is unknown.
    """

    window: Window
    canary_share: float | None
    started_by: PhaseStart
    bake_time_s: int = 0
    change: WeightChange | None = None
    judged: Window | None = None
    merged_swaps: tuple[MergedSwap, ...] = ()
    number: int = 0
    outcome: PhaseOutcome | None = None

    @property
    def is_one_sided(self) -> bool:
        """Whether one fleet had no weight, so that there is nothing to compare."""
        return self.canary_share in (0.0, 1.0)

    @property
    def is_over(self) -> bool:
        """Whether another phase of the migration follows."""
        return self.number > 0 and self.outcome != "running"

    @property
    def origin(self) -> ChangeOrigin | None:
        """How the change that started it is known; None if no change did."""
        return self.change.origin if self.change else None

    @property
    def judged_window(self) -> Window:
        """`judged`; without such a minute, the first one of the phase, which is too little for a verdict."""
        return self.judged or Window(self.window.start, self.window.start + MINUTE_S)


def phases(events: Iterable[Event], window: Window, share: float | None = None) -> tuple[Phase, ...]:
    """The phases in `window`, oldest first, by the weight changes and the canary's deployments among `events`. They tile the window.

    A phase begins with the first whole minute after its change: the minute of a change belongs to the phase that it ends. It and the next are
    not judged, because they mix requests from before and after; nor is the time between two snapshots if a change is known only from their
    difference. A phase that a second change in the same minute ended has no window and is left out, except the current (last) one, whose window
    is the newest minute until the next begins. `share`: the configured share at the window's start, if no change before it is known; by default
    what the first change says.
    """
    boundaries = sorted((event for event in events if begins_phase(event)), key=lambda event: event.ts)
    if share is None:
        share = next((event.change.before for event in boundaries if event.change), None)
    started_by: PhaseStart = "window"
    change: WeightChange | None = None
    start = judged_from = started_at = window.start
    result = list[Phase]()

    def close(end: int, judged_until: int, ended_at: int) -> None:
        if start < end:
            judged = Window(judged_from, judged_until) if judged_from < judged_until else None
            result.append(Phase(Window(start, end), share, started_by, ended_at - started_at, change, judged))

    for event in boundaries:
        if event.ts >= window.end:
            break
        if event.ts >= window.start:
            changed_from = max(min(event.change.since, event.ts) if event.change else event.ts, window.start)
            end = event.ts + -event.ts % MINUTE_S
            close(end, _minute_of(changed_from), event.ts)
            start, judged_from, started_at = end, _settled_at(event.ts), event.ts
            started_by, change = ("weight", event.change) if event.change else ("deployment", None)
        if event.change:
            share = event.change.after
    if start >= window.end:
        start = window.end - MINUTE_S
        result = [_cut(phase, start) for phase in result if phase.window.start < start]
    close(window.end, window.end, window.end)
    return tuple(result)


def phase_outcome(phase: Phase, following: Phase | None) -> PhaseOutcome | None:
    """The outcome of a phase, by the phase that follows it, if one does."""
    if following is None:
        return "running"
    before, after = phase.canary_share, following.canary_share
    if following.started_by == "deployment" or (before == after and following.merged_swaps):
        return "deployed"
    if before is None or after is None or before == after:
        return None
    return "advanced" if after > before else "rolled_back"


def _cut(phase: Phase, end: int) -> Phase:
    return replace(phase, window=Window(phase.window.start, min(phase.window.end, end)))


def _minute_of(ts: int) -> int:
    return ts - ts % MINUTE_S


def weights_settled_at(change: WeightChange) -> int:
    """The first minute (epoch seconds) with requests of the new weights alone."""
    return _settled_at(change.ts)


def _settled_at(ts: int) -> int:
    return _minute_of(ts) + 2 * MINUTE_S


def begins_phase(event: Event) -> bool:
    """Whether a phase begins with an event: a change of the weights, or a deployment of the canary."""
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
