"""Refuses requests before Streamlit handles them: for other hosts, from pages of other sites, and for endpoints that no page uses.

A foreign `Origin` costs Streamlit two blocking requests to a public address, in the event loop. A host that is not allowed is how DNS rebinding
arrives: the attacker's name, resolved to this machine, is the same origin as the attacker's page.
"""

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from domain.config.server import ServerSettings
from domain.hosts import HostPort, is_ip_address, is_loopback, parse_host_port, parse_origin
from messages import server as text
from ui.server.asgi import ASGIApp, Receive, Scope, Send, header_values

HEALTH_CHECKS = ("/healthz", "/readyz", "/_stcore/health")
METRICS_PATH = "/metrics"
STREAMLIT_PREFIX = "/_stcore/"
# The endpoints of Streamlit that its pages use, by the first part of their path; those that `expose` adds, and that AGENT_API=1 adds.
USED_ENDPOINTS = frozenset({"health", "host-config", "stream", "bidi-components"})
AGENT_ENDPOINT = "agent"
EXPOSABLE_ENDPOINTS = {"metrics": "metrics", "upload_file": "upload"}
MAX_HEADER_BYTES = 65_536  # h11 bounds only what arrives in parts
LOG_INTERVAL_S = 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP status, and the sentence that is the body."""

    status: int
    text: str


def check_request(scope: Scope, settings: ServerSettings | None, *, agent_api: bool = False) -> Refusal | None:
    """Why the request of an http or websocket scope is refused; None if it is not. `settings`: None if the configuration is invalid.

    `agent_api`: whether agents may drive the pages (ui.server.agent_api).
    """
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
        return Refusal(431, str(text.HEADERS_TOO_LARGE))
    hosts = header_values(scope, b"host")
    host = parse_host_port(hosts[0]) if len(hosts) == 1 else None
    if _is_from_another_site(scope, host):
        return Refusal(403, text.another_site(str(host) if host else ""))
    # Load balancers address their health checks to an IP address, or in HTTP/1.0 to none, and so may scrapers. DNS rebinding needs a name.
    if scope["path"] in (*HEALTH_CHECKS, METRICS_PATH) and (not hosts or (host and is_ip_address(host.host))):
        return None
    if host is None:
        return Refusal(400, str(text.INVALID_HOST))
    if not is_loopback(host.host) and (settings is None or host.host not in settings.allowed_hosts):
        return Refusal(403, text.host_not_allowed(host.host, is_configured=settings is not None))
    return _check_endpoint(scope["path"], settings.expose if settings else (), agent_api=agent_api)


def _is_from_another_site(scope: Scope, host: HostPort | None) -> bool:
    """Whether a page of another origin sent it. Programs send no `Origin`; a browser sends none when it follows a link."""
    origins = header_values(scope, b"origin")
    if origins:
        origin = parse_origin(origins[0]) if len(origins) == 1 else None
        if origin is None or host is None or not origin.is_of(host):
            return True
        return scope["scheme"] in ("https", "wss") and origin.scheme != "https"
    # Images, scripts and the like of another page have no `Origin`.
    return bool({"cross-site", "same-site"} & set(header_values(scope, b"sec-fetch-site"))) and header_values(
        scope, b"sec-fetch-mode"
    ) != ["navigate"]


def _check_endpoint(path: str, exposed: Collection[str], *, agent_api: bool) -> Refusal | None:
    _, is_streamlit, rest = path.partition(STREAMLIT_PREFIX)
    endpoint = rest.partition("/")[0]
    if not is_streamlit or endpoint in USED_ENDPOINTS:
        return None
    if endpoint == AGENT_ENDPOINT:
        return None if agent_api else Refusal(403, str(text.AGENT_API_OFF))
    name = EXPOSABLE_ENDPOINTS.get(endpoint, "")
    return None if name in exposed else Refusal(403, text.endpoint_refused(name))


class RequestGuard:
    """The middleware: answers refused requests itself, at once, and logs at most one line a minute about them."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Callable[[], ServerSettings | None],
        *,
        agent_api: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app, self._settings, self._agent_api, self._clock = app, settings, agent_api, clock
        self._refused, self._log_at = 0, 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None
        if scope["type"] in ("http", "websocket"):
            refusal = check_request(scope, self._settings(), agent_api=self._agent_api)
        if refusal is None:
            await self.app(scope, receive, send)
            return
        self._log(refusal)
        await send_refusal(refusal, scope, send)

    def _log(self, refusal: Refusal) -> None:
        self._refused += 1
        if (now := self._clock()) >= self._log_at:
            logger.warning("request refused: %s", refusal.text, extra={"requests": self._refused})
            self._refused, self._log_at = 0, now + LOG_INTERVAL_S


async def send_refusal(refusal: Refusal, scope: Scope, send: Send, *more_headers: tuple[bytes, bytes]) -> None:
    """The response to a refused request of an http or websocket scope."""
    if scope["type"] == "websocket":
        # Before the handshake it is a 403. With the extension for a body, uvicorn would log an error for each.
        await send({"type": "websocket.close", "code": 1008})
        return
    body = f"{refusal.text}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),  # without reading the rest of an upload
        *more_headers,
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
