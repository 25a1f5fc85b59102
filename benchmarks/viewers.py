"""Viewers without a browser: each is a real session over the page's websocket, which refreshes when the server says so."""

import asyncio
import json
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

CACHED_RUNS = 2  # Streamlit's frontend drops a cached message that was not used in this number of runs


@dataclass(frozen=True, slots=True)
class PageRun:
    """One run of the page's script for one viewer: the first is the whole page, the others are refreshes. Times are monotonic."""

    is_first: bool
    started_at: float
    duration_s: float
    received: int  # bytes


@dataclass(slots=True)
class ViewerPool:
    """Viewers of a server; `runs` grows while they are connected. `speed`: how much faster than the server says they refresh."""

    url: str
    interval_s: float = 15.0
    speed: float = 1.0
    runs: list[PageRun] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _watching: "list[Future[None]]" = field(default_factory=list)

    def refreshes(self, since: float, until: float) -> list[PageRun]:
        """The refreshes that ended in this time."""
        return [run for run in self.runs if not run.is_first and since <= run.started_at + run.duration_s < until]

    def add_viewers(self, viewers: int, *, page: str = "") -> None:
        """Adds viewers of a page, spread over one interval."""
        for number in range(viewers):
            coroutine = self._watch(number * self.interval_s / viewers, page)
            self._watching.append(asyncio.run_coroutine_threadsafe(coroutine, self._loop))

    def raise_failures(self) -> None:
        """Raises the exception of a failed viewer, if there is one."""
        for viewer in self._watching:
            if viewer.done():
                viewer.result()

    async def _watch(self, delay_s: float, page: str) -> None:
        await asyncio.sleep(delay_s)
        await run_viewer(self.url, self.runs, page=page, speed=self.speed)

    def _close(self) -> None:
        for viewer in self._watching:
            viewer.cancel()
        asyncio.run_coroutine_threadsafe(_await_cancelled(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)


async def _await_cancelled() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*tasks, return_exceptions=True)


async def run_viewer(url: str, runs: list[PageRun], *, page: str = "", speed: float = 1.0) -> None:
    """Opens a page and refreshes it until cancelled; appends each run to `runs`."""
    stream = url.replace("http", "ws", 1) + "_stcore/stream"
    cached: dict[str, int] = {}  # hash → number of the run that last used it
    timers: dict[str, tuple[float, float]] = {}  # fragment → (interval, time of the next run)
    async with connect(stream, subprotocols=["streamlit"], max_size=None, compression=None) as socket:  # type: ignore[list-item]
        number, start, received, running = 0, time.monotonic(), 0, True
        await socket.send(_rerun(url, page, "", ()))
        while True:
            due = min((due for _, due in timers.values()), default=None)
            if not running and due is not None and due <= time.monotonic():
                fragment = min(timers, key=lambda fragment: timers[fragment][1])
                timers[fragment] = (timers[fragment][0], time.monotonic() + timers[fragment][0])
                number, start, received, running = number + 1, time.monotonic(), 0, True
                await socket.send(_rerun(url, page, fragment, cached))
            try:
                wait_s = None if running or due is None else max(0.0, due - time.monotonic())
                data = await asyncio.wait_for(socket.recv(), wait_s)
            except TimeoutError:
                continue
            received += len(data)
            message = ForwardMsg.FromString(data)
            kind = message.WhichOneof("type")
            if kind == "ref_hash":
                cached[message.ref_hash] = number
            elif message.metadata.cacheable:
                cached[message.hash] = number
            if kind == "auto_rerun":
                interval_s = message.auto_rerun.interval / speed
                timers.setdefault(message.auto_rerun.fragment_id, (interval_s, time.monotonic() + interval_s))
            elif (every_s := _heartbeat(message)) is not None:
                timers.pop(message.delta.fragment_id, None)
                if interval_s := every_s / speed:
                    timers[message.delta.fragment_id] = (interval_s, time.monotonic() + interval_s)
            elif kind == "script_finished":
                runs.append(PageRun(number == 0, start, time.monotonic() - start, received))
                running = False
                cached = {key: used for key, used in cached.items() if number - used <= CACHED_RUNS}


@dataclass(frozen=True, slots=True)
class PageView:
    """The first run of a page: seconds from the request until all of it was received, whether it has a title, its exceptions, and its HTML."""

    duration_s: float
    received: int  # bytes
    has_title: bool
    exceptions: tuple[str, ...]
    html: str = ""


async def view_page(url: str, page: str = "", query: str = "", *, timeout_s: float = 120.0) -> PageView:
    """Opens a page of the server at `url` once, and closes it when it is complete. Raises TimeoutError."""
    stream = f"{url.replace('http', 'ws', 1)}/_stcore/stream"
    received, bodies, exceptions = 0, list[str](), list[str]()
    async with (
        asyncio.timeout(timeout_s),
        connect(stream, subprotocols=["streamlit"], max_size=None, compression=None) as socket,  # type: ignore[list-item]
    ):
        start = time.monotonic()
        await socket.send(_rerun(f"{url}/{page}", page, "", (), query=query))
        async for data in socket:
            received += len(data)
            message = ForwardMsg.FromString(data)
            element = message.delta.new_element
            bodies.append(element.html.body)
            if element.WhichOneof("type") == "exception":
                exceptions.append(f"{element.exception.type}: {element.exception.message}")
            if message.WhichOneof("type") == "script_finished":
                html = "\n".join(bodies)
                return PageView(time.monotonic() - start, received, "page-title" in html, tuple(exceptions), html)
    raise ConnectionError("The server closed the connection before the page was complete.")


def _heartbeat(message: ForwardMsg) -> float | None:
    """Seconds until the next refresh, if this is a message of `ui.components.heartbeat`."""
    component = message.delta.new_element.bidi_component
    return float(json.loads(component.json)["every"]) if component.component_name == "heartbeat" else None


def _rerun(url: str, page: str, fragment: str, cached: Iterable[str], *, query: str = "") -> bytes:
    message = BackMsg()
    request = message.rerun_script
    request.page_name, request.query_string = page, query
    request.fragment_id, request.is_auto_rerun = fragment, bool(fragment)
    request.cached_message_hashes.extend(cached)
    request.context_info.url, request.context_info.color_scheme = url, "light"
    request.context_info.timezone, request.context_info.locale = "Asia/Tokyo", "en"
    return bytes(message.SerializeToString())


@contextmanager
def viewer_pool(url: str, *, speed: float = 1.0) -> Iterator[ViewerPool]:
    """A pool without viewers; they are disconnected at the end of the block."""
    pool = ViewerPool(url, speed=speed)
    thread = threading.Thread(target=pool._loop.run_forever, daemon=True)
    thread.start()
    try:
        yield pool
    finally:
        pool._close()
        thread.join()
        pool._loop.close()
