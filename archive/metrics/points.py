"""The archive's SQL for numbers: the points, and the ten-minute cells that they are merged into in the same transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from sqlalchemy import Connection, Table, and_, bindparam, delete, func, select

from archive.db import schema
from archive.db.upsert import upsert
from archive.metrics import downsampling, rows
from archive.metrics.downsampling import CELL_S, COUNTED, Cells
from archive.metrics.rows import Integers, Rows
from domain import Series, Window
from domain.window import MINUTE_S, merged

Part = tuple[int, int, Window]  # (code, period_s, stretch): what is replaced of one series


def read_points(connection: Connection, ids: Sequence[int], window: Window) -> Rows:
    """The rows of these series in a window; codes are positions in `ids`."""
    return rows.fetched(_read(connection, schema.point, ids, window), ids)


def read_newest(connection: Connection, ids: Sequence[int]) -> int | None:
    """When the newest number of these series begins (epoch seconds); None where there is none."""
    series, point = schema.series, schema.point
    of_each = select(func.max(point.c.ts)).where(point.c.series_id == series.c.id).scalar_subquery()
    found: int | None = connection.scalar(select(func.max(of_each)).select_from(series).where(series.c.id.in_(ids)))
    return found


def read_cells(connection: Connection, ids: Sequence[int], window: Window) -> tuple[Cells, Integers]:
    """The ten-minute cells of these series that begin in a window, one a period, and which period each is of; codes are positions in `ids`."""
    series_id, ts, period_s, value, low, high, periods = rows.columns(_read(connection, schema.cell, ids, window), 7)
    cells = Cells(rows.positions(series_id, ids), _whole(ts), value, low, high, _whole(periods))
    return cells, _whole(period_s)


def read_merged(
    connection: Connection,
    ids: Sequence[int],
    window: Window,
    covered: Mapping[int, Mapping[int, Sequence[Window]]],
    in_memory: Iterable[Window],
) -> tuple[Cells, tuple[Window, ...]]:
    """The ten-minute cells in a window, and the stretches of it that have to be read row by row instead: where the window cuts a cell, where a longer
    period meets shorter ones, and where there are answers in memory that could not be written.
    """
    around = window.aligned(CELL_S)
    cells, period_s = read_cells(connection, ids, around)
    cut = (around.overlap(Window(end, end + CELL_S)) for end in (around.start, around.end - CELL_S))
    apart = [part for part in cut if part and (part.start < window.start or part.end > window.end)]
    apart += [part.aligned(CELL_S) for part in in_memory]
    by_rows = merged((*apart, *downsampling.doubtful(cells, period_s, covered)))
    parts = tuple(part for each in by_rows if (part := each.overlap(window)))
    return (cells.where(~rows.touching(cells.ts, CELL_S, by_rows)) if by_rows else cells), parts


def write_points(
    connection: Connection, ids: Mapping[Series, int], told: Rows, of: Sequence[Series], replaced: Collection[Part]
) -> None:
    """Writes rows, whose codes are positions in `of`, in the place of what was in the stretches of `replaced`, and merges the cells anew that changes.

    What is there already is not written again: of the sixteen minutes that are asked every minute hardly more than one is new.
    """
    if not len(told) and not replaced:
        return
    numbers = [ids[one] for one in of]
    there = read_points(connection, numbers, _around(told, replaced))
    after = told.over(there.where(~_within(there, replaced)))
    gone, changed = there.where(~there.isin(after)), after.where(~after.isin(there, with_value=True))
    _delete(connection, schema.point, gone, numbers)
    _insert(connection, schema.point, changed, numbers, {"value": changed.value})

    # One line of cells a series and period: what is coarse is told apart from what is fine until it is read.
    touched = rows.joined((gone, changed)).in_cells(CELL_S)
    _, first = np.unique(touched.key(), return_index=True)
    touched = touched.where(first)
    stale = after.where(after.in_cells(CELL_S).isin(touched))
    lines, line = np.unique(np.stack((stale.code, stale.period_s)), axis=1, return_inverse=True)
    counted = np.array([of[code].stat in COUNTED for code in lines[0]], dtype=bool)
    cells = downsampling.merge(Cells.of_each(Rows(line, stale.ts, stale.period_s, stale.value)), CELL_S, counted)
    anew = Rows(lines[0][cells.code], cells.ts, lines[1][cells.code], cells.value)
    _delete(connection, schema.cell, touched.where(~touched.isin(anew)), numbers)
    rest: dict[str, rows.Values | Integers] = {
        "value": cells.value,
        "low": cells.low,
        "high": cells.high,
        "periods": cells.periods,
    }
    _insert(connection, schema.cell, anew, numbers, rest)


def _whole(column: rows.Values) -> Integers:
    return column.astype("int64")


def _read(connection: Connection, table: Table, ids: Sequence[int], window: Window) -> Iterable[Any]:
    within = and_(table.c.series_id.in_(ids), table.c.ts >= window.start, table.c.ts < window.end)
    result = connection.execute(select(table).where(within))
    # A day of sixty series is 86,400 rows: plain tuples from the driver, not a Row object each.
    return result.cursor.fetchall() if result.cursor else []


def _around(told: Rows, replaced: Collection[Part]) -> Window:
    """The whole cells around all that is to be written."""
    ends = [(window.start, window.end) for _, _, window in replaced]
    if len(told):
        ends.append((int(told.ts.min()), int(told.ts.max()) + MINUTE_S))
    return Window(min(start for start, _ in ends), max(end for _, end in ends)).aligned(CELL_S)


def _within(there: Rows, replaced: Collection[Part]) -> rows.Mask:
    """Which rows lie in the stretches that are replaced."""

    def stretch(part: Part) -> tuple[Window, int]:
        return part[2], part[1]

    mask = np.zeros(len(there), dtype=bool)
    for (window, period_s), parts in groupby(sorted(replaced, key=stretch), key=stretch):
        inside = (there.ts >= window.start) & (there.ts < window.end) & (there.period_s == period_s)
        mask |= inside & np.isin(there.code, [code for code, _, _ in parts])
    return mask


def _delete(connection: Connection, table: Table, gone: Rows, ids: Sequence[int]) -> None:
    if len(gone):
        key = ("series_id", "ts", "period_s")
        statement = delete(table).where(*(table.c[name] == bindparam(f"of_{name}") for name in key))
        columns = zip(gone.code.tolist(), gone.ts.tolist(), gone.period_s.tolist(), strict=True)
        connection.execute(
            statement, [{"of_series_id": ids[code], "of_ts": ts, "of_period_s": period} for code, ts, period in columns]
        )


def _insert(
    connection: Connection, table: Table, fresh: Rows, ids: Sequence[int], rest: Mapping[str, rows.Values | Integers]
) -> None:
    columns = (
        {"series_id": np.asarray(ids)[fresh.code], "ts": fresh.ts, "period_s": fresh.period_s, **rest}
        if len(fresh)
        else {}
    )
    lists = [column.tolist() for column in columns.values()]
    upsert(connection, table, [dict(zip(columns, line, strict=True)) for line in zip(*lists, strict=True)])
