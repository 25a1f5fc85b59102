"""The Endpoints page in a browser: opened first, a route by its URL, filters, a reload, dark, on a phone, and without logs."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from messages import endpoints as text
from tests.browser.dashboard_page import DARK, PHONE, DashboardPage, OpenPage, open_subpage
from tests.browser.running_dashboard import server_environment, write_config
from tests.factories.dashboard_server import DashboardServer, StartServer
from tests.fakes.services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
SHARE = "/v1/albums/:id/share"


def wait_for_counts(dashboard: DashboardPage) -> DashboardPage:
    """Waits until the logs of the window are counted."""
    expect(dashboard.page.locator(".routes tbody tr")).to_have_count(14)  # thirteen, and the total
    expect(dashboard.page.locator("[data-testid='stProgress']")).to_have_count(0)
    expect(dashboard.page.locator(".hidden-routes")).to_be_visible()
    return dashboard


def test_a_deep_link_to_a_new_server_counts_logs_and_shows_hidden_regressions(
    tmp_path: Path, start_server: StartServer, open_page: OpenPage
) -> None:
    dashboard = wait_for_counts(open_subpage(open_page, start_server({"MIGRATION_DEMO": "1"}), "/endpoints"))
    expect(dashboard.page.locator(".headline")).to_contain_text("1 of 13 routes regressed")
    expect(dashboard.page.locator(".hidden-routes")).to_contain_text(f"1 route regressed: {SHARE}")
    rows = dashboard.page.locator(".routes tbody tr")
    expect(rows.nth(0)).to_contain_text("aggregate")
    expect(rows.nth(1)).to_contain_text(SHARE)
    expect(rows.nth(1)).to_contain_text("regression")
    expect(dashboard.page.locator(".routes")).to_contain_text("/search/<script>alert(1)</script>")
    expect(dashboard.page.get_by_text("lines read")).to_be_visible()
    dashboard.wait_for_charts(2)
    names = dashboard.page.locator(".overlay-chart").first.evaluate("box => box._fullData.map(trace => trace.name)")
    assert "regression" in names and "parity" in names


def test_a_route_has_a_url_with_its_times_codes_and_lines(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = wait_for_counts(open_subpage(open_page, demo_server, "/endpoints"))
    dashboard.page.locator(".routes tbody a", has_text=SHARE).click()
    expect(dashboard.page.locator(".job-head")).to_contain_text(SHARE)
    dashboard.wait_query_params(route=SHARE)
    dashboard.wait_for_charts(2)
    expect(dashboard.page.locator(".codes")).to_contain_text("500")
    expect(dashboard.page.locator(".log-lines").first).to_contain_text("POST api.photo.example.com/v1/albums/")
    assert "?" not in dashboard.page.locator(".log-lines").first.inner_text()
    expect(dashboard.page.locator(".log-lines .copy").first).to_be_visible()
    dashboard.page.reload()
    expect(dashboard.page.locator(".job-head")).to_contain_text(SHARE)
    dashboard.page.get_by_role("button", name="All routes").click()
    wait_for_counts(dashboard)
    assert dashboard.query_params == {}


def test_a_request_is_found_by_its_trace_id(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_subpage(open_page, demo_server, "/endpoints?trace=<script>alert(1)</script>")
    expect(dashboard.page.get_by_text("Not a trace id.")).to_be_visible()
    sent_at = int(time.time()) - 3600
    field = dashboard.page.get_by_label("Trace id")
    field.fill(f"Root=1-{sent_at:08x}-1bf92f3577b34da6a3ce929d")
    field.press("Enter")
    expect(dashboard.page.locator(".traced")).to_contain_text("2 requests with this trace id: load balancer itself: 1")
    rows = dashboard.page.locator(".traced-lines tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("301 (ALB) · redirect")
    assert "?" not in rows.nth(1).inner_text()
    dashboard.page.get_by_role("button", name="All routes").click()
    wait_for_counts(dashboard)
    assert dashboard.query_params == {}
    dashboard.page.get_by_text("A request with a new trace id").click()
    expect(dashboard.page.get_by_text("By the header rule: X-Canary: ecs")).to_be_visible()


def test_filters_are_in_the_url(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_subpage(open_page, demo_server, "/endpoints?window=3h&method=POST&map=p95")
    rows = dashboard.page.locator(".routes tbody tr")
    expect(rows).to_have_count(4)
    expect(dashboard.page.locator(".routes")).to_contain_text("/photos/:id/comments")
    dashboard.page.get_by_role("combobox", name="Host").click()
    dashboard.page.get_by_role("option", name="api.photo.example.com").click()
    expect(rows).to_have_count(2)
    dashboard.wait_query_params(window="3h", method="POST", map="p95", host="api.photo.example.com")
    dashboard.page.reload()
    expect(rows).to_have_count(2)
    assert dashboard.page.locator(".routes tbody a").get_attribute("href") == (
        "?route=%2Fv1%2Falbums%2F%3Aid%2Fshare&window=3h&method=POST&host=api.photo.example.com&map=p95"
    )


def test_search_verdict_and_order_are_in_the_url_and_go_back(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = wait_for_counts(open_subpage(open_page, demo_server, "/endpoints"))
    page, rows = dashboard.page, dashboard.page.locator(".routes tbody tr")
    page.get_by_role("columnheader", name="Requests").get_by_role("link").press("Enter")
    expect(page.get_by_role("columnheader", name="Requests")).to_have_attribute("aria-sort", "descending")
    expect(page.get_by_role("columnheader", name="Requests").get_by_role("link")).to_be_focused()
    dashboard.wait_query_params(sort="-requests")
    page.get_by_role("textbox", name="Search routes").fill("V1")
    page.get_by_role("textbox", name="Search routes").press("Enter")
    expect(rows).to_have_count(3)
    page.get_by_text("▲ regression 1").click()
    expect(rows).to_have_count(1)
    dashboard.wait_query_params(sort="-requests", q="V1", verdict="regression")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert download.value.path().read_text(encoding="utf-8").splitlines()[1].startswith(f'"{SHARE}","regression",')
    rows.first.click(position={"x": 500, "y": 10})  # the whole row is the link
    expect(page.locator(".job-head")).to_contain_text(SHARE)
    page.go_back()
    expect(rows).to_have_count(1)


def test_invalid_parameters_are_reported_and_ignored(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_subpage(open_page, demo_server, "/endpoints?status=9xx&route=%2F<script>")
    expect(dashboard.page.get_by_text(str(text.INVALID_PARAMS))).to_be_visible()
    expect(dashboard.page.get_by_text(text.no_such_route("/<script>"))).to_be_visible()
    expect(dashboard.page.locator(".routes")).to_be_visible()


@pytest.mark.parametrize("path", ["/endpoints", f"/endpoints?route={SHARE}"])
def test_a_phone_never_scrolls_sideways(demo_server: DashboardServer, open_page: OpenPage, path: str) -> None:
    dashboard = open_subpage(open_page, demo_server, path, **PHONE)
    expect(dashboard.page.locator(".routes, .codes").first).to_be_visible()
    dashboard.wait_until_idle()
    assert dashboard.fits_width()
    assert dashboard.elements_beyond_the_right_edge(".routes *, .headline, .hidden-routes *, .codes *") == []


def test_without_logs_it_shows_what_to_configure(
    services: FakeServices, tmp_path: Path, start_server: StartServer, open_page: OpenPage
) -> None:
    server = start_server(server_environment(services, write_config(services, tmp_path)))
    dashboard = open_subpage(open_page, server, "/endpoints", **DARK)
    expect(dashboard.page.get_by_role("heading", name="Access logs are not configured")).to_be_visible()
    expect(dashboard.page.locator("[data-testid='stCode']")).to_contain_text("[access_logs]")
    dashboard = open_subpage(open_page, server, "/parity")
    expect(dashboard.page.get_by_text(str(text.NO_SUMMARY))).to_be_visible()


def test_the_parity_page_summarizes_routes(demo_server: DashboardServer, open_page: OpenPage) -> None:
    wait_for_counts(open_subpage(open_page, demo_server, "/endpoints"))
    dashboard = open_subpage(open_page, demo_server, "/parity")
    expect(dashboard.page.locator(".below", has_text="Route by route")).to_contain_text("13 routes in the access logs")
    dashboard.page.get_by_role("link", name="Endpoints of this phase").click()
    expect(dashboard.page.locator(".routes tbody tr")).to_have_count(14)
    assert dashboard.query_params.keys() == {"from", "to"}
