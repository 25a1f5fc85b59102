"""What the archive does when PostgreSQL fails: ten minutes without it, a wrong password, a full disk, somebody who holds it."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from archive import Archive, ArchiveError
from archive.db import engine, schema
from archive.db.postgres import WRITE_LOCK_ID
from sources.base import TrafficSnapshot
from tests.factories import archives
from tests.factories.archives import MIGRATION, open_archive, set_read_only
from tests.factories.events import weighted_traffic
from tests.factories.processes import LoggingSource, fork_context, run_processes
from tests.factories.schema import schema_differences
from tests.fakes.metric_source import EC2, ECS, NOON, FakeMetricSource, minute_time, minute_window, values_by_minute
from tests.fakes.postgresql import PostgresServer


pytestmark = pytest.mark.postgresql


@pytest.fixture(autouse=True)
def on_postgresql(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "archive_url", postgres_server.schema_url)


@pytest.fixture
def strict(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """A server that asks for passwords."""
    postgres_server.execute("CREATE ROLE photo LOGIN PASSWORD 'right/one'")
    postgres_server.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")  # as it is from version 15 on
    postgres_server.trust(trusting=False)
    yield postgres_server
    postgres_server.trust(trusting=True)
    postgres_server.execute("DROP OWNED BY photo")
    postgres_server.execute("DROP ROLE photo")


def test_ten_minutes_without_the_server_cost_no_number_and_no_weight(postgres_server: PostgresServer, tmp_path: Path):
    world = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(-60, 0), world, now=world.now)
        archive.events.save_snapshot(TrafficSnapshot(NOON, weighted_traffic(100, 0)))
        postgres_server.stop()
        try:
            for minute in range(1, 11):
                world.now = minute_time(minute)
                brought = archive.metrics.get(minute_window(-60, minute), world, now=world.now)
                assert brought.archive_problem is not None
                assert brought.archive_problem.kind == "unreachable"
                assert list(values_by_minute(brought, EC2))[-15:] == list(range(minute - 15, minute)), (
                    "the newest are seen all the same"
                )
                with pytest.raises(ArchiveError, match="unreachable"):
                    archive.events.save_snapshot(
                        TrafficSnapshot(
                            NOON + minute * 60, weighted_traffic(90, 10) if minute < 5 else weighted_traffic(50, 50)
                        )
                    )
        finally:
            postgres_server.start()
        assert archive.events.latest_traffic() == (weighted_traffic(50, 50), NOON + 600)
        world.now = minute_time(11)
        brought = archive.metrics.get(minute_window(-60, 11), world, now=world.now)
        assert brought.archive_problem is None
        archive.events.save_snapshot(TrafficSnapshot(NOON + 660, weighted_traffic(50, 50)))
    assert world.new_requests == [(-60, 0), *((minute - 16 if minute > 1 else -15, minute) for minute in range(1, 12))]
    with open_archive(tmp_path) as archive:
        assert list(
            values_by_minute(archive.metrics.read(minute_window(-60, 11), "cloudwatch", now=minute_time(11)), ECS)
        ) == list(range(-60, 11))
        seen = [event.ts for event in archive.events.read(minute_window(-60, 12)) if event.kind == "weight"]
        assert seen == [NOON + 60, NOON + 300], "both steps of the split, each when it was seen"


def test_a_wrong_password_is_told_without_it(strict: PostgresServer, monkeypatch: pytest.MonkeyPatch):
    for password in ("wrong one", ""):
        monkeypatch.setenv("PGPASSWORD", password)
        with pytest.raises(ArchiveError) as refused:
            Archive.open(strict.url(user="photo"), MIGRATION)
        assert refused.value.kind == "denied"
    with pytest.raises(ArchiveError) as refused:
        Archive.open(strict.url(user="photo:se%2Fcret"), MIGRATION)
    assert refused.value.kind == "denied"
    assert "se/cret" not in str(refused.value)


def test_a_user_without_rights_is_told(strict: PostgresServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PGPASSWORD", "right/one")
    with pytest.raises(ArchiveError) as refused:
        Archive.open(strict.url(user="photo"), MIGRATION)
    assert refused.value.kind == "forbidden"


def test_a_database_that_is_not_there_is_told(postgres_server: PostgresServer):
    with pytest.raises(ArchiveError, match=r'no_database: .*"albums" does not exist'):
        Archive.open(postgres_server.url(database="albums"), MIGRATION)


def test_a_server_that_is_not_there_is_told():
    with pytest.raises(ArchiveError, match="unreachable"):
        Archive.open("postgresql+psycopg://tester@127.0.0.1:1/archives", MIGRATION)


def test_whoever_holds_it_too_long_is_told(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.05)
    world = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        with psycopg.connect(postgres_server.url().replace("+psycopg", "")) as other:
            other.execute("SELECT pg_advisory_xact_lock(%s)", [WRITE_LOCK_ID])
            brought = archive.metrics.get(minute_window(-60, 0), world, now=world.now)
            assert brought.archive_problem is not None
            assert (brought.archive_problem.kind, len(brought.frame)) == ("locked", 120)
        world.now = minute_time(1)
        assert archive.metrics.get(minute_window(-60, 1), world, now=world.now).archive_problem is None
        assert world.new_requests == [(-60, 0), (-15, 1)]


def test_a_full_disk_loses_no_answer(postgres_server: PostgresServer, tmp_path: Path):
    world = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        name = postgres_server.schemas[tmp_path]
        postgres_server.execute(
            f"""CREATE FUNCTION {name}.full() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$"""
        )
        postgres_server.execute(
            f"CREATE TRIGGER full_disk BEFORE INSERT ON {name}.point EXECUTE FUNCTION {name}.full()"
        )
        brought = archive.metrics.get(minute_window(-60, 0), world, now=world.now)
        assert brought.archive_problem is not None
        assert (brought.archive_problem.kind, len(brought.frame)) == ("disk_full", 120)
        postgres_server.execute(f"DROP TRIGGER full_disk ON {name}.point")
        world.now = minute_time(1)
        assert archive.metrics.get(minute_window(-60, 1), world, now=world.now).archive_problem is None
        assert len(archive.metrics.read(minute_window(-60, 1), "cloudwatch", now=minute_time(1)).frame) == 122


def test_one_that_may_only_be_read_is_read(tmp_path: Path):
    world = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(-60, 0), world, now=world.now)
        set_read_only(archive)
        world.now = minute_time(1)
        brought = archive.metrics.get(minute_window(-60, 1), world, now=world.now)
        assert brought.archive_problem is not None
        assert brought.archive_problem.kind == "read_only"
        assert list(values_by_minute(brought, EC2)) == list(range(-60, 1))


def test_a_newer_archive_is_refused(postgres_server: PostgresServer, tmp_path: Path):
    open_archive(tmp_path).close()
    postgres_server.execute(f"UPDATE {postgres_server.schemas[tmp_path]}.meta SET value = '99' WHERE key = 'schema'")
    with pytest.raises(ArchiveError) as refused:
        open_archive(tmp_path)
    assert (refused.value.kind, refused.value.detail) == ("newer", f"99 > {schema.SCHEMA_VERSION}")


def test_tables_of_another_program_are_left_alone(postgres_server: PostgresServer, tmp_path: Path):
    postgres_server.schema_url(tmp_path)
    postgres_server.execute(f"CREATE TABLE {postgres_server.schemas[tmp_path]}.recipe (name text)")
    open_archive(tmp_path).close()
    other = tmp_path / "other"
    postgres_server.schema_url(other)
    postgres_server.execute(f"CREATE TABLE {postgres_server.schemas[other]}.event (name text)")
    with pytest.raises(ArchiveError, match="not_a_database: event"):
        open_archive(other)


def test_processes_that_start_at_once_make_one_archive_and_ask_once(postgres_server: PostgresServer, tmp_path: Path):
    postgres_server.schema_url(tmp_path)
    diary = tmp_path / "diary"
    together = fork_context.Barrier(4, timeout=20)

    def work() -> None:
        world = LoggingSource(diary)
        together.wait()
        with open_archive(tmp_path) as archive:
            for minute in (0, 1, 2):
                together.wait()
                world.now = minute_time(minute)
                archive.metrics.get(minute_window(-60, minute), world, now=world.now)

    assert run_processes(*[work] * 4) == [0] * 4
    assert diary.read_text().splitlines() == ["-60..0", "-15..1", "-14..2"]
    with open_archive(tmp_path) as archive:
        assert list(
            values_by_minute(archive.metrics.read(minute_window(-60, 2), "cloudwatch", now=minute_time(2)), ECS)
        ) == list(range(-60, 2))


def test_the_tables_are_those_of_the_schema(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        assert schema_differences(archive) == []
