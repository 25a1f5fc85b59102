"""What holds for every test: nobody's credentials or settings, and no network but loopback."""

import ipaddress
import os
import socket
from pathlib import Path
from typing import Any

from hypothesis import settings

pytest_plugins = ["tests.factories.databases"]

# The same examples at every run, and no stop-watch: machines are shared and noisy.
settings.register_profile("house", derandomize=True, deadline=None)
settings.load_profile("house")

NOWHERE = str(Path(__file__).parent / "nowhere")

# Before any module is imported, so that servers which tests start inherit it.
for name in list(os.environ):
    theirs = name.startswith(("AWS_", "BOTO_", "MACKEREL_", "MIGRATION_", "STREAMLIT_", "PG")) and name != "PG_CTL"
    if theirs or name.lower().endswith("_proxy"):
        del os.environ[name]
os.environ |= {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    "AWS_CONFIG_FILE": NOWHERE,
    "AWS_SHARED_CREDENTIALS_FILE": NOWHERE,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_DEFAULT_REGION": "ap-northeast-1",
    "MIGRATION_LANGUAGE": "en",
}


class InternetError(AssertionError):
    """A test that reaches for the internet. Not an OSError, so that no client takes it for a fault of the network and tries again."""


def _check(address: object) -> None:
    """Lets loopback, sockets in the file system, and names that no network knows (.invalid) pass."""
    host = address[0] if isinstance(address, tuple) else address
    if host in (None, "", b"", "localhost", "ip6-localhost") or (isinstance(host, str) and host.endswith(".invalid")):
        return
    try:
        inside = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise InternetError(f"A test tried to reach {host!r}. Tests talk to loopback only: see tests/worlds.")


def _guarded(name: str) -> None:
    connect = getattr(socket.socket, name)

    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _check(address)
        return connect(self, address)

    setattr(socket.socket, name, guarded)


_guarded("connect")
_guarded("connect_ex")
_look_up = socket.getaddrinfo


def _looked_up(host: Any, *rest: Any, **more: Any) -> Any:
    _check(host)
    if isinstance(host, str) and host.endswith(".invalid"):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _look_up(host, *rest, **more)


socket.getaddrinfo = _looked_up
