"""The demo's latency of a window as one period."""

from datetime import UTC, datetime

import pytest

from domain import Window
from sources.demo.scenario import EC2, GREEN, scenario_for
from sources.demo.sources import DemoMetrics, demo_migration
from sources.window_latency import WindowLatencySource

ANCHOR = datetime(2026, 11, 23, 20, tzinfo=UTC)
LAST_STEP = scenario_for(ANCHOR).steps[-1].ts


def demo_metrics() -> DemoMetrics:
    return DemoMetrics(demo_migration(ANCHOR), anchor=ANCHOR, clock=lambda: ANCHOR)


def test_demo_aggregates_its_minutes() -> None:
    window = Window(LAST_STEP, LAST_STEP + 6 * 3600)
    result = demo_metrics().window_latency(window)
    assert isinstance(demo_metrics(), WindowLatencySource)
    assert [(summary.fleet, summary.target_group) for summary in result.groups] == [
        ("baseline", EC2),
        ("canary", GREEN),
    ]
    assert result.covered
    frame = demo_metrics().pull(result.covered).frame
    minutes = frame[frame["target_group"] == EC2].pivot_table(
        index="ts", columns=["metric", "stat"], values="value", observed=True
    )
    samples, ec2 = minutes["latency", "sample_count"], result.groups[0]
    assert ec2.answers == samples.sum()
    assert ec2.requests == minutes["requests", "sum"].sum()
    for stat, value in (("within_0.1s", ec2.within[0.1]), ("average", ec2.average_s)):
        assert value == pytest.approx((minutes["latency", stat] * samples).sum() / samples.sum(), abs=2e-6)


def test_demo_single_minute_equals_its_metrics() -> None:
    minute = Window(LAST_STEP + 3600, LAST_STEP + 3660)
    frame = demo_metrics().pull(minute).frame
    ec2 = demo_metrics().window_latency(minute).groups[0]
    rows = frame[(frame["target_group"] == EC2) & (frame["metric"] == "latency")]
    value_of = dict(zip(rows["stat"].astype(str), rows["value"], strict=True))
    assert ec2.percentiles == {name: pytest.approx(value_of[name], abs=2e-6) for name in ("p50", "p90", "p95", "p99")}


def test_demo_has_nothing_before_its_scenario() -> None:
    start = scenario_for(ANCHOR).start
    assert demo_metrics().window_latency(Window(start - 7200, start - 3600)).covered is None
