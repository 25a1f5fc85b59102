"""The Retrospective with every source dead: an archive of twenty days, and a Mackerel that refuses connections."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.dashboard_page import PHONE, THEMES, DashboardPage, OpenPage
from tests.factories.archived_migration import DAY, END, archived_migration, make_migration, time_of
from tests.factories.dashboard_server import DashboardServer, run_dashboard
from tests.factories.evidence import MALICIOUS_TEXT

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
CONFIGURATION = """
[migration]
name = "Photo service"
timezone = "UTC"
archive = "sqlite:///{room}/archive.db"

[fleets.baseline]
label = "EC2"
target_groups = ["photo-ec2"]

[fleets.canary]
label = "ECS"
target_groups = ["photo-ecs"]

[mackerel]
service = "photo"
"""
LATER_S = int(datetime.now(UTC).timestamp()) // DAY * DAY - END


def written(day: int, hour: int) -> str:
    return f"{datetime.fromtimestamp(time_of(day, hour) + LATER_S, UTC):%Y-%m-%dT%H:%MZ}"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardServer]:
    """A server whose archive ends with the last midnight, and whose only source does not answer."""
    room = tmp_path_factory.mktemp("alone")
    archived_migration(room, make_migration(), shift_s=LATER_S).close()
    path = room / "migration.toml"
    path.write_text(CONFIGURATION.format(room=room), encoding="utf-8")
    nobody = {"MACKEREL_APIKEY": "not-a-key", "MACKEREL_APIBASE": "http://127.0.0.1:9"}
    with run_dashboard(room, {"MIGRATION_CONFIG": str(path), **nobody}) as server:
        yield server


def told(server: DashboardServer, opens: OpenPage, query: str = "", **look: Any) -> DashboardPage:
    """The page, once every verdict is reached. Below an address Streamlit first looks for its own files beside the page, in vain."""
    board = opens(server, f"/retrospective{query}", drawn=1, faultless=False, **look)
    expect(board.page.locator(".phases tbody tr")).to_have_count(4)
    expect(board.page.locator(".phases")).not_to_contain_text("being judged")
    board.wait_until_idle()
    return board


def test_a_cold_deep_link_tells_it_all_from_the_archive_alone(alone: DashboardServer, opens: OpenPage) -> None:
    board = told(alone, opens)
    board.expect_text(".aloud", r"10\.0 % → 50\.0 % in 4 phases, with 1 step back\.$")
    board.expect_text(".cost", r"ECS served 14\.3 M requests\.")
    board.expect_text(".cost", r"about 9,980 more than at EC2's rate")
    board.expect_text(".cost", r"took effect within 5 min\. \(Back to 0 %\)")
    board.expect_text(".forest", "requests an hour")
    names = board.chart("course").evaluate("box => box._fullData.map(one => one.name)")
    assert {"EC2", "ECS", "ECS, told"} <= set(names)


def test_live_leads_from_an_empty_window_to_the_newest_numbers(alone: DashboardServer, opens: OpenPage) -> None:
    board = opens(alone, drawn=0)
    board.page.get_by_text("The newest number that is kept is of").get_by_role("link").click()
    expect(board.page.locator(".st-key-chart_requests .main-svg").first).to_be_visible()
    assert set(board.query_params) == {"from", "to"}
    expect(board.page.get_by_text("The newest number that is kept is of")).to_have_count(0)


def test_a_phase_leads_to_live_and_to_its_verdict(alone: DashboardServer, opens: OpenPage) -> None:
    row = told(alone, opens).page.locator(".phases tbody tr").nth(1)
    live, parity = (row.get_by_role("link", name=name).get_attribute("href") for name in ("Live", "Parity"))
    assert live == f"/?from={written(9, 9)[:-3]}02Z&to={written(9, 15)[:-3]}20Z"
    assert parity == f"/parity?phase={time_of(9, 9, 2) + LATER_S}"


def test_a_drag_zooms_a_reload_keeps_it_and_a_double_click_goes_back(alone: DashboardServer, opens: OpenPage) -> None:
    board = told(alone, opens)
    whole = course_range(board)
    board.drag("course", 0.3, 0.6)
    board.wait_for("() => new URLSearchParams(location.search).has('from')")
    board.wait_for(
        "whole => String(document.querySelector('.st-key-chart_course .overlay-chart')._fullLayout.xaxis.range[0]).slice(0, 16) !== whole",
        whole[0],
    )
    board.wait_until_idle()
    zoomed = course_range(board)
    assert whole[0] < zoomed[0] < zoomed[1] < whole[1]

    board.reload(charts=1)
    board.wait_until_idle()
    assert course_range(board) == zoomed
    expect(board.page.locator(".phases tbody tr")).to_have_count(4)  # what it cost is of the whole

    box = board.chart("course").locator(".nsewdrag").first.bounding_box()
    assert box
    board.page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    board.wait_query_params()
    board.wait_for(
        "whole => String(document.querySelector('.st-key-chart_course .overlay-chart')._fullLayout.xaxis.range[0]).slice(0, 16) === whole",
        whole[0],
    )


def test_zoomed_in_the_minutes_that_are_kept_appear(alone: DashboardServer, opens: OpenPage) -> None:
    board = told(alone, opens, f"?from={written(9, 14)}&to={written(9, 17)}")
    board.expect_text(".note", r"Each point is 1 min:")
    board.expect_text(".panel-head, button", "14:00–17:00 UTC")


def test_a_note_is_kept_drawn_and_removed_and_its_words_do_not_act(alone: DashboardServer, opens: OpenPage) -> None:
    board = told(alone, opens)
    dialogs: list[str] = []
    board.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    text = f"**bold** [link](https://example.com) {MALICIOUS_TEXT}"
    board.page.get_by_label("Note", exact=True).fill(text)
    board.page.get_by_label("When", exact=True).fill(written(12, 6))
    board.page.get_by_label(re.compile("^By")).fill("Mika")
    board.page.get_by_role("button", name="Keep the note").click()
    kept = board.page.locator(".kept")
    expect(kept).to_contain_text(f"{text} by Mika")
    board.wait_until_idle()
    assert kept.locator("a, strong, script").count() == 0
    expect(board.page.locator(".phases")).to_contain_text("<script>alert(1)</script>")
    board.wait_for(
        "() => document.querySelector('.st-key-chart_course .overlay-chart')._fullLayout.annotations.some(one => one.text === '✎')"
    )
    board.page.get_by_role("button", name="Remove").click()
    expect(kept).to_have_count(0)
    assert dialogs == []


def test_a_note_at_no_time_is_refused_in_words(alone: DashboardServer, opens: OpenPage) -> None:
    board = told(alone, opens)
    board.page.get_by_label("Note", exact=True).fill("Sale begins")
    board.page.get_by_label("When", exact=True).fill("<b>noon</b>")
    board.page.get_by_role("button", name="Keep the note").click()
    expect(board.page.locator(".warn")).to_contain_text("“<b>noon</b>” is no time.")
    expect(board.page.locator(".kept")).to_have_count(0)


def test_the_report_is_handed_out_opens_offline_and_prints(
    alone: DashboardServer, opens: OpenPage, contexts: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    board = told(alone, opens)
    with board.page.expect_download() as handed:
        board.page.get_by_role("button", name="Report").click()
    assert re.fullmatch(r"retrospective-photo-service-\d{8}-\d{8}\.html", handed.value.suggested_filename)
    handed.value.save_as(tmp_path / "story.html")

    page = contexts(offline=True).new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.goto((tmp_path / "story.html").as_uri())
    expect(page.get_by_role("heading", level=1)).to_contain_text("Photo service")
    expect(page.get_by_role("img")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    printed = page.pdf(prefer_css_page_size=True)
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 4
    assert complaints == []
    page.close()


@THEMES
def test_axe_finds_nothing_serious(alone: DashboardServer, opens: OpenPage, look: dict[str, Any]) -> None:
    board = told(alone, opens, **look)
    assert board.serious_violations() == []


def test_it_fits_a_phone(alone: DashboardServer, opens: OpenPage) -> None:
    board = told(alone, opens, **PHONE)
    main = board.page.locator("[data-testid='stMain']")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")


def course_range(board: DashboardPage) -> list[str]:
    ends: list[str] = board.chart("course").evaluate("box => box._fullLayout.xaxis.range.map(String)")
    return [end[:16] for end in ends]
