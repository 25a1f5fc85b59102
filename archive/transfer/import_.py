"""An export brought into an archive: what is there stays, and twice changes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, Engine, Table, and_, delete, insert, select, update

from archive.access_logs import tables
from archive.db import engine as database
from archive.db import schema
from archive.db.upsert import upsert
from archive.events.backlog import add_event_coverage
from archive.metrics import coverage, points, rows
from archive.metrics.fetch_plan import FetchRequest, FreshnessPolicy
from archive.transfer.export import LOG_SCHEMAS, SERIES_COLUMNS
from archive.transfer.manifest import Manifest, ProgressCallback, read_manifest
from domain import Series, Window
from sources.base import AnsweredRange, Pull

_KEYED_TABLES = ("event", "split_change")  # what happened; notes are events
_LATEST_TABLES = ("whole", "starter")  # what a source last said: the newest word stands
_HISTORY_TABLES = ("snapshot", "standing")  # rows in the order in which they were seen
_NOTHING = rows.rows_from_sql([], [])


@dataclass(frozen=True, slots=True)
class _ExportedSeries:
    """What an export says of one series: its rows, the time that was answered, and when its unsettled minutes were."""

    series: Series
    rows: rows.Rows
    answered_ranges: tuple[AnsweredRange, ...]
    configured: bool
    asked_at: int | None

    @property
    def covered(self) -> dict[int, list[Window]]:
        """The time that was answered, by period in seconds."""
        found: dict[int, list[Window]] = {}
        for answer in self.answered_ranges:
            found.setdefault(answer.period_s, []).append(answer.window)
        return found


def import_archive(
    engine: Engine, folder: Path, *, now: int, on_progress: ProgressCallback = lambda _done, _all: None
) -> Manifest:
    """Reads an export into an archive, under its own migration. One that was broken off may be run again. Raises ExportError, ArchiveError."""
    manifest = read_manifest(folder)
    number = coverage.get_or_create_migration(engine, manifest.migration)
    # What is settled was cut where it was written down; what was recorded here since the export is no less so.
    edge = FreshnessPolicy(max(now, manifest.exported_at), final_after_s=0)
    for done, (one, every) in enumerate(_exported_series(folder, manifest), start=1):
        _import_series(engine, number, one, edge)
        on_progress(done, every)
    _import_logs(engine, number, folder, manifest)
    with database.transaction(engine, writes=True) as connection:
        for name in (*_KEYED_TABLES, *_LATEST_TABLES, *_HISTORY_TABLES):
            lines = _read_rows(folder, manifest, name)
            bring = (
                _import_history
                if name in _HISTORY_TABLES
                else _import_latest
                if name in _LATEST_TABLES
                else _import_keyed
            )
            bring(connection, schema.METADATA.tables[name], number, lines)
        for line in _read_rows(folder, manifest, "heard"):
            add_event_coverage(connection, number, line["source"], Window(line["start_s"], line["end_s"]))
        # Pages that look at this archive draw anew.
        source = schema.source_state
        mine = source.c.migration_id == number
        connection.execute(update(source).where(mine).values(revision=source.c.revision + 1))
    return manifest


def _read_rows(folder: Path, manifest: Manifest, name: str) -> list[dict[str, Any]]:
    """A small file's rows; none where the export is older than that file."""
    path = f"{name}.parquet"
    return pq.read_table(folder / path).to_pylist() if path in manifest.files else []


# ---- numbers


def _exported_series(folder: Path, manifest: Manifest) -> Iterator[tuple[_ExportedSeries, int]]:
    """Every series in the order in which they were first wanted, and how many there are."""
    lines = {_series_of(line): line for line in _read_rows(folder, manifest, "series")}
    covered: dict[Series, list[AnsweredRange]] = {}
    for line in _read_rows(folder, manifest, "coverage"):
        one = _series_of(line)
        answer = AnsweredRange(frozenset((one,)), Window(line["start_s"], line["end_s"]), line["period_s"])
        covered.setdefault(one, []).append(answer)
    file = pq.ParquetFile(folder / "points.parquet")
    groups = {_series_of(_first_row(file, group, SERIES_COLUMNS)): group for group in range(file.num_row_groups)}
    every = list(dict.fromkeys((*lines, *covered, *groups)))
    for one in every:
        line = lines.get(one, {})
        told = _read_points(file, groups[one]) if one in groups else _NOTHING
        yield (
            _ExportedSeries(one, told, tuple(covered.get(one, ())), line.get("wanted", True), line.get("asked_at")),
            len(every),
        )


def _series_of(row: Mapping[str, Any]) -> Series:
    return Series(*(row[name] for name in SERIES_COLUMNS))


def _first_row(file: pq.ParquetFile, group: int, columns: Sequence[str]) -> dict[str, Any]:
    (line,) = file.read_row_group(group, columns=list(columns)).slice(0, 1).to_pylist()
    return dict(line)


def _read_points(file: pq.ParquetFile, group: int) -> rows.Rows:
    table = file.read_row_group(group, columns=["ts", "period_s", "value"])
    ts, period_s, value = (table[name].to_numpy() for name in table.column_names)
    return rows.Rows(np.zeros(len(ts), dtype="int64"), ts, period_s.astype("int64"), value)


def _import_series(engine: Engine, migration_id: int, exported: _ExportedSeries, policy: FreshnessPolicy) -> None:
    """One series as if its source had just answered it: what is covered stays, all of it or nothing."""
    series, window = exported.series, Window(0, policy.latest_end)
    with database.transaction(engine, writes=True) as connection:
        book = coverage.read_series_index(connection, migration_id, series.source)
        asked_at = book.coverage[series].asked_at if series in book.ids else None
        found = exported.rows
        if asked_at is not None and asked_at >= (exported.asked_at or 0):  # of unsettled minutes, the later word stands
            there = points.read_points(connection, [book.ids[series]], window)
            unsettled = rows.uncovered(found, {0: exported.covered})
            found = found.where(~found.isin(unsettled.where(unsettled.isin(there))))
        wanted = (*book.configured, series) if exported.configured and series not in book.ids else book.configured
        pull = Pull(window, policy.now, found.frame((series,)), exported.answered_ranges)
        coverage.save_outcome(
            connection,
            migration_id,
            series.source,
            wanted,
            coverage.FetchOutcome(FetchRequest((), window, 60), pull, policy),
        )
        if exported.asked_at is not None and (asked_at is None or asked_at < exported.asked_at):
            table = schema.series
            names = and_(*(table.c[name] == getattr(series, name) for name in SERIES_COLUMNS))
            mine = and_(table.c.migration_id == migration_id, names)
            connection.execute(update(table).where(mine).values(asked_at=exported.asked_at))


# ---- access logs


def _import_logs(engine: Engine, migration_id: int, folder: Path, manifest: Manifest) -> None:
    """Batches of which no file was counted here; each with its counts in one transaction, so that no line is ever counted twice."""
    batches: dict[str, list[dict[str, Any]]] = {}
    for line in _read_rows(folder, manifest, "log_file"):
        batches.setdefault(line["batch"], []).append({"migration_id": migration_id, **line})
    if not batches:
        return
    files = {name: pq.ParquetFile(folder / f"log_{name}.parquet") for name in LOG_SCHEMAS}
    groups: dict[str, dict[tuple[str, int], int]] = {name: {} for name in LOG_SCHEMAS}
    for name, file in files.items():
        for group in range(file.num_row_groups):
            first = _first_row(file, group, ("batch", "hour_s"))
            groups[name][first["batch"], first["hour_s"]] = group
    for batch, lines in batches.items():
        with database.transaction(engine, writes=True) as connection:
            if tables.read_known_sizes(connection, migration_id, [line["key"] for line in lines]):
                continue
            connection.execute(insert(schema.log_file), lines)
            for at in groups["counts"]:
                if at[0] == batch:
                    counts, examples = (_read_group(files[name], groups[name].get(at)) for name in LOG_SCHEMAS)
                    tables.write_hour(connection, migration_id, *at, counts, examples)


def _read_group(file: pq.ParquetFile, group: int | None) -> pa.Table:
    found = file.schema_arrow.empty_table() if group is None else file.read_row_group(group)
    return found.drop_columns(["batch", "hour_s"])


# ---- what happened and what was said


def _import_keyed(connection: Connection, table: Table, migration_id: int, rows: Sequence[dict[str, Any]]) -> None:
    """Rows that are not there; of events also those that were still open when they were last heard of."""
    every = [{"migration_id": migration_id, **line} for line in rows]
    upsert(connection, table, every, ignore_existing=True)
    if table.name == "event":
        still = and_(table.c.migration_id == migration_id, table.c.open)
        there = {(row.source, row.key) for row in connection.execute(select(table.c.source, table.c.key).where(still))}
        over = [line for line in every if (line["source"], line["key"]) in there and not line["open"]]
        upsert(connection, table, over)


def _import_latest(connection: Connection, table: Table, migration_id: int, rows: Sequence[dict[str, Any]]) -> None:
    """Rows that are not there, or were asked earlier."""
    key = [column.name for column in table.primary_key if column.name != "migration_id"]
    there = connection.execute(select(table).where(table.c.migration_id == migration_id))
    asked_at = {tuple(row._mapping[name] for name in key): row.asked_at for row in there}
    newer = [line for line in rows if asked_at.get(tuple(line[name] for name in key), -1) < line["asked_at"]]
    upsert(connection, table, [{"migration_id": migration_id, **line} for line in newer])


def _import_history(connection: Connection, table: Table, migration_id: int, rows: Sequence[dict[str, Any]]) -> None:
    """Rows of both, in the order in which they were seen: the newest has the highest number."""
    names = [column.name for column in table.columns if column.name not in ("migration_id", "id")]
    mine = table.c.migration_id == migration_id
    there = [
        dict(zip(names, row, strict=True))
        for row in connection.execute(select(*(table.c[name] for name in names)).where(mine))
    ]
    by_start: dict[tuple[Any, ...], dict[str, Any]] = {}
    for line in (*there, *rows):
        key = (line.get("source"), line["first_seen"], line["body"])
        if key not in by_start or by_start[key]["last_seen"] < line["last_seen"]:
            by_start[key] = line
    connection.execute(delete(table).where(mine))
    ordered = sorted(by_start.values(), key=lambda line: (line["first_seen"], line["last_seen"]))
    if ordered:
        connection.execute(insert(table), [{"migration_id": migration_id, **line} for line in ordered])
