"""What the fleets' targets carry, and have carried, by the archive: what rollback readiness is judged by."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

import analysis
from analysis.deployments.rollback import Loads, busiest
from archive.archive import Archive
from archive.metrics.downsampling import Overview
from domain import Migration, Series, Window
from domain.series import of_requests

RECENT_MINUTES = 15
REMEMBERED_DAYS = 90
BUCKETS = 2200  # of so many days: an hour each, so that a load is one that was held, not a burst

Values = npt.NDArray[np.float64]


def loads(archive: Archive, source: str, *, until: int, proven: float | None) -> Loads:
    """Requests a minute of each fleet in the quarter of an hour up to `until` (epoch seconds, a settled minute). Never asks a source."""
    window = Window(until - RECENT_MINUTES * 60, until)
    brought = archive.read(window, source, only=of_requests)
    minutes = analysis.minutes(brought.frame, window, brought.unknown)
    read = np.ones(len(minutes.ts), dtype=bool)
    for gap in brought.unread:  # one fleet's requests without the other's would look like all there are
        read &= (minutes.ts >= gap.end) | (minutes.ts + minutes.period_s <= gap.start)
    per_minute = {name: _mean(fleet.requests[read]) for name, fleet in minutes.fleets.items()}
    minute_s = minutes.period_s / 60
    baseline, canary = (
        None if one is None else one / minute_s for one in (per_minute["baseline"], per_minute["canary"])
    )
    return Loads(baseline, canary, proven)


def proven(archive: Archive, migration: Migration, source: str, *, until: int) -> float | None:
    """The most requests a minute that one healthy baseline target has carried, as far as the archive knows; None where it knows of none."""
    window = Window(until - REMEMBERED_DAYS * 86_400, until)
    groups = migration.fleets.baseline.names
    requests = [Series(source, "baseline", group, "requests", "sum", "count") for group in groups]
    hosts = [Series(source, "baseline", group, "healthy_hosts", "minimum", "count") for group in groups]
    told = archive.overview(window, source, series=[*requests, *hosts], buckets=BUCKETS)
    return busiest(_sum(told, requests) * 60 / told.bucket_s, _sum(told, hosts))


def _sum(told: Overview, series: Iterable[Series]) -> Values:
    """The sum of several series; NaN where none of them has a number."""
    every = np.vstack([told.lines[one].value for one in series])
    return np.where(np.isnan(every).all(axis=0), np.nan, np.nansum(every, axis=0))


def _mean(values: Values) -> float | None:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else None
