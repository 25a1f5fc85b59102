"""Scripts and styles that browsers keep forever, compressed with brotli: a sixth smaller than with gzip, and sent from memory."""

import asyncio
import posixpath
from dataclasses import dataclass

import brotli

from ui.server.asgi import ASGIApp, Event, Receive, Scope, Send, header_values

PREFIXES = ("/static/", "/assets/")
MEDIA_TYPES = ("text/javascript", "application/javascript", "text/css")
# Two seconds of processor time for the megabytes of a first visit; 11 takes twice as long for one per cent.
QUALITY = 10
MIN_BYTES = 1000


@dataclass(frozen=True, slots=True)
class _Compressed:
    start: Event
    body: bytes


class KeptScripts:
    """The middleware. What was requested once is compressed in a thread, one after the other; until then, the response is that of the application.

    What is kept is bounded by the files that exist, which never change: those with `immutable` in their cache-control. Other spellings of a path
    ("/static/./js/…"), of which there is no end, are left to the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._kept: dict[str, _Compressed] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _may_be_kept(scope):
            await self.app(scope, receive, send)
        elif kept := self._kept.get(scope["path"]):
            await send({**kept.start, "headers": list(kept.start["headers"])})
            await send({"type": "http.response.body", "body": kept.body})
        else:
            await self._pass_on(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Event | None = None
        body = bytearray()

        async def collect(message: Event) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                # A copy: what is around this middleware changes the headers of the message.
                start = {**message, "headers": list(message["headers"])} if _is_kept(message) else None
            elif start is not None:
                body.extend(message.get("body", b""))
                if not message.get("more_body"):
                    self._keep(scope["path"], start, bytes(body))
            await send(message)

        # Streamlit would compress it with gzip; another middleware does, after this one.
        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        await self.app({**scope, "headers": plain}, receive, collect)

    def _keep(self, path: str, start: Event, body: bytes) -> None:
        if path not in self._tasks and len(body) >= MIN_BYTES:
            self._tasks[path] = asyncio.create_task(self._compress(path, start, body))

    async def _compress(self, path: str, start: Event, body: bytes) -> None:
        async with self._one_at_a_time:
            compressed = await asyncio.to_thread(brotli.compress, body, quality=QUALITY)
        headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        length = str(len(compressed)).encode()
        headers += [(b"content-encoding", b"br"), (b"content-length", length), (b"vary", b"Accept-Encoding")]
        self._kept[path] = _Compressed({**start, "headers": headers}, compressed)


def _may_be_kept(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    path = scope["path"]
    if not path.startswith(PREFIXES) or posixpath.normpath(path) != path:
        return False
    codings = ",".join(header_values(scope, b"accept-encoding")).split(",")
    return "br" in [coding.strip() for coding in codings]


def _is_kept(start: Event) -> bool:
    headers = {name.lower(): value.decode("latin-1") for name, value in start["headers"]}
    return (
        start["status"] == 200
        and headers.get(b"content-type", "").partition(";")[0] in MEDIA_TYPES
        and "immutable" in headers.get(b"cache-control", "")
        and b"content-encoding" not in headers
    )
