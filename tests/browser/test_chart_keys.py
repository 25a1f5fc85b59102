"""A chart by keyboard and by click: the crosshair, a range to zoom into, and a note on a time. The focus stays over refreshes."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard_page import PHONE, DashboardPage, OpenPage
from tests.browser.running_dashboard import RunningDashboard
from tests.factories.dashboard_server import DashboardServer

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def focus_chart(dashboard: DashboardPage, name: str) -> None:
    dashboard.page.locator(f".st-key-chart_{name} .chart-plot").focus()


def press(dashboard: DashboardPage, *keys: str) -> None:
    for key in keys:
        dashboard.page.keyboard.press(key)


def clock(dashboard: DashboardPage, name: str) -> str:
    return dashboard.page.locator(f".st-key-chart_{name} .chart-values time").inner_text()


def is_focused(dashboard: DashboardPage, name: str) -> bool:
    return bool(
        dashboard.page.evaluate(
            "name => document.activeElement === document.querySelector(`.st-key-chart_${name} .chart-plot`)", name
        )
    )


def test_shift_and_arrows_select_a_range_that_enter_zooms_into(
    demo_server: DashboardServer, open_page: OpenPage
) -> None:
    dashboard = open_page(demo_server)
    focus_chart(dashboard, "latency")
    selection = dashboard.page.locator(".st-key-chart_latency .selection")
    press(dashboard, "Home", *["ArrowRight"] * 10)
    start = clock(dashboard, "latency")
    expect(selection).to_be_hidden()
    press(dashboard, *["Shift+ArrowRight"] * 19)
    expect(selection).to_be_visible()
    assert re.fullmatch(rf"{start} – \d\d:\d\d JST", clock(dashboard, "latency"))
    assert clock(dashboard, "slow").count("JST") == 1, "the others have the crosshair alone"

    press(dashboard, "Escape")
    expect(selection).to_be_hidden()
    press(dashboard, "Home", *["ArrowRight"] * 29, *["Shift+ArrowLeft"] * 19)  # the same, from its end
    assert clock(dashboard, "latency").startswith(f"{start} – ")
    press(dashboard, "Enter")
    dashboard.wait_window_minutes(20)
    assert is_focused(dashboard, "latency")
    expect(selection).to_be_hidden()
    assert set(dashboard.query_params) == {"from", "to"}


def test_the_crosshair_stays_on_the_axis(demo_server: DashboardServer, open_page: OpenPage) -> None:
    """The data begins five minutes before it."""
    dashboard = open_page(demo_server, "/?window=30m")
    focus_chart(dashboard, "requests")
    press(dashboard, *["ArrowLeft"] * 40)
    expect(dashboard.page.locator(".st-key-chart_requests .crosshair")).to_be_visible()
    first = clock(dashboard, "requests")
    press(dashboard, "End", "Home")
    assert clock(dashboard, "requests") == first
    press(dashboard, "Escape")
    expect(dashboard.page.locator(".st-key-chart_requests .crosshair")).to_be_hidden()


def test_focus_crosshair_and_range_survive_a_refresh(running: RunningDashboard, open_page: OpenPage) -> None:
    dashboard = open_page(running.server, clock=True)
    focus_chart(dashboard, "error_rate")
    press(dashboard, "Home", *["ArrowRight"] * 100, *["Shift+ArrowRight"] * 9)
    selected, sent = clock(dashboard, "error_rate"), dashboard.messages_sent
    dashboard.refresh()
    dashboard.wait_for("sent => window.messagesSent > sent", sent)
    dashboard.wait_until_idle()
    assert is_focused(dashboard, "error_rate")
    assert clock(dashboard, "error_rate") == selected and selected.count("UTC") + selected.count("JST") == 2


def test_enter_asks_for_a_note_on_the_time_of_the_crosshair(running: RunningDashboard, open_page: OpenPage) -> None:
    dashboard = open_page(running.server, clock=True)
    dashboard.wait_until_idle()
    focus_chart(dashboard, "slow")
    press(dashboard, "Home", *["ArrowRight"] * 60)
    at = clock(dashboard, "slow")[:5]
    press(dashboard, "Enter")
    page = dashboard.page
    words = page.get_by_label("Note", exact=True)
    expect(words).to_be_focused()
    assert page.get_by_label("When", exact=True).input_value().endswith(f" {at}")
    page.keyboard.type("Cache was ")
    sent = dashboard.messages_sent
    dashboard.refresh()
    dashboard.wait_for("sent => window.messagesSent > sent", sent)
    dashboard.wait_until_idle()
    expect(words).to_be_focused()
    page.keyboard.type("cold")
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-event_lane")).to_contain_text("Cache was cold")
    expect(words).to_have_count(0)
    dashboard.wait_query_params()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".st-key-event_lane")).not_to_contain_text("Cache was cold")


@pytest.mark.parametrize("options", [{}, PHONE], ids=["mouse", "touch"])
def test_a_click_on_a_chart_offers_a_note(
    demo_server: DashboardServer, open_page: OpenPage, options: dict[str, object]
) -> None:
    dashboard = open_page(demo_server, **options)
    offers = dashboard.page.locator(".chart-note:visible")
    for name in ("latency", "requests"):
        box = dashboard.plot_area(name)
        at = (box["x"] + box["width"] / 2, box["y"] + 20)
        (dashboard.page.touchscreen.tap if options else dashboard.page.mouse.click)(*at)
        expect(offers).to_have_count(1)
        assert offers.inner_text() == f"Note at {clock(dashboard, name).split(' · ')[0]}…"
    offers.click()
    expect(dashboard.page.get_by_label("Note", exact=True)).to_be_focused()
    dashboard.page.get_by_role("button", name="Cancel").click()
    expect(dashboard.page.get_by_label("Note", exact=True)).to_have_count(0)


def test_a_drag_offers_none(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server)
    dashboard.drag("latency", 0.2, 0.6)
    dashboard.wait_for("() => new URLSearchParams(location.search).has('from')")
    expect(dashboard.page.locator(".chart-note:visible")).to_have_count(0)


def test_a_chart_of_the_retrospective_has_notes_too(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server, "/retrospective", charts=1, fail_on_errors=False)
    focus_chart(dashboard, "timeline")
    press(dashboard, "End", "ArrowLeft", "Enter")
    expect(dashboard.page.locator(".st-key-chart_note input").first).to_be_focused()
