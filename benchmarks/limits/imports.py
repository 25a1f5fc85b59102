"""Imports of exports that are hostile, and of one with millions of points."""

import multiprocessing
import re
import shutil
import sys
import tempfile
import time
import traceback
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from archive import Archive
from archive.transfer.export import COVERAGE_SCHEMA, POINT_SCHEMA, SERIES_COLUMNS
from archive.transfer.import_ import import_archive
from archive.transfer.manifest import ExportError
from benchmarks.limits.figure import Figure
from benchmarks.live import log_progress
from messages.recording import export_error
from tests.factories.archives import MIGRATION
from tests.factories.exports import export_to, fill_archive
from tests.factories.hostile_exports import HOSTILE, sign
from tests.fakes.metric_source import NOON

MIN_HOSTILE = 60
MEMORY_LIMIT_MB = 300
PERIOD_S = 60


def measure(points: int, series: tuple[int, ...]) -> list[Figure]:
    """Whether every hostile export is refused, and the memory of importing `points`, of so many `series` each time."""
    with tempfile.TemporaryDirectory() as folder:
        return [*_refusals(Path(folder)), *(_memory(Path(folder), points, number) for number in series)]


def _refusals(folder: Path) -> list[Figure]:
    archive = folder / "archive.db"
    url = f"sqlite:///{archive}"
    fill_archive(url)
    original = export_to(url, folder / "export")
    before, refused = sha256(archive.read_bytes()).digest(), 0
    for name, spoil in HOSTILE.items():
        hostile = Path(shutil.copytree(original, folder / "hostile"))
        spoil(hostile)
        refused += _is_refused(url, hostile, name)
        shutil.rmtree(hostile)
    is_same = sha256(archive.read_bytes()).digest() == before
    return [
        Figure(
            "hostile exports refused in a sentence",
            f"all, ≥ {MIN_HOSTILE}",
            f"{refused} of {len(HOSTILE)}",
            refused == len(HOSTILE) >= MIN_HOSTILE,
        ),
        Figure("the archive's file afterwards", "the same bytes", "the same" if is_same else "changed", is_same),
    ]


def _is_refused(url: str, hostile: Path, name: str) -> bool:
    """Prints what is imported or raises another exception to stderr."""
    try:
        with Archive.open(url, MIGRATION) as archive:
            import_archive(archive.engine, hostile, now=NOON)
    except ExportError as error:
        sentence = export_error(error.kind, error.about)
        return sentence.isprintable() and sentence.endswith(".")
    except Exception:
        traceback.print_exc()
    print(f"imported, or not refused in a sentence: {name}", file=sys.stderr)
    return False


def _memory(folder: Path, points: int, series: int) -> Figure:
    export = folder / f"export of {series} series"
    _write_large_export(folder / "export", export, points, series)
    log_progress(f"importing {points:,} points of {series} series")
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_import, args=(f"sqlite:///{folder / f'{series} series.db'}", export, sender)
    )
    process.start()
    sender.close()
    imported, more_mb, seconds = receiver.recv()
    process.join()
    assert imported == points
    return Figure(
        f"memory of importing {points / 1e6:g} M points of {series} series",
        f"≤ {MEMORY_LIMIT_MB} MB",
        f"{more_mb:.0f} MB, {seconds:.0f} s",
        more_mb <= MEMORY_LIMIT_MB,
    )


def _import(url: str, folder: Path, sender: "multiprocessing.connection.Connection") -> None:
    """Sends the number of points, the MB by which the resident set grew at most, and the seconds that it took."""
    with Archive.open(url, MIGRATION) as archive:
        before_mb, start = _memory_mb("VmRSS"), time.monotonic()
        manifest = import_archive(archive.engine, folder, now=NOON)
        sender.send((manifest.points, _memory_mb("VmHWM") - before_mb, time.monotonic() - start))


def _memory_mb(field: str) -> float:
    """Of this process: VmRSS is the resident set, VmHWM its highest size so far."""
    match = re.search(rf"^{field}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert match
    return int(match[1]) / 1000


def _write_large_export(original: Path, folder: Path, points: int, series: int) -> None:
    """A copy of an export with other points: `series` of the same length, up to now, all of that time covered."""
    shutil.copytree(original, folder)
    count = points // series
    ts = np.arange(NOON - count * PERIOD_S, NOON, PERIOD_S)
    generator, coverage = np.random.default_rng(1), []
    with pq.ParquetWriter(folder / "points.parquet", POINT_SCHEMA) as writer:
        for number in range(series):
            values = ("cloudwatch", "canary", f"photo-{number}", "requests", "sum", "count")
            labels = dict(zip(SERIES_COLUMNS, values, strict=True))
            columns = {"ts": ts, "period_s": np.full(count, PERIOD_S, "int32"), "value": generator.random(count)}
            texts = {name: pa.array([text] * count).dictionary_encode() for name, text in labels.items()}
            writer.write_table(pa.table(columns | texts, schema=POINT_SCHEMA), row_group_size=count)
            coverage.append(labels | {"period_s": PERIOD_S, "start_s": int(ts[0]), "end_s": NOON})
    pq.write_table(pa.Table.from_pylist(coverage, COVERAGE_SCHEMA), folder / "coverage.parquet")
    sign(folder)
