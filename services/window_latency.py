"""The latency of a phase as one period: percentiles of all its responses together."""

from datetime import datetime

from analysis import Phase
from archive import Archive
from domain import Migration, Window
from domain.window import MINUTE_S
from services.freshness import provisional_from
from sources.base import MetricSource
from sources.window_latency import WindowLatency, WindowLatencySource

MIN_GROWTH_S = 300  # each request is billed: the window of the current phase grows in steps of at least this,
GROWTH_FRACTION = 24  # and of one 24th of its length


def latency_window(migration: Migration, phase: Phase, *, now: datetime) -> Window | None:
    """The part of a phase to request: without provisional minutes, with ends that do not move every minute. None if nothing is left."""
    now_s = int(now.timestamp()) // MINUTE_S * MINUTE_S
    start, end = phase.window.start, min(phase.window.end, provisional_from(migration, now_s))
    step_s = max(MIN_GROWTH_S, (end - start) // GROWTH_FRACTION // MIN_GROWTH_S * MIN_GROWTH_S)
    if phase.started_by == "window":
        start = -(-start // step_s) * step_s
    if phase.window.end >= now_s:
        end = end // step_s * step_s
    return Window(start, end) if start < end else None


def phase_latency(
    archive: Archive, migration: Migration, phase: Phase, source: str | MetricSource, *, now: datetime
) -> WindowLatency | None:
    """The archived latency of a phase; fetched first if a source is given that can. None if unknown. Raises ArchiveError."""
    window = latency_window(migration, phase, now=now)
    if window is None:
        return None
    if isinstance(source, str):
        return archive.metrics.window_latency(window, source)
    if not isinstance(source, WindowLatencySource):
        return None
    archive.metrics.fetch_window_latency(window, source, now=now)
    return archive.metrics.window_latency(window, source.name)
