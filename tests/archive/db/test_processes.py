"""Several processes on one file, and processes that die."""

import os
import shutil
import signal
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import event

from tests.factories.archives import open_archive
from tests.factories.processes import LoggingSource, fork_context, run_processes
from tests.fakes.metric_source import ECS, NOON, FakeMetricSource, minute_time, minute_window, values_by_minute


def test_processes_that_start_at_once_on_no_file_make_one_archive_and_ask_once(tmp_path: Path):
    diary = tmp_path / "diary"
    together = fork_context.Barrier(6, timeout=20)

    def work() -> None:
        world = LoggingSource(diary)
        together.wait()
        with open_archive(tmp_path) as archive:
            for minute in (0, 1, 2):
                together.wait()
                world.now = minute_time(minute)
                archive.metrics.get(minute_window(-60, minute), world, now=world.now)

    assert run_processes(*[work] * 6) == [0] * 6
    assert diary.read_text().splitlines() == ["-60..0", "-15..1", "-14..2"]
    with open_archive(tmp_path) as archive:
        assert list(
            values_by_minute(archive.metrics.read(minute_window(-60, 2), "cloudwatch", now=minute_time(2)), ECS)
        ) == list(range(-60, 2))


def test_who_finds_the_source_claimed_reads_what_is_there(tmp_path: Path):
    with open_archive(tmp_path) as one, open_archive(tmp_path) as other:
        world = FakeMetricSource()
        one.metrics.get(minute_window(-60, 0), world, now=minute_time(0))
        seen = []

        class Slow(FakeMetricSource):
            def pull(self, window, series=None):
                seen.append(len(other.metrics.get(minute_window(-60, 1), world, now=minute_time(1)).frame))
                seen.append(other.metrics.fill(minute_window(-60, 1), world, now=minute_time(1)).busy)
                return super().pull(window, series)

        world.pulls.clear()
        slow = Slow(now=minute_time(1))
        assert len(one.metrics.get(minute_window(-60, 1), slow, now=minute_time(1)).frame) == 122
        assert seen == [120, True]
        assert world.pulls == []


def test_the_claim_of_a_dead_process_runs_out(tmp_path: Path):
    class Deadly(FakeMetricSource):
        def pull(self, window, series=None):
            os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        with open_archive(tmp_path) as archive:
            archive.metrics.get(minute_window(-60, 0), Deadly(), now=minute_time(0))

    assert run_processes(work) == [-signal.SIGKILL]
    world = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        assert archive.metrics.fill(minute_window(-60, 0), world, now=minute_time(0.5)).busy
        world.now = minute_time(-600)
        assert archive.metrics.fill(minute_window(-660, -600), world, now=world.now).pulls == 1, (
            "a claim from the future does not count"
        )


def test_a_claim_that_ran_out_is_taken_over(tmp_path: Path):
    with open_archive(tmp_path) as one, open_archive(tmp_path) as other:
        world = FakeMetricSource()

        class Hanging(FakeMetricSource):
            def pull(self, window, series=None):
                world.now = minute_time(1)  # longer than a claim holds
                assert other.metrics.fill(minute_window(-60, 1), world, now=world.now).pulls == 1
                return super().pull(window, series)

        one.metrics.fill(minute_window(-60, 0), Hanging(), now=minute_time(0))
        assert len(one.metrics.get(minute_window(-60, 1), world, now=minute_time(1)).frame) == 122


def test_a_pull_that_was_overtaken_does_not_undo_what_has_settled_since(tmp_path: Path):
    def asked_at(series, ts, at_s) -> float:
        return float(at_s - NOON)

    with open_archive(tmp_path) as one, open_archive(tmp_path) as other:

        class Slow(FakeMetricSource):
            def pull(self, window, series=None):
                other.metrics.get(
                    minute_window(-60, 20),
                    FakeMetricSource(value_at=asked_at, now=minute_time(20)),
                    now=minute_time(20),
                )
                return super().pull(window, series)

        brought = one.metrics.get(
            minute_window(-60, 0), Slow(value_at=asked_at, now=minute_time(0)), now=minute_time(0)
        )
        assert set(values_by_minute(brought, ECS).values()) == {20 * 60.0}


def fetch_and_die(folder: Path, statement: int) -> None:
    """Brings the minute that is new, and is killed at so many statements."""
    world = FakeMetricSource(now=minute_time(1))
    with open_archive(folder) as archive:
        executed = count()

        def die(*_: object) -> None:
            if next(executed) == statement:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(archive.engine, "after_cursor_execute", die)
        archive.metrics.get(minute_window(-60, 1), world, now=minute_time(1))


def test_killed_at_any_statement_it_has_lost_nothing_that_was_confirmed_and_doubles_nothing(tmp_path: Path):
    with open_archive(tmp_path / "before") as archive:
        archive.metrics.get(minute_window(-60, 0), FakeMetricSource(), now=minute_time(0))
    for statement in count():
        folder = tmp_path / str(statement)
        shutil.copytree(tmp_path / "before", folder)
        (code,) = run_processes(lambda folder=folder, statement=statement: fetch_and_die(folder, statement))
        world = FakeMetricSource(now=minute_time(2))
        with open_archive(folder) as archive:
            kept = archive.metrics.read(minute_window(-60, 1), "cloudwatch", now=minute_time(1))
            assert list(values_by_minute(kept, ECS)) in (list(range(-60, 0)), list(range(-60, 1))), (
                "all of a pull or nothing of it"
            )
            agree = kept.last_asked_at == NOON + 60 * (len(kept.frame) // 2 - 60)
            assert agree, "the rows and what is known of them"
            brought = archive.metrics.get(minute_window(-60, 2), world, now=minute_time(2))
            assert list(values_by_minute(brought, ECS)) == list(range(-60, 2))
            assert len(brought.frame) == 124
        assert all(window.start >= NOON - 15 * 60 for window, _ in world.pulls), "nothing settled was asked again"
        with closing(sqlite3.connect(folder / "archive.db")) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if code == 0:
            break
    assert statement > 20, "it was not killed where it writes"


@pytest.mark.parametrize("confirmed", [1, 2, 5, 9])
def test_killed_from_outside_everything_that_was_confirmed_is_there(tmp_path: Path, confirmed: int):
    reader, writer = fork_context.Pipe(duplex=False)

    def work() -> None:
        world = FakeMetricSource()
        with open_archive(tmp_path) as archive:
            for minute in count(1):
                world.now = minute_time(minute)
                archive.metrics.get(minute_window(-60, minute), world, now=world.now)
                writer.send(minute)

    process = fork_context.Process(target=work)
    process.start()
    for _ in range(confirmed):
        minute = reader.recv()
    process.kill()
    process.join()
    with open_archive(tmp_path) as archive:
        there = list(
            values_by_minute(
                archive.metrics.read(minute_window(-60, minute), "cloudwatch", now=minute_time(minute)), ECS
            )
        )
        assert there == list(range(-60, minute))
