"""What an archive says it holds, and what compacting leaves."""

from pathlib import Path

import pytest
from sqlalchemy import text

from archive.db.engine import transaction
from archive.status import compact, status
from tests.fakes.metric_source import ECS, HOURLY, MIGRATION, NOON, World, at, open_archive, said, span, spans

pytestmark = pytest.mark.usefixtures("both_engines")


def test_it_counts_points_covered_time_and_gaps_and_says_whether_somebody_records(tmp_path: Path) -> None:
    world = World(wanted=(ECS, HOURLY))
    with open_archive(tmp_path) as archive:
        assert status(archive.engine, MIGRATION, now=NOON).points == 0
        archive.bring(span(-300, -240), world, now=at(-200))
        archive.bring(span(-120, 0), world, now=at(0))
        found = status(archive.engine, MIGRATION, now=NOON + 60)
    assert [(one.period_s, one.points, spans(one.covered)) for one in found.stretches] == [
        (60, 60 + 120, [(-300, -240), (-120, -15)]),
        (3600, 2, [(-300, -240), (-120, -60)]),
    ]
    assert spans(found.gaps["cloudwatch"]) == [(-240, -120)], "a minute that settled since it was answered is none"
    assert (found.last_write, found.alive, found.size_bytes > 4096) == (NOON, True, True)
    with open_archive(tmp_path) as archive:
        later = status(archive.engine, MIGRATION, now=NOON + 600)
        assert not later.alive
        assert spans(later.gaps["cloudwatch"]) == [(-240, -120)]
        assert spans(status(archive.engine, MIGRATION, now=NOON + 7200).gaps["cloudwatch"]) == [(-240, -120), (0, 105)]
        assert status(archive.engine, MIGRATION, now=NOON + 7200, of_batches=("cloudwatch",)).gaps == {"cloudwatch": ()}


def test_compacting_gives_space_back_and_loses_nothing(tmp_path: Path) -> None:
    world = World(wanted=(ECS,))
    with open_archive(tmp_path) as archive:
        archive.bring(span(-9000, 0), world, now=at(0))
        with transaction(archive.engine, writes=True) as connection:
            connection.execute(text(f"DELETE FROM point WHERE ts < {NOON - 4500 * 60}"))
        before, after = compact(archive.engine)
        assert after < before * 0.8
        assert not (tmp_path / "archive.db-wal").exists() or (tmp_path / "archive.db-wal").stat().st_size == 0
        assert len(said(archive.read(span(-9000, 0), "cloudwatch", now=at(0)), ECS)) == 4500
        archive.bring(span(-9000, 1), world, now=at(1))
