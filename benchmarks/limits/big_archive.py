"""The first views of a fresh server with a large archive: 20 target groups, 60 days of minutes, 4,000 events and 5,000 routes."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from sqlalchemy import text

from archive import Archive
from archive.access_logs.tables import CountedFile
from archive.metrics.downsampling import ROLLUP_S
from benchmarks.limits.figure import Figure
from benchmarks.limits.server_memory import cpu_s, peak_memory_mb
from benchmarks.live import log_progress
from benchmarks.viewers import view_page
from domain import FleetName, Migration, Series, WeightChange, Window, assemble, load, utc_now
from domain.log_counts import COUNTS, EXAMPLES
from domain.series import series_of_load_balancer, series_of_target_group
from domain.window import DAY_S, HOUR_S, MINUTE_S
from sources.access_logs.counter import FileStats, LogCounts
from sources.base import AnsweredRange, Events, Health, Pull
from tests.factories.archived_migration import make_event
from tests.factories.dashboard_server import ROOT, run_dashboard

SOURCE = "cloudwatch"
ARN = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012"
STEPS = (0.01, 0.05, 0.1, 0.25, 0.1, 0.25, 0.5, 0.5, 0.75, 0.5, 0.75, 1.0)  # the canary's shares, one after the other
MAX_RSS_MB = 500.0


@dataclass(frozen=True, slots=True)
class FirstView:
    """A page as the first view of a server of its own. `goal_s`: None for what has no goal. `config`: lines added to [access_logs]."""

    title: str
    page: str
    goal_s: float | None
    config: str = ""


VIEWS = (
    FirstView("Live, before its routes are judged", "", 2.0),
    FirstView("Retrospective, before its phases are judged", "retrospective", 5.0),
    FirstView("Endpoints", "endpoints", 3.0),
    FirstView("Endpoints, max_routes = 5000", "endpoints", None, "max_routes = 5000"),
)


@dataclass(frozen=True, slots=True)
class ArchiveSize:
    """`groups`: target groups, half of each fleet; `routes`: of a day of access logs, each with `requests_per_route` of each fleet."""

    groups: int = 20
    days: int = 60
    events: int = 4000
    routes: int = 5000
    requests_per_route: int = 60


def measure(size: ArchiveSize) -> list[Figure]:
    """The first view of each page, the most memory that a server used, and the report, which waits for the verdicts of all phases.

    Of the default configuration. Time is what a viewer waited; on a busy machine the CPU time of the server's process says more.
    """
    figures, highest_mb = list[Figure](), 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log_progress(f"generating {size.groups} target groups × {size.days} days")
        config = generate(folder, size)
        for number, view in enumerate(VIEWS):
            log_progress(f"{view.title}: first view of a fresh server")
            home = folder / str(number)
            home.mkdir()
            path = folder / f"{number}.toml"
            path.write_text(config.read_text(encoding="utf-8") + view.config, encoding="utf-8")
            figure, peak_mb = _first_view(home, path, view)
            figures.append(figure)
            if view.goal_s is not None:
                highest_mb = max(highest_mb, peak_mb)
        log_progress("the report with the verdicts of all phases")
        figures.append(_report(folder, config))
    limit = f"≤ {MAX_RSS_MB:.0f} MB"
    figures.append(
        Figure("the most memory for any view with a limit", limit, f"{highest_mb:.0f} MB", highest_mb <= MAX_RSS_MB)
    )
    return figures


def _first_view(home: Path, config: Path, view: FirstView) -> tuple[Figure, float]:
    """The figure, and the most memory in MB."""
    with run_dashboard(home, offline_environment(config)) as server:
        before_s = cpu_s(server)
        seen = asyncio.run(view_page(server.url, view.page))
        used_s, peak_mb = cpu_s(server) - before_s, peak_memory_mb(server)
    if seen.exceptions or not seen.has_title:
        raise RuntimeError(f"{view.title} is no page: {seen.exceptions}")
    measured = f"{seen.duration_s:.1f} s ({used_s:.1f} s of CPU, {peak_mb:.0f} MB, load {os.getloadavg()[0]:.1f})"
    if view.goal_s is None:
        return Figure(f"{view.title}, first view", "", measured, None), peak_mb
    goal = f"≤ {view.goal_s:g} s"
    return Figure(f"{view.title}, first view", goal, measured, seen.duration_s <= view.goal_s), peak_mb


def _report(folder: Path, config: Path) -> Figure:
    command = [sys.executable, str(ROOT / "cli.py"), "retrospective", "--json", "--config", str(config)]
    environment = {"HOME": str(folder), "PATH": os.environ.get("PATH", ""), **offline_environment(config)}
    before, started = os.times(), time.monotonic()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    took_s, after = time.monotonic() - started, os.times()
    used_s = after.children_user + after.children_system - before.children_user - before.children_system
    measured = f"{took_s:.1f} s ({used_s:.1f} s of CPU, load {os.getloadavg()[0]:.1f})"
    return Figure("`retrospective --json`, with the verdicts of all phases", "", measured, None)


def offline_environment(config: Path) -> dict[str, str]:
    """Nothing listens at the address of the sources: the pages show the archive."""
    return {
        "MIGRATION_CONFIG": str(config),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "an-example-secret",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def generate(folder: Path, size: ArchiveSize) -> Path:
    """Fills an archive up to the last whole ten minutes; returns the path of its migration.toml."""
    config = _write_config(folder, size)
    migration, now = load(config), utc_now()
    end = int(now.timestamp()) // ROLLUP_S * ROLLUP_S
    with Archive.open(migration.archive, migration) as archive:
        _fill_metrics(archive, migration, Window(end - size.days * DAY_S, end), now)
        _fill_events(archive, Window(end - size.days * DAY_S, end), size)
        _fill_access_logs(archive, migration, end // HOUR_S * HOUR_S, size)
    return config


def _write_config(folder: Path, size: ArchiveSize) -> Path:
    (folder / "logs").mkdir()
    path, half = folder / "migration.toml", size.groups // 2

    def arns(name: str) -> str:
        return ", ".join(f'"{ARN}:targetgroup/{name}-{number}/{number:016x}"' for number in range(half))

    path.write_text(
        f"""
[migration]
name = "A large migration"
archive = "sqlite:///{folder / "archive.db"}"
[aws]
region = "ap-northeast-1"
load_balancer = "{ARN}:loadbalancer/app/photo/50dc6c495c0c9188"
[fleets.baseline]
label = "EC2"
target_groups = [{arns("ec2")}]
[fleets.canary]
label = "ECS"
target_groups = [{arns("ecs")}]
[access_logs]
path = "{folder / "logs"}"
""",
        encoding="utf-8",
    )
    return path


@dataclass
class _DaySource:
    """A value for every series in every minute; errors are few, and latency varies."""

    configured: tuple[Series, ...]
    now: int
    name: str = SOURCE

    def series(self) -> tuple[Series, ...]:
        return self.configured

    def unsupported_metrics(self) -> tuple[str, ...]:
        return ()

    def finest_period_s(self, start: int, *, now: int) -> int:
        return MINUTE_S

    def check(self) -> tuple[Health, ...]:
        return ()

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        requested = tuple(self.configured if series is None else series)
        rng, ts = np.random.default_rng(window.start), np.arange(window.start, window.end, MINUTE_S)
        value = np.concatenate([self._values(rng, item, len(ts)) for item in requested])
        code, times = np.repeat(np.arange(len(requested)), len(ts)), np.tile(ts, len(requested))
        present = value > 0  # sources omit counts of 0
        frame = assemble(requested, code[present], times[present], value[present], MINUTE_S)
        return Pull(window, self.now, frame, (AnsweredRange(frozenset(requested), window, MINUTE_S),))

    @staticmethod
    def _values(rng: np.random.Generator, series: Series, minutes: int) -> np.ndarray:
        if series.unit == "s":
            return rng.gamma(200, 0.001, minutes) * {"p50": 0.5, "p99": 2.0}.get(series.stat, 1.0)
        if series.unit == "fraction":
            return rng.uniform(0.9, 1.0, minutes)
        if series.metric in ("requests", "target_2xx") or series.stat == "sample_count":
            return np.full(minutes, 300.0)
        if series.metric.endswith("_hosts"):
            return np.full(minutes, 3.0)
        return rng.poisson(0.05, minutes).astype(float)


def _fill_metrics(archive: Archive, migration: Migration, window: Window, now: datetime) -> None:
    """The newest day by the API, and the same for each day before it: points, rollups and coverage."""
    fleets: tuple[FleetName, ...] = ("baseline", "canary")
    series = tuple(
        item
        for fleet in fleets
        for group in migration.fleets[fleet].names
        for item in series_of_target_group(SOURCE, fleet, group, migration.slow_thresholds_s)
    )
    configured = tuple(item for item in (*series, *series_of_load_balancer(SOURCE)) if not item.hourly)
    archive.metrics.fill(Window(window.end - DAY_S, window.end), _DaySource(configured, window.end), now=now)
    with archive.engine.begin() as connection:
        for table, columns in (("point", "value"), ("rollup_10m", "value, low, high, periods")):
            copy = text(
                f"INSERT INTO {table} (series_id, ts, period_s, {columns}) "
                f"SELECT series_id, ts - :shift_s, period_s, {columns} FROM {table} WHERE ts >= :since AND ts < :until"
            )
            for shift_s in range(DAY_S, window.end - window.start, DAY_S):
                connection.execute(copy, {"shift_s": shift_s, "since": window.end - DAY_S, "until": window.end})
        connection.execute(text("UPDATE coverage SET start_s = :start"), {"start": window.start})


def _fill_events(archive: Archive, window: Window, size: ArchiveSize) -> None:
    """Alarms, alerts and annotations, and the steps of the weights."""
    interval_s = window.minutes * MINUTE_S // size.events
    kinds = ("alarm", "alert", "annotation")
    events = tuple(
        make_event(window.start + number * interval_s, kinds[number % 3], f"event {number}")
        for number in range(size.events - len(STEPS))
    )
    steps = list[WeightChange]()
    for number, after in enumerate(STEPS):
        ts = window.start + (number + 2) * window.minutes // (len(STEPS) + 3) * MINUTE_S
        before = steps[-1].after if steps else 0.0
        steps.append(WeightChange(ts, ts, before, after, operation="ModifyRule", key=str(ts)))
    archive.events.save_events(Events(window, window.end, events, weight_changes=tuple(steps)), "cloudtrail")


def _fill_access_logs(archive: Archive, migration: Migration, end: int, size: ArchiveSize) -> None:
    """The last day before `end`, one batch an hour; the routes have the same traffic."""
    groups = [migration.fleets["baseline"].names[0], migration.fleets["canary"].names[0]]
    for number, counts in enumerate(_hourly_counts(groups, end, size)):
        hour = Window(end - (24 - number) * HOUR_S, end - (23 - number) * HOUR_S)
        stats = FileStats(f"log-{number}", counts.num_rows, counts.num_rows)
        archive.access_logs.save_counts(
            [CountedFile(stats.name, 1, stats, hour)], LogCounts(counts, EXAMPLES.empty_table(), (stats,))
        )


def _hourly_counts(groups: list[str], end: int, size: ArchiveSize) -> Iterator[pa.Table]:
    rng, rows = np.random.default_rng(1), size.routes * len(groups) * size.requests_per_route // 24
    names = np.array([f"/api/v1/resource-{number}/:id" for number in range(size.routes)])
    for hour in range(24):
        status = np.where(rng.uniform(size=rows) < 0.002, 500, 200)
        columns = {
            "minute": end - (24 - hour) * HOUR_S + rng.integers(60, size=rows) * MINUTE_S,
            "host": np.full(rows, "photo.example.com"),
            "method": np.full(rows, "GET"),
            "route": names[rng.integers(size.routes, size=rows)],
            "target_group": np.array(groups)[rng.integers(len(groups), size=rows)],
            "elb_status": status,
            "target_status": status,
            "latency_ms": rng.gamma(4, 20, rows).astype(int),
            "n": np.ones(rows, dtype=int),
        }
        yield pa.table({name: pa.array(column) for name, column in columns.items()}).cast(COUNTS)
