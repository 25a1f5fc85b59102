"""Which responses are kept compressed, and what a browser gets then."""

import asyncio

import brotli
import pytest
from starlette.datastructures import Headers
from starlette.responses import Response

from ui.server.asgi import Event, Receive, Scope, Send
from ui.server.scripts import KeptScripts

SCRIPT = b"export const answer = 42;\n" * 100
IMMUTABLE = "public, immutable, max-age=31536000"


class Application:
    """Answers with SCRIPT, and counts the requests."""

    def __init__(
        self, *, status: int = 200, media_type: str = "text/javascript", cache_control: str = IMMUTABLE
    ) -> None:
        self.requests: list[Scope] = []
        self._response = Response(SCRIPT, status, {"cache-control": cache_control, "etag": "1"}, media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests.append(scope)
        await self._response(scope, receive, send)


async def get(
    app: KeptScripts, path: str = "/static/js/a.js", accept: str = "gzip, br", method: str = "GET"
) -> tuple[Headers, bytes]:
    """The headers and the body of a response, once everything is compressed that was requested."""
    sent: list[Event] = []

    async def send(message: Event) -> None:
        sent.append({**message, "headers": list(message.get("headers", ()))})
        message.get("headers", []).append((b"content-encoding", b"gzip"))  # as a middleware around it would

    async def receive() -> Event:
        raise NotImplementedError

    headers = [(b"host", b"localhost"), (b"accept-encoding", accept.encode())]
    await app({"type": "http", "method": method, "path": path, "headers": headers}, receive, send)
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not asyncio.current_task()))
    return Headers(raw=sent[0]["headers"]), b"".join(message["body"] for message in sent[1:])


def test_the_second_request_is_answered_with_brotli_and_without_the_application() -> None:
    async def check() -> None:
        application = Application()
        app = KeptScripts(application)
        headers, body = await get(app)
        assert "content-encoding" not in headers and body == SCRIPT
        await get(app)
        headers, body = await get(app)
        assert brotli.decompress(body) == SCRIPT
        assert headers.getlist("content-encoding") == ["br"] and headers["content-length"] == str(len(body))
        assert headers["vary"] == "Accept-Encoding" and headers["cache-control"] == IMMUTABLE and headers["etag"] == "1"
        assert len(application.requests) == 1

    asyncio.run(check())


def test_the_application_is_not_to_compress_what_is_kept() -> None:
    application = Application()
    asyncio.run(get(KeptScripts(application)))
    assert application.requests[0]["headers"] == [(b"host", b"localhost")]


@pytest.mark.parametrize(
    ("application", "request_options"),
    [
        (Application(status=404), {}),
        (Application(media_type="image/png"), {}),
        (Application(cache_control="no-cache"), {}),
        (Application(), {"path": "/_stcore/host-config"}),
        (Application(), {"path": "/static/./js/a.js"}),
        (Application(), {"path": "/static//js/a.js"}),
        (Application(), {"accept": "gzip"}),
        (Application(), {"method": "HEAD"}),
    ],
    ids=["missing", "image", "may change", "no asset", "another spelling", "double slash", "no brotli", "HEAD"],
)
def test_everything_else_comes_from_the_application(application: Application, request_options: dict[str, str]) -> None:
    async def check() -> None:
        app = KeptScripts(application)
        for _ in range(2):
            assert (await get(app, **request_options))[1] == SCRIPT
        assert len(application.requests) == 2

    asyncio.run(check())
