"""The archive's size after a month of a typical migration, by table: `python -m benchmarks.archive_size [--days 30]`.

It is the demo's, in SQLite: two fleets with blue/green target groups, weights, deployments, alerts and batches of a photo service, every minute. Counts of
access logs are those of some hours of a service with a million requests a day, times the hours of a month.
"""

import argparse
import sqlite3
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from archive import Archive
from benchmarks.access_log_generator import generate_files
from benchmarks.access_logs import count_folder
from domain import Window
from domain.window import DAY_S, HOUR_S, MINUTE_S
from sources.demo.sources import demo_migration, program_anchor
from sources.registry import create_sources

MIN_SHOWN_MB = 0.05
LINES_PER_DAY, LOG_HOURS, FILES_PER_HOUR = 1_000_000, 3, 24


def fill(url: str, days: int) -> int:
    """Fills the archive at `url` with the last `days` of every metric and event source; the number of series."""
    migration, now = demo_migration(program_anchor()), datetime.now(UTC)
    sources = create_sources(migration)
    end = int(now.timestamp()) // MINUTE_S * MINUTE_S
    window = Window(end - days * DAY_S, end)
    with Archive.open(url, migration) as archive:
        for events in sources.events:
            archive.events.save_events(events.events(window), events.name)
        for metrics in sources.metrics:
            archive.metrics.fill(window, metrics, now=now)
    return sum(len(metrics.series()) for metrics in sources.metrics)


def sizes_mb(path: Path) -> dict[str, float]:
    """Megabytes of each table with its indices, and of the free pages."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute(
            "SELECT coalesce(m.tbl_name, s.name), sum(s.pgsize) FROM dbstat s LEFT JOIN sqlite_schema m ON m.name = s.name GROUP BY 1"
        ).fetchall()
        (free,) = connection.execute(
            "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size"
        ).fetchone()
    return {name: size / 1e6 for name, size in rows} | {"(free)": free / 1e6}


def counts_mb(folder: Path, days: int) -> float:
    """Megabytes of the counts of `days` of access logs."""
    generate_files(folder / "logs", LINES_PER_DAY * LOG_HOURS // 24, LOG_HOURS * FILES_PER_HOUR)
    stored = count_folder(folder / "logs", f"sqlite:///{folder / 'logs.db'}")["stored_bytes"]
    return float(stored) / LOG_HOURS * days * DAY_S / HOUR_S / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    days = parser.parse_args().days
    with tempfile.TemporaryDirectory() as folder:
        path, started = Path(folder, "archive.db"), time.monotonic()
        series = fill(f"sqlite:///{path}", days)
        print(f"{days} days × {series} series, filled in {time.monotonic() - started:.0f} s")
        print(f"\n| table | MB |\n|---|---|\n| all | {path.stat().st_size / 1e6:.1f} |")
        for name, size_mb in sorted(sizes_mb(path).items(), key=lambda item: -item[1]):
            if size_mb >= MIN_SHOWN_MB:
                print(f"| {name} | {size_mb:.1f} |")
        print(
            f"| counts of access logs, {LINES_PER_DAY / 1e6:g} M lines a day, beside it | {counts_mb(Path(folder), days):.1f} |"
        )


if __name__ == "__main__":
    main()
