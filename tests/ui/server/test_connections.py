"""Time-outs of connections, on a real server whose clock the test moves; the set-up of uvicorn."""

import asyncio
import logging
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from uvicorn import Config, Server
from uvicorn.server import ServerState

from domain.config.server import ServerSettings
from ui.server import connections
from ui.server.asgi import Receive, Scope, Send
from ui.server.connections import REQUEST_TIMEOUT_S, ServerSetup, TimedHttpProtocol, is_unprotected

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
TIMEOUT_S = 60


class MovedClock(asyncio.SelectorEventLoop):
    """An event loop whose time the test can move forward."""

    offset_s = 0.0

    def time(self) -> float:
        return super().time() + self.offset_s

    async def advance(self, seconds: float) -> None:
        self.offset_s += seconds
        for _ in range(5):  # runs the timers, and what they start
            await asyncio.sleep(0)


class App:
    """Answers `/` at once, `/slow` and `/ws` once `may_answer` is set."""

    def __init__(self) -> None:
        self.called, self.may_answer = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{phase}.complete"})
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await self.may_answer.wait()
            await send({"type": "websocket.send", "text": "late"})
        else:
            self.called.set()
            if scope["path"] == "/slow":
                await self.may_answer.wait()
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Connection]]


@asynccontextmanager
async def serve(app: App) -> AsyncIterator[Connect]:
    config = Config(ServerSetup(app), port=0, lifespan="on", ws="websockets-sansio", log_config=None)
    config.load()
    server = Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        return reader, writer

    yield connect
    for writer in writers:
        writer.close()
    await server.shutdown()


def run(test: Callable[[App, MovedClock, Connect], Awaitable[None]]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, MovedClock)
        app = App()
        async with serve(app) as connect:
            await asyncio.wait_for(test(app, loop, connect), TIMEOUT_S)

    with asyncio.Runner(loop_factory=MovedClock) as runner:
        runner.run(main())


async def read_response(reader: asyncio.StreamReader) -> None:
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    assert await reader.readexactly(2) == b"ok"


def test_what_is_sent_does_not_wait_for_the_acknowledgement_of_what_was_sent_before() -> None:
    """Streamlit listens on a socket that names no protocol, for which asyncio changes nothing."""

    async def test() -> None:
        loop = asyncio.get_running_loop()
        config = Config(App(), ws="none", log_config=None)
        config.load()
        state = ServerState()
        protocols: list[TimedHttpProtocol] = []

        def protocol() -> TimedHttpProtocol:
            protocols.append(TimedHttpProtocol(config, state, {}))
            return protocols[-1]

        with socket.create_server(("127.0.0.1", 0)) as listening:
            assert listening.proto == 0
            async with await loop.create_server(protocol, sock=listening):
                reader, writer = await asyncio.open_connection(*listening.getsockname())
                writer.write(REQUEST)
                await read_response(reader)
                accepted = protocols[0].transport.get_extra_info("socket")
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                writer.close()
                await writer.wait_closed()

    asyncio.run(test())


@pytest.mark.parametrize("sent", [b"", b"G", REQUEST[:-2]])
def test_a_connection_without_a_whole_header_is_closed(sent: bytes) -> None:
    async def test(_app: App, clock: MovedClock, connect: Connect) -> None:
        reader, writer = await connect()
        writer.write(sent)
        later_reader, later_writer = await connect()
        later_writer.write(REQUEST)
        await read_response(later_reader)  # so the server has accepted the first one
        await clock.advance(REQUEST_TIMEOUT_S)
        assert await reader.read() == b""

    run(test)


def test_a_second_request_has_the_same_time() -> None:
    async def test(_app: App, clock: MovedClock, connect: Connect) -> None:
        reader, writer = await connect()
        for _ in range(3):
            writer.write(REQUEST)
            await read_response(reader)
            await clock.advance(REQUEST_TIMEOUT_S / 4)
        writer.write(REQUEST[:20])
        await writer.drain()
        await clock.advance(REQUEST_TIMEOUT_S)
        assert await reader.read() == b""

    run(test)


def test_a_body_that_goes_on_after_the_response_is_cut_off() -> None:
    async def test(_app: App, clock: MovedClock, connect: Connect) -> None:
        reader, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n.")
        await read_response(reader)
        for _ in range(4):
            writer.write(b".")
            await clock.advance(REQUEST_TIMEOUT_S / 4)
        assert await reader.read() == b""

    run(test)


def test_a_slow_response_is_not_cut_off() -> None:
    async def test(app: App, clock: MovedClock, connect: Connect) -> None:
        reader, writer = await connect()
        writer.write(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await app.called.wait()
        await clock.advance(2 * REQUEST_TIMEOUT_S)
        app.may_answer.set()
        await read_response(reader)

    run(test)


def test_a_pipelined_request_is_not_cut_off() -> None:
    async def test(app: App, clock: MovedClock, connect: Connect) -> None:
        reader, writer = await connect()
        writer.write(REQUEST + REQUEST.replace(b"/ HTTP", b"/slow HTTP"))
        await read_response(reader)
        await clock.advance(2 * REQUEST_TIMEOUT_S)
        app.may_answer.set()
        await read_response(reader)

    run(test)


def test_a_websocket_is_not_cut_off() -> None:
    async def test(app: App, clock: MovedClock, connect: Connect) -> None:
        reader, writer = await connect()
        writer.write(REQUEST)
        await read_response(reader)
        writer.write(UPGRADE)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        await clock.advance(REQUEST_TIMEOUT_S)
        app.may_answer.set()
        assert await reader.readexactly(6) == b"\x81\x04late"

    run(test)


@pytest.mark.parametrize(
    ("host", "is_reachable", "url"),
    [
        ("127.0.0.1", False, "http://127.0.0.1:8501"),
        ("localhost", False, "http://localhost:8501"),
        ("::1", False, "http://[::1]:8501"),
        ("0.0.0.0", True, "http://0.0.0.0:8501"),
        ("::", True, "http://[::]:8501"),
        ("192.168.1.5", True, "http://192.168.1.5:8501"),
        ("", True, "http://:8501"),
        ("dashboard.example.com", True, "http://dashboard.example.com:8501"),
    ],
)
def test_listening_on_more_than_loopback_is_noticed(
    host: str, is_reachable: bool, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "_address", None)
    assert not is_unprotected(None, None)
    config = Config(App, host=host, port=8501, log_config=None)
    with caplog.at_level(logging.INFO, logger=connections.__name__):
        connections._set_up(config)
    assert config.http_protocol_class is TimedHttpProtocol
    assert [vars(record)["url"] for record in caplog.records] == [url]
    assert is_unprotected(None, None) == is_unprotected(ServerSettings(), None) == is_reachable
    assert not is_unprotected(ServerSettings(protected=True), None)


def test_another_server_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None: ...

    asyncio.run(ServerSetup(app)({"type": "lifespan"}, app, app))  # type: ignore[arg-type]
    assert [record.getMessage() for record in caplog.records] == [
        "the server is not uvicorn: connections have no time-out of this program"
    ]


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [
        (1024, 1_048_576, 65_536),
        (1024, 4096, 4096),
        (1024, resource.RLIM_INFINITY, 65_536),
        (100_000, 1_048_576, None),
        (4096, 4096, None),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None),
    ],
)
def test_the_limit_of_descriptors_is_raised(
    soft: int, hard: int, expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _resource: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _resource, pair: limits.append(pair))
    connections._raise_descriptor_limit()
    assert limits == ([] if expected is None else [(expected, hard)])
