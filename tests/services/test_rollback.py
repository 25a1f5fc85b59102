"""What the targets carry and have carried, by what the archive keeps."""

from pathlib import Path

import pytest

from analysis.deployments.rollback import FleetLoad
from domain import Series
from services.rollback import fleet_load, max_load_per_target
from tests.factories.archives import MIGRATION, open_archive
from tests.fakes.metric_source import EC2, ECS, NOON, FakeMetricSource, minute_time, minute_window

pytestmark = pytest.mark.usefixtures("both_engines")

HOSTS = Series("cloudwatch", "baseline", "photo-ec2", "healthy_hosts", "minimum", "count")


def value_of(series: Series, ts: int, _asked_at: int) -> float | None:
    """Two targets carried 6,000 a minute for an hour this morning; four have 400 now, and ECS has 100. A burst at noon was one minute's."""
    busy = ts < NOON - 60 * 60
    if series == HOSTS:
        return 2.0 if busy else 4.0
    if series == EC2:
        return 6000.0 if busy else 400.0 + (90_000.0 if ts == NOON - 30 * 60 else 0.0)
    return 100.0


def test_load_is_that_of_the_last_quarter_hour_with_the_peak_hour(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        assert max_load_per_target(archive, MIGRATION, "cloudwatch", until=NOON) is None
        assert fleet_load(archive, "cloudwatch", until=NOON, max_load=None) == FleetLoad(None, None, None)
        world = FakeMetricSource(configured_series=(EC2, ECS, HOSTS), value_at=value_of, now=minute_time(0))
        archive.metrics.get(minute_window(-180, 0), world, now=minute_time(0))
        most = max_load_per_target(archive, MIGRATION, "cloudwatch", until=NOON)
        assert most == pytest.approx(3000.0)
        assert fleet_load(archive, "cloudwatch", until=NOON, max_load=most) == FleetLoad(400.0, 100.0, most)


def test_the_load_of_one_fleet_alone_is_unknown(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        world = FakeMetricSource(configured_series=(EC2, ECS, HOSTS), value_at=value_of, now=minute_time(0))
        world.problem_kind = lambda series, _window: "partial_data" if series == ECS else None
        archive.metrics.get(minute_window(-180, 0), world, now=minute_time(0))
        assert fleet_load(archive, "cloudwatch", until=NOON, max_load=None) == FleetLoad(None, None, None)
