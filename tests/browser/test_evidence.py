"""The evidence file: downloaded from the Parity page, opened without a network, printed."""

import hashlib
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from reports.evidence.render import evidence_files
from tests.browser.dashboard_page import OpenPage, open_subpage
from tests.factories.config import make_migration
from tests.factories.dashboard_server import DashboardServer
from tests.factories.evidence import MADE_AT, MALICIOUS_TEXT, make_evidence

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
A4_POINTS = (595, 842)


def test_it_is_downloaded_from_the_parity_page_and_opens_offline(
    demo_server: DashboardServer, open_page: OpenPage, get_context: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    dashboard = open_subpage(open_page, demo_server, "/parity", charts=1)
    with dashboard.page.expect_download() as download:
        dashboard.page.get_by_role("button", name="Evidence file").click()
    assert re.fullmatch(
        r"evidence-photo-service-demo-\d{8}T\d{4}Z-\d{8}T\d{4}Z\.zip", download.value.suggested_filename
    )
    download.value.save_as(tmp_path / "evidence.zip")
    with zipfile.ZipFile(tmp_path / "evidence.zip") as file:
        file.extractall(tmp_path)

    page = get_context(offline=True).new_page()
    console_messages: list[str] = []
    page.on("console", lambda message: console_messages.append(message.text))
    page.goto((tmp_path / "evidence.html").as_uri())
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^(✓ CONTINUE|◐ WAIT|■ HOLD) · "))
    expect(page.locator("header")).to_contain_text("Photo service")
    expect(page.get_by_role("img")).to_have_count(7)  # three criteria and two of its own, error rate, p95
    expect(page.locator("body")).to_contain_text(hashlib.sha256((tmp_path / "data.csv").read_bytes()).hexdigest())
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert console_messages == []
    page.close()


def test_it_prints_on_a4(get_context: Callable[..., BrowserContext], tmp_path: Path) -> None:
    (tmp_path / "evidence.html").write_bytes(evidence_files(make_evidence(), made_at=MADE_AT)["evidence.html"])
    page = get_context(offline=True).new_page()
    page.goto((tmp_path / "evidence.html").as_uri())
    printed = page.pdf(prefer_css_page_size=True)
    page.close()
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 9
    sizes = {(float(wide), float(high)) for wide, high in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed)}
    assert [tuple(map(round, size)) for size in sizes] == [A4_POINTS]


def test_markup_in_names_is_not_executed(get_context: Callable[..., BrowserContext], tmp_path: Path) -> None:
    case = make_evidence(make_migration("migration.name", MALICIOUS_TEXT))
    (tmp_path / "evil.html").write_bytes(evidence_files(case, made_at=MADE_AT)["evidence.html"])
    page = get_context(offline=True).new_page()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto((tmp_path / "evil.html").as_uri())
    expect(page.locator(".name")).to_have_text(MALICIOUS_TEXT)
    assert page.locator("script").count() == 0
    assert dialogs == []
    page.close()
