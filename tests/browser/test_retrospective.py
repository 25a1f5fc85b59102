"""The Retrospective without any source: an archive of twenty days, and a Mackerel that refuses connections."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from messages import live, notes
from tests.browser.dashboard_page import PHONE, THEMES, DashboardPage, OpenPage, open_subpage
from tests.factories.archived_migration import SHIFT_S, archived_migration, make_migration, time_of, write_config
from tests.factories.dashboard_server import DashboardServer, run_dashboard
from tests.factories.evidence import MALICIOUS_TEXT

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def format_time(day: int, hour: int) -> str:
    return f"{datetime.fromtimestamp(time_of(day, hour) + SHIFT_S, UTC):%Y-%m-%dT%H:%MZ}"


@pytest.fixture(scope="module")
def archive_only_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardServer]:
    """A server whose archive ends at a midnight, and whose only source does not answer."""
    folder = tmp_path_factory.mktemp("archive-only")
    archived_migration(folder, make_migration(), shift_s=SHIFT_S).close()
    path = write_config(folder)
    mackerel = {"MACKEREL_APIKEY": "not-a-key", "MACKEREL_APIBASE": "http://127.0.0.1:9"}
    with run_dashboard(folder, {"MIGRATION_CONFIG": str(path), **mackerel}) as server:
        yield server


def open_retrospective(server: DashboardServer, open_page: OpenPage, query: str = "", **options: Any) -> DashboardPage:
    """Opens the page and waits for all verdicts."""
    dashboard = open_subpage(open_page, server, f"/retrospective{query}", charts=1, **options)
    expect(dashboard.page.locator(".phases tbody tr")).to_have_count(4)
    expect(dashboard.page.locator(".phases")).not_to_contain_text("judging")
    dashboard.wait_until_idle()
    return dashboard


def test_a_deep_link_shows_everything_from_the_archive_alone(
    archive_only_server: DashboardServer, open_page: OpenPage
) -> None:
    dashboard = open_retrospective(archive_only_server, open_page)
    dashboard.expect_text(".headline", r"10% → 50% · 4 phases · 1 rollback$")
    dashboard.expect_text(".cost", r"ECS served 14\.3M requests\.")
    dashboard.expect_text(".cost", r"9,980 excess errors vs\. EC2")
    dashboard.expect_text(".cost", r"effective within 5 min\. \(Back to 0%\)")
    dashboard.expect_text(".forest", "requests per hour")
    names = dashboard.chart("timeline").evaluate("box => box._fullData.map(trace => trace.name)")
    assert {"EC2", "ECS", "configured", "observed"} <= set(names)


def test_live_links_from_an_empty_window_to_the_newest_numbers(
    archive_only_server: DashboardServer, open_page: OpenPage
) -> None:
    dashboard = open_page(archive_only_server, charts=0)
    link = dashboard.page.get_by_role("link", name=live.last_known("", "")[1])
    link.click()
    expect(dashboard.page.locator(".st-key-chart_requests .main-svg").first).to_be_visible()
    assert set(dashboard.query_params) == {"from", "to"}
    expect(link).to_have_count(0)


def test_a_phase_links_to_live_and_to_its_verdict(archive_only_server: DashboardServer, open_page: OpenPage) -> None:
    row = open_retrospective(archive_only_server, open_page).page.locator(".phases tbody tr").nth(1)
    live, parity = (row.get_by_role("link", name=name).get_attribute("href") for name in ("Live", "Parity"))
    assert live == f"/?from={format_time(9, 9)}&to={format_time(9, 15)[:-3]}20Z"
    assert parity == f"/parity?phase={time_of(9, 9) + SHIFT_S}"


def test_a_drag_zooms_a_reload_keeps_it_and_a_double_click_resets_it(
    archive_only_server: DashboardServer, open_page: OpenPage
) -> None:
    dashboard = open_retrospective(archive_only_server, open_page)
    full_range = x_range(dashboard)
    dashboard.drag("timeline", 0.3, 0.6)
    dashboard.wait_for("() => new URLSearchParams(location.search).has('from')")
    dashboard.wait_for(
        "start => String(document.querySelector('.st-key-chart_timeline .overlay-chart')._fullLayout.xaxis.range[0]).slice(0, 16) !== start",
        full_range[0],
    )
    dashboard.wait_until_idle()
    zoomed = x_range(dashboard)
    assert full_range[0] < zoomed[0] < zoomed[1] < full_range[1]

    dashboard.reload(charts=1)
    dashboard.wait_until_idle()
    assert x_range(dashboard) == zoomed
    expect(dashboard.page.locator(".phases tbody tr")).to_have_count(4)  # the tables are of the whole migration

    box = dashboard.plot_area("timeline")
    dashboard.page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    dashboard.wait_query_params()
    dashboard.wait_for(
        "start => String(document.querySelector('.st-key-chart_timeline .overlay-chart')._fullLayout.xaxis.range[0]).slice(0, 16) === start",
        full_range[0],
    )


def test_zoomed_in_minutes_appear(archive_only_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_retrospective(
        archive_only_server, open_page, f"?from={format_time(9, 14)}&to={format_time(9, 17)}"
    )
    dashboard.expect_text(".note", r"Each point is 1 min\.")
    dashboard.expect_text(".panel-head, button", "14:00–17:00 UTC")


def test_a_step_is_entered_begins_a_phase_and_is_removed(
    archive_only_server: DashboardServer, open_page: OpenPage
) -> None:
    dashboard = open_retrospective(archive_only_server, open_page)
    dashboard.page.get_by_label("Share of the canary, or weights", exact=True).fill("95:5")
    dashboard.page.get_by_label("From", exact=True).fill(format_time(6, 6))
    dashboard.page.get_by_role("button", name="Add step").click()
    expect(dashboard.page.locator(".phases tbody tr").first).to_contain_text("1 · 5% (entered)")
    dashboard.wait_until_idle()
    dashboard.page.get_by_role("button", name="Remove").click()
    expect(dashboard.page.locator(".phases tbody tr").first).to_contain_text("1 · 10%")


def test_a_note_is_stored_drawn_and_removed_and_its_markup_is_not_executed(
    archive_only_server: DashboardServer, open_page: OpenPage
) -> None:
    dashboard = open_retrospective(archive_only_server, open_page)
    dialogs: list[str] = []
    dashboard.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    text = f"**bold** [link](https://example.com) {MALICIOUS_TEXT}"
    form = dashboard.page.get_by_test_id("stForm").filter(has=dashboard.page.get_by_label("Note", exact=True))
    form.get_by_label("Note", exact=True).fill(text)
    form.get_by_label("When", exact=True).fill(format_time(12, 6))
    form.get_by_label(str(notes.AUTHOR)).fill("Mika")
    form.get_by_role("button", name=str(notes.SAVE)).click()
    note = dashboard.page.locator(".saved-note")
    expect(note).to_contain_text(f"{text} by Mika")
    dashboard.wait_until_idle()
    assert note.locator("a, strong, script").count() == 0
    expect(dashboard.page.locator(".phases")).to_contain_text("<script>alert(1)</script>")
    dashboard.wait_for(
        "() => document.querySelector('.st-key-chart_timeline .overlay-chart')._fullLayout.annotations.some(item => item.text === '✎')"
    )
    dashboard.page.get_by_role("button", name="Remove").click()
    expect(note).to_have_count(0)
    assert dialogs == []


def test_a_note_with_an_invalid_time_is_rejected_with_a_message(
    archive_only_server: DashboardServer, open_page: OpenPage
) -> None:
    dashboard = open_retrospective(archive_only_server, open_page)
    dashboard.page.get_by_label("Note", exact=True).fill("Sale begins")
    dashboard.page.get_by_label("When", exact=True).fill("<b>noon</b>")
    dashboard.page.get_by_role("button", name=str(notes.SAVE)).click()
    expect(dashboard.page.get_by_text(notes.invalid_time("<b>noon</b>"))).to_be_visible()
    expect(dashboard.page.locator(".saved-note")).to_have_count(0)


def test_the_report_is_downloaded_opens_offline_and_prints(
    archive_only_server: DashboardServer,
    open_page: OpenPage,
    get_context: Callable[..., BrowserContext],
    tmp_path: Path,
) -> None:
    dashboard = open_retrospective(archive_only_server, open_page)
    with dashboard.page.expect_download() as download:
        dashboard.page.get_by_role("button", name="Report").click()
    assert re.fullmatch(r"retrospective-photo-service-\d{8}-\d{8}\.html", download.value.suggested_filename)
    download.value.save_as(tmp_path / "report.html")

    page = get_context(offline=True).new_page()
    console_messages: list[str] = []
    page.on("console", lambda message: console_messages.append(message.text))
    page.goto((tmp_path / "report.html").as_uri())
    expect(page.get_by_role("heading", level=1)).to_contain_text("Photo service")
    expect(page.get_by_role("img")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    printed = page.pdf(prefer_css_page_size=True)
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 4
    assert console_messages == []
    page.close()


@THEMES
def test_axe_finds_nothing_serious(
    archive_only_server: DashboardServer, open_page: OpenPage, options: dict[str, Any]
) -> None:
    dashboard = open_retrospective(archive_only_server, open_page, **options)
    assert dashboard.serious_violations() == []


def test_it_fits_a_phone(archive_only_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_retrospective(archive_only_server, open_page, **PHONE)
    assert dashboard.fits_width()


def x_range(dashboard: DashboardPage) -> list[str]:
    ends: list[str] = dashboard.chart("timeline").evaluate("box => box._fullLayout.xaxis.range.map(String)")
    return [end[:16] for end in ends]
