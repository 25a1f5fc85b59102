"""What the server answers with modules that are imported after it listens."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

from ui.server.asgi import ASGIApp, Event, Receive, Scope, Send
from ui.server.late import ApiRoute, LateApp

ROOT = Path(__file__).parents[3]


def named(name: str) -> ASGIApp:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": name})

    return app


async def answered_by(app: ASGIApp, path: str = "/", kind: str = "http") -> str:
    """The name of the application that answers."""
    sent: list[Event] = []

    async def send(message: Event) -> None:
        sent.append(message)

    async def receive() -> Event:
        raise NotImplementedError

    await app({"type": kind, "path": path}, receive, send)
    (message,) = sent
    return str(message["type"])


def test_an_application_is_loaded_once_in_a_thread_and_requests_wait_for_it() -> None:
    async def check() -> None:
        loading, may_end, threads = threading.Event(), threading.Event(), list[threading.Thread]()

        def load() -> ASGIApp:
            threads.append(threading.current_thread())
            loading.set()
            assert may_end.wait(10)
            return named("loaded")

        app = LateApp(load)
        requests = [asyncio.create_task(answered_by(app)) for _ in range(3)]
        assert await asyncio.to_thread(loading.wait, 10)
        assert not any(request.done() for request in requests)
        may_end.set()
        assert await asyncio.gather(*requests) == ["loaded"] * 3
        assert len(threads) == 1 and threads[0] is not threading.main_thread()

    asyncio.run(check())


def test_what_could_not_be_loaded_is_tried_again() -> None:
    attempts = iter([OSError("disk"), named("loaded")])

    def load() -> ASGIApp:
        found = next(attempts)
        if isinstance(found, OSError):
            raise found
        return found

    async def check() -> None:
        app = LateApp(load)
        (failed,) = await asyncio.gather(answered_by(app), return_exceptions=True)
        assert isinstance(failed, OSError)
        assert await answered_by(app) == "loaded"

    asyncio.run(check())


def test_every_request_below_api_is_the_apis() -> None:
    app = ApiRoute(named("page"), named("api"))
    for path, kind, expected in (
        ("/api/v1/decision", "http", "api"),
        ("/api/", "http", "api"),
        ("/apis", "http", "page"),
        ("/parity", "http", "page"),
        ("/api/v1/decision", "websocket", "page"),
    ):
        assert asyncio.run(answered_by(app, path, kind)) == expected


def test_the_server_listens_before_what_reads_the_archive_is_imported() -> None:
    late = ("sqlalchemy", "archive", "boto3", "duckdb", "prometheus_client", "jinja2", "ui.app_context", "pages.router")
    code = f"import sys, dashboard; print([name for name in {late} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.stdout.splitlines() == ["[]"], found.stderr
