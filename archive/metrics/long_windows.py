"""Reads a long window: from ten-minute rollups, and from points where rollups are not exact."""

from collections.abc import Collection

from sqlalchemy import Connection

from archive.metrics import downsampling, points, rows
from archive.metrics.coverage import SeriesIndex, with_pending
from archive.metrics.downsampling import Overview
from archive.metrics.fetch_plan import NO_COVERAGE, FreshnessPolicy
from archive.metrics.write_buffer import WriteBuffer
from domain import Series, Window


def read_overview(
    connection: Connection,
    index: SeriesIndex,
    buffer: WriteBuffer,
    window: Window,
    policy: FreshnessPolicy,
    *,
    series: Collection[Series] | None,
    max_buckets: int,
) -> Overview:
    """`window` in at most `max_buckets` buckets, see MetricStore.overview. `buffer` has answers that are not written yet."""
    bucket_s, pending = downsampling.choose_bucket_s(window, max_buckets), buffer.pending_writes
    selected = tuple(series) if series is not None else buffer.configured_series or index.configured
    # Codes are positions in `ordered`: stored series first.
    ordered = (*(item for item in selected if item in index.ids), *(item for item in selected if item not in index.ids))
    ids, coverage = [index.ids[item] for item in ordered if item in index.ids], with_pending(pending, index.coverage)
    covered = {
        code: coverage.get(item, NO_COVERAGE).clamp_to_final(policy).covered for code, item in enumerate(ordered)
    }
    rollup, as_points = downsampling.EMPTY_ROLLUP, tuple[Window, ...]((window,))
    if bucket_s >= downsampling.ROLLUP_S:
        pending_windows = (part for outcome in pending for part in outcome.windows)
        rollup, as_points = points.read_rollup_and_gaps(connection, ids, window, covered, pending_windows)
    read_rows = rows.concat(points.read_points(connection, ids, part) for part in as_points)
    for outcome in pending:
        read_rows = rows.apply_answers(read_rows, ordered, outcome.pull.frame, outcome.pull.answered_ranges)
    read_rows = read_rows.where((read_rows.ts >= window.start) & (read_rows.ts < window.end))
    finest = rows.finest_resolution(read_rows, covered)
    of_points = downsampling.roll_up(finest, min(bucket_s, downsampling.ROLLUP_S), ordered)
    return downsampling.downsample(window, bucket_s, ordered, rollup.concat(of_points))
