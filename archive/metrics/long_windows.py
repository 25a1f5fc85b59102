"""A long window as the archive holds it: from ten-minute cells, and from the points themselves wherever cells could not say it exactly."""

from collections.abc import Collection

from sqlalchemy import Connection

from archive.metrics import coverage, downsampling, points, rows
from archive.metrics.downsampling import Overview
from archive.metrics.fetch_plan import UNKNOWN, LiveEdge
from archive.metrics.write_buffer import Held
from domain import Series, Window


def read_overview(
    connection: Connection,
    book: coverage.Book,
    held: Held,
    window: Window,
    edge: LiveEdge,
    *,
    series: Collection[Series] | None,
    buckets: int,
) -> Overview:
    """`window` in at most so many buckets, as `Archive.overview` gives it. `book`: what is written of the source; `held`: what is only in memory."""
    length_s, unkept = downsampling.bucket_s(window, buckets), held.unkept
    wanted = tuple(series) if series is not None else held.wanted or book.wanted
    # Numbers are coded by their place in `lines`: the written series first.
    lines = (*(one for one in wanted if one in book.ids), *(one for one in wanted if one not in book.ids))
    ids, known = [book.ids[one] for one in lines if one in book.ids], coverage.after(unkept, book.known)
    covered = {code: known.get(one, UNKNOWN).sane(edge).covered for code, one in enumerate(lines)}
    cells, by_rows = downsampling.NO_CELLS, tuple[Window, ...]((window,))
    if length_s >= downsampling.CELL_S:
        in_memory = (part for asked in unkept for part in asked.windows)
        cells, by_rows = points.read_merged(connection, ids, window, covered, in_memory)
    found = rows.joined(points.read_points(connection, ids, part) for part in by_rows)
    for asked in unkept:
        found = rows.overlaid(found, lines, asked.pull.frame, asked.pull.answers)
    found = found.where((found.ts >= window.start) & (found.ts < window.end))
    fresh = downsampling.cells_of(rows.finest(found, covered), min(length_s, downsampling.CELL_S), lines)
    return downsampling.overview(window, length_s, lines, cells.beside(fresh))
