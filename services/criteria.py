"""The series of criteria of one's own, which have sources of their own, beside those of the source that is judged."""

from collections.abc import Hashable, Iterable
from dataclasses import replace
from datetime import datetime

from archive import Archive, MetricsResult
from domain import FLEETS, Migration, Series, Window
from domain.frame import concat_frames
from sources.base import MetricSource


def own_series(migration: Migration) -> frozenset[Series]:
    return frozenset(
        series
        for criterion in migration.own_criteria
        for fleet in FLEETS
        for series in criterion.series(fleet).values()
    )


def with_criteria(
    archive: Archive, migration: Migration, result: MetricsResult, *, now: datetime | None = None
) -> MetricsResult:
    """The result with what the archive has of criteria of one's own in the same window, and with the problems of their sources."""
    parts = read_criteria(archive, migration, result.window, now=now)
    if not parts:
        return result
    problems = (*result.problems, *(problem for part in parts for problem in part.problems))
    return replace(
        result,
        frame=concat_frames((result.frame, *(part.frame for part in parts))),
        problems=tuple(dict.fromkeys(problems)),
    )


def read_criteria(
    archive: Archive, migration: Migration, window: Window, *, now: datetime | None = None
) -> tuple[MetricsResult, ...]:
    """What the archive has of criteria of one's own, in the order of `source_names`."""
    series = own_series(migration)
    return tuple(
        archive.metrics.read(window, source, now=now, series_filter=series.__contains__)
        for source in source_names(series)
    )


def fetch_criteria(archive: Archive, sources: Iterable[MetricSource], window: Window, *, now: datetime) -> None:
    """Fetches what is missing of criteria of one's own. Problems are read with the result."""
    for source in sources:
        archive.metrics.fill(window, source, now=now)


def criteria_key(archive: Archive, migration: Migration, window: Window) -> Hashable:
    """A value that changes whenever `with_criteria` may return something else for `window`. Raises ArchiveError."""
    return tuple(archive.metrics.cache_key(window, source) for source in source_names(own_series(migration)))


def source_names(series: Iterable[Series]) -> list[str]:
    return sorted({item.source for item in series})
