"""What the server answers with modules that take a second to import: it listens before they are imported."""

import asyncio
import threading
from collections.abc import Callable

from ui.server.asgi import ASGIApp, Receive, Scope, Send
from ui.server.paths import API_PREFIX


class LateApp:
    """An ASGI application that `load` creates, once. Requests before that wait for it."""

    def __init__(self, load: Callable[[], ASGIApp]) -> None:
        self._load = load
        self._app: ASGIApp | None = None
        self._lock = threading.Lock()

    def load(self) -> ASGIApp:
        """The application. Waits for another thread that loads it."""
        with self._lock:
            if self._app is None:
                self._app = self._load()
            return self._app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app if self._app else await asyncio.to_thread(self.load)
        await app(scope, receive, send)


class ApiRoute:
    """The middleware that leaves everything below /api/ to `api`.

    Streamlit has its page for any unknown path, with 200: a misspelt gate would always pass. The answers are not compressed: they are
    small, and asked for a thousand times a second.
    """

    def __init__(self, app: ASGIApp, api: ASGIApp) -> None:
        self.app, self._api = app, api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_api = scope["type"] == "http" and scope["path"].startswith(API_PREFIX)
        await (self._api if is_api else self.app)(scope, receive, send)
