"""SQL on access logs: which files were counted, and their counts, one row for each hour and batch of files.

A file is stored in the same transaction as its counts, so no line is counted twice whenever the program is killed.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import ColumnElement, Connection, Select, and_, func, insert, select

from archive.db import schema
from domain import Window
from domain.log_counts import COUNTS, EXAMPLES, SIZES, TRAIT_BLOCK_S, TRAITS, LogTables
from domain.window import HOUR_S
from sources.access_logs.counter import FileStats, LogCounts

ATHENA_DAY_PREFIX = "athena:"  # of the keys of whole days, which are not files; their files have rows of their own
MAX_EXAMPLES = 2_000  # of one hour and batch: half the slowest, half the newest failed
_ALWAYS = ("counts", "examples")
MAX_PARAMETERS = 500  # of one statement

Column = Literal["counts", "examples", "sizes", "traits"]
# The schema of each column, and its column of time with the seconds that a row lasts from then on.
_FORMATS: dict[Column, tuple[pa.Schema, str, int]] = {
    "counts": (COUNTS, "minute", 1),
    "examples": (EXAMPLES, "ts", 1),
    "sizes": (SIZES, "minute", 1),
    "traits": (TRAITS, "minute", TRAIT_BLOCK_S),
}


@dataclass(frozen=True, slots=True)
class CountedFile:
    """A counted log file: `key` is its path or S3 key, `size` in bytes, `window` the time of its lines (None without lines)."""

    key: str
    size: int
    stats: FileStats
    window: Window | None


@dataclass(frozen=True, slots=True)
class LineCounts:
    """Lines of the logs of a window: `total`, and those that were `parsed`. `problems`: (problem, number of files)."""

    files: int
    total: int
    parsed: int
    problems: tuple[tuple[str, int], ...] = ()

    @property
    def unparsed(self) -> int:
        return self.total - self.parsed


def write_batch(
    connection: Connection, migration_id: int, files: Collection[CountedFile], log_counts: LogCounts
) -> bool:
    """Stores a batch of files; returns False, and stores nothing, if another process has stored one of them."""
    batch = min((file.key for file in files), default="")
    rows = [
        {
            "migration_id": migration_id,
            "batch": batch,
            "key": file.key,
            "size": file.size,
            "lines": file.stats.lines - file.stats.skipped,
            "parsed": file.stats.parsed,
            "problem": file.stats.problem or "",
            "start_s": file.window.start if file.window else 0,
            "end_s": file.window.end if file.window else 0,
        }
        for file in files
    ]
    if read_known_sizes(connection, migration_id, [file.key for file in files]):
        return False
    if rows:
        connection.execute(insert(schema.log_file), rows)
    for hour_s, hour in _hours(log_counts.tables):
        write_hour(connection, migration_id, (batch, hour_s), hour._replace(examples=_limit_examples(hour.examples)))
    return True


def _hours(batch: LogTables) -> Iterator[tuple[int, LogTables]]:
    """The hours with counts, each with its start."""
    starts = [
        table[time].to_numpy() // HOUR_S * HOUR_S for table, (_, time, _) in zip(batch, _FORMATS.values(), strict=True)
    ]
    for hour_s in np.unique(starts[0]).tolist():
        of_hour = (table.filter(pa.array(start == hour_s)) for table, start in zip(batch, starts, strict=True))
        yield hour_s, LogTables(*of_hour)


def write_hour(connection: Connection, migration_id: int, key: tuple[str, int], hour: LogTables) -> None:
    """Stores one hour of a batch; `key` is (batch, hour_s). Sizes and traits that were not counted are empty, and stored as null."""
    batch, hour_s = key
    bodies = {name: _to_parquet(table) for name, table in hour._asdict().items() if table.num_rows or name in _ALWAYS}
    row = {"migration_id": migration_id, "batch": batch, "hour_s": hour_s, **bodies}
    connection.execute(insert(schema.log_count).values(**row))


def read_known_sizes(connection: Connection, migration_id: int, keys: Collection[str]) -> dict[str, int]:
    """The sizes of those of `keys` that were counted. A file with another size now has changed since."""
    table, sizes = schema.log_file, dict[str, int]()
    ordered = sorted(keys)
    for start in range(0, len(ordered), MAX_PARAMETERS):
        chunk = and_(table.c.migration_id == migration_id, table.c.key.in_(ordered[start : start + MAX_PARAMETERS]))
        sizes |= {row.key: row.size for row in connection.execute(select(table.c.key, table.c.size).where(chunk))}
    return sizes


def iter_counts(
    connection: Connection, migration_id: int, window: Window, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """The counts of `window` (COUNTS), or `columns` of them, the minute among these: a table for each hour and batch. Rows with the same key must be
    added up.
    """
    return _iter_hours(connection, migration_id, window, "counts", columns)


def read_counts(
    connection: Connection, migration_id: int, window: Window, columns: Sequence[str] | None = None
) -> pa.Table:
    """`iter_counts` as one table."""
    return _read(connection, migration_id, window, "counts", columns)


def count_routes(connection: Connection, migration_id: int, window: Window) -> int:
    """How many distinct routes the counts of the hours of `window` have."""
    routes = [pa.array([], pa.string())]
    for body in connection.scalars(_select_hours(migration_id, window, "counts")):
        column = pq.ParquetFile(pa.BufferReader(body)).read(columns=["route"], use_threads=False)["route"]
        routes.append(column.cast(pa.string()).unique())
    return len(pa.chunked_array(routes).unique())


def read_examples(connection: Connection, migration_id: int, window: Window) -> pa.Table:
    """Failed and slow requests of `window` (EXAMPLES)."""
    return _read(connection, migration_id, window, "examples")


def read_sizes(connection: Connection, migration_id: int, window: Window) -> pa.Table:
    """What was answered in `window` (SIZES). Rows with the same key must be added up."""
    return _read(connection, migration_id, window, "sizes")


def read_traits(connection: Connection, migration_id: int, window: Window) -> pa.Table:
    """What requests had in common in the blocks that overlap `window` (TRAITS). Rows with the same key must be added up."""
    return _read(connection, migration_id, window, "traits")


def count_undetailed_hours(connection: Connection, migration_id: int, window: Window) -> tuple[int, int]:
    """How many of the hours of `window` with counts have some without sizes and traits, counted by an earlier version; and how many there are."""
    table = schema.log_count
    hours = func.count(table.c.hour_s.distinct())
    query = select(hours.filter(table.c.sizes.is_(None)), hours).where(_overlaps(migration_id, window))
    undetailed, total = connection.execute(query).one()
    return int(undetailed), int(total)


def read_line_counts(connection: Connection, migration_id: int, window: Window) -> LineCounts:
    """How many lines of the logs of `window` could be parsed."""
    table = schema.log_file
    in_window = and_(table.c.migration_id == migration_id, table.c.start_s < window.end, table.c.end_s > window.start)
    files, total, parsed = connection.execute(
        select(
            func.count().filter(table.c.key.not_like(f"{ATHENA_DAY_PREFIX}%")),
            func.coalesce(func.sum(table.c.lines), 0),
            func.coalesce(func.sum(table.c.parsed), 0),
        ).where(in_window)
    ).one()
    by_problem = select(table.c.problem, func.count()).where(in_window, table.c.problem != "").group_by(table.c.problem)
    problems = tuple(
        (problem, int(count)) for problem, count in connection.execute(by_problem.order_by(table.c.problem))
    )
    return LineCounts(int(files), int(total), int(parsed), problems)


def read_extent(connection: Connection, migration_id: int) -> Window | None:
    """From the first to the last hour with counts; None without counts."""
    table = schema.log_count
    first, last = connection.execute(
        select(func.min(table.c.hour_s), func.max(table.c.hour_s)).where(table.c.migration_id == migration_id)
    ).one()
    return None if first is None else Window(int(first), int(last) + HOUR_S)


def _read(
    connection: Connection, migration_id: int, window: Window, column: Column, names: Sequence[str] | None = None
) -> pa.Table:
    hours = _iter_hours(connection, migration_id, window, column, names)
    return pa.concat_tables([_encoded_schema(column, names).empty_table(), *hours]).unify_dictionaries()


def _iter_hours(
    connection: Connection, migration_id: int, window: Window, column: Column, names: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """The rows of `window`, a table for each hour and batch. One thread reads them: this takes a third of the memory."""
    _, time_column, lasts_s = _FORMATS[column]
    encoded = _encoded_schema(column, names)
    texts = [field.name for field in encoded if pa.types.is_dictionary(field.type)]
    for body in connection.scalars(_select_hours(migration_id, window, column)):
        file = pq.ParquetFile(pa.BufferReader(body), read_dictionary=texts)
        rows = file.read(columns=encoded.names, use_threads=False).cast(encoded).unify_dictionaries()
        times = rows[time_column].to_numpy()
        inside = (times > window.start - lasts_s) & (times < window.end)
        yield rows if inside.all() else rows.filter(pa.array(inside))


def _encoded_schema(column: Column, names: Sequence[str] | None) -> pa.Schema:
    """With repeated texts dictionary-encoded: half the memory, and a tenth of the time to group by them."""
    plain, encoded = _FORMATS[column][0], pa.dictionary(pa.int32(), pa.string())
    fields = (plain.field(name) for name in names or plain.names)
    return pa.schema([field.with_type(encoded) if field.name in _TEXTS else field for field in fields])


def _select_hours(migration_id: int, window: Window, column: Column) -> Select[tuple[bytes]]:
    """The Parquet of the hours that overlap `window`, in order."""
    table = schema.log_count
    present = and_(_overlaps(migration_id, window), table.c[column].is_not(None))
    return select(table.c[column]).where(present).order_by(table.c.hour_s, table.c.id)


def _overlaps(migration_id: int, window: Window) -> ColumnElement[bool]:
    table = schema.log_count
    return and_(
        table.c.migration_id == migration_id, table.c.hour_s > window.start - HOUR_S, table.c.hour_s < window.end
    )


def _limit_examples(examples: pa.Table) -> pa.Table:
    """At most MAX_EXAMPLES."""
    if examples.num_rows <= MAX_EXAMPLES:
        return examples
    slow = np.argsort(-examples["latency_ms"].to_numpy(), kind="stable")[: MAX_EXAMPLES // 2]
    failed = np.flatnonzero(examples["elb_status"].to_numpy() >= 500)[-MAX_EXAMPLES // 2 :]
    return examples.take(pa.array(np.union1d(slow, failed)))


_TEXTS = {"host", "method", "route", "target_group", "protocol", "trait", "value"}


def _to_parquet(table: pa.Table) -> bytes:
    """Without statistics: an hour is read as a whole."""
    out = BytesIO()
    pq.write_table(
        table, out, compression="zstd", use_dictionary=[*_TEXTS & set(table.column_names)], write_statistics=False
    )
    return out.getvalue()
