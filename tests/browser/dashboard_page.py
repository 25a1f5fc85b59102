"""A page of the dashboard in a tab, and the actions of its viewer."""

import json
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
COUNT_MESSAGES_JS = """
    window.messagesSent = 0;
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (message) { window.messagesSent += 1; return send.call(this, message); };
"""
MAX_FRAMES = 30 * 60  # at most sixty a second
CHART_NAMES = ("error_rate", "latency", "slow", "requests")
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DARK: dict[str, Any] = {"color_scheme": "dark"}
THEMES = pytest.mark.parametrize("options", [{}, DARK, PHONE], ids=["light", "dark", "phone"])


@dataclass
class WebSocketProxy:
    """The messages from a server to a tab, which can be delayed as a slow network or a busy browser does."""

    page: Page
    is_paused: bool = False
    finished_runs: int = 0  # of the page's script, whether or not the tab was notified
    _buffer: list[Callable[[], None]] = field(default_factory=list)

    def install(self) -> None:
        """Intercepts the websocket that the tab opens next."""
        self.page.route_web_socket("**/_stcore/stream", self._connect)

    def _connect(self, tab: WebSocketRoute) -> None:
        def forward(message: str | bytes) -> None:
            if isinstance(message, bytes) and ForwardMsg.FromString(message).WhichOneof("type") == "script_finished":
                self.finished_runs += 1
            if self.is_paused:
                self._buffer.append(lambda: tab.send(message))
            else:
                tab.send(message)

        tab.connect_to_server().on_message(forward)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The tab receives nothing in this block, and everything in order after it."""
        self.is_paused = True
        yield
        self.is_paused = False
        for send in self._buffer:
            send()
        self._buffer.clear()

    def wait_finished_runs(self, runs: int) -> None:
        for _frame in range(MAX_FRAMES):
            if self.finished_runs >= runs:
                return
            self.page.evaluate("() => new Promise(requestAnimationFrame)")  # lets playwright handle messages
        raise AssertionError(f"{self.finished_runs} runs of the page ended, not {runs}.")


@dataclass(frozen=True, slots=True)
class DashboardPage:
    """A tab that shows `server`."""

    page: Page
    server: DashboardServer
    websocket: WebSocketProxy | None = None

    def open(self, path: str, *, charts: int = 4) -> None:
        """Opens a path and waits until all its charts are drawn, `charts` at least."""
        self.page.goto(f"{self.server.url}{path}", wait_until="commit")
        self.wait_for_charts(charts)

    def reload(self, *, charts: int = 4) -> None:
        self.page.reload(wait_until="commit")
        self.wait_for_charts(charts)

    def wait_for_charts(self, charts: int = 4) -> None:
        if charts:
            self.wait_for(
                """n => {
                    const charts = [...document.querySelectorAll('.overlay-chart')];
                    return charts.length >= n && charts.every(chart => chart.dataset.drawn);
                }""",
                charts,
            )
            self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Waits until the server's script has ended, and every script of the page is loaded: what follows a skeleton is hidden."""
        expect(self.page.locator("[data-testid='stApp'][data-test-script-state='notRunning']")).to_be_visible()
        expect(self.page.get_by_test_id("stSkeleton")).to_have_count(0)

    @property
    def messages_sent(self) -> int:
        """The number of messages from the page to its server. Needs `clock`."""
        return int(self.page.evaluate("window.messagesSent"))

    def refresh(self) -> None:
        """Advances the page's clock to its next refresh. Needs `clock`."""
        self.page.clock.fast_forward(15_500)

    def refresh_until(self, selector: str, pattern: str, *, within_ms: int, visible: bool = True) -> None:
        """Refreshes until an element has the text, or none has: the server polls its sources at their own intervals."""
        element = self.page.locator(selector).filter(has_text=re.compile(pattern)).first
        for _ in range(within_ms // 1000):
            self.refresh()
            try:
                return expect(element).to_be_visible(timeout=1000, visible=visible)
            except AssertionError:
                continue
        expect(element).to_be_visible(timeout=0, visible=visible)

    def wait_for(self, expression: str, argument: Any = None) -> None:
        """Waits until a JavaScript expression is true."""
        self.page.wait_for_function(expression, arg=argument)

    @property
    def query_params(self) -> Mapping[str, str]:
        return dict(parse_qsl(urlsplit(self.page.url).query))

    def wait_query_params(self, **params: str) -> None:
        """Waits until the URL has exactly these query parameters."""
        self.wait_for(
            "params => JSON.stringify([...new URLSearchParams(location.search)].sort()) === params",
            json.dumps(sorted(params.items()), separators=(",", ":"), ensure_ascii=False),
        )
        self.wait_until_idle()

    def chart(self, name: str) -> Locator:
        return self.page.locator(f".st-key-chart_{name} {CHART_SELECTOR}")

    def panel_head(self, name: str) -> Locator:
        """The line above a chart, or above its replacement."""
        title = {"error_rate": "Error rate", "latency": "Latency", "slow": "Slow responses", "requests": "Requests"}[
            name
        ]
        return self.page.locator(".panel-head").filter(has=self.page.get_by_role("heading", name=title))

    def draw_count(self, name: str) -> int:
        return int(self.chart(name).get_attribute("data-drawn") or 0)

    def x_ranges(self) -> dict[str, tuple[str, ...]]:
        """The x range of every chart, to the minute, as its axis formats it."""
        ranges: dict[str, list[Any]] = {
            name: self.chart(name).evaluate("box => box._fullLayout.xaxis.range.map(String)") for name in CHART_NAMES
        }
        return {name: tuple(end[:16] for end in ends) for name, ends in ranges.items()}

    @property
    def window_minutes(self) -> int:
        """The length of the window, the same on all charts."""
        (ends,) = set(self.x_ranges().values())
        first, last = (datetime.fromisoformat(end) for end in ends)
        return int((last - first).total_seconds()) // 60

    def wait_window_minutes(self, at_least: int, at_most: int | None = None) -> None:
        """Waits until every chart shows a window of this length."""
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
    def refresh_choice(self) -> Locator:
        return self.page.get_by_role("combobox", name="Refresh")

    def choose_refresh(self, choice: str) -> None:
        # A list that has just opened is closed by the event of scrolling to it, which comes a frame later.
        self.refresh_choice.scroll_into_view_if_needed()
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        self.refresh_choice.click()
        self.page.get_by_role("option", name=f"⟳ {choice}", exact=True).click()

    def select(self, label: str) -> None:
        """Presses one of the buttons of a row of choices."""
        self.page.get_by_role("radio", name=label, exact=True).click()

    def selected(self) -> list[str]:
        """All pressed choices, in the order of the page."""
        return self.page.get_by_role("radio", checked=True).all_inner_texts()

    def expect_selected(self, *labels: str) -> None:
        """Waits until exactly these choices are pressed, in the order of the page."""
        expect(self.page.get_by_role("radio", checked=True)).to_have_text(labels)

    def drag(self, name: str, start: float, end: float) -> None:
        """Drags over a chart from one share of its width to another."""
        box = self.plot_area(name)
        y = box["y"] + box["height"] / 2
        mouse = self.page.mouse
        mouse.move(box["x"] + box["width"] * start, y)
        mouse.down()
        for share in (0.25, 0.5, 0.75, 1):
            mouse.move(box["x"] + box["width"] * (start + (end - start) * share), y)
        mouse.up()

    def plot_area(self, name: str) -> Any:
        """The bounding box of a chart's plot: x, y, width, height."""
        area = self.chart(name).locator(".nsewdrag").first
        area.scroll_into_view_if_needed()
        box = area.bounding_box()
        assert box
        return box

    def violations(self, *impacts: str) -> list[tuple[str, Any, str]]:
        """What axe-core finds, with one of these impacts or with any: its rule, the element, and the reason."""
        return [
            (violation["id"], node["target"], node["failureSummary"])
            for violation in Axe().run(self.page).response["violations"]
            if not impacts or violation["impact"] in impacts
            for node in violation["nodes"]
        ]

    def serious_violations(self) -> list[tuple[str, Any, str]]:
        return self.violations("serious", "critical")

    def fits_width(self) -> bool:
        """Whether the page does not scroll sideways."""
        main = self.page.locator("[data-testid='stMain']")
        return bool(main.evaluate("main => main.scrollWidth <= main.clientWidth"))

    def elements_beyond_the_right_edge(self, selector: str) -> list[str]:
        return list(
            self.page.evaluate(
                "selector => [...document.querySelectorAll(selector)]"
                ".filter(element => element.getBoundingClientRect().right > innerWidth + 0.5)"
                ".map(element => element.outerHTML.slice(0, 80))",
                selector,
            )
        )

    def text(self, selector: str) -> str:
        return " ".join(self.page.locator(selector).all_inner_texts())

    def expect_text(self, selector: str, pattern: str) -> None:
        expect(self.page.locator(selector).filter(has_text=re.compile(pattern)).first).to_be_visible()


OpenPage = Callable[..., DashboardPage]  # the fixture `open_page`


def open_subpage(
    open_page: OpenPage, server: DashboardServer, path: str, *, charts: int = 0, **options: Any
) -> DashboardPage:
    """Opens a path below the root: there Streamlit first looks for its own files beside the page, which the browser reports as errors."""
    dashboard: DashboardPage = open_page(server, path, charts=charts, fail_on_errors=False, **options)
    return dashboard
