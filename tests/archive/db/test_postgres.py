"""Errors of PostgreSQL: ten minutes of downtime, a wrong password, a full disk, a lock."""

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


def test_ten_minutes_of_downtime_lose_no_metrics_and_no_weights(postgres_server: PostgresServer, tmp_path: Path):
    source = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(-60, 0), source, now=source.now)
        archive.events.save_snapshot(TrafficSnapshot(NOON, weighted_traffic(100, 0)))
        postgres_server.stop()
        try:
            for minute in range(1, 11):
                source.now = minute_time(minute)
                result = archive.metrics.get(minute_window(-60, minute), source, now=source.now)
                assert result.archive_problem is not None
                assert result.archive_problem.kind == "unreachable"
                assert list(values_by_minute(result, EC2))[-15:] == list(range(minute - 15, minute)), (
                    "the newest minutes are returned"
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
        source.now = minute_time(11)
        result = archive.metrics.get(minute_window(-60, 11), source, now=source.now)
        assert result.archive_problem is None
        archive.events.save_snapshot(TrafficSnapshot(NOON + 660, weighted_traffic(50, 50)))
    assert source.new_requests == [(-60, 0), *((minute - 16 if minute > 1 else -15, minute) for minute in range(1, 12))]
    with open_archive(tmp_path) as archive:
        assert list(
            values_by_minute(archive.metrics.read(minute_window(-60, 11), "cloudwatch", now=minute_time(11)), ECS)
        ) == list(range(-60, 11))
        changed_at = [event.ts for event in archive.events.read(minute_window(-60, 12)) if event.kind == "weight"]
        assert changed_at == [NOON + 60, NOON + 300], "both weight changes, at the times of their snapshots"


def test_a_wrong_password_is_denied_and_not_in_the_message(strict: PostgresServer, monkeypatch: pytest.MonkeyPatch):
    for password in ("wrong one", ""):
        monkeypatch.setenv("PGPASSWORD", password)
        with pytest.raises(ArchiveError) as caught:
            Archive.open(strict.url(user="photo"), MIGRATION)
        assert caught.value.kind == "denied"
    with pytest.raises(ArchiveError) as caught:
        Archive.open(strict.url(user="photo:se%2Fcret"), MIGRATION)
    assert caught.value.kind == "denied"
    assert "se/cret" not in str(caught.value)


def test_a_user_without_rights_is_forbidden(strict: PostgresServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PGPASSWORD", "right/one")
    with pytest.raises(ArchiveError) as caught:
        Archive.open(strict.url(user="photo"), MIGRATION)
    assert caught.value.kind == "forbidden"


def test_a_missing_database(postgres_server: PostgresServer):
    with pytest.raises(ArchiveError, match=r'no_database: .*"albums" does not exist'):
        Archive.open(postgres_server.url(database="albums"), MIGRATION)


def test_a_server_that_does_not_listen_is_unreachable():
    with pytest.raises(ArchiveError, match="unreachable"):
        Archive.open("postgresql+psycopg://tester@127.0.0.1:1/archives", MIGRATION)


def test_a_lock_that_is_held_too_long(postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.05)
    source = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        with psycopg.connect(postgres_server.url().replace("+psycopg", "")) as other:
            other.execute("SELECT pg_advisory_xact_lock(%s)", [WRITE_LOCK_ID])
            result = archive.metrics.get(minute_window(-60, 0), source, now=source.now)
            assert result.archive_problem is not None
            assert (result.archive_problem.kind, len(result.frame)) == ("locked", 120)
        source.now = minute_time(1)
        assert archive.metrics.get(minute_window(-60, 1), source, now=source.now).archive_problem is None
        assert source.new_requests == [(-60, 0), (-15, 1)]


def test_a_full_disk_loses_no_answer(postgres_server: PostgresServer, tmp_path: Path):
    source = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        name = postgres_server.schemas[tmp_path]
        postgres_server.execute(
            f"""CREATE FUNCTION {name}.full() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$"""
        )
        postgres_server.execute(
            f"CREATE TRIGGER full_disk BEFORE INSERT ON {name}.point EXECUTE FUNCTION {name}.full()"
        )
        result = archive.metrics.get(minute_window(-60, 0), source, now=source.now)
        assert result.archive_problem is not None
        assert (result.archive_problem.kind, len(result.frame)) == ("disk_full", 120)
        postgres_server.execute(f"DROP TRIGGER full_disk ON {name}.point")
        archive.write_held()
        with open_archive(tmp_path) as other:
            assert len(other.metrics.read(minute_window(-60, 0), "cloudwatch", now=minute_time(0)).frame) == 120
        source.now = minute_time(1)
        assert archive.metrics.get(minute_window(-60, 1), source, now=source.now).archive_problem is None
        assert len(archive.metrics.read(minute_window(-60, 1), "cloudwatch", now=minute_time(1)).frame) == 122


def test_a_read_only_archive_is_read(tmp_path: Path):
    source = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(-60, 0), source, now=source.now)
        set_read_only(archive)
        source.now = minute_time(1)
        result = archive.metrics.get(minute_window(-60, 1), source, now=source.now)
        assert result.archive_problem is not None
        assert result.archive_problem.kind == "read_only"
        assert list(values_by_minute(result, EC2)) == list(range(-60, 1))


def test_a_newer_archive_is_rejected(postgres_server: PostgresServer, tmp_path: Path):
    open_archive(tmp_path).close()
    postgres_server.execute(f"UPDATE {postgres_server.schemas[tmp_path]}.meta SET value = '99' WHERE key = 'schema'")
    with pytest.raises(ArchiveError) as caught:
        open_archive(tmp_path)
    assert (caught.value.kind, caught.value.detail) == ("newer", f"99 > {schema.SCHEMA_VERSION}")


def test_tables_of_other_programs_are_not_touched(postgres_server: PostgresServer, tmp_path: Path):
    postgres_server.schema_url(tmp_path)
    postgres_server.execute(f"CREATE TABLE {postgres_server.schemas[tmp_path]}.recipe (name text)")
    open_archive(tmp_path).close()
    other = tmp_path / "other"
    postgres_server.schema_url(other)
    postgres_server.execute(f"CREATE TABLE {postgres_server.schemas[other]}.event (name text)")
    with pytest.raises(ArchiveError, match="not_a_database: event"):
        open_archive(other)


def test_processes_that_start_at_once_create_one_archive_and_fetch_once(
    postgres_server: PostgresServer, tmp_path: Path
):
    postgres_server.schema_url(tmp_path)
    log = tmp_path / "pulls"
    barrier = fork_context.Barrier(4, timeout=20)

    def fetch_three_minutes() -> None:
        source = LoggingSource(log)
        barrier.wait()
        with open_archive(tmp_path) as archive:
            for minute in (0, 1, 2):
                barrier.wait()
                source.now = minute_time(minute)
                archive.metrics.get(minute_window(-60, minute), source, now=source.now)

    assert run_processes(*[fetch_three_minutes] * 4) == [0] * 4
    assert log.read_text().splitlines() == ["-60..0", "-15..1", "-14..2"]
    with open_archive(tmp_path) as archive:
        assert list(
            values_by_minute(archive.metrics.read(minute_window(-60, 2), "cloudwatch", now=minute_time(2)), ECS)
        ) == list(range(-60, 2))


def test_the_tables_match_the_schema(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        assert schema_differences(archive) == []
