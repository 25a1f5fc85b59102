"""Chromium at a page: how long until its charts are drawn, and how many bytes came over the wire."""

import base64
import os
import time
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
# Both pages draw with plotly: a chart is there when a line of it is. The answer is in seconds since the navigation began.
CHARTS_DRAWN_JS = f"""() => {{
  const drawn = [...document.querySelectorAll(".js-plotly-plot")].filter((one) => one.querySelector("path.js-line"));
  return drawn.length >= {CHARTS} && performance.now() / 1000;
}}"""


@dataclass(slots=True)
class ReceivedBytes:
    """What a page received: bytes of HTTP replies as they were sent, and the payload of websocket frames, each with its moment."""

    http: int = 0
    frames: list[tuple[float, int]] = field(default_factory=list)

    @property
    def received(self) -> int:
        return self.http + sum(length for _, length in self.frames)

    def bursts(self, since: float, *, pause_s: float = 4.0) -> list[int]:
        """The frames since a moment as refreshes: what came together, in bytes."""
        found: list[int] = []
        last = 0.0
        for at, length in self.frames:
            if at < since:
                continue
            if found and at - last < pause_s:
                found[-1] += length
            else:
                found.append(length)
            last = at
        return found


@dataclass(frozen=True, slots=True)
class OpenedPage:
    """A page with its charts drawn."""

    page: Page
    drawn_s: float
    received_bytes: ReceivedBytes


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, while the block lasts."""
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS.split())
        try:
            yield browser
        finally:
            browser.close()


def new_visitor(browser: Browser) -> BrowserContext:
    """Somebody new: nothing is in this browser's cache."""
    return browser.new_context(viewport={"width": 1440, "height": 1000})


def open_page(context: BrowserContext, url: str, *, timeout_s: float = 60) -> OpenedPage:
    """Opens the page and waits for its charts. Raises playwright's TimeoutError."""
    page, wire = context.new_page(), ReceivedBytes()
    session = context.new_cdp_session(page)
    session.on("Network.loadingFinished", lambda told: _add_http(wire, told))
    session.on("Network.webSocketFrameReceived", lambda told: _add_frame(wire, told))
    session.send("Network.enable")
    page.goto(url, wait_until="commit")
    drawn = page.wait_for_function(CHARTS_DRAWN_JS, timeout=timeout_s * 1000)
    return OpenedPage(page, float(drawn.json_value()), wire)


def _add_http(wire: ReceivedBytes, told: dict[str, Any]) -> None:
    wire.http += int(told["encodedDataLength"])


def _add_frame(wire: ReceivedBytes, told: dict[str, Any]) -> None:
    frame = told["response"]
    data = frame["payloadData"]
    wire.frames.append((time.monotonic(), len(base64.b64decode(data)) if frame["opcode"] == 2 else len(data)))
