"""The demo is labelled as such, and its episodes show their subject: above all the blind spot."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard_page import DashboardPage, OpenPage, open_subpage
from tests.factories.dashboard_server import DashboardServer, StartServer

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def highest(dashboard: DashboardPage, chart: str, trace: str) -> float:
    """The highest value of a trace, 0 if it is not drawn."""
    values: list[Any] = dashboard.chart(chart).evaluate(
        "(box, name) => box.calcdata.filter(line => line[0].trace.name === name)"
        ".flatMap(line => line.map(point => point.y)).filter(Number.isFinite)",
        trace,
    )
    return max(values, default=0.0)


def test_every_page_is_labelled_demo(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server)
    expect(dashboard.page.locator(".demo").first).to_contain_text("DEMO Demo data, generated up to now.")
    expect(dashboard.page).to_have_title(re.compile(r"^[✓■◐] (CONTINUE|HOLD|WAIT) · .* — Photo service \(demo\)$"))
    expect(dashboard.page.locator("link[rel='icon'], link[rel='shortcut icon']").first).to_have_attribute(
        "href", re.compile("^data:image/svg")
    )
    expect(dashboard.page.locator(".traffic")).to_contain_text("50.0% configured")


def test_links_of_the_banner_open_their_episodes(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server)
    for link, minutes in (("latency regression", 120), ("blind spot", 100), ("step to 50:50", 180)):
        dashboard.page.locator(".demo a").filter(has_text=link).click()
        dashboard.wait_window_minutes(minutes)
        assert set(dashboard.query_params) == {"from", "to"}
        dashboard.wait_for_charts()


def test_the_blind_spot_is_prominent(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server)
    dashboard.page.locator(".demo a").filter(has_text="blind spot").click()
    dashboard.wait_window_minutes(100)
    dashboard.wait_for_charts()

    assert highest(dashboard, "error_rate", "ECS no response") > 90  # %
    assert highest(dashboard, "error_rate", "ALB-generated 5xx, whole load balancer") > 1000  # a minute
    lane = dashboard.page.locator(".st-key-event_lane")
    lane.locator(".annotation-text", has_text="photo-ecs-green: no healthy").hover()
    expect(lane.locator(".hoverlayer")).to_contain_text("photo-ecs-green: no healthy host")
    # The canary's latency has a gap while nothing was answered.
    assert dashboard.chart("latency").evaluate(
        "box => box.calcdata.find(line => line[0].trace.name === 'ECS').some(point => !Number.isFinite(point.y))"
    )

    # In its minutes, the head of the chart shows it too.
    start = dashboard.query_params["from"]
    hour, minute = int(start[11:13]) * 60 + int(start[14:16]) + 40, 12
    dashboard.open(
        f"/?from={start[:11]}{hour // 60:02}:{hour % 60:02}Z&to={start[:11]}{(hour + minute) // 60:02}:{(hour + minute) % 60:02}Z"
    )
    expect(dashboard.panel_head("error_rate").locator(".bad")).to_have_text(
        [re.compile(r"^no response EC2 0(\.0\d*)?% · ECS (9\d|100)")]
    )
    expect(dashboard.panel_head("error_rate").locator(".warn")).to_have_text(
        [re.compile(r"^ALB-generated 5xx, whole load balancer: [1-9],?\d{3}/min")]
    )


def test_every_page_warns_if_it_is_reachable_from_other_machines(
    start_server: StartServer, open_page: OpenPage
) -> None:
    server = start_server({"MIGRATION_DEMO": "1", "INSECURE": "1"}, address="0.0.0.0")
    for dashboard in (open_page(server), open_subpage(open_page, server, "/parity")):
        warning = dashboard.page.get_by_text("This dashboard is reachable from other machines without sign-in")
        expect(warning).to_have_count(1)


def test_no_page_warns_on_loopback(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server)
    expect(dashboard.page.get_by_text("reachable from other machines")).to_have_count(0)
