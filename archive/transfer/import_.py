"""Imports an export into an archive. Existing rows stay; importing twice changes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, Engine, Table, and_, delete, insert, select, update

from archive.access_logs import tables
from archive.db import schema
from archive.db.engine import transaction
from archive.db.migrations import standard_names
from archive.db.upsert import Row, upsert
from archive.events.backlog import add_event_coverage
from archive.events.removals import read_removals
from archive.metrics import points, rows
from archive.metrics.coverage import FetchOutcome, get_or_create_migration, read_series_index, save_outcome
from archive.metrics.downsampling import ROLLUP_S
from archive.metrics.fetch_plan import FetchRequest, FreshnessPolicy
from archive.sign_offs import read_rows, write_rows
from archive.transfer.export import LOG_SCHEMAS, SERIES_COLUMNS, ignore_progress
from archive.transfer.manifest import ExportError, Manifest, ProgressCallback, read_manifest
from archive.transfer.validation import check_export
from domain import Series, Window
from domain.log_counts import LogTables
from domain.sign_offs import LedgerRow
from domain.window import EARLIEST_S, LATEST_S
from sources.base import AnsweredRange, Pull

_KEYED_TABLES = ("event", "weight_change", "observation")  # existing rows stay
# The newest row wins, by this column.
_LATEST_TABLES = {
    "window_latency": "asked_at",
    "trigger": "asked_at",
    "decision": "recorded_at",
    "deployment": "read_at",
}
_HISTORY_TABLES = ("traffic_snapshot", "deployment_state", "margin_history")  # rows in order of time
SLICE_ROWS = 50_000  # of a series in one transaction; a series may have millions


@dataclass(frozen=True, slots=True)
class _ExportedSeries:
    """A series in an export: the row group of its points, the time that was answered, and when its provisional minutes were."""

    series: Series
    row_group: int | None
    answered_ranges: tuple[AnsweredRange, ...]
    configured: bool
    asked_at: int | None

    @property
    def covered(self) -> dict[int, list[Window]]:
        """The time that was answered, by period in seconds."""
        covered: dict[int, list[Window]] = {}
        for answer in self.answered_ranges:
            covered.setdefault(answer.period_s, []).append(answer.window)
        return covered


def import_archive(
    engine: Engine, folder: Path, *, now: int, on_progress: ProgressCallback = ignore_progress
) -> Manifest:
    """Imports under the migration of the export, after a check of every file. An interrupted import may be repeated.

    Raises ExportError, ArchiveError.
    """
    manifest = read_manifest(folder)
    check_export(folder, manifest, now=now)
    migration_id = get_or_create_migration(engine, manifest.migration)
    rows_of_ledger = (LedgerRow(**row) for row in _read_rows(folder, manifest, "sign_off"))
    ledger = sorted(rows_of_ledger, key=lambda row: row.sequence)
    with transaction(engine, writes=False) as connection:
        _new_ledger_rows(connection, migration_id, ledger)  # before anything else is written
    # Coverage in an export is final, and so is what this archive has stored since.
    policy = FreshnessPolicy(max(now, manifest.exported_at), final_after_s=0)
    file = pq.ParquetFile(folder / "points.parquet")
    all_series = _exported_series(folder, manifest, file)
    for done, exported in enumerate(all_series, start=1):
        for window, new_rows in _slices(file, exported.row_group):
            _import_slice(engine, migration_id, exported, window, new_rows, policy=policy)
        on_progress(done, len(all_series))
    _import_logs(engine, migration_id, folder, manifest)
    with transaction(engine, writes=True) as connection:
        for names, import_rows in (
            (_KEYED_TABLES, _import_keyed),
            (_LATEST_TABLES, _import_latest),
            (_HISTORY_TABLES, _import_history),
        ):
            for name in names:
                import_rows(connection, schema.METADATA.tables[name], migration_id, _read_rows(folder, manifest, name))
        if signed := _new_ledger_rows(connection, migration_id, ledger):
            write_rows(connection, migration_id, signed)
        for row in _read_rows(folder, manifest, "event_coverage"):
            add_event_coverage(connection, migration_id, row["source"], Window(row["start_s"], row["end_s"]))
        # Pages that show this archive refresh.
        state = schema.source_state
        of_migration = update(state).where(state.c.migration_id == migration_id)
        connection.execute(of_migration.values(change_counter=state.c.change_counter + 1))
    return manifest


def _read_rows(folder: Path, manifest: Manifest, table_name: str) -> list[Row]:
    """The rows of a small file by the current names; none if the export is older than that file."""
    file_name = table_name
    if manifest.version < 3:
        file_name = next((old for old, new in standard_names.TABLES.items() if new == table_name), table_name)
    if f"{file_name}.parquet" not in manifest.files:
        return []
    imported: list[Row] = pq.read_table(folder / f"{file_name}.parquet").to_pylist()
    if manifest.version < 3:
        columns = standard_names.COLUMNS.get(table_name, {})
        imported = [{columns.get(name, name): value for name, value in row.items()} for row in imported]
        if table_name in standard_names.BODY_KEYS:
            imported = [row | {"body": standard_names.rename_body_keys(table_name, row["body"])} for row in imported]
    if manifest.version < 6 and table_name == "deployment_state":  # as migration 15 does
        imported = [row | {"body": row["body"].replace(',"waits_for":""', "")} for row in imported]
    return imported


def _exported_series(folder: Path, manifest: Manifest, points_file: pq.ParquetFile) -> list[_ExportedSeries]:
    """Every series in the order in which they were first configured."""
    series_rows = {_series_of(row): row for row in _read_rows(folder, manifest, "series")}
    answered: dict[Series, list[AnsweredRange]] = {}
    for row in _read_rows(folder, manifest, "coverage"):
        series = _series_of(row)
        answer = AnsweredRange(frozenset((series,)), Window(row["start_s"], row["end_s"]), row["period_s"])
        answered.setdefault(series, []).append(answer)
    groups = {
        _series_of(_first_row(points_file, group, SERIES_COLUMNS)): group for group in range(points_file.num_row_groups)
    }
    return [
        _ExportedSeries(
            series,
            groups.get(series),
            tuple(answered.get(series, ())),
            series_rows.get(series, {}).get("configured", True),
            series_rows.get(series, {}).get("asked_at"),
        )
        for series in dict.fromkeys((*series_rows, *answered, *groups))
    ]


def _series_of(row: Mapping[str, Any]) -> Series:
    return Series(*(row[name] for name in SERIES_COLUMNS))


def _first_row(file: pq.ParquetFile, group: int, columns: Sequence[str]) -> Row:
    (row,) = next(file.iter_batches(1, row_groups=[group], columns=list(columns))).to_pylist()
    return dict(row)


def _slices(file: pq.ParquetFile, group: int | None) -> Iterator[tuple[Window, rows.Rows]]:
    """The points of a row group, which are in order of time, in windows that follow each other: about SLICE_ROWS in each."""
    start, pending = EARLIEST_S, rows.NO_ROWS
    if group is not None:
        for batch in file.iter_batches(SLICE_ROWS, row_groups=[group], columns=["ts", "period_s", "value"]):
            ts, period_s, value = (batch[name].to_numpy() for name in ("ts", "period_s", "value"))
            read = rows.Rows(np.zeros(len(ts), dtype="int64"), ts, period_s.astype("int64"), value)
            pending = rows.concat((pending, read))
            end = int(ts[-1]) // ROLLUP_S * ROLLUP_S  # the next batch may have more of these ten minutes
            if start < end:
                yield Window(start, end), pending.where(pending.ts < end)
                start, pending = end, pending.where(pending.ts >= end)
    yield Window(start, LATEST_S), pending


def _import_slice(
    engine: Engine,
    migration_id: int,
    exported: _ExportedSeries,
    window: Window,
    new_rows: rows.Rows,
    *,
    policy: FreshnessPolicy,
) -> None:
    """Stores what a series has in `window` in one transaction, as if its source had just answered it. Covered time stays."""
    series = exported.series
    with transaction(engine, writes=True) as connection:
        index = read_series_index(connection, migration_id, series.source)
        asked_at = index.coverage[series].asked_at if series in index.ids else None
        if asked_at is not None and asked_at >= (
            exported.asked_at or 0
        ):  # the later answer about provisional minutes stays
            existing = points.read_points(connection, [index.ids[series]], window)
            provisional = rows.uncovered(new_rows, {0: exported.covered})
            new_rows = new_rows.where(~new_rows.isin(provisional.where(provisional.isin(existing))))
        configured = (
            (*index.configured, series) if exported.configured and series not in index.ids else index.configured
        )
        answered = tuple(
            replace(answer, window=part)
            for answer in exported.answered_ranges
            if (part := answer.window.overlap(window))
        )
        pull = Pull(window, policy.now, new_rows.frame((series,)), answered)
        outcome = FetchOutcome(FetchRequest((), window, 60), pull, policy)
        save_outcome(connection, migration_id, series.source, configured, outcome)
        is_last = window.end == LATEST_S  # until then the rows of the export are newer than the provisional ones here
        if is_last and exported.asked_at is not None and (asked_at is None or asked_at < exported.asked_at):
            table = schema.series
            labels = and_(*(table.c[name] == getattr(series, name) for name in SERIES_COLUMNS))
            of_series = update(table).where(table.c.migration_id == migration_id, labels)
            connection.execute(of_series.values(asked_at=exported.asked_at))


def _import_logs(engine: Engine, migration_id: int, folder: Path, manifest: Manifest) -> None:
    """Imports the batches of which no file was counted here, each with its counts in one transaction, so that no line counts twice."""
    batches: dict[str, list[Row]] = {}
    for row in _read_rows(folder, manifest, "log_file"):
        batches.setdefault(row["batch"], []).append({"migration_id": migration_id, **row})
    if not batches:
        return
    names = [name for name in LOG_SCHEMAS if f"log_{name}.parquet" in manifest.files]  # older exports have two of them
    files = {name: pq.ParquetFile(folder / f"log_{name}.parquet") for name in names}
    groups: dict[str, dict[tuple[str, int], int]] = {name: {} for name in names}
    for name, file in files.items():
        for group in range(file.num_row_groups):
            first = _first_row(file, group, ("batch", "hour_s"))
            groups[name][first["batch"], first["hour_s"]] = group
    for batch, file_rows in batches.items():
        with transaction(engine, writes=True) as connection:
            if tables.read_known_sizes(connection, migration_id, [row["key"] for row in file_rows]):
                continue
            connection.execute(insert(schema.log_file), file_rows)
            for key in groups["counts"]:
                if key[0] == batch:
                    hour = {name: _read_group(files[name], groups[name].get(key)) for name in names}
                    tables.write_hour(connection, migration_id, key, LogTables(**hour))


def _read_group(file: pq.ParquetFile, group: int | None) -> pa.Table:
    table = file.schema_arrow.empty_table() if group is None else file.read_row_group(group)
    return table.drop_columns(["batch", "hour_s"])


def _import_keyed(connection: Connection, table: Table, migration_id: int, imported: Sequence[Row]) -> None:
    """Adds missing rows, but for notes and steps that were removed here; an event that is open here is updated if it has ended."""
    removed = {removal.key for removal in read_removals(connection, migration_id)}
    new = [{"migration_id": migration_id, **row} for row in imported if row["key"] not in removed]
    upsert(connection, table, new, ignore_existing=True)
    if table.name == "event":
        is_open = and_(table.c.migration_id == migration_id, table.c.open)
        open_keys = {
            (row.source, row.key) for row in connection.execute(select(table.c.source, table.c.key).where(is_open))
        }
        upsert(connection, table, [row for row in new if (row["source"], row["key"]) in open_keys and not row["open"]])


def _import_latest(connection: Connection, table: Table, migration_id: int, imported: Sequence[Row]) -> None:
    """Adds rows that are missing or older here."""
    key, time = (
        [column.name for column in table.primary_key if column.name != "migration_id"],
        _LATEST_TABLES[table.name],
    )
    existing = connection.execute(select(table).where(table.c.migration_id == migration_id))
    times = {tuple(row._mapping[name] for name in key): row._mapping[time] for row in existing}
    newer = [row for row in imported if times.get(tuple(row[name] for name in key), -1) < row[time]]
    upsert(connection, table, [{"migration_id": migration_id, **row} for row in newer])


def _new_ledger_rows(connection: Connection, migration_id: int, imported: Sequence[LedgerRow]) -> Sequence[LedgerRow]:
    """The sign-offs that are missing here. Raises ExportError ("conflict") unless one of both ledgers continues the other."""
    existing = read_rows(connection, migration_id)
    for ours, theirs in zip(existing, imported, strict=False):
        if ours != theirs:
            raise ExportError("conflict", str(theirs.sequence))
    return imported[len(existing) :]


def _import_history(connection: Connection, table: Table, migration_id: int, imported: Sequence[Row]) -> None:
    """Replaces the rows by those of both, in order of time, because the newest row has the highest id."""
    columns = [column for column in table.columns if column.name not in ("migration_id", "id")]
    of_migration = table.c.migration_id == migration_id
    existing = [dict(row._mapping) for row in connection.execute(select(*columns).where(of_migration))]
    by_start: dict[tuple[Any, ...], Row] = {}
    for row in (*existing, *imported):
        key = (row.get("source"), row["first_seen"], row["body"])
        if key not in by_start or by_start[key]["last_seen"] < row["last_seen"]:
            by_start[key] = row
    connection.execute(delete(table).where(of_migration))
    ordered = sorted(by_start.values(), key=lambda row: (row["first_seen"], row["last_seen"]))
    if ordered:
        connection.execute(insert(table), [{"migration_id": migration_id, **row} for row in ordered])
