"""Light, dark and on a phone: the page fits, its colours are the palette's, and the accessibility rules of axe-core hold."""

from typing import Any

import pytest
from playwright.sync_api import expect

from charts.base.palette import PALETTES, Theme
from tests.browser.dashboard_page import PHONE, THEMES, OpenPage
from tests.factories.dashboard_server import DashboardServer

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@THEMES
@pytest.mark.parametrize("page", ["live", "parity"])
def test_axe_finds_nothing_serious(demo: DashboardServer, opens: OpenPage, look: dict[str, Any], page: str) -> None:
    board = _opened(demo, opens, page, **look)
    assert board.serious_violations() == []


def test_a_phone_scrolls_down_and_never_sideways(demo: DashboardServer, opens: OpenPage) -> None:
    board = opens(demo, **PHONE)
    widths = board.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert widths[0] <= widths[1] == 390
    main = board.page.locator("[data-testid='stMain']")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")
    # Nothing is cut off at the right either: every chart and every line of words ends inside the screen.
    beyond = board.page.evaluate(
        "[...document.querySelectorAll('.overlay-chart, .panel-head > *, .traffic *, .sources *, .demo, .top-line, button')]"
        ".filter(one => one.getBoundingClientRect().right > innerWidth + 0.5).map(one => one.outerHTML.slice(0, 80))"
    )
    assert beyond == []
    sizes = board.page.evaluate(
        "[...document.querySelectorAll('.panel-head, .traffic, .sources, .demo, .top-line, .overlay-chart .xtick text')]"
        ".map(one => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(sizes) >= 12


def test_on_a_phone_events_are_marks_and_their_words_do_not_lie_over_each_other(
    demo: DashboardServer, opens: OpenPage
) -> None:
    told = "box => box._fullLayout.annotations.filter(one => one.name === 'event').map(one => one.text)"
    wide = opens(demo).chart("latency").evaluate(told)
    narrow = opens(demo, **PHONE).chart("latency").evaluate(told)
    assert any(len(text) > 9 for text in wide), "the demo's last three hours hold an alert and annotations"
    assert narrow == [text if len(text) <= 9 else text[0] for text in wide]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_fleets_wear_the_colours_of_their_theme(demo: DashboardServer, opens: OpenPage, theme: Theme) -> None:
    board = opens(demo, color_scheme=theme)
    fleets = PALETTES[theme].fleets
    for chart in ("error_rate", "latency", "requests"):
        lines = board.chart(chart).evaluate(
            "box => box._fullData.map(line => [line.name, line.line?.color, line.line?.dash])"
        )
        assert ["EC2", fleets["baseline"], "solid"] in lines
        assert ["ECS", fleets["canary"], "dash"] in lines
    background = board.page.locator("[data-testid='stApp']")
    expect(background).to_have_css("background-color", _rgb(PALETTES[theme].paper))


def test_the_parity_page_fits_a_phone(demo: DashboardServer, opens: OpenPage) -> None:
    board = _opened(demo, opens, "parity", **PHONE)
    main = board.page.locator("[data-testid='stMain']")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")
    expect(board.page.locator(".aloud")).to_contain_text("ECS's error rate is")
    expect(board.page.locator(".forest").first.locator("tbody tr")).to_have_count(3)  # the demo's criteria


def _opened(demo: DashboardServer, opens: OpenPage, page: str, **look: Any) -> Any:
    # Below an address Streamlit first looks for its own files beside the page, and is told that they are not there.
    return opens(demo, **look) if page == "live" else opens(demo, "/parity", drawn=2, faultless=False, **look)


def _rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))})"
