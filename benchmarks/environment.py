"""Where the figures are measured: a load balancer's world on loopback, and two servers that watch it, ours and the naive one."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from domain import Arn
from tests.factories.loopback_config import config_toml
from tests.fakes.cloudwatch import FakeCloudWatch
from tests.fakes.elbv2 import REGION, FakeElbv2
from tests.fakes.traffic_model import SteadyTraffic

ROOT = Path(__file__).parent.parent


def traffic_model() -> SteadyTraffic:
    """A canary at 10 %, 3,000 requests a minute, a few errors on both sides."""
    return SteadyTraffic(
        lambda ts: {"photo-ec2": 0.9, "photo-ecs": 0.1},
        requests_per_minute=3_000,
        error_rates={"photo-ec2": 0.001, "photo-ecs": 0.002},
    )


@dataclass(frozen=True, slots=True)
class BenchmarkEnvironment:
    """Each page has a CloudWatch of its own, so that what it asks can be counted; they tell the same story."""

    elbv2: FakeElbv2
    dashboard_cloudwatch: FakeCloudWatch
    naive_cloudwatch: FakeCloudWatch
    folder: Path

    def write_config(self, *, backfill: bool = False) -> Path:
        """A migration.toml for the world, with its archive beside it; one that has its past filled is another one."""
        name = "with the past" if backfill else "migration"
        path = self.folder / f"{name}.toml"
        archive = str(self.folder / f"{name}.db")
        path.write_text(
            config_toml(self.elbv2.load_balancer, self.elbv2.groups, archive=archive, backfill=backfill),
            encoding="utf-8",
        )
        return path

    def environment(self, world: FakeCloudWatch, *, backfill: bool = False) -> dict[str, str]:
        """What a process needs to find the world, and nothing of this machine's own AWS."""
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "MIGRATION_", "MACKEREL_"))
        }
        dimensions = {arn.name: arn.dimension for text in self.elbv2.groups.values() if (arn := Arn.parse(text))}
        return own | {
            "AWS_ENDPOINT_URL_CLOUDWATCH": world.url,
            "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": self.elbv2.url,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "an-example-secret",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "MIGRATION_CONFIG": str(self.write_config(backfill=backfill)),
            "NAIVE_LOAD_BALANCER": world.load_balancer,
            "NAIVE_BASELINE": dimensions["photo-ec2"],
            "NAIVE_CANARY": dimensions["photo-ecs"],
        }


@contextmanager
def benchmark_environment(folder: Path) -> Iterator[BenchmarkEnvironment]:
    """The world, while the block lasts."""
    with FakeElbv2() as elbv2:
        arn = Arn.parse(elbv2.load_balancer)
        name = arn.dimension if arn else ""
        with (
            FakeCloudWatch(traffic_model(), load_balancer=name) as ours,
            FakeCloudWatch(traffic_model(), load_balancer=name) as naive,
        ):
            yield BenchmarkEnvironment(elbv2, ours, naive, folder)


class BenchmarkServer:
    """A Streamlit server in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, world: FakeCloudWatch) -> None:
        self.port, self.cloudwatch = port, world
        self._process = psutil.Process(process.pid)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def cpu_s(self) -> float:
        """The processor time it has used."""
        used = self._process.cpu_times()
        return float(used.user + used.system)

    def memory_mb(self) -> float:
        return float(self._process.memory_info().rss) / 1e6


@contextmanager
def run_server(stage: BenchmarkEnvironment, *, ours: bool, backfill: bool = False) -> Iterator[BenchmarkServer]:
    """Ours or the naive one, while the block lasts: it answers, and ours has filled its archive, unless it has a past to fill (`backfill`)."""
    world = stage.dashboard_cloudwatch if ours else stage.naive_cloudwatch
    script = ROOT / "dashboard.py" if ours else ROOT / "benchmarks" / "naive" / "dashboard.py"
    port = _free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.headless", "true"]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1", "--browser.gatherUsageStats", "false"]
    # Streamlit reads .streamlit/config.toml where it is started: ours has ours, the naive page what Streamlit brings.
    place = ROOT if ours else script.parent
    written = stage.folder / ("ours.log" if ours else "naive.log")
    with written.open("ab") as log:
        process = subprocess.Popen(
            command, cwd=place, env=stage.environment(world, backfill=backfill), stdout=log, stderr=log
        )
    try:
        answers = BenchmarkServer(process, port, world)
        wait_until(lambda: process.poll() is not None or _is_up(answers.url), timeout_s=60)
        if process.poll() is not None:
            raise RuntimeError(written.read_text(encoding="utf-8"))
        if ours and world.hang is None and not backfill:
            wait_until_quiet(world)
        yield answers
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(reached: Callable[[], bool], *, timeout_s: float, every_s: float = 0.1) -> None:
    """Waits for something to become true. Raises TimeoutError."""
    end = time.monotonic() + timeout_s
    while not reached():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {timeout_s:g} s in vain")
        time.sleep(every_s)


def wait_until_quiet(world: FakeCloudWatch, *, quiet_s: float = 4, timeout_s: float = 150) -> None:
    """Waits until the world has been asked something more, and then nothing for `quiet_s`: a round of the keeper is over."""
    before, changed = world.calls, 0.0
    end = time.monotonic() + timeout_s
    while not changed or time.monotonic() - changed < quiet_s:
        if time.monotonic() > end:
            raise TimeoutError("the world was never asked, or never left alone")
        time.sleep(0.1)
        if world.calls != before:
            before, changed = world.calls, time.monotonic()


def _is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}_stcore/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
