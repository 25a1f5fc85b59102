"""The archive's SQL for numbers: the points, and the ten-minute cells that they are merged into in the same transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from sqlalchemy import Connection, Table, and_, bindparam, delete, func, select

from archive.db import schema
from archive.db.upsert import upsert
from archive.metrics import downsampling, rows
from archive.metrics.downsampling import ADDITIVE_STATS, ROLLUP_S, Rollup
from archive.metrics.rows import Integers, Rows
from domain import Series, Window
from domain.window import MINUTE_S, merge_windows

ReplacedWindow = tuple[int, int, Window]  # (code, period_s, stretch): what is replaced of one series


def read_points(connection: Connection, ids: Sequence[int], window: Window) -> Rows:
    """The rows of these series in a window; codes are positions in `ids`."""
    return rows.rows_from_sql(_read(connection, schema.point, ids, window), ids)


def read_latest_ts(connection: Connection, ids: Sequence[int]) -> int | None:
    """When the newest number of these series begins (epoch seconds); None where there is none."""
    series, point = schema.series, schema.point
    of_each = select(func.max(point.c.ts)).where(point.c.series_id == series.c.id).scalar_subquery()
    found: int | None = connection.scalar(select(func.max(of_each)).select_from(series).where(series.c.id.in_(ids)))
    return found


def read_rollup(connection: Connection, ids: Sequence[int], window: Window) -> tuple[Rollup, Integers]:
    """The ten-minute cells of these series that begin in a window, one a period, and which period each is of; codes are positions in `ids`."""
    series_id, ts, period_s, value, low, high, periods = rows.to_columns(
        _read(connection, schema.rollup_10m, ids, window), 7
    )
    cells = Rollup(rows.positions(series_id, ids), _to_int(ts), value, low, high, _to_int(periods))
    return cells, _to_int(period_s)


def read_rollup_and_gaps(
    connection: Connection,
    ids: Sequence[int],
    window: Window,
    covered: Mapping[int, Mapping[int, Sequence[Window]]],
    pending: Iterable[Window],
) -> tuple[Rollup, tuple[Window, ...]]:
    """The ten-minute cells in a window, and the stretches of it that have to be read row by row instead: where the window cuts a cell, where a longer
    period meets shorter ones, and where there are answers in memory that could not be written.
    """
    around = window.aligned(ROLLUP_S)
    cells, period_s = read_rollup(connection, ids, around)
    cut = (around.overlap(Window(end, end + ROLLUP_S)) for end in (around.start, around.end - ROLLUP_S))
    apart = [part for part in cut if part and (part.start < window.start or part.end > window.end)]
    apart += [part.aligned(ROLLUP_S) for part in pending]
    by_rows = merge_windows((*apart, *downsampling.mixed_resolution(cells, period_s, covered)))
    parts = tuple(part for each in by_rows if (part := each.overlap(window)))
    return (cells.where(~rows.overlapping(cells.ts, ROLLUP_S, by_rows)) if by_rows else cells), parts


def write_points(
    connection: Connection,
    ids: Mapping[Series, int],
    new_rows: Rows,
    series: Sequence[Series],
    replaced: Collection[ReplacedWindow],
) -> None:
    """Writes rows, whose codes are positions in `of`, in the place of what was in the stretches of `replaced`, and merges the cells anew that changes.

    What is there already is not written again: of the sixteen minutes that are asked every minute hardly more than one is new.
    """
    if not len(new_rows) and not replaced:
        return
    numbers = [ids[one] for one in series]
    there = read_points(connection, numbers, _enclosing_window(new_rows, replaced))
    after = new_rows.merged_over(there.where(~_in_replaced(there, replaced)))
    gone, changed = there.where(~there.isin(after)), after.where(~after.isin(there, with_value=True))
    _delete(connection, schema.point, gone, numbers)
    _insert(connection, schema.point, changed, numbers, {"value": changed.value})

    # One line of cells a series and period: what is coarse is told apart from what is fine until it is read.
    touched = rows.concat((gone, changed)).floor_to(ROLLUP_S)
    _, first = np.unique(touched.key(), return_index=True)
    touched = touched.where(first)
    stale = after.where(after.floor_to(ROLLUP_S).isin(touched))
    lines, line = np.unique(np.stack((stale.code, stale.period_s)), axis=1, return_inverse=True)
    counted = np.array([series[code].stat in ADDITIVE_STATS for code in lines[0]], dtype=bool)
    cells = downsampling.merge_rollup(
        Rollup.from_rows(Rows(line, stale.ts, stale.period_s, stale.value)), ROLLUP_S, counted
    )
    anew = Rows(lines[0][cells.code], cells.ts, lines[1][cells.code], cells.value)
    _delete(connection, schema.rollup_10m, touched.where(~touched.isin(anew)), numbers)
    rest: dict[str, rows.Values | Integers] = {
        "value": cells.value,
        "low": cells.low,
        "high": cells.high,
        "periods": cells.periods,
    }
    _insert(connection, schema.rollup_10m, anew, numbers, rest)


def _to_int(column: rows.Values) -> Integers:
    return column.astype("int64")


def _read(connection: Connection, table: Table, ids: Sequence[int], window: Window) -> Iterable[Any]:
    within = and_(table.c.series_id.in_(ids), table.c.ts >= window.start, table.c.ts < window.end)
    result = connection.execute(select(table).where(within))
    # A day of sixty series is 86,400 rows: plain tuples from the driver, not a Row object each.
    return result.cursor.fetchall() if result.cursor else []


def _enclosing_window(new_rows: Rows, replaced: Collection[ReplacedWindow]) -> Window:
    """The whole cells around all that is to be written."""
    ends = [(window.start, window.end) for _, _, window in replaced]
    if len(new_rows):
        ends.append((int(new_rows.ts.min()), int(new_rows.ts.max()) + MINUTE_S))
    return Window(min(start for start, _ in ends), max(end for _, end in ends)).aligned(ROLLUP_S)


def _in_replaced(rows_: Rows, replaced: Collection[ReplacedWindow]) -> rows.Mask:
    """Which rows lie in the stretches that are replaced."""

    def window_and_period(part: ReplacedWindow) -> tuple[Window, int]:
        return part[2], part[1]

    mask = np.zeros(len(rows_), dtype=bool)
    for (window, period_s), parts in groupby(sorted(replaced, key=window_and_period), key=window_and_period):
        inside = (rows_.ts >= window.start) & (rows_.ts < window.end) & (rows_.period_s == period_s)
        mask |= inside & np.isin(rows_.code, [code for code, _, _ in parts])
    return mask


def _delete(connection: Connection, table: Table, rows_: Rows, ids: Sequence[int]) -> None:
    if len(rows_):
        key = ("series_id", "ts", "period_s")
        statement = delete(table).where(*(table.c[name] == bindparam(f"of_{name}") for name in key))
        columns = zip(rows_.code.tolist(), rows_.ts.tolist(), rows_.period_s.tolist(), strict=True)
        connection.execute(
            statement, [{"of_series_id": ids[code], "of_ts": ts, "of_period_s": period} for code, ts, period in columns]
        )


def _insert(
    connection: Connection, table: Table, rows_: Rows, ids: Sequence[int], columns: Mapping[str, rows.Values | Integers]
) -> None:
    columns = (
        {"series_id": np.asarray(ids)[rows_.code], "ts": rows_.ts, "period_s": rows_.period_s, **columns}
        if len(rows_)
        else {}
    )
    lists = [column.tolist() for column in columns.values()]
    upsert(connection, table, [dict(zip(columns, line, strict=True)) for line in zip(*lists, strict=True)])
