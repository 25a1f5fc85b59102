"""A long window as the archive holds it: from ten-minute cells, and from the points themselves wherever cells could not say it exactly."""

from collections.abc import Collection

from sqlalchemy import Connection

from archive.metrics import coverage, downsampling, points, rows
from archive.metrics.downsampling import Overview
from archive.metrics.fetch_plan import NO_COVERAGE, FreshnessPolicy
from archive.metrics.write_buffer import WriteBuffer
from domain import Series, Window


def read_overview(
    connection: Connection,
    index: coverage.SeriesIndex,
    buffer: WriteBuffer,
    window: Window,
    policy: FreshnessPolicy,
    *,
    series: Collection[Series] | None,
    max_buckets: int,
) -> Overview:
    """`window` in at most so many buckets, as `Archive.overview` gives it. `book`: what is written of the source; `held`: what is only in memory."""
    length_s, unkept = downsampling.choose_bucket_s(window, max_buckets), buffer.pending_writes
    wanted = tuple(series) if series is not None else buffer.configured_series or index.configured
    # Numbers are coded by their place in `lines`: the written series first.
    lines = (*(one for one in wanted if one in index.ids), *(one for one in wanted if one not in index.ids))
    ids, known = [index.ids[one] for one in lines if one in index.ids], coverage.with_pending(unkept, index.coverage)
    covered = {code: known.get(one, NO_COVERAGE).clamp_to_final(policy).covered for code, one in enumerate(lines)}
    cells, by_rows = downsampling.EMPTY_ROLLUP, tuple[Window, ...]((window,))
    if length_s >= downsampling.ROLLUP_S:
        in_memory = (part for asked in unkept for part in asked.windows)
        cells, by_rows = points.read_rollup_and_gaps(connection, ids, window, covered, in_memory)
    found = rows.concat(points.read_points(connection, ids, part) for part in by_rows)
    for asked in unkept:
        found = rows.apply_answers(found, lines, asked.pull.frame, asked.pull.answered_ranges)
    found = found.where((found.ts >= window.start) & (found.ts < window.end))
    fresh = downsampling.roll_up(rows.finest_resolution(found, covered), min(length_s, downsampling.ROLLUP_S), lines)
    return downsampling.downsample(window, length_s, lines, cells.concat(fresh))
