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

NONEXISTENT_FILE = str(Path(__file__).parent / "nowhere")

# Before any module is imported, so that servers which tests start inherit it.
for name in list(os.environ):
    theirs = name.startswith(("AWS_", "BOTO_", "MACKEREL_", "MIGRATION_", "STREAMLIT_", "PG")) and name != "PG_CTL"
    if theirs or name.lower().endswith("_proxy"):
        del os.environ[name]
os.environ |= {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    "AWS_CONFIG_FILE": NONEXISTENT_FILE,
    "AWS_SHARED_CREDENTIALS_FILE": NONEXISTENT_FILE,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_DEFAULT_REGION": "ap-northeast-1",
    "MIGRATION_LANGUAGE": "en",
}


class NetworkAccessError(AssertionError):
    """A test that reaches for the internet. Not an OSError, so that no client takes it for a fault of the network and tries again."""


def _require_loopback(host: object) -> None:
    """Lets loopback, sockets in the file system, and names that no network knows (.invalid) pass."""
    host = host[0] if isinstance(host, tuple) else host
    if host in (None, "", b"", "localhost", "ip6-localhost") or (isinstance(host, str) and host.endswith(".invalid")):
        return
    try:
        inside = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise NetworkAccessError(f"A test tried to reach {host!r}. Tests talk to loopback only: see tests/worlds.")


def _guard_socket_method(name: str) -> None:
    connect = getattr(socket.socket, name)

    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _require_loopback(address)
        return connect(self, address)

    setattr(socket.socket, name, guarded)


_guard_socket_method("connect")
_guard_socket_method("connect_ex")
_unguarded_getaddrinfo = socket.getaddrinfo


def _guarded_getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
    _require_loopback(host)
    if isinstance(host, str) and host.endswith(".invalid"):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _unguarded_getaddrinfo(host, *rest, **more)


socket.getaddrinfo = _guarded_getaddrinfo
