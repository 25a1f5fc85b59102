"""What happened: drawn on every chart alike, left out and brought back by kind, told in words below."""

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard_page import CHART_NAMES, DashboardPage, OpenPage
from tests.factories.dashboard_server import DashboardServer

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

_LINES = "box => (box._fullLayout.shapes || []).filter(one => one.type === 'line' && one.name).map(one => one.name)"

_NONE_OF = """([names, kind]) => names.every(name =>
    !document.querySelector(`.st-key-chart_${name} .overlay-chart`)._fullLayout.shapes.some(one => one.name === kind))"""


def drawn(board: DashboardPage) -> set[tuple[str, ...]]:
    """The kinds of the lines on each chart, each kind of drawing once: one where all charts show the same."""
    return {tuple(board.chart(name).evaluate(_LINES)) for name in CHART_NAMES}


def episode(board: DashboardPage) -> dict[str, str]:
    """Goes to the latency regression of the demo: two steps, an alert and a roll-back."""
    board.page.locator(".demo a").first.click()
    board.page.wait_for_url("**from=**")
    board.wait_for_charts()
    expect(board.page.get_by_role("button", name="Roll-backs")).to_be_visible()
    return dict(board.query_params)


def test_every_chart_shows_the_same_and_a_kind_is_left_out_of_all(demo: DashboardServer, opens: OpenPage) -> None:
    board = opens(demo)
    window = episode(board)
    (before,) = drawn(board)
    assert sorted(before) == ["alert", "weight", "weight"], "the roll-back shares the line of the step that it made"

    board.page.get_by_role("button", name="Alerts").click()
    board.wait_query_params(**window, events="weight,annotation,deployment,rollback,note")
    board.wait_for(_NONE_OF, [list(CHART_NAMES), "alert"])
    assert drawn(board) == {("weight", "weight")}

    board.reload()
    assert drawn(board) == {("weight", "weight")}
    board.page.get_by_role("button", name="Alerts").click()
    board.wait_query_params(**window)


def test_the_list_says_in_words_who_made_a_step_and_how(demo: DashboardServer, opens: OpenPage) -> None:
    board = opens(demo)
    episode(board)
    board.page.get_by_text("4 events in this window").click()
    rows = board.page.locator("details[open] tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.last).to_contain_text("weights: 5.0 % → 10.0 %")
    expect(rows.last).to_contain_text("kenji.mori, AWS CLI")
    expect(board.page.get_by_role("img").first).to_be_attached()


def test_pointing_at_a_steps_words_tells_all_of_it(demo: DashboardServer, opens: OpenPage) -> None:
    board = opens(demo)
    episode(board)
    board.chart("latency").locator(".annotation-text", has_text="10.0 %").hover()
    expect(board.chart("latency").locator(".hoverlayer")).to_contain_text("kenji.mori, AWS CLI")
