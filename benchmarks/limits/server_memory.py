"""The memory and the CPU time of a server in another process. Linux only."""

import time
from pathlib import Path

import psutil

from tests.factories.dashboard_server import DashboardServer

IDLE_SHARE = 0.05  # of a core
IDLE_S = 5.0


def peak_memory_mb(server: DashboardServer) -> float:
    """The most memory that it has used so far."""
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) / 1000


def cpu_s(server: DashboardServer) -> float:
    times = psutil.Process(server.pid).cpu_times()
    return float(times.user + times.system)


def wait_until_idle(server: DashboardServer, timeout_s: float = 300.0) -> None:
    """Until it has used next to no CPU time for a while: the demo has filled its archive. Raises TimeoutError."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        before_s = cpu_s(server)
        time.sleep(IDLE_S)
        if cpu_s(server) - before_s < IDLE_SHARE * IDLE_S:
            return
    raise TimeoutError(f"The server was still at work after {timeout_s:g} s.")
