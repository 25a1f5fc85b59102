"""The phases of a whole migration as a table tells them: one row a phase, steps of minutes around a swap folded into the row they belong to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.retrospective.timeline import Course
from analysis.series.phases import Phase
from domain import Event, FleetName
from domain.latency import Latencies

FOLDED_S = 30 * 60  # traffic that was taken away for less, and came back, is a swap and no phase
INCIDENTS = ("alert", "rollback", "deployment", "note", "annotation")

# What a p95 is of: all answers of the phase as one period; hours (each a true percentile); or shorter periods. Of the latter two it is the median.
Basis = Literal["whole", "hours", "periods"]


@dataclass(frozen=True, slots=True)
class Fold:
    """A stretch of `length_s` in which the canary's share was only `share`; `swap`: the canary was deployed in it."""

    at: int
    length_s: int
    share: float
    swap: bool


@dataclass(frozen=True, slots=True)
class P95:
    """A p95 in seconds and what it is of; `low` … `high` are the smallest and the largest of what it is the median of."""

    value: float
    basis: Basis
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """One phase: what each fleet served in it and failed, its p95, what happened, and what was folded in at its beginning."""

    phase: Phase
    requests: dict[FleetName, int]
    errors: dict[FleetName, int]
    p95: dict[FleetName, P95 | None]
    incidents: tuple[Event, ...] = ()
    folds: tuple[Fold, ...] = ()

    def error_rate(self, fleet: FleetName) -> float | None:
        return self.errors[fleet] / self.requests[fleet] if self.requests[fleet] else None


def folded(known: Sequence[Phase], events: Iterable[Event]) -> tuple[tuple[Phase, tuple[Fold, ...]], ...]:
    """The phases without those that are steps of minutes around a swap; each with what was folded in before it.

    Folded is a run of phases that lasts less than half an hour in all, in which the canary had less than before and after it. A step of minutes
    up and back again stays: that is an attempt, and somebody turned round.
    """
    deployed = [event for event in events if event.kind == "deployment" and event.fleet != "baseline"]
    found: list[tuple[Phase, tuple[Fold, ...]]] = []
    place = 0
    while place < len(known):
        end = _swap_until(known, place, found[-1][0] if found else None)
        if end is None:
            found.append((known[place], ()))
            place += 1
            continue
        start, until = _began(known[place]), _began(known[end])
        share = min(one.canary_share or 0.0 for one in known[place:end])
        swap = any(start <= (event.until or event.ts) and event.ts < until for event in deployed)
        found.append((known[end], (Fold(start, until - start, share, swap),)))
        place = end + 1
    return tuple(found)


def _began(phase: Phase) -> int:
    """When a phase began: with the change of the split that began it, where there was one."""
    return phase.change.ts if phase.change else phase.window.start


def _swap_until(known: Sequence[Phase], place: int, before: Phase | None) -> int | None:
    """Where the phases from `place` on are steps around a swap, the place of the one that follows them; else None."""
    if before is None or before.canary_share is None:
        return None
    end = place
    while end < len(known) and (share := known[end].canary_share) is not None and share < before.canary_share:
        end += 1
    if end in (place, len(known)) or known[end].canary_share is None:
        return None
    away_s = _began(known[end]) - _began(known[place])
    same = (known[end].canary_share or 0.0) >= before.canary_share
    return end if same and away_s < FOLDED_S else None


def incidents(events: Iterable[Event], phase: Phase, *, until: int) -> tuple[Event, ...]:
    """What happened in a phase, or at the step that ended it: alerts, roll-backs, deployments and notes that began before `until`."""
    return tuple(event for event in events if event.kind in INCIDENTS and phase.window.start <= event.ts < until)


def p95_of(told: Course, fleet: FleetName, whole: Sequence[Latencies] = (), hourly: Course | None = None) -> P95 | None:
    """The best p95 of a phase there is: of all its answers, where one target group served and it was asked as a whole; else a median."""
    groups = [one for one in whole if one.fleet == fleet and (one.requests or one.answers)]
    if len(groups) == 1 and "p95" in groups[0].percentiles:
        return P95(groups[0].percentiles["p95"], "whole")
    if hourly is not None and (found := _median(hourly, fleet, "hours")):
        return found
    return _median(told, fleet, "periods")


def _median(told: Course, fleet: FleetName, basis: Basis) -> P95 | None:
    mine = told.fleets[fleet]
    used = ~np.isnan(mine.p95)
    used = used & mine.enough if (used & mine.enough).any() else used
    if not used.any():
        return None
    return P95(float(np.median(mine.p95[used])), basis, float(np.min(mine.low[used])), float(np.max(mine.high[used])))
