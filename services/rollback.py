"""What the fleets' targets carry, and have carried, by the archive: what rollback readiness is judged by."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

import analysis
from analysis.deployments.rollback import FleetLoad, peak_per_target
from archive.archive import Archive
from archive.metrics.downsampling import Overview
from domain import Migration, Series, Window
from domain.series import is_request_count

LOAD_WINDOW_MINUTES = 15
PEAK_HISTORY_DAYS = 90
PEAK_BUCKETS = 2200  # of so many days: an hour each, so that a load is one that was held, not a burst

Values = npt.NDArray[np.float64]


def fleet_load(archive: Archive, source: str, *, until: int, max_load: float | None) -> FleetLoad:
    """Requests a minute of each fleet in the quarter of an hour up to `until` (epoch seconds, a settled minute). Never asks a source."""
    window = Window(until - LOAD_WINDOW_MINUTES * 60, until)
    brought = archive.metrics.read(window, source, series_filter=is_request_count)
    minutes = analysis.time_grid(brought.frame, window, brought.unknown)
    read = np.ones(len(minutes.ts), dtype=bool)
    for gap in brought.requests_unknown:  # one fleet's requests without the other's would look like all there are
        read &= (minutes.ts >= gap.end) | (minutes.ts + minutes.period_s <= gap.start)
    per_minute = {name: _mean(fleet.requests[read]) for name, fleet in minutes.fleets.items()}
    minute_s = minutes.period_s / 60
    baseline, canary = (
        None if one is None else one / minute_s for one in (per_minute["baseline"], per_minute["canary"])
    )
    return FleetLoad(baseline, canary, max_load)


def max_load_per_target(archive: Archive, migration: Migration, source: str, *, until: int) -> float | None:
    """The most requests a minute that one healthy baseline target has carried, as far as the archive knows; None where it knows of none."""
    window = Window(until - PEAK_HISTORY_DAYS * 86_400, until)
    groups = migration.fleets.baseline.names
    requests = [Series(source, "baseline", group, "requests", "sum", "count") for group in groups]
    hosts = [Series(source, "baseline", group, "healthy_hosts", "minimum", "count") for group in groups]
    told = archive.metrics.overview(window, source, series=[*requests, *hosts], max_buckets=PEAK_BUCKETS)
    return peak_per_target(_sum(told, requests) * 60 / told.bucket_s, _sum(told, hosts))


def _sum(overview: Overview, series: Iterable[Series]) -> Values:
    """The sum of several series; NaN where none of them has a number."""
    every = np.vstack([overview.series[one].value for one in series])
    return np.where(np.isnan(every).all(axis=0), np.nan, np.nansum(every, axis=0))


def _mean(values: Values) -> float | None:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else None
