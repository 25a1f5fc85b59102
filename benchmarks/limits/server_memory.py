"""The memory and the CPU time of a server in another process. Linux only."""

from pathlib import Path

import psutil

from tests.factories.dashboard_server import DashboardServer


def peak_memory_mb(server: DashboardServer) -> float:
    """The most memory that it has used so far."""
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) / 1000


def cpu_s(server: DashboardServer) -> float:
    times = psutil.Process(server.pid).cpu_times()
    return float(times.user + times.system)
