"""An archive to take away: Parquet files that any program can read, with a manifest. archive/transfer/import_.py is the way back."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import BigInteger, Boolean, Connection, Double, Engine, Integer, Table, select

from archive.db import engine as database
from archive.db import schema
from archive.metrics import coverage
from archive.transfer.manifest import COPIED_TABLES, ExportError, Manifest, ProgressCallback, sha256_of, write_manifest
from domain import Migration
from domain.log_counts import COUNTS, EXAMPLES

SERIES_COLUMNS = ("source", "fleet", "target_group", "metric", "stat", "unit")  # of a series
_CATEGORY = pa.dictionary(pa.int32(), pa.string())
_POINT_SCHEMA = pa.schema(
    [
        ("ts", pa.int64()),
        ("period_s", pa.int32()),
        ("value", pa.float64()),
        *((name, _CATEGORY) for name in SERIES_COLUMNS),
    ]
)
_COVERAGE_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in SERIES_COLUMNS),
        ("period_s", pa.int32()),
        ("start_s", pa.int64()),
        ("end_s", pa.int64()),
    ]
)
# Counts of access logs, each with the batch of files that it is of and the hour under which it is kept.
_BATCH_FIELDS = [("batch", pa.string()), ("hour_s", pa.int64())]
LOG_SCHEMAS = {"counts": pa.schema([*_BATCH_FIELDS, *COUNTS]), "examples": pa.schema([*_BATCH_FIELDS, *EXAMPLES])}


def export_archive(
    engine: Engine,
    migration: Migration,
    folder: Path,
    *,
    now: int,
    on_progress: ProgressCallback = lambda _done, _all: None,
) -> Manifest:
    """Writes everything known of a migration into `folder`, which is made. Raises ExportError, ArchiveError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ExportError("occupied", str(folder))
        number = coverage.get_or_create_migration(engine, migration.key)
        with database.transaction(engine, writes=False) as connection:  # one moment of the archive
            counts, span = _write_metrics(connection, number, folder, on_progress)
            for name in COPIED_TABLES:
                counts[f"{name}.parquet"] = _write_table(connection, schema.METADATA.tables[name], number, folder)
            counts |= _write_logs(connection, number, folder)
        files = {name: (count, sha256_of(folder / name)) for name, count in counts.items()}
        manifest = Manifest(migration.key, now, *span, files)
        write_manifest(folder, manifest)
    except OSError as error:
        raise ExportError("not_written", error.strerror or str(error)) from error
    return manifest


def _write_metrics(
    connection: Connection, migration_id: int, folder: Path, on_progress: ProgressCallback
) -> tuple[dict[str, int], tuple[int | None, int | None]]:
    """series.parquet; points.parquet, a row group a series; coverage.parquet. Returns how many rows each has, and the time of the points."""
    table, point, cover = schema.series, schema.point, schema.coverage
    every = connection.execute(select(table).where(table.c.migration_id == migration_id).order_by(table.c.id)).all()
    count, ends, covered = 0, list[int](), list[dict[str, Any]]()
    with pq.ParquetWriter(folder / "points.parquet", _POINT_SCHEMA) as writer:
        for done, one in enumerate(every, start=1):
            mine = select(point.c.ts, point.c.period_s, point.c.value).where(point.c.series_id == one.id)
            if found := connection.execute(mine.order_by(point.c.ts, point.c.period_s)).all():
                writer.write_table(_point_table(one, found), row_group_size=len(found))
                count += len(found)
                ends += (found[0].ts, found[-1].ts + found[-1].period_s)
            stretches = select(cover.c.period_s, cover.c.start_s, cover.c.end_s).where(cover.c.series_id == one.id)
            names = {name: getattr(one, name) for name in SERIES_COLUMNS}
            for row in connection.execute(stretches.order_by(cover.c.period_s, cover.c.start_s)):
                covered.append(names | dict(row._mapping))
            on_progress(done, len(every))
    pq.write_table(pa.Table.from_pylist(covered, _COVERAGE_SCHEMA), folder / "coverage.parquet")
    columns = [column for column in table.columns if column.name not in ("id", "migration_id")]
    _write_rows(columns, [tuple(getattr(one, column.name) for column in columns) for one in every], folder / "series")
    counts = {"points.parquet": count, "coverage.parquet": len(covered), "series.parquet": len(every)}
    return counts, (min(ends, default=None), max(ends, default=None))


def _point_table(series: Any, points: Sequence[Sequence[Any]]) -> pa.Table:
    """One series' points, each with the names of its series."""
    columns = zip(*points, strict=True)
    numbers = [
        pa.array(column, kind) for column, kind in zip(columns, (pa.int64(), pa.int32(), pa.float64()), strict=True)
    ]
    first = pa.array(np.zeros(len(points), "int32"))
    names = [pa.DictionaryArray.from_arrays(first, pa.array([getattr(series, name)])) for name in SERIES_COLUMNS]
    return pa.Table.from_arrays([*numbers, *names], schema=_POINT_SCHEMA)


def _write_table(connection: Connection, table: Table, migration_id: int, folder: Path) -> int:
    columns = [column for column in table.columns if column.name not in ("migration_id", "id")]
    order = [column for column in table.primary_key if column.name != "migration_id"]
    found = connection.execute(select(*columns).where(table.c.migration_id == migration_id).order_by(*order)).all()
    return _write_rows(columns, found, folder / table.name)


def _write_rows(columns: Sequence[Any], rows: Sequence[Sequence[Any]], path: Path) -> int:
    arrays = [pa.array([row[at] for row in rows], _arrow_type(column.type)) for at, column in enumerate(columns)]
    made = pa.Table.from_arrays(arrays, names=[column.name for column in columns])
    pq.write_table(made, path.with_name(f"{path.name}.parquet"))
    return len(rows)


def _arrow_type(column_type: object) -> pa.DataType:
    if isinstance(column_type, Boolean):
        return pa.bool_()
    if isinstance(column_type, Double):
        return pa.float64()
    return pa.int64() if isinstance(column_type, BigInteger | Integer) else pa.string()


def _write_logs(connection: Connection, migration_id: int, folder: Path) -> dict[str, int]:
    """log_counts.parquet and log_examples.parquet, a row group a batch and hour: one of them at a time, for there may be millions of rows."""
    table = schema.log_count
    mine = select(table.c.id).where(table.c.migration_id == migration_id).order_by(table.c.hour_s, table.c.id)
    ids = connection.scalars(mine).all()
    counts = {}
    for name, shape in LOG_SCHEMAS.items():
        path = folder / f"log_{name}.parquet"
        counts[path.name] = 0
        with pq.ParquetWriter(path, shape) as writer:
            for one in ids:
                batch, hour_s, body = connection.execute(
                    select(table.c.batch, table.c.hour_s, table.c[name]).where(table.c.id == one)
                ).one()
                found = pq.read_table(BytesIO(body))
                if found.num_rows:
                    at = [pa.repeat(pa.scalar(batch), found.num_rows), pa.repeat(pa.scalar(hour_s), found.num_rows)]
                    told = pa.Table.from_arrays([*at, *found.columns], names=[*shape.names[:2], *found.column_names])
                    writer.write_table(told.select(shape.names).cast(shape), row_group_size=found.num_rows)
                    counts[path.name] += found.num_rows
    return counts
