"""Many migrations in one process against CloudWatch on loopback: what the collector costs, how fast the board is, and what is asked.

`python -m benchmarks.board [--migrations 50] [--minutes 2] [--opens 7]`; about six minutes. Each migration has three target groups and 24 h of
metrics. Exits with 1 if a goal is missed.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from unittest.mock import patch

from archive import Archive
from benchmarks.environment import BenchmarkEnvironment, BenchmarkServer, benchmark_environment, run_server, wait_until
from benchmarks.viewers import view_page
from collector.collector import Collector, CollectorConfig
from domain import Migration, load_configuration, utc_now
from domain.window import MINUTE_S
from sources.registry import create_sources
from tests.factories.loopback_config import config_toml
from tests.fakes.traffic_model import SteadyTraffic

MAX_CPU_PERCENT, MAX_PAGE_RATIO = 25.0, 1.5
GREEN = "photo-ecs-green"
FILL_TIMEOUT_S = 900.0
FILL_CALLS = 8  # 24 h in chunks of three
SETTLE_S = 90.0  # until the first polls, which are spread over a minute, and what follows them are over
POLLS = 2  # of each migration, a minute apart, whose queries are counted


@dataclass(frozen=True, slots=True)
class Asked:
    """What CloudWatch was asked."""

    calls: int
    metrics: int

    def __sub__(self, other: "Asked") -> "Asked":
        return Asked(self.calls - other.calls, self.metrics - other.metrics)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--migrations", type=int, default=50)
    parser.add_argument("--minutes", type=int, default=2)
    parser.add_argument("--opens", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, benchmark_environment(Path(folder)) as environment:
        environment.elbv2.groups[GREEN] = environment.elbv2.add_group(GREEN)
        shares = {"photo-ec2": 0.9, "photo-ecs": 0.05, GREEN: 0.05}
        environment.dashboard_cloudwatch.traffic_model = SteadyTraffic(lambda _ts: shares, requests_per_minute=3_000)
        one, many = (write_configs(environment, n) for n in (1, options.migrations))
        goals = [ask_exactly(environment, one, many)]
        live_s = measure_live(environment, one, options.opens)
        goals += measure_board(environment, many, live_s, minutes=options.minutes, opens=options.opens)
    return int(not all(goals))


def write_configs(environment: BenchmarkEnvironment, n: int) -> Path:
    """A folder of `n` migrations of one archive."""
    folder = environment.folder / f"{n}-migrations"
    folder.mkdir()
    groups = environment.elbv2.groups
    for number in range(n):
        text = config_toml(
            environment.elbv2.load_balancer,
            groups,
            archive=str(environment.folder / f"{n}.db"),
            name=f"Service {number + 1}",
            backfill=False,
        )
        text = text.replace(f'["{groups["photo-ecs"]}"]', f'["{groups["photo-ecs"]}", "{groups[GREEN]}"]')
        (folder / f"{number:03}.toml").write_text(text, encoding="utf-8")
    return folder


def ask_exactly(environment: BenchmarkEnvironment, one: Path, many: Path) -> bool:
    """Compares what one and many migrations ask for the same polls at the same times."""
    variables = environment.environment(environment.dashboard_cloudwatch)
    with patch.dict(os.environ, variables):
        alone, together = (count_queries(environment, load_configuration(folder).migrations) for folder in (one, many))
    n = len(load_configuration(many).migrations)
    is_sum = together.metrics == n * alone.metrics and together.calls <= n * alone.calls
    print(
        f"asked    {together.metrics:,} metrics in {together.calls:,} calls for {n} migrations with 24 h and {POLLS} polls; alone each"
    )
    print(
        f"         {alone.metrics:,} in {alone.calls:,}: the sum is {n * alone.metrics:,} in {n * alone.calls:,} (goal: exactly the sum, and no call more)"
    )
    return is_sum


def count_queries(environment: BenchmarkEnvironment, migrations: Sequence[Migration]) -> Asked:
    """Fills 24 h of each migration, then polls it POLLS times."""
    cloudwatch, now, start = environment.dashboard_cloudwatch, [utc_now()], time.time()
    before = Asked(cloudwatch.calls, cloudwatch.metrics_requested)

    def clock() -> datetime:
        return now[0]

    path = environment.folder / f"count-{len(migrations)}.db"
    with Archive.open(f"sqlite:///{path}", migrations[0], clock=clock) as archive:
        collectors = [
            Collector(
                archive.of(item), create_sources(item, clock=clock), CollectorConfig.from_migration(item), clock=clock
            )
            for item in migrations
        ]
        for poll in range(1 + POLLS):
            now[0] = datetime.fromtimestamp(start + poll * MINUTE_S, now[0].tzinfo)
            for collector in collectors:
                task = next(task for task in collector.tasks if task.role == "metrics")
                while collector.run_task(task) == 0:
                    pass
    return Asked(cloudwatch.calls, cloudwatch.metrics_requested) - before


def measure_live(environment: BenchmarkEnvironment, config: Path, opens: int) -> float:
    """The seconds of the Live page of one migration: the median."""
    before = environment.dashboard_cloudwatch.calls
    with run_server(environment, settings={"MIGRATION_CONFIG": str(config)}) as server:
        wait_until_filled(server, before + FILL_CALLS)
        took = open_pages(server, opens)
    print(f"live     {format_ms(took)}: the page of a migration alone")
    return median(took)


def measure_board(
    environment: BenchmarkEnvironment, config: Path, live_s: float, *, minutes: int, opens: int
) -> list[bool]:
    """The processor time and the threads without viewers, then the board, once it has read all migrations."""
    n, before = len(load_configuration(config).migrations), environment.dashboard_cloudwatch.calls
    with run_server(environment, settings={"MIGRATION_CONFIG": str(config)}) as server:
        started, cpu_s = time.monotonic(), server.cpu_s()
        wait_until_filled(server, before + n * FILL_CALLS)
        print(
            f"fill     {time.monotonic() - started:.0f} s until 24 h of {n} migrations are archived, {server.cpu_s() - cpu_s:.0f} s of processor time"
        )
        time.sleep(SETTLE_S)
        cpu_s, before = server.cpu_s(), server.cloudwatch.calls
        time.sleep(minutes * MINUTE_S)
        percent = (server.cpu_s() - cpu_s) / (minutes * MINUTE_S) * 100
        calls = (server.cloudwatch.calls - before) / minutes
        print(
            f"cpu      {percent:.1f} % of one core without viewers, {calls:.0f} calls of CloudWatch a minute (goal: ≤ {MAX_CPU_PERCENT:g} %)"
        )
        print(f"threads  {server.threads()} of the server, {server.memory_mb():.0f} MB")
        rows = wait_until_read(server)
        took = open_pages(server, opens)
        ratio = median(took) / live_s
        print(f"rows     {rows:.1f} s after the first visit all are judged")
        print(f"board    {format_ms(took)}: {ratio:.2f} × a Live page (goal: ≤ {MAX_PAGE_RATIO:g} ×)")
    return [percent <= MAX_CPU_PERCENT, ratio <= MAX_PAGE_RATIO]


def wait_until_filled(server: BenchmarkServer, calls: int) -> None:
    """Until CloudWatch got so many calls: a day of all migrations."""
    wait_until(lambda: server.cloudwatch.calls >= calls, timeout_s=FILL_TIMEOUT_S)


def wait_until_read(server: BenchmarkServer) -> float:
    """Seconds until the board has a decision of each migration."""
    started = time.monotonic()
    wait_until(
        lambda: "Loading…" not in asyncio.run(view_page(server.url.rstrip("/"))).html, timeout_s=300, interval_s=1
    )
    return time.monotonic() - started


def open_pages(server: BenchmarkServer, opens: int) -> list[float]:
    url = server.url.rstrip("/")
    return [asyncio.run(view_page(url)).duration_s for _open in range(opens + 1)][1:]


def format_ms(seconds: Sequence[float]) -> str:
    low, high = min(seconds), max(seconds)
    return f"{median(seconds) * 1e3:.0f} ms [{low * 1e3:.0f}–{high * 1e3:.0f}]"


if __name__ == "__main__":
    raise SystemExit(main())
