"""The phases of a migration: the time between two steps, cut where the canary was deployed anew."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from migration import Event, Window
from migration.window import MINUTE_S

Beginning = Literal["weight", "deployment", "window"]


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch in which neither the split nor the canary changed. `canary_share` (0–1) is what the weights said, None where nobody knows.

    `begun_by`: a change of weight, a deployment of the canary, or merely the start of the time that was looked at.
    """

    window: Window
    canary_share: float | None
    begun_by: Beginning


def phases(events: Iterable[Event], window: Window) -> tuple[Phase, ...]:
    """The phases in `window`, oldest first, by the weight changes and the canary's deployments among `events`.

    The minute in which something changed, and the next, belong to no phase: some of their requests were served before, some after. What is
    shorter than a minute is left out, but for the current phase, the last one: while it is too young, the newest minute stands for it.
    """
    cuts = sorted(
        (
            event
            for event in events
            if event.kind == "weight" or (event.kind == "deployment" and event.fleet == "canary")
        ),
        key=lambda event: event.ts,
    )
    share: float | None = None
    begun_by: Beginning = "window"
    start, found = window.start, list[Phase]()

    def close(end: int) -> None:
        if start < end:
            found.append(Phase(Window(start, end), share, begun_by))

    for event in cuts:
        if event.ts >= window.end:
            break
        if event.ts >= window.start:
            close(event.ts - event.ts % MINUTE_S)
            start = max(start, (event.ts // MINUTE_S + 2) * MINUTE_S)
            begun_by = "weight" if event.kind == "weight" else "deployment"
        if event.kind == "weight":
            share = _share_after(event)
    close(window.end)
    if not found or found[-1].window.end < window.end:
        found.append(Phase(Window(window.end - MINUTE_S, window.end), share, begun_by))
    return tuple(found)


def _share_after(event: Event) -> float | None:
    """The canary's share that a weight change leads to, from its title ("25.0% → 50.0%": migration.traffic.weight_change)."""
    found = re.search(r"→\s*([\d.]+)\s*%\s*$", event.title)
    return float(found[1]) / 100 if found else None
