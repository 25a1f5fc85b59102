"""Every page satisfies all rules of axe-core in both themes and on a phone, its popovers too; at 200 % zoom it does not scroll sideways."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard_page import DARK, PHONE, DashboardPage, OpenPage, open_subpage
from tests.factories.dashboard_server import DashboardServer

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# Each page with an element that it draws last.
PAGES = {
    "/": ".st-key-chart_requests [data-drawn]",
    "/parity": ".forest tbody tr",
    "/endpoints": ".routes tbody tr",
    "/endpoints?route=/v1/albums/:id/share": ".codes",
    "/batches": ".batches tbody tr",
    "/batches?job=cleanup": ".job-head",
    "/retrospective": "[data-drawn]",
}
ZOOMED: dict[str, Any] = {"viewport": {"width": 720, "height": 450}}  # 1440 × 900 at 200 %


@pytest.mark.parametrize("options", [{}, DARK, PHONE | DARK], ids=["light", "dark", "phone"])
def test_axe_finds_nothing(demo_server: DashboardServer, open_page: OpenPage, options: dict[str, Any]) -> None:
    violations = {}
    for path in PAGES:
        dashboard = _open(open_page, demo_server, path, **options)
        violations[path] = dashboard.violations()
        for button in dashboard.page.get_by_test_id("stPopoverButton").all():
            if button.is_visible() and button.is_enabled():
                name = button.inner_text().splitlines()[0]
                button.click()
                expect(dashboard.page.get_by_test_id("stPopoverBody")).to_be_visible()
                dashboard.wait_until_idle()
                violations[f"{path} {name}"] = dashboard.violations()
                dashboard.page.keyboard.press("Escape")
                expect(dashboard.page.get_by_test_id("stPopoverBody")).to_have_count(0)
        dashboard.page.close()
    assert {where: what for where, what in violations.items() if what} == {}


def test_at_200_percent_zoom_no_page_scrolls_sideways_and_each_has_its_title(
    demo_server: DashboardServer, open_page: OpenPage
) -> None:
    titles = set()
    paths = [path for path in PAGES if "?" not in path]
    for path in paths:
        dashboard = _open(open_page, demo_server, path, **ZOOMED)
        assert dashboard.fits_width(), path
        titles.add(dashboard.page.title())
        dashboard.page.close()
    assert len(titles) == len(paths)


def _open(open_page: OpenPage, server: DashboardServer, path: str, **options: Any) -> DashboardPage:
    dashboard = open_subpage(open_page, server, path, **options)
    expect(dashboard.page.locator(PAGES[path]).first).to_be_visible()
    expect(dashboard.page.locator(".overlay-chart:not([data-drawn])")).to_have_count(0)
    dashboard.wait_until_idle()
    return dashboard
