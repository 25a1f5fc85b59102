"""The web application: the pages, with protection, compression, access log, health check, gate, metrics, and the scripts of the charts.

Run it with `make run`, or `streamlit run dashboard.py`.
"""

# ruff: noqa: E402
import gc

gc.disable()  # until all is imported (_prepare): to examine a growing heap again and again would take a quarter of the time to start

import asyncio
import contextlib
import inspect
import logging
import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from functools import partial

import streamlit as st
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

import pages
from collector.stopping import EXIT_TIMEOUT_S, STOP_TIMEOUT_S, exit_in_time
from domain import ConfigurationError
from domain.files import PRIVATE_UMASK
from domain.logs import configure_logging
from domain.tracing import configure_tracing
from messages.server import REACHABLE_FROM_OUTSIDE
from ui import settings, style
from ui.assets import ASSETS
from ui.opening import notice_shown
from ui.server.agent_api import enable_agent_api
from ui.server.asgi import ASGIApp
from ui.server.connections import ServerSetup, is_unprotected
from ui.server.document import StyledDocument
from ui.server.late import ApiRoute, LateApp
from ui.server.memory import configure_allocator, return_freed_memory
from ui.server.oidc import OidcSignIn, use_cookie_secret
from ui.server.paths import API_PREFIX
from ui.server.request_guard import HEALTH_CHECKS, METRICS_PATH, RequestGuard
from ui.server.scripts import IMMUTABLE, CompressedScripts, all_scripts
from ui.server.sign_in import SignInGuard
from ui.server.small_fonts import SmallFonts
from ui.server.start_guard import StartGuard, is_insecure, start_refusal
from ui.server.token_guard import TokenGuard

# Streamlit needs inline styles, eval and blobs; nothing needs another host.
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
        "frame-ancestors 'self'; base-uri 'self'; form-action 'self'; object-src 'none'"
    ),
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
}
# Of no use for these, and half of the bytes of a small one: a page loads eighty.
FOR_DOCUMENTS_ONLY = ("content-security-policy", "referrer-policy", "x-frame-options")
PARTS_OF_DOCUMENTS = ("text/javascript", "application/javascript", "text/css", "font/woff2")
# Where the browser came by https. Browsers ignore it on a plain connection, so X-Forwarded-Proto needs no trusted sender.
STRICT_TRANSPORT_SECURITY = "max-age=31536000"

# How long a thread may compute while the event loop waits for its turn, which it does several times for each request; 5 ms by default.
SWITCH_INTERVAL_S = 0.0005

# How long the imports that take the processor for seconds leave it to the first page.
FIRST_PAGE_WAIT_S = 1.5

AGENT_API = enable_agent_api(os.environ)
QUIET_PREFIXES = (API_PREFIX, METRICS_PATH)
GATE_TOKEN = os.environ.get("GATE_TOKEN", "").strip()  # "" without one

logger = logging.getLogger("dashboard.access")


class AccessLog:
    """Logs each request: method, path without the query, status and duration. WebSockets when they close.

    At DEBUG: health checks, metrics, and answers of the gate, which logs them when they change.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        status, started = 500 if scope["type"] == "http" else 101, time.monotonic()

        async def with_status(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, with_status)
        finally:
            fields = {
                "method": scope.get("method", "WEBSOCKET"),
                "path": scope["path"],
                "status": status,
                "duration_s": time.monotonic() - started,
            }
            is_quiet = scope["path"] in HEALTH_CHECKS or (scope["path"].startswith(QUIET_PREFIXES) and status < 400)
            logger.log(logging.DEBUG if is_quiet else logging.INFO, "request", extra=fields)


class SecurityHeaders:
    """Adds SECURITY_HEADERS to every HTTP response, as far as they concern it, and Strict-Transport-Security behind TLS."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_https = scope.get("scheme") == "https" or (b"x-forwarded-proto", b"https") in scope.get("headers", ())

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_part = headers.get("content-type", "").partition(";")[0] in PARTS_OF_DOCUMENTS
                for name, value in SECURITY_HEADERS.items():
                    if not (is_part and name in FOR_DOCUMENTS_ONLY):
                        headers.setdefault(name, value)
                if is_https:
                    headers["strict-transport-security"] = STRICT_TRANSPORT_SECURITY
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


async def asset(request: Request) -> Response:
    """A file that a browser keeps forever."""
    found = ASSETS[request.url.path]
    return Response(found.content, media_type=found.media_type, headers={"cache-control": IMMUTABLE})


async def live(request: Request) -> Response:
    """The Live page is at /; for /live, Streamlit would show it below a dialog "Page not found"."""
    return RedirectResponse(f"/?{request.url.query}" if request.url.query else "/")


def refusal(is_open: bool) -> str:
    """Why the server does not start; "" if it does. From now on the guards of requests have their settings."""
    insecure = is_insecure(sys.argv, os.environ)
    return start_refusal(settings.load_settings, os.environ, is_open=is_open, insecure=insecure)


def _load_endpoints() -> ASGIApp:
    from ui.server.endpoints import create_endpoints

    return create_endpoints(GATE_TOKEN)


def _prepare() -> None:
    """Imports what reads the archive, opens it, and imports the pages. The pages show errors.

    All of it takes seconds, in which the server already sends the first browser what the page is made of.
    """
    notice_shown.wait(FIRST_PAGE_WAIT_S)
    try:
        import pyarrow as pa

        pa.set_memory_pool(pa.system_memory_pool())  # numpy can use what Arrow has freed: a page takes up to 50 MB less
        endpoints.load()
        from archive import ArchiveError
        from pages import router  # noqa: F401
        from ui import app_context

        # What imports create is never freed: to examine it in each full collection would stop all threads for half a second.
        gc.freeze()
    finally:
        gc.enable()
    try:
        app_context.open_contexts()
    except (ConfigurationError, ArchiveError) as error:
        logging.getLogger("dashboard").error("%s", error)
    logging.getLogger("dashboard").info("pages are ready")


def _close() -> None:
    from ui import app_context

    app_context.close()


@contextlib.asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """Opens the app contexts while the first browser loads the page, so that collection starts."""
    configure_logging(default_level="INFO")  # again: the server has installed its handlers by now
    configure_tracing(os.environ)
    opening = threading.Thread(target=_prepare, name="opening", daemon=True)
    opening.start()
    if is_unprotected(settings.server_settings(), settings.sign_in_settings()):
        logging.getLogger("dashboard").warning(REACHABLE_FROM_OUTSIDE)
    trimming = asyncio.create_task(return_freed_memory())
    yield
    trimming.cancel()
    exit_in_time(0, timeout_s=STOP_TIMEOUT_S + EXIT_TIMEOUT_S)
    await asyncio.to_thread(opening.join)
    await asyncio.to_thread(_close)
    logging.getLogger("dashboard").info("stopped")


inspect.stack()  # keeps where the modules are: Streamlit calls it for the first element, and would search for 0.1 s
os.umask(PRIVATE_UMASK)
configure_allocator()
sys.setswitchinterval(SWITCH_INTERVAL_S)
configure_logging(default_level="INFO")
use_cookie_secret(os.environ)
endpoints = LateApp(_load_endpoints)
oidc = partial(OidcSignIn, environment=os.environ)
app = st.App(
    pages.__file__,
    lifespan=lifespan,
    routes=[
        *(Route(path, endpoints) for path in ("/healthz", "/readyz", METRICS_PATH)),
        Route("/live", live),
        *(Route(url, asset) for url in ASSETS),
    ],
    middleware=[
        Middleware(ServerSetup),
        Middleware(StartGuard, refusal=refusal),
        Middleware(SecurityHeaders),
        Middleware(RequestGuard, settings=settings.server_settings, agent_api=AGENT_API),
        Middleware(AccessLog),
        Middleware(SignInGuard, settings=settings.sign_in_settings, oidc=oidc, token=GATE_TOKEN),
        Middleware(ApiRoute, api=endpoints),
        Middleware(TokenGuard, token=GATE_TOKEN),
        Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5),
        Middleware(CompressedScripts, scripts=all_scripts()),
        Middleware(SmallFonts),
        Middleware(StyledDocument, css=style.document_css(), body=style.no_connection()),
    ],
)
