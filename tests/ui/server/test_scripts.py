"""Which scripts are sent compressed, and what a browser gets then."""

import asyncio
from collections.abc import Awaitable, Callable

import brotli
import pytest
from starlette.datastructures import Headers

from ui.assets import PLOTLY_JS
from ui.server.asgi import Event, Receive, Scope, Send
from ui.server.scripts import CompressedScripts, Script, all_scripts

CONTENT = b"".join(b"export const answer_%d = %d;\n" % (number, number**3) for number in range(100))
SCRIPTS = {"/static/js/a.js": Script("text/javascript", lambda: CONTENT)}


async def application(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"of the application"})


async def at_once() -> None:
    """Instead of the time in which the program starts."""


def create_app(wait: Callable[[], Awaitable[object]] = at_once) -> CompressedScripts:
    return CompressedScripts(application, SCRIPTS, wait)


async def get(
    app: CompressedScripts, path: str = "/static/js/a.js", accept: str = "gzip, br", method: str = "GET"
) -> tuple[Headers, bytes]:
    """The headers and the body of a response."""
    sent: list[Event] = []

    async def send(message: Event) -> None:
        sent.append({**message, "headers": list(message.get("headers", ()))})
        message.get("headers", []).append((b"x-frame-options", b"DENY"))  # as a middleware around it would

    async def receive() -> Event:
        raise NotImplementedError

    headers = [(b"host", b"localhost"), (b"accept-encoding", accept.encode())]
    await app({"type": "http", "method": method, "path": path, "headers": headers}, receive, send)
    return Headers(raw=sent[0]["headers"]), b"".join(message["body"] for message in sent[1:])


def test_a_script_is_compressed_for_its_first_request_and_better_later() -> None:
    async def check() -> None:
        is_started = asyncio.Event()
        app = create_app(is_started.wait)
        fast = await get(app)
        assert await get(app) == fast and len(app.pending) == 1
        is_started.set()
        await asyncio.gather(*app.pending)
        best = await get(app)
        for headers, body in (fast, best):
            assert brotli.decompress(body) == CONTENT
            assert headers.getlist("content-encoding") == ["br"] and headers["content-length"] == str(len(body))
            assert headers["content-type"].startswith("text/javascript") and headers["vary"] == "Accept-Encoding"
            assert "immutable" in headers["cache-control"] and "x-frame-options" not in headers
        assert len(best[1]) < len(fast[1])

    asyncio.run(check())


@pytest.mark.parametrize(
    "options",
    [
        {"path": "/static/js/b.js"},
        {"path": "/static/./js/a.js"},
        {"accept": "gzip"},
        {"accept": "identity, brotli"},
        {"method": "HEAD"},
    ],
    ids=["another file", "another spelling", "no brotli", "no coding", "HEAD"],
)
def test_everything_else_comes_from_the_application(options: dict[str, str]) -> None:
    assert asyncio.run(get(create_app(), **options))[1] == b"of the application"


def test_the_scripts_are_those_of_streamlit_and_of_the_charts() -> None:
    scripts = all_scripts()
    assert scripts[PLOTLY_JS.url].read() == PLOTLY_JS.content
    names = {url.rpartition(".")[2] for url in scripts}
    assert names == {"js", "css"} and sum(url.startswith("/static/js/") for url in scripts) > 100
