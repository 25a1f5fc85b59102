"""Clients that keep a web server busy: WebSocket handshakes of another site's page, sockets without a request, uploads. On loopback."""

import asyncio
import contextlib
import multiprocessing
import random
import resource
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Event

CHUNK = b"\0" * 65_536
HANDSHAKE = (
    "GET /_stcore/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
UPLOAD = "PUT /_stcore/upload_file/session/file HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {length}\r\n\r\n"
PARTIAL_HEADER = b"GET / HTTP/1.1\r\nHost: 127"

Client = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class HostileLoad:
    """`sockets` clients open connections, half of them with a part of a header, and again soon after the server has closed them.

    A page of another site makes `knocks_per_s` WebSocket handshakes, and `uploads_per_s` of `upload_mb` are tried.
    """

    sockets: int = 2000
    knocks_per_s: float = 10.0
    uploads_per_s: float = 2.0
    upload_mb: int = 20


@contextlib.contextmanager
def hostile_clients(port: int, load: HostileLoad) -> Iterator[None]:
    """Runs the clients in a process of their own; starts when all sockets are open, or after 15 s without."""
    context = multiprocessing.get_context("spawn")
    ready, stop = context.Event(), context.Event()
    process = context.Process(target=_run, args=(port, load, ready, stop), daemon=True)
    process.start()
    try:
        ready.wait(15)
        yield
    finally:
        stop.set()
        process.join(10)
        if process.is_alive():
            process.kill()


@contextlib.contextmanager
def silent_proxy() -> Iterator[dict[str, str]]:
    """A proxy that accepts connections and never answers, like a firewall that drops packets: the environment that has it used."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(4096)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield {"http_proxy": url, "https_proxy": url, "no_proxy": "127.0.0.1,localhost"}


async def request_latencies(
    port: int, path: str, *, seconds: float, interval_s: float, timeout_s: float
) -> list[float]:
    """Seconds from the connection to the end of the response, of a request every `interval_s`, whether or not earlier ones are answered.

    A request that fails or is not answered within `timeout_s` counts as `timeout_s`.
    """
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()

    async def measure(delay_s: float) -> float:
        await asyncio.sleep(delay_s)
        start = time.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                reply = await _exchange(port, request)
        except (OSError, TimeoutError):
            return timeout_s
        return time.monotonic() - start if reply.startswith(b"HTTP/1.1 200 ") else timeout_s

    return await asyncio.gather(*(measure(number * interval_s) for number in range(int(seconds / interval_s))))


def _run(port: int, load: HostileLoad, ready: Event, stop: Event) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_attack(port, load, ready, stop))


async def _attack(port: int, load: HostileLoad, ready: Event, stop: Event) -> None:
    opened: Counter[int] = Counter()

    async def idle(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        opened[number] += 1
        try:
            writer.write(PARTIAL_HEADER if number % 2 else b"")
            await reader.read()  # until the server closes it
        finally:
            writer.close()

    async def knock() -> None:
        await _exchange(port, HANDSHAKE.format(port=port).encode())

    async def upload() -> None:
        length = load.upload_mb * 1_000_000
        body = (CHUNK for _ in range(length // len(CHUNK) + 1))
        await _exchange(port, UPLOAD.format(port=port, length=length).encode(), body)

    tasks = [asyncio.create_task(_repeat(partial(idle, number), pause_s=5.0)) for number in range(load.sockets)]
    while len(opened) < load.sockets and not stop.is_set():
        await asyncio.sleep(0.1)
    ready.set()
    tasks += [
        asyncio.create_task(_start_often(client, interval_s=1 / rate))
        for client, rate in ((knock, load.knocks_per_s), (upload, load.uploads_per_s))
    ]
    while not stop.is_set():
        await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()


async def _repeat(client: Client, *, pause_s: float) -> None:
    """Runs a client again and again, with pauses of random length and this mean."""
    while True:
        await _attempt(client)
        await asyncio.sleep(random.uniform(0, 2 * pause_s))


async def _start_often(client: Client, *, interval_s: float) -> None:
    """Starts a client every `interval_s`, whether or not earlier ones have ended."""
    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(_attempt(client))
            await asyncio.sleep(interval_s)


async def _attempt(client: Client) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(60):
            await client()


async def _exchange(port: int, request: bytes, body: Iterable[bytes] = ()) -> bytes:
    """Sends a request and returns all that the server sends until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        for chunk in body:
            writer.write(chunk)
            await writer.drain()
        return await reader.read()
    finally:
        writer.close()
