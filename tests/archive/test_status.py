"""The status of an archive, and compaction."""

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


def test_the_status_has_points_coverage_gaps_and_whether_a_recorder_is_alive(tmp_path: Path) -> None:
    source = FakeMetricSource(configured_series=(ECS, HOURLY))
    with open_archive(tmp_path) as archive:
        assert archive_status(archive.engine, MIGRATION, now=NOON).points == 0
        archive.metrics.get(minute_window(-300, -240), source, now=minute_time(-200))
        archive.metrics.get(minute_window(-120, 0), source, now=minute_time(0))
        status = archive_status(archive.engine, MIGRATION, now=NOON + 60)
    assert [(row.period_s, row.points, minute_ranges(row.covered)) for row in status.coverage] == [
        (60, 60 + 120, [(-300, -240), (-120, -15)]),
        (3600, 2, [(-300, -240), (-120, -60)]),
    ]
    assert minute_ranges(status.gaps["cloudwatch"]) == [(-240, -120)], (
        "a minute that became final after its answer is not a gap"
    )
    assert (status.last_write_at, status.recorder_alive, status.size_bytes > 4096) == (NOON, True, True)
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


def test_compaction_returns_space_and_loses_nothing(tmp_path: Path) -> None:
    source = FakeMetricSource(configured_series=(ECS,))
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(-9000, 0), source, now=minute_time(0))
        with transaction(archive.engine, writes=True) as connection:
            connection.execute(text(f"DELETE FROM point WHERE ts < {NOON - 4500 * 60}"))
        before, after = compact(archive.engine)
        assert after < before * 0.8
        assert not (tmp_path / "archive.db-wal").exists() or (tmp_path / "archive.db-wal").stat().st_size == 0
        assert (
            len(values_by_minute(archive.metrics.read(minute_window(-9000, 0), "cloudwatch", now=minute_time(0)), ECS))
            == 4500
        )
        archive.metrics.get(minute_window(-9000, 1), source, now=minute_time(1))
