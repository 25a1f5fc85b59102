"""A whole migration read back from the archive alone: its phases, what they cost, before and after. Nobody is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np

import analysis
from analysis.retrospective.before_after import BeforeAfter, before_after, weeks
from analysis.retrospective.impact import (
    Excess,
    StepBack,
    excess,
    inflation,
    outside_error_rate,
    outside_p95,
    pairs,
    steps_back,
    tally,
    together,
    window_around,
)
from analysis.retrospective.phase_rows import Chapter, Fold, folded, incidents, p95_of
from analysis.retrospective.timeline import Course, course, series_of_course, with_true_p95
from archive import Archive
from domain import FLEETS, Event, Margin, Migration, Series, Window
from domain.series import hourly
from domain.window import MINUTE_S, merged

CELL_S = 600  # what phases are counted in
HOUR_S = 3600
LEAD_S = 7 * 86_400  # the week before the first step
LEAST_LEAD_S = 86_400  # so that the first step does not stand on the edge
BUCKETS = 2000


@dataclass(frozen=True, slots=True)
class Outline:
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
    def rows(self) -> tuple[tuple[analysis.Phase, tuple[Fold, ...]], ...]:
        """The phases since the first step, steps of minutes around a swap folded into the one that follows them."""
        since = self.first_step if self.first_step is not None else self.window.start
        return tuple((phase, folds) for phase, folds in folded(self.phases, self.events) if phase.window.end > since)

    @property
    def back(self) -> tuple[int, ...]:
        """When the canary was given less (epoch seconds), swaps apart."""
        kept = [phase for phase, _ in self.rows]
        return tuple(before.window.end for before, after in pairwise(kept) if _less(before, after))

    @property
    def steps(self) -> tuple[tuple[int, float | None], ...]:
        """From when the canary was told which share."""
        return tuple((max(phase.window.start, self.window.start), phase.canary_share) for phase in self.phases)


@dataclass(frozen=True, slots=True, eq=False)
class Retrospect:
    """What the archive knows of a migration. `chapters` begin with the first step.

    `canary_requests`: since the first step. `outside_*_minutes`: how long the canary was surely beyond the margin. `gaps`: time without any number.
    `hours_until`: before this only hours are kept (epoch seconds), or None. `numbers_until`: up to here the source has answered.
    """

    outline: Outline
    chapters: tuple[Chapter, ...]
    canary_requests: int
    excess: Excess
    outside_errors_minutes: int
    outside_p95_minutes: int
    steps_back: tuple[StepBack, ...]
    weeks: BeforeAfter | None
    gaps: tuple[Window, ...]
    hours_until: int | None
    numbers_until: int


def slow_s_of(migration: Migration) -> float:
    """The threshold that "slow" means on this page: that of a criterion, else the middle one of those that are asked for."""
    judged = [one.slow_threshold_s for one in migration.criteria if one.slow_threshold_s is not None]
    return judged[0] if judged else migration.slow_thresholds_s[len(migration.slow_thresholds_s) // 2]


def until(migration: Migration, now: datetime) -> int:
    """The newest whole ten minutes that are settled (epoch seconds): what is told of the time before it does not move with every minute."""
    return (int(now.timestamp()) - migration.settle_minutes * MINUTE_S) // CELL_S * CELL_S


def outline(archive: Archive, source: str, *, end: int) -> Outline | None:
    """What happened up to `end` (see `until`); None where the archive holds nothing of `source`. Raises ArchiveError where it cannot be read."""
    span, told = archive.span(source), archive.events(Window(0, end))
    steps = [event.ts for event in told if event.kind == "weight"]
    if span is None or span.start >= end:
        return None
    first, last = (steps[0], steps[-1]) if steps else (None, None)
    start = span.start
    if first is not None:
        hour = first // HOUR_S * HOUR_S
        start = max(min(span.start, hour - LEAST_LEAD_S), hour - LEAD_S)
    events = tuple(event for event in told if event.ts >= start or event.open)
    window = Window(start, end)
    return Outline(source, window, analysis.phases(told, window), events, first, last)


def overall(archive: Archive, migration: Migration, source: str, window: Window) -> Course:
    """Both fleets over a window in at most two thousand buckets: what the chart draws."""
    return _Reading(archive, migration, source).course(window, BUCKETS)


def retrospect(archive: Archive, migration: Migration, told: Outline) -> Retrospect:
    """Everything that is counted. Raises ArchiveError where the archive cannot be read."""
    reading, end = _Reading(archive, migration, told.source), told.window.end
    since = told.first_step if told.first_step is not None else told.window.start
    kept = [phase for phase, _ in told.rows]
    courses = [reading.cells(phase.window) for phase in kept]
    ends = [after.window.start for after in kept[1:]] + [end]
    chapters = tuple(
        reading.chapter(phase, folds, one, incidents(told.events, phase, until=stop))
        for (phase, folds), one, stop in zip(told.rows, courses, ends, strict=True)
    )
    scatter = inflation([pairs(one) for one in courses])
    errors, p95 = (_margin(migration, metric) for metric in ("error_rate", "latency_p95"))
    whole, span = reading.course(told.window, BUCKETS), archive.span(told.source)
    served = reading.course(Window(max(since // MINUTE_S * MINUTE_S, told.window.start), end), BUCKETS)
    return Retrospect(
        outline=told,
        chapters=chapters,
        canary_requests=tally(served)[0]["canary"],
        excess=together([excess(pairs(one), scatter) for one in courses]),
        outside_errors_minutes=_minutes(courses, [outside_error_rate(one, errors, scatter) for one in courses]),
        outside_p95_minutes=_minutes(courses, [outside_p95(one, p95) for one in courses]),
        steps_back=steps_back(kept, told.events, {at: reading.minutes(window_around(at)) for at in told.back}),
        weeks=reading.weeks(told.first_step, told.last_step, end),
        gaps=_gaps(whole, span),
        hours_until=_hours_until(whole),
        numbers_until=span.end if span else told.window.start,
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """The archive of one migration, read as courses."""

    archive: Archive
    migration: Migration
    source: str

    def series(self) -> tuple[Series, ...]:
        return series_of_course(self.archive.wanted(self.source), slow_s_of(self.migration))

    def course(self, window: Window, buckets: int) -> Course:
        series = [one for one in self.series() if not one.hourly]
        told = self.archive.overview(window, self.source, series=series, buckets=buckets)
        return course(told, slow_s_of(self.migration))

    def hours(self, window: Window) -> Course | None:
        """The whole hours of a window with their true p95; None where there is none, or the source has no such percentiles."""
        start, end = -(-window.start // HOUR_S) * HOUR_S, window.end // HOUR_S * HOUR_S
        series = [one for one in self.series() if one.hourly or one.metric == "requests"]
        if start >= end or not any(one.hourly for one in series):
            return None
        told = self.archive.overview(Window(start, end), self.source, series=series, buckets=(end - start) // HOUR_S)
        return course(told, slow_s_of(self.migration), percentile=hourly("p95"))

    def cells(self, window: Window) -> Course:
        """In ten minutes, or what is shorter and still few."""
        return self.course(window, (window.end - window.start) // CELL_S + 2)

    def minutes(self, window: Window) -> Course:
        return self.course(window, window.minutes + 1)

    def chapter(
        self, phase: analysis.Phase, folds: tuple[Fold, ...], told: Course, happened: tuple[Event, ...]
    ) -> Chapter:
        requests, errors = tally(told)
        whole = self.archive.whole(phase.window, self.source)
        groups = whole.groups if whole and whole.covered == phase.window else ()
        hours = self.hours(phase.window)
        p95 = {fleet: p95_of(told, fleet, groups, hours) for fleet in FLEETS}
        return Chapter(phase, requests, errors, p95, happened, folds)

    def weeks(self, first: int | None, last: int | None, end: int) -> BeforeAfter | None:
        if first is None or last is None:
            return None
        before, after = weeks(first, last, until=end)
        if after.end > end:
            return None
        was, now = (
            with_true_p95(self.course(week, (week.end - week.start) // HOUR_S), self.hours(week))
            for week in (before, after)
        )
        return before_after(before, was, after, now, self.migration.zone)


def _less(before: analysis.Phase, after: analysis.Phase) -> bool:
    return (
        before.canary_share is not None and after.canary_share is not None and after.canary_share < before.canary_share
    )


def _margin(migration: Migration, metric: str) -> Margin:
    default = next(one.margin for one in analysis.DEFAULT_CRITERIA if one.metric == metric)
    return migration.margin_of(metric) or default


def _minutes(courses: Sequence[Course], flags: Sequence[np.ndarray]) -> int:
    return sum(int(found.sum()) * one.spacing_s // 60 for one, found in zip(courses, flags, strict=True))


def _gaps(told: Course, span: Window | None) -> tuple[Window, ...]:
    """Time inside what the archive covers at all for which it has no number of either fleet."""
    empty = np.isnan(told.fleets["baseline"].requests) & np.isnan(told.fleets["canary"].requests)
    step_s = told.spacing_s
    if span is None or step_s > told.bucket_s:
        return ()
    return merged(
        Window(int(ts), int(ts) + told.bucket_s)
        for ts in told.ts[empty]
        if ts >= span.start and ts + told.bucket_s <= span.end
    )


def _hours_until(told: Course) -> int | None:
    """The end of the last stretch of which only hours are kept."""
    counted = np.maximum(*(told.fleets[fleet].periods for fleet in FLEETS))
    coarse = (counted > 0) & (counted * HOUR_S <= max(told.bucket_s, told.spacing_s))
    return int(told.ts[np.flatnonzero(coarse)[-1]]) + max(told.bucket_s, HOUR_S) if coarse.any() else None
