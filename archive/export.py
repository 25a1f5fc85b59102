"""An archive to take away: Parquet files that any program can read, with a manifest, and the way back into another archive."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import BigInteger, Boolean, Connection, Double, Engine, Integer, Table, and_, delete, insert, select

from archive import engine as database
from archive import ledger, rows, schema
from archive.dialect import upsert
from archive.history import write_heard
from archive.plan import Ask, LiveEdge
from migration import Migration, Series, Window
from sources import Answer, Pull

VERSION = 1
MANIFEST = "manifest.json"
PIECE_ROWS = 200_000
_NAMES = ("source", "fleet", "target_group", "metric", "stat", "unit")
# What happened and what was said, each as the archive has it; notes are events. Not here: whose turn it is, and refusals.
_KEYED = ("event", "split_change", "whole", "heard")
_SEEN = ("snapshot", "standing")  # rows in the order in which they were seen
Trouble = Literal["not_an_export", "damaged", "missing", "newer", "occupied", "not_written"]
Told = Callable[[int, int], None]  # (series done, of how many)


class ExportError(Exception):
    """An export that cannot be written or read: `kind`, and `about` which file or version."""

    def __init__(self, kind: Trouble, about: str) -> None:
        super().__init__(f"{kind}: {about}")
        self.kind, self.about = kind, about


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export holds. `files`: by name, how many rows, and their SHA-256. Times are epoch seconds."""

    migration: str
    exported_at: int
    start: int | None
    end: int | None
    files: dict[str, tuple[int, str]]

    @property
    def points(self) -> int:
        return self.files["points.parquet"][0]


def export(
    engine: Engine, migration: Migration, folder: Path, *, now: int, told: Told = lambda _done, _all: None
) -> Manifest:
    """Writes everything known of a migration into `folder`, which is made. Raises ExportError, ArchiveError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ExportError("occupied", str(folder))
        with database.transaction(engine, writes=False) as connection:  # one moment of the archive
            number = ledger.migration_id(engine, migration.key)
            counts, span = _write_numbers(connection, number, folder, told)
            for name in (*_KEYED, *_SEEN):
                counts[f"{name}.parquet"] = _write_table(connection, schema.TABLES.tables[name], number, folder)
        files = {name: (count, _digest(folder / name)) for name, count in counts.items()}
        manifest = Manifest(migration.key, now, *span, files)
        (folder / MANIFEST).write_text(_to_json(manifest), encoding="utf-8")
    except OSError as error:
        raise ExportError("not_written", error.strerror or str(error)) from error
    return manifest


def bring_in(engine: Engine, folder: Path, *, settle_s: int, told: Told = lambda _done, _all: None) -> Manifest:
    """Reads an export into an archive, under its own migration. What is there stays; twice changes nothing. Raises ExportError, ArchiveError."""
    manifest = read_manifest(folder)
    number = ledger.migration_id(engine, manifest.migration)
    edge = LiveEdge(manifest.exported_at, settle_s)
    coverage = _coverage(folder)
    points = pq.ParquetFile(folder / "points.parquet")
    groups = {series: group for group, series in enumerate(_series_of(points))}
    every = list(dict.fromkeys((*coverage, *groups)))
    for done, series in enumerate(every):
        frame = rows.Rows(*(np.array([], dtype="int64"),) * 3, np.array([]))
        if series in groups:
            table = points.read_row_group(groups[series], columns=["ts", "period_s", "value"])
            ts = table["ts"].to_numpy()
            frame = rows.Rows(
                np.zeros(len(ts), dtype="int64"),
                ts,
                table["period_s"].to_numpy().astype("int64"),
                table["value"].to_numpy(),
            )
        answers = tuple(Answer(frozenset((series,)), window, period_s) for period_s, window in coverage.get(series, ()))
        _bring_series(engine, number, series, frame, answers, edge)
        told(done + 1, len(every))
    with database.transaction(engine, writes=True) as connection:
        for name in _KEYED:
            _bring_keyed(
                connection, schema.TABLES.tables[name], number, pq.read_table(folder / f"{name}.parquet").to_pylist()
            )
        for name in _SEEN:
            _bring_seen(
                connection, schema.TABLES.tables[name], number, pq.read_table(folder / f"{name}.parquet").to_pylist()
            )
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest, once every file was found to be what it says. Raises ExportError."""
    try:
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version, files = (
            int(told["version"]),
            {one["name"]: (int(one["rows"]), str(one["sha256"])) for one in told["files"]},
        )
    except OSError as error:
        raise ExportError("not_an_export", str(folder)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ExportError("damaged", MANIFEST) from error
    if version > VERSION:
        raise ExportError("newer", f"{version} > {VERSION}")
    for name in ("points.parquet", "coverage.parquet", *(f"{each}.parquet" for each in (*_KEYED, *_SEEN))):
        if name not in files or not (folder / name).is_file():
            raise ExportError("missing", name)
        if _digest(folder / name) != files[name][1]:
            raise ExportError("damaged", name)
    return Manifest(told["migration"], int(told["exported_at"]), told["start"], told["end"], files)


def _to_json(manifest: Manifest) -> str:
    told = {
        "version": VERSION,
        "archive_version": schema.VERSION,
        "migration": manifest.migration,
        "exported_at": manifest.exported_at,
        "start": manifest.start,
        "end": manifest.end,
        "files": [{"name": name, "rows": count, "sha256": digest} for name, (count, digest) in manifest.files.items()],
    }
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"


def _digest(path: Path) -> str:
    made = sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            made.update(piece)
    return made.hexdigest()


def _write_numbers(
    connection: Connection, number: int, folder: Path, told: Told
) -> tuple[dict[str, int], tuple[int | None, int | None]]:
    """points.parquet, a row group a series, and coverage.parquet. Returns how many rows each has, and the time of the points."""
    word = pa.dictionary(pa.int32(), pa.string())
    shape = pa.schema(
        [("ts", pa.int64()), ("period_s", pa.int32()), ("value", pa.float64()), *((name, word) for name in _NAMES)]
    )
    covered: dict[str, list[Any]] = {name: [] for name in (*_NAMES, "period_s", "start_s", "end_s")}
    table, point, cover = schema.series, schema.point, schema.coverage
    every = connection.execute(select(table).where(table.c.migration_id == number).order_by(table.c.id)).all()
    count, first, last = 0, None, None
    with pq.ParquetWriter(folder / "points.parquet", shape) as writer:
        for done, one in enumerate(every):
            mine = select(point.c.ts, point.c.period_s, point.c.value).where(point.c.series_id == one.id)
            found = connection.execute(mine.order_by(point.c.ts, point.c.period_s)).all()
            if found:
                ts, period_s, value = zip(*found, strict=True)
                names = [
                    pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(ts), "int32")), pa.array([getattr(one, name)]))
                    for name in _NAMES
                ]
                columns = [
                    pa.array(ts, pa.int64()),
                    pa.array(period_s, pa.int32()),
                    pa.array(value, pa.float64()),
                    *names,
                ]
                writer.write_table(pa.Table.from_arrays(columns, schema=shape), row_group_size=len(ts))
                count += len(ts)
                first = ts[0] if first is None else min(first, ts[0])
                last = max(last or 0, ts[-1] + period_s[-1])
            for row in connection.execute(
                select(cover).where(cover.c.series_id == one.id).order_by(cover.c.period_s, cover.c.start_s)
            ):
                for name in covered:
                    covered[name].append(getattr(one if name in _NAMES else row, name))
            told(done + 1, len(every))
    types = [*(pa.string() for _ in _NAMES), pa.int32(), pa.int64(), pa.int64()]
    arrays = [pa.array(values, kind) for values, kind in zip(covered.values(), types, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, names=list(covered)), folder / "coverage.parquet")
    return {"points.parquet": count, "coverage.parquet": len(covered["start_s"])}, (first, last)


def _write_table(connection: Connection, table: Table, number: int, folder: Path) -> int:
    columns = [column for column in table.columns if column.name not in ("migration_id", "id")]
    order = [column for column in table.primary_key if column.name != "migration_id"]
    found = connection.execute(select(*columns).where(table.c.migration_id == number).order_by(*order)).all()
    arrays = [pa.array([row[at] for row in found], _kind(column.type)) for at, column in enumerate(columns)]
    pq.write_table(
        pa.Table.from_arrays(arrays, names=[column.name for column in columns]), folder / f"{table.name}.parquet"
    )
    return len(found)


def _kind(kind: object) -> pa.DataType:
    if isinstance(kind, Boolean):
        return pa.bool_()
    if isinstance(kind, Double):
        return pa.float64()
    return pa.int64() if isinstance(kind, BigInteger | Integer) else pa.string()


def _coverage(folder: Path) -> dict[Series, list[tuple[int, Window]]]:
    found: dict[Series, list[tuple[int, Window]]] = {}
    for row in pq.read_table(folder / "coverage.parquet").to_pylist():
        series = Series(*(row[name] for name in _NAMES))
        found.setdefault(series, []).append((row["period_s"], Window(row["start_s"], row["end_s"])))
    return found


def _series_of(points: pq.ParquetFile) -> Iterator[Series]:
    for group in range(points.num_row_groups):
        (row,) = points.read_row_group(group, columns=list(_NAMES)).slice(0, 1).to_pylist()
        yield Series(*(row[name] for name in _NAMES))


def _bring_series(
    engine: Engine, number: int, series: Series, told: rows.Rows, answers: Sequence[Answer], edge: LiveEdge
) -> None:
    """One series as if its source had just answered it: what is covered stays, all of it or nothing."""
    window = Window(0, edge.newest)
    pull = Pull(window, edge.now, told.frame((series,)), tuple(answers))
    with database.transaction(engine, writes=True) as connection:
        book = ledger.read_book(connection, number, series.source)
        wanted = book.wanted if series in book.ids else (*book.wanted, series)
        ledger.write_pull(connection, number, series.source, wanted, ledger.Asked(Ask((), window, 60), pull, edge))


def _bring_keyed(connection: Connection, table: Table, number: int, lines: Sequence[dict[str, Any]]) -> None:
    """Rows that are not there; of events also those that were still open when they were last heard of."""
    if table.name == "heard":
        for line in lines:
            write_heard(connection, number, line["source"], Window(line["start_s"], line["end_s"]))
        return
    every = [{"migration_id": number, **line} for line in lines]
    upsert(connection, table, every, unless_there=True)
    if table.name == "event":
        still = and_(table.c.migration_id == number, table.c.open)
        there = {(row.source, row.key) for row in connection.execute(select(table.c.source, table.c.key).where(still))}
        upsert(
            connection, table, [line for line in every if (line["source"], line["key"]) in there and not line["open"]]
        )


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
