"""SQL on points, and on the ten-minute rollups that are updated in the same transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, ColumnElement, Connection, Table, and_, bindparam, cast, delete, func, select

from archive.db import schema
from archive.db.upsert import upsert
from archive.metrics import downsampling, rows
from archive.metrics.downsampling import ADDITIVE_STATS, ROLLUP_S, Rollup
from archive.metrics.rows import KEY_MINUTE, KEY_SERIES, CoveredByCode, Integers, Rows
from domain import Series, Window
from domain.window import MINUTE_S, merge_windows

INSERTED_ROWS = 20_000  # at once: each is a dictionary

ReplacedWindow = tuple[int, int, Window]  # (code, period_s, window): rows of a series to be replaced


def read_points(connection: Connection, ids: Sequence[int], window: Window) -> Rows:
    """The rows of these series in a window; codes are positions in `ids`."""
    table = schema.point
    return rows.rows_from_sql(_read(connection, table, (_key(table), table.c.value), ids, window), ids)


def read_latest_ts(connection: Connection, ids: Sequence[int]) -> int | None:
    """The newest `ts` of these series (epoch seconds); None without points."""
    series, point = schema.series, schema.point
    latest = select(func.max(point.c.ts)).where(point.c.series_id == series.c.id).scalar_subquery()
    ts: int | None = connection.scalar(select(func.max(latest)).select_from(series).where(series.c.id.in_(ids)))
    return ts


def has_points(connection: Connection, ids: Sequence[int], window: Window) -> bool:
    """Whether any of these series has a point in a window."""
    table = schema.point
    within = and_(table.c.series_id.in_(ids), table.c.ts >= window.start, table.c.ts < window.end)
    return connection.execute(select(table.c.ts).where(within).limit(1)).first() is not None


def read_reported(connection: Connection, series_by_id: Mapping[int, Series]) -> frozenset[Series]:
    """The series that have a point at any time."""
    series, point = schema.series, schema.point
    has_point = select(point.c.ts).where(point.c.series_id == series.c.id).exists()
    ids = connection.scalars(select(series.c.id).where(series.c.id.in_(tuple(series_by_id)), has_point))
    return frozenset(series_by_id[series_id] for series_id in ids)


def read_rollup(connection: Connection, ids: Sequence[int], window: Window) -> tuple[Rollup, Integers]:
    """The rollups of these series that start in a window, and the period of each; codes are positions in `ids`."""
    table = schema.rollup_10m
    columns = (_key(table), table.c.value, table.c.low, table.c.high, table.c.periods)
    types = [("key", np.int64), *((name, np.float64) for name in ("value", "low", "high")), ("periods", np.int64)]
    records = np.fromiter(_read(connection, table, columns, ids, window), dtype=types)
    code, ts, period_s = rows.split_key(records["key"], ids)
    values = (np.ascontiguousarray(records[name]) for name, _ in types[1:])
    return Rollup(code, ts, *values), period_s


def read_rollup_and_gaps(
    connection: Connection, ids: Sequence[int], window: Window, covered: CoveredByCode, pending: Iterable[Window]
) -> tuple[Rollup, tuple[Window, ...]]:
    """The rollups in a window, and the parts of it that must be read as points instead: ten minutes that the window cuts, that mix
    resolutions, or that have `pending` answers, which are not written yet."""
    aligned = window.aligned(ROLLUP_S)
    rollup, period_s = read_rollup(connection, ids, aligned)
    ends = (aligned.overlap(Window(start, start + ROLLUP_S)) for start in (aligned.start, aligned.end - ROLLUP_S))
    gaps = [part for part in ends if part and (part.start < window.start or part.end > window.end)]
    gaps += [part.aligned(ROLLUP_S) for part in pending]
    merged_gaps = merge_windows((*gaps, *downsampling.mixed_resolution(rollup, period_s, covered)))
    parts = tuple(part for gap in merged_gaps if (part := gap.overlap(window)))
    if merged_gaps:
        rollup = rollup.where(~rows.overlapping(rollup.ts, ROLLUP_S, merged_gaps))
    return rollup, parts


def write_points(
    connection: Connection,
    ids: Mapping[Series, int],
    new_rows: Rows,
    series: Sequence[Series],
    replaced: Collection[ReplacedWindow],
) -> None:
    """Writes rows, whose codes are positions in `series`, deletes other rows in `replaced`, and updates the rollups that change.

    Only rows that differ are written: of the sixteen minutes that are fetched every minute, about one is new.
    """
    if not len(new_rows) and not replaced:
        return
    series_ids = [ids[item] for item in series]
    before = read_points(connection, series_ids, _enclosing_window(new_rows, replaced))
    after = new_rows.merged_over(before.where(~_in_replaced(before, replaced)))
    deleted, changed = before.where(~before.isin(after)), after.where(~after.isin(before, with_value=True))
    _delete(connection, schema.point, deleted, series_ids)
    _insert(connection, schema.point, changed, series_ids, {"value": changed.value})

    # One rollup for each series and period: reading decides which resolution counts.
    touched = rows.concat((deleted, changed)).floor_to(ROLLUP_S)
    _, first = np.unique(touched.key(), return_index=True)
    touched = touched.where(first)
    stale = after.where(after.floor_to(ROLLUP_S).isin(touched))
    groups, group = np.unique(np.stack((stale.code, stale.period_s)), axis=1, return_inverse=True)
    additive = np.array([series[code].stat in ADDITIVE_STATS for code in groups[0]], dtype=bool)
    rollup = downsampling.merge_rollup(
        Rollup.from_rows(Rows(group, stale.ts, stale.period_s, stale.value)), ROLLUP_S, additive
    )
    updated = Rows(groups[0][rollup.code], rollup.ts, groups[1][rollup.code], rollup.value)
    _delete(connection, schema.rollup_10m, touched.where(~touched.isin(updated)), series_ids)
    columns: dict[str, rows.Values | Integers] = {
        "value": rollup.value,
        "low": rollup.low,
        "high": rollup.high,
        "periods": rollup.periods,
    }
    _insert(connection, schema.rollup_10m, updated, series_ids, columns)


def _key(table: Table) -> ColumnElement[int]:
    """Rows.key with the series id as its code, instead of three columns: most of the time is spent on making objects of the numbers."""
    key = cast(table.c.series_id, BigInteger) * KEY_SERIES + table.c.ts // MINUTE_S * KEY_MINUTE
    return key + table.c.period_s // MINUTE_S


def _read(
    connection: Connection, table: Table, columns: Iterable[ColumnElement[Any]], ids: Sequence[int], window: Window
) -> Iterable[Any]:
    within = and_(table.c.series_id.in_(ids), table.c.ts >= window.start, table.c.ts < window.end)
    result = connection.execute(select(*columns).where(within))
    # The driver's plain tuples, one at a time: a phase of many series has millions of rows, too many for a Row object each, or for a list.
    cursor: Any = result.cursor
    return cursor or ()


def _enclosing_window(new_rows: Rows, replaced: Collection[ReplacedWindow]) -> Window:
    """The whole ten minutes around everything that may be written."""
    ends = [(window.start, window.end) for _, _, window in replaced]
    if len(new_rows):
        ends.append((int(new_rows.ts.min()), int(new_rows.ts.max()) + MINUTE_S))
    return Window(min(start for start, _ in ends), max(end for _, end in ends)).aligned(ROLLUP_S)


def _in_replaced(points: Rows, replaced: Collection[ReplacedWindow]) -> rows.Mask:
    """Which rows are in `replaced`."""

    def window_and_period(part: ReplacedWindow) -> tuple[Window, int]:
        return part[2], part[1]

    mask = np.zeros(len(points), dtype=bool)
    for (window, period_s), parts in groupby(sorted(replaced, key=window_and_period), key=window_and_period):
        inside = (points.ts >= window.start) & (points.ts < window.end) & (points.period_s == period_s)
        mask |= inside & np.isin(points.code, [code for code, _, _ in parts])
    return mask


def _delete(connection: Connection, table: Table, points: Rows, ids: Sequence[int]) -> None:
    if len(points):
        key = ("series_id", "ts", "period_s")
        statement = delete(table).where(*(table.c[name] == bindparam(f"of_{name}") for name in key))
        columns = zip(points.code.tolist(), points.ts.tolist(), points.period_s.tolist(), strict=True)
        connection.execute(
            statement, [{"of_series_id": ids[code], "of_ts": ts, "of_period_s": period} for code, ts, period in columns]
        )


def _insert(
    connection: Connection,
    table: Table,
    points: Rows,
    ids: Sequence[int],
    columns: Mapping[str, rows.Values | Integers],
) -> None:
    if len(points):
        key = {"series_id": np.asarray(ids)[points.code], "ts": points.ts, "period_s": points.period_s}
        arrays = {**key, **columns}
        for start in range(0, len(points), INSERTED_ROWS):
            records = zip(*(array[start : start + INSERTED_ROWS].tolist() for array in arrays.values()), strict=True)
            upsert(connection, table, [dict(zip(arrays, record, strict=True)) for record in records])
