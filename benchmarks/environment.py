"""The servers of the measurement: fakes on loopback, and two dashboards that read them: the program's and the naive one."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import psutil

from domain import Arn
from tests.factories.loopback_config import config_toml
from tests.fakes.cloudwatch import FakeCloudWatch
from tests.fakes.elbv2 import REGION, FakeElbv2
from tests.fakes.traffic_model import SteadyTraffic

ROOT = Path(__file__).parent.parent


def traffic_model() -> SteadyTraffic:
    """A canary at 10 %, 3,000 requests a minute, a few errors on both fleets."""
    return SteadyTraffic(
        lambda ts: {"photo-ec2": 0.9, "photo-ecs": 0.1},
        requests_per_minute=3_000,
        error_rates={"photo-ec2": 0.001, "photo-ecs": 0.002},
    )


@dataclass(frozen=True, slots=True)
class BenchmarkEnvironment:
    """Each page has a CloudWatch of its own, so that its requests can be counted; both report the same traffic."""

    elbv2: FakeElbv2
    dashboard_cloudwatch: FakeCloudWatch
    naive_cloudwatch: FakeCloudWatch
    folder: Path

    def write_config(self, *, backfill: bool = False) -> Path:
        """Writes a migration.toml for the fakes, with its archive beside it; with back-fill it is a different one."""
        name = "backfill" if backfill else "migration"
        path = self.folder / f"{name}.toml"
        archive = str(self.folder / f"{name}.db")
        path.write_text(
            config_toml(self.elbv2.load_balancer, self.elbv2.groups, archive=archive, backfill=backfill),
            encoding="utf-8",
        )
        return path

    def environment(self, cloudwatch: FakeCloudWatch, *, backfill: bool = False) -> dict[str, str]:
        """The environment of a process that reads the fakes, without this machine's AWS settings."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "MIGRATION_", "MACKEREL_"))
        }
        dimensions = {arn.name: arn.dimension for text in self.elbv2.groups.values() if (arn := Arn.parse(text))}
        return inherited | {
            "AWS_ENDPOINT_URL_CLOUDWATCH": cloudwatch.url,
            "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": self.elbv2.url,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "an-example-secret",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "MIGRATION_CONFIG": str(self.write_config(backfill=backfill)),
            "NAIVE_LOAD_BALANCER": cloudwatch.load_balancer,
            "NAIVE_BASELINE": dimensions["photo-ec2"],
            "NAIVE_CANARY": dimensions["photo-ecs"],
        }


@contextmanager
def benchmark_environment(folder: Path) -> Iterator[BenchmarkEnvironment]:
    """Runs the fakes."""
    with FakeElbv2() as elbv2:
        arn = Arn.parse(elbv2.load_balancer)
        name = arn.dimension if arn else ""
        with (
            FakeCloudWatch(traffic_model(), load_balancer=name) as dashboard_cloudwatch,
            FakeCloudWatch(traffic_model(), load_balancer=name) as naive_cloudwatch,
        ):
            yield BenchmarkEnvironment(elbv2, dashboard_cloudwatch, naive_cloudwatch, folder)


class BenchmarkServer:
    """A Streamlit server in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, cloudwatch: FakeCloudWatch) -> None:
        self.port, self.cloudwatch = port, cloudwatch
        self._process = psutil.Process(process.pid)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def cpu_s(self) -> float:
        """The processor time used so far."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def memory_mb(self) -> float:
        return float(self._process.memory_info().rss) / 1e6

    def descriptors(self) -> int:
        return int(self._process.num_fds())

    def threads(self) -> int:
        return int(self._process.num_threads())


@contextmanager
def run_server(
    environment: BenchmarkEnvironment,
    *,
    naive: bool = False,
    backfill: bool = False,
    module: str = "streamlit",
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[BenchmarkServer]:
    """Runs the dashboard or the naive page; waits until it answers and, unless it back-fills, until its archive is filled.

    `module`: that runs Streamlit; `settings`: further environment variables of it, with which the archive is not waited for.
    """
    cloudwatch = environment.naive_cloudwatch if naive else environment.dashboard_cloudwatch
    script = ROOT / "benchmarks" / "naive" / "dashboard.py" if naive else ROOT / "dashboard.py"
    port = free_port()
    command = [sys.executable, "-m", module, "run", str(script), "--server.headless", "true"]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1", "--browser.gatherUsageStats", "false"]
    # Streamlit reads .streamlit/config.toml in its working directory: the naive page has Streamlit's defaults.
    working_directory = script.parent if naive else ROOT
    log_path = environment.folder / ("naive.log" if naive else "dashboard.log")
    variables = environment.environment(cloudwatch, backfill=backfill) | dict(settings)
    with log_path.open("ab") as log:
        process = subprocess.Popen(command, cwd=working_directory, env=variables, stdout=log, stderr=log)
    try:
        server = BenchmarkServer(process, port, cloudwatch)
        wait_until(lambda: process.poll() is not None or _is_up(server.url), timeout_s=60)
        if process.poll() is not None:
            raise RuntimeError(log_path.read_text(encoding="utf-8"))
        if not (naive or backfill or settings or cloudwatch.hang):
            wait_until_quiet(cloudwatch)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(condition: Callable[[], bool], *, timeout_s: float, interval_s: float = 0.1) -> None:
    """Waits until a condition is true. Raises TimeoutError."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"the condition was not true within {timeout_s:g} s")
        time.sleep(interval_s)


def wait_until_quiet(cloudwatch: FakeCloudWatch, *, quiet_s: float = 4, timeout_s: float = 150) -> None:
    """Waits until CloudWatch gets a call, and then none for `quiet_s`: a poll of the collector has ended."""
    before, changed = cloudwatch.calls, 0.0
    end = time.monotonic() + timeout_s
    while not changed or time.monotonic() - changed < quiet_s:
        if time.monotonic() > end:
            raise TimeoutError("CloudWatch got no call, or calls without a pause")
        time.sleep(0.1)
        if cloudwatch.calls != before:
            before, changed = cloudwatch.calls, time.monotonic()


def _is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}_stcore/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
