"""A page that cannot be opened shows the reasons, key by key, and opens as soon as they are resolved."""

import re
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from archive import Archive
from domain import load
from messages import live
from messages.i18n import in_language
from messages.server import NO_CONNECTION
from tests.browser.dashboard_page import OpenPage, open_subpage
from tests.browser.running_dashboard import server_environment, write_config
from tests.factories.dashboard_server import DashboardServer, StartServer
from tests.fakes.services import EXAMPLE_CREDENTIALS, FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_configuration_errors_are_shown_until_corrected(
    services: FakeServices, tmp_path: Path, start_server: StartServer, open_page: OpenPage
) -> None:
    path = write_config(services, tmp_path, name="<b>Photo</b>")
    valid = path.read_text(encoding="utf-8")
    path.write_text(valid.replace('"0.05pp"', '"<i>0.05</i>"').replace("timezone", "timezoen"), encoding="utf-8")
    dashboard = open_page(start_server(server_environment(services, path)), "/?window=1h", charts=0)

    expect(dashboard.page.get_by_role("heading", level=1)).to_have_text(live.configuration_error(str(path)))
    issues = dashboard.page.locator(".error")
    expect(issues).to_have_count(2)
    expect(issues.filter(has_text="timezoen")).to_contain_text("timezone")
    expect(issues.filter(has_text="criteria")).to_contain_text("<i>0.05</i>")
    expect(issues.locator("i")).to_have_count(0)
    assert "DEMO" not in dashboard.text("[data-testid='stMain']")

    dashboard.page.get_by_role("button", name="Try again").click()
    dashboard.wait_until_idle()
    expect(issues).to_have_count(2)

    path.write_text(valid, encoding="utf-8")
    dashboard.page.get_by_role("button", name="Try again").click()
    dashboard.wait_for_charts()
    assert dashboard.window_minutes == 60
    expect(dashboard.page.get_by_role("heading", level=1)).to_have_text("Live – <b>Photo</b>")


def test_a_missing_configuration_does_not_open_the_demo(
    tmp_path: Path, start_server: StartServer, open_page: OpenPage
) -> None:
    environment = EXAMPLE_CREDENTIALS | {"MIGRATION_CONFIG": str(tmp_path / "migratoin.toml")}
    dashboard = open_page(start_server(environment), charts=0)
    expect(dashboard.page.locator(".error")).to_contain_text("No such file or directory")
    assert "DEMO" not in dashboard.text("[data-testid='stMain']")


def test_an_archive_of_a_newer_version_is_not_changed(
    services: FakeServices, tmp_path: Path, start_server: StartServer, open_page: OpenPage
) -> None:
    path = write_config(services, tmp_path)
    migration, archive = load(path), tmp_path / "archive.db"
    Archive.open(migration.archive, migration).close()
    with closing(sqlite3.connect(archive)) as connection, connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    before = archive.read_bytes()

    server = start_server(server_environment(services, path))
    dashboard = open_page(server, charts=0, clock=True)
    expect(dashboard.page.get_by_role("heading", level=1)).to_have_text("The archive cannot be opened")
    expect(dashboard.page.locator(".error")).to_contain_text(
        "Update this program, or set another file in `archive` under [migration]."
    )
    assert archive.read_bytes() == before

    with closing(sqlite3.connect(archive)) as connection, connection:
        connection.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
    dashboard.page.get_by_role("button", name="Try again").click()
    dashboard.wait_for_charts()

    with closing(sqlite3.connect(archive)) as connection, connection:  # while it runs
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    dashboard.refresh_until(".error", "Update this program", within_ms=45_000)
    for page in ("parity", "endpoints", "retrospective"):
        other = open_subpage(open_page, server, f"/{page}")
        expect(other.page.locator(".error").first).to_contain_text("Update this program")


def test_a_page_says_that_the_archive_is_being_opened(
    services: FakeServices, tmp_path: Path, start_server: StartServer, get_context: Callable[..., BrowserContext]
) -> None:
    """A PostgreSQL server that accepts the connection and does not answer until it is closed."""
    path = write_config(services, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as database:
        database.settimeout(60)
        url = f"postgresql+psycopg://archive@127.0.0.1:{database.getsockname()[1]}/archive"
        path.write_text(re.sub(r'archive = ".*"', f'archive = "{url}"', path.read_text(encoding="utf-8")), "utf-8")
        server = start_server(server_environment(services, path), until_logged="")
        connection, _address = database.accept()
        page = get_context().new_page()
        page.goto(f"{server.url}/parity?lang=ja")
        notice = page.get_by_role("status").filter(has_text="アーカイブを開いています…")
        expect(notice).to_be_visible()
    connection.close()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(notice).to_have_count(0)
    page.close()


@pytest.mark.parametrize("is_blocked", [True, False])
def test_a_page_without_a_websocket_says_so_in_each_language(
    demo_server: DashboardServer, get_context: Callable[..., BrowserContext], is_blocked: bool
) -> None:
    page = get_context().new_page()
    if is_blocked:
        page.add_init_script("window.WebSocket = class { constructor() { throw new Error('blocked'); } };")
    page.goto(demo_server.url)
    loaded = page.get_by_test_id("stAppSkeleton") if is_blocked else page.locator(".hero").first
    expect(loaded).to_be_visible()
    page.evaluate("document.querySelector('.no-connection').getAnimations().map((wait) => wait.finish())")  # after 20 s
    for language in ("en", "ja"):
        notice = page.locator(f".no-connection [lang={language}]")
        with in_language(language):
            expect(notice).to_have_text(str(NO_CONNECTION))
        expect(notice).to_be_visible(visible=is_blocked)
    page.close()
