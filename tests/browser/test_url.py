"""The URL is a page's only state: every control writes it, a reload and a shared link read it, and defaults are not in it."""

import pytest
from playwright.sync_api import expect

from messages.live import INVALID_PARAMS
from tests.browser.dashboard_page import OpenPage
from tests.factories.dashboard_server import DashboardServer, StartServer

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

MINUTES = {"30m": 30, "1h": 60, "3h": 180, "12h": 720, "24h": 1440}


def test_a_deep_link_may_be_the_first_request_of_a_server(start_server: StartServer, open_page: OpenPage) -> None:
    server = start_server({"MIGRATION_DEMO": "1"})
    dashboard = open_page(server, "/?window=1h&percentile=p99&slow=1s")
    dashboard.expect_selected("1h", "p99", "1s")
    assert dashboard.window_minutes == 60
    assert dashboard.query_params == {"window": "1h", "percentile": "p99", "slow": "1s"}
    expect(dashboard.page.get_by_role("dialog")).to_have_count(0)
    expect(dashboard.page.get_by_role("heading", name="Latency p99")).to_be_visible()


def test_live_is_the_start_page(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server, "/live?window=1h")
    dashboard.wait_query_params(window="1h")
    expect(dashboard.page.get_by_role("dialog")).to_have_count(0)


def test_an_unknown_path_shows_live_and_a_message(start_server: StartServer, open_page: OpenPage) -> None:
    server = start_server({"MIGRATION_DEMO": "1"})
    dashboard = open_page(server, "/no-such-page", fail_on_errors=False)
    expect(dashboard.page.get_by_role("dialog")).to_contain_text("Page not found")
    expect(dashboard.page.get_by_role("heading", level=1, include_hidden=True)).to_have_text(
        "Live – Photo service (demo)"
    )


def test_each_window_is_in_the_url_and_on_every_chart(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server)
    dashboard.expect_selected("3h", "p95", "300ms")
    assert (dashboard.window_minutes, dashboard.query_params) == (180, {})

    for window in ("30m", "1h", "12h", "24h"):
        dashboard.select(window)
        dashboard.wait_query_params(window=window)
        dashboard.wait_window_minutes(MINUTES[window])
        dashboard.expect_selected(window, "p95", "300ms")

    dashboard.reload()
    dashboard.expect_selected("24h", "p95", "300ms")
    assert dashboard.window_minutes == 1440

    dashboard.select("3h")
    dashboard.wait_query_params()
    dashboard.wait_window_minutes(180)


def test_percentile_threshold_and_refresh_survive_a_reload_and_defaults_are_not_in_the_url(
    demo_server: DashboardServer, open_page: OpenPage
) -> None:
    dashboard = open_page(demo_server)
    dashboard.expect_selected("3h", "p95", "300ms")

    dashboard.select("p50")
    dashboard.select("1s")
    dashboard.choose_refresh("off")
    dashboard.wait_query_params(percentile="p50", slow="1s", refresh="off")
    dashboard.expect_text(".panel-head h2", "^Latency p50$")
    dashboard.expect_text(".panel-head h2", "^Slow responses > 1 s$")
    dashboard.expect_text(".top-line", "paused$")

    dashboard.reload()
    dashboard.expect_selected("3h", "p50", "1s")
    expect(dashboard.refresh_choice).to_have_value("⟳ off")
    dashboard.expect_text(".panel-head h2", "^Latency p50$")
    dashboard.expect_text(".top-line", "paused$")

    dashboard.select("p95")
    dashboard.select("300ms")
    dashboard.choose_refresh("15s")
    dashboard.wait_query_params()
    dashboard.expect_text(".top-line", r"refreshes in \d+s$")


@pytest.mark.parametrize("presses", [("p50", "1s", "off"), ("off", "p50", "1s"), ("p50", "off", "1s")])
def test_presses_before_any_response_are_all_applied(
    demo_server: DashboardServer, open_page: OpenPage, presses: tuple[str, ...]
) -> None:
    """A busy browser: the server has answered all presses before the browser receives the first answer."""
    dashboard = open_page(demo_server, proxy=True)
    websocket = dashboard.websocket
    assert websocket
    with websocket.paused():
        for press in presses:
            before = websocket.finished_runs
            if press == "off":
                dashboard.choose_refresh(press)
            else:
                dashboard.select(press)
            websocket.wait_finished_runs(before + 1)
    dashboard.wait_query_params(percentile="p50", slow="1s", refresh="off")
    dashboard.expect_selected("3h", "p50", "1s")
    expect(dashboard.refresh_choice).to_have_value("⟳ off")
    dashboard.expect_text(".panel-head h2", "^Latency p50$")
    dashboard.expect_text(".panel-head h2", "^Slow responses > 1 s$")
    dashboard.expect_text(".top-line", "paused$")


def test_back_and_forward_restore_the_state(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server)
    dashboard.select("1h")
    dashboard.wait_query_params(window="1h")
    dashboard.select("p99")
    dashboard.wait_query_params(window="1h", percentile="p99")

    dashboard.page.go_back()
    dashboard.wait_query_params(window="1h")
    dashboard.expect_text(".panel-head h2", "^Latency p95$")
    dashboard.expect_selected("1h", "p95", "300ms")
    dashboard.page.go_back()
    dashboard.wait_query_params()
    dashboard.wait_window_minutes(180)
    dashboard.page.go_forward()
    dashboard.wait_query_params(window="1h")
    dashboard.wait_window_minutes(60)

    dashboard.select("1s")
    dashboard.wait_query_params(window="1h", slow="1s")


def test_each_page_has_its_own_query_parameters(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server, "/?window=1h&percentile=p50")
    dashboard.page.get_by_role("link", name="Parity").click()
    dashboard.wait_for("() => location.pathname === '/parity'")
    dashboard.page.get_by_role("link", name="Live").click()
    dashboard.wait_query_params()
    dashboard.wait_window_minutes(180)
    dashboard.expect_selected("3h", "p95", "300ms")


def test_invalid_parameters_are_reported_and_replaced_by_defaults(
    demo_server: DashboardServer, open_page: OpenPage
) -> None:
    dashboard = open_page(
        demo_server, "/?window=5y&percentile=<b>p42</b>&source=prometheus&slow=7s&from=yesterday&refresh=perhaps"
    )
    dashboard.expect_selected("3h", "p95", "300ms")
    shown = dashboard.page.locator(
        ".warn"
    ).all_inner_texts()  # others depend on the load of the demo at this time of the day
    warnings = [warning for warning in shown if warning in map(str, INVALID_PARAMS.values())]
    assert warnings == [str(INVALID_PARAMS[name]) for name in ("window", "percentile", "source", "range")]


def test_a_drag_on_one_chart_sets_the_window_of_all(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server)
    before = dashboard.x_ranges()
    dashboard.drag("requests", 0.25, 0.5)
    dashboard.wait_for("() => new URLSearchParams(location.search).has('from')")
    dashboard.wait_window_minutes(45, 47)  # a quarter of three hours, extended to whole minutes

    zoomed = dashboard.x_ranges()
    assert set(dashboard.query_params) == {"from", "to"}
    assert len(set(zoomed.values())) == 1
    first, last = before["requests"]
    assert first < zoomed["requests"][0] < zoomed["requests"][1] < last

    dashboard.reload()
    assert dashboard.x_ranges() == zoomed
    dashboard.expect_selected("p95", "300ms")  # none of the windows

    dashboard.select("30m")
    dashboard.wait_query_params(window="30m")
    dashboard.wait_window_minutes(30)

    dashboard.drag("latency", 0.5, 0.53)
    dashboard.wait_window_minutes(5, 7)  # never shorter
    dashboard.chart("error_rate").locator(".nsewdrag").first.dblclick()
    dashboard.wait_query_params(window="30m")
    dashboard.wait_window_minutes(30)
    dashboard.expect_selected("30m", "p95", "300ms")


def test_the_buttons_step_through_time_and_zoom_out(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server, "/?window=1h")
    dashboard.page.get_by_role("button", name="←").click()
    dashboard.wait_window_minutes(60)
    dashboard.wait_for("() => new URLSearchParams(location.search).has('to')")
    first = dashboard.query_params
    dashboard.page.get_by_role("button", name="→").click()
    dashboard.wait_for("to => new URLSearchParams(location.search).get('to') > to", first["to"])
    dashboard.page.get_by_role("button", name="⊖").click()
    dashboard.wait_window_minutes(120)


def test_a_range_is_chosen_in_a_calendar(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server, "/?from=2026-11-22T03:00Z&to=2026-11-22T05:00Z", charts=0)
    dashboard.page.get_by_role("button", name="Range").click()
    form = dashboard.page.locator("[data-testid=stPopoverBody]")
    expect(form.get_by_test_id("stDateInput").first.locator("input").first).to_have_value("2026-11-22")
    form.get_by_role("button", name="Show range").click()
    dashboard.wait_query_params(**{"from": "2026-11-22T03:00Z", "to": "2026-11-22T05:00Z"})


def test_the_link_is_copied_and_a_kiosk_has_no_controls(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server, "/?window=1h")
    dashboard.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dashboard.page.get_by_role("button", name="Copy link").click()
    expect(dashboard.page.get_by_role("button", name="Copied")).to_be_visible()
    assert dashboard.page.evaluate("navigator.clipboard.readText()") == dashboard.page.url
    dashboard.page.get_by_role("button", name="Kiosk").click()
    dashboard.wait_for_charts()
    dashboard.wait_query_params(window="1h", kiosk="1")
    expect(dashboard.page.locator(".hero")).to_be_visible()
    expect(dashboard.page.get_by_role("button")).to_have_count(0)
    expect(dashboard.page.locator("[data-testid='stApp']")).to_have_css("background-color", "rgb(23, 22, 20)")
    dashboard.page.keyboard.press("Escape")
    dashboard.wait_for_charts()
    dashboard.wait_query_params(window="1h")


def test_a_button_closes_a_fixed_window(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server)
    fixed = dashboard.page.get_by_role("link", name="step to 50:50").get_attribute("href")
    dashboard.open(f"/{fixed}")
    expect(dashboard.page.locator(".past-band")).to_contain_text("VIEWING")
    dashboard.page.get_by_role("button", name="Back to live").click()
    dashboard.wait_query_params()
    dashboard.wait_window_minutes(180)


def test_last_week_is_a_switch_that_a_copied_link_keeps(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server)
    dashboard.page.get_by_text("Same time last week", exact=True).click()
    dashboard.wait_query_params(compare="week")
    for tab in (dashboard, open_page(demo_server, "/?compare=week")):
        expect(tab.page.get_by_role("switch", name="Same time last week")).to_be_checked()
        expect(tab.chart("requests").get_by_text("last week")).to_be_visible()
