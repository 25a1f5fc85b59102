"""For every test: no credentials or settings of this machine, and no network but loopback."""

import ipaddress
import os
import socket
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

pytest_plugins = ["tests.factories.databases", "tests.factories.emulator"]

# The same examples at every run, and no deadline: machines are shared and noisy.
settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.load_profile("deterministic")

NONEXISTENT_FILE = str(Path(__file__).parent / "nonexistent")

# Before any module is imported, so that servers which tests start inherit it.
for name in list(os.environ):
    is_setting = name.startswith(("AWS_", "BOTO_", "LOG_", "MACKEREL_", "MIGRATION_", "STREAMLIT_", "PG"))
    if (is_setting and name != "PG_CTL") or name.lower().endswith("_proxy"):
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


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # once, before the workers of pytest-xdist start
        from messages import catalogues  # reads the environment

        catalogues.compile_stale()


class NetworkAccessError(AssertionError):
    """A test tried to reach the internet. Not an OSError, which clients would take for a network fault and retry."""


def _require_loopback(host: object) -> None:
    """Accepts loopback, Unix sockets, and host names that never resolve (.invalid); a socket address is a host and a port."""
    host = host[0] if isinstance(host, tuple) else host
    if host in (None, "", b"", "localhost", "ip6-localhost") or (isinstance(host, str) and host.endswith(".invalid")):
        return
    try:
        is_loopback = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise NetworkAccessError(f"A test tried to reach {host!r}. Tests talk to loopback only: see tests/fakes.")


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


def _guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
    _require_loopback(host)
    if isinstance(host, str) and host.endswith(".invalid"):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _unguarded_getaddrinfo(host, *args, **kwargs)


socket.getaddrinfo = _guarded_getaddrinfo


@pytest.fixture(autouse=True)
def _no_registered_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.redaction._registered", set[str]())
    monkeypatch.setattr("domain.redaction._temporary", deque[str](maxlen=64))
