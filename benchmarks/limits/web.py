"""The web server while other sites' pages, idle sockets and uploads are at work."""

import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.limits.figure import Figure
from benchmarks.limits.hostile_clients import HostileLoad, hostile_clients, request_latencies, silent_proxy
from benchmarks.limits.server_memory import wait_until_idle
from benchmarks.live import log_progress
from tests.factories.dashboard_server import ROOT, run_dashboard

HEALTHZ_LIMIT_S = 0.1
REQUEST_TIMEOUT_S = 30.0
USUAL_DESCRIPTORS = 1024  # the soft limit that most systems start a process with


def measure(load: HostileLoad, seconds: float) -> list[Figure]:
    """The latency of the health check without load, and while hostile clients are at work."""
    with _dashboard(ROOT / "dashboard.py") as port:
        quiet, loaded = _latencies(port, load, seconds, "dashboard")
    with _dashboard(ROOT / "benchmarks" / "bare" / "unprotected.py") as port:
        unprotected = _latencies(port, load, seconds, "unprotected")
    with _bare_server() as port:
        bare = _latencies(port, load, seconds, "bare server")
    clients = (
        f"{load.knocks_per_s:g} foreign handshakes/s, {load.sockets:,} idle sockets, {load.uploads_per_s:g} uploads/s"
    )
    is_met = _p99(loaded) <= HEALTHZ_LIMIT_S
    return [
        Figure("/healthz p99, without load", "", _format(quiet), None, _compared(unprotected[0], bare[0])),
        Figure(
            f"/healthz p99, {clients}",
            f"≤ {HEALTHZ_LIMIT_S * 1000:g} ms",
            _format(loaded),
            is_met,
            _compared(unprotected[1], bare[1]),
        ),
    ]


@contextmanager
def _dashboard(script: Path) -> Iterator[int]:
    """The port of a server with the demo, which has filled its archive."""
    with (
        tempfile.TemporaryDirectory() as folder,
        silent_proxy() as proxy,
        _usual_descriptor_limit(),
        run_dashboard(Path(folder), {"MIGRATION_DEMO": "1", "PYTHONPATH": str(ROOT)} | proxy, script=script) as server,
    ):
        log_progress(f"{script.name}: filling the archive of the demo")
        wait_until_idle(server)
        yield int(server.url.rpartition(":")[2])


@contextmanager
def _bare_server() -> Iterator[int]:
    """The port of a server that answers at once."""
    command = [sys.executable, str(ROOT / "benchmarks" / "bare" / "answers.py")]
    with _usual_descriptor_limit(), subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def _latencies(port: int, load: HostileLoad, seconds: float, server_name: str) -> tuple[list[float], list[float]]:
    """Seconds of each health check: without load, and under it."""
    log_progress(f"{server_name}: without load")
    quiet = _measure(port, seconds)
    with hostile_clients(port, load):
        log_progress(f"{server_name}: under load")
        return quiet, _measure(port, seconds)


def _measure(port: int, seconds: float) -> list[float]:
    latencies = request_latencies(port, "/healthz", seconds=seconds, interval_s=0.1, timeout_s=REQUEST_TIMEOUT_S)
    return asyncio.run(latencies)


@contextmanager
def _usual_descriptor_limit() -> Iterator[None]:
    """Processes that are started meanwhile inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(USUAL_DESCRIPTORS, soft), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _p99(latencies_s: list[float]) -> float:
    return statistics.quantiles(latencies_s, n=100, method="inclusive")[98]  # never above the highest


def _format(latencies_s: list[float]) -> str:
    """The 99th percentile, and the median and the maximum in brackets."""
    median_s, highest_s = statistics.median(latencies_s), max(latencies_s)
    return f"{_p99(latencies_s) * 1000:,.0f} ms (p50 {median_s * 1000:,.0f}, max {highest_s * 1000:,.0f})"


def _compared(unprotected: list[float], bare: list[float]) -> str:
    return f"unprotected {_format(unprotected)}; a server that only answers {_format(bare)}"
