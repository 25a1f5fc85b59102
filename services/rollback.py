"""The load of the fleets, now and at its peak: the input of rollback readiness."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

import analysis
from analysis.deployments.rollback import FleetLoad, peak_per_target
from archive import Archive, Overview
from domain import Migration, Series, Window
from domain.series import is_request_count
from domain.window import DAY_S, MINUTE_S

LOAD_WINDOW_MINUTES = 15
PEAK_HISTORY_DAYS = 90
PEAK_BUCKETS = 2200  # one hour each: the peak is a sustained load, not a burst

FloatArray = npt.NDArray[np.float64]


def fleet_load(archive: Archive, migration: Migration, source: str, *, until: int) -> FleetLoad:
    """Requests per minute of each fleet in the 15 minutes before `until` (epoch seconds, a final minute), and the peak of the baseline's targets."""
    window = Window(until - LOAD_WINDOW_MINUTES * MINUTE_S, until)
    result = archive.metrics.read(window, source, series_filter=is_request_count)
    grid = analysis.time_grid(result.frame, window, result.unknown)
    known = np.ones(len(grid.ts), dtype=bool)
    for gap in result.requests_unknown:  # the requests of one fleet alone would look like the total
        known &= (grid.ts >= gap.end) | (grid.ts + grid.period_s <= gap.start)
    load = {name: _mean(fleet.requests[known], grid.period_s / MINUTE_S) for name, fleet in grid.fleets.items()}
    return FleetLoad(load["baseline"], load["canary"], _max_load_per_target(archive, migration, source, until=until))


def _max_load_per_target(archive: Archive, migration: Migration, source: str, *, until: int) -> float | None:
    """The highest requests per minute that one healthy baseline target served in 90 days; None if unknown."""
    window = Window(until - PEAK_HISTORY_DAYS * DAY_S, until)
    groups = migration.fleets.baseline.names
    requests = [Series(source, "baseline", group, "requests", "sum", "count") for group in groups]
    hosts = [Series(source, "baseline", group, "healthy_hosts", "minimum", "count") for group in groups]
    overview = archive.metrics.overview(window, source, series=[*requests, *hosts], max_buckets=PEAK_BUCKETS)
    return peak_per_target(_sum(overview, requests) * MINUTE_S / overview.bucket_s, _sum(overview, hosts))


def _sum(overview: Overview, series: Iterable[Series]) -> FloatArray:
    """The sum of several series; NaN where all of them are."""
    values = np.vstack([overview.series[item].value for item in series])
    return np.where(np.isnan(values).all(axis=0), np.nan, np.nansum(values, axis=0))


def _mean(values: FloatArray, period_minutes: float) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) / period_minutes if len(known) else None
