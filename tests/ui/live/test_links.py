"""Links to the same graph in the source's console."""

from pathlib import Path
from typing import get_args
from urllib.parse import unquote

import pytest

from domain import Migration, Window
from services.live import PanelName
from sources.demo.sources import demo_migration
from tests.factories.config import make_migration
from ui.live import links

WINDOW = Window(1_795_348_800, 1_795_352_400)
PHOTO = make_migration()
IN_MACKEREL = make_migration("mackerel.organization", "an-example")


def link(panel: PanelName, source: str = "cloudwatch", percentile: str = "p95", migration: Migration = PHOTO) -> str:
    return unquote(links.chart_link(migration, source, panel, WINDOW, percentiles=(percentile,), slow_s=0.3))


@pytest.fixture(autouse=True)
def demo_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.parametrize(
    ("panel", "parts"),
    [
        ("error_rate", ("HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count", "TargetConnectionErrorCount")),
        ("latency", ("TargetResponseTime", "p95")),
        ("slow", ("TargetResponseTime", "PR(:0.3)")),
        ("requests", ("RequestCount", "Sum")),
    ],
)
def test_cloudwatch_link_opens_the_console_of_the_region(panel: PanelName, parts: tuple[str, ...]) -> None:
    url = link(panel)
    assert url.startswith("https://console.aws.amazon.com/cloudwatch/home?region=ap-northeast-1#")
    for part in parts:
        assert part in url.replace("*28", "(").replace("*29", ")").replace("*3a", ":")


def test_link_of_a_fan_has_all_its_percentiles() -> None:
    url = links.chart_link(PHOTO, "cloudwatch", "latency", WINDOW, percentiles=("p95", "p50", "p99"), slow_s=0.3)
    assert all(percentile in url for percentile in ("p50", "p95", "p99")) and "p90" not in url


def test_mackerel_link_needs_organization_and_host() -> None:
    assert link("requests", "mackerel", migration=IN_MACKEREL).startswith("https://mackerel.io/orgs/an-example/")
    assert link("latency", "mackerel", "p50", migration=IN_MACKEREL) == ""  # Mackerel has no p50
    assert link("slow", "mackerel", migration=IN_MACKEREL) == ""
    assert link("requests", "mackerel") == ""


def test_demo_has_no_links() -> None:
    assert [link(panel, "demo", migration=demo_migration()) for panel in get_args(PanelName)] == [""] * 4


def test_every_query_has_a_link() -> None:
    queries = list(links.console_queries(PHOTO, WINDOW))
    assert {series.target_group for series, _, _ in queries} == {"photo-ec2", "photo-ecs-blue", "photo-ecs-green", ""}
    assert {query for series, query, _ in queries if series.metric == "requests"} == {"RequestCount Sum"}
    assert all(url.startswith("https://") for _, _, url in queries)
