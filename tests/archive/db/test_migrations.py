"""Migrations of the schema: no data of an older archive is lost, and a migrated archive has the tables of a new one."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from archive.db import schema
from archive.db.migrations import __file__ as migrations
from archive.db.migrations.standard_names import TABLES
from domain.deployments import ServiceEvent
from domain.triggers import Trigger, Triggers
from sources.base import Events, TrafficSnapshot
from tests.factories import archives
from tests.factories.archives import open_archive, query_database
from tests.factories.processes import run_processes
from tests.factories.rollups import expected_rollup, rollup_rows
from tests.factories.schema import schema_differences
from tests.fakes.metric_source import (
    EC2,
    ECS,
    LATENCY,
    NOON,
    FakeMetricSource,
    minute_ranges,
    minute_time,
    minute_window,
    values_by_minute,
)

SAMPLES = Path("tests/samples/archive")


@pytest.fixture
def old_archive(tmp_path: Path) -> Path:
    """An archive of version 2, from before there were migrations."""
    with closing(sqlite3.connect(tmp_path / "archive.db")) as file:
        file.executescript((SAMPLES / "version_2.sql").read_text())
    return tmp_path


@pytest.fixture
def version_8(tmp_path: Path, both_engines: str) -> Path:
    """An archive of version 8, the last one with the old names, as commit c480205 wrote it."""
    sample = (SAMPLES / "version_8.sql").read_text()
    if both_engines == "sqlite":
        with closing(sqlite3.connect(tmp_path / "archive.db")) as file:
            file.executescript(sample)
        return tmp_path
    engine, metadata = sa.create_engine(archives.archive_url(tmp_path)), sa.MetaData()
    with closing(sqlite3.connect(":memory:")) as file, engine.begin() as connection:
        file.executescript(sample)
        file.row_factory = sqlite3.Row
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")
        metadata.reflect(connection)
        for table in metadata.sorted_tables:
            if table.name != "alembic_version" and (rows := file.execute(f'SELECT * FROM "{table}"').fetchall()):
                connection.execute(sa.insert(table), [typed(table, dict(row)) for row in rows])
    engine.dispose()
    return tmp_path


def typed(table: sa.Table, row: dict[str, object]) -> dict[str, object]:
    """SQLite's booleans are integers."""
    return {name: bool(value) if isinstance(table.c[name].type, sa.Boolean) else value for name, value in row.items()}


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations).parent))
    return config


def table_rows(folder: Path) -> dict[str, list[tuple]]:
    """The rows of every table, by the names since version 9."""
    with closing(sqlite3.connect(folder / "archive.db")) as file:
        names = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            TABLES.get(name, name): sorted(file.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)
            for name in names
        }


def test_the_migrations_are_one_line_that_ends_at_the_schema_version():
    script = ScriptDirectory.from_config(alembic_config())
    numbers = [revision.revision for revision in script.walk_revisions()][::-1]
    assert numbers == [f"{number:04}" for number in range(2, schema.SCHEMA_VERSION + 1)]


def test_a_new_archive_has_the_tables_of_the_schema(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        assert schema_differences(archive) == []


def test_an_archive_from_before_migrations_keeps_its_data(old_archive: Path):
    before = table_rows(old_archive)
    with open_archive(old_archive) as archive:
        assert schema_differences(archive) == []
        result = archive.metrics.read(minute_window(-90, 0), "cloudwatch", now=minute_time(2))
        assert list(values_by_minute(result, EC2)) == list(range(-90, 0))
        assert list(values_by_minute(result, LATENCY)) == list(range(-60, 0))
        traffic, seen_at = archive.events.latest_traffic()
        assert ([share.weight for share in traffic.rules[0].shares], seen_at) == ([90, 10], NOON)
        assert [event.title for event in archive.events.read(minute_window(-60, 0))] == ["A note"]
        assert archive.metrics.window_latency(minute_window(-60, -30), "cloudwatch") is not None
        source = FakeMetricSource(configured_series=(EC2, ECS), now=minute_time(3))
        archive.metrics.get(minute_window(-90, 3), source, now=source.now)
        assert source.new_requests == [(-13, 3)]
    after = table_rows(old_archive)
    changed = {"meta", "series", "source_state", "point", "coverage"}  # by the new minute
    renamed = {"traffic_snapshot"}  # keys of its JSON
    assert {name: rows for name, rows in after.items() if name in before.keys() - changed - renamed} == {
        name: rows for name, rows in before.items() if name not in changed | renamed
    }
    assert set(before["point"]) <= set(after["point"])


def test_the_points_of_an_older_archive_are_rolled_up(old_archive: Path):
    open_archive(old_archive).close()
    assert len(rollup_rows(old_archive)) == 35  # requests: 10 of minutes and 3 of five minutes, twice; latency: 6 and 3
    assert rollup_rows(old_archive) == expected_rollup(old_archive)


def test_an_archive_of_the_first_version_gets_its_missing_tables(old_archive: Path):
    with closing(sqlite3.connect(old_archive / "archive.db", isolation_level=None)) as file:
        file.execute("DROP TABLE whole")
        file.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
    with open_archive(old_archive) as archive:
        assert schema_differences(archive) == []
        result = archive.metrics.read(minute_window(-90, 0), "cloudwatch", now=minute_time(2))
        assert len(values_by_minute(result, EC2)) == 90
        assert archive.metrics.window_latency(minute_window(-60, -30), "cloudwatch") is None


def test_weight_changes_are_derived_again_from_snapshots(old_archive: Path):
    with closing(sqlite3.connect(old_archive / "archive.db", isolation_level=None)) as file:
        file.execute(
            """INSERT INTO snapshot SELECT 2, migration_id, first_seen + 15, last_seen + 60, replace(body, '"weight":90', '"weight":30') FROM snapshot"""
        )
        file.execute(
            "INSERT INTO event VALUES (1, 'load_balancer', 'w', ?, NULL, 'weight', '10.0% → 25.0%', '', 'canary', '', 0)",
            (NOON + 15,),
        )
    with open_archive(old_archive) as archive:
        (change,) = archive.events.weight_changes()
        assert (change.since, change.ts, change.before, change.after) == (NOON, NOON + 15, 0.1, 0.25)
        assert [event.kind for event in archive.events.read(minute_window(-60, 5))] == ["annotation", "weight"]


def test_processes_that_open_an_old_archive_at_once_migrate_it_once(old_archive: Path):
    def open_and_read() -> None:
        with open_archive(old_archive) as archive:
            result = archive.metrics.read(minute_window(-90, 0), "cloudwatch", now=minute_time(2))
            assert len(values_by_minute(result, EC2)) == 90

    assert run_processes(*[open_and_read] * 4) == [0] * 4
    assert table_rows(old_archive)["meta"] == [("schema", str(schema.SCHEMA_VERSION))]


def test_an_archive_with_the_old_names_reads_as_it_did(version_8: Path):
    """The values are what commit c480205 read from the same archive."""
    with open_archive(version_8) as archive:
        assert schema_differences(archive) == []
        result = archive.metrics.read(minute_window(-180, 0), "cloudwatch", now=minute_time(0))
        assert (len(result.frame), minute_ranges(result.missing)) == (480, [(-180, -120)])
        assert [problem.kind for problem in result.problems] == ["forbidden_metric"]
        assert archive.metrics.configured_series("cloudwatch")[:2] == (EC2, ECS)
        source = FakeMetricSource(configured_series=(EC2, ECS, LATENCY), now=minute_time(0.5))
        assert archive.metrics.fill(minute_window(-180, 0), source, now=source.now).pulls == 0, (
            "all fetched or in back-off"
        )
        latency = archive.metrics.window_latency(minute_window(-60, 0), "cloudwatch")
        assert latency and (latency.complete, latency.groups[0].within) == (True, {0.1: 0.99, 1.0: 1.0})
        changes = archive.events.weight_changes()
        assert [(change.ts - NOON, change.title, change.author, change.tool) for change in changes] == [
            (-900, "? → 50.0%", "naoko", "console"),
            (-45, "10.0% → 50.0%", "", "unknown"),
            (0, "50.0% → 10.0%", "", "unknown"),
        ]
        assert [(event.kind, event.ts - NOON) for event in archive.events.read(minute_window(-60, 10))] == [
            ("note", -1800), ("weight", -900), ("annotation", -600), ("alert", -600), ("alert", -300), ("weight", -45),
            ("weight", 0)
        ]  # fmt: skip
        state = archive.events.deployment_state()
        assert state and state.services[0].events == (ServiceEvent(NOON - 60, "has reached a steady state."),)
        assert state.services[0].previous_task_definition == "web:40"
        assert (state.deployments[0].reason, state.deployments[0].previous_task_definition) == ("alarm", "web:41")
        assert archive.events.covered("cloudtrail") == (minute_window(-60, 0),)
        assert archive.events.triggers() == Triggers(
            NOON, (Trigger("thumbnails", "rule", "photo-thumbnails", "rate(5 minutes)", "UTC", enabled=True),)
        )
        states = [(state.source, state.role, state.last_success_at) for state in archive.events.source_states()]
        assert states[:2] == [("eventbridge", "triggers", NOON), ("load_balancer", "traffic", NOON)]
        assert archive.access_logs.line_counts(minute_window(-60, 60)).total == 20
        wait_s = archive.try_acquire_slot("mackerel_events", "event_backlog", now=minute_time(0.5), interval_s=60)
        assert wait_s == 30


def test_the_same_state_adds_no_row_after_the_migration(version_8: Path):
    """Bodies are compared as text, so a migrated body is exactly what this version writes."""
    with open_archive(version_8) as archive:
        traffic, _ = archive.events.latest_traffic()
        archive.events.save_snapshot(TrafficSnapshot(NOON + 60, traffic))
        assert traffic.rules[0].preceding_actions == ("authenticate-oidc",)
        state = archive.events.deployment_state()
        archive.events.save_events(Events(minute_window(0, 1), NOON + 60, deployment_state=state), "ecs")
    assert query_database(version_8, "SELECT count(*) FROM traffic_snapshot") == [(3,)]
    assert query_database(version_8, "SELECT count(*) FROM deployment_state") == [(1,)]
