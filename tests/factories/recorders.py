"""Recorders (`cli.py record --once`) and dashboards without a web server as processes, against a loopback CloudWatch whose clock is set by the test."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

from sqlalchemy import Engine, event

import cli
from archive import Archive
from collector import collector
from commands.shared import startup
from domain import Migration, Series, Window, epoch_s, load
from sources.aws.cloudwatch import CloudWatch
from sources.registry import create_sources
from tests.factories.config import ALB, EC2, ELB_ARN_PREFIX
from tests.factories.loopback_config import config_toml
from tests.fakes.cloudwatch import FakeCloudWatch
from tests.fakes.traffic_model import SteadyTraffic
from ui import app_context

ECS = f"{ELB_ARN_PREFIX}:targetgroup/photo-ecs/8796a5b4c3d2e1f0"
NOON = 1_790_000_000 // 86_400 * 86_400 + 43_200  # a noon in UTC
LEASE_S = 60  # after this time the lease of a killed recorder has expired
_fork = multiprocessing.get_context("fork")

Point = tuple[object, ...]


class RecorderProcesses:
    """An archive that recorders fill, from the midnight before yesterday on, and their CloudWatch."""

    def __init__(self, folder: Path, cloudwatch: FakeCloudWatch, *, archive_url: str | None = None) -> None:
        """`archive_url`: of the archive, by default a file in `folder`."""
        self.cloudwatch, self.now_s = cloudwatch, NOON
        self._path = folder / "migration.toml"
        text = config_toml(
            ALB,
            {"photo-ec2": EC2, "photo-ecs": ECS},
            archive=str(folder / "archive.db"),
            extra_tables="",
            with_latency=False,
        ).replace(
            'timezone = "Asia/Tokyo"',
            f'timezone = "UTC"\nslow_thresholds_s = [1.0]\nsince = {datetime.fromtimestamp(self.since, UTC):%Y-%m-%d}',
        )
        if archive_url:
            text = text.replace(f"sqlite:///{folder / 'archive.db'}", archive_url)
        self._path.write_text(text.replace("[aws]", "[aws]\ncloudtrail = false"), encoding="utf-8")
        self.migration: Migration = load(self._path)

    @property
    def since(self) -> int:
        return NOON - NOON % 86_400 - 86_400

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_s, UTC)

    def start(self, *, kill_after_statements: int | None = None) -> BaseProcess:
        """Starts a recorder that runs until the archive is complete. `kill_after_statements`: it is killed after that many SQL statements."""
        process = _fork.Process(target=_run_recorder, args=(self._path, self.now, kill_after_statements))
        process.start()
        return process

    def start_dashboard(self) -> BaseProcess:
        """Starts what a dashboard does before anybody opens a page: it polls, and runs until it is killed."""
        process = _fork.Process(target=_run_dashboard, args=(self._path, self.now))
        process.start()
        return process

    def run(self, *, kill_after_statements: int | None = None) -> int | None:
        """Runs a recorder to its end; returns its exit code."""
        return wait_for_exit(self.start(kill_after_statements=kill_after_statements))

    def compare_with_source(self) -> tuple[int, set[Point], int]:
        """(expected points, lost or wrong ones, number of duplicates), of all final time."""
        window = Window(self.since, self.now_s - 15 * 60)
        expected = _points(CloudWatch(self.migration, clock=lambda: self.now).pull(window).frame)
        archived = list[Point]()
        with Archive.open(self.migration.archive, self.migration) as archive:
            for series_filter in (_hourly, _not_hourly):
                result = archive.metrics.read(window, "cloudwatch", now=self.now, series_filter=series_filter)
                archived += _points(result.frame)
        return len(expected), set(expected) ^ set(archived), len(archived) - len(set(archived))


@contextmanager
def recorder_processes(folder: Path, *, archive_url: str | None = None) -> Iterator[RecorderProcesses]:
    """Recorders on an archive, by default in `folder`."""
    shares = {"photo-ec2": 0.9, "photo-ecs": 0.1}
    # A quiet service: requests in every fourth minute.
    traffic_model = SteadyTraffic(
        lambda ts: shares if ts % 240 == 0 else {}, names=tuple(shares), requests_per_minute=40
    )
    clock: list[Callable[[], datetime]] = []
    with FakeCloudWatch(traffic_model, clock=lambda: clock[0]()) as cloudwatch:
        processes = RecorderProcesses(folder, cloudwatch, archive_url=archive_url)
        clock.append(lambda: processes.now)
        os.environ["AWS_ENDPOINT_URL_CLOUDWATCH"] = cloudwatch.url
        try:
            yield processes
        finally:
            del os.environ["AWS_ENDPOINT_URL_CLOUDWATCH"]


def wait_for_exit(process: BaseProcess) -> int | None:
    """Waits for the end; returns the exit code. A recorder that hangs is killed."""
    process.join(60)
    process.kill()
    process.join()
    return process.exitcode


def _run_recorder(path: Path, now: datetime, kill_after_statements: int | None) -> None:
    """`cli.py record --once --json` with a fixed clock."""
    if kill_after_statements is not None:
        remaining = iter(range(kill_after_statements, 0, -1))

        def count_down(*_: object) -> None:
            if next(remaining, 1) == 1:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "after_cursor_execute", count_down)
    _prepare()
    startup.now = lambda: now
    startup.create_sources = lambda *args, **kwargs: replace(create_sources(*args, **kwargs), traffic=None)
    cli.app(["record", "--once", "--json", "--config", str(path)])


def _run_dashboard(path: Path, now: datetime) -> None:
    """The app context of a dashboard with a fixed clock."""
    _prepare()
    os.environ["MIGRATION_CONFIG"] = str(path)
    sources = replace(create_sources(load(path), clock=lambda: now), traffic=None)
    app_context.registry.create_sources = lambda _migration: sources
    app_context.Collector = partial(collector.Collector, clock=lambda: now)
    app_context.get_app_context()
    signal.pause()


def _prepare() -> None:
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives
    collector.LEASE_RETRY_S = 0.1  # retries soon if another process has the lease


def _hourly(series: Series) -> bool:
    return series.hourly


def _not_hourly(series: Series) -> bool:
    return not series.hourly


def _points(frame) -> list[Point]:  # type: ignore[no-untyped-def]
    names = ("target_group", "metric", "stat", "period_s", "value")
    return list(zip(epoch_s(frame).tolist(), *(frame[name].tolist() for name in names), strict=True))
