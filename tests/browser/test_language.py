"""Each reader has a language: that of the URL, else the browser's; and no page has a text that is not in the catalogue."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from messages.catalogues import ROOT
from tests.browser.dashboard_page import OpenPage, open_subpage
from tests.factories.dashboard_server import DashboardServer, StartServer
from tests.messages.pseudo_locale import write_pseudo_catalogue

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

JAPANESE = {"locale": "ja-JP"}
PAGES = ("/", "/parity", "/endpoints", "/batches", "/batches?job=cleanup", "/retrospective")
# Every visible text, and every text for screen readers.
READ_TEXTS_JS = """() => {
  document.querySelectorAll("details").forEach((details) => { details.open = true; });
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest("script, style, code, [data-testid=stIconMaterial]");
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) if (isShown(walker.currentNode.parentElement)) texts.push(walker.currentNode.data.trim());
  for (const element of document.body.querySelectorAll("*")) if (isShown(element))
    for (const name of ["aria-label", "title", "placeholder", "alt"]) texts.push(element.getAttribute(name));
  return texts.filter(Boolean);
}"""
ADD_ENGLISH_JS = """() => document.querySelector("[data-testid=stMain]").insertAdjacentHTML("beforeend",
  "<details><summary>à</summary><p>Not judged</p></details><input aria-label='à' placeholder='Type a name'><i title='Chart of all hosts'>à</i>")"""
MIN_TEXTS = 15
ACCENTED = re.compile("[àéîôû]")
WORD = re.compile(r"[A-Za-z]{3,}")
# Names and units that are alike in every language, and dates on axes, whose months plotly writes.
NAMES = re.compile(
    r"EC2|ECS|CSV|Terraform|CloudFormation|codedeploy|oncall|· user ·|CloudWatch|CodeDeploy\w*|Lambda|EventBridge|Mackerel|Amazon|Elastic Load Balancing"
    r"|English|\bJST\b|\bUTC\b|Asia/Tokyo"
    r"|/min\b|: ecs\b|^default$|^redirect$|\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b"
)


def test_every_text_of_every_page_is_in_the_catalogue(
    start_server: StartServer, open_page: OpenPage, tmp_path: Path
) -> None:
    """In a language that has an accent on every letter, only data is without: on pages, in folded parts and in popovers."""
    write_pseudo_catalogue(tmp_path / "locale", "ja")
    server = start_server({"MIGRATION_DEMO": "1", "MIGRATION_LOCALE_DIR": str(tmp_path / "locale")})
    data, opened = _texts_of_the_demo(), set[str]()
    for path in PAGES:
        page = open_subpage(open_page, server, path, **JAPANESE).page
        expect(page.locator("html")).to_have_attribute("lang", "ja")
        expect(page.locator(".main-svg, table").filter(visible=True).first).to_be_visible()
        texts = page.evaluate(READ_TEXTS_JS)
        assert sum(map(bool, map(ACCENTED.search, texts))) > MIN_TEXTS, path
        assert not _unaccented(texts, data), path
        popovers = page.get_by_test_id("stPopover").locator("button").filter(visible=True)
        for index in range(popovers.count()):
            popovers.nth(index).click()
            body = page.get_by_test_id("stPopoverBody").filter(visible=True)
            expect(body).to_contain_text(ACCENTED)
            assert not _unaccented(page.evaluate(READ_TEXTS_JS), data), (path, body.inner_text())
            page.keyboard.press("Escape")
            expect(body).to_have_count(0)
            opened.add(path)
    assert opened >= {"/", "/parity"}
    page.evaluate(ADD_ENGLISH_JS)
    assert _unaccented(page.evaluate(READ_TEXTS_JS), data) == ["Chart of all hosts", "Not judged", "Type a name"]


def test_two_readers_at_a_time_have_a_language_each(demo_server: DashboardServer, open_page: OpenPage) -> None:
    japanese = open_page(demo_server, **JAPANESE).page
    english = open_page(demo_server, locale="de-DE").page
    for page, language, title in ((japanese, "ja", "ライブ"), (english, "en", "Live"), (japanese, "ja", "ライブ")):
        page.reload()
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(_navigation(page).first).to_have_text(title)


def test_a_choice_stays_in_the_url_and_in_links(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server, "/?window=1h", fail_on_errors=False)  # of files beside a subpage: open_subpage
    dashboard.page.locator(".language a").click()
    expect(dashboard.page.locator("html")).to_have_attribute("lang", "ja")
    dashboard.wait_query_params(window="1h", lang="ja")
    _navigation(dashboard.page).nth(1).click()
    expect(_navigation(dashboard.page).nth(1)).to_have_text("同等性")
    dashboard.wait_query_params(lang="ja")
    dashboard.page.locator(".language a").click()
    expect(dashboard.page.locator("html")).to_have_attribute("lang", "en")
    dashboard.wait_query_params(lang="en")


@pytest.mark.parametrize("language", ["tlh", "", "<b>", "x" * 5000])
def test_an_unknown_language_is_the_browsers(demo_server: DashboardServer, open_page: OpenPage, language: str) -> None:
    page = open_page(demo_server, f"/?lang={language}", **JAPANESE).page
    expect(page.locator("html")).to_have_attribute("lang", "ja")


def _unaccented(texts: Iterable[str], data: re.Pattern[str]) -> list[str]:
    """The texts with a word that is neither accented nor data."""
    return sorted(filter(WORD.search, {NAMES.sub("", data.sub("", text)) for text in texts}))


def _navigation(page: Page):
    return page.get_by_test_id("stTopNavLink")


def _texts_of_the_demo() -> re.Pattern[str]:
    """The names and titles in the demo's data: literals that are more than a word in lower case, its load balancer, and the names of its jobs."""
    literals = {"photo", "cleanup", "digest", "export", "invoices", "newsletter", "rankings", "thumbnails"}
    for path in (ROOT / "sources" / "demo").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"[^a-z_]", node.value):
                literals.add(node.value.strip())
    whole = [re.escape(text) for text in sorted(literals, key=len, reverse=True) if len(text) > 2]
    shortened = [f"{re.escape(text[:8])}[^…]*…" for text in literals if len(text) > 8]
    return re.compile("|".join([*whole, *shortened]))
