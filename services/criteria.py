"""The series of criteria of one's own, which have sources of their own, beside those of the source that is judged."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import analysis
from analysis import Comparison
from archive import Archive, MetricsResult
from domain import FLEETS, Criterion, FleetName, Migration, Series, Window
from domain.frame import concat_frames
from domain.series import is_request_count
from domain.window import HOUR_S, MINUTE_S
from sources.base import MetricSource

SILENT_S = HOUR_S
MAX_POLL_DELAY_S = 5 * MINUTE_S  # newer minutes may not have been polled since they are final


@dataclass(frozen=True, slots=True)
class SilentCriterion:
    """A criterion of one's own without a value of `fleet` for SILENT_S, although the fleet is reporting: its metric may have been renamed."""

    criterion: Criterion
    fleet: FleetName


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


def read_criteria_by_source(
    archive: Archive, migration: Migration, window: Window, *, now: datetime | None = None
) -> dict[str, MetricsResult]:
    return dict(
        zip(source_names(own_series(migration)), read_criteria(archive, migration, window, now=now), strict=True)
    )


def own_comparisons(
    migration: Migration, window: Window, results: Mapping[str, MetricsResult]
) -> Iterator[tuple[Criterion, Comparison]]:
    """Both fleets' values of each criterion of one's own. `results`: by source."""
    grids = {name: analysis.finest_grid(result.frame, window) for name, result in results.items()}
    for criterion in migration.own_criteria:
        grid = grids[criterion.series_source]
        yield criterion, analysis.own_metric(grid, criterion.series_metric, is_rate=criterion.kind == "rate")


def fetch_criteria(archive: Archive, sources: Iterable[MetricSource], window: Window, *, now: datetime) -> None:
    """Fetches what is missing of criteria of one's own. Problems are read with the result."""
    for source in sources:
        archive.metrics.fill(window, source, now=now)


def criteria_key(archive: Archive, migration: Migration, window: Window) -> Hashable:
    """A value that changes whenever `with_criteria` may return something else for `window`. Raises ArchiveError."""
    return tuple(archive.metrics.cache_key(window, source) for source in source_names(own_series(migration)))


def source_names(series: Iterable[Series]) -> list[str]:
    return sorted({item.source for item in series})


def silent_criteria(
    archive: Archive, migration: Migration, source: str, *, now: datetime
) -> tuple[SilentCriterion, ...]:
    """The criteria without a final value in an hour that was polled, of fleets with requests in `source` or with values of another criterion then.

    None while all of their source is unanswered, which is a problem of that source. Raises ArchiveError.
    """
    until = int(now.timestamp()) // MINUTE_S * MINUTE_S - migration.settle_minutes * MINUTE_S - MAX_POLL_DELAY_S
    window = Window(until - SILENT_S, until)
    sides = {
        SilentCriterion(criterion, fleet): archive.metrics.read(
            window,
            criterion.series_source,
            now=now,
            series_filter={*criterion.series(fleet).values()}.__contains__,
        )
        for criterion in migration.own_criteria
        for fleet in FLEETS
    }
    answering = {side.criterion.source for side, result in sides.items() if not result.missing}
    silent = [
        side
        for side, result in sides.items()
        if result.frame.empty and (not result.missing or side.criterion.source in answering)
    ]
    if not silent:
        return ()
    reporting = {side.fleet for side in sides.keys() - set(silent) if not sides[side].frame.empty}
    requests = archive.metrics.read(window, source, now=now, series_filter=is_request_count).frame
    reporting |= {*requests.loc[requests["value"] > 0, "fleet"]}
    return tuple(side for side in silent if side.fleet in reporting)
