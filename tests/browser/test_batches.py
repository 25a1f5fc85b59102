"""The Batches page in a real browser: opened first, in the dark, on a phone, and where Mackerel does not answer."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard_page import DARK, PHONE, THEMES, OpenPage, open_batches
from tests.factories.dashboard_server import DashboardServer, StartServer
from tests.fakes.services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
BATCHES = """
[batches]
duration = "batch.{job}.duration"
[[batches.jobs]]
name = "thumbnails"
schedule = "rate(5 minutes)"
"""


def test_a_cold_deep_link_opens_the_page_with_the_worst_job_first(
    room: Path, starts: StartServer, opens: OpenPage
) -> None:
    board = open_batches(starts({"MIGRATION_DEMO": "1"}), opens, "/batches?window=7d")
    rows = board.page.locator(".batches tbody tr")
    expect(rows).to_have_count(7)
    expect(rows.first).to_contain_text("cleanup")
    expect(board.page.locator(".aloud")).to_contain_text(
        "5 of 7 jobs ran as scheduled, rankings slowly; cleanup failed"
    )
    board.expect_selected("7 d")
    board.select("1 d")
    board.wait_query_params(window="1d")
    expect(board.page.locator(".aloud")).to_contain_text("Last 1 d:")


@THEMES
def test_axe_finds_nothing_serious(demo: DashboardServer, opens: OpenPage, look: dict[str, Any]) -> None:
    board = open_batches(demo, opens, **look)
    expect(board.page.locator(".batches tbody tr")).to_have_count(7)
    board.wait_until_idle()
    assert board.serious_violations() == []


def test_a_phone_never_scrolls_sideways(demo: DashboardServer, opens: OpenPage) -> None:
    board = open_batches(demo, opens, **PHONE)
    expect(board.page.locator(".batches tbody tr")).to_have_count(7)
    board.wait_until_idle()
    main = board.page.locator("[data-testid='stMain']")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")
    beyond = board.page.evaluate(
        "[...document.querySelectorAll('.batches *, .aloud, .marks *')]"
        ".filter(one => one.getBoundingClientRect().right > innerWidth + 0.5).map(one => one.outerHTML.slice(0, 80))"
    )
    assert beyond == []


def test_a_job_has_an_address_with_its_runs(demo: DashboardServer, opens: OpenPage) -> None:
    board = open_batches(demo, opens, "/batches?job=cleanup", **DARK)
    expect(board.page.locator(".job-head")).to_contain_text("failed")
    board.wait_for_charts(1)
    assert board.page.locator(".overlay-chart").evaluate("box => box._fullData.map(line => line.name)") == [
        "EventBridge and Lambda",
        "EventBridge and Lambda, failed",
    ]
    board.page.get_by_role("button", name="All jobs").click()
    expect(board.page.locator(".batches tbody tr")).to_have_count(7)
    assert board.query_params == {}


def test_a_run_that_died_is_told_with_what_lambda_counted(demo: DashboardServer, opens: OpenPage) -> None:
    board = open_batches(demo, opens, "/batches?job=digest")
    board.expect_text(".job-facts", "16 invocations")
    board.expect_text(".job-facts", "3 errors, 3 without a word to Mackerel")
    board.expect_text(".below", "Lambda reported an error and nothing was posted")


def test_without_batches_it_shows_what_to_write(
    world: FakeServices, room: Path, starts: StartServer, opens: OpenPage
) -> None:
    board = open_batches(starts(world.environment(world.write_config(room))), opens)
    expect(board.page.get_by_role("heading", name="Batches are not configured")).to_be_visible()
    expect(board.page.locator("[data-testid='stCode']")).to_contain_text("[[batches.jobs]]")


def test_where_mackerel_refuses_it_says_so_with_the_next_step(
    world: FakeServices, room: Path, starts: StartServer, opens: OpenPage
) -> None:
    path = world.write_config(room)
    path.write_text(path.read_text(encoding="utf-8") + BATCHES, encoding="utf-8")
    board = open_batches(starts(world.environment(path) | {"MACKEREL_APIKEY": "another-key"}), opens)
    expect(board.page.locator(".aloud")).to_contain_text("Nobody knows: what the jobs did was not read.")
    board.expect_text(".sources", "Unknown Mackerel key")
    board.expect_text(".sources", "Put a key of the organization that has this service into MACKEREL_APIKEY")
