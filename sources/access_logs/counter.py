"""Counts access-log files with DuckDB, in batches whose memory does not grow with the day, and says of every line whether it was counted."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import pyarrow as pa
from isal import igzip, isal_zlib

from sources.access_logs.aggregate import aggregate
from sources.access_logs.repair import repair_lines
from sources.access_logs.sql import DUCKDB, FIELDS, counts_sql

MAX_BATCH_BYTES = 48_000_000  # of compressed files; lines have about seven times as many
MAX_BATCH_FILES = 64  # each has a thread that waits for its turn
MEMORY_LIMIT_MB = 128
_CHUNK_BYTES = 1 << 20  # of a file, unpacked at once, and as much as a pipe may hold
_NEWLINE = ord("\n")

# What isal raises where a gzip file is not what it says.
_GZIP_ERRORS: Any = (igzip.BadGzipFile, isal_zlib.IsalError, zlib.error)

FileProblem = Literal["cut_off", "damaged", "not_a_log", "unreadable"]


@dataclass(frozen=True, slots=True)
class FileStats:
    """One file: how many lines it has, how many of them were counted. `problem`: why there may be more lines than these, or why none could be counted."""

    name: str
    lines: int = 0
    parsed: int = 0
    problem: FileProblem | None = None

    @property
    def unparsed(self) -> int:
        return self.lines - self.parsed


@dataclass(frozen=True, slots=True)
class LogCounts:
    """What a batch of files says: `counts` (domain.log_counts.COUNTS), `examples` (EXAMPLES), and a tally of each file."""

    counts: pa.Table
    examples: pa.Table
    files: tuple[FileStats, ...]


class LogCounter:
    """A DuckDB in memory, and a folder for the files that it reads. Use it in a `with`: the folder goes when it ends."""

    def __init__(self, patterns: Sequence[str] = (), *, memory_mb: int = MEMORY_LIMIT_MB) -> None:
        self._patterns = tuple(patterns)
        self._directory = Path(tempfile.mkdtemp(prefix="access-logs-"))
        self._database = duckdb.connect(
            config={
                "memory_limit": f"{memory_mb}MB",
                "threads": 1,  # more engines serve more processors better: a pipe cannot be shared
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
        """Counts a batch of files, gzip or plain. Raises OSError where lines have to be mended and the disk is full."""
        tallies = self._count_while_decompressing(batch)
        try:
            if self._count_grouped() == sum(tally.lines for tally in tallies):
                tallies = [replace(tally, parsed=tally.lines) for tally in tallies]
            else:
                plain = [self._directory / f"{place}.log" for place in range(len(batch))]
                for path, where in zip(batch, plain, strict=True):
                    decompress(path, where)
                tallies = self._repair_files(tallies, plain)
                self._group_lines(plain)
            return LogCounts(*aggregate(self._database), tuple(map(_flag_not_a_log, tallies)))
        finally:
            for path in self._directory.glob("*.log"):
                path.unlink(missing_ok=True)

    def _count_while_decompressing(self, batch: Sequence[Path]) -> list[FileStats]:
        """Counts a batch as it is unpacked: each file flows through a pipe into the query, and nothing is written to the disk."""
        pipes = [self._directory / f"{place}.pipe" for place in range(len(batch))]
        for pipe in pipes:
            os.mkfifo(pipe)
        with ThreadPoolExecutor(max(len(batch), 1)) as threads:
            running = [threads.submit(decompress, path, pipe) for path, pipe in zip(batch, pipes, strict=True)]
            try:
                self._group_lines(pipes)
            finally:  # where the query ended early, nobody must go on waiting for a reader
                while wait(running, timeout=0.05).not_done:
                    for pipe in pipes:
                        os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
                for pipe in pipes:
                    pipe.unlink()
        return [one.result() for one in running]

    def _group_lines(self, paths: Sequence[Path]) -> None:
        """Fills the table `grouped` with the counts of plain files, or of what comes out of pipes."""
        there = [str(path) for path in paths if path.is_fifo() or (path.exists() and path.stat().st_size)]
        if not there:
            there = [str(_create_empty(self._directory / "none.log"))]
        sql = counts_sql(DUCKDB, _read_csv_sql(there), self._patterns, examples=True)
        self._database.execute(f"CREATE OR REPLACE TEMP TABLE grouped AS {sql}").fetchall()

    def _count_grouped(self) -> int:
        ((parsed,),) = self._database.sql("SELECT coalesce(sum(n), 0) FROM grouped").fetchall()
        return int(parsed)

    def _repair_files(self, files: Sequence[FileStats], plain: Sequence[Path]) -> list[FileStats]:
        """Looks for the files that lost lines, and writes those anew from lines that are read one by one."""
        found = []
        for tally, path in zip(files, plain, strict=True):
            self._group_lines([path])
            if (parsed := self._count_grouped()) < tally.lines:
                with path.open("rb") as lines, (path.with_suffix(".mended")).open("wb") as sound:
                    sound.writelines(repair_lines(lines))
                path.with_suffix(".mended").replace(path)
                self._group_lines([path])
                parsed = self._count_grouped()
            found.append(replace(tally, parsed=parsed))
        return found


def _read_csv_sql(paths: Sequence[str]) -> str:
    """A FROM clause over plain files in the form that loses nothing silently: the first fields only, not strict, no null padding.

    All fields declared, every older and shorter line would be dropped; with null padding one unclosed quote ends the whole query.
    """
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in FIELDS)
    files = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    return (
        f"read_csv([{files}], columns = {{{columns}}}, delim = ' ', quote = '\"', escape = '\"', header = false, auto_detect = false,"
        " strict_mode = false, ignore_errors = true, null_padding = false, allow_quoted_nulls = false, max_line_size = 1048576)"
    )


def decompress(path: Path, destination: Path) -> FileStats:
    """Writes a file's whole lines to `plain`, and counts them. What a cut-off or damaged gzip file still gives is taken; its last, broken line is not."""
    lines, tail = 0, b""
    problem: FileProblem | None = None
    with destination.open("wb", buffering=0) as out:  # first of all: whoever reads a pipe waits for this
        if hasattr(fcntl, "F_SETPIPE_SZ"):  # Linux
            with contextlib.suppress(OSError):  # no pipe, or as wide as it may be
                fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, _CHUNK_BYTES)
        try:
            with path.open("rb") as packed:
                for chunk in _decompressed_chunks(packed):
                    upto = chunk.rfind(b"\n") + 1
                    if upto:
                        lines += int(np.count_nonzero(np.frombuffer(chunk, dtype=np.uint8) == _NEWLINE))
                        _write_all(out, tail)
                        _write_all(out, memoryview(chunk)[:upto])
                        tail = chunk[upto:]
                    else:
                        tail += chunk
        except EOFError:
            problem = "cut_off"
        except _GZIP_ERRORS:
            problem = "damaged"
        except OSError as error:
            if error.filename != str(path):
                raise
            problem = "unreadable"
        if tail and not problem:
            _write_all(out, tail + b"\n")
            lines += 1
    return FileStats(path.name, lines=lines, problem=problem)


def _write_all(out: FileIO, data: bytes | memoryview) -> None:
    """All of it: a pipe takes as much as it has room for."""
    left = memoryview(data)
    while left:
        left = left[out.write(left) :]


def _decompressed_chunks(file: BufferedReader) -> Iterator[bytes]:
    """The bytes of a file, unpacked where it is gzip."""
    zipped = file.peek(2)[:2] == b"\x1f\x8b"
    unzip: Any = igzip.GzipFile  # has no types
    opened = unzip(fileobj=file) if zipped else contextlib.nullcontext(file)
    with opened as lines:
        while chunk := lines.read(_CHUNK_BYTES):
            yield chunk


def _flag_not_a_log(stats: FileStats) -> FileStats:
    return replace(stats, problem="not_a_log") if stats.lines and not stats.parsed and not stats.problem else stats


def _create_empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path
