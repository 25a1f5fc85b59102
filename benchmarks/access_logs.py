"""Counting access logs, compared with `zcat | wc -l` and GoAccess on the same lines in the same run: `python -m benchmarks.access_logs --help`."""

import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from analysis.endpoints.endpoints import judge_endpoints
from archive import Archive
from benchmarks.access_log_generator import generate_files
from collector import access_log_ingest
from collector.access_log_ingest import ingest_access_logs
from domain import FLEETS, Migration, Window
from domain.log_counts import LogTables
from sources.access_logs.base import LocalLogs
from sources.access_logs.counter import LogCounter

ALL_TIME = Window(0, 2**35 // 60 * 60)
GOACCESS_LINES = 1_000_000  # its rate is compared, as it would need minutes for all
LINES_PER_FILE = 100_000
MAX_DETAILS_TIME_RATIO, MAX_DETAILS_SIZE_RATIO = 1.25, 2.0  # against counting without sizes and traits, in the same run
MAX_ZCAT_RATIO, MIN_GOACCESS_RATIO, MAX_PEAK_MB, MAX_QUERY_S = 0.6, 15, 500, 1.0

MIGRATION = Migration.model_validate(
    {
        "name": "Photo service",
        "fleets": {
            "baseline": {"label": "EC2", "target_groups": ["photo-ec2"]},
            "canary": {"label": "ECS", "target_groups": ["photo-ecs-blue"]},
        },
        "mackerel": {"service": "photo"},
        "criteria": [{"metric": "error_rate", "margin": "0.05pp"}, {"metric": "latency_p95", "margin": "10%"}],
    }
)


@dataclass(frozen=True, slots=True)
class Timing:
    """Wall and processor seconds, highest resident set, and output of a process."""

    wall_s: float
    cpu_s: float
    peak_mb: float = 0.0
    stdout: str = ""


def timed(command: list[str]) -> Timing:
    """Runs a command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    wall_s, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Timing(wall_s, cpu_s, stdout=process.stdout)


def zcat(paths: list[Path]) -> Timing:
    timing = timed(["bash", "-c", 'zcat "$@" | wc -l', "zcat", *map(str, paths)])
    assert int(timing.stdout) > 0
    return timing


def goaccess(paths: list[Path], temporary: Path) -> tuple[Timing, int]:
    """GoAccess on lines that were decompressed beforehand; returns the number of valid lines, too."""
    plain, report = temporary / "plain.log", temporary / "report.json"
    with plain.open("wb") as file:
        subprocess.run(["zcat", *map(str, paths)], stdout=file, check=True)
    timing = timed(["goaccess", str(plain), "--log-format=AWSALB", "--no-progress", "-o", str(report)])
    plain.unlink()
    return timing, int(json.loads(report.read_text(encoding="utf-8"))["general"]["valid_requests"])


def count_folder(folder: Path, url: str, *, details: bool = True) -> dict[str, Any]:
    """Counts the logs of a folder into a new archive. In a process of its own."""
    access_log_ingest.LogCounter = partial(LogCounter, details=details)  # type: ignore[assignment, misc]
    with Archive.open(url, MIGRATION) as archive:
        start, cpu = time.perf_counter(), time.process_time()
        progress = ingest_access_logs(archive, LocalLogs(folder), ALL_TIME)
        wall_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    result = {
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "peak_mb": _peak_mb(),
        "lines": progress.lines,
        "parsed": progress.parsed,
    }
    return result | {"stored_bytes": _stored_bytes(url)}


def _stored_bytes(url: str) -> int:
    """The Parquet of all hours."""
    columns = "+".join(f"coalesce(length({name}), 0)" for name in LogTables._fields)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        ((total,),) = database.execute(f"SELECT sum({columns}) FROM log_count").fetchall()
    return int(total)


def query_archive(url: str) -> dict[str, Any]:
    """Reads all counts from the archive and judges the routes. In a process of its own."""
    fleet_of = {group: fleet for fleet in FLEETS for group in MIGRATION.fleets[fleet].names}
    with Archive.open(url, MIGRATION) as archive:
        window = archive.access_logs.extent()
        assert window
        start, cpu = time.perf_counter(), time.process_time()
        counts = archive.access_logs.counts(window)
        read_s = time.perf_counter() - start
        result = judge_endpoints(counts, fleet_of, window, MIGRATION.criteria)
        wall_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    return {
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "read_s": read_s,
        "rows": counts.num_rows,
        "routes": len(result.routes),
        "worst": result.routes[0].route,
        "peak_mb": _peak_mb(),
    }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_in_subprocess(*arguments: str) -> dict[str, Any]:
    """The result of this module's command line in a new process."""
    result: dict[str, Any] = json.loads(timed([sys.executable, "-m", "benchmarks.access_logs", *arguments]).stdout)
    return result


def log_files(folder: Path, lines: int) -> list[Path]:
    """The generated files; generates them if they do not exist."""
    files = lines // LINES_PER_FILE
    existing = sorted(folder.glob("*.log.gz"))
    return existing if len(existing) == files else sorted(generate_files(folder, lines, files))


def main(
    lines: Annotated[int, typer.Option(help="Number of lines, in files of 100,000.")] = 5_000_000,
    more: Annotated[int, typer.Option(help="Number of lines for a comparison of the memory; 0: none.")] = 20_000_000,
    folder: Annotated[Path | None, typer.Option(help="Where to keep generated lines for the next run.")] = None,
    repeats: Annotated[int, typer.Option(help="Number of runs; the best one counts.")] = 3,
    count: Annotated[Path | None, typer.Option(hidden=True)] = None,
    details: Annotated[bool, typer.Option(hidden=True)] = True,
    query: Annotated[bool, typer.Option(hidden=True)] = False,
    url: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Counts generated access logs, and compares the figures with the goals. Exits with 1 if one is missed."""
    if count or query:
        print(json.dumps(count_folder(count, url, details=details) if count else query_archive(url)))
        return
    with tempfile.TemporaryDirectory(prefix="access-logs-") as name:
        temporary = Path(name)
        logs = (folder or temporary) / str(lines)
        report = Report()
        report.console.print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before")
        measure(report, temporary, log_files(logs, lines), lines, repeats)
        if more:
            measure_memory(report, temporary, log_files((folder or temporary) / str(more), more))
        report.console.print(report.table, f"load {os.getloadavg()[0]:.1f} after; best of {repeats}")
    raise typer.Exit(1 if report.has_missed else 0)


@dataclass
class Report:
    """The table of figures; `has_missed`: whether a goal was missed."""

    console: Console = field(default_factory=lambda: Console(width=130))
    table: Table = field(default_factory=lambda: Table("", "dashboard", "compared with", "figure", "goal", ""))
    has_missed: bool = False

    def add(self, title: str, dashboard: str, other: str, figure: str, goal: str = "", *, is_met: bool = True) -> None:
        self.has_missed |= not is_met
        mark = ("✔" if is_met else "✘") if goal else ""
        self.table.add_row(title, dashboard, other, figure, goal, mark)


def measure(report: Report, temporary: Path, paths: list[Path], lines: int, repeats: int) -> None:
    """Counts and queries the logs, in turns with `zcat`, so that both run on the same machine."""
    counts, decompressions, queries = list[dict[str, Any]](), list[Timing](), list[dict[str, Any]]()
    plain = list[dict[str, Any]]()
    for number in range(repeats):
        decompressions.append(zcat(paths))
        url = f"sqlite:///{temporary}/{number}.db"
        counts.append(run_in_subprocess("--count", str(paths[0].parent), "--url", url))
        plain_url = f"sqlite:///{temporary}/{number}-plain.db"
        plain.append(run_in_subprocess("--count", str(paths[0].parent), "--url", plain_url, "--no-details"))
        queries.append(run_in_subprocess("--query", "--url", url))
    best, zcat_s = min(counts, key=lambda run: run["wall_s"]), min(run.wall_s for run in decompressions)
    parsed = min(run["parsed"] / lines for run in counts)
    report.add("lines counted", f"{best['parsed']:,}", f"{lines:,}", f"{parsed:.4%}", "100 %", is_met=parsed == 1)
    ratio, other = best["wall_s"] / zcat_s, f"zcat | wc -l {zcat_s:.2f} s"
    goal = f"≤ {MAX_ZCAT_RATIO} ×"
    report.add("wall", f"{best['wall_s']:.2f} s", other, f"{ratio:.2f} ×", goal, is_met=ratio <= MAX_ZCAT_RATIO)
    cpu_s, zcat_cpu_s = min(run["cpu_s"] for run in counts), min(run.cpu_s for run in decompressions)
    report.add("processor", f"{cpu_s:.2f} s", f"zcat | wc -l {zcat_cpu_s:.2f} s", f"{cpu_s / zcat_cpu_s:.2f} ×")
    compare_with_plain(report, counts, plain)
    compare_with_goaccess(report, temporary, paths, lines / best["wall_s"], lines / cpu_s)
    peak_mb = max(run["peak_mb"] for run in counts)
    add_peak(report, lines, peak_mb)
    query = min(queries, key=lambda run: run["wall_s"])
    result = f"{query['rows']:,} rows, {query['routes']} routes, worst {query['worst']}"
    goal, cpu = f"≤ {MAX_QUERY_S:g} s", f"cpu {query['cpu_s']:.2f} s"
    report.add("a query", f"{query['wall_s']:.2f} s", result, cpu, goal, is_met=query["wall_s"] <= MAX_QUERY_S)


def compare_with_plain(report: Report, counts: list[dict[str, Any]], plain: list[dict[str, Any]]) -> None:
    """What sizes and traits cost."""
    for title, name, limit, divisor, unit in (
        ("with sizes and traits, wall", "wall_s", MAX_DETAILS_TIME_RATIO, 1, "s"),
        ("with sizes and traits, processor", "cpu_s", MAX_DETAILS_TIME_RATIO, 1, "s"),
        ("with sizes and traits, stored", "stored_bytes", MAX_DETAILS_SIZE_RATIO, 1e6, "MB"),
    ):
        own, other = (min(run[name] for run in runs) / divisor for runs in (counts, plain))
        ratio = own / other
        report.add(
            title,
            f"{own:.2f} {unit}",
            f"without {other:.2f} {unit}",
            f"{ratio:.2f} ×",
            f"≤ {limit} ×",
            is_met=ratio <= limit,
        )


def compare_with_goaccess(
    report: Report, temporary: Path, paths: list[Path], lines_per_s: float, lines_per_cpu_s: float
) -> None:
    if not shutil.which("goaccess"):
        report.add("rate", "", "GoAccess is not installed", "")
        return
    some = paths[: GOACCESS_LINES // LINES_PER_FILE]
    lines = len(some) * LINES_PER_FILE
    timing, valid = goaccess(some, temporary)
    ratio = lines_per_s / (lines / timing.wall_s)
    other = f"GoAccess {lines / timing.wall_s:,.0f} /s (of {lines:,} lines, {valid:,} valid)"
    goal = f"≥ {MIN_GOACCESS_RATIO} ×"
    report.add("rate", f"{lines_per_s:,.0f} /s", other, f"{ratio:.1f} ×", goal, is_met=ratio >= MIN_GOACCESS_RATIO)
    report.add("rate a processor second", f"{lines_per_cpu_s:,.0f}", f"{lines / timing.cpu_s:,.0f}", "")


def measure_memory(report: Report, temporary: Path, paths: list[Path]) -> None:
    url = f"sqlite:///{temporary}/more.db"
    result = run_in_subprocess("--count", str(paths[0].parent), "--url", url)
    add_peak(report, result["parsed"], result["peak_mb"])
    query = run_in_subprocess("--query", "--url", url)
    report.add("the same query of them", f"{query['wall_s']:.2f} s", f"{query['rows']:,} rows", "")


def add_peak(report: Report, lines: int, peak_mb: float) -> None:
    title, goal = f"peak memory, {lines:,} lines", f"≤ {MAX_PEAK_MB} MB"
    report.add(title, f"{peak_mb:.0f} MB", "", "", goal, is_met=peak_mb <= MAX_PEAK_MB)


if __name__ == "__main__":
    typer.run(main)
