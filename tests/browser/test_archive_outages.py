"""While PostgreSQL is stopped, open pages keep their last view, with its age, the reason and the next step."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from archive import Archive
from domain import load
from tests.browser.dashboard_page import CHART_SELECTOR, OpenPage, open_subpage
from tests.browser.running_dashboard import server_environment, wait_until_archived, write_config
from tests.factories.dashboard_server import StartServer
from tests.fakes.postgresql import PostgresServer
from tests.fakes.services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

NO_ANSWER = r"The archive's database server is unavailable \(since \d\d:\d\d JST\)"
AS_OF = r"Shown: archive as of \d\d:\d\d JST, plus newer data held in memory\."


@pytest.mark.postgresql
def test_pages_keep_their_last_view_while_postgresql_is_stopped(
    services: FakeServices,
    tmp_path: Path,
    start_server: StartServer,
    open_page: OpenPage,
    postgres_server: PostgresServer,
) -> None:
    path = write_config(services, tmp_path)
    url = postgres_server.schema_url(tmp_path)
    path.write_text(re.sub(r'archive = ".*"', f'archive = "{url}"', path.read_text(encoding="utf-8")), encoding="utf-8")
    server = start_server(server_environment(services, path))
    with Archive.open(url, load(path)) as archive:
        wait_until_archived(server, archive)
    live = open_page(server, clock=True)
    parity = open_subpage(open_page, server, "/parity")
    criteria = parity.page.locator(".forest").first
    expect(criteria).to_be_visible()
    parity.wait_until_idle()
    numbers = criteria.inner_text()

    postgres_server.stop()
    try:
        live.refresh_until(".error", NO_ANSWER, within_ms=45_000)
        expect(live.page.locator(".error")).to_have_text(re.compile(AS_OF + ".*→ Check that the server is running"))
        expect(live.page.locator(f"[class*='st-key-chart_'] {CHART_SELECTOR}")).to_have_count(4)
        parity.page.reload()
        expect(parity.page.locator(".error")).to_have_text(re.compile(NO_ANSWER + ".*" + AS_OF))
        expect(criteria).to_have_text(numbers, use_inner_text=True)
    finally:
        postgres_server.start()
    live.refresh_until(".error", "", within_ms=90_000, visible=False)  # what was held is written with the next poll
