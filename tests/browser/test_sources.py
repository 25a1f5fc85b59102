"""The whole program against the fakes: the page follows their data, and shows what fails beside the last known numbers."""

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from messages import live
from tests.browser.dashboard_page import DashboardPage, OpenPage, open_subpage
from tests.browser.running_dashboard import RunningDashboard, server_environment, write_config
from tests.factories.dashboard_server import StartServer
from tests.fakes.elbv2 import access_denied
from tests.fakes.mackerel import API_KEY
from tests.fakes.services import MACKEREL_TABLE, FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

UNREACHABLE_URL = "http://127.0.0.1:9"  # the discard port, on which nothing listens
POLL_TIMEOUT_MS = 45_000  # the load balancer is polled every 15 s; machines may be busy


def source_row(dashboard: DashboardPage, name: str) -> Locator:
    """A source's row on the page."""
    return dashboard.page.locator(".sources tr").filter(
        has=dashboard.page.locator("th", has_text=re.compile(f"^{name}$"))
    )


def expect_state(dashboard: DashboardPage, name: str, state: str) -> None:
    expect(source_row(dashboard, name).locator("span").first).to_have_text(
        re.compile(f"^{state} "), timeout=POLL_TIMEOUT_MS
    )


def days_ago(days: float, minutes: int = 60) -> str:
    """The path of a window that no test has opened before: it is requested at once."""
    start = datetime.now(UTC) - timedelta(days=days)
    return f"/?from={start:%Y-%m-%dT%H:%MZ}&to={start + timedelta(minutes=minutes):%Y-%m-%dT%H:%MZ}"


def drawn_share(dashboard: DashboardPage) -> float:
    """The canary's share of the requests that the page draws."""
    sums: list[Any] = dashboard.chart("requests").evaluate(
        "box => ['EC2', 'ECS'].map(name => box.calcdata.filter(line => line[0].trace.name === name)"
        ".flatMap(line => line.map(point => point.y)).filter(Number.isFinite).reduce((sum, y) => sum + y, 0))"
    )
    return float(sums[1] / sum(sums))


@pytest.fixture(autouse=True)
def no_faults(services: FakeServices) -> Iterator[None]:
    """Ends every fault after a test."""
    cloudwatch, mackerel = services.cloudwatch, services.mackerel
    alerts, annotations = list(mackerel.alerts), list(mackerel.annotations)
    yield
    if cloudwatch.hang:
        cloudwatch.hang.set()
    cloudwatch.hang, cloudwatch.denied, cloudwatch.throttle_next, cloudwatch.fail_next = None, False, 0, 0
    mackerel.has_read_permission, mackerel.alerts, mackerel.annotations = True, alerts, annotations
    services.elbv2.reset()


def test_the_page_shows_the_data_of_its_sources(running: RunningDashboard, open_page: OpenPage) -> None:
    dashboard = open_page(running.server)
    traffic = dashboard.page.locator(".traffic")
    expect(traffic).to_contain_text("10.0% configured")
    expect(traffic).to_contain_text("90.0% configured")
    expect(dashboard.panel_head("error_rate")).to_contain_text(re.compile(r"EC2 [01]\.\d+% *ECS"))
    assert 0.08 < drawn_share(dashboard) < 0.12
    for name in ("CloudWatch", "Elastic Load Balancing", "Mackerel"):
        expect_state(dashboard, name, "OK")
    expect(dashboard.page.locator(".demo")).to_have_count(0)


def test_the_source_can_be_changed_and_mackerels_missing_metrics_are_named(
    running: RunningDashboard, open_page: OpenPage
) -> None:
    dashboard = open_page(running.server, "/?percentile=p50")
    dashboard.select("Mackerel")
    dashboard.wait_query_params(percentile="p50", source="mackerel")
    dashboard.expect_text(".empty", "Mackerel does not report p50")
    dashboard.expect_text(".empty", "Mackerel does not report the share of slow responses. Choose CloudWatch.")
    expect(dashboard.chart("latency")).to_have_count(0)
    assert "p50" not in dashboard.page.get_by_role("radio").all_inner_texts()

    dashboard.select("p99")
    dashboard.wait_query_params(percentile="p99", source="mackerel")
    dashboard.wait_for_charts(3)
    assert 0.08 < drawn_share(dashboard) < 0.12

    dashboard.reload(charts=3)
    for choice in ("3h", "Mackerel", "p99"):
        expect(dashboard.page.get_by_role("radio", name=choice, exact=True)).to_be_checked()
    dashboard.select("CloudWatch")
    dashboard.wait_query_params(percentile="p99")
    dashboard.wait_for_charts()


def test_a_denied_cloudwatch_is_shown_with_its_permission_and_the_last_numbers(
    running: RunningDashboard, open_page: OpenPage
) -> None:
    dashboard = open_page(running.server)
    dashboard.expect_text(".top-line", r"Data through .* old")
    running.services.cloudwatch.denied = True
    dashboard.open(days_ago(3), charts=0)
    dashboard.expect_text(".empty", "CloudWatch is unavailable; no stored data for this range")
    expect_state(dashboard, "CloudWatch", "access denied")
    expect(source_row(dashboard, "CloudWatch")).to_contain_text("cloudwatch:GetMetricData")

    dashboard.open("/")  # four charts
    expect_state(dashboard, "CloudWatch", "access denied")
    expect(source_row(dashboard, "CloudWatch")).to_contain_text("last success")
    dashboard.expect_text(".top-line", r"Data through .* old")

    running.services.cloudwatch.denied = False
    dashboard.open(days_ago(4))
    expect_state(dashboard, "CloudWatch", "OK")


def test_a_throttled_cloudwatch_is_shown(running: RunningDashboard, open_page: OpenPage) -> None:
    running.services.cloudwatch.throttle_next = 10_000
    dashboard = open_page(running.server, days_ago(5), charts=0, clock=True)
    dashboard.refresh_until(".sources span", "^throttled ", within_ms=POLL_TIMEOUT_MS)
    expect_state(dashboard, "CloudWatch", "throttled")
    dashboard.open("/")


class Hang(threading.Event):
    """Calls wait for it; `reached` is set as soon as a call waits."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.reached.set()
        return super().wait(timeout)


def test_a_page_opens_with_its_last_numbers_while_cloudwatch_hangs(
    running: RunningDashboard, open_page: OpenPage
) -> None:
    hang = running.services.cloudwatch.hang = Hang()
    waiting = open_page(running.server, days_ago(6), charts=0)
    assert hang.reached.wait(30)
    waiting.expect_text(".empty", "CloudWatch")

    dashboard = open_page(running.server)
    dashboard.select("1h")
    dashboard.wait_window_minutes(60)
    assert not hang.is_set()


def test_a_denied_mackerel_is_shown_and_cloudwatch_is_unaffected(
    running: RunningDashboard, open_page: OpenPage
) -> None:
    running.services.mackerel.has_read_permission = False
    dashboard = open_page(running.server, f"{days_ago(2)}&source=mackerel", charts=0, clock=True)
    dashboard.refresh_until(".sources span", "^access denied ", within_ms=POLL_TIMEOUT_MS)
    expect_state(dashboard, "Mackerel", "access denied")
    dashboard.open(days_ago(1.5))  # requested at once, while the newest minutes are requested once a minute
    expect_state(dashboard, "CloudWatch", "OK")


def test_denied_weights_do_not_affect_the_charts(running: RunningDashboard, open_page: OpenPage) -> None:
    dashboard = open_page(running.server, clock=True)
    running.services.elbv2.errors["*"] = access_denied("DescribeListeners")
    dashboard.refresh_until(".sources", "elasticloadbalancing:DescribeListeners", within_ms=POLL_TIMEOUT_MS)
    expect_state(dashboard, "Elastic Load Balancing", "access denied")
    expect(dashboard.page.locator(".traffic")).to_contain_text("% configured")  # as last read
    dashboard.wait_for_charts()


def test_a_cloudwatch_that_never_answered(
    services: FakeServices, tmp_path: Path, start_server: StartServer, open_page: OpenPage
) -> None:
    environment = server_environment(services, write_config(services, tmp_path)) | {
        "AWS_ENDPOINT_URL_CLOUDWATCH": UNREACHABLE_URL
    }
    server = start_server(environment)
    dashboard = open_page(server, charts=0)
    dashboard.expect_text(".empty", "CloudWatch is unavailable")
    expect_state(dashboard, "CloudWatch", "unavailable")
    expect(source_row(dashboard, "CloudWatch")).to_contain_text("No successful response yet")
    expect(dashboard.page.locator(".traffic")).to_contain_text("10.0% configured")  # the other sources are unaffected
    dashboard.select("Mackerel")
    dashboard.wait_for_charts(3)


def test_mackerel_alone_is_enough_for_a_page(
    services: FakeServices, tmp_path: Path, start_server: StartServer, open_page: OpenPage
) -> None:
    minute = int(datetime.now(UTC).timestamp()) - 1200
    alert = {**services.mackerel.alerts[0], "id": "5xHtmlAlert1", "status": "CRITICAL", "openedAt": minute}
    note = {
        "id": "5xHtmlNote01",
        "service": "photo",
        "title": "<img src=x onerror=alert(1)> **bold** %{x}",
        "description": "<script>alert(2)</script>",
        "from": minute,
        "to": minute,
    }
    services.mackerel.annotations.append(note)
    services.mackerel.alerts.append(alert)
    config = tmp_path / "migration.toml"
    config.write_text(
        f"""
[migration]
name = "<b>Photo</b> **service**"
archive = "sqlite:///{tmp_path / "archive.db"}"
[fleets.baseline]
label = "<i>EC2</i>"
target_groups = ["photo-ec2"]
[fleets.canary]
label = "ECS %{{x}}"
target_groups = ["photo-ecs"]
{MACKEREL_TABLE}""",
        encoding="utf-8",
    )
    environment = {
        "MIGRATION_CONFIG": str(config),
        "MACKEREL_APIBASE": services.mackerel.url,
        "MACKEREL_APIKEY": API_KEY,
    }
    server = start_server(environment)
    dashboard = open_page(server, charts=3)
    choices = ["30m", "1h", "3h", "12h", "24h", "p90", "p95", "p99", "fan"]
    expect(dashboard.page.get_by_role("radio")).to_have_text(choices)
    expect(dashboard.page.locator(".traffic")).to_contain_text(str(live.WEIGHTS_WITHOUT_AWS))
    dashboard.expect_text(".empty", "Mackerel does not report the share of slow responses. CloudWatch does: add")

    # Names and texts from outside are shown as text.
    expect(dashboard.page.get_by_role("heading", level=1)).to_have_text("Live – <b>Photo</b> **service**")
    lane = dashboard.page.locator(".st-key-event_lane")
    lane.locator(".annotation-text", has_text="events").last.hover()
    expect(lane.locator(".hoverlayer")).to_contain_text("<img src=x onerror=ale")
    expect(dashboard.page.locator("details", has_text="Events (")).to_contain_text("<img src=x onerror=ale")
    expect(dashboard.page.locator(".st-key-chart_requests .chart-values")).to_contain_text("<i>EC2</i>")
    expect(dashboard.panel_head("requests")).to_contain_text("<i>EC2</i>")
    assert dashboard.page.locator("img[src='x'], .page-title b, .panel-head i").count() == 0


@pytest.mark.parametrize("path", ["/parity", "/retrospective"])
def test_a_changed_source_is_shown_as_selected(running: RunningDashboard, open_page: OpenPage, path: str) -> None:
    dashboard = open_subpage(open_page, running.server, path)
    expect(dashboard.page.get_by_role("radio", name="CloudWatch")).to_be_checked()
    dashboard.select("Mackerel")
    dashboard.wait_query_params(source="mackerel")
    expect(dashboard.page.get_by_role("radio", name="Mackerel")).to_be_checked()
    expect(dashboard.page.get_by_role("radio", name="CloudWatch")).not_to_be_checked()


def test_the_page_follows_from_a_tenth_to_a_half(running: RunningDashboard, open_page: OpenPage) -> None:
    """The last test of the module: the phase that begins with a change of the weights has no data for a minute."""
    dashboard = open_page(running.server, clock=True)
    expect(dashboard.page.locator(".traffic")).to_contain_text("10.0% configured")
    before = running.archive.events.weight_changes()
    running.services.elbv2.set_weights({"photo-ec2": 50, "photo-ecs": 50})
    dashboard.refresh_until(".canary-end", r"50\.0% configured", within_ms=POLL_TIMEOUT_MS)
    expect(dashboard.page.locator(".baseline-end")).to_contain_text("50.0% configured")
    # It is drawn on the charts as soon as its minute is over: see tests/charts.
    *earlier, change = running.archive.events.weight_changes()
    assert tuple(earlier) == before, "one change, stored once"
    assert change.title == "10.0% → 50.0%"
