"""What an archive says it holds, and what compacting leaves."""

from pathlib import Path

import pytest
from sqlalchemy import text

from archive.db.engine import transaction
from archive.status import archive_status, compact
from tests.factories.archives import MIGRATION, open_archive
from tests.fakes.metric_source import (
    ECS,
    HOURLY,
    NOON,
    FakeMetricSource,
    minute_ranges,
    minute_time,
    minute_window,
    values_by_minute,
)

pytestmark = pytest.mark.usefixtures("both_engines")


def test_it_counts_points_covered_time_and_gaps_and_says_whether_somebody_records(tmp_path: Path) -> None:
    world = FakeMetricSource(configured_series=(ECS, HOURLY))
    with open_archive(tmp_path) as archive:
        assert archive_status(archive.engine, MIGRATION, now=NOON).points == 0
        archive.metrics.get(minute_window(-300, -240), world, now=minute_time(-200))
        archive.metrics.get(minute_window(-120, 0), world, now=minute_time(0))
        found = archive_status(archive.engine, MIGRATION, now=NOON + 60)
    assert [(one.period_s, one.points, minute_ranges(one.covered)) for one in found.coverage] == [
        (60, 60 + 120, [(-300, -240), (-120, -15)]),
        (3600, 2, [(-300, -240), (-120, -60)]),
    ]
    assert minute_ranges(found.gaps["cloudwatch"]) == [(-240, -120)], (
        "a minute that settled since it was answered is none"
    )
    assert (found.last_write_at, found.recorder_alive, found.size_bytes > 4096) == (NOON, True, True)
    with open_archive(tmp_path) as archive:
        later = archive_status(archive.engine, MIGRATION, now=NOON + 600)
        assert not later.recorder_alive
        assert minute_ranges(later.gaps["cloudwatch"]) == [(-240, -120)]
        assert minute_ranges(archive_status(archive.engine, MIGRATION, now=NOON + 7200).gaps["cloudwatch"]) == [
            (-240, -120),
            (0, 105),
        ]
        assert archive_status(archive.engine, MIGRATION, now=NOON + 7200, batch_source_names=("cloudwatch",)).gaps == {
            "cloudwatch": ()
        }


def test_compacting_gives_space_back_and_loses_nothing(tmp_path: Path) -> None:
    world = FakeMetricSource(configured_series=(ECS,))
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(-9000, 0), world, now=minute_time(0))
        with transaction(archive.engine, writes=True) as connection:
            connection.execute(text(f"DELETE FROM point WHERE ts < {NOON - 4500 * 60}"))
        before, after = compact(archive.engine)
        assert after < before * 0.8
        assert not (tmp_path / "archive.db-wal").exists() or (tmp_path / "archive.db-wal").stat().st_size == 0
        assert (
            len(values_by_minute(archive.metrics.read(minute_window(-9000, 0), "cloudwatch", now=minute_time(0)), ECS))
            == 4500
        )
        archive.metrics.get(minute_window(-9000, 1), world, now=minute_time(1))
