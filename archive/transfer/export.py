"""Exports an archive as Parquet files with a manifest. archive/transfer/import_.py reads them."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import BigInteger, Boolean, Connection, Double, Engine, Integer, Table, select

from archive.db import schema
from archive.db.engine import transaction
from archive.metrics.coverage import get_or_create_migration
from archive.transfer.manifest import COPIED_TABLES, ExportError, Manifest, ProgressCallback, sha256_of, write_manifest
from domain import Migration
from domain.log_counts import COUNTS, EXAMPLES, SIZES, TRAITS

SERIES_COLUMNS = ("source", "fleet", "target_group", "metric", "stat", "unit")
_CATEGORY = pa.dictionary(pa.int32(), pa.string())
POINT_SCHEMA = pa.schema(
    [
        ("ts", pa.int64()),
        ("period_s", pa.int32()),
        ("value", pa.float64()),
        *((name, _CATEGORY) for name in SERIES_COLUMNS),
    ]
)
COVERAGE_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in SERIES_COLUMNS),
        ("period_s", pa.int32()),
        ("start_s", pa.int64()),
        ("end_s", pa.int64()),
    ]
)
# Counts of access logs, with the batch of files and the hour of their row in the table.
_BATCH_FIELDS = [("batch", pa.string()), ("hour_s", pa.int64())]
LOG_SCHEMAS = {
    name: pa.schema([*_BATCH_FIELDS, *columns])
    for name, columns in (("counts", COUNTS), ("examples", EXAMPLES), ("sizes", SIZES), ("traits", TRAITS))
}


def ignore_progress(_done: int, _total: int) -> None:
    """The default callback."""


def export_archive(
    engine: Engine, migration: Migration, folder: Path, *, now: int, on_progress: ProgressCallback = ignore_progress
) -> Manifest:
    """Writes everything of a migration into `folder`, which is created. Raises ExportError, ArchiveError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ExportError("occupied", str(folder))
        migration_id = get_or_create_migration(engine, migration.key)
        with transaction(engine, writes=False) as connection:
            counts, span = _write_metrics(connection, migration_id, folder, on_progress)
            for name in COPIED_TABLES:
                table = schema.METADATA.tables[name]
                counts[f"{name}.parquet"] = _write_table(connection, table, migration_id, folder)
            counts |= _write_logs(connection, migration_id, folder)
        files = {name: (count, sha256_of(folder / name)) for name, count in counts.items()}
        manifest = Manifest(migration.key, now, *span, files)
        write_manifest(folder, manifest)
    except OSError as error:
        raise ExportError("not_written", error.strerror or str(error)) from error
    return manifest


def _write_metrics(
    connection: Connection, migration_id: int, folder: Path, on_progress: ProgressCallback
) -> tuple[dict[str, int], tuple[int | None, int | None]]:
    """series.parquet; points.parquet, one row group a series; coverage.parquet. Returns their row counts, and the points' time."""
    table, point, coverage = schema.series, schema.point, schema.coverage
    series = connection.execute(select(table).where(table.c.migration_id == migration_id).order_by(table.c.id)).all()
    count, ends, coverage_rows = 0, list[int](), list[dict[str, Any]]()
    with pq.ParquetWriter(folder / "points.parquet", POINT_SCHEMA) as writer:
        for done, item in enumerate(series, start=1):
            of_series = select(point.c.ts, point.c.period_s, point.c.value).where(point.c.series_id == item.id)
            if points := connection.execute(of_series.order_by(point.c.ts, point.c.period_s)).all():
                writer.write_table(_point_table(item, points), row_group_size=len(points))
                count += len(points)
                ends += (points[0].ts, points[-1].ts + points[-1].period_s)
            columns = (coverage.c.period_s, coverage.c.start_s, coverage.c.end_s)
            labels = {name: getattr(item, name) for name in SERIES_COLUMNS}
            covered = select(*columns).where(coverage.c.series_id == item.id).order_by(*columns[:2])
            coverage_rows += [labels | dict(row._mapping) for row in connection.execute(covered)]
            on_progress(done, len(series))
    pq.write_table(pa.Table.from_pylist(coverage_rows, COVERAGE_SCHEMA), folder / "coverage.parquet")
    exported = [column for column in table.columns if column.name not in ("id", "migration_id")]
    rows = [tuple(getattr(item, column.name) for column in exported) for item in series]
    _write_rows(exported, rows, folder / "series.parquet")
    counts = {"points.parquet": count, "coverage.parquet": len(coverage_rows), "series.parquet": len(series)}
    return counts, (min(ends, default=None), max(ends, default=None))


def _point_table(series: Any, points: Sequence[Sequence[Any]]) -> pa.Table:
    """One series' points, each with the labels of the series."""
    columns = zip(*points, strict=True)
    values = [
        pa.array(column, kind) for column, kind in zip(columns, (pa.int64(), pa.int32(), pa.float64()), strict=True)
    ]
    code = pa.array(np.zeros(len(points), "int32"))
    labels = [pa.DictionaryArray.from_arrays(code, pa.array([getattr(series, name)])) for name in SERIES_COLUMNS]
    return pa.Table.from_arrays([*values, *labels], schema=POINT_SCHEMA)


def _write_table(connection: Connection, table: Table, migration_id: int, folder: Path) -> int:
    columns = [column for column in table.columns if column.name not in ("migration_id", "id")]
    order = [column for column in table.primary_key if column.name != "migration_id"]
    query = select(*columns).where(table.c.migration_id == migration_id).order_by(*order)
    return _write_rows(columns, connection.execute(query).all(), folder / f"{table.name}.parquet")


def _write_rows(columns: Sequence[Any], rows: Sequence[Sequence[Any]], path: Path) -> int:
    arrays = [pa.array([row[at] for row in rows], arrow_type(column.type)) for at, column in enumerate(columns)]
    pq.write_table(pa.Table.from_arrays(arrays, names=[column.name for column in columns]), path)
    return len(rows)


def arrow_type(column_type: object) -> pa.DataType:
    """The type of a database column in Parquet."""
    if isinstance(column_type, Boolean):
        return pa.bool_()
    if isinstance(column_type, Double):
        return pa.float64()
    return pa.int64() if isinstance(column_type, BigInteger | Integer) else pa.string()


def _write_logs(connection: Connection, migration_id: int, folder: Path) -> dict[str, int]:
    """log_counts.parquet and the files of the other LOG_SCHEMAS, one row group a batch and hour. Reads one of them at a time: there may be millions of rows."""
    table = schema.log_count
    of_migration = select(table.c.id).where(table.c.migration_id == migration_id)
    ids = connection.scalars(of_migration.order_by(table.c.hour_s, table.c.id)).all()
    counts = {}
    for name, file_schema in LOG_SCHEMAS.items():
        path = folder / f"log_{name}.parquet"
        counts[path.name] = 0
        with pq.ParquetWriter(path, file_schema) as writer:
            for row_id in ids:
                batch, hour_s, body = connection.execute(
                    select(table.c.batch, table.c.hour_s, table.c[name]).where(table.c.id == row_id)
                ).one()
                rows = file_schema.empty_table() if body is None else pq.read_table(BytesIO(body))
                if rows.num_rows:
                    key = [pa.repeat(pa.scalar(batch), rows.num_rows), pa.repeat(pa.scalar(hour_s), rows.num_rows)]
                    group = pa.Table.from_arrays(
                        [*key, *rows.columns], names=[*file_schema.names[:2], *rows.column_names]
                    )
                    writer.write_table(group.select(file_schema.names).cast(file_schema), row_group_size=rows.num_rows)
                    counts[path.name] += rows.num_rows
    return counts
