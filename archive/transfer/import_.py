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
from archive.events.backlog import write_heard
from archive.metrics import coverage, points, rows
from archive.metrics.fetch_plan import Ask, LiveEdge
from archive.transfer.export import LOGS, NAMES
from archive.transfer.manifest import Manifest, Told, read_manifest
from domain import Series, Window
from sources.base import Answer, Pull

_KEYED = ("event", "split_change")  # what happened; notes are events
_SAID = ("whole", "starter")  # what a source last said: the newest word stands
_SEEN = ("snapshot", "standing")  # rows in the order in which they were seen
_NOTHING = rows.fetched([], [])


@dataclass(frozen=True, slots=True)
class _Told:
    """What an export says of one series: its rows, the time that was answered, and when its unsettled minutes were."""

    series: Series
    rows: rows.Rows
    answers: tuple[Answer, ...]
    wanted: bool
    asked_at: int | None

    @property
    def settled(self) -> dict[int, list[Window]]:
        """The time that was answered, by period in seconds."""
        found: dict[int, list[Window]] = {}
        for answer in self.answers:
            found.setdefault(answer.period_s, []).append(answer.window)
        return found


def bring_in(engine: Engine, folder: Path, *, now: int, told: Told = lambda _done, _all: None) -> Manifest:
    """Reads an export into an archive, under its own migration. One that was broken off may be run again. Raises ExportError, ArchiveError."""
    manifest = read_manifest(folder)
    number = coverage.migration_id(engine, manifest.migration)
    # What is settled was cut where it was written down; what was recorded here since the export is no less so.
    edge = LiveEdge(max(now, manifest.exported_at), settle_s=0)
    for done, (one, every) in enumerate(_series(folder, manifest), start=1):
        _bring_series(engine, number, one, edge)
        told(done, every)
    _bring_logs(engine, number, folder, manifest)
    with database.transaction(engine, writes=True) as connection:
        for name in (*_KEYED, *_SAID, *_SEEN):
            lines = _lines(folder, manifest, name)
            bring = _bring_seen if name in _SEEN else _bring_said if name in _SAID else _bring_events
            bring(connection, schema.TABLES.tables[name], number, lines)
        for line in _lines(folder, manifest, "heard"):
            write_heard(connection, number, line["source"], Window(line["start_s"], line["end_s"]))
        # Pages that look at this archive draw anew.
        source = schema.source
        mine = source.c.migration_id == number
        connection.execute(update(source).where(mine).values(revision=source.c.revision + 1))
    return manifest


def _lines(folder: Path, manifest: Manifest, name: str) -> list[dict[str, Any]]:
    """A small file's rows; none where the export is older than that file."""
    path = f"{name}.parquet"
    return pq.read_table(folder / path).to_pylist() if path in manifest.files else []


# ---- numbers


def _series(folder: Path, manifest: Manifest) -> Iterator[tuple[_Told, int]]:
    """Every series in the order in which they were first wanted, and how many there are."""
    lines = {_named(line): line for line in _lines(folder, manifest, "series")}
    covered: dict[Series, list[Answer]] = {}
    for line in _lines(folder, manifest, "coverage"):
        one = _named(line)
        answer = Answer(frozenset((one,)), Window(line["start_s"], line["end_s"]), line["period_s"])
        covered.setdefault(one, []).append(answer)
    file = pq.ParquetFile(folder / "points.parquet")
    groups = {_named(_first(file, group, NAMES)): group for group in range(file.num_row_groups)}
    every = list(dict.fromkeys((*lines, *covered, *groups)))
    for one in every:
        line = lines.get(one, {})
        told = _points(file, groups[one]) if one in groups else _NOTHING
        yield (
            _Told(one, told, tuple(covered.get(one, ())), line.get("wanted", True), line.get("asked_at")),
            len(every),
        )


def _named(line: Mapping[str, Any]) -> Series:
    return Series(*(line[name] for name in NAMES))


def _first(file: pq.ParquetFile, group: int, names: Sequence[str]) -> dict[str, Any]:
    (line,) = file.read_row_group(group, columns=list(names)).slice(0, 1).to_pylist()
    return dict(line)


def _points(file: pq.ParquetFile, group: int) -> rows.Rows:
    table = file.read_row_group(group, columns=["ts", "period_s", "value"])
    ts, period_s, value = (table[name].to_numpy() for name in table.column_names)
    return rows.Rows(np.zeros(len(ts), dtype="int64"), ts, period_s.astype("int64"), value)


def _bring_series(engine: Engine, number: int, told: _Told, edge: LiveEdge) -> None:
    """One series as if its source had just answered it: what is covered stays, all of it or nothing."""
    series, window = told.series, Window(0, edge.newest)
    with database.transaction(engine, writes=True) as connection:
        book = coverage.read_book(connection, number, series.source)
        asked_at = book.known[series].asked_at if series in book.ids else None
        found = told.rows
        if asked_at is not None and asked_at >= (told.asked_at or 0):  # of unsettled minutes, the later word stands
            there = points.read_points(connection, [book.ids[series]], window)
            unsettled = rows.uncovered(found, {0: told.settled})
            found = found.where(~found.isin(unsettled.where(unsettled.isin(there))))
        wanted = (*book.wanted, series) if told.wanted and series not in book.ids else book.wanted
        pull = Pull(window, edge.now, found.frame((series,)), told.answers)
        coverage.write_pull(connection, number, series.source, wanted, coverage.Asked(Ask((), window, 60), pull, edge))
        if told.asked_at is not None and (asked_at is None or asked_at < told.asked_at):
            table = schema.series
            names = and_(*(table.c[name] == getattr(series, name) for name in NAMES))
            mine = and_(table.c.migration_id == number, names)
            connection.execute(update(table).where(mine).values(asked_at=told.asked_at))


# ---- access logs


def _bring_logs(engine: Engine, number: int, folder: Path, manifest: Manifest) -> None:
    """Batches of which no file was counted here; each with its counts in one transaction, so that no line is ever counted twice."""
    batches: dict[str, list[dict[str, Any]]] = {}
    for line in _lines(folder, manifest, "log_file"):
        batches.setdefault(line["batch"], []).append({"migration_id": number, **line})
    if not batches:
        return
    files = {name: pq.ParquetFile(folder / f"log_{name}.parquet") for name in LOGS}
    groups: dict[str, dict[tuple[str, int], int]] = {name: {} for name in LOGS}
    for name, file in files.items():
        for group in range(file.num_row_groups):
            first = _first(file, group, ("batch", "hour_s"))
            groups[name][first["batch"], first["hour_s"]] = group
    for batch, lines in batches.items():
        with database.transaction(engine, writes=True) as connection:
            if tables.known(connection, number, [line["key"] for line in lines]):
                continue
            connection.execute(insert(schema.log_file), lines)
            for at in groups["counts"]:
                if at[0] == batch:
                    counts, examples = (_group(files[name], groups[name].get(at)) for name in LOGS)
                    tables.write_hour(connection, number, *at, counts, examples)


def _group(file: pq.ParquetFile, group: int | None) -> pa.Table:
    found = file.schema_arrow.empty_table() if group is None else file.read_row_group(group)
    return found.drop_columns(["batch", "hour_s"])


# ---- what happened and what was said


def _bring_events(connection: Connection, table: Table, number: int, lines: Sequence[dict[str, Any]]) -> None:
    """Rows that are not there; of events also those that were still open when they were last heard of."""
    every = [{"migration_id": number, **line} for line in lines]
    upsert(connection, table, every, unless_there=True)
    if table.name == "event":
        still = and_(table.c.migration_id == number, table.c.open)
        there = {(row.source, row.key) for row in connection.execute(select(table.c.source, table.c.key).where(still))}
        over = [line for line in every if (line["source"], line["key"]) in there and not line["open"]]
        upsert(connection, table, over)


def _bring_said(connection: Connection, table: Table, number: int, lines: Sequence[dict[str, Any]]) -> None:
    """Rows that are not there, or were asked earlier."""
    key = [column.name for column in table.primary_key if column.name != "migration_id"]
    there = connection.execute(select(table).where(table.c.migration_id == number))
    asked_at = {tuple(row._mapping[name] for name in key): row.asked_at for row in there}
    newer = [line for line in lines if asked_at.get(tuple(line[name] for name in key), -1) < line["asked_at"]]
    upsert(connection, table, [{"migration_id": number, **line} for line in newer])


def _bring_seen(connection: Connection, table: Table, number: int, lines: Sequence[dict[str, Any]]) -> None:
    """Rows of both, in the order in which they were seen: the newest has the highest number."""
    names = [column.name for column in table.columns if column.name not in ("migration_id", "id")]
    mine = table.c.migration_id == number
    there = [
        dict(zip(names, row, strict=True))
        for row in connection.execute(select(*(table.c[name] for name in names)).where(mine))
    ]
    by_start: dict[tuple[Any, ...], dict[str, Any]] = {}
    for line in (*there, *lines):
        key = (line.get("source"), line["first_seen"], line["body"])
        if key not in by_start or by_start[key]["last_seen"] < line["last_seen"]:
            by_start[key] = line
    connection.execute(delete(table).where(mine))
    ordered = sorted(by_start.values(), key=lambda line: (line["first_seen"], line["last_seen"]))
    if ordered:
        connection.execute(insert(table), [{"migration_id": number, **line} for line in ordered])
