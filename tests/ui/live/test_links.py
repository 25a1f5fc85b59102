"""Where the same graph can be seen: only where there is such a place."""

from urllib.parse import unquote

import pytest

from domain import Window
from sources.demo.sources import demo_migration
from tests.factories.config import make_migration
from ui.live import links
from ui.live.view import PANELS, PanelName

WINDOW = Window(1_795_348_800, 1_795_352_400)
PHOTO = make_migration()
IN_MACKEREL = make_migration("mackerel.organization", "an-example")


def link(panel: PanelName, source: str = "cloudwatch", percentile: str = "p95", configuration=PHOTO) -> str:
    return unquote(links.chart_link(configuration, source, panel, WINDOW, percentile=percentile, slow_s=0.3))


@pytest.fixture(autouse=True)
def demo_directory(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.parametrize(
    ("panel", "holds"),
    [
        ("error_rate", ("HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count", "TargetConnectionErrorCount")),
        ("latency", ("TargetResponseTime", "p95")),
        ("slow", ("TargetResponseTime", "PR(:0.3)")),
        ("requests", ("RequestCount", "Sum")),
    ],
)
def test_each_chart_opens_in_the_console_of_its_region(panel: PanelName, holds: tuple[str, ...]) -> None:
    address = link(panel)
    assert address.startswith("https://console.aws.amazon.com/cloudwatch/home?region=ap-northeast-1#")
    for part in holds:
        assert part in address.replace("*28", "(").replace("*29", ")").replace("*3a", ":")


def test_mackerel_has_a_graph_where_its_organization_and_host_are_named() -> None:
    assert link("requests", "mackerel", configuration=IN_MACKEREL).startswith("https://mackerel.io/orgs/an-example/")
    assert link("latency", "mackerel", "p50", configuration=IN_MACKEREL) == ""  # it has none
    assert link("slow", "mackerel", configuration=IN_MACKEREL) == ""
    assert link("requests", "mackerel") == ""  # whose?


def test_the_demo_has_no_account_anywhere() -> None:
    assert [link(panel, "demo", configuration=demo_migration()) for panel in PANELS] == [""] * 4
    assert list(links.console_queries(demo_migration(), "demo", WINDOW)) == []


def test_every_query_behind_the_page_can_be_opened() -> None:
    told = list(links.console_queries(PHOTO, "cloudwatch", WINDOW))
    assert {series.target_group for series, _, _ in told} == {"photo-ec2", "photo-ecs-blue", "photo-ecs-green", ""}
    assert {asked for series, asked, _ in told if series.metric == "requests"} == {"RequestCount Sum"}
    assert all(address.startswith("https://") for _, _, address in told)
    assert list(links.console_queries(PHOTO, "mackerel", WINDOW)) == []
