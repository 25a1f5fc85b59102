"""The web application: the pages, and around them compression, security headers, a health check and the plotly.js they draw with.

Run it with `make run`, or `streamlit run dashboard.py`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import streamlit as st
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from archive import ArchiveError
from charts.base.plotlyjs import plotly_js
from domain import ConfigurationError
from ui import app_context
from ui.components import PLOTLYJS_URL

# Streamlit's own page needs inline styles, eval and blobs; nothing needs another host.
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss: data: blob:; worker-src 'self' blob:; "
        "frame-ancestors 'self'; base-uri 'self'; form-action 'self'; object-src 'none'"
    ),
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
}


class SecurityHeaders:
    """Adds SECURITY_HEADERS to every answer over HTTP."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


async def healthz(_request: Request) -> Response:
    """200 while the server can serve; it does not ask any source, because a page without sources still shows its last known data."""
    return JSONResponse({"status": "ok"})


async def plotlyjs(request: Request) -> Response:
    """plotly.js, which the browser may keep for ever: its version is in its address."""
    _version, script = plotly_js()
    headers = {
        "cache-control": "public, max-age=31536000, immutable",
        "content-encoding": "gzip",
        "vary": "accept-encoding",
    }
    return Response(script, media_type="text/javascript", headers=headers)


@contextlib.asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """Opens the house before the first viewer comes, so that its archive is warm. Trouble is left for the pages to say."""
    with contextlib.suppress(ConfigurationError, ArchiveError):
        await asyncio.to_thread(app_context.get_app_context)
    yield
    await asyncio.to_thread(app_context.close)


app = st.App(
    str(Path(__file__).parent / "pages" / "__init__.py"),
    lifespan=lifespan,
    routes=[Route("/healthz", healthz), Route(PLOTLYJS_URL.format(version=plotly_js()[0]), plotlyjs)],
    middleware=[Middleware(SecurityHeaders), Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)],
)
