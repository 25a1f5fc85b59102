"""How many requests for the decision the gate answers, beside a bare Starlette route in the same run.

`python -m benchmarks.gate [--seconds 5] [--rounds 5] [--connections 8]`; about two minutes. Exits with 1 if a goal is missed.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil

from tests.factories.dashboard_server import ROOT, run_dashboard

MIN_RATIO, MIN_PER_S = 0.5, 1_000.0
DECISION = "/api/v1/decision"
BARE_APP = """
import sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

BODY = open(sys.argv[2], "rb").read()

async def decision(request):
    return Response(BODY, media_type="application/json")

app = Starlette(routes=[Route("/api/v1/decision", decision)])
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), http="h11", log_level="warning", access_log=False)
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """Answers a second, and a second of processor time of the thread that serves them: others of the dashboard poll and evaluate meanwhile."""

    per_s: float
    per_cpu_s: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8)
    options = parser.parse_args()
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder, run_dashboard(Path(folder), {"MIGRATION_DEMO": "1"}) as server:
        body = wait_for_decision(f"{server.url}{DECISION}")
        port = int(server.url.rpartition(":")[2])
        with run_bare(Path(folder), body) as (bare_port, bare_pid):
            rates: dict[str, list[Rate]] = {"bare": [], "gate": []}
            for _round in range(options.rounds):
                for name, target in (("bare", (bare_port, bare_pid)), ("gate", (port, server.pid))):
                    rates[name].append(measure(*target, options.seconds, options.connections))
    print(
        f"an answer of {len(body):,} bytes, {options.connections} connections, medians of {options.rounds} rounds of {options.seconds:g} s"
    )
    for name, found in rates.items():
        print(
            f"{name}: {median(r.per_s for r in found):,.0f}/s, {median(r.per_cpu_s for r in found):,.0f} per second of its processor"
        )
    ratios = [gate.per_cpu_s / bare.per_cpu_s for bare, gate in zip(rates["bare"], rates["gate"], strict=True)]
    ratio, per_cpu_s = median(ratios), median(rate.per_cpu_s for rate in rates["gate"])
    print(f"gate/bare: {ratio:.2f} (goal ≥ {MIN_RATIO}); on one core {per_cpu_s:,.0f}/s (goal ≥ {MIN_PER_S:,.0f})")
    return int(ratio < MIN_RATIO or per_cpu_s < MIN_PER_S)


def wait_for_decision(url: str) -> bytes:
    """The first decision with data; the demo needs some seconds for it."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            with urlopen(url, timeout=10) as response:
                body: bytes = response.read()
                if b'"decision":"no_data"' not in body:
                    return body
        except HTTPError as error:
            error.close()
        time.sleep(0.5)
    raise RuntimeError("no decision within two minutes")


@contextmanager
def run_bare(folder: Path, body: bytes) -> Iterator[tuple[int, int]]:
    """A Starlette application with one route and no middleware, which sends the same bytes; its port and process."""
    (folder / "bare.py").write_text(BARE_APP, encoding="utf-8")
    (folder / "body.json").write_bytes(body)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, str(folder / "bare.py"), str(port), str(folder / "body.json")], cwd=ROOT
    )
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def measure(port: int, pid: int, seconds: float, connections: int) -> Rate:
    counts = [0] * connections
    until = time.monotonic() + seconds

    def work(number: int) -> None:
        request = f"GET {DECISION} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            reader = connection.makefile("rb")
            while time.monotonic() < until:
                connection.sendall(request)
                if not reader.readline().startswith(b"HTTP/1.1 200 "):
                    raise RuntimeError("not 200")
                length = 0
                while line := reader.readline().strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                reader.read(length)
                counts[number] += 1

    before_s, started = serving_s(pid), time.monotonic()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed_s, cpu_s = time.monotonic() - started, serving_s(pid) - before_s
    return Rate(sum(counts) / elapsed_s, sum(counts) / cpu_s)


def serving_s(pid: int) -> float:
    """The processor time of the main thread, which has the event loop."""
    return next(thread.user_time + thread.system_time for thread in psutil.Process(pid).threads() if thread.id == pid)


if __name__ == "__main__":
    sys.exit(main())
