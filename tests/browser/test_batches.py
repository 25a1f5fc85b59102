"""The Batches page in a browser: opened first, dark, on a phone, and with a Mackerel that denies access."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard_page import DARK, PHONE, OpenPage, open_subpage
from tests.browser.running_dashboard import server_environment, write_config
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


def test_a_deep_link_to_a_new_server_shows_the_worst_job_first(
    tmp_path: Path, start_server: StartServer, open_page: OpenPage
) -> None:
    dashboard = open_subpage(open_page, start_server({"MIGRATION_DEMO": "1"}), "/batches?window=7d")
    rows = dashboard.page.locator(".batches tbody tr")
    expect(rows).to_have_count(7)
    expect(rows.first).to_contain_text("cleanup")
    expect(dashboard.page.locator(".headline")).to_contain_text(
        "1 of 7 jobs failed: cleanup · slow: rankings · paused: newsletter · no schedule: export"
    )
    dashboard.expect_selected("7d", "All 7")
    dashboard.select("1d")
    dashboard.wait_query_params(window="1d")
    expect(dashboard.page.locator(".headline")).to_contain_text("Last 1d:")
    dashboard.page.get_by_text("Problems only").click()
    dashboard.wait_query_params(window="1d", show="problems")
    expect(dashboard.page.locator(".batches tbody tr")).to_have_count(4)


def test_a_job_that_runs_twice_has_the_commands_that_end_it(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_subpage(open_page, demo_server, "/batches?job=digest")
    findings = dashboard.page.locator("section", has_text="Hand-over findings of this job")
    expect(findings).to_contain_text("2× ran by both")
    expect(findings).to_contain_text("↻ retried by Lambda")
    expect(dashboard.page.get_by_test_id("stCode").first).to_contain_text("crontab -l | sed")
    expect(dashboard.page.get_by_test_id("stCode").last).to_contain_text("aws scheduler update-schedule")


def test_a_phone_never_scrolls_sideways(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_subpage(open_page, demo_server, "/batches", **PHONE)
    expect(dashboard.page.locator(".batches tbody tr")).to_have_count(7)
    dashboard.wait_until_idle()
    assert dashboard.fits_width()
    assert dashboard.elements_beyond_the_right_edge(".batches *, .headline, .marks *") == []


def test_a_job_has_a_url_with_its_runs(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_subpage(open_page, demo_server, "/batches?job=cleanup", **DARK)
    expect(dashboard.page.locator(".job-head")).to_contain_text("failed")
    dashboard.wait_for_charts(1)
    assert dashboard.page.locator(".overlay-chart").evaluate("box => box._fullData.map(line => line.name)") == [
        "cron",
        "EventBridge and Lambda",
        "EventBridge and Lambda, failed",
    ]
    dashboard.page.get_by_role("button", name="All jobs").click()
    expect(dashboard.page.locator(".batches tbody tr")).to_have_count(7)
    assert dashboard.query_params == {}


def test_a_silent_failure_is_shown_with_lambdas_counts(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_subpage(open_page, demo_server, "/batches?job=digest")
    dashboard.expect_text(".job-facts", "16 invocations")
    dashboard.expect_text(".job-facts", "3 errors, 3 not reported to Mackerel")
    dashboard.expect_text(".below", "Lambda error, no metric")


def test_without_batches_it_shows_what_to_configure(
    services: FakeServices, tmp_path: Path, start_server: StartServer, open_page: OpenPage
) -> None:
    server = start_server(server_environment(services, write_config(services, tmp_path)))
    dashboard = open_subpage(open_page, server, "/batches")
    expect(dashboard.page.get_by_role("heading", name="Batches are not configured")).to_be_visible()
    expect(dashboard.page.locator("[data-testid='stCode']")).to_contain_text("[[batches.jobs]]")


def test_a_mackerel_that_denies_access_is_shown_with_the_next_step(
    services: FakeServices, tmp_path: Path, start_server: StartServer, open_page: OpenPage
) -> None:
    path = write_config(services, tmp_path)
    path.write_text(path.read_text(encoding="utf-8") + BATCHES, encoding="utf-8")
    server = start_server(server_environment(services, path) | {"MACKEREL_APIKEY": "another-key"})
    dashboard = open_subpage(open_page, server, "/batches")
    expect(dashboard.page.locator(".headline")).to_contain_text("Unknown: runs could not be read.")
    expect(dashboard.page.locator(".headline")).not_to_contain_text("0 runs")
    dashboard.expect_text(".sources", "Invalid Mackerel key")
    dashboard.expect_text(".sources", "Set MACKEREL_APIKEY to a key of the organization that has this service")
