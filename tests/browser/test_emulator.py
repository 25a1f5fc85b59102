"""The pages on moto, a server that is AWS as others understand it, with its gaps: no percentiles, no LookupEvents."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard_page import OpenPage, open_subpage
from tests.factories.dashboard_server import DashboardServer, run_dashboard
from tests.fakes.mackerel import API_KEY, SERVICE, FakeMackerel
from tests.fakes.moto_aws import MotoAws, batch_points
from tests.fakes.services import EXAMPLE_CREDENTIALS

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def server(moto_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardServer]:
    folder, now = tmp_path_factory.mktemp("emulator"), datetime.now(UTC).replace(second=0, microsecond=0)
    with FakeMackerel() as mackerel:
        mackerel.points[SERVICE] = batch_points(now)
        config = folder / "migration.toml"
        config.write_text(MotoAws(moto_url, now).config(str(folder)), encoding="utf-8")
        environment = EXAMPLE_CREDENTIALS | {
            "AWS_ENDPOINT_URL": moto_url,
            "MACKEREL_APIBASE": mackerel.url,
            "MACKEREL_APIKEY": API_KEY,
            "MIGRATION_CONFIG": str(config),
        }
        with run_dashboard(folder, environment) as server:
            yield server


def test_live_shows_requests_and_errors_and_names_what_fails(server: DashboardServer, open_page: OpenPage) -> None:
    page = open_page(server, "/?window=30m", charts=2).page
    for text in (
        "EC2 0%",
        "ECS 1.00%",
        "another deployment is in progress",
        "CloudWatch returned requests, but not all series. See Data sources.",
        "returned a server error for photo-ecs: TargetResponseTime p50, TargetResponseTime p90, TargetResponseTime p95, +4. All other series were read.",
        "CloudTrail returned a server error for cloudtrail:LookupEvents.",
    ):
        expect(page.get_by_text(text).first).to_be_visible()
    expect(page.locator(".rules", has_text="X-Canary: ecs → ECS always")).to_have_count(1)


def test_batches_has_the_run_and_the_paused_rule(server: DashboardServer, open_page: OpenPage) -> None:
    page = open_subpage(open_page, server, "/batches").page
    expect(page.locator(".headline")).to_contain_text("1 of 2 jobs ran as scheduled · paused: digest")


def test_endpoints_counts_the_log_in_s3(server: DashboardServer, open_page: OpenPage) -> None:
    page = open_subpage(open_page, server, "/endpoints?window=1h").page
    expect(page.get_by_text("/photos/:id").first).to_be_visible()
