"""Errors of SQLite: a full disk, a lock, another version, a file that is not an archive."""

import os
import sqlite3
import stat
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from archive import Archive, ArchiveError
from archive.db import engine, schema
from collector.collector import Collector, CollectorConfig
from domain import Window
from domain.window import merge_windows
from sources.base import TrafficSnapshot
from sources.registry import Sources
from tests.factories.archives import MIGRATION, open_archive
from tests.factories.events import TRAFFIC
from tests.fakes.metric_source import EC2, NOON, FakeMetricSource, minute_time, minute_window, values_by_minute


def limit_growth(archive: Archive, *, pages: int | None) -> None:
    """Limits the file to `pages` more, like a full disk; None removes the limit."""
    archive.close()

    def limit(connection, _record) -> None:
        current = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {current + pages if pages is not None else 2**30}")

    event.listen(archive.engine, "connect", limit)


def test_a_full_disk_loses_no_answer_and_is_reported(tmp_path: Path):
    source = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        before = archive.change_counter()
        limit_growth(archive, pages=0)
        source.now = minute_time(0)
        result = archive.metrics.get(minute_window(-1400, 0), source, now=source.now)
        assert result.archive_problem is not None
        assert result.archive_problem.kind == "disk_full"
        assert archive.problem == result.archive_problem
        assert list(values_by_minute(result, EC2)) == list(range(-1400, 0))
        assert result.missing == ()
        assert archive.change_counter() > before

        # It is not fetched again, and is merged with the next answer.
        source.now = minute_time(0.5)
        assert len(archive.metrics.get(minute_window(-1400, 0), source, now=source.now).frame) == 2800
        source.now = minute_time(1)
        assert list(
            values_by_minute(archive.metrics.get(minute_window(-1400, 1), source, now=source.now), EC2)
        ) == list(range(-1400, 1))
        assert source.new_requests == [(-1400, 0), (-15, 1)]

        limit_growth(archive, pages=None)
        source.now = minute_time(2)
        result = archive.metrics.get(minute_window(-1400, 2), source, now=source.now)
        assert result.archive_problem is None
        assert archive.problem is None
    with open_archive(tmp_path) as archive:
        assert list(
            values_by_minute(archive.metrics.read(minute_window(-1400, 2), "cloudwatch", now=minute_time(2)), EC2)
        ) == list(range(-1400, 2))


def test_the_weights_are_returned_if_the_disk_is_full(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        limit_growth(archive, pages=0)
        padded = replace(TRAFFIC, split_arn="x" * 100_000)
        with pytest.raises(ArchiveError, match="disk_full"):
            archive.events.save_snapshot(TrafficSnapshot(NOON, padded))
        assert archive.events.latest_traffic() == (padded, NOON)


def test_what_is_held_is_written_before_the_process_ends(tmp_path: Path):
    source = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        limit_growth(archive, pages=0)
        source.now = minute_time(0)
        archive.metrics.get(minute_window(-1400, 0), source, now=source.now)
        padded = replace(TRAFFIC, split_arn="x" * 100_000)
        with pytest.raises(ArchiveError, match="disk_full"):
            archive.events.save_snapshot(TrafficSnapshot(NOON, padded))
        archive.write_held()  # the disk is still full
        limit_growth(archive, pages=None)
        Collector(archive, Sources()).stop()
        assert archive.problem is None
    with open_archive(tmp_path) as archive:
        result = archive.metrics.read(minute_window(-1400, 0), "cloudwatch", now=minute_time(0))
        assert list(values_by_minute(result, EC2)) == list(range(-1400, 0))
        latest = archive.events.latest_traffic()
        assert latest and (latest[0].rules, latest[1]) == (padded.rules, NOON)


@pytest.mark.parametrize("replaced", [False, True])
def test_no_row_goes_to_a_file_that_was_removed_or_replaced(tmp_path: Path, *, replaced: bool):
    source = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        source.now = minute_time(0)
        archive.metrics.get(minute_window(-60, 0), source, now=source.now)
        path = Path(str(archive.engine.url.database))
        moved = path.rename(path.with_suffix(".moved"))
        if replaced:
            path.touch()
        with pytest.raises(ArchiveError) as caught:
            archive.check_writable()
        assert caught.value.kind == "replaced"
        assert caught.value.detail == f"{path}: {'another file' if replaced else 'removed'}"
        source.now = minute_time(1)
        result = archive.metrics.get(minute_window(-60, 1), source, now=source.now)
        assert result.archive_problem is not None and result.archive_problem.kind == "replaced"
        archive.close()  # a new connection creates no file in its place
        with pytest.raises(ArchiveError, match="replaced"):
            archive.check_writable()
        assert path.exists() == replaced and (not replaced or not path.stat().st_size)

        moved.replace(path)
        source.now = minute_time(2)
        result = archive.metrics.get(minute_window(-60, 2), source, now=source.now)
        assert result.archive_problem is None and list(values_by_minute(result, EC2)) == list(range(-60, 2))


def test_the_check_finds_a_full_disk(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        limit_growth(archive, pages=0)
        with pytest.raises(ArchiveError, match="disk_full"):
            archive.check_writable()
        limit_growth(archive, pages=None)
        archive.check_writable()


def test_a_locked_archive_loses_no_answer(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.05)
    source = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        with closing(sqlite3.connect(tmp_path / "archive.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            result = archive.metrics.get(minute_window(-60, 0), source, now=source.now)
            assert result.archive_problem is not None
            assert result.archive_problem.kind == "locked"
            assert len(result.frame) == 120
            other.execute("ROLLBACK")
        source.now = minute_time(1)
        assert archive.metrics.get(minute_window(-60, 1), source, now=source.now).archive_problem is None
        assert source.new_requests == [(-60, 0), (-15, 1)]
        assert len(archive.metrics.read(minute_window(-60, 1), "cloudwatch", now=minute_time(1)).frame) == 122


def test_a_backfill_waits_for_a_lock_and_then_goes_on(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.05)
    source = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        since = NOON - 5000 * 60
        collector = Collector(
            archive,
            Sources((source,)),
            CollectorConfig(horizon_minutes=60, backfill=True, since_s=since),
            clock=lambda: source.now,
        )
        for _ in range(3):
            assert collector.poll_metrics(source) < 15
        with closing(sqlite3.connect(tmp_path / "archive.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            n_pulls = len(source.pulls)
            with suppress(ArchiveError):  # the collector's thread retries later
                while collector.poll_metrics(source) < 15:
                    pass
            assert len(source.pulls) == n_pulls + 1, "one answer is buffered, and the backfill pauses"
            assert collector.backfill_status("cloudwatch").state == "waiting"
            assert archive.problem.kind == "locked"
            other.execute("ROLLBACK")
        source.now = minute_time(1)
        while collector.poll_metrics(source) < 15:
            pass
        assert collector.backfill_status("cloudwatch").state == "done"
        assert archive.problem is None
        start = collector.backfill_status("cloudwatch").complete_since
        values = values_by_minute(archive.metrics.read(Window(start, NOON), "cloudwatch", now=source.now), EC2)
        assert list(values) == list(range((start - NOON) // 60, 0))
    final = [part for window, _ in source.pulls for part in window.subtract((minute_window(-15, 1),))]
    assert sum(part.minutes for part in final) == sum(part.minutes for part in merge_windows(final)), (
        "a minute was fetched twice"
    )


def test_a_read_only_archive_is_read(tmp_path: Path, monkeypatch):
    source = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(-60, 0), source, now=source.now)
    with open_archive(tmp_path) as archive:
        event.listen(archive.engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only = ON"))
        archive.close()
        source.now = minute_time(1)
        result = archive.metrics.get(minute_window(-60, 1), source, now=source.now)
        assert result.archive_problem is not None
        assert result.archive_problem.kind == "read_only"
        assert list(values_by_minute(result, EC2)) == list(range(-60, 1))


def test_an_archive_that_breaks_while_it_is_open_is_reported(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        archive.close()
        for file in tmp_path.iterdir():
            file.write_bytes(b"not a database, but long enough to be looked at" * 100)
        result = archive.metrics.get(minute_window(-60, 0), FakeMetricSource(), now=minute_time(0))
        assert result.frame.empty
        assert result.archive_problem is not None
        assert result.archive_problem.kind == "not_a_database"
        with pytest.raises(ArchiveError):
            archive.events.source_states()


def test_a_newer_archive_is_rejected_and_not_changed(tmp_path: Path):
    open_archive(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "archive.db", isolation_level=None)) as other:
        other.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    before = (tmp_path / "archive.db").read_bytes()
    with pytest.raises(ArchiveError) as caught:
        open_archive(tmp_path)
    assert (caught.value.kind, caught.value.detail) == ("newer", f"99 > {schema.SCHEMA_VERSION}")
    assert (tmp_path / "archive.db").read_bytes() == before


def test_nothing_is_written_after_a_newer_program_migrated_the_archive(tmp_path: Path):
    source = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(-60, 0), source, now=source.now)
        with closing(sqlite3.connect(tmp_path / "archive.db")) as other:
            other.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
            other.commit()
            assert source.new_requests
            source.now = minute_time(1)
            result = archive.metrics.get(minute_window(-60, 1), source, now=source.now)
            assert result.archive_problem is not None
            assert result.archive_problem.kind == "newer"
            with pytest.raises(ArchiveError, match=f"newer: 99 > {schema.SCHEMA_VERSION}"):
                archive.events.read(minute_window(-60, 1))
            assert not source.new_requests  # because it could not be written
            assert other.execute("SELECT max(ts) FROM point").fetchone() == (NOON - 60,)


def test_a_file_that_is_not_a_database_is_rejected_and_not_changed(tmp_path: Path):
    (tmp_path / "archive.db").write_text("Dear diary, " * 100)
    with pytest.raises(ArchiveError, match="not_a_database"):
        open_archive(tmp_path)
    assert (tmp_path / "archive.db").read_text().startswith("Dear diary")


def test_the_database_of_another_program_is_rejected(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "archive.db", isolation_level=None)) as other:
        other.execute("CREATE TABLE recipes (name)")
    with pytest.raises(ArchiveError, match="not_a_database: recipes"):
        open_archive(tmp_path)
    with closing(sqlite3.connect(tmp_path / "archive.db")) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "no url at all", "oracle_of_delphi://x/y"])
def test_a_url_that_cannot_be_an_archive_is_rejected(url: str):
    with pytest.raises(ArchiveError, match="unreadable"):
        Archive.open(url, MIGRATION)


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="unreadable"):
        open_archive(tmp_path / "file" / "deeper")


def test_switching_to_wal_retries_while_another_process_does_it(monkeypatch):
    """SQLite does not wait if two processes change the journal mode at once."""
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorname = "SQLITE_BUSY"
    replies: list[str | sqlite3.OperationalError] = ["delete", busy, "wal"]
    waits: list[float] = []
    monkeypatch.setattr(engine.time, "sleep", waits.append)

    class Connection:
        def execute(self, _statement: str):
            reply = replies.pop(0)
            if isinstance(reply, Exception):
                raise reply
            return self

        def fetchone(self) -> tuple[str]:
            return ("wal" if not replies else "delete",)

    engine._enable_wal(Connection())
    assert (replies, len(waits)) == ([], 1)


def test_the_folder_is_created(tmp_path: Path):
    open_archive(tmp_path / "not" / "yet").close()
    assert (tmp_path / "not" / "yet" / "archive.db").exists()


def test_one_file_holds_several_migrations(tmp_path: Path):
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


def test_a_new_archive_and_the_files_beside_it_are_their_owners_alone(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        with Archive.open(f"sqlite:///{tmp_path / 'new' / 'archive.db'}", MIGRATION) as archive:
            archive.change_counter()
            modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in (tmp_path / "new").iterdir()}
    finally:
        os.umask(previous)
    assert modes == {"archive.db": "0o600", "archive.db-wal": "0o600", "archive.db-shm": "0o600"}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
