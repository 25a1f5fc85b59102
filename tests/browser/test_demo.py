"""The demo says that it is one, and its episodes show what they are about: above all the blind spot."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard_page import DashboardPage, OpenPage
from tests.factories.dashboard_server import DashboardServer

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def highest(board: DashboardPage, chart: str, trace: str) -> float:
    """The highest value that a chart draws under a name, 0 where it draws none."""
    found: list[Any] = board.chart(chart).evaluate(
        "(box, name) => box.calcdata.filter(line => line[0].trace.name === name)"
        ".flatMap(line => line.map(point => point.y)).filter(Number.isFinite)",
        trace,
    )
    return max(found, default=0.0)


def test_every_page_of_the_demo_says_demo(demo: DashboardServer, opens: OpenPage) -> None:
    board = opens(demo)
    expect(board.page.locator(".demo").first).to_contain_text("DEMO A scripted migration, up to this minute.")
    expect(board.page).to_have_title("Photo service (demo) · Migration dashboard")
    expect(board.page.locator(".traffic")).to_contain_text("50.0 % told")


def test_the_links_of_the_banner_open_their_episodes(demo: DashboardServer, opens: OpenPage) -> None:
    board = opens(demo)
    for link, minutes in (("a latency regression", 120), ("the blind spot", 100), ("the step to 50:50", 180)):
        board.page.locator(".demo a").filter(has_text=link).click()
        board.wait_window_minutes(minutes)
        assert set(board.query_params) == {"from", "to"}
        board.wait_for_charts()


def test_the_blind_spot_is_loud(demo: DashboardServer, opens: OpenPage) -> None:
    board = opens(demo)
    board.page.locator(".demo a").filter(has_text="blind spot").click()
    board.wait_window_minutes(100)
    board.wait_for_charts()

    assert highest(board, "error_rate", "ECS unanswered") > 90  # %
    assert highest(board, "error_rate", "ALB's own 5xx, of either side") > 10
    expect(board.chart("error_rate")).to_contain_text("photo-ecs-green: no healt")
    # The canary's latency has a gap where nobody answered: dead tasks are not fast ones.
    assert board.chart("latency").evaluate(
        "box => box.calcdata.find(line => line[0].trace.name === 'ECS').some(point => !Number.isFinite(point.y))"
    )

    # In the minutes of it, the head of the chart says so too.
    start = board.query_params["from"]
    hour, minute = int(start[11:13]) * 60 + int(start[14:16]) + 40, 12
    board.open(
        f"/?from={start[:11]}{hour // 60:02}:{hour % 60:02}Z&to={start[:11]}{(hour + minute) // 60:02}:{(hour + minute) % 60:02}Z"
    )
    expect(board.panel_head("error_rate").locator(".bad")).to_have_text(
        [re.compile(r"^unanswered EC2 0(\.0\d*)? % · ECS (9\d|100)"), re.compile(r"^ALB's own 5xx [1-9]\d")]
    )
