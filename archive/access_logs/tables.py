"""The archive's SQL for access logs: which files were counted, and the counts, an hour and a batch of files a row.

A file is counted once and for all, with its counts in the same transaction: whatever is killed when, no line is there twice.
"""

from collections.abc import Collection
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, and_, func, insert, select

from archive.db import schema
from domain import Window
from domain.log_counts import COUNTS, EXAMPLES
from sources.access_logs.counter import FileStats, LogCounts

HOUR_S = 3600
ATHENA_DAY_PREFIX = (
    "athena:"  # what keys of whole days begin with: they are no files, and those in them have rows of their own
)
MAX_EXAMPLES = 2_000  # kept of an hour and a batch: the slowest, and of those that failed the newest


@dataclass(frozen=True, slots=True)
class CountedFile:
    """A log file that was counted: `key` is its place (path or S3 key), `size` in bytes; its lines are of `window`, None where it had none."""

    key: str
    size: int
    stats: FileStats
    window: Window | None


@dataclass(frozen=True, slots=True)
class LineCounts:
    """How many lines the logs of a window had, and how many of them could be counted; `problems` counts files by what is wrong with them."""

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
    """Keeps a batch; nothing of it where one of its files is there already, from another process that was quicker."""
    batch = min((file.key for file in files), default="")
    rows = [
        {
            "migration_id": migration_id,
            "batch": batch,
            "key": file.key,
            "size": file.size,
            "lines": file.stats.lines,
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
    minutes = log_counts.counts["minute"].to_numpy()
    times = log_counts.examples["ts"].to_numpy()
    for hour_s in np.unique(minutes // HOUR_S * HOUR_S).tolist():
        counts = log_counts.counts.filter(pa.array((minutes >= hour_s) & (minutes < hour_s + HOUR_S)))
        examples = log_counts.examples.filter(pa.array((times >= hour_s) & (times < hour_s + HOUR_S)))
        write_hour(connection, migration_id, batch, hour_s, counts, _limit_examples(examples))
    return True


def write_hour(
    connection: Connection, migration_id: int, batch: str, hour_s: int, counts: pa.Table, examples: pa.Table
) -> None:
    """Adds what a batch of files said of one hour."""
    body = {"counts": _to_parquet(counts), "examples": _to_parquet(examples)}
    at = {"migration_id": migration_id, "batch": batch, "hour_s": hour_s}
    connection.execute(insert(schema.log_count).values(**at, **body))


def read_known_sizes(connection: Connection, migration_id: int, keys: Collection[str]) -> dict[str, int]:
    """Those of `keys` that were counted, with the size they had then. A file that has another size now is another file."""
    table, found = schema.log_file, dict[str, int]()
    every = sorted(keys)
    for start in range(0, len(every), 500):
        mine = and_(table.c.migration_id == migration_id, table.c.key.in_(every[start : start + 500]))
        found |= {row.key: row.size for row in connection.execute(select(table.c.key, table.c.size).where(mine))}
    return found


def read_counts(connection: Connection, migration_id: int, window: Window) -> pa.Table:
    """The counts of `window` (COUNTS), as they were kept: rows of different batches may be alike, and are to be added up."""
    return _read(connection, migration_id, window, "counts", COUNTS, "minute")


def read_examples(connection: Connection, migration_id: int, window: Window) -> pa.Table:
    """Lines of `window` that failed or were slow (EXAMPLES)."""
    return _read(connection, migration_id, window, "examples", EXAMPLES, "ts")


def read_line_counts(connection: Connection, migration_id: int, window: Window) -> LineCounts:
    """How the reading of the logs of `window` went."""
    table = schema.log_file
    mine = and_(table.c.migration_id == migration_id, table.c.start_s < window.end, table.c.end_s > window.start)
    files, read, parsed = connection.execute(
        select(
            func.count().filter(table.c.key.not_like(f"{ATHENA_DAY_PREFIX}%")),
            func.coalesce(func.sum(table.c.lines), 0),
            func.coalesce(func.sum(table.c.parsed), 0),
        ).where(mine)
    ).one()
    wrong = select(table.c.problem, func.count()).where(mine, table.c.problem != "").group_by(table.c.problem)
    problems = tuple((problem, int(many)) for problem, many in connection.execute(wrong.order_by(table.c.problem)))
    return LineCounts(int(files), int(read), int(parsed), problems)


def read_extent(connection: Connection, migration_id: int) -> Window | None:
    """From the first to the last hour of which there are counts; None where there are none."""
    table = schema.log_count
    first, last = connection.execute(
        select(func.min(table.c.hour_s), func.max(table.c.hour_s)).where(table.c.migration_id == migration_id)
    ).one()
    return None if first is None else Window(int(first), int(last) + HOUR_S)


def _read(
    connection: Connection, migration_id: int, window: Window, column: str, shape: pa.Schema, time_column: str
) -> pa.Table:
    table = schema.log_count
    touched = and_(
        table.c.migration_id == migration_id,
        table.c.hour_s > window.start - HOUR_S,
        table.c.hour_s < window.end,
    )
    bodies = connection.scalars(select(table.c[column]).where(touched).order_by(table.c.hour_s, table.c.id))
    parts = [pq.read_table(BytesIO(body)).cast(shape) for body in bodies]
    found = pa.concat_tables(parts) if parts else shape.empty_table()
    at = found[time_column].to_numpy()
    return found.filter(pa.array((at >= window.start) & (at < window.end)))


def _limit_examples(examples: pa.Table) -> pa.Table:
    """At most MOST_EXAMPLES of them: half of them the slowest, half the newest that failed."""
    if examples.num_rows <= MAX_EXAMPLES:
        return examples
    slow = np.argsort(-examples["latency_ms"].to_numpy(), kind="stable")[: MAX_EXAMPLES // 2]
    failed = np.flatnonzero(examples["elb_status"].to_numpy() >= 500)[-MAX_EXAMPLES // 2 :]
    return examples.take(pa.array(np.union1d(slow, failed)))


def _to_parquet(table: pa.Table) -> bytes:
    out = BytesIO()
    pq.write_table(table, out, compression="zstd", use_dictionary=["host", "method", "route", "target_group"])
    return out.getvalue()
