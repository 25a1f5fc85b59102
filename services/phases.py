"""The phases of a migration, with their numbers and counts: the same for every page, command and report."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate, pairwise

import numpy as np

import analysis
from analysis import Phase, PhaseOutcome
from analysis.retrospective import impact
from analysis.retrospective.error_budget import ErrorBudget, error_budget
from analysis.retrospective.phase_rows import merge_swaps
from analysis.retrospective.timeline import Timeline, concat_buckets, timeline, timeline_series
from analysis.series.grid import BoolArray
from analysis.series.phases import phase_outcome
from archive import Archive, Overview
from archive.metrics.fetch_plan import NO_COVERAGE
from domain import FLEETS, Event, FleetName, Migration, Series, Slo, Window, epoch_s
from domain.deployments import Outcome
from domain.series import is_request_count
from domain.weight_changes import InitialShare
from domain.window import DAY_S, MINUTE_S, merge_windows
from services.fleet_requests import constant_share, fleet_requests

EVENT_HISTORY_S = 90 * DAY_S  # requested from every source of events
UNKNOWN_START_WINDOW_S = (
    DAY_S  # judged of a phase of unknown start: earlier, the configured share may have been another
)
COUNT_BUCKET_S = 600
BUDGET_TRAFFIC_S = 7 * DAY_S  # whole weeks: workdays and weekends differ
# How the phase of a release ended, by the outcome of its deployment.
_RELEASE_OUTCOMES: dict[Outcome, PhaseOutcome] = {
    "running": "running",
    "succeeded": "advanced",
    "rolled_back": "rolled_back",
}


@dataclass(frozen=True, slots=True)
class PhaseCounts:
    """Requests of each fleet in a phase's window, and how many of them failed: target 5xx and unanswered. None if that is unknown.

    `budget`: None without a configured SLO.
    """

    requests: dict[FleetName, int | None]
    errors: dict[FleetName, int | None]
    budget: ErrorBudget | None = None


def known_phases(
    events: Iterable[Event], initial: InitialShare | None = None, *, end: int, data_since: int | None = None
) -> tuple[Phase, ...]:
    """The phases up to `end` (epoch seconds, a whole minute), numbered from 1, the oldest; the last one is the current one.

    They begin with the first look at the weights, or with the first known change if that is earlier. Without either, with the data.
    """
    events = sorted(events)
    first_step = next((event.ts for event in events if event.kind == "weight" and event.change), end)
    seen_at = initial.seen_at + -initial.seen_at % MINUTE_S if initial and initial.seen_at is not None else end
    last_day = end - UNKNOWN_START_WINDOW_S
    is_seen = seen_at <= first_step < end or seen_at <= last_day
    if is_seen:
        start = seen_at
    elif first_step < end:
        start = first_step - first_step % MINUTE_S
    else:
        start = last_day if initial else min(last_day, data_since or last_day)
    window = Window(min(start, end - MINUTE_S), end)
    first, *later = merge_swaps(analysis.phases(events, window, initial.share if initial else None), events)
    if is_seen and first.started_by == "window":
        first = replace(first, started_by="first_look")
    elif first_step < end and first.started_by == "window" and later:
        # Only the minute of the first change: it belongs to the phase that the change began.
        first, *later = later
        first = replace(first, window=Window(window.start, first.window.end))
    return tuple(
        replace(_with_last_day_judged(phase), number=n, outcome=phase_outcome(phase, following))
        for n, (phase, following) in enumerate(zip((first, *later), (*later, None), strict=True), 1)
    )


def _with_last_day_judged(phase: Phase) -> Phase:
    """Of a phase of unknown start the configured share is known at its end alone: its last day is judged."""
    window = phase.judged_window
    if phase.started_by != "window":
        return phase
    return replace(phase, judged=Window(max(window.start, window.end - UNKNOWN_START_WINDOW_S), window.end))


def read_phases(archive: Archive, source: str, *, now: datetime) -> tuple[Phase, ...]:
    """The phases up to the minute of `now`. `source`: whose data begins a phase of unknown start. Raises ArchiveError."""
    return phases_until(archive, source, int(now.timestamp()) // MINUTE_S * MINUTE_S)


def phases_until(archive: Archive, source: str, end: int) -> tuple[Phase, ...]:
    """The phases up to `end` (epoch seconds, a whole minute). A release is one phase, whatever its weights. Raises ArchiveError."""
    if release := archive.release:
        window = release.window(end)
        outcome = _RELEASE_OUTCOMES.get(release.outcome)
        share = constant_share(archive, window)
        judged = _parallel_part(archive, source, window, is_over=release.end is not None)
        return (Phase(window, share, "deployment", judged=judged, number=1, outcome=outcome),)
    span = archive.metrics.covered_span(source)
    return known_phases(
        archive.events.read(Window(0, end)),
        archive.events.initial_share(),
        end=end,
        data_since=span.start if span else None,
    )


def _parallel_part(archive: Archive, source: str, window: Window, *, is_over: bool) -> Window:
    """The part of a release's window before one revision was given all of the traffic, which is how each ends. Raises ArchiveError.

    If no such change of the weights was seen and the release is over: before the last minute of the fleet whose requests ended first.
    """
    changes = [change for change in archive.events.weight_changes() if window.start <= change.ts < window.end]
    if changes and changes[-1].after in (0.0, 1.0):
        return _until(window, min(changes[-1].since, changes[-1].ts))
    if not is_over:
        return window
    frame = archive.metrics.read(window, source, series_filter=is_request_count).frame
    served = frame[frame["value"] > 0]
    ends = [epoch_s(of_fleet).max() for fleet in FLEETS if len(of_fleet := served[served["fleet"] == fleet])]
    return _until(window, int(min(ends))) if len(ends) == len(FLEETS) and min(ends) < max(ends) else window


def _until(window: Window, ts: int) -> Window:
    return Window(window.start, min(max(ts - ts % MINUTE_S, window.start + MINUTE_S), window.end))


def judged_phase(phase: Phase) -> Phase:
    """The phase, cut to its judged part."""
    return replace(phase, window=phase.judged_window)


def slow_threshold_s(migration: Migration) -> float:
    """The threshold for "slow": that of a criterion, else the middle of the configured thresholds."""
    configured = migration.slow_thresholds_s
    judged = (criterion.slow_threshold_s for criterion in migration.criteria if criterion.slow_threshold_s is not None)
    return next(judged, configured[len(configured) // 2])


def phase_timelines(
    archive: Archive,
    migration: Migration,
    source: str,
    windows: Sequence[Window],
    *,
    checkpoint: Callable[[], None] = lambda: None,
) -> list[Timeline]:
    """A timeline for each of `windows`, which adjoin, in buckets of ten minutes or less. Raises ArchiveError.

    Unanswered requests are counted over all of them together, so that requests in flight at the end of one are not errors of it.
    `checkpoint` may raise to give up.
    """
    slow_s = slow_threshold_s(migration)
    series = [item for item in timeline_series(archive.metrics.configured_series(source), slow_s) if not item.hourly]
    parts = list[Overview]()
    for window in windows:
        checkpoint()
        parts.append(_overview(archive, source, series, window))
    known = np.concatenate([alb_known(archive, source, part) for part in parts])
    whole = timeline(concat_buckets(parts), slow_s, alb_known=known)
    ends = list(accumulate((len(part.ts) for part in parts), initial=0))
    return [whole.part(slice(*span), part.bucket_s) for span, part in zip(pairwise(ends), parts, strict=True)]


def alb_known(archive: Archive, source: str, overview: Overview) -> BoolArray:
    """The buckets in which the load balancer's own 5xx were read."""
    alb_5xx = next((series for series in overview.series if series.metric == "alb_5xx"), None)
    if alb_5xx is None:
        return np.zeros(len(overview.ts), dtype=bool)
    coverage = archive.metrics.coverage_of(source).get(alb_5xx, NO_COVERAGE)
    answered = coverage.answered_windows(archive.metrics.freshness(overview.window.ends_at))
    known: BoolArray = overview.minutes_of(answered) == overview.minutes_of((overview.window,))
    return known


def _overview(archive: Archive, source: str, series: Sequence[Series], window: Window) -> Overview:
    aligned = window.aligned(COUNT_BUCKET_S)
    buckets = (aligned.end - aligned.start) // COUNT_BUCKET_S
    return archive.metrics.overview(window, source, series=series, max_buckets=buckets)


def settled_end(migration: Migration, now: datetime) -> int:
    """The newest multiple of ten minutes before which all data is final (epoch seconds); of a release that has ended, the first after it."""
    settled = (int(now.timestamp()) - migration.settle_minutes * MINUTE_S) // COUNT_BUCKET_S * COUNT_BUCKET_S
    if migration.release and migration.release.end is not None:
        return min(settled, migration.release.end + -migration.release.end % COUNT_BUCKET_S)
    return settled


def counted_window(phase: Phase, until: int) -> Window:
    """The phase's window as far as its data is final, but at least a minute. `until`: the end of final data (epoch seconds)."""
    end = min(phase.window.end, until // MINUTE_S * MINUTE_S)
    return Window(phase.window.start, max(end, phase.window.start + MINUTE_S))


def count_phase(
    archive: Archive,
    migration: Migration,
    source: str,
    phases: Sequence[Phase],
    phase: Phase,
    *,
    until: int,
    now: datetime,
) -> PhaseCounts:
    """The counts of one of `phases`, which the Retrospective shows, too; of the current phase up to `until` (epoch seconds). Raises ArchiveError.

    The days that the phase touches are read whole, because unanswered requests are counted by day, and the days around them, because those that
    failed are counted by ten minutes and their neighbours.
    """
    own = counted_window(phase, until)
    end = min(max(settled_end(migration, now), own.end), own.end + -own.end % DAY_S + DAY_S)
    nearby = Window((own.start // DAY_S - 1) * DAY_S, end)
    windows = [window for item in phases if item.number != phase.number and (window := item.window.overlap(nearby))]
    windows = sorted([*windows, own])
    timelines = phase_timelines(archive, migration, source, windows)
    return counts_of(archive, migration, source, phase, window=own, timeline=timelines[windows.index(own)])


def counts_of(
    archive: Archive, migration: Migration, source: str, phase: Phase, *, window: Window, timeline: Timeline
) -> PhaseCounts:
    """The counts of a phase by its `timeline` over `window`: 0 for a fleet without numbers if the source answered that it had no requests."""
    budget = read_budget(archive, migration.slo, source, until=window.end) if migration.slo else None
    counts = PhaseCounts(*impact.totals(timeline), budget)
    if None not in counts.requests.values():
        return counts
    result = archive.metrics.read(window, source, series_filter=is_request_count)
    fleets = fleet_requests(result, source, final_until=window.end, canary_share=phase.canary_share)
    none = {requests.fleet for requests in fleets if requests.state == "none"}
    return PhaseCounts(
        {fleet: 0 if count is None and fleet in none else count for fleet, count in counts.requests.items()},
        {fleet: 0 if count is None and fleet in none else count for fleet, count in counts.errors.items()},
        budget,
    )


def read_budget(archive: Archive, slo: Slo, source: str, *, until: int) -> ErrorBudget:
    """The error budget at the traffic of the week before `until` (epoch seconds), as far as that is archived. Raises ArchiveError."""
    end = until // COUNT_BUCKET_S * COUNT_BUCKET_S
    week = Window(end - BUDGET_TRAFFIC_S, end)
    series = [item for item in archive.metrics.configured_series(source) if is_request_count(item)]
    coverage, freshness = archive.metrics.coverage_of(source), archive.metrics.freshness(week.ends_at)
    gaps = merge_windows(
        gap for item in series for gap in week.subtract(coverage.get(item, NO_COVERAGE).answered_windows(freshness))
    )
    overview = archive.metrics.overview(week, source, series=series, max_buckets=BUDGET_TRAFFIC_S // COUNT_BUCKET_S)
    is_covered = overview.minutes_of(gaps) == 0
    requests = sum(float(np.nansum(bucketed.value[is_covered])) for bucketed in overview.series.values())
    return error_budget(slo, requests, int(is_covered.sum()) * overview.bucket_s)
