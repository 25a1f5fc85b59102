"""Events: drawn on every chart, hidden and shown by kind, listed in words below."""

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard_page import CHART_NAMES, DashboardPage, OpenPage
from tests.factories.dashboard_server import DashboardServer

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

_LINES = "box => (box._fullLayout.shapes || []).filter(shape => shape.type === 'line' && shape.name).map(shape => shape.name)"

_NONE_OF = """([names, kind]) => names.every(name =>
    !document.querySelector(`.st-key-chart_${name} .overlay-chart`)._fullLayout.shapes.some(shape => shape.name === kind))"""


def drawn_kinds(dashboard: DashboardPage) -> set[tuple[str, ...]]:
    """The kinds of the lines of each chart; one element if all charts show the same."""
    return {tuple(dashboard.chart(name).evaluate(_LINES)) for name in CHART_NAMES}


def open_episode(dashboard: DashboardPage) -> dict[str, str]:
    """Opens the latency regression of the demo: two weight changes, an alert and a rollback; returns the query parameters."""
    dashboard.page.locator(".demo a").first.click()
    dashboard.page.wait_for_url("**from=**")
    dashboard.wait_for_charts()
    expect(dashboard.page.get_by_role("button", name="Rollbacks")).to_be_visible()
    return dict(dashboard.query_params)


def test_every_chart_shows_the_same_and_a_kind_can_be_hidden(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server)
    window = open_episode(dashboard)
    (before,) = drawn_kinds(dashboard)
    assert sorted(before) == ["alert", "weight", "weight"], "the rollback shares the line of its weight change"

    dashboard.page.get_by_role("button", name="Alerts").click()
    dashboard.wait_query_params(**window, events="weight,alarm,annotation,deployment,rollback,note")
    dashboard.wait_for(_NONE_OF, [list(CHART_NAMES), "alert"])
    assert drawn_kinds(dashboard) == {("weight", "weight")}

    dashboard.reload()
    assert drawn_kinds(dashboard) == {("weight", "weight")}
    dashboard.page.get_by_role("button", name="Alerts").click()
    dashboard.wait_query_params(**window)


def test_the_list_has_author_and_tool_of_a_weight_change(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server)
    open_episode(dashboard)
    dashboard.page.locator("summary", has_text="Events (4)").click()
    rows = dashboard.page.locator("details[open] tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.last).to_contain_text("weights: 5% → 10%")
    expect(rows.last).to_contain_text("kenji.mori, AWS CLI")
    expect(dashboard.page.get_by_role("img").first).to_be_attached()


def test_hovering_over_a_weight_change_shows_all_of_it(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server)
    open_episode(dashboard)
    lane = dashboard.page.locator(".st-key-event_lane")
    lane.locator(".annotation-text", has_text="◆ 10").first.hover()
    expect(lane.locator(".hoverlayer")).to_contain_text("kenji.mori, AWS CLI")
