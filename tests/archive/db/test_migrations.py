"""Tables that change from version to version: nothing of an older archive is lost, and every road leads to the same tables."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from archive.db import schema
from archive.db.migrations import __file__ as revisions
from tests.factories.processes import run_processes
from tests.factories.rollups import expected_rollup, rollup_rows
from tests.factories.schema import schema_differences
from tests.fakes.metric_source import (
    EC2,
    ECS,
    LATENCY,
    NOON,
    FakeMetricSource,
    minute_time,
    minute_window,
    open_archive,
    values_by_minute,
)

SAMPLE = Path("tests/samples/archive/version_2.sql")


@pytest.fixture
def old_archive(tmp_path: Path) -> Path:
    """An archive that was written before there were revisions."""
    with closing(sqlite3.connect(tmp_path / "archive.db")) as file:
        file.executescript(SAMPLE.read_text())
    return tmp_path


def table_rows(folder: Path) -> dict[str, list[tuple]]:
    with closing(sqlite3.connect(folder / "archive.db")) as file:
        names = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(file.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names}


def test_the_revisions_are_one_line_that_ends_at_the_version():
    config = Config()
    config.set_main_option("script_location", str(Path(revisions).parent))
    script = ScriptDirectory.from_config(config)
    numbers = [revision.revision for revision in script.walk_revisions()][::-1]
    assert numbers == [f"{number:04}" for number in range(2, schema.SCHEMA_VERSION + 1)]


def test_a_new_archive_has_the_tables_of_the_schema(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        assert schema_differences(archive) == []


def test_an_archive_from_before_revisions_is_taken_over_without_loss(old_archive: Path):
    before = table_rows(old_archive)
    with open_archive(old_archive) as archive:
        assert schema_differences(archive) == []
        brought = archive.metrics.read(minute_window(-90, 0), "cloudwatch", now=minute_time(2))
        assert list(values_by_minute(brought, EC2)) == list(range(-90, 0))
        assert list(values_by_minute(brought, LATENCY)) == list(range(-60, 0))
        traffic, seen_at = archive.events.latest_traffic()
        assert ([share.weight for share in traffic.rules[0].shares], seen_at) == ([90, 10], NOON)
        assert [event.title for event in archive.events.read(minute_window(-60, 0))] == ["A note"]
        assert archive.metrics.window_latency(minute_window(-60, -30), "cloudwatch") is not None
        world = FakeMetricSource(configured_series=(EC2, ECS), now=minute_time(3))
        archive.metrics.get(minute_window(-90, 3), world, now=world.now)
        assert world.new_requests == [(-13, 3)]
    after = table_rows(old_archive)
    changed = {"meta", "series", "source", "point", "coverage"}  # by the minute that came with bring
    assert {name: rows for name, rows in after.items() if name in before and name not in changed} == {
        name: rows for name, rows in before.items() if name not in changed
    }
    assert set(before["point"]) <= set(after["point"])


def test_the_points_of_an_older_archive_are_merged_into_cells(old_archive: Path):
    open_archive(old_archive).close()
    assert len(rollup_rows(old_archive)) == 35  # requests: 10 of minutes and 3 of five minutes, twice; latency: 6 and 3
    assert rollup_rows(old_archive) == expected_rollup(old_archive)


def test_an_archive_of_the_first_version_gets_the_tables_that_it_lacks(old_archive: Path):
    with closing(sqlite3.connect(old_archive / "archive.db", isolation_level=None)) as file:
        file.execute("DROP TABLE whole")
        file.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
    with open_archive(old_archive) as archive:
        assert schema_differences(archive) == []
        assert (
            len(values_by_minute(archive.metrics.read(minute_window(-90, 0), "cloudwatch", now=minute_time(2)), EC2))
            == 90
        )
        assert archive.metrics.window_latency(minute_window(-60, -30), "cloudwatch") is None


def test_changes_of_the_split_are_told_again_from_the_looks_that_found_them(old_archive: Path):
    with closing(sqlite3.connect(old_archive / "archive.db", isolation_level=None)) as file:
        file.execute(
            """INSERT INTO snapshot SELECT 2, migration_id, first_seen + 15, last_seen + 60, replace(body, '"weight":90', '"weight":30') FROM snapshot"""
        )
        file.execute(
            "INSERT INTO event VALUES (1, 'load_balancer', 'w', ?, NULL, 'weight', '10.0% → 25.0%', '', 'canary', '', 0)",
            (NOON + 15,),
        )
    with open_archive(old_archive) as archive:
        (step,) = archive.events.weight_changes()
        assert (step.since, step.ts, step.before, step.after) == (NOON, NOON + 15, 0.1, 0.25)
        assert [event.kind for event in archive.events.read(minute_window(-60, 5))] == ["annotation", "weight"]


def test_processes_that_open_an_old_archive_at_once_bring_it_up_once(old_archive: Path):
    def work() -> None:
        with open_archive(old_archive) as archive:
            assert (
                len(
                    values_by_minute(archive.metrics.read(minute_window(-90, 0), "cloudwatch", now=minute_time(2)), EC2)
                )
                == 90
            )

    assert run_processes(*[work] * 4) == [0] * 4
    assert table_rows(old_archive)["meta"] == [("schema", str(schema.SCHEMA_VERSION))]
