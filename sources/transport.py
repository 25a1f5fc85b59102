"""What HTTP replies have in common, for boto3 and requests alike: a deadline for the whole reply, headers included, its size, and its date."""

import http.client
import io
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import inf
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.exceptions import DecodeError

from sources.base import ProblemKind

MAX_REPLY_MIB = 32  # unless the environment variable MIGRATION_MAX_REPLY_MIB says otherwise
REPLY_DEADLINE_S = 30.0
DOWNLOAD_DEADLINE_S = 600.0  # of a file, which is written to disk in parts and resumed after an interruption
_CHUNK_BYTES = 1 << 16


class ReplyTooLargeError(DecodeError):
    """A reply exceeds the limit. (urllib3 and requests pass DecodeError on and do not retry it.)"""


@dataclass(frozen=True, slots=True)
class ReplyLimits:
    """From the end of the request to the end of the reply; bytes are as received."""

    deadline_s: float = REPLY_DEADLINE_S
    max_bytes: float = MAX_REPLY_MIB << 20


def reply_limits(environment: Mapping[str, str] = os.environ) -> ReplyLimits:
    """The limits, with MIGRATION_MAX_REPLY_MIB if it is a positive whole number."""
    text = environment.get("MIGRATION_MAX_REPLY_MIB", "")
    mebibytes = int(text) if text.isascii() and text.isdigit() else 0
    return ReplyLimits(max_bytes=(mebibytes or MAX_REPLY_MIB) << 20)


_current: ContextVar[ReplyLimits | None] = ContextVar("reply_limits", default=None)


@contextmanager
def limits(value: ReplyLimits) -> Iterator[None]:
    """Replies that begin in this block have these limits."""
    token = _current.set(value)
    try:
        yield
    finally:
        _current.reset(token)


class _LimitedReader(io.RawIOBase):
    """The bytes of a reply from `sock`. Raises TimeoutError after the deadline, and ReplyTooLargeError."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, limit: ReplyLimits) -> None:
        self._raw, self._sock, self._limit, self._n_read = raw, sock, limit, 0
        self._timeout_s, self._end = sock.gettimeout(), time.monotonic() + limit.deadline_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        remaining_s = self._end - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError(f"no complete reply after {self._limit.deadline_s:g} s")
        self._sock.settimeout(remaining_s if self._timeout_s is None else min(self._timeout_s, remaining_s))
        n = self._raw.readinto(buffer)
        self._n_read += n or 0
        check_size(self._n_read, self._limit)
        return n

    def close(self) -> None:
        self._raw.close()
        super().close()


def _bytes(n: float) -> str:
    return f"{n / (1 << 20):g} MiB" if n >= 1 << 20 else f"{n / (1 << 10):g} KiB"


def check_size(n_bytes: int, limit: ReplyLimits) -> None:
    """Raises ReplyTooLargeError for more bytes than the limit."""
    if n_bytes > limit.max_bytes:
        raise ReplyTooLargeError(f"a reply of more than {_bytes(limit.max_bytes)}")


class _LimitedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_LimitedReader(raw, sock, _current.get() or reply_limits()))


def limited_pool(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    """A class of connections like `pool`, whose replies are limited."""
    connection = type("LimitedConnection", (pool.ConnectionCls,), {"response_class": _LimitedResponse})
    return type("LimitedPool", (pool,), {"ConnectionCls": connection})


_POOLS = {"http": limited_pool(HTTPConnectionPool), "https": limited_pool(HTTPSConnectionPool)}


class LimitedAdapter(HTTPAdapter):
    """An adapter of requests whose replies are limited, also through a proxy. Send with `stream=True` and read with `read_body`."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> PoolManager:
        manager: PoolManager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def create_session(adapter: LimitedAdapter | None = None) -> requests.Session:
    """A session of requests whose replies are limited."""
    session = requests.Session()
    session.headers["User-Agent"] = "migration-dashboard"
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter or LimitedAdapter())
    return session


def failure_kind(error: requests.RequestException | ValueError) -> ProblemKind:
    """Of a request without a reply that could be read."""
    if isinstance(error, requests.Timeout):
        return "timeout"
    if isinstance(error, requests.ConnectionError):
        is_late = "no complete reply" in str(error) or "timed out" in str(error)
        return "timeout" if is_late else "unreachable"
    return "bad_reply"


def read_body(reply: requests.Response) -> bytes:
    """The decompressed body of a streamed reply. Raises requests.RequestException, also if it is too large after decompression."""
    limit, chunks, n_bytes = _current.get() or reply_limits(), list[bytes](), 0
    with reply:
        for chunk in reply.iter_content(_CHUNK_BYTES):
            n_bytes += len(chunk)
            try:
                check_size(n_bytes, limit)
            except ReplyTooLargeError as error:
                raise requests.exceptions.ContentDecodingError(error) from error
            chunks.append(chunk)
    return b"".join(chunks)


class LimitedBotocoreSession:
    """The HTTP session of a boto3 client, with limited replies. Objects that the client streams (S3) have no limit of size."""

    def __init__(self, session: Any) -> None:
        self._session = session
        pools = session._pool_classes_by_scheme  # shared with botocore's managers, also those of proxies
        pools.update({scheme: limited_pool(pool) for scheme, pool in pools.items()})

    def send(self, request: Any) -> Any:
        with limits(ReplyLimits(DOWNLOAD_DEADLINE_S, inf) if request.stream_output else reply_limits()):
            return self._session.send(request)

    def close(self) -> None:
        self._session.close()


def http_date_s(text: str) -> float | None:
    """An HTTP date in epoch seconds, None if it is invalid."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date.replace(tzinfo=date.tzinfo or UTC).timestamp()
