"""Latency of the whole window: what is asked, and what the table says."""

import re
from dataclasses import replace
from typing import Literal

import pytest

import analysis
from domain import Migration, Window
from domain.latency import LatencySummary
from sources.window_latency import WindowLatency
from ui.parity.window_latency import labelled_groups, latency_table, latency_window

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


def phase(first: int, end: int, begun_by: Literal["weight", "window"] = "weight") -> analysis.Phase:
    return analysis.Phase(Window(HOUR + first * 60, HOUR + end * 60), 0.5, begun_by)


def latency_minutes(phase: analysis.Phase, now: int) -> tuple[int, int] | None:
    window = latency_window(phase, now_s=HOUR + now * 60, provisional_s=180)
    return window and ((window.start - HOUR) // 60, (window.end - HOUR) // 60)


def test_a_phase_that_goes_on_is_asked_again_every_five_minutes_and_a_long_one_less_often() -> None:
    assert [latency_minutes(phase(2, now), now) for now in (7, 8, 12, 13, 14)] == [
        None,
        (2, 5),
        (2, 5),
        (2, 10),
        (2, 10),
    ]
    assert len({latency_minutes(phase(2, now), now) for now in range(720, 780)}) == 3


def test_a_phase_that_is_over_is_asked_as_it_was() -> None:
    assert latency_minutes(phase(2, 17), 100) == (2, 17)
    assert latency_minutes(phase(2, 17), 18) == (2, 15), "its last minutes are provisional"


def test_the_last_day_does_not_move_with_every_minute() -> None:
    assert len({latency_minutes(phase(now - 1440, now, "window"), now) for now in range(1440, 1500)}) <= 3
    for now in range(1440, 1500):
        start, end = latency_minutes(phase(now - 1440, now, "window"), now) or (0, 0)
        assert now - 1440 <= start < end <= now - 3


def table_cells(html: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    return [
        [re.sub(r"<.*?>", " ", cell).strip() for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)] for row in rows
    ]


def named_groups(*groups: LatencySummary) -> list[tuple[str, LatencySummary]]:
    return labelled_groups(MIGRATION, WindowLatency(Window(HOUR, HOUR + 60), None, 0, groups))


def test_both_fleets_side_by_side_with_their_difference() -> None:
    html = latency_table(named_groups(EC2, BLUE, GREEN))
    assert "ECS <b>" not in html
    assert table_cells(html) == [
        ["latency", "EC2", "ECS &lt;b&gt;", "difference"],
        ["p50", "80 ms", "100 ms", "+20 ms +25.0 %"],
        ["p90", "200 ms", "–", "–"],
        ["p95", "250 ms", "300 ms", "+50 ms +20.0 %"],
        ["p99", "500 ms", "900 ms too few answers", "+400 ms +80.0 %"],
        ["answers", "120,000 of 120,400 requests", "500 of 510 requests", ""],
    ]


def test_two_groups_of_a_fleet_stand_apart_and_have_no_difference() -> None:
    rows = table_cells(latency_table(named_groups(EC2, BLUE, replace(GREEN, requests=9.0))))
    assert rows[0] == ["latency", "EC2", "ECS &lt;b&gt; photo-blue", "ECS &lt;b&gt; photo-green"]
    assert rows[1] == ["p50", "80 ms", "100 ms", "–"]
    assert rows[-1][-1] == "– of 9 requests"


@pytest.mark.parametrize("groups", [(EC2,), (BLUE,)])
def test_one_side_alone_has_no_difference(groups: tuple[LatencySummary, ...]) -> None:
    assert "difference" not in table_cells(latency_table(named_groups(*groups)))[0]
