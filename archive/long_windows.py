"""A long window as the archive holds it: from ten-minute cells, and from the points themselves wherever cells could not say it exactly."""

from collections.abc import Collection

from sqlalchemy import Connection

from archive import ledger, overview, points, rows
from archive.held import Held
from archive.overview import Overview
from archive.plan import UNKNOWN, LiveEdge
from migration import Series, Window


def read_overview(
    connection: Connection,
    book: ledger.Book,
    held: Held,
    window: Window,
    edge: LiveEdge,
    *,
    series: Collection[Series] | None,
    buckets: int,
) -> Overview:
    """`window` in at most so many buckets, as `Archive.overview` gives it. `book`: what is written of the source; `held`: what is only in memory."""
    length_s, unkept = overview.bucket_s(window, buckets), held.unkept
    wanted = tuple(series) if series is not None else held.wanted or book.wanted
    # Numbers are coded by their place in `lines`: the written series first.
    lines = (*(one for one in wanted if one in book.ids), *(one for one in wanted if one not in book.ids))
    ids, known = [book.ids[one] for one in lines if one in book.ids], ledger.after(unkept, book.known)
    covered = {code: known.get(one, UNKNOWN).sane(edge).covered for code, one in enumerate(lines)}
    cells, by_rows = overview.NO_CELLS, tuple[Window, ...]((window,))
    if length_s >= overview.CELL_S:
        in_memory = (part for asked in unkept for part in asked.windows)
        cells, by_rows = points.read_merged(connection, ids, window, covered, in_memory)
    found = rows.joined(points.read_points(connection, ids, part) for part in by_rows)
    for asked in unkept:
        found = rows.overlaid(found, lines, asked.pull.frame, asked.pull.answers)
    found = found.where((found.ts >= window.start) & (found.ts < window.end))
    fresh = overview.cells_of(rows.finest(found, covered), min(length_s, overview.CELL_S), lines)
    return overview.overview(window, length_s, lines, cells.beside(fresh))
