"""The real server in a process and a home directory of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).parent.parent.parent
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class DashboardServer:
    """A running server. `home_dir` is its HOME and its folder for temporary files."""

    url: str
    home_dir: Path
    pid: int

    @property
    def log(self) -> str:
        return (self.home_dir / "log").read_text(encoding="utf-8", errors="replace")


StartServer = Callable[..., DashboardServer]  # the fixture `start_server`


@contextmanager
def run_dashboard(
    home_dir: Path,
    environment: Mapping[str, str],
    *,
    address: str = "127.0.0.1",
    port: int = 0,
    arguments: Sequence[str] = (),
    script: Path = ROOT / "dashboard.py",
    until_logged: str = "pages are ready",
) -> Iterator[DashboardServer]:
    """Starts `streamlit run` of the script, waits until it is healthy and has logged `until_logged`, and stops it at the end.

    It does not inherit this process's environment: no proxy, no credentials, no MIGRATION_CONFIG.
    """
    port = port or free_port()
    options = ("--server.headless=true", f"--server.address={address}", f"--server.port={port}")
    base_environment = {
        "HOME": str(home_dir),
        "TMPDIR": str(home_dir),
        "PATH": os.environ.get("PATH", ""),
        "LANG": "C.UTF-8",
    }
    with (home_dir / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(script), *options, *arguments],
            cwd=ROOT,
            env=base_environment | dict(environment),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        server = DashboardServer(f"http://127.0.0.1:{port}", home_dir, process.pid)
        try:
            _wait_until_healthy(server, process, until_logged)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(server: DashboardServer, process: subprocess.Popen[bytes], until_logged: str) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < until:
        try:
            with urlopen(f"{server.url}/healthz", timeout=5) as reply:
                if reply.status == 200 and until_logged in server.log:
                    return
        except (URLError, OSError):
            pass  # the port does not listen yet
        time.sleep(0.05)
    raise RuntimeError(f"The server did not become healthy. Its log:\n{server.log}")
