"""Chromium, the servers that its pages come from, and what a test does with a page.

All browser tests run on one worker (`--dist loadgroup`): a second Chromium on two cores makes both slow.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.dashboard_page import COUNT_MESSAGES_JS, DashboardPage, OpenPage, WebSocketProxy
from tests.factories.dashboard_server import DashboardServer, StartServer, run_dashboard
from tests.fakes.services import FakeServices, RunningDashboard, dashboard_on_fakes, fake_services

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_MS = 30_000

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Of the package, not of the session: as long as Playwright's sync API is on, no other test may use asyncio."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def contexts(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """One context a set of options: pages that share it share what was loaded, as the tabs of one reader do."""
    known: dict[str, BrowserContext] = {}

    def context(**options: Any) -> BrowserContext:
        options = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"} | options
        key = repr(sorted(options.items()))
        if key not in known:
            known[key] = chromium.new_context(**options)
            known[key].set_default_timeout(TIMEOUT_MS)
        return known[key]

    yield context
    for one in known.values():
        one.close()


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """An empty folder for a server of the test's own."""
    return tmp_path


@pytest.fixture
def starts(room: Path) -> Iterator[StartServer]:
    """Starts a server of the test's own, fresh, with an environment."""
    with ExitStack() as stack:
        yield lambda environment: stack.enter_context(run_dashboard(room, environment))


@pytest.fixture
def opens(contexts: Callable[..., BrowserContext], starts: object) -> Iterator[OpenPage]:
    """Opens an address of a server in a new tab, which is closed before any server is (`starts`).

    A tab in which a script failed, or complained, fails its test where it shall be `faultless`.
    """
    pages: list[Page] = []
    faults: list[str] = []

    def open_page(
        server: DashboardServer,
        address: str = "/",
        *,
        drawn: int = 4,
        faultless: bool = True,
        clock: bool = False,
        wire: bool = False,
        **options: Any,
    ) -> DashboardPage:
        page = contexts(**options).new_page()
        pages.append(page)
        if faultless:
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        if clock:
            page.clock.install()
            page.add_init_script(COUNT_MESSAGES_JS)
        board = DashboardPage(page, server, WebSocketProxy(page) if wire else None)
        if board.websocket:
            board.websocket.install()
        board.open(address, charts=drawn)
        return board

    yield open_page
    for page in pages:
        page.close()
    assert not faults


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardServer]:
    with run_dashboard(tmp_path_factory.mktemp("demo"), {"MIGRATION_DEMO": "1"}) as server:
        yield server


@pytest.fixture(scope="session")
def world() -> Iterator[FakeServices]:
    with fake_services() as world:
        yield world


@pytest.fixture(scope="session")
def photo(world: FakeServices, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDashboard]:
    """A server that watches the whole world."""
    with dashboard_on_fakes(world, tmp_path_factory.mktemp("photo")) as photo:
        yield photo
