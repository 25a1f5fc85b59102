"""The whole program against a loopback world: the page follows what is told, and says what is wrong while it shows the last known numbers."""

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.dashboard_page import DashboardPage, OpenPage
from tests.factories.dashboard_server import StartServer
from tests.fakes.elbv2 import access_denied
from tests.fakes.mackerel import API_KEY
from tests.fakes.services import MACKEREL_TABLE, FakeServices, RunningDashboard

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

NOBODY = "http://127.0.0.1:9"  # the discard port: nobody listens
SOON_MS = 45_000  # the load balancer is looked at every 15 s, and on a busy machine


def source(board: DashboardPage, name: str) -> Locator:
    """A source's line on the page."""
    return board.page.locator(".sources tr").filter(has=board.page.locator("th", has_text=re.compile(f"^{name}$")))


def expect_state(board: DashboardPage, name: str, state: str) -> None:
    expect(source(board, name).locator("span").first).to_have_text(re.compile(f"^{state} "), timeout=SOON_MS)


def days_ago(days: float, minutes: int = 60) -> str:
    """The address of a window of the past, which no test has looked at before: it is asked for at once."""
    start = datetime.now(UTC) - timedelta(days=days)
    return f"/?from={start:%Y-%m-%dT%H:%MZ}&to={start + timedelta(minutes=minutes):%Y-%m-%dT%H:%MZ}"


def drawn_share(board: DashboardPage) -> float:
    """The canary's share of the requests that the page draws."""
    sums: list[Any] = board.chart("requests").evaluate(
        "box => ['EC2', 'ECS'].map(name => box.calcdata.filter(line => line[0].trace.name === name)"
        ".flatMap(line => line.map(point => point.y)).filter(Number.isFinite).reduce((sum, y) => sum + y, 0))"
    )
    return float(sums[1] / sum(sums))


@pytest.fixture(autouse=True)
def a_well_world(world: FakeServices) -> Iterator[None]:
    """Ends every fault after a test."""
    cloudwatch, mackerel = world.cloudwatch, world.mackerel
    alerts, annotations = list(mackerel.alerts), list(mackerel.annotations)
    yield
    if cloudwatch.hang:
        cloudwatch.hang.set()
    cloudwatch.hang, cloudwatch.denied, cloudwatch.throttle_next, cloudwatch.fail_next = None, False, 0, 0
    mackerel.has_read_permission, mackerel.alerts, mackerel.annotations = True, alerts, annotations
    world.elbv2.reset()


def test_the_page_shows_what_the_world_tells(photo: RunningDashboard, opens: OpenPage) -> None:
    board = opens(photo.server)
    traffic = board.page.locator(".traffic")
    expect(traffic).to_contain_text("10.0 % told")
    expect(traffic).to_contain_text("90.0 % told")
    expect(board.panel_head("error_rate")).to_contain_text(re.compile(r"EC2 [01]\.\d+ % *ECS"))
    assert 0.08 < drawn_share(board) < 0.12
    for name in ("CloudWatch", "Elastic Load Balancing", "Mackerel"):
        expect_state(board, name, "up")
    expect(board.page.locator(".demo")).to_have_count(0)


def test_the_page_follows_from_a_tenth_to_a_half(photo: RunningDashboard, opens: OpenPage) -> None:
    board = opens(photo.server, clock=True)
    expect(board.page.locator(".traffic")).to_contain_text("10.0 % told")
    before = photo.archive.events.weight_changes()
    photo.services.elbv2.set_weights({"photo-ec2": 50, "photo-ecs": 50})
    board.refresh_until(".canary-end", r"50\.0 % told", within_ms=SOON_MS)
    expect(board.page.locator(".baseline-end")).to_contain_text("50.0 % told")
    # It is drawn on the charts as soon as its minute is over; what a chart draws is tests/charts' business.
    *earlier, change = photo.archive.events.weight_changes()
    assert tuple(earlier) == before, "one change, kept once"
    assert change.title == "10.0% → 50.0%"


def test_the_source_is_a_switch_and_mackerel_says_what_it_lacks(photo: RunningDashboard, opens: OpenPage) -> None:
    board = opens(photo.server, "/?percentile=p50")
    board.select("Mackerel")
    board.wait_query_params(percentile="p50", source="mackerel")
    board.expect_text(".empty", "Mackerel does not report p50")
    board.expect_text(".empty", "Mackerel does not report shares within a threshold. Choose CloudWatch to see them.")
    expect(board.chart("latency")).to_have_count(0)
    assert "p50" not in board.page.get_by_role("radio").all_inner_texts()

    board.select("p99")
    board.wait_query_params(percentile="p99", source="mackerel")
    board.wait_for_charts(3)
    assert 0.08 < drawn_share(board) < 0.12

    board.reload(charts=3)
    assert board.selected()[:3] == ["3h", "Mackerel", "p99"]
    board.select("CloudWatch")
    board.wait_query_params(percentile="p99")
    board.wait_for_charts()


def test_a_refused_cloudwatch_is_named_with_its_permission_and_the_last_numbers_stay(
    photo: RunningDashboard, opens: OpenPage
) -> None:
    photo.services.cloudwatch.denied = True
    board = opens(photo.server, days_ago(3), drawn=0)
    board.expect_text(".empty", "Nothing from CloudWatch in this window, and it does not answer: see Sources below")
    expect_state(board, "CloudWatch", "denied")
    expect(source(board, "CloudWatch")).to_contain_text("cloudwatch:GetMetricData")

    board.open("/")  # four charts
    expect_state(board, "CloudWatch", "denied")
    expect(source(board, "CloudWatch")).to_contain_text("last good answer")
    board.expect_text(".top-line", r"data to .* old")

    photo.services.cloudwatch.denied = False
    board.open(days_ago(4))
    expect_state(board, "CloudWatch", "up")


def test_a_throttled_cloudwatch_says_so(photo: RunningDashboard, opens: OpenPage) -> None:
    photo.services.cloudwatch.throttle_next = 10_000
    board = opens(photo.server, days_ago(5), drawn=0, clock=True)
    board.refresh_until(".sources span", "^throttled ", within_ms=SOON_MS)
    expect_state(board, "CloudWatch", "throttled")
    board.open("/")


class Hang(threading.Event):
    """Calls wait for it; `reached` is set as soon as one does."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.reached.set()
        return super().wait(timeout)


def test_a_page_opens_with_its_last_numbers_while_cloudwatch_hangs(photo: RunningDashboard, opens: OpenPage) -> None:
    hang = photo.services.cloudwatch.hang = Hang()
    waiting = opens(photo.server, days_ago(6), drawn=0)
    assert hang.reached.wait(30)
    waiting.expect_text(".empty", "CloudWatch")

    board = opens(photo.server)
    board.select("1h")
    board.wait_window_minutes(60)
    assert not hang.is_set()


def test_mackerel_without_its_right_is_said_and_cloudwatch_does_not_notice(
    photo: RunningDashboard, opens: OpenPage
) -> None:
    photo.services.mackerel.has_read_permission = False
    board = opens(photo.server, f"{days_ago(2)}&source=mackerel", drawn=0, clock=True)
    board.refresh_until(".sources span", "^denied ", within_ms=SOON_MS)
    expect_state(board, "Mackerel", "denied")
    board.open(days_ago(1.5))  # asked at once, where the newest minutes are only asked once a minute
    expect_state(board, "CloudWatch", "up")


def test_weights_that_may_not_be_read_leave_the_charts_alone(photo: RunningDashboard, opens: OpenPage) -> None:
    board = opens(photo.server, clock=True)
    photo.services.elbv2.errors["*"] = access_denied("DescribeListeners")
    board.refresh_until(".sources", "elasticloadbalancing:DescribeListeners", within_ms=SOON_MS)
    expect_state(board, "Elastic Load Balancing", "denied")
    expect(board.page.locator(".traffic")).to_contain_text("% told")  # as last read
    board.wait_for_charts()


def test_cloudwatch_that_was_never_there(world: FakeServices, room: Path, starts: StartServer, opens: OpenPage) -> None:
    environment = world.environment(world.write_config(room)) | {"AWS_ENDPOINT_URL_CLOUDWATCH": NOBODY}
    server = starts(environment)
    board = opens(server, drawn=0)
    board.expect_text(".empty", "Nothing from CloudWatch in this window")
    expect_state(board, "CloudWatch", "down")
    expect(source(board, "CloudWatch")).to_contain_text("no good answer yet")
    expect(board.page.locator(".traffic")).to_contain_text("10.0 % told")  # the other sources do not notice
    board.select("Mackerel")
    board.wait_for_charts(3)


def test_a_team_that_has_only_mackerel_has_a_page(
    world: FakeServices, room: Path, starts: StartServer, opens: OpenPage
) -> None:
    minute = int(datetime.now(UTC).timestamp()) - 1200
    alert = {**world.mackerel.alerts[0], "id": "5xHtmlAlert1", "status": "CRITICAL", "openedAt": minute}
    note = {
        "id": "5xHtmlNote01",
        "service": "photo",
        "title": "<img src=x onerror=alert(1)> **bold** %{x}",
        "description": "<script>alert(2)</script>",
        "from": minute,
        "to": minute,
    }
    world.mackerel.annotations.append(note)
    world.mackerel.alerts.append(alert)
    (room / "migration.toml").write_text(
        f"""
[migration]
name = "<b>Photo</b> **service**"
archive = "sqlite:///{room / "archive.db"}"
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
        "MIGRATION_CONFIG": str(room / "migration.toml"),
        "MACKEREL_APIBASE": world.mackerel.url,
        "MACKEREL_APIKEY": API_KEY,
    }
    server = starts(environment)
    board = opens(server, drawn=3)
    offered = board.page.get_by_role("radio").all_inner_texts()
    assert offered == ["30m", "1h", "3h", "12h", "24h", "p90", "p95", "p99"]
    board.expect_text(".traffic", r"this migration has no \[aws\]")
    board.expect_text(".empty", "Mackerel does not report shares within a threshold")

    # What somebody else wrote is text, whatever it looks like.
    expect(board.page.get_by_role("heading", level=1)).to_have_text("<b>Photo</b> **service**")
    board.chart("requests").locator(".annotation-text", has_text="events").last.hover()
    expect(board.chart("requests").locator(".hoverlayer")).to_contain_text("<img src=x onerror=ale")
    expect(board.page.locator("details", has_text="events in this window")).to_contain_text("<img src=x onerror=ale")
    expect(board.chart("requests")).to_contain_text("<i>EC2</i>")
    expect(board.panel_head("requests")).to_contain_text("<i>EC2</i>")
    assert board.page.locator("img[src='x'], .page-title b, .panel-head i").count() == 0


@pytest.mark.parametrize("room", ["parity", "retrospective"])
def test_the_other_source_is_shown_where_it_is_chosen(photo: RunningDashboard, opens: OpenPage, room: str) -> None:
    board = opens(photo.server, f"/{room}", drawn=0, faultless=False)
    expect(board.page.get_by_role("radio", name="CloudWatch")).to_be_checked()
    board.select("Mackerel")
    board.wait_query_params(source="mackerel")
    expect(board.page.get_by_role("radio", name="Mackerel")).to_be_checked()
    expect(board.page.get_by_role("radio", name="CloudWatch")).not_to_be_checked()
