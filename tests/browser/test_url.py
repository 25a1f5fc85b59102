"""The address is the only memory of a page: every switch writes it, a reload and a shared link read it, and the defaults leave it clean."""

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard_page import OpenPage
from tests.factories.dashboard_server import DashboardServer, StartServer

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

MINUTES = {"30m": 30, "1h": 60, "3h": 180, "12h": 720, "24h": 1440}


def test_a_deep_link_is_the_first_request_of_a_fresh_server(starts: StartServer, opens: OpenPage) -> None:
    fresh = starts({"MIGRATION_DEMO": "1"})
    board = opens(fresh, "/?window=1h&percentile=p99&slow=1s")
    board.expect_selected("1h", "p99", "1s")
    assert board.window_minutes == 60
    assert board.query_params == {"window": "1h", "percentile": "p99", "slow": "1s"}
    expect(board.page.get_by_role("dialog")).to_have_count(0)
    expect(board.page.get_by_role("heading", name="Latency p99")).to_be_visible()


def test_an_address_that_no_page_has_shows_live_and_says_so(starts: StartServer, opens: OpenPage) -> None:
    fresh = starts({"MIGRATION_DEMO": "1"})
    board = opens(fresh, "/no-such-page", faultless=False)
    expect(board.page.get_by_role("dialog")).to_contain_text("Page not found")
    expect(board.page.get_by_role("heading", name="Photo service (demo)", include_hidden=True)).to_be_visible()


def test_each_window_is_in_the_address_and_on_every_chart(demo: DashboardServer, opens: OpenPage) -> None:
    board = opens(demo)
    assert (board.selected()[0], board.window_minutes, board.query_params) == ("3h", 180, {})

    for window in ("30m", "1h", "12h", "24h"):
        board.select(window)
        board.wait_query_params(window=window)
        board.wait_window_minutes(MINUTES[window])
        assert board.selected()[0] == window

    board.reload()
    assert (board.selected()[0], board.window_minutes) == ("24h", 1440)

    board.select("3h")
    board.wait_query_params()
    board.wait_window_minutes(180)


def test_percentile_threshold_and_live_survive_a_reload_and_leave_a_clean_address(
    demo: DashboardServer, opens: OpenPage
) -> None:
    board = opens(demo)
    board.expect_selected("3h", "p95", "300ms")

    board.select("p50")
    board.select("1s")
    board.live_switch.press("Space")
    board.wait_query_params(percentile="p50", slow="1s", live="off")
    board.expect_text(".panel-head h2", "^Latency p50$")
    board.expect_text(".panel-head h2", "^Slow answers > 1 s$")
    board.expect_text(".top-line", "paused$")

    board.reload()
    board.expect_selected("3h", "p50", "1s")
    expect(board.live_switch).not_to_be_checked()
    board.expect_text(".panel-head h2", "^Latency p50$")
    board.expect_text(".top-line", "paused$")

    board.select("p95")
    board.select("300ms")
    board.live_switch.press("Space")
    board.wait_query_params()
    board.expect_text(".top-line", r"next in \d+ s$")


@pytest.mark.parametrize("presses", [("p50", "1s", "Live"), ("Live", "p50", "1s"), ("p50", "Live", "1s")])
def test_presses_that_come_before_any_answer_are_all_heard(
    demo: DashboardServer, opens: OpenPage, presses: tuple[str, ...]
) -> None:
    """A busy browser: the server has answered every press before the browser hears of the first."""
    board = opens(demo, wire=True)
    wire = board.websocket
    assert wire
    with wire.paused():
        for press in presses:
            before = wire.finished_runs
            if press == "Live":
                board.live_switch.press("Space")
            else:
                board.select(press)
            wire.wait_finished_runs(before + 1)
    board.wait_query_params(percentile="p50", slow="1s", live="off")
    board.expect_selected("3h", "p50", "1s")
    expect(board.live_switch).not_to_be_checked()
    board.expect_text(".panel-head h2", "^Latency p50$")
    board.expect_text(".panel-head h2", "^Slow answers > 1 s$")
    board.expect_text(".top-line", "paused$")


def test_back_and_forward_show_what_the_address_said(demo: DashboardServer, opens: OpenPage) -> None:
    board = opens(demo)
    board.select("1h")
    board.wait_query_params(window="1h")
    board.select("p99")
    board.wait_query_params(window="1h", percentile="p99")

    board.page.go_back()
    board.wait_query_params(window="1h")
    board.expect_text(".panel-head h2", "^Latency p95$")
    board.expect_selected("1h", "p95", "300ms")
    board.page.go_back()
    board.wait_query_params()
    board.wait_window_minutes(180)
    board.page.go_forward()
    board.wait_query_params(window="1h")
    board.wait_window_minutes(60)

    board.select("1s")
    board.wait_query_params(window="1h", slow="1s")


def test_another_page_has_an_address_of_its_own(demo: DashboardServer, opens: OpenPage) -> None:
    board = opens(demo, "/?window=1h&percentile=p50")
    board.page.get_by_role("link", name="Parity").click()
    board.wait_for("() => location.pathname === '/parity'")
    board.page.get_by_role("link", name="Live").click()
    board.wait_query_params()
    board.wait_window_minutes(180)
    board.expect_selected("3h", "p95", "300ms")


def test_what_makes_no_sense_is_said_and_the_page_shows_its_defaults(demo: DashboardServer, opens: OpenPage) -> None:
    board = opens(demo, "/?window=5y&percentile=<b>p42</b>&source=prometheus&slow=7s&from=yesterday&live=perhaps")
    board.expect_selected("3h", "p95", "300ms")
    said = board.page.locator(".warn").all_inner_texts()
    assert [text.split(";")[0] for text in said[:4]] == [
        "The address asks for a window that does not exist",
        "The address asks for a percentile that is not kept",
        "The address asks for a source that is not configured",
        "The address's from and to are not times",
    ]


def test_a_drag_on_one_chart_is_the_window_of_all(demo: DashboardServer, opens: OpenPage) -> None:
    board = opens(demo)
    before = board.x_ranges()
    board.drag("requests", 0.25, 0.5)
    board.wait_for("() => new URLSearchParams(location.search).has('from')")
    board.wait_window_minutes(45, 47)  # a quarter of three hours, grown outward to whole minutes

    zoomed = board.x_ranges()
    assert set(board.query_params) == {"from", "to"}
    assert len(set(zoomed.values())) == 1
    first, last = before["requests"]
    assert first < zoomed["requests"][0] < zoomed["requests"][1] < last

    board.reload()
    assert board.x_ranges() == zoomed
    board.expect_selected("p95", "300ms")  # none of the windows

    board.select("30m")
    board.wait_query_params(window="30m")
    board.wait_window_minutes(30)

    board.drag("latency", 0.5, 0.53)
    board.wait_window_minutes(5, 7)  # never shorter
    board.chart("error_rate").locator(".nsewdrag").first.dblclick()
    board.wait_query_params(window="30m")
    board.wait_window_minutes(30)
    assert board.selected()[0] == "30m"


def test_a_button_leaves_a_fixed_window(demo: DashboardServer, opens: OpenPage) -> None:
    board = opens(demo)
    fixed = board.page.get_by_role("link", name="the step to 50:50").get_attribute("href")
    board.open(f"/{fixed}")
    board.page.get_by_role("button", name="✕").click()
    board.wait_query_params()
    board.wait_window_minutes(180)
