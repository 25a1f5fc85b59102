"""The board of several migrations, or of the releases of a service: its links lead to one of them, and every link there keeps it."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.dashboard_page import OpenPage, open_subpage
from tests.browser.running_dashboard import server_environment
from tests.factories.dashboard_server import DashboardServer, StartServer
from tests.fakes.services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def write_folder(services: FakeServices, folder: Path) -> Path:
    """Two migrations, and a file that is no configuration."""
    config = folder / "migrations"
    config.mkdir()
    for name in ("Photo service", "Orders"):
        text = services.config(str(folder / "archive.db"), name=name, with_latency=False, backfill=False)
        (config / f"{name}.toml").write_text(text, encoding="utf-8")
    (config / "shop.toml").write_text("[migration\n")
    return config


def expect_migration(page: Page, path: str, name: str) -> None:
    """That `page` shows a page of the migration, and says so in its URL."""
    page.wait_for_url(f"**{path}?*migration={name.lower().replace(' ', '-')}*")
    expect(page.locator("h1.page-title")).to_contain_text(name)


def test_links_lead_from_the_board_to_a_migration_and_keep_it(
    services: FakeServices, start_server: StartServer, open_page: OpenPage, tmp_path: Path
) -> None:
    server = start_server(server_environment(services, write_folder(services, tmp_path)))
    page = open_subpage(open_page, server, "/").page
    rows = page.locator(".board tbody tr")
    expect(rows).to_have_count(2)
    expect(page.locator(".error")).to_contain_text("shop.toml")
    expect(rows.filter(has_text="Orders").locator("b")).to_be_visible(timeout=90_000)
    page.get_by_role("link", name="Orders").click()
    expect_migration(page, "/", "Orders")
    page.get_by_role("link", name="Parity", exact=True).first.click()
    expect_migration(page, "/parity", "Orders")
    page.locator(".language a").click()  # loads the page again
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    expect_migration(page, "/parity", "Orders")
    page.locator("a[href^='/endpoints']").first.click()
    expect_migration(page, "/endpoints", "Orders")
    page.get_by_role("link", name="移行一覧").first.click()
    expect(rows).to_have_count(2)
    assert "migration=" not in page.url


def test_releases_are_a_list_whose_links_lead_to_the_pages_of_each_and_back(
    demo_server: DashboardServer, open_page: OpenPage
) -> None:
    page = open_subpage(open_page, demo_server, "/").page
    page.get_by_role("link", name="releases of another service").click()
    rows = page.locator(".board tbody tr")
    expect(rows).to_have_count(4, timeout=90_000)
    expect(page.locator("h1.page-title")).to_contain_text("Photo search (demo)")
    rolled_back = rows.filter(has_text="search:58 → search:59")
    expect(rolled_back).to_contain_text(re.compile("ROLL BACK|HOLD"), timeout=90_000)  # by the noise of the day
    expect(rolled_back).to_contain_text("rolled back")
    expect(rows.first).to_contain_text("20%")
    commit = rolled_back.get_by_role("link", name="c02f9a3")
    expect(commit).to_have_attribute("rel", re.compile("noopener"))
    rolled_back.get_by_role("link", name="Live").click()
    page.wait_for_url("**/?migration=photo-search-demo-search-59*from=*")
    expect(page.locator("h1.page-title")).to_contain_text("search:59")
    expect(page.locator(".hero")).to_contain_text("regressed")
    page.get_by_role("link", name="Parity", exact=True).first.click()
    page.wait_for_url("**/parity?*migration=photo-search-demo-search-59*")
    expect(page.locator(".forest tbody tr").first).to_be_visible()
    page.get_by_role("link", name="Releases", exact=True).first.click()
    page.wait_for_url("**/releases?*migration=photo-search-demo")
    expect(rows).to_have_count(4)
    rows.first.get_by_role("link", name="Live").click()
    expect(page.get_by_text("Deployment of search:61 waits at PRE_PRODUCTION_TRAFFIC_SHIFT")).to_be_visible()
    page.get_by_role("button", name="Continue or roll back…").click()
    expect(page.get_by_text("--action ROLLBACK")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Photo service (demo)").click()
    page.wait_for_url("**/?*migration=photo-service-demo*")
    expect(page.locator("h1.page-title")).to_contain_text("Photo service (demo)")
