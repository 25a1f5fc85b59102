"""No page has a text that is not in the catalogue of translations."""

import ast
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard_page import OpenPage, open_subpage
from tests.factories.dashboard_server import StartServer
from tests.messages.catalogues import ROOT, write_pseudo_catalogue

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
    """In a language that has an accent on every letter, only data is without."""
    write_pseudo_catalogue(tmp_path / "locale", "ja")
    server = start_server({"MIGRATION_DEMO": "1", "MIGRATION_LOCALE_DIR": str(tmp_path / "locale")})
    data = _texts_of_the_demo()
    for path in PAGES:
        page = open_subpage(open_page, server, path, **JAPANESE).page
        expect(page.locator("html")).to_have_attribute("lang", "ja")
        expect(page.locator(".main-svg, table").filter(visible=True).first).to_be_visible()
        remaining = {NAMES.sub("", data.sub("", text)) for text in page.evaluate(READ_TEXTS_JS)}
        assert not sorted(filter(WORD.search, remaining)), path


def _texts_of_the_demo() -> re.Pattern[str]:
    """The names and titles in the demo's data: literals that are more than a word in lower case, and the names of its jobs."""
    literals = {"cleanup", "digest", "export", "invoices", "newsletter", "rankings", "thumbnails"}
    for path in (ROOT / "sources" / "demo").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"[^a-z_]", node.value):
                literals.add(node.value.strip())
    whole = [re.escape(text) for text in sorted(literals, key=len, reverse=True) if len(text) > 2]
    shortened = [f"{re.escape(text[:8])}[^…]*…" for text in literals if len(text) > 8]
    return re.compile("|".join([*whole, *shortened]))
