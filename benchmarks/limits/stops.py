"""SIGTERM under load: is all in the archive that the outside systems had answered, and how soon does the process end?"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import connect

from archive import Archive
from benchmarks.environment import ROOT, free_port, wait_until
from benchmarks.limits.figure import Figure
from benchmarks.live import log_progress
from domain import Window, epoch_s, load
from domain.window import MINUTE_S
from sources.aws.cloudwatch import CloudWatch
from tests.fakes.postgresql import PostgresServer, pg_ctl
from tests.fakes.services import FakeServices, fake_services
from tests.fakes.traffic_model import SteadyTraffic

MAX_EXIT_S = 10.0
MAX_LIFE_S = 3.0  # after its first answers
N_VIEWERS = 3
STOPS_PER_ARCHIVE = 5
N_HANGING = 3  # stops while a source does not answer
ENDED_CODES = {0, -signal.SIGTERM}  # uvicorn raises the signal again when it has stopped
# Few requests, so that CloudWatch computes an answer about as soon as the real one sends it.
_QUIET = SteadyTraffic(lambda _ts: {"photo-ec2": 0.9, "photo-ecs": 0.1}, requests_per_minute=40)
START_TIMEOUT_S = 90.0  # longer than a lease of a process that was killed


@dataclass(slots=True)
class _Outcome:
    """Of all stops of one kind of process. `lost`: answers of the outside systems that the archive does not have."""

    stops: int = 0
    answers: int = 0
    lost: list[str] = field(default_factory=list)
    exit_s: list[float] = field(default_factory=list)
    exit_codes: set[int] = field(default_factory=set)


def measure(stops: int, seed: int) -> list[Figure]:
    """`stops` of recorder and dashboard in turns with an SQLite file, and as many with PostgreSQL if it is installed."""
    figures = _measure(stops, seed, None)
    if path := pg_ctl():
        server = PostgresServer(path, fsync=True)
        try:
            figures += _measure(stops, seed, server.url())
        finally:
            server.close()
    return figures


def _measure(stops: int, seed: int, archive_url: str | None) -> list[Figure]:
    rng, engine = random.Random(seed), "PostgreSQL" if archive_url else "SQLite"
    with tempfile.TemporaryDirectory() as folder, fake_services(_QUIET) as services:
        world = _World(services, Path(folder), archive_url)
        under_load, hanging, compared = _Outcome(), _Outcome(), list[tuple[int, int]]()
        for number in range(stops):
            if number and number % STOPS_PER_ARCHIVE == 0:
                compared.append(world.compare_points())
                world.open_archive(number)
            start = (world.recorder, world.dashboard)[number % 2]
            world.stop_one(start, under_load, rng, weight=1 + number % 99)
            if (number + 1) % 10 == 0:
                log_progress(f"{engine}: {number + 1} stops")
        compared.append(world.compare_points())
        for number in range(N_HANGING):
            world.stop_one((world.recorder, world.dashboard)[number % 2], hanging, rng, weight=50, hangs=True)
    wrong, points = map(sum, zip(*compared, strict=True))
    lost = len(under_load.lost) + wrong
    for answer in under_load.lost:
        log_progress(f"{engine}: lost {answer}")
    return [
        Figure(
            f"{stops} × SIGTERM to recorder and dashboard under load; {engine}",
            "nothing lost",
            f"{lost} lost of {under_load.answers:,} answers and {points:,} points; exit codes {sorted(under_load.exit_codes)}",
            not lost and under_load.exit_codes <= ENDED_CODES,
        ),
        Figure(
            f"seconds from SIGTERM to the end; {engine}",
            f"≤ {MAX_EXIT_S:g}",
            f"median {sorted(under_load.exit_s)[stops // 2]:.1f}, at most {max(under_load.exit_s):.1f}",
            max(under_load.exit_s) <= MAX_EXIT_S,
        ),
        Figure(
            f"the same while CloudWatch and Mackerel do not answer, {N_HANGING} times; {engine}",
            f"≤ {MAX_EXIT_S:g}",
            f"at most {max(hanging.exit_s):.1f}; exit codes {sorted(hanging.exit_codes)}",
            max(hanging.exit_s) <= MAX_EXIT_S and hanging.exit_codes <= ENDED_CODES,
        ),
    ]


Start = Callable[[], Any]


class _World:
    """The loopback world, and an archive that all processes share, one after the other."""

    def __init__(self, services: FakeServices, folder: Path, archive_url: str | None) -> None:
        self.services, self._archive_url = services, archive_url
        self._config, self._log = folder / "migration.toml", folder / "log"
        self.open_archive(0)

    def open_archive(self, number: int) -> None:
        """A migration without data, so that the next processes have much to fetch."""
        path = str(self._config.with_name("archive.db"))
        text = self.services.config(path, name=f"Photo service {number}")
        since = f"since = {datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}"
        text = text.replace("backfill = true", f"backfill = true\n{since}")
        if self._archive_url:
            text = text.replace(f"sqlite:///{path}", self._archive_url)
        self._config.write_text(text, encoding="utf-8")
        self.migration = load(self._config)

    @contextmanager
    def recorder(self) -> Iterator[subprocess.Popen[bytes]]:
        with self._run("cli.py", "record", "--json") as process:
            yield process

    @contextmanager
    def dashboard(self) -> Iterator[subprocess.Popen[bytes]]:
        """With viewers that request the Live page's bytes all the time, and one that reads nothing of what it is sent."""
        port, ended = free_port(), threading.Event()
        options = ("--server.headless=true", f"--server.port={port}", "--server.address=127.0.0.1")
        url = f"127.0.0.1:{port}"

        def view() -> None:
            while not ended.is_set():
                with suppress(OSError):
                    urlopen(f"http://{url}/", timeout=5).read()

        with self._run("-m", "streamlit", "run", "dashboard.py", *options) as process, ExitStack() as stack:
            wait_until(lambda: process.poll() is not None or is_listening(f"{url}/healthz"), timeout_s=60)
            stack.enter_context(connect(f"ws://{url}/_stcore/stream", origin=f"http://{url}", max_queue=1))  # type: ignore[arg-type]
            threads = [threading.Thread(target=view) for _ in range(N_VIEWERS)]
            for thread in threads:
                thread.start()
            try:
                yield process
            finally:
                ended.set()
                for thread in threads:
                    thread.join()

    @contextmanager
    def _run(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        environment = os.environ | self.services.environment | {"MIGRATION_CONFIG": str(self._config)}
        with self._log.open("ab") as log:
            process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def stop_one(
        self, start: Start, outcome: _Outcome, rng: random.Random, *, weight: int, hangs: bool = False
    ) -> None:
        """Starts a process, stops it some time after its first answers, and compares the archive with what it was answered."""
        services = self.services
        services.elbv2.set_weights({"photo-ec2": 100 - weight, "photo-ecs": weight})
        n_calls, n_requests = len(services.elbv2.calls), len(services.cloudwatch.requests)
        with start() as process:
            wait_until(
                lambda: (
                    "DescribeTargetHealth" in services.elbv2.calls[n_calls:]
                    and len(services.cloudwatch.requests) > n_requests
                ),
                timeout_s=START_TIMEOUT_S,
            )
            if hangs:
                services.cloudwatch.hang = services.mackerel.hang = threading.Event()
            time.sleep(rng.uniform(0, MAX_LIFE_S))
            process.send_signal(signal.SIGTERM)
            stopped_at = time.monotonic()
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)
            outcome.exit_s.append(time.monotonic() - stopped_at)
            outcome.exit_codes.add(process.poll() if process.poll() is not None else -signal.SIGKILL)  # type: ignore[arg-type]
        if hangs:
            services.cloudwatch.release()
            services.mackerel.release()
            services.cloudwatch.hang = services.mackerel.hang = None
        outcome.stops += 1
        self._compare(outcome, services.cloudwatch.requests[n_requests:], weight)

    def _compare(self, outcome: _Outcome, requests: list[dict[str, Any]], weight: int) -> None:
        """Adds what the archive does not have: the weights of this process, and the final part of each request to CloudWatch."""
        with Archive.open(self.migration.archive, self.migration) as archive:
            latest = archive.events.latest_traffic()
            coverage = archive.metrics.coverage_of("cloudwatch")
        outcome.answers += 1 + len(requests)
        shares = [share.weight for rule in latest[0].rules for share in rule.shares] if latest else []
        if weight not in shares:
            outcome.lost.append(f"weight {weight}")
        covered = [known.covered_windows() for known in coverage.values()]
        for request in requests:
            final_until = (int(time.time()) - self.migration.settle_minutes * MINUTE_S - 120) // MINUTE_S * MINUTE_S
            end = min(int(request["EndTime"]), final_until)
            start = int(request["StartTime"])
            if start < end and not any(not Window(start, end).subtract(windows) for windows in covered):
                outcome.lost.append(f"{start}..{end}")

    def compare_points(self) -> tuple[int, int]:
        """(points of final, covered time that are missing or different in the archive, points that CloudWatch has of it), of the last six hours."""
        now_s = int(time.time()) // MINUTE_S * MINUTE_S
        window = Window(now_s - 6 * 3600, now_s - 30 * MINUTE_S)
        with Archive.open(self.migration.archive, self.migration) as archive:
            stored = archive.metrics.read(window, "cloudwatch")
        environment = dict(os.environ)
        os.environ |= self.services.environment
        try:
            expected = _points(CloudWatch(self.migration).pull(window).frame)
        finally:
            os.environ.clear()
            os.environ.update(environment)
        known = {point for point in expected if not any(gap.start <= point[0] < gap.end for gap in stored.missing)}
        return len(known - _points(stored.frame)), len(known)


def _points(frame: Any) -> set[tuple[Any, ...]]:
    names = ("target_group", "metric", "stat", "period_s", "value")
    points = set(zip(epoch_s(frame).tolist(), *(frame[name].tolist() for name in names), strict=True))
    return {point for point in points if not str(point[3]).endswith("_hourly")}


def is_listening(url: str) -> bool:
    """Whether a server answers at `url`, without its scheme."""
    try:
        return bool(urlopen(f"http://{url}", timeout=5).status == 200)
    except OSError:
        return False
