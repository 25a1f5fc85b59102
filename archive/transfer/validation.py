"""Checks every file of an export before the first write: schema, number of rows, ranges, uniqueness and JSON.

An export is external input: consistent checksums and manifest do not prove where it is from. Files are read in batches with text columns as
dictionaries, so memory is bounded by MAX_ROW_GROUP_BYTES, whatever the export contains.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from archive.db import schema
from archive.db.migrations import standard_names
from archive.db.upsert import Row
from archive.events.source_state import problems_from_json
from archive.metrics.window_latency import LatencyBody
from archive.sign_offs import Margins
from archive.transfer.export import COVERAGE_SCHEMA, LOG_SCHEMAS, POINT_SCHEMA, SERIES_COLUMNS, arrow_type
from archive.transfer.manifest import COPIED_TABLES, ExportError, Manifest
from domain import Traffic, WeightChange
from domain.deployments import Deployment, DeploymentState
from domain.events import EVENT_KINDS
from domain.log_counts import OUTCOME_EDGES_MS, TRAIT_BLOCK_S, TRAIT_NAMES
from domain.probe import PROBE, ProbeResult
from domain.run_steps import MAX_SQL_CHARS, RUN_STEPS, RunStep
from domain.serialization import from_json
from domain.series import Owner
from domain.triggers import Triggers
from domain.window import DAY_S, EARLIEST_S, HOUR_S, LATEST_S, MINUTE_S
from sources.base import Problem

MAX_ROW_GROUP_ROWS = 5_000_000
MAX_ROW_GROUP_BYTES = 1 << 30  # uncompressed
MAX_ROW_GROUPS = 200_000
MAX_TABLE_ROWS = 2_000_000  # of a file that is imported at once
MAX_TABLE_TEXT_BYTES = 1 << 29  # of a file or row group that is imported at once
MAX_LABEL_CHARS = 2_048
MAX_TEXT_CHARS = 8_000_000
MAX_SIGN_OFF_CHARS = 1_000_000
MAX_JSON_DEPTH = 24
MAX_VALUE = 1e15
BATCH_ROWS = 20_000

T = TypeVar("T")
_LABELS = frozenset((*SERIES_COLUMNS, "key", "batch", "kind", "host", "method"))
_VOCABULARY = {
    name: re.compile(r"[A-Za-z][A-Za-z0-9_.:%/ -]{0,79}|", re.ASCII) for name in ("source", "metric", "stat", "unit")
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PAST_TIMES = frozenset(("asked_at", "read_at", "recorded_at", "first_seen", "last_seen"))
_UNIQUE: dict[str, tuple[str, ...]] = {"series": SERIES_COLUMNS, "coverage": (*SERIES_COLUMNS, "period_s", "start_s")}


class _InvalidError(ValueError):
    """A value that no export of this program has: the column, or what is wrong."""


_LOG_TABLES = tuple(f"log_{name}" for name in LOG_SCHEMAS)


def check_export(folder: Path, manifest: Manifest, *, now: int) -> None:
    """Raises ExportError ("invalid", with file and column) unless every file can be imported and read afterwards. `now` in epoch seconds."""
    checks: dict[str, Callable[[_File, int], None]] = {
        "points.parquet": _check_points,
        **{f"{name}.parquet": _check_log_groups for name in _LOG_TABLES},
    }
    if manifest.exported_at > now + DAY_S:
        raise ExportError("invalid", "manifest.json: exported_at")
    batches: dict[str, set[Any]] = {}
    for file_name, (row_count, _) in manifest.files.items():
        try:
            file = _open(folder / file_name, manifest.version, row_count)
            checks.get(file_name, _check_table)(file, now + DAY_S)
            if file.table in ("log_file", *_LOG_TABLES):
                batches[file.table] = file.values("batch")
        except _InvalidError as error:
            raise ExportError("invalid", f"{file_name}: {error}") from error
        except (
            pa.ArrowException,
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
            ArithmeticError,
        ) as error:
            raise ExportError("invalid", file_name) from error
    if bool(batches.get("log_file")) and not {"log_counts.parquet", "log_examples.parquet"} <= set(manifest.files):
        raise ExportError("missing", "log_counts.parquet")
    for name in _LOG_TABLES:
        if not batches.get(name, set()) <= batches.get("log_file", set()):
            raise ExportError("invalid", f"{name}.parquet: batch")


@dataclass(frozen=True, slots=True)
class _File:
    """An open Parquet file of `table` (current name); `columns`: current name → name in the file."""

    table: str
    file: pq.ParquetFile
    columns: Mapping[str, str]
    renamed: bool  # the export has the names before format 3

    def batches(self, group: int | None = None) -> Iterator[pa.Table]:
        """The rows by current column names, text as dictionaries."""
        groups = range(self.file.num_row_groups) if group is None else (group,)
        names = {old: new for new, old in self.columns.items()}
        for batch in self.file.iter_batches(BATCH_ROWS, row_groups=list(groups)):
            yield pa.Table.from_batches([batch]).rename_columns([names[name] for name in batch.schema.names])

    def values(self, column: str) -> set[Any]:
        """The distinct values of a column."""
        batches = self.file.iter_batches(BATCH_ROWS, columns=[self.columns[column]])
        return {value for batch in batches for value in batch.column(0).unique().to_pylist()}


def _open(path: Path, version: int, row_count: int) -> _File:
    """Opens a file after a look at its footer: columns, types and sizes."""
    table, expected = _expected_columns(path.stem, version)
    texts = [name for name, (kind, _) in expected.items() if _is_text(kind)]
    old_name = standard_names.COLUMNS.get(table, {}) if version < 3 else {}
    old_names = {new: old for old, new in old_name.items()}
    file = pq.ParquetFile(path, read_dictionary=[old_names.get(name, name) for name in texts])
    fields = {old_name.get(field.name, field.name): field.type for field in file.schema_arrow}
    if len(fields) != len(file.schema_arrow) or set(fields) != set(expected):
        raise _InvalidError("columns")
    for name, (kind, _) in expected.items():
        if not (_is_text(fields[name]) if _is_text(kind) else fields[name] == kind):
            raise _InvalidError(f"{name}, type")
    metadata = file.metadata
    groups = [metadata.row_group(at) for at in range(min(metadata.num_row_groups, MAX_ROW_GROUPS + 1))]
    if metadata.num_rows != row_count or sum(group.num_rows for group in groups) != row_count:
        raise _InvalidError("number of rows")
    if len(groups) > MAX_ROW_GROUPS or any(
        not 0 <= group.num_rows <= MAX_ROW_GROUP_ROWS or not 0 <= group.total_byte_size <= MAX_ROW_GROUP_BYTES
        for group in groups
    ):
        raise _InvalidError("size")
    return _File(table, file, {name: old_names.get(name, name) for name in expected}, version < 3)


def _expected_columns(file_stem: str, version: int) -> tuple[str, dict[str, tuple[pa.DataType, bool]]]:
    """The table of a file by its current name, and its columns: type, and whether it may be null."""
    formats = {
        "points": POINT_SCHEMA,
        "coverage": COVERAGE_SCHEMA,
        **{f"log_{name}": kind for name, kind in LOG_SCHEMAS.items()},
    }
    if file_stem in formats:
        return file_stem, {field.name: (field.type, False) for field in formats[file_stem]}
    name = standard_names.TABLES.get(file_stem, file_stem) if version < 3 else file_stem
    if name not in (*COPIED_TABLES, "series"):
        raise _InvalidError("not a file of an export")
    exported = [column for column in schema.METADATA.tables[name].columns if column.name not in ("id", "migration_id")]
    return name, {column.name: (arrow_type(column.type), bool(column.nullable)) for column in exported}


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind.value_type if pa.types.is_dictionary(kind) else kind))


def _check_table(file: _File, latest: int) -> None:
    """A file that is imported at once."""
    if file.file.metadata.num_rows > MAX_TABLE_ROWS:
        raise _InvalidError("number of rows")
    _, expected = _expected_columns(file.table, 3)
    key = _unique_columns(file.table)
    seen, text_bytes = set[tuple[Any, ...]](), 0
    for batch in file.batches():
        text_bytes += _check_columns(batch, expected)
        if text_bytes > MAX_TABLE_TEXT_BYTES:
            raise _InvalidError("size")
        for row in batch.to_pylist():
            if file.renamed and file.table in standard_names.BODY_KEYS:
                _check_json(row["body"])
                row["body"] = standard_names.rename_body_keys(file.table, row["body"])
            _check_row(file.table, row, latest)
            if key and (values := tuple(row[name] for name in key)) in seen:
                raise _InvalidError(f"{key[-1]}, not unique")
            elif key:
                seen.add(values)


def _unique_columns(table_name: str) -> tuple[str, ...]:
    """The columns whose values occur once in an export; () if rows are only numbered."""
    if table_name in _UNIQUE:
        return _UNIQUE[table_name]
    return tuple(
        column.name
        for column in schema.METADATA.tables[table_name].primary_key
        if column.name not in ("migration_id", "id")
    )


def _check_points(file: _File, latest: int) -> None:
    """One row group for each series, in order of time."""
    seen = set[tuple[str, ...]]()
    for group in range(file.file.num_row_groups):
        series, last = set[tuple[str, ...]](), 0
        for batch in file.batches(group):
            _check_columns(batch, {field.name: (field.type, False) for field in POINT_SCHEMA})
            labels = {name: batch[name].unique().to_pylist() for name in SERIES_COLUMNS}
            if any(len(values) != 1 for values in labels.values()):
                raise _InvalidError("more than one series in a row group")
            row = {name: values[0] for name, values in labels.items()}
            _check_row("points", row, latest)
            series.add(tuple(row.values()))
            ts, period_s, value = (batch[name].to_numpy() for name in ("ts", "period_s", "value"))
            _require("ts", (ts >= EARLIEST_S) & (ts <= latest) & (ts % MINUTE_S == 0))
            _require("period_s", (period_s >= MINUTE_S) & (period_s <= DAY_S) & (period_s % MINUTE_S == 0))
            _require("value", np.abs(value) <= MAX_VALUE)
            times = ts * 2 * DAY_S + period_s
            _require("ts, order", np.diff(times, prepend=last) > 0)
            last = times[-1]
        if len(series) != 1 or series & seen:
            raise _InvalidError("a series in more than one row group")
        seen |= series


def _check_log_groups(file: _File, latest: int) -> None:
    """One row group for each batch of files and hour."""
    kinds = {field.name: (field.type, False) for field in LOG_SCHEMAS[file.table.removeprefix("log_")]}
    seen = set[tuple[str, int]]()
    for group in range(file.file.num_row_groups):
        keys, text_bytes = set[tuple[str, int]](), 0
        for batch in file.batches(group):
            text_bytes += _check_columns(batch, kinds)
            if text_bytes > MAX_TABLE_TEXT_BYTES:
                raise _InvalidError("size")
            names, hours = batch["batch"].unique().to_pylist(), batch["hour_s"].unique().to_pylist()
            keys |= {(name, hour_s) for name in names for hour_s in hours}
            if len(keys) != 1:
                raise _InvalidError("more than one hour in a row group")
            _check_log_values(batch, hours[0], latest)
        if len(keys) != 1 or keys & seen:
            raise _InvalidError("an hour in more than one row group")
        seen |= keys


def _check_log_values(batch: pa.Table, hour_s: int, latest: int) -> None:
    if hour_s % HOUR_S or not EARLIEST_S <= hour_s <= latest:
        raise _InvalidError("hour_s")
    columns = set(batch.column_names)
    time = "minute" if "minute" in columns else "ts"
    ts = batch[time].to_numpy()
    _require(time, (ts >= hour_s) & (ts < hour_s + HOUR_S))
    if time == "minute":
        _require(time, ts % (TRAIT_BLOCK_S if "trait" in columns else MINUTE_S) == 0)
        n = batch["n"].to_numpy()
        _require("n", (n > 0) & (n <= 10**12))
    for name, (lowest, highest) in _LOG_RANGES.items():
        if name in columns:
            numbers = batch[name].to_numpy()
            _require(name, (numbers >= lowest) & (numbers <= highest))
    if "trait" in columns and not set(batch["trait"].unique().to_pylist()) <= set(TRAIT_NAMES):
        raise _InvalidError("trait")


_LOG_RANGES = {
    "elb_status": (-1, 999),
    "target_status": (-1, 999),
    "latency_ms": (-1, 2**31 - 1),
    "bytes": (0, 2**62),
    "outcome": (-1, OUTCOME_EDGES_MS[-1]),
}


def _require(column: str, holds: Any) -> None:
    if not np.all(holds):
        raise _InvalidError(column)


def _check_columns(batch: pa.Table, expected: Mapping[str, tuple[pa.DataType, bool]]) -> int:
    """Checks nulls and texts. Returns the bytes of all texts."""
    text_bytes = 0
    for name, (kind, nullable) in expected.items():
        column = batch[name]
        if column.null_count and not nullable:
            raise _InvalidError(f"{name}, null")
        if not _is_text(kind):
            continue
        for chunk in column.chunks:
            chunk.validate(full=True)  # UTF-8, and indices within the dictionary
            is_encoded = pa.types.is_dictionary(chunk.type)
            values, repeats = (chunk.dictionary, chunk.indices) if is_encoded else (chunk, None)
            lengths = pc.binary_length(values)
            text_bytes += pc.sum(lengths.take(repeats) if repeats is not None else lengths).as_py() or 0
            if (pc.max(lengths).as_py() or 0) > (MAX_LABEL_CHARS if name in _LABELS else MAX_TEXT_CHARS):
                raise _InvalidError(f"{name}, length")
            if text_bytes > MAX_TABLE_TEXT_BYTES:
                raise _InvalidError("size")
            for text in values.to_pylist():
                if text and (_CONTROL.search(text) if name in _LABELS else "\x00" in text):
                    raise _InvalidError(f"{name}, control characters")
    return text_bytes


def _check_row(table: str, row: Row, latest: int) -> None:
    """The values of one row, then its JSON."""
    for name, pattern in _VOCABULARY.items():
        if name in row and not pattern.fullmatch(row[name]):
            raise _InvalidError(name)
    owners = (*get_args(Owner), "") if table == "event" else get_args(Owner)
    if row.get("fleet", owners[0]) not in owners:
        raise _InvalidError("fleet")
    if str(row.get("stat", "")).startswith("within_"):
        float(row["stat"].removeprefix("within_").partition("s")[0])
    _check_times(row, latest)
    if "end_s" in row:
        _check_window(table, row, latest)
    if check := _ROW_CHECKS.get(table):
        check(row)


def _check_times(row: Row, latest: int) -> None:
    for name in _PAST_TIMES & set(row):
        if row[name] is not None and not 0 <= row[name] <= latest:
            raise _InvalidError(name)
    if "first_seen" in row and not EARLIEST_S <= row["first_seen"] <= row["last_seen"]:
        raise _InvalidError("first_seen")
    if "ts" in row and not EARLIEST_S <= row["ts"] <= LATEST_S:
        raise _InvalidError("ts")


def _check_window(table: str, row: Row, latest: int) -> None:
    start_s, end_s = row["start_s"], row["end_s"]
    if table == "log_file":
        if (start_s, end_s) == (0, 0):  # a file without lines
            return
        latest = LATEST_S
    if not EARLIEST_S <= start_s < end_s <= latest or start_s % MINUTE_S or end_s % MINUTE_S:
        raise _InvalidError("start_s, end_s")
    if "period_s" in row and not (MINUTE_S <= row["period_s"] <= DAY_S and row["period_s"] % MINUTE_S == 0):
        raise _InvalidError("period_s")


def _check_event(row: Row) -> None:
    if row["kind"] not in EVENT_KINDS:
        raise _InvalidError("kind")
    if row["until"] is not None and not row["ts"] <= row["until"] <= LATEST_S:
        raise _InvalidError("until")
    if row["link"] and not row["link"].startswith(("https://", "http://")):
        raise _InvalidError("link")


def _check_weight_change(row: Row) -> None:
    change = _decode(WeightChange, row)
    shares = [share for share in (change.before, change.after) if share is not None]
    if (change.ts, change.key) != (row["ts"], row["key"]) or not EARLIEST_S <= change.since <= change.ts:
        raise _InvalidError("body, time or key")
    if any(not 0 <= share <= 1 for share in shares):
        raise _InvalidError("body, share")


def _check_traffic(row: Row) -> None:
    for rule in _decode(Traffic, row).rules:
        if len(rule.priority) > 10 or any(not 0 <= share.weight <= 999 for share in rule.shares):
            raise _InvalidError("body, weight or priority")


def _check_deployments(row: Row) -> None:
    for deployment in _decode(DeploymentState, row).deployments:
        _check_deployment(deployment)


def _check_deployment_row(row: Row) -> None:
    deployment = _decode(Deployment, row)
    if (deployment.id, deployment.created) != (row["key"], row["created"]):
        raise _InvalidError("body, time or key")
    _check_deployment(deployment)


def _check_deployment(deployment: Deployment) -> None:
    times = [deployment.created, deployment.started, deployment.ended, deployment.rollback_at]
    times += [at for stage in deployment.stages for at in (stage.began, stage.ended)]
    times += [wait.expires_at for wait in deployment.waits]
    if any(at is not None and not 0 <= at <= LATEST_S for at in times):
        raise _InvalidError("body, time")
    if deployment.link and not deployment.link.startswith(("https://", "http://")):
        raise _InvalidError("body, link")


def _check_triggers(row: Row) -> None:
    for trigger in _decode(Triggers, row).triggers:
        if len(trigger.expression) > MAX_LABEL_CHARS:
            raise _InvalidError("body, expression")
        _ = trigger.schedule, trigger.zone  # neither raises for any text


def _check_observation(row: Row) -> None:
    if row["source"] == PROBE:
        result = _decode(ProbeResult, row)
        if (result.key, result.ts) != (row["key"], row["ts"]):
            raise _InvalidError("body, time or key")
        return
    if row["source"] != RUN_STEPS:
        raise _InvalidError("source")
    step = _decode(RunStep, row)
    if (step.key, step.ts) != (row["key"], row["ts"]) or len(step.sql) > MAX_SQL_CHARS:
        raise _InvalidError("body, time, key or SQL")


def _check_decision(row: Row) -> None:
    if not (0 < row["phase"] < 1_000_000 and EARLIEST_S <= row["start_s"] <= row["recorded_at"]):
        raise _InvalidError("phase, start_s, recorded_at")
    _check_json(row["body"])
    if not isinstance(json.loads(row["body"]), dict):
        raise _InvalidError("body, JSON")


def _check_sign_off(row: Row) -> None:
    """A row that was changed is imported, and named wherever the ledger is shown."""
    if not 0 < row["sequence"] < 1_000_000 or not _SHA256.fullmatch(row["hash"]):
        raise _InvalidError("sequence, hash")
    if len(row["body"]) > MAX_SIGN_OFF_CHARS:
        raise _InvalidError("body, length")


def _check_margins(row: Row) -> None:
    _decode(Margins, row)


def _check_window_latency(row: Row) -> None:
    body = _decode(LatencyBody, row)
    if body.covered and not row["start_s"] <= body.covered[0] < body.covered[1] <= row["end_s"]:
        raise _InvalidError("body, covered")
    _check_json(row["problems"])
    from_json(tuple[Problem, ...], row["problems"])
    problems_from_json(row["problems"])


def _check_log_file(row: Row) -> None:
    if not (0 <= row["parsed"] <= row["lines"] <= MAX_VALUE and 0 <= row["size"] <= MAX_VALUE):
        raise _InvalidError("lines")


def _decode(kind: type[T], row: Row) -> T:
    _check_json(row["body"])
    try:
        return from_json(kind, row["body"])
    except ValueError as error:
        raise _InvalidError("body, JSON") from error


def _check_json(text: str) -> None:
    """Unique keys, numbers within the range of times, and bounded depth."""
    try:
        pending: list[tuple[Any, int]] = [(json.loads(text, object_pairs_hook=_unique_keys), 0)]
    except (ValueError, RecursionError) as error:
        raise _InvalidError("JSON") from error
    while pending:
        value, depth = pending.pop()
        if depth > MAX_JSON_DEPTH:
            raise _InvalidError("JSON, depth")
        if isinstance(value, dict):
            value = [*value, *value.values()]
        if isinstance(value, list):
            pending += ((item, depth + 1) for item in value)
        elif isinstance(value, str) and ("\x00" in value or _has_surrogates(value)):
            raise _InvalidError("JSON, control characters")
        elif isinstance(value, int | float) and not (math.isfinite(value) and abs(value) <= MAX_VALUE):
            raise _InvalidError("JSON, number")


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)


_ROW_CHECKS: dict[str, Callable[[Row], None]] = {
    "event": _check_event,
    "weight_change": _check_weight_change,
    "traffic_snapshot": _check_traffic,
    "deployment_state": _check_deployments,
    "deployment": _check_deployment_row,
    "trigger": _check_triggers,
    "decision": _check_decision,
    "observation": _check_observation,
    "sign_off": _check_sign_off,
    "margin_history": _check_margins,
    "window_latency": _check_window_latency,
    "log_file": _check_log_file,
}
