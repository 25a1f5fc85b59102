"""Fixtures: Chromium, the servers of its pages, and tabs.

All browser tests run on one worker (`--dist loadgroup`): a second Chromium on two cores slows both down.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.dashboard_page import COUNT_MESSAGES_JS, DashboardPage, OpenPage, WebSocketProxy
from tests.browser.running_dashboard import TRAFFIC, RunningDashboard, dashboard_on_fakes
from tests.factories.dashboard_server import DashboardServer, StartServer, run_dashboard
from tests.fakes.services import FakeServices, fake_services

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
TIMEOUT_MS = 90_000  # of each wait; two slow cores run two browsers and their dashboards

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Of the package, not of the session: while Playwright's sync API is active, no other test may use asyncio."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def get_context(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """One context for each set of options: pages in it share a cache, like the tabs of one viewer."""
    contexts: dict[str, BrowserContext] = {}

    def get(**options: Any) -> BrowserContext:
        options = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"} | options
        key = repr(sorted(options.items()))
        if key not in contexts:
            contexts[key] = chromium.new_context(**options)
            contexts[key].set_default_timeout(TIMEOUT_MS)
        return contexts[key]

    yield get
    for context in contexts.values():
        context.close()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts a server for one test, in `tmp_path`: an environment and the options of `run_dashboard`."""
    with ExitStack() as stack:
        yield lambda environment, **options: stack.enter_context(run_dashboard(tmp_path, environment, **options))


@pytest.fixture
def open_page(get_context: Callable[..., BrowserContext], start_server: object) -> Iterator[OpenPage]:
    """Opens a path of a server in a new tab, which is closed before any server is (`start_server`).

    A script error or an error in the console fails the test, unless `fail_on_errors` is False.
    """
    pages: list[Page] = []
    errors: list[str] = []

    def open_tab(
        server: DashboardServer,
        path: str = "/",
        *,
        charts: int = 4,
        fail_on_errors: bool = True,
        clock: bool = False,
        proxy: bool = False,
        **options: Any,
    ) -> DashboardPage:
        page = get_context(**options).new_page()
        pages.append(page)
        if fail_on_errors:
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        if clock:
            page.clock.install()
            page.add_init_script(COUNT_MESSAGES_JS)
        dashboard = DashboardPage(page, server, WebSocketProxy(page) if proxy else None)
        if dashboard.websocket:
            dashboard.websocket.install()
        dashboard.open(path, charts=charts)
        return dashboard

    yield open_tab
    for page in pages:
        page.close()
    assert not errors


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardServer]:
    with run_dashboard(tmp_path_factory.mktemp("demo"), {"MIGRATION_DEMO": "1"}) as server:
        yield server


@pytest.fixture(scope="session")
def services() -> Iterator[FakeServices]:
    with fake_services(TRAFFIC) as services:
        yield services


@pytest.fixture(scope="session")
def running(services: FakeServices, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDashboard]:
    """A dashboard that reads `services`."""
    with dashboard_on_fakes(services, tmp_path_factory.mktemp("running")) as running:
        yield running
