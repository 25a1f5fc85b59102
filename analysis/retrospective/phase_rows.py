"""Rows of the phase table: one per phase, with short phases around a swap of the canary merged into the following one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analysis.retrospective.error_budget import ErrorBudget
from analysis.retrospective.timeline import Timeline
from analysis.series.phases import MergedSwap, Phase
from domain import FLEETS, Event, FleetName, Window
from domain.latency import LatencySummary

MAX_SWAP_S = 30 * 60  # a shorter reduction of the canary's share that a deployment explains is a swap, not a phase
PHASE_EVENT_KINDS = ("alarm", "alert", "rollback", "deployment", "note", "annotation")

# What a p95 is computed from: all answers of the phase; or it is the median of the p95s of hours, or of shorter periods.
P95Basis = Literal["window", "hours", "periods"]


@dataclass(frozen=True, slots=True)
class PhaseP95:
    """A p95 in seconds and its basis; if it is a median, with the minimum and maximum of its periods."""

    value: float
    basis: P95Basis
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """One phase: requests, errors and p95 of each fleet, its events, and the error budget (None without an SLO). Counts are None if they are
    unknown."""

    phase: Phase
    requests: dict[FleetName, int | None]
    errors: dict[FleetName, int | None]
    p95: dict[FleetName, PhaseP95 | None]
    events: tuple[Event, ...] = ()
    budget: ErrorBudget | None = None

    def error_rate(self, fleet: FleetName) -> float | None:
        errors, requests = self.errors[fleet], self.requests[fleet]
        return errors / requests if requests and errors is not None else None

    @property
    def budget_burned(self) -> dict[FleetName, float | None]:
        """The share of the error budget that the phase burned, by fleet."""
        return self.budget.burned(self.errors) if self.budget else dict.fromkeys(FLEETS)

    @property
    def error_difference(self) -> float | None:
        """Canary − baseline, as a fraction of requests."""
        b, c = (self.error_rate(fleet) for fleet in FLEETS)
        return c - b if b is not None and c is not None else None

    @property
    def p95_difference(self) -> float | None:
        """Canary against baseline, as a fraction of the baseline's."""
        b, c = (self.p95[fleet] for fleet in FLEETS)
        return c.value / b.value - 1 if b and c and b.value else None


def merge_swaps(phases: Sequence[Phase], events: Iterable[Event]) -> tuple[Phase, ...]:
    """The phases without those of a swap, whose time belongs to the phase that follows.

    A swap is a run of phases of less than MAX_SWAP_S in all, in which the canary was deployed and had a smaller share than before and after. A
    short increase stays a phase: it is an attempt that was rolled back; so does a short reduction without a deployment: it is a rollback.
    """
    deployments = [event for event in events if event.kind == "deployment" and event.fleet != "baseline"]
    result = list[Phase]()
    index = 0
    while index < len(phases):
        end = _swap_end(phases, index, result[-1] if result else None)
        if end is None:
            result.append(phases[index])
            index += 1
            continue
        start, until = _started_at(phases[index]), _started_at(phases[end])
        if not any(start <= (event.until or event.ts) and event.ts < until for event in deployments):
            result += phases[index:end]
            index = end
            continue
        share = min(phase.canary_share or 0.0 for phase in phases[index:end])
        window = Window(phases[index].window.start, phases[end].window.end)
        swaps = (MergedSwap(start, until - start, share),)
        result.append(replace(phases[end], window=window, judged=phases[end].judged_window, merged_swaps=swaps))
        index = end + 1
    return tuple(result)


def _started_at(phase: Phase) -> int:
    """When a phase started: at its weight change, if any."""
    return phase.change.ts if phase.change else phase.window.start


def _swap_end(phases: Sequence[Phase], first: int, before: Phase | None) -> int | None:
    """The index of the phase that follows a swap which starts at index `first`; None if no swap starts there."""
    if before is None or before.canary_share is None:
        return None
    end = first
    while end < len(phases) and (share := phases[end].canary_share) is not None and share < before.canary_share:
        end += 1
    if end in (first, len(phases)) or phases[end].canary_share is None:
        return None
    duration_s = _started_at(phases[end]) - _started_at(phases[first])
    restored = (phases[end].canary_share or 0.0) >= before.canary_share
    return end if restored and duration_s < MAX_SWAP_S else None


def events_of_phase(events: Iterable[Event], phase: Phase, *, until: int) -> tuple[Event, ...]:
    """Events of PHASE_EVENT_KINDS from the phase's first settled minute up to `until`, which may include the change that ended it."""
    start = phase.judged_window.start
    return tuple(event for event in events if event.kind in PHASE_EVENT_KINDS and start <= event.ts < until)


def phase_p95(
    timeline: Timeline, fleet: FleetName, window_latency: Sequence[LatencySummary] = (), hourly: Timeline | None = None
) -> PhaseP95 | None:
    """The best available p95 of a phase: of all its answers if a single target group served, else a median of hours or shorter periods."""
    groups = [summary for summary in window_latency if summary.fleet == fleet and (summary.requests or summary.answers)]
    if len(groups) == 1 and "p95" in groups[0].percentiles:
        return PhaseP95(groups[0].percentiles["p95"], "window")
    if hourly is not None and (median := _median_p95(hourly, fleet, "hours")):
        return median
    return _median_p95(timeline, fleet, "periods")


def _median_p95(timeline: Timeline, fleet: FleetName, basis: P95Basis) -> PhaseP95 | None:
    series = timeline.fleets[fleet]
    usable = ~np.isnan(series.p95)
    usable = usable & series.is_sufficient if (usable & series.is_sufficient).any() else usable
    if not usable.any():
        return None
    return PhaseP95(
        float(np.median(series.p95[usable])),
        basis,
        float(np.min(series.p95_min[usable])),
        float(np.max(series.p95_max[usable])),
    )
