"""A whole migration from the archive: its phases, their impact, and the weeks before and after."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from weakref import WeakKeyDictionary

import numpy as np

import analysis
from analysis.retrospective import impact
from analysis.retrospective.before_after import BeforeAfter, before_after, weeks
from analysis.retrospective.impact import ExcessErrors, Rollback
from analysis.retrospective.phase_rows import PhaseRow, events_of_phase, phase_p95
from analysis.retrospective.timeline import Timeline, timeline, timeline_series, with_hourly_p95
from archive import Archive
from archive.access_logs.store import ACCESS_LOGS
from domain import FLEETS, Event, FleetName, Margin, Migration, Series, Window
from domain.series import hourly_stat
from domain.weight_changes import InitialShare
from domain.window import DAY_S, HOUR_S, MINUTE_S, merge_windows
from services.evaluation import Evaluation, evaluate_archived
from services.parity import judgement_key
from services.phases import alb_known, counts_of, phase_timelines, phases_until, settled_end, slow_threshold_s
from services.versioned_cache import VersionedCache

LEAD_S = 7 * DAY_S  # shown before the first step
MIN_LEAD_S = DAY_S  # even if the archive begins later
MAX_BUCKETS = 2000

EvaluationsByWindow = Mapping[Window, Evaluation]


@dataclass(frozen=True, slots=True)
class MigrationOutline:
    """The phases and events of a migration up to `window.end`, a multiple of ten minutes before which all data is final.

    `window` starts a week before the first step or look at the weights, or with the archive if that is later, but at least a day before.
    `first_step`, `last_step` (epoch seconds): None if no step is known. `initial`: the configured share before the first step.
    """

    source: str
    window: Window
    phases: tuple[analysis.Phase, ...]
    events: tuple[Event, ...]
    first_step: int | None
    last_step: int | None
    initial: InitialShare | None = None

    @property
    def rollback_times(self) -> tuple[int, ...]:
        """When the canary's share decreased (epoch seconds), without swaps."""
        return tuple(_started_at(after) for before, after in pairwise(self.phases) if _is_decrease(before, after))

    @property
    def share_steps(self) -> tuple[tuple[int, float | None], ...]:
        """From when on the canary was configured with which share; nothing before it is known."""
        changes = (
            (change.ts, change.after) for event in self.events if event.kind == "weight" and (change := event.change)
        )
        known = [(self.initial.since, self.initial.share)] if self.initial else []
        return tuple((max(ts, self.window.start), share) for ts, share in (*known, *changes))


@dataclass(frozen=True, slots=True, eq=False)
class Retrospective:
    """The phases of a migration and its impact, counted from the first step.

    `…_outside_minutes`: how long the canary was beyond the margin with 95 % confidence; `gaps`: time without any data. `canary_requests` is None if
    those of no phase are known.
    `timeline`: of the outline's window, for the chart.
    `hourly_only_until`: before it, only hours are archived (epoch seconds); `data_until`: the end of the answered time.
    """

    outline: MigrationOutline
    timeline: Timeline
    phase_rows: tuple[PhaseRow, ...]
    canary_requests: int | None
    excess_errors: ExcessErrors
    error_rate_outside_minutes: int
    p95_outside_minutes: int
    rollbacks: tuple[Rollback, ...]
    before_after: BeforeAfter | None
    gaps: tuple[Window, ...]
    hourly_only_until: int | None
    data_until: int

    @property
    def budget_burned(self) -> dict[FleetName, float | None]:
        """The shares of the error budget that all phases burned together; None without an SLO, and if that of no phase is known."""
        shares = [row.budget_burned for row in self.phase_rows]
        known = {fleet: [share for row in shares if (share := row[fleet]) is not None] for fleet in FLEETS}
        return {fleet: sum(known[fleet]) if known[fleet] else None for fleet in FLEETS}


def read_outline(archive: Archive, migration: Migration, source: str, *, now: datetime) -> MigrationOutline | None:
    """The outline up to now; None if the archive has no data of `source`. Raises ArchiveError."""
    return build_outline(archive, source, end=settled_end(migration, now))


def build_outline(archive: Archive, source: str, *, end: int) -> MigrationOutline | None:
    """The outline up to `end` (see `settled_end`); None if the archive has no data of `source`. Raises ArchiveError."""
    span, events = archive.metrics.covered_span(source), archive.events.read(Window(0, end))
    steps = [event.ts for event in events if event.kind == "weight"]
    if span is None or span.start >= end:
        return None
    first, last = (steps[0], steps[-1]) if steps else (None, None)
    start = span.start
    initial, phases = archive.events.initial_share(), phases_until(archive, source, end)
    if first is not None:
        hour = min(first, phases[0].window.start) // HOUR_S * HOUR_S
        start = max(min(span.start, hour - MIN_LEAD_S), hour - LEAD_S)
    window = Window(start, end)
    shown = tuple(event for event in events if event.ts >= start or event.open)
    return MigrationOutline(source, window, phases, shown, first, last, initial)


def read_timeline(archive: Archive, migration: Migration, source: str, window: Window) -> Timeline:
    """Both fleets over a window in at most MAX_BUCKETS buckets, for the chart. Raises ArchiveError."""
    return _ArchiveReader(archive, migration, source).timeline(window, MAX_BUCKETS)


def build_retrospective(
    archive: Archive,
    migration: Migration,
    outline: MigrationOutline,
    *,
    whole: Timeline | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> Retrospective:
    """`whole`: the timeline of the outline's window, if it was read already. `checkpoint` may raise to give up. Raises ArchiveError."""
    reader, end = _ArchiveReader(archive, migration, outline.source, checkpoint), outline.window.end
    phases = outline.phases
    timelines = phase_timelines(
        archive, migration, outline.source, [phase.window for phase in phases], checkpoint=checkpoint
    )
    pairs = [impact.paired_buckets(item) for item in timelines]
    ends = [phase.judged_window.start for phase in phases[1:]] + [end]
    phase_rows = tuple(
        reader.phase_row(phase, phase_timeline, events_of_phase(outline.events, phase, until=until))
        for phase, phase_timeline, until in zip(phases, timelines, ends, strict=True)
    )
    dispersion = impact.overdispersion(pairs)
    errors, p95 = (_margin(migration, metric) for metric in ("error_rate", "latency_p95"))
    whole, span = whole or reader.timeline(outline.window, MAX_BUCKETS), archive.metrics.covered_span(outline.source)
    effects = {at: impact.effect_window(at) for at in outline.rollback_times}
    around = {at: reader.timeline(window, window.minutes + 1) for at, window in effects.items()}
    return Retrospective(
        outline=outline,
        timeline=whole,
        phase_rows=phase_rows,
        canary_requests=sum(known)
        if (known := [n for row in phase_rows if (n := row.requests["canary"]) is not None])
        else None,
        excess_errors=impact.excess_errors(pairs),
        error_rate_outside_minutes=_flagged_minutes(
            timelines, [impact.outside_error_rate(item, errors, dispersion) for item in timelines]
        ),
        p95_outside_minutes=_flagged_minutes(timelines, [impact.outside_p95(item, p95) for item in timelines]),
        rollbacks=_release_rollbacks(migration, outline) or impact.rollbacks(phases, outline.events, around),
        before_after=reader.before_after(outline.first_step, outline.last_step, end),
        gaps=_gaps(whole, span),
        hourly_only_until=_hourly_only_until(whole),
        data_until=span.end if span else outline.window.start,
    )


def _release_rollbacks(migration: Migration, outline: MigrationOutline) -> tuple[Rollback, ...]:
    """Of a release, which is one phase: it may have been rolled back as a whole."""
    release = migration.release
    if release is None or release.outcome != "rolled_back" or release.end is None:
        return ()
    return (impact.deployment_rollback(release.end, outline.phases[-1].canary_share, "", outline.events),)


def phase_evaluations(
    archive: Archive,
    migration: Migration,
    retrospective: Retrospective,
    *,
    now: datetime,
    checkpoint: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Window, Evaluation]]:
    """The window and the evaluation of each phase, one after the other. `checkpoint` may raise to give up. Raises ArchiveError."""
    source = retrospective.outline.source
    for row in retrospective.phase_rows:
        checkpoint()
        yield row.phase.window, evaluate_phase(archive, migration, source, row.phase, now=now, checkpoint=checkpoint)


def evaluate_phase(
    archive: Archive,
    migration: Migration,
    source: str,
    phase: analysis.Phase,
    *,
    now: datetime,
    checkpoint: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Cached until what it is made from changes, that of a running phase until the next minute. `checkpoint` may raise to give up.

    Raises ArchiveError, also if only a part of the data can be read.
    """
    version = _evaluation_version(archive, migration, source, phase, now)
    if cached := _evaluations_of(archive).get((source, phase.window), version):
        return cached
    evaluation = evaluate_archived(archive, migration, source, phase, now=now, checkpoint=checkpoint)
    if outage := archive.outage:
        raise outage.problem.as_error()
    _evaluations_of(archive).put((source, phase.window), version, evaluation)
    return evaluation


def known_evaluations(
    archive: Archive, migration: Migration, outline: MigrationOutline, *, now: datetime
) -> dict[Window, Evaluation]:
    """The evaluations of phases, by their window, that need no computation. Raises ArchiveError."""
    source, cache = outline.source, _evaluations_of(archive)
    known = {
        phase.window: cache.get((source, phase.window), _evaluation_version(archive, migration, source, phase, now))
        for phase in outline.phases
    }
    return {window: evaluation for window, evaluation in known.items() if evaluation}


def _evaluation_version(
    archive: Archive, migration: Migration, source: str, phase: analysis.Phase, now: datetime
) -> Hashable:
    minute = int(now.timestamp()) // MINUTE_S if phase.outcome == "running" else None
    judged = judgement_key(archive, migration, source, phase.judged_window)
    return phase, judged, minute, archive.notes.read(), archive.change_counter(ACCESS_LOGS)


def _evaluations_of(archive: Archive) -> VersionedCache[Evaluation]:
    return _evaluations.setdefault(archive, VersionedCache())


_evaluations: WeakKeyDictionary[Archive, VersionedCache[Evaluation]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class _ArchiveReader:
    """Reads the archive of one migration as timelines."""

    archive: Archive
    migration: Migration
    source: str
    checkpoint: Callable[[], None] = lambda: None

    def series(self) -> tuple[Series, ...]:
        return timeline_series(self.archive.metrics.configured_series(self.source), slow_threshold_s(self.migration))

    def timeline(self, window: Window, buckets: int) -> Timeline:
        self.checkpoint()
        series = [item for item in self.series() if not item.hourly]
        overview = self.archive.metrics.overview(window, self.source, series=series, max_buckets=buckets)
        known = alb_known(self.archive, self.source, overview)
        return timeline(overview, slow_threshold_s(self.migration), alb_known=known)

    def hourly_timeline(self, window: Window) -> Timeline | None:
        """The complete hours of a window with their p95; None without any, or if the source has no hourly percentiles."""
        start, end = -(-window.start // HOUR_S) * HOUR_S, window.end // HOUR_S * HOUR_S
        series = [item for item in self.series() if item.hourly or item.metric == "requests"]
        if start >= end or not any(item.hourly for item in series):
            return None
        overview = self.archive.metrics.overview(
            Window(start, end), self.source, series=series, max_buckets=(end - start) // HOUR_S
        )
        return timeline(overview, slow_threshold_s(self.migration), percentile=hourly_stat("p95"))

    def phase_row(
        self,
        phase: analysis.Phase,
        timeline: Timeline,
        events: tuple[Event, ...],
    ) -> PhaseRow:
        counts = counts_of(self.archive, self.migration, self.source, phase, window=phase.window, timeline=timeline)
        self.checkpoint()
        latency = self.archive.metrics.window_latency(phase.judged_window, self.source)
        groups = latency.groups if latency and latency.covered == phase.judged_window else ()
        hourly = self.hourly_timeline(phase.window)
        p95 = {fleet: phase_p95(timeline, fleet, groups, hourly) for fleet in FLEETS}
        return PhaseRow(phase, counts.requests, counts.errors, p95, events, counts.budget)

    def before_after(self, first: int | None, last: int | None, end: int) -> BeforeAfter | None:
        if first is None or last is None:
            return None
        before, after = weeks(first, last, until=end)
        if after.end > end:
            return None
        timeline_before, timeline_after = (
            with_hourly_p95(self.timeline(week, (week.end - week.start) // HOUR_S), self.hourly_timeline(week))
            for week in (before, after)
        )
        return before_after(before, timeline_before, after, timeline_after, self.migration.zone)


def _started_at(phase: analysis.Phase) -> int:
    return phase.change.ts if phase.change else phase.window.start


def _is_decrease(before: analysis.Phase, after: analysis.Phase) -> bool:
    shares = before.canary_share, after.canary_share
    return shares[0] is not None and shares[1] is not None and shares[1] < shares[0]


def _margin(migration: Migration, metric: str) -> Margin:
    default = next(criterion.margin for criterion in analysis.DEFAULT_CRITERIA if criterion.metric == metric)
    return migration.margin_of(metric) or default


def _flagged_minutes(timelines: Sequence[Timeline], flags: Sequence[np.ndarray]) -> int:
    return sum(int(mask.sum()) * item.spacing_s // MINUTE_S for item, mask in zip(timelines, flags, strict=True))


def _gaps(timeline: Timeline, span: Window | None) -> tuple[Window, ...]:
    """Time within `span` without data of either fleet."""
    empty = np.isnan(timeline.fleets["baseline"].requests) & np.isnan(timeline.fleets["canary"].requests)
    if span is None or timeline.spacing_s > timeline.bucket_s:
        return ()
    return merge_windows(
        Window(int(ts), int(ts) + timeline.bucket_s)
        for ts in timeline.ts[empty]
        if ts >= span.start and ts + timeline.bucket_s <= span.end
    )


def _hourly_only_until(timeline: Timeline) -> int | None:
    """The end of the last bucket with hourly data only."""
    counted = np.maximum(*(timeline.fleets[fleet].periods for fleet in FLEETS))
    coarse = (counted > 0) & (counted * HOUR_S <= max(timeline.bucket_s, timeline.spacing_s))
    return int(timeline.ts[np.flatnonzero(coarse)[-1]]) + max(timeline.bucket_s, HOUR_S) if coarse.any() else None
