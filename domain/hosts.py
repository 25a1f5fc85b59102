"""Hosts and origins as browsers send them: parsed strictly, normalized, compared."""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

DEFAULT_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[^\[\]:]{1,254})(:(?P<port>[0-9]{1,5}))?")
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<authority>.+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HostPort:
    """The value of a `Host` header. `host`: a normalized name or address; `port`: None if it has none."""

    host: str
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Origin:
    """The value of an `Origin` header of a page that was loaded by http or https."""

    scheme: str
    address: HostPort

    def is_of(self, host: HostPort) -> bool:
        """Whether a page of this origin was loaded from `host`, with default ports filled in."""
        default = DEFAULT_PORTS[self.scheme]
        ports = (self.address.port or default, host.port or default)
        return self.address.host == host.host and ports[0] == ports[1]


def normalize_host(text: str) -> str | None:
    """A host name or an IP address (with or without brackets) in its one spelling; None if it is neither.

    Names in lower case, without the dot at the end, in ASCII (IDNA); addresses compressed; an IPv4 address in IPv6 as IPv4.
    """
    name = text.strip()
    if address := _ip_address(name[1:-1] if name.startswith("[") and name.endswith("]") else name):
        return str(address)
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    name = name.lower().removesuffix(".")
    # A name whose last part is a number is an IPv4 address in another notation (127.1) to a browser.
    return name if _NAME.fullmatch(name) and not re.search(r"(^|\.)(\d+|0x[0-9a-f]*)$", name) else None


def parse_host_port(text: str) -> HostPort | None:
    """The value of a `Host` header; None if it is not a host with at most a port."""
    match = _AUTHORITY.fullmatch(text)
    if match is None or not text.isascii() or text != text.strip():
        return None
    host, port = normalize_host(match["host"]), int(match["port"]) if match["port"] else None
    return HostPort(host, port) if host and (port is None or 0 < port < 65536) else None


def parse_origin(text: str) -> Origin | None:
    """The value of an `Origin` header; None if it is opaque ("null": a sandboxed frame, a file) or of another scheme."""
    match = _ORIGIN.fullmatch(text)
    address = parse_host_port(match["authority"]) if match else None
    return Origin(match["scheme"].lower(), address) if match and address else None


def is_ip_address(host: str) -> bool:
    return _ip_address(host) is not None


def is_loopback(host: str) -> bool:
    """Whether a normalized host is this machine alone: localhost, 127.0.0.0/8 or ::1."""
    address = _ip_address(host)
    return address.is_loopback if address else host == "localhost"


@lru_cache(maxsize=64)  # asked several times for each request, mostly about the same host
def _ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return None if address.scope_id else address.ipv4_mapped or address
    return address
