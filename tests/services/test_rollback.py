"""What the targets carry and have carried, by what the archive keeps."""

from pathlib import Path

import pytest

from analysis.deployments.rollback import Loads
from domain import Series
from services.rollback import loads, proven
from tests.fakes.metric_source import EC2, ECS, MIGRATION, NOON, World, at, open_archive, span

pytestmark = pytest.mark.usefixtures("both_engines")

HOSTS = Series("cloudwatch", "baseline", "photo-ec2", "healthy_hosts", "minimum", "count")


def number(series: Series, ts: int, _asked_at: int) -> float | None:
    """Two targets carried 6,000 a minute for an hour this morning; four have 400 now, and ECS has 100. A burst at noon was one minute's."""
    busy = ts < NOON - 60 * 60
    if series == HOSTS:
        return 2.0 if busy else 4.0
    if series == EC2:
        return 6000.0 if busy else 400.0 + (90_000.0 if ts == NOON - 30 * 60 else 0.0)
    return 100.0


def test_loads_are_those_of_the_last_quarter_of_an_hour_beside_the_busiest_hour(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        assert proven(archive, MIGRATION, "cloudwatch", until=NOON) is None
        assert loads(archive, "cloudwatch", until=NOON, proven=None) == Loads(None, None, None)
        world = World(wanted=(EC2, ECS, HOSTS), numbers=number, now=at(0))
        archive.bring(span(-180, 0), world, now=at(0))
        most = proven(archive, MIGRATION, "cloudwatch", until=NOON)
        assert most == pytest.approx(3000.0)
        assert loads(archive, "cloudwatch", until=NOON, proven=most) == Loads(400.0, 100.0, most)


def test_one_fleet_without_the_other_is_no_load_to_go_by(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        world = World(wanted=(EC2, ECS, HOSTS), numbers=number, now=at(0))
        world.refuses = lambda series, _window: "partial_data" if series == ECS else None
        archive.bring(span(-180, 0), world, now=at(0))
        assert loads(archive, "cloudwatch", until=NOON, proven=None) == Loads(None, None, None)
