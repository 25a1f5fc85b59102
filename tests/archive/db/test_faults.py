"""What the archive does when its file fails: a full disk, a lock, another version, a file that is something else."""

import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from archive import Archive, ArchiveError
from archive.db import engine, schema
from collector.collector import Collector
from domain import Window
from domain.window import merge_windows
from sources.base import TrafficSnapshot
from tests.factories.archives import MIGRATION, open_archive
from tests.factories.events import TRAFFIC
from tests.fakes.metric_source import EC2, NOON, FakeMetricSource, minute_time, minute_window, values_by_minute


def limit_growth(archive: Archive, *, pages: int | None) -> None:
    """Lets the file grow no more than this, as a full disk would; None: freely again."""
    archive.close()

    def limit(connection, _record) -> None:
        there = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {there + pages if pages is not None else 2**30}")

    event.listen(archive.engine, "connect", limit)


def test_a_full_disk_loses_no_answer_and_is_said(tmp_path: Path):
    world = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        before = archive.change_counter()
        limit_growth(archive, pages=0)
        world.now = minute_time(0)
        brought = archive.metrics.get(minute_window(-1400, 0), world, now=world.now)
        assert brought.archive_problem is not None
        assert brought.archive_problem.kind == "disk_full"
        assert archive.problem == brought.archive_problem
        assert list(values_by_minute(brought, EC2)) == list(range(-1400, 0))
        assert brought.missing == ()
        assert archive.change_counter() > before

        # Not asked again for that reason, and merged with what comes next.
        world.now = minute_time(0.5)
        assert len(archive.metrics.get(minute_window(-1400, 0), world, now=world.now).frame) == 2800
        world.now = minute_time(1)
        assert list(values_by_minute(archive.metrics.get(minute_window(-1400, 1), world, now=world.now), EC2)) == list(
            range(-1400, 1)
        )
        assert world.new_requests == [(-1400, 0), (-15, 1)]

        limit_growth(archive, pages=None)
        world.now = minute_time(2)
        brought = archive.metrics.get(minute_window(-1400, 2), world, now=world.now)
        assert brought.archive_problem is None
        assert archive.problem is None
    with open_archive(tmp_path) as archive:
        assert list(
            values_by_minute(archive.metrics.read(minute_window(-1400, 2), "cloudwatch", now=minute_time(2)), EC2)
        ) == list(range(-1400, 2))


def test_a_full_disk_still_shows_the_weights(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        limit_growth(archive, pages=0)
        padded = replace(TRAFFIC, split_arn="x" * 100_000)
        with pytest.raises(ArchiveError, match="disk_full"):
            archive.events.save_snapshot(TrafficSnapshot(NOON, padded))
        assert archive.events.latest_traffic() == (padded, NOON)


def test_a_check_writes_so_that_a_full_disk_is_told_before_it_costs_anything(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        limit_growth(archive, pages=0)
        with pytest.raises(ArchiveError, match="disk_full"):
            archive.check_writable()
        limit_growth(archive, pages=None)
        archive.check_writable()


def test_a_locked_archive_loses_no_answer(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.05)
    world = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        with closing(sqlite3.connect(tmp_path / "archive.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            brought = archive.metrics.get(minute_window(-60, 0), world, now=world.now)
            assert brought.archive_problem is not None
            assert brought.archive_problem.kind == "locked"
            assert len(brought.frame) == 120
            other.execute("ROLLBACK")
        world.now = minute_time(1)
        assert archive.metrics.get(minute_window(-60, 1), world, now=world.now).archive_problem is None
        assert world.new_requests == [(-60, 0), (-15, 1)]
        assert len(archive.metrics.read(minute_window(-60, 1), "cloudwatch", now=minute_time(1)).frame) == 122


def test_locked_while_the_past_is_filled_it_waits_and_then_fills_the_rest(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.05)
    world = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        since = NOON - 5000 * 60
        keeper = Collector(
            archive, [world], None, [], horizon_minutes=60, backfill=True, since_s=since, clock=lambda: world.now
        )
        for _ in range(3):
            assert keeper.poll_metrics(world) < 15
        with closing(sqlite3.connect(tmp_path / "archive.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            asked = len(world.pulls)
            with suppress(ArchiveError):  # a keeper's thread tries again after a while
                while keeper.poll_metrics(world) < 15:
                    pass
            assert len(world.pulls) == asked + 1, "one answer is held in memory, and no more of the past is asked for"
            assert keeper.backfill_status("cloudwatch").state == "waiting"
            assert archive.problem.kind == "locked"
            other.execute("ROLLBACK")
        world.now = minute_time(1)
        while keeper.poll_metrics(world) < 15:
            pass
        assert keeper.backfill_status("cloudwatch").state == "done"
        assert archive.problem is None
        begin = keeper.backfill_status("cloudwatch").complete_since
        kept = values_by_minute(archive.metrics.read(Window(begin, NOON), "cloudwatch", now=world.now), EC2)
        assert list(kept) == list(range((begin - NOON) // 60, 0))
    settled = [part for window, _ in world.pulls for part in window.subtract((minute_window(-15, 1),))]
    assert sum(part.minutes for part in settled) == sum(part.minutes for part in merge_windows(settled)), (
        "nothing twice"
    )


def test_a_read_only_archive_is_read(tmp_path: Path, monkeypatch):
    world = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(-60, 0), world, now=world.now)
    with open_archive(tmp_path) as archive:
        event.listen(archive.engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only = ON"))
        archive.close()
        world.now = minute_time(1)
        brought = archive.metrics.get(minute_window(-60, 1), world, now=world.now)
        assert brought.archive_problem is not None
        assert brought.archive_problem.kind == "read_only"
        assert list(values_by_minute(brought, EC2)) == list(range(-60, 1))


def test_an_archive_that_breaks_while_it_is_open_is_said_and_nothing_raised(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        archive.close()
        for file in tmp_path.iterdir():
            file.write_bytes(b"not a database, but long enough to be looked at" * 100)
        brought = archive.metrics.get(minute_window(-60, 0), FakeMetricSource(), now=minute_time(0))
        assert brought.frame.empty
        assert brought.archive_problem is not None
        assert brought.archive_problem.kind == "not_a_database"
        with pytest.raises(ArchiveError):
            archive.events.source_states()


def test_a_newer_archive_is_refused_and_left_alone(tmp_path: Path):
    open_archive(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "archive.db", isolation_level=None)) as other:
        other.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    before = (tmp_path / "archive.db").read_bytes()
    with pytest.raises(ArchiveError) as refused:
        open_archive(tmp_path)
    assert (refused.value.kind, refused.value.detail) == ("newer", f"99 > {schema.SCHEMA_VERSION}")
    assert (tmp_path / "archive.db").read_bytes() == before


def test_a_later_program_that_comes_while_this_one_runs_ends_its_writing(tmp_path: Path):
    world = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(-60, 0), world, now=world.now)
        with closing(sqlite3.connect(tmp_path / "archive.db")) as other:
            other.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
            other.commit()
            assert world.new_requests
            world.now = minute_time(1)
            brought = archive.metrics.get(minute_window(-60, 1), world, now=world.now)
            assert brought.archive_problem is not None
            assert brought.archive_problem.kind == "newer"
            with pytest.raises(ArchiveError, match=f"newer: 99 > {schema.SCHEMA_VERSION}"):
                archive.events.read(minute_window(-60, 1))
            assert not world.new_requests  # for what could never be written
            assert other.execute("SELECT max(ts) FROM point").fetchone() == (NOON - 60,)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path):
    (tmp_path / "archive.db").write_text("Dear diary, " * 100)
    with pytest.raises(ArchiveError, match="not_a_database"):
        open_archive(tmp_path)
    assert (tmp_path / "archive.db").read_text().startswith("Dear diary")


def test_the_database_of_another_program_is_refused(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "archive.db", isolation_level=None)) as other:
        other.execute("CREATE TABLE recipes (name)")
    with pytest.raises(ArchiveError, match="not_a_database: recipes"):
        open_archive(tmp_path)
    with closing(sqlite3.connect(tmp_path / "archive.db")) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "no url at all", "oracle_of_delphi://x/y"])
def test_an_address_that_cannot_be_an_archive_is_refused(url: str):
    with pytest.raises(ArchiveError, match="unreadable"):
        Archive.open(url, MIGRATION)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="unreadable"):
        open_archive(tmp_path / "file" / "deeper")


def test_a_file_that_another_process_is_just_making_is_waited_for(monkeypatch):
    """Where two change the journal mode at once, SQLite refuses one of them without waiting."""
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorname = "SQLITE_BUSY"
    said: list[str | sqlite3.OperationalError] = ["delete", busy, "wal"]
    waits: list[float] = []
    monkeypatch.setattr(engine.time, "sleep", waits.append)

    class Connection:
        def execute(self, _statement: str):
            word = said.pop(0)
            if isinstance(word, Exception):
                raise word
            return self

        def fetchone(self) -> tuple[str]:
            return ("wal" if not said else "delete",)

    engine._enable_wal(Connection())
    assert (said, len(waits)) == ([], 1)


def test_the_folder_is_made(tmp_path: Path):
    open_archive(tmp_path / "not" / "yet").close()
    assert (tmp_path / "not" / "yet" / "archive.db").exists()


def test_one_file_serves_several_migrations(tmp_path: Path):
    other = MIGRATION.model_copy(update={"name": "Album service"})
    with open_archive(tmp_path) as photo, Archive.open(f"sqlite:///{tmp_path / 'archive.db'}", other) as album:
        photo.metrics.get(minute_window(-60, 0), FakeMetricSource(), now=minute_time(0))
        assert album.metrics.read(minute_window(-60, 0), "cloudwatch", now=minute_time(0)).frame.empty
        assert album.change_counter() == 0
        album.metrics.get(minute_window(-60, 0), FakeMetricSource(value_at=lambda *_: 7.0), now=minute_time(0))
        assert set(
            values_by_minute(album.metrics.read(minute_window(-60, 0), "cloudwatch", now=minute_time(0)), EC2).values()
        ) == {7.0}
        assert (
            values_by_minute(photo.metrics.read(minute_window(-60, 0), "cloudwatch", now=minute_time(0)), EC2)[-1]
            == -1.0
        )
