"""Every page satisfies all rules of axe-core in both themes and on a phone, its popovers too.

At 200 % zoom it does not scroll sideways, spaced text is not cut, and forced colours leave what colours say.
"""

from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.dashboard_page import DARK, PHONE, DashboardPage, OpenPage, open_subpage
from tests.factories.dashboard_server import DashboardServer

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

MAX_ESCAPES = 4
# Each page with an element that it draws last.
PAGES = {
    "/": ".st-key-chart_requests [data-drawn]",
    "/parity": ".forest tbody tr",
    "/endpoints": ".routes tbody tr",
    "/endpoints?route=/v1/albums/:id/share": ".codes",
    "/batches": ".batches tbody tr",
    "/batches?job=cleanup": ".job-head",
    "/retrospective": "[data-drawn]",
    "/?migration=photo-search-demo": ".board tbody tr",
}
TEXT_SPACING = """
    * { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }
    p { margin-bottom: 2em !important; }
"""
CUT_TEXTS = """() => {
    const overflow = element => {
        const { overflowX, overflowY } = getComputedStyle(element);
        return overflowX + overflowY;
    };
    const isFrame = element => /auto|scroll/.test(overflow(element)) || (/hidden|clip/.test(overflow(element)) && element.clientWidth > 1);
    const cut = [];
    const texts = document.createTreeWalker(document.querySelector("[data-testid='stApp']"), NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const text = texts.currentNode;
        let frame = text.parentElement;
        if (!text.data.trim() || frame.closest("svg, .spoken") || !frame.checkVisibility({ visibilityProperty: true })) continue;
        while (frame && !isFrame(frame)) frame = frame.parentElement;
        if (frame && /auto|scroll/.test(overflow(frame))) continue; // what is outside can be scrolled to
        const range = document.createRange();
        range.selectNodeContents(text);
        const outer = frame?.getBoundingClientRect();
        const inner = range.getBoundingClientRect();
        if (outer && (inner.right > outer.right + 1 || inner.bottom > outer.bottom + 3 || inner.top < outer.top - 3)) cut.push(text.data.slice(0, 60));
    }
    return cut;
}"""
TABLES_WITHOUT_CAPTION = """() => [...document.querySelectorAll("table")]
    .filter(table => !table.caption?.textContent.trim()).map(table => table.outerHTML.slice(0, 120))"""
ZOOMED: dict[str, Any] = {"viewport": {"width": 720, "height": 450}}  # 1440 × 900 at 200 %


def _close_popover(page: Page) -> None:
    """Presses Escape until it is closed: a refresh of the page at that moment may take the key."""
    body = page.get_by_test_id("stPopoverBody")
    for _ in range(MAX_ESCAPES):
        page.keyboard.press("Escape")
        with suppress(AssertionError):
            expect(body).to_have_count(0, timeout=3_000)
            return
    expect(body).to_have_count(0)


@pytest.mark.parametrize("options", [{}, DARK, PHONE, PHONE | DARK], ids=["light", "dark", "phone", "dark phone"])
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
                _close_popover(dashboard.page)
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


@pytest.mark.parametrize("options", [{}, PHONE], ids=["wide", "phone"])
def test_text_spacing_cuts_nothing_and_every_table_has_a_caption(
    demo_server: DashboardServer, open_page: OpenPage, options: dict[str, Any]
) -> None:
    """The spacing of WCAG 1.4.12. What is cut already without it is the area around a button that takes a touch."""
    cut, untitled = {}, {}
    for path in PAGES:
        dashboard = _open(open_page, demo_server, path, **options)
        untitled[path] = dashboard.page.evaluate(TABLES_WITHOUT_CAPTION)
        before = dashboard.page.evaluate(CUT_TEXTS)
        dashboard.page.add_style_tag(content=TEXT_SPACING)
        dashboard.page.evaluate("() => new Promise(requestAnimationFrame)")
        cut[path] = [text for text in dashboard.page.evaluate(CUT_TEXTS) if text not in before]
        assert dashboard.fits_width(), path
        dashboard.page.close()
    assert {path: texts for path, texts in cut.items() if texts} == {}
    assert {path: tables for path, tables in untitled.items() if tables} == {}


@pytest.mark.parametrize("options", [{}, DARK], ids=["light", "dark"])
def test_forced_colours_leave_what_colours_say(
    demo_server: DashboardServer, open_page: OpenPage, options: dict[str, Any]
) -> None:
    """The system's colours instead of the page's: bars, marks and swatches keep theirs, and a choice is seen."""
    dashboard = _open(open_page, demo_server, "/", forced_colors="active", **options)
    page = dashboard.page
    assert page.evaluate("matchMedia('(forced-colors: active)').matches")
    colour = "element => getComputedStyle(element).backgroundColor"
    paper = page.locator("body").evaluate(colour)
    for selector in (".traffic .bar .baseline", ".chart-values i.area", "[data-testid='stCheckbox'] label > div"):
        assert page.locator(selector).first.evaluate(colour) != paper, selector
    lines = page.locator(".st-key-chart_latency .chart-values i.line")
    baseline, canary = (lines.nth(at).evaluate("line => getComputedStyle(line).borderTopColor") for at in (0, 1))
    assert baseline != canary
    chosen, other = (page.get_by_role("radio", name=name, exact=True).evaluate(colour) for name in ("3h", "1h"))
    assert chosen != other
    assert dashboard.serious_violations() == []
    batches = _open(open_page, demo_server, "/batches", forced_colors="active", **options).page
    for selector in (".strip .failed", ".strip .ok", ".typical .run"):
        assert batches.locator(selector).first.evaluate(colour) != paper, selector


def _open(open_page: OpenPage, server: DashboardServer, path: str, **options: Any) -> DashboardPage:
    dashboard = open_subpage(open_page, server, path, **options)
    expect(dashboard.page.locator(PAGES[path]).first).to_be_visible()
    expect(dashboard.page.locator(".overlay-chart:not([data-drawn])")).to_have_count(0)
    dashboard.wait_until_idle()
    return dashboard
