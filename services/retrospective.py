"""A whole migration read back from the archive alone: its phases, what they cost, before and after. Nobody is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np

import analysis
from analysis.retrospective.before_after import BeforeAfter, before_after, weeks
from analysis.retrospective.impact import (
    ExcessErrors,
    Rollback,
    effect_window,
    excess_errors,
    outside_error_rate,
    outside_p95,
    overdispersion,
    paired_buckets,
    rollbacks,
    sum_excess,
    totals,
)
from analysis.retrospective.phase_rows import MergedSwap, PhaseRow, incidents, merge_swaps, phase_p95
from analysis.retrospective.timeline import Timeline, timeline, timeline_series, with_hourly_p95
from archive import Archive
from domain import FLEETS, Event, Margin, Migration, Series, Window
from domain.series import hourly_stat
from domain.window import MINUTE_S, merge_windows

ROLLUP_S = 600  # what phases are counted in
HOUR_S = 3600
LEAD_S = 7 * 86_400  # the week before the first step
MIN_LEAD_S = 86_400  # so that the first step does not stand on the edge
MAX_BUCKETS = 2000


@dataclass(frozen=True, slots=True)
class MigrationOutline:
    """When what happened, up to `window.end` (epoch seconds), a whole ten minutes that no longer change.

    `window` begins a week before the first step, or where the archive does if that is later; a day before the first step at the latest, for steps
    are known for longer than numbers. `first_step` and `last_step` are None where no step is known.
    """

    source: str
    window: Window
    phases: tuple[analysis.Phase, ...]
    events: tuple[Event, ...]
    first_step: int | None
    last_step: int | None

    @property
    def merged_phases(self) -> tuple[tuple[analysis.Phase, tuple[MergedSwap, ...]], ...]:
        """The phases since the first step, steps of minutes around a swap folded into the one that follows them."""
        since = self.first_step if self.first_step is not None else self.window.start
        return tuple(
            (phase, folds) for phase, folds in merge_swaps(self.phases, self.events) if phase.window.end > since
        )

    @property
    def rollback_times(self) -> tuple[int, ...]:
        """When the canary was given less (epoch seconds), swaps apart."""
        kept = [phase for phase, _ in self.merged_phases]
        return tuple(before.window.end for before, after in pairwise(kept) if _is_decrease(before, after))

    @property
    def share_steps(self) -> tuple[tuple[int, float | None], ...]:
        """From when the canary was told which share."""
        return tuple((max(phase.window.start, self.window.start), phase.canary_share) for phase in self.phases)


@dataclass(frozen=True, slots=True, eq=False)
class Retrospective:
    """What the archive knows of a migration. `chapters` begin with the first step.

    `canary_requests`: since the first step. `outside_*_minutes`: how long the canary was surely beyond the margin. `gaps`: time without any number.
    `hours_until`: before this only hours are kept (epoch seconds), or None. `numbers_until`: up to here the source has answered.
    """

    outline: MigrationOutline
    phase_rows: tuple[PhaseRow, ...]
    canary_requests: int
    excess_errors: ExcessErrors
    error_rate_outside_minutes: int
    p95_outside_minutes: int
    rollbacks: tuple[Rollback, ...]
    before_after: BeforeAfter | None
    gaps: tuple[Window, ...]
    hourly_only_until: int | None
    data_until: int


def slow_threshold_s(migration: Migration) -> float:
    """The threshold that "slow" means on this page: that of a criterion, else the middle one of those that are asked for."""
    judged = [one.slow_threshold_s for one in migration.criteria if one.slow_threshold_s is not None]
    return judged[0] if judged else migration.slow_thresholds_s[len(migration.slow_thresholds_s) // 2]


def outline_end(migration: Migration, now: datetime) -> int:
    """The newest whole ten minutes that are settled (epoch seconds): what is told of the time before it does not move with every minute."""
    return (int(now.timestamp()) - migration.settle_minutes * MINUTE_S) // ROLLUP_S * ROLLUP_S


def build_outline(archive: Archive, source: str, *, end: int) -> MigrationOutline | None:
    """What happened up to `end` (see `until`); None where the archive holds nothing of `source`. Raises ArchiveError where it cannot be read."""
    span, told = archive.metrics.covered_span(source), archive.events.read(Window(0, end))
    steps = [event.ts for event in told if event.kind == "weight"]
    if span is None or span.start >= end:
        return None
    first, last = (steps[0], steps[-1]) if steps else (None, None)
    start = span.start
    if first is not None:
        hour = first // HOUR_S * HOUR_S
        start = max(min(span.start, hour - MIN_LEAD_S), hour - LEAD_S)
    events = tuple(event for event in told if event.ts >= start or event.open)
    window = Window(start, end)
    return MigrationOutline(source, window, analysis.phases(told, window), events, first, last)


def read_timeline(archive: Archive, migration: Migration, source: str, window: Window) -> Timeline:
    """Both fleets over a window in at most two thousand buckets: what the chart draws."""
    return _ArchiveReader(archive, migration, source).timeline(window, MAX_BUCKETS)


def build_retrospective(archive: Archive, migration: Migration, outline: MigrationOutline) -> Retrospective:
    """Everything that is counted. Raises ArchiveError where the archive cannot be read."""
    reading, end = _ArchiveReader(archive, migration, outline.source), outline.window.end
    since = outline.first_step if outline.first_step is not None else outline.window.start
    kept = [phase for phase, _ in outline.merged_phases]
    courses = [reading.phase_timeline(phase.window) for phase in kept]
    ends = [after.window.start for after in kept[1:]] + [end]
    chapters = tuple(
        reading.phase_row(phase, folds, one, incidents(outline.events, phase, until=stop))
        for (phase, folds), one, stop in zip(outline.merged_phases, courses, ends, strict=True)
    )
    scatter = overdispersion([paired_buckets(one) for one in courses])
    errors, p95 = (_margin(migration, metric) for metric in ("error_rate", "latency_p95"))
    whole, span = reading.timeline(outline.window, MAX_BUCKETS), archive.metrics.covered_span(outline.source)
    served = reading.timeline(Window(max(since // MINUTE_S * MINUTE_S, outline.window.start), end), MAX_BUCKETS)
    return Retrospective(
        outline=outline,
        phase_rows=chapters,
        canary_requests=totals(served)[0]["canary"],
        excess_errors=sum_excess([excess_errors(paired_buckets(one), scatter) for one in courses]),
        error_rate_outside_minutes=_flagged_minutes(
            courses, [outside_error_rate(one, errors, scatter) for one in courses]
        ),
        p95_outside_minutes=_flagged_minutes(courses, [outside_p95(one, p95) for one in courses]),
        rollbacks=rollbacks(
            kept, outline.events, {at: reading.minute_timeline(effect_window(at)) for at in outline.rollback_times}
        ),
        before_after=reading.before_after(outline.first_step, outline.last_step, end),
        gaps=_gaps(whole, span),
        hourly_only_until=_hourly_only_until(whole),
        data_until=span.end if span else outline.window.start,
    )


@dataclass(frozen=True, slots=True)
class _ArchiveReader:
    """The archive of one migration, read as courses."""

    archive: Archive
    migration: Migration
    source: str

    def series(self) -> tuple[Series, ...]:
        return timeline_series(self.archive.metrics.configured_series(self.source), slow_threshold_s(self.migration))

    def timeline(self, window: Window, buckets: int) -> Timeline:
        series = [one for one in self.series() if not one.hourly]
        told = self.archive.metrics.overview(window, self.source, series=series, max_buckets=buckets)
        return timeline(told, slow_threshold_s(self.migration))

    def hourly_timeline(self, window: Window) -> Timeline | None:
        """The whole hours of a window with their true p95; None where there is none, or the source has no such percentiles."""
        start, end = -(-window.start // HOUR_S) * HOUR_S, window.end // HOUR_S * HOUR_S
        series = [one for one in self.series() if one.hourly or one.metric == "requests"]
        if start >= end or not any(one.hourly for one in series):
            return None
        told = self.archive.metrics.overview(
            Window(start, end), self.source, series=series, max_buckets=(end - start) // HOUR_S
        )
        return timeline(told, slow_threshold_s(self.migration), percentile=hourly_stat("p95"))

    def phase_timeline(self, window: Window) -> Timeline:
        """In ten minutes, or what is shorter and still few."""
        return self.timeline(window, (window.end - window.start) // ROLLUP_S + 2)

    def minute_timeline(self, window: Window) -> Timeline:
        return self.timeline(window, window.minutes + 1)

    def phase_row(
        self,
        phase: analysis.Phase,
        merged_swaps: tuple[MergedSwap, ...],
        timeline: Timeline,
        incidents: tuple[Event, ...],
    ) -> PhaseRow:
        requests, errors = totals(timeline)
        whole = self.archive.metrics.window_latency(phase.window, self.source)
        groups = whole.groups if whole and whole.covered == phase.window else ()
        hours = self.hourly_timeline(phase.window)
        p95 = {fleet: phase_p95(timeline, fleet, groups, hours) for fleet in FLEETS}
        return PhaseRow(phase, requests, errors, p95, incidents, merged_swaps)

    def before_after(self, first: int | None, last: int | None, end: int) -> BeforeAfter | None:
        if first is None or last is None:
            return None
        before, after = weeks(first, last, until=end)
        if after.end > end:
            return None
        was, now = (
            with_hourly_p95(self.timeline(week, (week.end - week.start) // HOUR_S), self.hourly_timeline(week))
            for week in (before, after)
        )
        return before_after(before, was, after, now, self.migration.zone)


def _is_decrease(before: analysis.Phase, after: analysis.Phase) -> bool:
    return (
        before.canary_share is not None and after.canary_share is not None and after.canary_share < before.canary_share
    )


def _margin(migration: Migration, metric: str) -> Margin:
    default = next(one.margin for one in analysis.DEFAULT_CRITERIA if one.metric == metric)
    return migration.margin_of(metric) or default


def _flagged_minutes(timelines: Sequence[Timeline], flags: Sequence[np.ndarray]) -> int:
    return sum(int(found.sum()) * one.spacing_s // 60 for one, found in zip(timelines, flags, strict=True))


def _gaps(timeline: Timeline, span: Window | None) -> tuple[Window, ...]:
    """Time inside what the archive covers at all for which it has no number of either fleet."""
    empty = np.isnan(timeline.fleets["baseline"].requests) & np.isnan(timeline.fleets["canary"].requests)
    step_s = timeline.spacing_s
    if span is None or step_s > timeline.bucket_s:
        return ()
    return merge_windows(
        Window(int(ts), int(ts) + timeline.bucket_s)
        for ts in timeline.ts[empty]
        if ts >= span.start and ts + timeline.bucket_s <= span.end
    )


def _hourly_only_until(timeline: Timeline) -> int | None:
    """The end of the last stretch of which only hours are kept."""
    counted = np.maximum(*(timeline.fleets[fleet].periods for fleet in FLEETS))
    coarse = (counted > 0) & (counted * HOUR_S <= max(timeline.bucket_s, timeline.spacing_s))
    return int(timeline.ts[np.flatnonzero(coarse)[-1]]) + max(timeline.bucket_s, HOUR_S) if coarse.any() else None
