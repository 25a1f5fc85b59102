"""Viewers without a browser: each is a real session over the page's websocket, which refreshes when the server tells it to."""

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

CACHED_RUNS = 2  # Streamlit's browser side forgets a message that so many runs did without


@dataclass(frozen=True, slots=True)
class PageRun:
    """One run of the page for one viewer: the first is the whole page, the others are refreshes. `at` and `took_s`: monotonic seconds."""

    is_first: bool
    started_at: float
    took_s: float
    received: int  # bytes


@dataclass(slots=True)
class ViewerPool:
    """Viewers who look at one page; `runs` grows while they do."""

    url: str
    interval_s: float = 15.0
    runs: list[PageRun] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _watching: "list[Future[None]]" = field(default_factory=list)

    def refreshes(self, since: float, until: float) -> list[PageRun]:
        """The refreshes that ended in that time."""
        return [run for run in self.runs if not run.is_first and since <= run.started_at + run.took_s < until]

    def add_viewers(self, viewers: int) -> None:
        """So many more viewers come, spread over one interval, as people do."""
        for number in range(viewers):
            coming = self._watch(number * self.interval_s / viewers)
            self._watching.append(asyncio.run_coroutine_threadsafe(coming, self._loop))

    def raise_failures(self) -> None:
        """Raises what ended a viewer's visit, if anything did."""
        for viewer in self._watching:
            if viewer.done():
                viewer.result()

    async def _watch(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await run_viewer(self.url, self.runs)

    def _close(self) -> None:
        for viewer in self._watching:
            viewer.cancel()
        asyncio.run_coroutine_threadsafe(_await_cancelled(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)


async def _await_cancelled() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


async def run_viewer(url: str, runs: list[PageRun]) -> None:
    """Opens the page and refreshes it until cancelled, writing down each run."""
    stream = url.replace("http", "ws", 1) + "_stcore/stream"
    cached: dict[str, int] = {}  # hash → the run that last used it
    timers: dict[str, tuple[float, float]] = {}  # fragment → (interval, when it is due)
    async with connect(stream, subprotocols=["streamlit"], max_size=None, compression=None) as socket:  # type: ignore[list-item]
        number, began, received, running = 0, time.monotonic(), 0, True
        await socket.send(_rerun(url, "", ()))
        while True:
            due = min((due for _, due in timers.values()), default=None)
            if not running and due is not None and due <= time.monotonic():
                fragment = min(timers, key=lambda one: timers[one][1])
                timers[fragment] = (timers[fragment][0], time.monotonic() + timers[fragment][0])
                number, began, received, running = number + 1, time.monotonic(), 0, True
                await socket.send(_rerun(url, fragment, cached))
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
                timers.setdefault(
                    message.auto_rerun.fragment_id,
                    (message.auto_rerun.interval, time.monotonic() + message.auto_rerun.interval),
                )
            elif (every := _heartbeat(message)) is not None:
                timers.pop(message.delta.fragment_id, None)
                if every:
                    timers[message.delta.fragment_id] = (every, time.monotonic() + every)
            elif kind == "script_finished":
                runs.append(PageRun(number == 0, began, time.monotonic() - began, received))
                running = False
                cached = {one: used for one, used in cached.items() if number - used <= CACHED_RUNS}


def _heartbeat(message: ForwardMsg) -> float | None:
    """Seconds until the next refresh, if this message says so (`ui.components.heartbeat`)."""
    component = message.delta.new_element.bidi_component
    return float(json.loads(component.json)["every"]) if component.component_name == "heartbeat" else None


def _rerun(url: str, fragment: str, cached: Iterable[str]) -> bytes:
    message = BackMsg()
    asked = message.rerun_script
    asked.fragment_id, asked.is_auto_rerun = fragment, bool(fragment)
    asked.cached_message_hashes.extend(cached)
    asked.context_info.url, asked.context_info.color_scheme = url, "light"
    asked.context_info.timezone, asked.context_info.locale = "Asia/Tokyo", "en"
    return bytes(message.SerializeToString())


@contextmanager
def viewer_pool(url: str) -> Iterator[ViewerPool]:
    """Nobody yet; whoever joins leaves with the block."""
    here = ViewerPool(url)
    thread = threading.Thread(target=here._loop.run_forever, daemon=True)
    thread.start()
    try:
        yield here
    finally:
        here._close()
        thread.join()
        here._loop.close()
