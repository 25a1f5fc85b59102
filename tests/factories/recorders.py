"""Whole recorders (`cli.py record --once`), each a process of its own, against a loopback CloudWatch whose clock stands still until it is moved."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from pathlib import Path

from sqlalchemy import Engine, event

import cli
from archive import Archive
from collector import collector
from domain import Migration, Series, Window, epoch_s, load
from sources.aws.cloudwatch import CloudWatch
from sources.registry import create_sources
from tests.factories.config import ALB, EC2, ELB_ARN_PREFIX
from tests.factories.loopback_config import config_toml
from tests.fakes.cloudwatch import FakeCloudWatch
from tests.fakes.traffic_model import SteadyTraffic

ECS = f"{ELB_ARN_PREFIX}:targetgroup/photo-ecs/8796a5b4c3d2e1f0"
NOON = 1_790_000_000 // 86_400 * 86_400 + 43_200  # a noon in UTC
LEASE_S = 60  # later than this, the claim of a recorder that died has run out
_fork = multiprocessing.get_context("fork")

Point = tuple[object, ...]


class RecorderProcesses:
    """An archive that recorders fill, from the midnight before yesterday's on, and the CloudWatch they ask."""

    def __init__(self, folder: Path, cloudwatch: FakeCloudWatch) -> None:
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
        self._path.write_text(text.replace("[aws]", "[aws]\ncloudtrail = false"), encoding="utf-8")
        self.migration: Migration = load(self._path)

    @property
    def since(self) -> int:
        return NOON - NOON % 86_400 - 86_400

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_s, UTC)

    def start(self, *, kill_after_statements: int | None = None) -> BaseProcess:
        """One recorder that works until everything is there. `dies_at`: it is killed right after so many statements of its database."""
        process = _fork.Process(target=_run_recorder, args=(self._path, self.now, kill_after_statements))
        process.start()
        return process

    def run(self, *, kill_after_statements: int | None = None) -> int | None:
        """The same, to its end: its exit code."""
        return wait_for_exit(self.start(kill_after_statements=kill_after_statements))

    def compare_with_source(self) -> tuple[int, set[Point], int]:
        """(points that there should be, those of them that are lost or wrong, how many are there twice), of all settled time."""
        window = Window(self.since, self.now_s - 15 * 60)
        truth = _points(CloudWatch(self.migration, clock=lambda: self.now).pull(window).frame)
        kept = list[Point]()
        with Archive.open(self.migration.archive, self.migration) as archive:
            for wanted in (_hourly, _not_hourly):
                kept += _points(archive.metrics.read(window, "cloudwatch", now=self.now, series_filter=wanted).frame)
        return len(truth), set(truth) ^ set(kept), len(kept) - len(set(kept))


@contextmanager
def recorder_processes(folder: Path) -> Iterator[RecorderProcesses]:
    """Recorders on an archive in `folder`."""
    shares = {"photo-ec2": 0.9, "photo-ecs": 0.1}
    # A quiet service: somebody comes every fourth minute.
    story = SteadyTraffic(lambda ts: shares if ts % 240 == 0 else {}, names=tuple(shares), requests_per_minute=40)
    clock: list[Callable[[], datetime]] = []
    with FakeCloudWatch(story, clock=lambda: clock[0]()) as world:
        made = RecorderProcesses(folder, world)
        clock.append(lambda: made.now)
        os.environ["AWS_ENDPOINT_URL_CLOUDWATCH"] = world.url
        try:
            yield made
        finally:
            del os.environ["AWS_ENDPOINT_URL_CLOUDWATCH"]


def wait_for_exit(process: BaseProcess) -> int | None:
    """Its exit code, once it has ended; a recorder that hangs is killed."""
    process.join(60)
    process.kill()
    process.join()
    return process.exitcode


def _run_recorder(path: Path, now: datetime, dies_at: int | None) -> None:
    """What `cli.py record --once --json` does, at one moment of the clock."""
    if dies_at is not None:
        left = iter(range(dies_at, 0, -1))

        def die(*_: object) -> None:
            if next(left, 1) == 1:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "after_cursor_execute", die)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives
    collector.LEASE_RETRY_S = 0.1  # who finds the source claimed looks again soon
    cli.utc_now = lambda: now
    cli.create_sources = lambda *given, **named: replace(
        create_sources(*given, **named), traffic=None
    )  # CloudWatch is all there is
    cli.app(["record", "--once", "--json", "--config", str(path)])


def _hourly(series: Series) -> bool:
    return series.hourly


def _not_hourly(series: Series) -> bool:
    return not series.hourly


def _points(frame) -> list[Point]:  # type: ignore[no-untyped-def]
    names = ("target_group", "metric", "stat", "period_s", "value")
    return list(zip(epoch_s(frame).tolist(), *(frame[name].tolist() for name in names), strict=True))
