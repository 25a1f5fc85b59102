"""One request in a day of access logs, by its trace id, compared with `zcat | grep` over the day: `python -m benchmarks.trace --help`."""

import gzip
import statistics
import subprocess
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.access_log_generator import INTERVAL_S, START, write_file
from domain.trace_ids import TraceId
from domain.window import DAY_S
from sources.access_logs.base import LocalLogs
from sources.access_logs.trace import search
from tests.factories.access_log_lines import access_log_line

FILES = DAY_S // INTERVAL_S
MAX_SHARE = 0.01  # of the day's lines


def write_day(folder: Path, lines: int) -> list[Path]:
    """One file for each five minutes of a day, of equal length; deterministic."""
    with ProcessPoolExecutor() as processes:
        return list(processes.map(partial(write_file, folder, count=lines // FILES, nodes=1), range(FILES)))


def add_request(path: Path, sent_at: datetime, number: int) -> TraceId:
    """Appends the line of a new request to a file."""
    trace_id = TraceId(f"1-{int(sent_at.timestamp()):08x}-{number:024x}")
    fields = f'"Root={trace_id.text}" "-" "-" 0 {sent_at:%Y-%m-%dT%H:%M:%S.%f}Z "forward" "-" "-" "-" "-" "-" "-"'
    line = access_log_line(time=f"{sent_at:%Y-%m-%dT%H:%M:%S.%f}Z", trailing_fields=fields)
    with gzip.open(path, "ab") as file:
        file.write(line.encode())
    return trace_id


def main(
    lines: Annotated[int, typer.Option(help="Number of lines of the day, in 288 files.")] = 5_000_000,
    requests: Annotated[int, typer.Option(help="Number of requests to find, spread over the day.")] = 23,
    folder: Annotated[
        Path | None, typer.Option(help="Where the files are; generated there if it does not exist.")
    ] = None,
) -> None:
    """Finds requests in a day of generated logs. Exits with 1 if one is not found, or if more than 1 % of the lines are read for one."""
    with tempfile.TemporaryDirectory(prefix="trace-") as name:
        day = folder or Path(name) / "day"
        if not day.exists():
            day.mkdir(parents=True)
            write_day(day, lines)
        paths = sorted(day.glob("*.log.gz"))
        step = timedelta(seconds=DAY_S / (requests + 1))
        sent = [START + step * (number + 1) for number in range(requests)]
        ids = [
            add_request(paths[int((at - START).total_seconds()) // INTERVAL_S], at, number)
            for number, at in enumerate(sent)
        ]
        day_bytes = sum(path.stat().st_size for path in paths)
        results, durations_s = [], []
        for trace_id in ids:
            start = time.perf_counter()
            results.append(search(LocalLogs(day), trace_id, {}, now=START.replace(tzinfo=UTC) + timedelta(days=2)))
            durations_s.append(time.perf_counter() - start)
        start = time.perf_counter()
        command = f'zcat "{day}"/*.log.gz | grep -c {ids[0].text}'
        subprocess.run(["bash", "-c", command], check=True, stdout=subprocess.DEVNULL)
        grep_s = time.perf_counter() - start
    objects, read = [result.objects for result in results], [result.bytes for result in results]
    table = Table("figure", "median", "highest", "of the day", title=f"A request by its trace id, {len(paths)} objects")
    table.add_row(
        "objects read", f"{statistics.median(objects):.0f}", f"{max(objects)}", f"{max(objects) / len(paths):.2%}"
    )
    table.add_row(
        "MB read", f"{statistics.median(read) / 1e6:.2f}", f"{max(read) / 1e6:.2f}", f"{max(read) / day_bytes:.2%}"
    )
    seconds = f"{statistics.median(durations_s):.3f}", f"{max(durations_s):.3f}"
    table.add_row("seconds", *seconds, f"{statistics.median(durations_s) / grep_s:.2%} of zcat | grep ({grep_s:.1f} s)")
    Console().print(table)
    found = sum(result.state == "found" for result in results)
    print(f"found: {found} of {len(results)}")
    share = max(read) / day_bytes
    raise typer.Exit(0 if found == len(results) and share <= MAX_SHARE else 1)


if __name__ == "__main__":
    typer.run(main)
