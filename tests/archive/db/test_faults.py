"""What the archive does when its file fails: a full disk, a lock, another version, a file that is something else."""

import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from archive import Archive, ArchiveError
from archive.db import engine, schema
from collector.collector import Keeper
from domain import Window
from domain.window import merged
from sources.base import Look
from tests.archive.events.test_store import TRAFFIC
from tests.fakes.metric_source import EC2, MIGRATION, NOON, World, at, open_archive, said, span


def refuse_growth(archive: Archive, *, pages: int | None) -> None:
    """Lets the file grow no more than this, as a full disk would; None: freely again."""
    archive.close()

    def limit(connection, _record) -> None:
        there = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {there + pages if pages is not None else 2**30}")

    event.listen(archive._engine, "connect", limit)


def test_a_full_disk_loses_no_answer_and_is_said(tmp_path: Path):
    world = World()
    with open_archive(tmp_path) as archive:
        before = archive.revision_of_all()
        refuse_growth(archive, pages=0)
        world.now = at(0)
        brought = archive.bring(span(-1400, 0), world, now=world.now)
        assert brought.archive_problem is not None
        assert brought.archive_problem.kind == "disk_full"
        assert archive.problem == brought.archive_problem
        assert list(said(brought, EC2)) == list(range(-1400, 0))
        assert brought.missing == ()
        assert archive.revision_of_all() > before

        # Not asked again for that reason, and merged with what comes next.
        world.now = at(0.5)
        assert len(archive.bring(span(-1400, 0), world, now=world.now).frame) == 2800
        world.now = at(1)
        assert list(said(archive.bring(span(-1400, 1), world, now=world.now), EC2)) == list(range(-1400, 1))
        assert world.asked == [(-1400, 0), (-15, 1)]

        refuse_growth(archive, pages=None)
        world.now = at(2)
        brought = archive.bring(span(-1400, 2), world, now=world.now)
        assert brought.archive_problem is None
        assert archive.problem is None
    with open_archive(tmp_path) as archive:
        assert list(said(archive.read(span(-1400, 2), "cloudwatch", now=at(2)), EC2)) == list(range(-1400, 2))


def test_a_full_disk_still_shows_the_weights(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        refuse_growth(archive, pages=0)
        padded = replace(TRAFFIC, split_arn="x" * 100_000)
        with pytest.raises(ArchiveError, match="disk_full"):
            archive.keep_look(Look(NOON, padded))
        assert archive.traffic() == (padded, NOON)


def test_a_check_writes_so_that_a_full_disk_is_told_before_it_costs_anything(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        refuse_growth(archive, pages=0)
        with pytest.raises(ArchiveError, match="disk_full"):
            archive.check()
        refuse_growth(archive, pages=None)
        archive.check()


def test_a_locked_archive_loses_no_answer(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(engine, "BUSY_S", 0.05)
    world = World()
    with open_archive(tmp_path) as archive:
        with closing(sqlite3.connect(tmp_path / "archive.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            brought = archive.bring(span(-60, 0), world, now=world.now)
            assert brought.archive_problem is not None
            assert brought.archive_problem.kind == "locked"
            assert len(brought.frame) == 120
            other.execute("ROLLBACK")
        world.now = at(1)
        assert archive.bring(span(-60, 1), world, now=world.now).archive_problem is None
        assert world.asked == [(-60, 0), (-15, 1)]
        assert len(archive.read(span(-60, 1), "cloudwatch", now=at(1)).frame) == 122


def test_locked_while_the_past_is_filled_it_waits_and_then_fills_the_rest(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(engine, "BUSY_S", 0.05)
    world = World()
    with open_archive(tmp_path) as archive:
        since = NOON - 5000 * 60
        keeper = Keeper(
            archive, [world], None, [], horizon_minutes=60, backfill=True, since=since, clock=lambda: world.now
        )
        for _ in range(3):
            assert keeper.keep_metrics(world) < 15
        with closing(sqlite3.connect(tmp_path / "archive.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            asked = len(world.pulls)
            with suppress(ArchiveError):  # a keeper's thread tries again after a while
                while keeper.keep_metrics(world) < 15:
                    pass
            assert len(world.pulls) == asked + 1, "one answer is held in memory, and no more of the past is asked for"
            assert keeper.backfilled("cloudwatch").state == "waiting"
            assert archive.problem.kind == "locked"
            other.execute("ROLLBACK")
        world.now = at(1)
        while keeper.keep_metrics(world) < 15:
            pass
        assert keeper.backfilled("cloudwatch").state == "done"
        assert archive.problem is None
        begin = keeper.backfilled("cloudwatch").back_to
        kept = said(archive.read(Window(begin, NOON), "cloudwatch", now=world.now), EC2)
        assert list(kept) == list(range((begin - NOON) // 60, 0))
    settled = [part for window, _ in world.pulls for part in window.minus((span(-15, 1),))]
    assert sum(part.minutes for part in settled) == sum(part.minutes for part in merged(settled)), "nothing twice"


def test_a_read_only_archive_is_read(tmp_path: Path, monkeypatch):
    world = World()
    with open_archive(tmp_path) as archive:
        archive.bring(span(-60, 0), world, now=world.now)
    with open_archive(tmp_path) as archive:
        event.listen(archive._engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only = ON"))
        archive.close()
        world.now = at(1)
        brought = archive.bring(span(-60, 1), world, now=world.now)
        assert brought.archive_problem is not None
        assert brought.archive_problem.kind == "read_only"
        assert list(said(brought, EC2)) == list(range(-60, 1))


def test_an_archive_that_breaks_while_it_is_open_is_said_and_nothing_raised(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        archive.close()
        for file in tmp_path.iterdir():
            file.write_bytes(b"not a database, but long enough to be looked at" * 100)
        brought = archive.bring(span(-60, 0), World(), now=at(0))
        assert brought.frame.empty
        assert brought.archive_problem is not None
        assert brought.archive_problem.kind == "not_a_database"
        with pytest.raises(ArchiveError):
            archive.states()


def test_a_newer_archive_is_refused_and_left_alone(tmp_path: Path):
    open_archive(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "archive.db", isolation_level=None)) as other:
        other.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    before = (tmp_path / "archive.db").read_bytes()
    with pytest.raises(ArchiveError) as refused:
        open_archive(tmp_path)
    assert (refused.value.kind, refused.value.detail) == ("newer", f"99 > {schema.VERSION}")
    assert (tmp_path / "archive.db").read_bytes() == before


def test_a_later_program_that_comes_while_this_one_runs_ends_its_writing(tmp_path: Path):
    world = World()
    with open_archive(tmp_path) as archive:
        archive.bring(span(-60, 0), world, now=world.now)
        with closing(sqlite3.connect(tmp_path / "archive.db")) as other:
            other.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
            other.commit()
            assert world.asked
            world.now = at(1)
            brought = archive.bring(span(-60, 1), world, now=world.now)
            assert brought.archive_problem is not None
            assert brought.archive_problem.kind == "newer"
            with pytest.raises(ArchiveError, match=f"newer: 99 > {schema.VERSION}"):
                archive.events(span(-60, 1))
            assert not world.asked  # for what could never be written
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

    engine._write_ahead(Connection())
    assert (said, len(waits)) == ([], 1)


def test_the_folder_is_made(tmp_path: Path):
    open_archive(tmp_path / "not" / "yet").close()
    assert (tmp_path / "not" / "yet" / "archive.db").exists()


def test_one_file_serves_several_migrations(tmp_path: Path):
    other = MIGRATION.model_copy(update={"name": "Album service"})
    with open_archive(tmp_path) as photo, Archive.open(f"sqlite:///{tmp_path / 'archive.db'}", other) as album:
        photo.bring(span(-60, 0), World(), now=at(0))
        assert album.read(span(-60, 0), "cloudwatch", now=at(0)).frame.empty
        assert album.revision_of_all() == 0
        album.bring(span(-60, 0), World(numbers=lambda *_: 7.0), now=at(0))
        assert set(said(album.read(span(-60, 0), "cloudwatch", now=at(0)), EC2).values()) == {7.0}
        assert said(photo.read(span(-60, 0), "cloudwatch", now=at(0)), EC2)[-1] == -1.0
