"""Light, dark and on a phone: the page fits, and has the palette's colours."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from charts.base.palette import PALETTES, Theme
from tests.browser.dashboard_page import PHONE, DashboardPage, OpenPage, open_subpage
from tests.factories.dashboard_server import DashboardServer

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_a_phone_scrolls_down_and_never_sideways(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server, **PHONE)
    widths = dashboard.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert widths[0] <= widths[1] == 390
    assert dashboard.fits_width()
    # Nothing is cut off at the right either.
    assert (
        dashboard.elements_beyond_the_right_edge(
            ".overlay-chart, .panel-head > *, .traffic *, .sources *, .demo, .top-line, button"
        )
        == []
    )
    sizes = dashboard.page.evaluate(
        "[...document.querySelectorAll('.panel-head, .traffic, .sources, .demo, .top-line, .overlay-chart .xtick text')]"
        ".map(element => parseFloat(getComputedStyle(element).fontSize))"
    )
    assert min(sizes) >= 12


def test_on_a_phone_events_are_marks_so_that_labels_do_not_overlap(
    demo_server: DashboardServer, open_page: OpenPage
) -> None:
    labels = "box => box._fullLayout.annotations.filter(item => item.name === 'event').map(item => item.text)"
    lane = ".st-key-event_lane .overlay-chart"
    wide = open_page(demo_server).page.locator(lane).evaluate(labels)
    narrow = open_page(demo_server, **PHONE).page.locator(lane).evaluate(labels)
    assert any(len(text) > 9 for text in wide), "the demo's last three hours hold an alert and annotations"
    assert narrow == [text if len(text) <= 9 else text[0] for text in wide]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_fleets_have_the_colours_of_the_theme(
    demo_server: DashboardServer, open_page: OpenPage, theme: Theme
) -> None:
    dashboard = open_page(demo_server, color_scheme=theme)
    fleets = PALETTES[theme].fleets
    for chart in ("error_rate", "latency", "requests"):
        lines = dashboard.chart(chart).evaluate(
            "box => box._fullData.map(line => [line.name, line.line?.color, line.line?.dash])"
        )
        assert ["EC2", fleets["baseline"], "solid"] in lines
        assert ["ECS", fleets["canary"], "solid"] in lines
    background = dashboard.page.locator("[data-testid='stApp']")
    expect(background).to_have_css("background-color", _rgb(PALETTES[theme].paper))


def test_the_parity_page_fits_a_phone(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = _open(open_page, demo_server, "parity", **PHONE)
    assert dashboard.fits_width()
    expect(dashboard.page.locator(".hero")).to_contain_text(
        re.compile("CONTINUE|HOLD")
    )  # HOLD if the demo's logs were counted
    expect(dashboard.page.get_by_text("ECS − EC2 error rate: 95% CI").first).to_be_visible()
    expect(dashboard.page.locator(".criteria tbody tr:not(.of-routes)")).to_have_count(5)  # the demo's criteria


def _open(open_page: OpenPage, server: DashboardServer, page: str, **options: Any) -> DashboardPage:
    if page == "live":
        return open_page(server, **options)
    return open_subpage(open_page, server, "/parity", charts=2, **options)


def _rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))})"
