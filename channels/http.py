"""POST to an address that a secret variable holds: no redirect, no private network, a small reply, a deadline."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

from channels.base import DEADLINE_S, FINAL_STATUSES, NO_REPLY, TIMEOUT_S, Delivery
from domain.redaction import register_secret
from sources.base import Problem, ProblemKind
from sources.mackerel.protocol import retry_after_s
from sources.transport import (
    LimitedAdapter,
    ReplyLimits,
    create_session,
    failure_kind,
    limited_pool,
    limits,
    read_body,
)

MAX_REPLY_BYTES = 64 << 10
MAX_QUOTE_CHARS = 200
MIN_SECRET_CHARS = 16
_NAT64 = ip_network("64:ff9b::/96")
_KINDS: Mapping[int, ProblemKind] = {
    401: "denied",
    403: "denied",
    404: "not_found",
    410: "not_found",
    408: "timeout",
    429: "throttled",
}


class PrivateAddressError(Exception):
    """A host that resolves to an address of a private network, or of this machine."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`text`: the begin of the body, "" if it was not read."""

    status: int
    text: str
    headers: Mapping[str, str]


def is_public(address: str) -> bool:
    """Whether an IP address is reachable from the internet; also one that is wrapped in an IPv6 address."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip in _NAT64:
            return is_public(str(ip_address(int(ip) & 0xFFFFFFFF)))
        if inner := ip.ipv4_mapped or ip.sixtofour:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def public_address(host: str, port: int) -> str:
    """An address of `host`. Raises PrivateAddressError unless all of them are public, and OSError if there is none."""
    found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if private := [address for address in found if not is_public(address)]:
        raise PrivateAddressError(private[0])
    return found[0]


class _PublicConnection:
    """Connects to the very address that was checked: a name that resolves to another one a moment later makes no difference."""

    _dns_host: str
    port: int

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        try:
            self._dns_host = public_address(name, self.port)
            connected: socket.socket = super()._new_conn()  # type: ignore[misc]
            return connected
        finally:
            self._dns_host = name  # TLS verifies it


def _public_pool(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    connection = type("PublicConnection", (_PublicConnection, pool.ConnectionCls), {})
    return type("PublicPool", (pool,), {"ConnectionCls": connection})


_PUBLIC_POOLS = {
    scheme: _public_pool(limited_pool(pool))
    for scheme, pool in (("http", HTTPConnectionPool), ("https", HTTPSConnectionPool))
}


class PublicAdapter(LimitedAdapter):
    """An adapter that connects to public addresses only. Through a proxy, that one resolves the name."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _PUBLIC_POOLS


class WebhookAddress:
    """A URL in an environment variable. It is redacted in all texts, because the URL is the permission to post."""

    def __init__(
        self, channel: str, variable: str, *, allow_private: bool, environment: Mapping[str, str] = os.environ
    ) -> None:
        self.channel, self._variable, self._allow_private = channel, variable, allow_private
        self._url = environment.get(variable, "").strip()
        register_secret(self._url)
        register_secret(_path_of(self._url))
        self._session = create_session(LimitedAdapter() if allow_private else PublicAdapter())

    def check(self) -> Problem | None:
        """Without a connection; with [notify] allow_private = false, the name is resolved."""
        if not self._url:
            return self._problem("no_secret", about=self._variable)
        try:
            parts = urlsplit(self._url)
            host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            host, port = "", 0
        if not host or self._url.split("://")[0].lower() not in (
            ("http", "https") if self._allow_private else ("https",)
        ):
            return self._problem("no_secret", about=self._variable, detail="https://…")
        if self._allow_private:
            return None
        try:
            if host == "localhost" or host.endswith(".localhost") or _is_private_literal(host):
                raise PrivateAddressError(host)
            if not requests.utils.get_environ_proxies(self._url):
                public_address(host, port)
        except PrivateAddressError as error:
            return self._problem("private_address", about=self._variable, detail=str(error))
        except OSError as error:
            return self._problem("unreachable", detail=str(error))
        return None

    def post(self, body: bytes, headers: Mapping[str, str], *, with_text: bool) -> Reply | Problem:
        """Posts once. `with_text`: reads the body of the reply, at most MAX_REPLY_BYTES; else it is not waited for."""
        if problem := self.check():
            return problem
        try:
            with limits(ReplyLimits(DEADLINE_S, MAX_REPLY_BYTES)):
                reply = self._session.post(
                    self._url,
                    data=body,
                    headers=dict(headers),
                    timeout=TIMEOUT_S,
                    allow_redirects=False,
                    stream=True,
                )
                with reply:
                    is_read = with_text or not 200 <= reply.status_code < 300
                    text = read_body(reply).decode(errors="replace") if is_read else ""
        except PrivateAddressError as error:
            return self._problem("private_address", about=self._variable, detail=str(error))
        except (requests.RequestException, ValueError) as error:
            return self._problem(failure_kind(error), detail=str(error))
        return Reply(reply.status_code, text, reply.headers)

    def delivery(self, reply: Reply | Problem) -> Delivery:
        """What a reply means, by its status."""
        if isinstance(reply, Problem):
            return Delivery(reply, may_have_arrived=reply.kind in NO_REPLY)
        if 200 <= reply.status < 300:
            return Delivery()
        default: ProblemKind = (
            "server_error" if reply.status >= 500 else "bad_reply" if reply.status < 400 else "bad_request"
        )
        detail = f"{reply.status} {reply.text[:MAX_QUOTE_CHARS]}".strip()
        problem = self._problem(_KINDS.get(reply.status, default), about=self._variable, detail=detail)
        return Delivery(problem, reply.status in FINAL_STATUSES, retry_after_s(reply.headers), reply.status >= 500)

    def bad_reply(self, reply: Reply) -> Delivery:
        """Of a reply whose status is a success, and whose text is an error."""
        return Delivery(self._problem("bad_reply", detail=f"{reply.status} {reply.text[:MAX_QUOTE_CHARS]}"))

    def _problem(self, kind: ProblemKind, *, about: str = "", detail: str = "") -> Problem:
        return Problem(kind, self.channel, "POST", about, detail)


def _is_private_literal(host: str) -> bool:
    try:
        return not is_public(host)
    except ValueError:
        return False


def _path_of(url: str) -> str:
    """The secret part of a webhook's URL, which errors of urllib3 quote alone; "" if it is too short to be one."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path.strip("/")
    return path if len(path) >= MIN_SECRET_CHARS else ""
