"""Access logs counted, beside `zcat | wc -l` and GoAccess on the same lines in the same run: `python -m benchmarks.access_logs --help`."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from analysis.endpoints.endpoints import judge_endpoints
from archive import Archive
from benchmarks.access_log_generator import generate_files
from collector.access_log_ingest import ingest_access_logs
from domain import FLEETS, Migration, Window
from sources.access_logs.base import LocalLogs

ALL_TIME = Window(0, 2**35 // 60 * 60)
GOACCESS_LINES = 1_000_000  # it reads so many, and its rate is compared: it needs minutes for more
LINES_PER_FILE = 100_000
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
    """Wall and processor seconds of something, and its highest resident set."""

    wall_s: float
    cpu_s: float
    peak_mb: float = 0.0
    stdout: str = ""


def timed(command: list[str]) -> Timing:
    """A command in a process of its own, and what it printed."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Timing(wall_s, cpu_s, stdout=ran.stdout)


def zcat(paths: list[Path]) -> Timing:
    took = timed(["bash", "-c", 'zcat "$@" | wc -l', "zcat", *map(str, paths)])
    assert int(took.stdout) > 0
    return took


def goaccess(paths: list[Path], room: Path) -> tuple[Timing, int]:
    """GoAccess over plain lines, unpacked beforehand; how many it took for valid."""
    plain, report = room / "plain.log", room / "report.json"
    with plain.open("wb") as out:
        subprocess.run(["zcat", *map(str, paths)], stdout=out, check=True)
    took = timed(["goaccess", str(plain), "--log-format=AWSALB", "--no-progress", "-o", str(report)])
    plain.unlink()
    return took, int(json.loads(report.read_text(encoding="utf-8"))["general"]["valid_requests"])


def count_folder(folder: Path, url: str) -> dict[str, Any]:
    """In a process of its own: the logs of a folder counted into a new archive."""
    with Archive.open(url, MIGRATION) as archive:
        began, cpu = time.perf_counter(), time.process_time()
        found = ingest_access_logs(archive, LocalLogs(folder), ALL_TIME)
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return {"wall_s": wall_s, "cpu_s": cpu_s, "peak_mb": _peak_mb(), "lines": found.lines, "parsed": found.parsed}


def query_archive(url: str) -> dict[str, Any]:
    """In a process of its own: the routes of all that was counted, from the archive."""
    fleet_of = {group: fleet for fleet in FLEETS for group in MIGRATION.fleets[fleet].names}
    with Archive.open(url, MIGRATION) as archive:
        window = archive.access_logs.extent()
        assert window
        began, cpu = time.perf_counter(), time.process_time()
        counts = archive.access_logs.counts(window)
        read_s = time.perf_counter() - began
        found = judge_endpoints(counts, fleet_of, window, MIGRATION.criteria)
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return {
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "read_s": read_s,
        "rows": counts.num_rows,
        "routes": len(found.routes),
        "worst": found.routes[0].route,
        "peak_mb": _peak_mb(),
    }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_in_subprocess(*words: str) -> dict[str, Any]:
    """One of the two above, in a fresh process."""
    told: dict[str, Any] = json.loads(timed([sys.executable, "-m", "benchmarks.access_logs", *words]).stdout)
    return told


def log_files(folder: Path, lines: int) -> list[Path]:
    """The generated files; made where they are not there yet."""
    files = lines // LINES_PER_FILE
    there = sorted(folder.glob("*.log.gz"))
    return there if len(there) == files else sorted(generate_files(folder, lines, files))


def main(
    lines: Annotated[int, typer.Option(help="How many lines, in files of 100,000.")] = 5_000_000,
    more: Annotated[int, typer.Option(help="How many lines the memory is compared with; 0: none.")] = 20_000_000,
    folder: Annotated[Path | None, typer.Option(help="Where generated lines are kept for the next run.")] = None,
    repeats: Annotated[int, typer.Option(help="How often each is timed; the best of them counts.")] = 3,
    count: Annotated[Path | None, typer.Option(hidden=True)] = None,
    ask: Annotated[bool, typer.Option(hidden=True)] = False,
    url: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Count generated access logs, and say whether the figures are reached. Ends with 1 where one is not."""
    if count or ask:
        print(json.dumps(count_folder(count, url) if count else query_archive(url)))
        return
    console = Console(width=130)
    with tempfile.TemporaryDirectory(prefix="access-logs-") as name:
        room = Path(name)
        keep = folder or room
        paths = log_files(keep / str(lines), lines)
        missed = measure(console, room, paths, lines, repeats, log_files(keep / str(more), more) if more else [])
    raise typer.Exit(1 if missed else 0)


def measure(console: Console, room: Path, paths: list[Path], lines: int, repeats: int, others: list[Path]) -> bool:
    """Measures, prints a table, and says whether a figure was missed."""
    console.print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before")
    ours, unpacked, questions = list[dict[str, Any]](), list[Timing](), list[dict[str, Any]]()
    for number in range(repeats):  # in turns, so that both see the same machine
        unpacked.append(zcat(paths))
        url = f"sqlite:///{room}/{number}.db"
        ours.append(run_in_subprocess("--count", str(paths[0].parent), "--url", url))
        questions.append(run_in_subprocess("--ask", "--url", url))
    mine, his = min(ours, key=lambda one: one["wall_s"]), min(unpacked, key=lambda one: one.wall_s)
    question = min(questions, key=lambda one: one["wall_s"])
    table = Table("", "ours", "beside it", "figure", "goal", "")
    missed = False

    def row(title: str, own: str, beside: str, figure: str, goal: str, reached: bool) -> None:
        nonlocal missed
        missed |= not reached
        table.add_row(title, own, beside, figure, goal, "✔" if reached else "✘")

    parsed = min(one["parsed"] / lines for one in ours)
    row("lines counted", f"{mine['parsed']:,}", f"{lines:,}", f"{parsed:.4%}", "100 %", parsed == 1)
    share = mine["wall_s"] / his.wall_s
    beside = f"zcat | wc -l {his.wall_s:.2f} s"
    row("wall", f"{mine['wall_s']:.2f} s", beside, f"{share:.2f} ×", f"≤ {MAX_ZCAT_RATIO} ×", share <= MAX_ZCAT_RATIO)
    cpu_ours, cpu_his = min(one["cpu_s"] for one in ours), min(one.cpu_s for one in unpacked)
    table.add_row("processor", f"{cpu_ours:.2f} s", f"zcat | wc -l {cpu_his:.2f} s", f"{cpu_ours / cpu_his:.2f} ×")
    if shutil.which("goaccess"):
        few = paths[: GOACCESS_LINES // LINES_PER_FILE]
        took, valid = goaccess(few, room)
        rate, his_rate = lines / mine["wall_s"], len(few) * LINES_PER_FILE / took.wall_s
        times = rate / his_rate
        goal = f"≥ {MIN_GOACCESS_RATIO} ×"
        said = f"GoAccess {his_rate:,.0f} /s (of {len(few) * LINES_PER_FILE:,} lines, {valid:,} valid)"
        row("rate", f"{rate:,.0f} /s", said, f"{times:.1f} ×", goal, times >= MIN_GOACCESS_RATIO)
        cpu_rate = len(few) * LINES_PER_FILE / took.cpu_s
        table.add_row("rate a processor second", f"{lines / cpu_ours:,.0f}", f"{cpu_rate:,.0f}")
    else:
        table.add_row("rate", "", "GoAccess is not installed")
    peak = max(one["peak_mb"] for one in ours)
    row(f"peak memory, {lines:,} lines", f"{peak:.0f} MB", "", "", f"≤ {MAX_PEAK_MB} MB", peak <= MAX_PEAK_MB)
    if others:
        url = f"sqlite:///{room}/more.db"
        big = run_in_subprocess("--count", str(others[0].parent), "--url", url)
        title = f"peak memory, {big['parsed']:,} lines"
        row(title, f"{big['peak_mb']:.0f} MB", "", "", f"≤ {MAX_PEAK_MB} MB", big["peak_mb"] <= MAX_PEAK_MB)
        many = run_in_subprocess("--ask", "--url", url)
        table.add_row("the same question of them", f"{many['wall_s']:.2f} s", f"{many['rows']:,} rows")
    said = f"{question['rows']:,} rows, {question['routes']} routes, worst {question['worst']}"
    took_s = question["wall_s"]
    row("a second question", f"{took_s:.2f} s", said, f"cpu {question['cpu_s']:.2f} s", f"≤ {MAX_QUERY_S:g} s", took_s <= MAX_QUERY_S)  # fmt: skip
    console.print(table, f"load {os.getloadavg()[0]:.1f} after; best of {repeats}")
    return missed


if __name__ == "__main__":
    typer.run(main)
