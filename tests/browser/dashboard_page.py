"""A page of the dashboard, and what a reader does with it."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, WebSocketRoute, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.factories.dashboard_server import DashboardServer

CHART_SELECTOR = ".overlay-chart"
# Counts the messages that a page sends.
COUNT_MESSAGES_JS = """
    window.asked = 0;
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (message) { window.asked += 1; return send.call(this, message); };
"""
MAX_FRAMES = 30 * 60  # at most sixty a second
CHART_NAMES = ("error_rate", "latency", "slow", "requests")


@dataclass
class WebSocketProxy:
    """What a server says to a tab, which can be held back as a slow line or a busy browser does."""

    page: Page
    is_paused: bool = False
    finished_runs: int = 0  # runs of the page that ended, heard of by the tab or not
    _buffer: list[Callable[[], None]] = field(default_factory=list)

    def install(self) -> None:
        """Between the tab and whatever server it opens next."""
        self.page.route_web_socket("**/_stcore/stream", self._connect)

    def _connect(self, tab: WebSocketRoute) -> None:
        def said(message: str | bytes) -> None:
            if isinstance(message, bytes) and ForwardMsg.FromString(message).WhichOneof("type") == "script_finished":
                self.finished_runs += 1
            if self.is_paused:
                self._buffer.append(lambda: tab.send(message))
            else:
                tab.send(message)

        tab.connect_to_server().on_message(said)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The tab hears nothing in this block, and everything in order after it."""
        self.is_paused = True
        yield
        self.is_paused = False
        for tell in self._buffer:
            tell()
        self._buffer.clear()

    def wait_finished_runs(self, answers: int) -> None:
        """Waits until so many runs of the page have ended."""
        for _frame in range(MAX_FRAMES):
            if self.finished_runs >= answers:
                return
            self.page.evaluate("() => new Promise(requestAnimationFrame)")  # lets the wire be heard
        raise AssertionError(f"{self.finished_runs} runs of the page ended, not {answers}.")


@dataclass(frozen=True, slots=True)
class DashboardPage:
    """A tab that shows `server`."""

    page: Page
    server: DashboardServer
    websocket: WebSocketProxy | None = None

    def open(self, path: str, *, charts: int = 4) -> None:
        """Opens an address and waits until so many charts are drawn."""
        self.page.goto(f"{self.server.url}{path}", wait_until="commit")
        self.wait_for_charts(charts)

    def reload(self, *, charts: int = 4) -> None:
        self.page.reload(wait_until="commit")
        self.wait_for_charts(charts)

    def wait_for_charts(self, charts: int = 4) -> None:
        if charts:
            self.wait_for("n => document.querySelectorAll('.overlay-chart[data-drawn] .main-svg').length >= n", charts)
            self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Waits until the server has nothing more to say for now."""
        expect(self.page.locator("[data-testid='stApp'][data-test-script-state='notRunning']")).to_be_visible()

    @property
    def messages_sent(self) -> int:
        """How often the page has asked its server for anything."""
        return int(self.page.evaluate("window.asked"))

    def refresh(self) -> None:
        """Lets the time until the next refresh pass at once. Only of a page that was opened with `clock`."""
        self.page.clock.fast_forward(15_500)

    def refresh_until(self, selector: str, pattern: str, *, within_ms: int) -> None:
        """Refreshes until the page says what is expected: the server asks its sources at their own pace."""
        shown = self.page.locator(selector).filter(has_text=re.compile(pattern)).first
        for _ in range(within_ms // 1000):
            self.refresh()
            try:
                return expect(shown).to_be_visible(timeout=1000)
            except AssertionError:
                continue
        expect(shown).to_be_visible(timeout=0)

    def wait_for(self, expression: str, argument: Any = None) -> None:
        """Waits until a JavaScript expression holds."""
        self.page.wait_for_function(expression, arg=argument)

    @property
    def query_params(self) -> Mapping[str, str]:
        """What is in the address."""
        return dict(parse_qsl(urlsplit(self.page.url).query))

    def wait_query_params(self, **wanted: str) -> None:
        """Waits until the address holds exactly this."""
        self.wait_for(
            "wanted => JSON.stringify([...new URLSearchParams(location.search)].sort()) === wanted",
            _sorted_pairs(wanted),
        )
        self.wait_until_idle()

    def chart(self, name: str) -> Locator:
        return self.page.locator(f".st-key-chart_{name} {CHART_SELECTOR}")

    def panel_head(self, name: str) -> Locator:
        """The line above a chart, or above what stands in its place."""
        title = {"error_rate": "Error rate", "latency": "Latency", "slow": "Slow answers", "requests": "Requests"}[name]
        return self.page.locator(".panel-head").filter(has=self.page.get_by_role("heading", name=title))

    def draw_count(self, name: str) -> int:
        return int(self.chart(name).get_attribute("data-drawn") or 0)

    def x_ranges(self) -> dict[str, tuple[str, ...]]:
        """The x range of every chart, to the minute, as its axis spells it."""
        found: dict[str, list[Any]] = {
            name: self.chart(name).evaluate("box => box._fullLayout.xaxis.range.map(String)") for name in CHART_NAMES
        }
        return {name: tuple(end[:16] for end in ends) for name, ends in found.items()}

    @property
    def window_minutes(self) -> int:
        """How many minutes the charts show, all of them the same."""
        (ends,) = set(self.x_ranges().values())
        first, last = (datetime.fromisoformat(end) for end in ends)
        return int((last - first).total_seconds()) // 60

    def wait_window_minutes(self, at_least: int, at_most: int | None = None) -> None:
        """Waits until every chart shows so many minutes, and the page is at rest."""
        self.wait_for(
            """([names, least, most]) => names.every(name => {
                const box = document.querySelector(`.st-key-chart_${name} .overlay-chart`);
                const [start, end] = (box?._fullLayout?.xaxis.range ?? [0, 0]).map(end => new Date(end).getTime());
                return least * 60000 <= end - start && end - start <= most * 60000;
            }) && new Set(names.map(name => String(
                document.querySelector(`.st-key-chart_${name} .overlay-chart`)._fullLayout.xaxis.range))).size === 1""",
            [list(CHART_NAMES), at_least, at_most or at_least],
        )
        self.wait_until_idle()

    @property
    def live_switch(self) -> Locator:
        return self.page.get_by_role("switch", name="Live")

    def select(self, label: str) -> None:
        """Presses one of the buttons of a row of choices."""
        self.page.get_by_role("radio", name=label, exact=True).click()

    def selected(self) -> list[str]:
        """Every choice that is pressed, in the order of the page."""
        return self.page.get_by_role("radio", checked=True).all_inner_texts()

    def expect_selected(self, *labels: str) -> None:
        """Waits until these are the choices that are pressed, in the order of the page."""
        expect(self.page.get_by_role("radio", checked=True)).to_have_text(labels)

    def drag(self, name: str, start: float, end: float) -> None:
        """Drags over a chart from one share of its width to another."""
        box = self.chart(name).locator(".nsewdrag").first.bounding_box()
        assert box
        y = box["y"] + box["height"] / 2
        mouse = self.page.mouse
        mouse.move(box["x"] + box["width"] * start, y)
        mouse.down()
        for share in (0.25, 0.5, 0.75, 1):
            mouse.move(box["x"] + box["width"] * (start + (end - start) * share), y)
        mouse.up()

    def serious_violations(self) -> list[tuple[str, Any, str]]:
        """What axe-core finds on the page that is serious or worse: its rule, the element, and why."""
        return [
            (one["id"], node["target"], node["failureSummary"])
            for one in Axe().run(self.page).response["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    def text(self, selector: str) -> str:
        return " ".join(self.page.locator(selector).all_inner_texts())

    def expect_text(self, selector: str, pattern: str) -> None:
        expect(self.page.locator(selector).filter(has_text=re.compile(pattern)).first).to_be_visible()


OpenPage = Callable[..., DashboardPage]  # the fixture `opens`


def _sorted_pairs(wanted: Mapping[str, str]) -> str:
    pairs = ",".join(f'["{name}","{value}"]' for name, value in sorted(wanted.items()))
    return f"[{pairs}]"


def open_batches(server: DashboardServer, opens: OpenPage, address: str = "/batches", **look: Any) -> DashboardPage:
    # Below an address Streamlit first looks for its own files beside the page, and is told that they are not there.
    board: DashboardPage = opens(server, address, drawn=0, faultless=False, **look)
    return board


PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


DARK: dict[str, Any] = {"color_scheme": "dark"}


THEMES = pytest.mark.parametrize("look", [{}, DARK, PHONE], ids=["light", "dark", "phone"])
