"""The load of the fleets, now and at its peak: the input of rollback readiness and of the next step."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

import analysis
from analysis.deployments.rollback import FleetLoad, peak_per_target, recent_load
from analysis.series.grid import nan_sum
from analysis.series.phases import weights_settled_at
from archive import Archive, Overview
from archive.metrics.fetch_plan import NO_COVERAGE
from domain import FleetName, Migration, Series, Window
from domain.series import is_request_count
from domain.window import DAY_S, HOUR_S, MINUTE_S

LOAD_WINDOW_MINUTES = 15
PEAK_HISTORY_DAYS = 90
PEAK_BUCKETS = 13_000  # ten minutes each, as the archive keeps them

FloatArray = npt.NDArray[np.float64]


def fleet_load(archive: Archive, migration: Migration, source: str, *, until: int) -> FleetLoad:
    """Requests per minute in the 15 minutes before `until` (epoch seconds, a final minute), and the peak of the baseline's targets."""
    window = Window(until - LOAD_WINDOW_MINUTES * MINUTE_S, until)
    result = archive.metrics.read(window, source, series_filter=is_request_count)
    grid = analysis.time_grid(result.frame, window, result.unknown)
    known = np.ones(len(grid.ts), dtype=bool)
    for gap in result.requests_unknown:  # the requests of one fleet alone would look like the total
        known &= (grid.ts >= gap.end) | (grid.ts + grid.period_s <= gap.start)
    latest = archive.events.latest_traffic()
    share = latest[0].configured_shares.get("canary") if latest else None
    baseline, total = recent_load(
        grid,
        known,
        weights_since=max((weights_settled_at(change) for change in archive.events.weight_changes()), default=0),
        canary_share=None if share is None else float(share),
    )
    return FleetLoad(baseline, total, max_load_per_target(archive, migration, source, "baseline", until=until))


def max_load_per_target(
    archive: Archive, migration: Migration, source: str, fleet: FleetName, *, until: int
) -> float | None:
    """The highest requests per minute that one healthy target of a fleet served for an hour in 90 days; None if unknown. Raises ArchiveError."""
    window = Window((until - PEAK_HISTORY_DAYS * DAY_S) // HOUR_S * HOUR_S, until)
    groups = migration.fleets[fleet].names
    requests = [Series(source, fleet, group, "requests", "sum", "count") for group in groups]
    hosts = [Series(source, fleet, group, "healthy_hosts", "minimum", "count") for group in groups]
    overview = archive.metrics.overview(window, source, series=[*requests, *hosts], max_buckets=PEAK_BUCKETS)
    coverage = archive.metrics.coverage_of(source)
    policy = archive.metrics.freshness(window.ends_at)
    answered = (coverage.get(series, NO_COVERAGE).answered_windows(policy) for series in (*requests, *hosts))
    known = np.vstack([overview.minutes_of(windows) for windows in answered])
    # Where one group or metric is known for other minutes than the rest, sums and quotients would mix different times.
    known_minutes = np.where((known == known[0]).all(axis=0), known[0], 0.0)
    return peak_per_target(overview.ts, _sum(overview, requests), _sum(overview, hosts), known_minutes)


def _sum(overview: Overview, series: Iterable[Series]) -> FloatArray:
    """The sum of several series; NaN where all of them are."""
    return nan_sum(*(overview.series[item].value for item in series))
