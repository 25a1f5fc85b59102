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
from sources.registry import sources_of
from tests.factories.config import ALB, EC2, ELB
from tests.factories.loopback_config import document
from tests.fakes.cloudwatch import CloudWatchWorld
from tests.fakes.traffic_model import SteadyStory

ECS = f"{ELB}:targetgroup/photo-ecs/8796a5b4c3d2e1f0"
START = 1_790_000_000 // 86_400 * 86_400 + 43_200  # a noon in UTC
CLAIM_S = 60  # later than this, the claim of a recorder that died has run out
_fork = multiprocessing.get_context("fork")

Point = tuple[object, ...]


class Recorders:
    """An archive that recorders fill, from the midnight before yesterday's on, and the CloudWatch they ask."""

    def __init__(self, folder: Path, world: CloudWatchWorld) -> None:
        self.world, self.now_s = world, START
        self._path = folder / "migration.toml"
        text = document(
            ALB, {"photo-ec2": EC2, "photo-ecs": ECS}, archive=str(folder / "archive.db"), tables="", latency=False
        ).replace(
            'timezone = "Asia/Tokyo"',
            f'timezone = "UTC"\nslow_thresholds_s = [1.0]\nsince = {datetime.fromtimestamp(self.since, UTC):%Y-%m-%d}',
        )
        self._path.write_text(text.replace("[aws]", "[aws]\ncloudtrail = false"), encoding="utf-8")
        self.migration: Migration = load(self._path)

    @property
    def since(self) -> int:
        return START - START % 86_400 - 86_400

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_s, UTC)

    def start(self, *, dies_at: int | None = None) -> BaseProcess:
        """One recorder that works until everything is there. `dies_at`: it is killed right after so many statements of its database."""
        process = _fork.Process(target=_record, args=(self._path, self.now, dies_at))
        process.start()
        return process

    def run(self, *, dies_at: int | None = None) -> int | None:
        """The same, to its end: its exit code."""
        return ended(self.start(dies_at=dies_at))

    def difference(self) -> tuple[int, set[Point], int]:
        """(points that there should be, those of them that are lost or wrong, how many are there twice), of all settled time."""
        window = Window(self.since, self.now_s - 15 * 60)
        truth = _points(CloudWatch(self.migration, clock=lambda: self.now).pull(window).frame)
        kept = list[Point]()
        with Archive.open(self.migration.archive, self.migration) as archive:
            for wanted in (_hourly, _of_minutes):
                kept += _points(archive.read(window, "cloudwatch", now=self.now, only=wanted).frame)
        return len(truth), set(truth) ^ set(kept), len(kept) - len(set(kept))


@contextmanager
def recorders(folder: Path) -> Iterator[Recorders]:
    """Recorders on an archive in `folder`."""
    shares = {"photo-ec2": 0.9, "photo-ecs": 0.1}
    # A quiet service: somebody comes every fourth minute.
    story = SteadyStory(lambda ts: shares if ts % 240 == 0 else {}, names=tuple(shares), requests_per_minute=40)
    clock: list[Callable[[], datetime]] = []
    with CloudWatchWorld(story, clock=lambda: clock[0]()) as world:
        made = Recorders(folder, world)
        clock.append(lambda: made.now)
        os.environ["AWS_ENDPOINT_URL_CLOUDWATCH"] = world.url
        try:
            yield made
        finally:
            del os.environ["AWS_ENDPOINT_URL_CLOUDWATCH"]


def ended(process: BaseProcess) -> int | None:
    """Its exit code, once it has ended; a recorder that hangs is killed."""
    process.join(60)
    process.kill()
    process.join()
    return process.exitcode


def _record(path: Path, now: datetime, dies_at: int | None) -> None:
    """What `cli.py record --once --json` does, at one moment of the clock."""
    if dies_at is not None:
        left = iter(range(dies_at, 0, -1))

        def die(*_: object) -> None:
            if next(left, 1) == 1:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "after_cursor_execute", die)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives
    collector.BUSY_S = 0.1  # who finds the source claimed looks again soon
    cli.utc_now = lambda: now
    cli.sources_of = lambda *given, **named: replace(
        sources_of(*given, **named), traffic=None
    )  # CloudWatch is all there is
    cli.app(["record", "--once", "--json", "--config", str(path)])


def _hourly(series: Series) -> bool:
    return series.hourly


def _of_minutes(series: Series) -> bool:
    return not series.hourly


def _points(frame) -> list[Point]:  # type: ignore[no-untyped-def]
    names = ("target_group", "metric", "stat", "period_s", "value")
    return list(zip(epoch_s(frame).tolist(), *(frame[name].tolist() for name in names), strict=True))
