"""The phases of a whole migration as a table tells them: one row a phase, steps of minutes around a swap folded into the row they belong to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.retrospective.timeline import Timeline
from analysis.series.phases import Phase
from domain import Event, FleetName
from domain.latency import LatencySummary

MAX_SWAP_S = 30 * 60  # traffic that was taken away for less, and came back, is a swap and no phase
INCIDENT_KINDS = ("alert", "rollback", "deployment", "note", "annotation")

# What a p95 is of: all answers of the phase as one period; hours (each a true percentile); or shorter periods. Of the latter two it is the median.
P95Basis = Literal["window", "hours", "periods"]


@dataclass(frozen=True, slots=True)
class MergedSwap:
    """A stretch of `length_s` in which the canary's share was only `share`; `swap`: the canary was deployed in it."""

    start: int
    duration_s: int
    share: float
    with_deployment: bool


@dataclass(frozen=True, slots=True)
class PhaseP95:
    """A p95 in seconds and what it is of; `low` … `high` are the smallest and the largest of what it is the median of."""

    value: float
    basis: P95Basis
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """One phase: what each fleet served in it and failed, its p95, what happened, and what was folded in at its beginning."""

    phase: Phase
    requests: dict[FleetName, int]
    errors: dict[FleetName, int]
    p95: dict[FleetName, PhaseP95 | None]
    incidents: tuple[Event, ...] = ()
    merged_swaps: tuple[MergedSwap, ...] = ()

    def error_rate(self, fleet: FleetName) -> float | None:
        return self.errors[fleet] / self.requests[fleet] if self.requests[fleet] else None


def merge_swaps(phases: Sequence[Phase], events: Iterable[Event]) -> tuple[tuple[Phase, tuple[MergedSwap, ...]], ...]:
    """The phases without those that are steps of minutes around a swap; each with what was folded in before it.

    Folded is a run of phases that lasts less than half an hour in all, in which the canary had less than before and after it. A step of minutes
    up and back again stays: that is an attempt, and somebody turned round.
    """
    deployed = [event for event in events if event.kind == "deployment" and event.fleet != "baseline"]
    found: list[tuple[Phase, tuple[MergedSwap, ...]]] = []
    place = 0
    while place < len(phases):
        end = _swap_end(phases, place, found[-1][0] if found else None)
        if end is None:
            found.append((phases[place], ()))
            place += 1
            continue
        start, until = _started_at(phases[place]), _started_at(phases[end])
        share = min(one.canary_share or 0.0 for one in phases[place:end])
        swap = any(start <= (event.until or event.ts) and event.ts < until for event in deployed)
        found.append((phases[end], (MergedSwap(start, until - start, share, swap),)))
        place = end + 1
    return tuple(found)


def _started_at(phase: Phase) -> int:
    """When a phase began: with the change of the split that began it, where there was one."""
    return phase.change.ts if phase.change else phase.window.start


def _swap_end(phases: Sequence[Phase], first: int, before: Phase | None) -> int | None:
    """Where the phases from `place` on are steps around a swap, the place of the one that follows them; else None."""
    if before is None or before.canary_share is None:
        return None
    end = first
    while end < len(phases) and (share := phases[end].canary_share) is not None and share < before.canary_share:
        end += 1
    if end in (first, len(phases)) or phases[end].canary_share is None:
        return None
    away_s = _started_at(phases[end]) - _started_at(phases[first])
    same = (phases[end].canary_share or 0.0) >= before.canary_share
    return end if same and away_s < MAX_SWAP_S else None


def incidents(events: Iterable[Event], phase: Phase, *, until: int) -> tuple[Event, ...]:
    """What happened in a phase, or at the step that ended it: alerts, roll-backs, deployments and notes that began before `until`."""
    return tuple(event for event in events if event.kind in INCIDENT_KINDS and phase.window.start <= event.ts < until)


def phase_p95(
    timeline: Timeline, fleet: FleetName, window_latency: Sequence[LatencySummary] = (), hourly: Timeline | None = None
) -> PhaseP95 | None:
    """The best p95 of a phase there is: of all its answers, where one target group served and it was asked as a whole; else a median."""
    groups = [one for one in window_latency if one.fleet == fleet and (one.requests or one.answers)]
    if len(groups) == 1 and "p95" in groups[0].percentiles:
        return PhaseP95(groups[0].percentiles["p95"], "window")
    if hourly is not None and (found := _median_p95(hourly, fleet, "hours")):
        return found
    return _median_p95(timeline, fleet, "periods")


def _median_p95(timeline: Timeline, fleet: FleetName, basis: P95Basis) -> PhaseP95 | None:
    mine = timeline.fleets[fleet]
    used = ~np.isnan(mine.p95)
    used = used & mine.is_sufficient if (used & mine.is_sufficient).any() else used
    if not used.any():
        return None
    return PhaseP95(
        float(np.median(mine.p95[used])), basis, float(np.min(mine.p95_min[used])), float(np.max(mine.p95_max[used]))
    )
