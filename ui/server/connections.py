"""Connections: time-outs, the limit of descriptors, and whether other machines can connect. Streamlit starts uvicorn and has no option for these."""

import asyncio
import contextlib
import logging
import resource
import socket
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

from domain.config.server import ServerSettings
from domain.config.sign_in import SignIn
from domain.hosts import HostPort, is_loopback, normalize_host
from ui.server.asgi import ASGIApp, Receive, Scope, Send

REQUEST_TIMEOUT_S = 10.0
MAX_DESCRIPTORS = 65_536
GRACE_S = 1  # when the process is stopped, for responses that are being sent

logger = logging.getLogger(__name__)
_address: HostPort | None = None


class TimedHttpProtocol(H11Protocol):
    """Sends at once. Closes a connection that has not sent a complete request header REQUEST_TIMEOUT_S after it was opened, or after the last response.

    So long, too, it may go on sending the body of a request that has been answered.
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio sets it for sockets that name their protocol, which Streamlit's do not. Without it, the body of each response, which is
        # written after its header, waits for the browser's acknowledgement of the header: 40 ms.
        with contextlib.suppress(OSError):  # a Unix socket
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._start_timer()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_timer()

    def _start_timer(self) -> None:
        self._stop_timer()
        if not self.transport.is_closing():
            self._timer = self.loop.call_later(REQUEST_TIMEOUT_S, self._close_unless_requested, self.cycle)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_unless_requested(self, answered: Any) -> None:
        """Closes it if no request followed `answered` (None: the first), and it did not become a WebSocket."""
        is_waiting = self.cycle is answered and (answered is None or answered.response_complete)
        if is_waiting and self in self.connections:
            self.transport.close()


class ServerSetup:
    """The middleware that sets up the server that runs it, when it starts."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            _set_up(getattr(getattr(receive, "__self__", None), "config", None))
        await self.app(scope, receive, send)


def is_reachable_from_outside() -> bool:
    """Whether the server listens on more than loopback. False before it starts."""
    return _address is not None and not is_loopback(_address.host)


def is_unprotected(settings: ServerSettings | None, sign_in: SignIn | None) -> bool:
    """Whether other machines can connect and nothing is known to restrict access."""
    return is_reachable_from_outside() and not (sign_in or (settings and settings.protected))


def _set_up(config: object) -> None:
    global _address
    _raise_descriptor_limit()
    if not isinstance(config, Config):  # another server, or another version of uvicorn
        logger.warning("the server is not uvicorn: connections have no time-out of this program")
        return
    config.http_protocol_class, config.timeout_graceful_shutdown = TimedHttpProtocol, GRACE_S
    _address = HostPort(normalize_host(config.host) or config.host, config.port)
    logger.info("serving", extra={"url": f"{'https' if config.is_ssl else 'http'}://{_address}"})


def _raise_descriptor_limit() -> None:
    """Each connection takes a descriptor; at the limit the server accepts none at all."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < limit:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
