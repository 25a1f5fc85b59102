"""The latency table of a window."""

import re
from dataclasses import replace

import pytest

from domain import Migration, Window
from domain.latency import LatencySummary
from sources.window_latency import WindowLatency
from ui.parity.window_latency import labelled_groups, latency_table_html

HOUR = 1_790_000_000 // 86_400 * 86_400
MIGRATION = Migration.model_validate(
    {
        "name": "Photo service",
        "fleets": {
            "baseline": {"label": "EC2", "target_groups": ["photo-ec2"]},
            "canary": {"label": "ECS <b>", "target_groups": ["photo-blue", "photo-green"]},
        },
        "mackerel": {"service": "photo"},
    }
)
PERCENTILES = {"p50": 0.08, "p90": 0.2, "p95": 0.25, "p99": 0.5}
EC2 = LatencySummary("baseline", "photo-ec2", 120_400, 120_000, 0.1, PERCENTILES, {})
BLUE = LatencySummary("canary", "photo-blue", 510, 500, 0.1, {"p50": 0.1, "p95": 0.3, "p99": 0.9}, {})
GREEN = LatencySummary("canary", "photo-green", 0, None, None, {}, {})


def table_cells(html: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    return [
        [re.sub(r"<.*?>", " ", cell).strip() for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)] for row in rows
    ]


def labelled(*groups: LatencySummary) -> list[tuple[str, LatencySummary]]:
    return labelled_groups(MIGRATION, WindowLatency(Window(HOUR, HOUR + 60), None, 0, groups))


def test_both_fleets_and_their_difference() -> None:
    html = latency_table_html(labelled(EC2, BLUE, GREEN))
    assert "ECS <b>" not in html
    assert table_cells(html) == [
        ["latency", "EC2", "ECS &lt;b&gt;", "difference"],
        ["p50", "80 ms", "100 ms", "+20 ms +25.0%"],
        ["p90", "200 ms", "–", "–"],
        ["p95", "250 ms", "300 ms", "+50 ms +20.0%"],
        ["p99", "500 ms", "900 ms too few responses", "+400 ms +80.0%"],
        ["responses", "120,000 of 120,400 requests", "500 of 510 requests", ""],
    ]


def test_two_groups_of_a_fleet_have_columns_of_their_own_and_no_difference() -> None:
    rows = table_cells(latency_table_html(labelled(EC2, BLUE, replace(GREEN, requests=9.0))))
    assert rows[0] == ["latency", "EC2", "ECS &lt;b&gt; photo-blue", "ECS &lt;b&gt; photo-green"]
    assert rows[1] == ["p50", "80 ms", "100 ms", "–"]
    assert rows[-1][-1] == "– of 9 requests"


@pytest.mark.parametrize("groups", [(EC2,), (BLUE,)])
def test_one_fleet_alone_has_no_difference(groups: tuple[LatencySummary, ...]) -> None:
    assert "difference" not in table_cells(latency_table_html(labelled(*groups)))[0]
