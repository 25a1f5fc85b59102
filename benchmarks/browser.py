"""A page in Chromium: the time until its charts are drawn, and the bytes received."""

import base64
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
CHARTS = 4
# Both pages draw with plotly: a chart is drawn when it has a line. The result is in seconds since the navigation began.
CHARTS_DRAWN_JS = f"""() => {{
  const drawn = [...document.querySelectorAll(".js-plotly-plot")].filter((chart) => chart.querySelector("path.js-line"));
  return drawn.length >= {CHARTS} && performance.now() / 1000;
}}"""


@dataclass(slots=True)
class ReceivedBytes:
    """Encoded bytes of HTTP responses, and sizes of websocket frames as they are sent.

    DevTools has their payload before compression. `deflate`: compresses it as the server does, if both agreed on it.
    """

    http: int = 0
    frames: list[tuple[float, int]] = field(default_factory=list)  # (monotonic seconds, bytes)
    deflate: Any = None

    @property
    def total(self) -> int:
        return self.http + sum(length for _, length in self.frames)

    def bursts(self, since: float, *, pause_s: float = 4.0) -> list[int]:
        """The frames since a time, grouped into refreshes, in bytes."""
        bursts: list[int] = []
        last = 0.0
        for at, length in self.frames:
            if at < since:
                continue
            if bursts and at - last < pause_s:
                bursts[-1] += length
            else:
                bursts.append(length)
            last = at
        return bursts


@dataclass(frozen=True, slots=True)
class OpenedPage:
    """A page with its charts drawn."""

    page: Page
    drawn_s: float
    received_bytes: ReceivedBytes


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that is closed with the block."""
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS.split())
        try:
            yield browser
        finally:
            browser.close()


def new_visitor(browser: Browser, width: int = 1440, height: int = 1000) -> BrowserContext:
    """A context with an empty cache."""
    return browser.new_context(viewport={"width": width, "height": height})


def open_page(context: BrowserContext, url: str, *, drawn: str = CHARTS_DRAWN_JS, timeout_s: float = 60) -> OpenedPage:
    """Opens the page and waits for its charts, or for another function `drawn`. Raises playwright's TimeoutError."""
    page, received = context.new_page(), ReceivedBytes()
    session = context.new_cdp_session(page)
    session.on("Network.loadingFinished", lambda event: _add_http(received, event))
    session.on("Network.webSocketHandshakeResponseReceived", lambda event: _note_compression(received, event))
    session.on("Network.webSocketFrameReceived", lambda event: _add_frame(received, event))
    session.send("Network.enable")
    page.goto(url, wait_until="commit")
    drawn_s = page.wait_for_function(drawn, timeout=timeout_s * 1000)
    return OpenedPage(page, float(drawn_s.json_value()), received)


def _add_http(received: ReceivedBytes, event: dict[str, Any]) -> None:
    received.http += int(event["encodedDataLength"])


def _note_compression(received: ReceivedBytes, event: dict[str, Any]) -> None:
    headers = {name.lower(): value for name, value in event["response"]["headers"].items()}
    if "permessage-deflate" in headers.get("sec-websocket-extensions", ""):
        received.deflate = zlib.compressobj(wbits=-12, memLevel=5)  # those of websockets, the library of uvicorn


def _add_frame(received: ReceivedBytes, event: dict[str, Any]) -> None:
    frame = event["response"]
    data = base64.b64decode(frame["payloadData"]) if frame["opcode"] == 2 else frame["payloadData"].encode()
    if received.deflate:
        data = received.deflate.compress(data) + received.deflate.flush(zlib.Z_SYNC_FLUSH)
    received.frames.append((time.monotonic(), len(data)))
