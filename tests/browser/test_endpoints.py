"""The Endpoints page in a real browser: opened first, a route by its address, filters, a reload, in the dark and on a phone, and without logs."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard_page import DARK, PHONE, THEMES, DashboardPage, OpenPage, open_batches
from tests.factories.dashboard_server import DashboardServer, StartServer
from tests.fakes.services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
SHARE = "/v1/albums/:id/share"


def counted(board: DashboardPage) -> DashboardPage:
    """The page once the logs of its window are counted."""
    expect(board.page.locator(".routes tbody tr")).to_have_count(14)  # thirteen, and all of them together
    expect(board.page.locator("[data-testid='stProgress']")).to_have_count(0)
    expect(board.page.locator(".hides")).to_be_visible()
    return board


def test_a_cold_deep_link_counts_the_logs_and_shows_what_totals_hide(
    room: Path, starts: StartServer, opens: OpenPage
) -> None:
    board = counted(open_batches(starts({"MIGRATION_DEMO": "1"}), opens, "/endpoints"))
    expect(board.page.locator(".aloud")).to_contain_text("1 of 13 routes regresses")
    expect(board.page.locator(".hides")).to_contain_text(f"A regression on one route: {SHARE}")
    rows = board.page.locator(".routes tbody tr")
    expect(rows.nth(0)).to_contain_text("all routes together")
    expect(rows.nth(1)).to_contain_text(SHARE)
    expect(rows.nth(1)).to_contain_text("regression")
    expect(board.page.locator(".routes")).to_contain_text("/search/<script>alert(1)</script>")
    expect(board.page.get_by_text("lines read")).to_be_visible()
    board.wait_for_charts(1)
    names = board.page.locator(".overlay-chart").evaluate("box => box._fullData.map(one => one.name)")
    assert "regression" in names and "parity" in names


def test_a_route_has_an_address_with_its_times_codes_and_lines(demo: DashboardServer, opens: OpenPage) -> None:
    board = counted(open_batches(demo, opens, "/endpoints"))
    board.page.locator(".routes tbody a", has_text=SHARE).click()
    expect(board.page.locator(".job-head")).to_contain_text(SHARE)
    assert board.query_params == {"route": SHARE}
    board.wait_for_charts(2)
    expect(board.page.locator(".codes")).to_contain_text("500")
    expect(board.page.locator(".log-lines").first).to_contain_text("POST api.photo.example.com/v1/albums/")
    assert "?" not in board.page.locator(".log-lines").first.inner_text()
    board.page.reload()
    expect(board.page.locator(".job-head")).to_contain_text(SHARE)
    board.page.get_by_role("button", name="All routes").click()
    counted(board)
    assert board.query_params == {}


def test_filters_are_in_the_address(demo: DashboardServer, opens: OpenPage) -> None:
    board = open_batches(demo, opens, "/endpoints?window=3h&method=POST&map=p95")
    rows = board.page.locator(".routes tbody tr")
    expect(rows).to_have_count(4)
    expect(board.page.locator(".routes")).to_contain_text("/photos/:id/comments")
    board.page.get_by_role("combobox", name="Host").click()
    board.page.get_by_role("option", name="api.photo.example.com").click()
    expect(rows).to_have_count(2)
    board.wait_query_params(window="3h", method="POST", map="p95", host="api.photo.example.com")
    board.page.reload()
    expect(rows).to_have_count(2)
    assert board.page.locator(".routes tbody a").get_attribute("href") == (
        "?route=%2Fv1%2Falbums%2F%3Aid%2Fshare&window=3h&method=POST&host=api.photo.example.com&map=p95"
    )


def test_what_makes_no_sense_is_said_and_left_out(demo: DashboardServer, opens: OpenPage) -> None:
    board = open_batches(demo, opens, "/endpoints?status=9xx&route=%2F<script>")
    expect(board.page.get_by_text("Something in the address made no sense")).to_be_visible()
    expect(board.page.get_by_text("there is no route “/<script>”")).to_be_visible()
    expect(board.page.locator(".routes")).to_be_visible()


@THEMES
@pytest.mark.parametrize("address", ["/endpoints", f"/endpoints?route={SHARE}"])
def test_axe_finds_nothing_serious(demo: DashboardServer, opens: OpenPage, look: dict[str, Any], address: str) -> None:
    board = open_batches(demo, opens, address, **look)
    expect(board.page.locator(".routes, .codes").first).to_be_visible()
    board.wait_until_idle()
    assert board.serious_violations() == []


@pytest.mark.parametrize("address", ["/endpoints", f"/endpoints?route={SHARE}"])
def test_a_phone_never_scrolls_sideways(demo: DashboardServer, opens: OpenPage, address: str) -> None:
    board = open_batches(demo, opens, address, **PHONE)
    expect(board.page.locator(".routes, .codes").first).to_be_visible()
    board.wait_until_idle()
    main = board.page.locator("[data-testid='stMain']")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")
    beyond = board.page.evaluate(
        "[...document.querySelectorAll('.routes *, .aloud, .hides *, .codes *')]"
        ".filter(one => one.getBoundingClientRect().right > innerWidth + 0.5).map(one => one.outerHTML.slice(0, 80))"
    )
    assert beyond == []


def test_without_logs_it_shows_what_to_write(
    world: FakeServices, room: Path, starts: StartServer, opens: OpenPage
) -> None:
    server = starts(world.environment(world.write_config(room)))
    board = open_batches(server, opens, "/endpoints", **DARK)
    expect(board.page.get_by_role("heading", name="Access logs are not configured")).to_be_visible()
    expect(board.page.locator("[data-testid='stCode']")).to_contain_text("[access_logs]")
    board = open_batches(server, opens, "/parity")
    expect(board.page.get_by_text("No access logs were counted for this phase")).to_be_visible()


def test_the_parity_page_tells_of_routes(demo: DashboardServer, opens: OpenPage) -> None:
    counted(open_batches(demo, opens, "/endpoints"))
    board = open_batches(demo, opens, "/parity")
    expect(board.page.locator(".below", has_text="Route by route")).to_contain_text("13 routes in the access logs")
    board.page.get_by_role("link", name="Endpoints of this phase").click()
    expect(board.page.locator(".routes tbody tr")).to_have_count(14)
    assert board.query_params.keys() == {"from", "to"}
