"""Several processes on one file, and processes that die."""

import multiprocessing
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import event

from tests.fakes.metric_source import ECS, NOON, World, at, open_archive, said, span

_fork = multiprocessing.get_context("fork")


def run(*works: Callable[[], None]) -> list[int | None]:
    """Runs each in a process of its own, all at once; their exit codes."""
    processes = [_fork.Process(target=work) for work in works]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
        process.kill()
        process.join()
    return [process.exitcode for process in processes]


class Diary(World):
    """A source that writes each pull into a file, so that the pulls of all processes can be counted."""

    def __init__(self, diary: Path) -> None:
        super().__init__()
        self.diary = diary

    def pull(self, window, series=None):
        with self.diary.open("a") as diary:
            diary.write(f"{(window.start - NOON) // 60}..{(window.end - NOON) // 60}\n")
        return super().pull(window, series)


def test_processes_that_start_at_once_on_no_file_make_one_archive_and_ask_once(tmp_path: Path):
    diary = tmp_path / "diary"
    together = _fork.Barrier(6, timeout=20)

    def work() -> None:
        world = Diary(diary)
        together.wait()
        with open_archive(tmp_path) as archive:
            for minute in (0, 1, 2):
                together.wait()
                world.now = at(minute)
                archive.bring(span(-60, minute), world, now=world.now)

    assert run(*[work] * 6) == [0] * 6
    assert diary.read_text().splitlines() == ["-60..0", "-15..1", "-14..2"]
    with open_archive(tmp_path) as archive:
        assert list(said(archive.read(span(-60, 2), "cloudwatch", now=at(2)), ECS)) == list(range(-60, 2))


def test_who_finds_the_source_claimed_reads_what_is_there(tmp_path: Path):
    with open_archive(tmp_path) as one, open_archive(tmp_path) as other:
        world = World()
        one.bring(span(-60, 0), world, now=at(0))
        seen = []

        class Slow(World):
            def pull(self, window, series=None):
                seen.append(len(other.bring(span(-60, 1), world, now=at(1)).frame))
                seen.append(other.fill(span(-60, 1), world, now=at(1)).busy)
                return super().pull(window, series)

        world.pulls.clear()
        slow = Slow(now=at(1))
        assert len(one.bring(span(-60, 1), slow, now=at(1)).frame) == 122
        assert seen == [120, True]
        assert world.pulls == []


def test_the_claim_of_a_dead_process_runs_out(tmp_path: Path):
    class Deadly(World):
        def pull(self, window, series=None):
            os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        with open_archive(tmp_path) as archive:
            archive.bring(span(-60, 0), Deadly(), now=at(0))

    assert run(work) == [-signal.SIGKILL]
    world = World()
    with open_archive(tmp_path) as archive:
        assert archive.fill(span(-60, 0), world, now=at(0.5)).busy
        world.now = at(-600)
        assert archive.fill(span(-660, -600), world, now=world.now).pulls == 1, "a claim from the future does not count"


def test_a_claim_that_ran_out_is_taken_over(tmp_path: Path):
    with open_archive(tmp_path) as one, open_archive(tmp_path) as other:
        world = World()

        class Hanging(World):
            def pull(self, window, series=None):
                world.now = at(1)  # longer than a claim holds
                assert other.fill(span(-60, 1), world, now=world.now).pulls == 1
                return super().pull(window, series)

        one.fill(span(-60, 0), Hanging(), now=at(0))
        assert len(one.bring(span(-60, 1), world, now=at(1)).frame) == 122


def test_a_pull_that_was_overtaken_does_not_undo_what_has_settled_since(tmp_path: Path):
    def asked_at(series, ts, at_s) -> float:
        return float(at_s - NOON)

    with open_archive(tmp_path) as one, open_archive(tmp_path) as other:

        class Slow(World):
            def pull(self, window, series=None):
                other.bring(span(-60, 20), World(numbers=asked_at, now=at(20)), now=at(20))
                return super().pull(window, series)

        brought = one.bring(span(-60, 0), Slow(numbers=asked_at, now=at(0)), now=at(0))
        assert set(said(brought, ECS).values()) == {20 * 60.0}


def bring_and_die(folder: Path, statement: int) -> None:
    """Brings the minute that is new, and is killed at so many statements."""
    world = World(now=at(1))
    with open_archive(folder) as archive:
        executed = count()

        def die(*_: object) -> None:
            if next(executed) == statement:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(archive._engine, "after_cursor_execute", die)
        archive.bring(span(-60, 1), world, now=at(1))


def test_killed_at_any_statement_it_has_lost_nothing_that_was_confirmed_and_doubles_nothing(tmp_path: Path):
    with open_archive(tmp_path / "before") as archive:
        archive.bring(span(-60, 0), World(), now=at(0))
    for statement in count():
        folder = tmp_path / str(statement)
        shutil.copytree(tmp_path / "before", folder)
        (code,) = run(lambda folder=folder, statement=statement: bring_and_die(folder, statement))
        world = World(now=at(2))
        with open_archive(folder) as archive:
            kept = archive.read(span(-60, 1), "cloudwatch", now=at(1))
            assert list(said(kept, ECS)) in (list(range(-60, 0)), list(range(-60, 1))), "all of a pull or nothing of it"
            agree = kept.last_asked == NOON + 60 * (len(kept.frame) // 2 - 60)
            assert agree, "the rows and what is known of them"
            brought = archive.bring(span(-60, 2), world, now=at(2))
            assert list(said(brought, ECS)) == list(range(-60, 2))
            assert len(brought.frame) == 124
        assert all(window.start >= NOON - 15 * 60 for window, _ in world.pulls), "nothing settled was asked again"
        with closing(sqlite3.connect(folder / "archive.db")) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if code == 0:
            break
    assert statement > 20, "it was not killed where it writes"


@pytest.mark.parametrize("confirmed", [1, 2, 5, 9])
def test_killed_from_outside_everything_that_was_confirmed_is_there(tmp_path: Path, confirmed: int):
    reader, writer = _fork.Pipe(duplex=False)

    def work() -> None:
        world = World()
        with open_archive(tmp_path) as archive:
            for minute in count(1):
                world.now = at(minute)
                archive.bring(span(-60, minute), world, now=world.now)
                writer.send(minute)

    process = _fork.Process(target=work)
    process.start()
    for _ in range(confirmed):
        minute = reader.recv()
    process.kill()
    process.join()
    with open_archive(tmp_path) as archive:
        there = list(said(archive.read(span(-60, minute), "cloudwatch", now=at(minute)), ECS))
        assert there == list(range(-60, minute))
