"""Scripts and styles that browsers keep forever, sent from memory and compressed with brotli: a sixth smaller than with gzip."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import brotli
import streamlit

from ui.assets import ASSETS
from ui.server.asgi import ASGIApp, Receive, Scope, Send, header_values

# The megabytes of a first visit take a tenth of a second of processor time with 5, and two seconds with 10, which is 7 % smaller.
FAST_QUALITY, BEST_QUALITY = 5, 10
# The first visit comes while the program starts, which needs the processor.
BEST_AFTER_S = 20.0
IMMUTABLE = "public, max-age=31536000, immutable"
_STATIC = Path(streamlit.__file__).parent / "static"
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}


@dataclass(frozen=True, slots=True)
class Script:
    """A script or style. `read`: its bytes, which never change."""

    media_type: str
    read: Callable[[], bytes]


def all_scripts() -> dict[str, Script]:
    """Those of Streamlit and of the charts, by their URL."""
    scripts = {url: Script(asset.media_type, partial(bytes, asset.content)) for url, asset in ASSETS.items()}
    for file in (_STATIC / "static").rglob("*"):
        if media_type := _MEDIA_TYPES.get(file.suffix):
            scripts[f"/{file.relative_to(_STATIC).as_posix()}"] = Script(media_type, file.read_bytes)
    return scripts


class CompressedScripts:
    """The middleware. What is requested is compressed at once, and better in a thread later, one script after the other.

    Clients without brotli are left to the application. `wait` is awaited before a script is compressed better.
    """

    def __init__(
        self,
        app: ASGIApp,
        scripts: Mapping[str, Script],
        wait: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(BEST_AFTER_S),
    ) -> None:
        self.app, self._scripts, self._wait = app, scripts, wait
        self._compressed: dict[str, bytes] = {}
        self.pending: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"] if scope["type"] == "http" and scope["method"] == "GET" else ""
        script = self._scripts.get(path)
        if not script or not _accepts_brotli(scope):
            await self.app(scope, receive, send)
            return
        if path not in self._compressed:
            content = script.read()
            self._compressed[path] = brotli.compress(content, quality=FAST_QUALITY)
            task = asyncio.create_task(self._compress_better(path, content))
            self.pending.add(task)
            task.add_done_callback(self.pending.discard)
        body = self._compressed[path]
        headers = [
            (b"content-type", f"{script.media_type}; charset=utf-8".encode()),
            (b"content-length", str(len(body)).encode()),
            (b"content-encoding", b"br"),
            (b"cache-control", IMMUTABLE.encode()),
            (b"vary", b"Accept-Encoding"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _compress_better(self, path: str, content: bytes) -> None:
        await self._wait()
        async with self._one_at_a_time:
            self._compressed[path] = await asyncio.to_thread(brotli.compress, content, quality=BEST_QUALITY)


def _accepts_brotli(scope: Scope) -> bool:
    codings = ",".join(header_values(scope, b"accept-encoding")).split(",")
    return "br" in [coding.partition(";")[0].strip() for coding in codings]
