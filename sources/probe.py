"""Sends the requests of probes: GET and HEAD, to one address, within limits of time and size. Never follows a redirect."""

import http.client
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass

from domain.probe import Answer, ProbeError

MAX_BODY_BYTES = 2 << 20  # as received, and decoded
DEADLINE_S = 15.0  # of a request, from the connection to the end of the body
CONNECT_TIMEOUT_S = 5.0
MIN_INTERVAL_S = 0.5  # two requests a second
METHODS = ("GET", "HEAD")
USER_AGENT = "migration-dashboard-probe"
_CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """`address`: of the load balancer, to which the connection is made whatever `host` resolves to later."""

    method: str
    address: str
    port: int
    host: str
    path: str
    tls: bool
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def sent_headers(self) -> tuple[tuple[str, str], ...]:
        """All of them, in order."""
        host = self.host if self.port == (443 if self.tls else 80) else f"{self.host}:{self.port}"
        own = (("Host", host), ("User-Agent", USER_AGENT), ("Accept", "*/*"), ("Accept-Encoding", "gzip"))
        return (*own, ("Connection", "close"), *self.headers)


class _TooLargeError(Exception):
    pass


class ProbeClient:
    """Sends one request at a time, at most two a second."""

    def __init__(
        self,
        *,
        sleep: Callable[[float], None] = time.sleep,
        max_body_bytes: int = MAX_BODY_BYTES,
        deadline_s: float = DEADLINE_S,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._sleep, self._max_body_bytes, self._deadline_s = sleep, max_body_bytes, deadline_s
        self._context = context
        self._next_at = 0.0

    def send(self, request: ProbeRequest) -> Answer:
        """The response, or why there is none. Raises ValueError for another method than GET and HEAD."""
        if request.method not in METHODS:
            raise ValueError(f"A probe never sends {request.method}.")
        wait_s = self._next_at - time.monotonic()
        if wait_s > 0:
            self._sleep(wait_s)
        started = time.monotonic()
        self._next_at = started + MIN_INTERVAL_S
        try:
            return self._send(request, started)
        except _TooLargeError:
            return Answer(0, error="too_large", seconds=time.monotonic() - started)
        except ssl.SSLError:
            return Answer(0, error="tls", seconds=time.monotonic() - started)
        except (http.client.HTTPException, zlib.error, ValueError, EOFError):
            return self._failed(started, "bad_reply")
        except TimeoutError:
            return Answer(0, error="timeout", seconds=time.monotonic() - started)
        except OSError:
            return self._failed(started, "unreachable")

    def _failed(self, started: float, error: ProbeError) -> Answer:
        """The deadline closes the socket, which then looks like a fault of the server."""
        seconds = time.monotonic() - started
        return Answer(0, error="timeout" if seconds >= self._deadline_s else error, seconds=seconds)

    def _send(self, request: ProbeRequest, started: float) -> Answer:
        plain = socket.create_connection((request.address, request.port), timeout=CONNECT_TIMEOUT_S)
        sockets = [plain]
        timer = threading.Timer(self._deadline_s, lambda: _shut_down(sockets[-1]))
        timer.daemon = True
        timer.start()
        try:
            plain.settimeout(self._deadline_s)
            if request.tls:
                context = self._context or ssl.create_default_context()
                wrapped = context.wrap_socket(plain, server_hostname=request.host, do_handshake_on_connect=False)
                sockets.append(wrapped)
                wrapped.do_handshake()
            connection = http.client.HTTPConnection(request.host, request.port)
            connection.sock = sockets[-1]
            with closing(connection):
                connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
                for name, value in request.sent_headers:
                    connection.putheader(name, value)
                connection.endheaders()
                response = connection.getresponse()
                pairs = tuple((name.lower(), value) for name, value in response.getheaders())
                body = self._body(response, pairs, started) if request.method == "GET" else b""
                if time.monotonic() - started >= self._deadline_s:  # the end of the head may be that of the connection
                    raise TimeoutError
                return Answer(response.status, pairs, body, time.monotonic() - started)
        finally:
            timer.cancel()
            sockets[-1].close()

    def _body(self, response: http.client.HTTPResponse, headers: Sequence[tuple[str, str]], started: float) -> bytes:
        """The decoded body. Raises _TooLargeError; what is received and what it becomes are counted."""
        encoding = next((value.strip().lower() for name, value in headers if name == "content-encoding"), "")
        decoder = zlib.decompressobj(wbits=47) if encoding in ("gzip", "x-gzip", "deflate") else None
        received, parts, decoded = 0, list[bytes](), 0
        while chunk := response.read1(_CHUNK_BYTES):
            received += len(chunk)
            if time.monotonic() - started >= self._deadline_s:
                raise TimeoutError
            part = decoder.decompress(chunk, self._max_body_bytes + 1 - decoded) if decoder else chunk
            decoded += len(part)
            if max(received, decoded) > self._max_body_bytes:
                raise _TooLargeError
            parts.append(part)
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        if decoder and not decoder.eof and received:
            raise EOFError
        return b"".join(parts)


def _shut_down(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def resolve(host: str) -> frozenset[str]:
    """The addresses of a host; none if it has none."""
    try:
        return frozenset(str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        return frozenset()
