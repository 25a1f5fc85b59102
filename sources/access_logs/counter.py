"""Counts access-log files with DuckDB, in batches of bounded memory. Every line is counted or reported as unparsed."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any, Literal, NamedTuple

import duckdb
import pyarrow as pa
from isal import igzip, isal_zlib

from domain import Window
from domain.log_counts import SIZES, TRAITS, LogTables
from sources.access_logs.aggregate import LineTotals, aggregate, line_totals
from sources.access_logs.filenames import printable
from sources.access_logs.lines import LineSplitter
from sources.access_logs.repair import repair_lines
from sources.access_logs.sql import DUCKDB, FIELDS, counts_sql, quote

MAX_BATCH_BYTES = 48_000_000  # compressed; lines are about seven times as large
MAX_BATCH_FILES = 64  # each has its own thread
MEMORY_LIMIT_MB = 128
_CHUNK_BYTES = 1 << 20  # decompressed at once; also the capacity of a pipe
# What isal raises for damaged gzip files.
GZIP_ERRORS: Any = (igzip.BadGzipFile, isal_zlib.IsalError, zlib.error)

FileProblem = Literal["cut_off", "damaged", "not_a_log", "unreadable"]


@dataclass(frozen=True, slots=True)
class FileStats:
    """The lines of a file: `parsed` ones were counted; `skipped` ones are of another load balancer, or years away from all others.

    `problem`: why lines may be missing from all of these, or why none was counted.
    """

    name: str
    lines: int = 0
    parsed: int = 0
    problem: FileProblem | None = None
    skipped: int = 0

    @property
    def unparsed(self) -> int:
        return self.lines - self.parsed - self.skipped


class DecompressedFile(NamedTuple):
    """What was written of a file. `target_groups`: occurrences of a target group's ARN, which a client may also have sent.

    `escaped_quotes`: quotes behind a backslash, at which DuckDB would split their line.
    """

    stats: FileStats
    target_groups: int
    escaped_quotes: int


@dataclass(frozen=True, slots=True)
class LogCounts:
    """The counts of a batch of files: `counts` (domain.log_counts.COUNTS), `examples` (EXAMPLES), the stats of each file, `sizes` (SIZES) and
    `traits` (TRAITS)."""

    counts: pa.Table
    examples: pa.Table
    files: tuple[FileStats, ...]
    sizes: pa.Table = field(default_factory=SIZES.empty_table)
    traits: pa.Table = field(default_factory=TRAITS.empty_table)

    @classmethod
    def of(cls, tables: LogTables, files: tuple[FileStats, ...]) -> "LogCounts":
        return cls(tables.counts, tables.examples, files, tables.sizes, tables.traits)

    @property
    def tables(self) -> LogTables:
        return LogTables(self.counts, self.examples, self.sizes, self.traits)


class CountError(Exception):
    """A batch could not be counted, for example because its groups do not fit into memory and temporary files."""


class LogCounter:
    """A DuckDB in memory and a temporary folder. Use it as a context manager: leaving it deletes the folder.

    With `load_balancer` ("app/photo/50dc6c495c0c9188"), lines of others are skipped. `details`: also counts sizes and traits.
    """

    def __init__(
        self,
        patterns: Sequence[str] = (),
        *,
        load_balancer: str = "",
        memory_mb: int = MEMORY_LIMIT_MB,
        details: bool = True,
    ) -> None:
        self._patterns, self._load_balancer, self._details = tuple(patterns), load_balancer, details
        self._directory = Path(tempfile.mkdtemp(prefix="access-logs-"))
        self._database = duckdb.connect(
            config={
                "memory_limit": f"{memory_mb}MB",
                "threads": 1,  # a pipe cannot be shared: use several counters instead
                "preserve_insertion_order": False,
                "temp_directory": str(self._directory / "spill"),
                "enable_external_file_cache": False,  # every file is read once
            }
        )

    def __enter__(self) -> "LogCounter":
        return self

    def __exit__(self, *_error: object) -> None:
        self._database.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def count(self, batch: Sequence[Path]) -> LogCounts:
        """Counts a batch of files, gzip or plain. Raises CountError, and OSError if lines have to be repaired and the disk is full."""
        try:
            return self._count(batch)
        except duckdb.Error as error:
            raise CountError(str(error)) from error

    def _count(self, batch: Sequence[Path]) -> LogCounts:
        decompressed = self._count_while_decompressing(batch)
        try:
            totals = line_totals(self._database)
            if _all_counted(totals, decompressed) and not totals.skipped:
                window = totals.plausible_window()
                files = [replace(stats, parsed=stats.lines) for stats, *_ in decompressed]
            else:
                window, files = self._repair_all(batch, decompressed)
            tables = aggregate(self._database, window, details=self._details)
            return LogCounts.of(tables, tuple(map(_flag_not_a_log, files)))
        finally:
            for path in self._directory.glob("*.log"):
                path.unlink(missing_ok=True)

    def _repair_all(
        self, batch: Sequence[Path], decompressed: Sequence[DecompressedFile]
    ) -> tuple[Window, list[FileStats]]:
        """Counts each file by itself, then all of them. Returns the window outside of which lines are set aside, and the stats."""
        plain = [self._directory / f"{number}.log" for number in range(len(batch))]
        for path, destination in zip(batch, plain, strict=True):
            decompress(path, destination)
        totals = [self._repair(file, path) for file, path in zip(decompressed, plain, strict=True)]
        self._group_lines(plain)
        window = line_totals(self._database).plausible_window()
        files = list[FileStats]()
        for (stats, *_), total in zip(decompressed, totals, strict=True):
            set_aside = total.outside(window)
            files.append(replace(stats, parsed=total.parsed - set_aside, skipped=total.skipped + set_aside))
        return window, files

    def _count_while_decompressing(self, batch: Sequence[Path]) -> list[DecompressedFile]:
        """Streams each file through a named pipe into the query; writes nothing to the disk. Empty files are not opened."""
        empty = {path: DecompressedFile(FileStats(printable(path.name)), 0, 0) for path in batch if _is_empty(path)}
        pipes = {path: self._directory / f"{number}.pipe" for number, path in enumerate(batch) if path not in empty}
        read = self._stream(pipes)
        return [empty.get(path) or read[path] for path in batch]

    def _stream(self, pipes: Mapping[Path, Path]) -> dict[Path, DecompressedFile]:
        """Counts files while each is written into its pipe."""
        for pipe in pipes.values():
            os.mkfifo(pipe)
        with ThreadPoolExecutor(max(len(pipes), 1)) as threads:
            running = {path: threads.submit(decompress, path, pipe) for path, pipe in pipes.items()}
            try:
                self._group_lines(list(pipes.values()))
            finally:  # if the query failed, writers still wait for a reader
                while wait(running.values(), timeout=0.05).not_done:
                    for pipe in pipes.values():
                        os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
                for pipe in pipes.values():
                    pipe.unlink()
        return {path: future.result() for path, future in running.items()}

    def _group_lines(self, paths: Sequence[Path]) -> None:
        """Fills the table `grouped` with the counts of plain files or pipes."""
        readable = [path for path in paths if path.is_fifo() or (path.exists() and path.stat().st_size)]
        if not readable:
            readable = [self._directory / "empty.log"]
            readable[0].touch()
        lines, load_balancer = _read_csv_sql(readable), self._load_balancer
        sql = counts_sql(
            DUCKDB, lines, self._patterns, examples=True, details=self._details, load_balancer=load_balancer
        )
        self._database.execute(f"CREATE OR REPLACE TEMP TABLE grouped AS {sql}").fetchall()

    def _repair(self, file: DecompressedFile, path: Path) -> LineTotals:
        """Counts one plain file. If lines are missing or in doubt, rewrites it from lines parsed one by one, and counts it again."""
        self._group_lines([path])
        totals = line_totals(self._database)
        if not _all_counted(totals, [file]):
            repaired = path.with_suffix(".repaired")
            with path.open("rb") as lines, repaired.open("wb") as out:
                out.writelines(repair_lines(lines))
            repaired.replace(path)
            self._group_lines([path])
            totals = line_totals(self._database)
        return totals


def _is_empty(path: Path) -> bool:
    """False if it cannot be read, which is a problem of the file."""
    try:
        return path.stat().st_size == 0
    except OSError:
        return False


def _all_counted(totals: LineTotals, files: Sequence[DecompressedFile]) -> bool:
    """Whether every line was counted or skipped, at a time near the others, and no line can have been split in the wrong place.

    A line of which another target group was read, or none although it has one, has more occurrences of ARNs than were read.
    """
    return (
        not any(file.escaped_quotes for file in files)
        and totals.parsed + totals.skipped == sum(file.stats.lines for file in files)
        and totals.target_groups == sum(file.target_groups for file in files)
        and not totals.outside(totals.plausible_window())
    )


def _read_csv_sql(paths: Sequence[Path]) -> str:
    """A FROM clause over plain files, with the settings under which DuckDB drops no line silently: first fields only, not strict, no null padding.

    With all fields declared, older and shorter lines would be dropped; with null padding an unclosed quote ends the whole query.
    """
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in FIELDS)
    files = ", ".join(map(quote, map(str, paths)))
    return (
        f"read_csv([{files}], columns = {{{columns}}}, delim = ' ', quote = '\"', escape = '\"', header = false, auto_detect = false,"
        " strict_mode = false, ignore_errors = true, null_padding = false, allow_quoted_nulls = false, max_line_size = 1048576)"
    )


def decompress(path: Path, destination: Path) -> DecompressedFile:
    """Writes the complete lines of a file to `destination` and counts them, up to the damage if it is truncated or damaged."""
    lines = LineSplitter()
    problem: FileProblem | None = None
    with destination.open("wb", buffering=0) as out:  # opened first, because the reader of a pipe waits for it
        if hasattr(fcntl, "F_SETPIPE_SZ"):  # Linux
            with contextlib.suppress(OSError):  # not a pipe, or already at the maximum
                fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, _CHUNK_BYTES)
        try:
            with path.open("rb") as file:
                for chunk in decompressed_chunks(file):
                    for text in lines.feed(chunk):
                        _write_all(out, text)
        except EOFError:
            problem = "cut_off"
        except GZIP_ERRORS:
            problem = "damaged"
        except OSError as error:
            if error.filename != str(path):
                raise
            problem = "unreadable"
        if not problem:
            _write_all(out, lines.finish())
    return DecompressedFile(
        FileStats(printable(path.name), lines=lines.lines, problem=problem), lines.target_groups, lines.escaped_quotes
    )


def _write_all(out: FileIO, data: bytes | memoryview) -> None:
    """A single write to a pipe may be partial."""
    remaining = memoryview(data)
    while remaining:
        remaining = remaining[out.write(remaining) :]


def decompressed_chunks(file: BufferedReader) -> Iterator[bytes]:
    """The content of a file, gzip or plain. Raises EOFError if it is truncated, and GZIP_ERRORS."""
    is_gzip = file.peek(2)[:2] == b"\x1f\x8b"
    gzip_file: Any = igzip.GzipFile  # untyped
    with gzip_file(fileobj=file) if is_gzip else contextlib.nullcontext(file) as lines:
        while chunk := lines.read(_CHUNK_BYTES):
            yield chunk


def _flag_not_a_log(stats: FileStats) -> FileStats:
    return (
        replace(stats, problem="not_a_log")
        if stats.lines and stats.unparsed == stats.lines and not stats.problem
        else stats
    )
