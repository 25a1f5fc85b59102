"""The load of the fleets, current and at its peak."""

from pathlib import Path

import pytest

from analysis.deployments.rollback import FleetLoad
from domain import Series
from services.rollback import fleet_load
from tests.factories.archives import MIGRATION, open_archive
from tests.fakes.metric_source import EC2, ECS, NOON, FakeMetricSource, minute_time, minute_window

pytestmark = pytest.mark.usefixtures("both_engines")

HOSTS = Series("cloudwatch", "baseline", "photo-ec2", "healthy_hosts", "minimum", "count")
MORNING_END = NOON - 60 * 60


def value_of(series: Series, ts: int, _asked_at: int) -> float | None:
    """In the morning two targets served 6,000 requests a minute; now four serve 400, and ECS 100. One minute has a burst."""
    if series == HOSTS:
        return 2.0 if ts < MORNING_END else 4.0
    if series == EC2:
        burst = 90_000.0 if ts == NOON - 30 * 60 else 0.0
        return 6000.0 if ts < MORNING_END else 400.0 + burst
    return 100.0


def test_load_is_that_of_the_last_quarter_hour_with_the_peak_hour(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        assert fleet_load(archive, MIGRATION, "cloudwatch", until=NOON) == FleetLoad(None, None, None)
        source = FakeMetricSource(configured_series=(EC2, ECS, HOSTS), value_at=value_of, now=minute_time(0))
        archive.metrics.get(minute_window(-180, 0), source, now=minute_time(0))
        load = fleet_load(archive, MIGRATION, "cloudwatch", until=NOON)
        assert load == FleetLoad(400.0, 100.0, pytest.approx(3000.0))


def test_the_load_of_one_fleet_alone_is_unknown(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        source = FakeMetricSource(configured_series=(EC2, ECS, HOSTS), value_at=value_of, now=minute_time(0))
        source.problem_kind = lambda series, _window: "partial_data" if series == ECS else None
        archive.metrics.get(minute_window(-180, 0), source, now=minute_time(0))
        load = fleet_load(archive, MIGRATION, "cloudwatch", until=NOON)
        assert (load.baseline, load.canary) == (None, None)
