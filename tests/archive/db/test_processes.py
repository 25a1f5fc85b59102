"""Several processes that share an SQLite file, and killed processes."""

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


def test_processes_that_start_at_once_create_one_archive_and_fetch_once(tmp_path: Path):
    log = tmp_path / "pulls"
    barrier = fork_context.Barrier(6, timeout=20)

    def fetch_three_minutes() -> None:
        source = LoggingSource(log)
        barrier.wait()
        with open_archive(tmp_path) as archive:
            for minute in (0, 1, 2):
                barrier.wait()
                source.now = minute_time(minute)
                archive.metrics.get(minute_window(-60, minute), source, now=source.now)

    assert run_processes(*[fetch_three_minutes] * 6) == [0] * 6
    assert log.read_text().splitlines() == ["-60..0", "-15..1", "-14..2"]
    with open_archive(tmp_path) as archive:
        assert list(
            values_by_minute(archive.metrics.read(minute_window(-60, 2), "cloudwatch", now=minute_time(2)), ECS)
        ) == list(range(-60, 2))


def test_a_process_without_the_lease_reads_what_is_stored(tmp_path: Path):
    with open_archive(tmp_path) as first, open_archive(tmp_path) as second:
        source = FakeMetricSource()
        first.metrics.get(minute_window(-60, 0), source, now=minute_time(0))
        results = []

        class SlowSource(FakeMetricSource):
            def pull(self, window, series=None):
                results.append(len(second.metrics.get(minute_window(-60, 1), source, now=minute_time(1)).frame))
                results.append(second.metrics.fill(minute_window(-60, 1), source, now=minute_time(1)).busy)
                return super().pull(window, series)

        source.pulls.clear()
        slow = SlowSource(now=minute_time(1))
        assert len(first.metrics.get(minute_window(-60, 1), slow, now=minute_time(1)).frame) == 122
        assert results == [120, True]
        assert source.pulls == []


def test_the_lease_of_a_killed_process_expires(tmp_path: Path):
    class KillingSource(FakeMetricSource):
        def pull(self, window, series=None):
            os.kill(os.getpid(), signal.SIGKILL)

    def fetch_and_die() -> None:
        with open_archive(tmp_path) as archive:
            archive.metrics.get(minute_window(-60, 0), KillingSource(), now=minute_time(0))

    assert run_processes(fetch_and_die) == [-signal.SIGKILL]
    source = FakeMetricSource()
    with open_archive(tmp_path) as archive:
        assert archive.metrics.fill(minute_window(-60, 0), source, now=minute_time(0.5)).busy
        source.now = minute_time(-600)
        assert archive.metrics.fill(minute_window(-660, -600), source, now=source.now).pulls == 1, (
            "a lease from the future is ignored"
        )


def test_an_expired_lease_is_taken_over(tmp_path: Path):
    with open_archive(tmp_path) as first, open_archive(tmp_path) as second:
        source = FakeMetricSource()

        class HangingSource(FakeMetricSource):
            def pull(self, window, series=None):
                source.now = minute_time(1)  # longer than the lease
                assert second.metrics.fill(minute_window(-60, 1), source, now=source.now).pulls == 1
                return super().pull(window, series)

        first.metrics.fill(minute_window(-60, 0), HangingSource(), now=minute_time(0))
        assert len(first.metrics.get(minute_window(-60, 1), source, now=minute_time(1)).frame) == 122


def test_a_slow_pull_does_not_overwrite_points_that_became_final_meanwhile(tmp_path: Path):
    def value_at(_series, _ts, asked_at) -> float:
        return float(asked_at - NOON)

    with open_archive(tmp_path) as first, open_archive(tmp_path) as second:

        class SlowSource(FakeMetricSource):
            def pull(self, window, series=None):
                second.metrics.get(
                    minute_window(-60, 20),
                    FakeMetricSource(value_at=value_at, now=minute_time(20)),
                    now=minute_time(20),
                )
                return super().pull(window, series)

        result = first.metrics.get(
            minute_window(-60, 0), SlowSource(value_at=value_at, now=minute_time(0)), now=minute_time(0)
        )
        assert set(values_by_minute(result, ECS).values()) == {20 * 60.0}


def fetch_and_die_at(folder: Path, statement: int) -> None:
    """Fetches the newest minute; the process is killed after statement number `statement`."""
    source = FakeMetricSource(now=minute_time(1))
    with open_archive(folder) as archive:
        executed = count()

        def die(*_: object) -> None:
            if next(executed) == statement:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(archive.engine, "after_cursor_execute", die)
        archive.metrics.get(minute_window(-60, 1), source, now=minute_time(1))


@pytest.mark.slow
def test_a_kill_at_any_statement_loses_no_committed_data_and_duplicates_nothing(tmp_path: Path):
    with open_archive(tmp_path / "before") as archive:
        archive.metrics.get(minute_window(-60, 0), FakeMetricSource(), now=minute_time(0))
    for statement in count():
        folder = tmp_path / str(statement)
        shutil.copytree(tmp_path / "before", folder)
        (code,) = run_processes(lambda folder=folder, statement=statement: fetch_and_die_at(folder, statement))
        source = FakeMetricSource(now=minute_time(2))
        with open_archive(folder) as archive:
            stored = archive.metrics.read(minute_window(-60, 1), "cloudwatch", now=minute_time(1))
            assert list(values_by_minute(stored, ECS)) in (list(range(-60, 0)), list(range(-60, 1))), (
                "a pull is stored completely or not at all"
            )
            consistent = stored.last_asked_at == NOON + 60 * (len(stored.frame) // 2 - 60)
            assert consistent, "points and coverage"
            result = archive.metrics.get(minute_window(-60, 2), source, now=minute_time(2))
            assert list(values_by_minute(result, ECS)) == list(range(-60, 2))
            assert len(result.frame) == 124
        assert all(window.start >= NOON - 15 * 60 for window, _ in source.pulls), "a final minute was fetched again"
        with closing(sqlite3.connect(folder / "archive.db")) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if code == 0:
            break
    assert statement > 20, "it was not killed during the write"


@pytest.mark.parametrize("n_stored", [1, 2, 5, 9])
def test_everything_committed_before_a_kill_is_stored(tmp_path: Path, n_stored: int):
    reader, writer = fork_context.Pipe(duplex=False)

    def fetch_minutes() -> None:
        source = FakeMetricSource()
        with open_archive(tmp_path) as archive:
            for minute in count(1):
                source.now = minute_time(minute)
                archive.metrics.get(minute_window(-60, minute), source, now=source.now)
                writer.send(minute)

    process = fork_context.Process(target=fetch_minutes)
    process.start()
    for _ in range(n_stored):
        minute = reader.recv()
    process.kill()
    process.join()
    with open_archive(tmp_path) as archive:
        stored = list(
            values_by_minute(
                archive.metrics.read(minute_window(-60, minute), "cloudwatch", now=minute_time(minute)), ECS
            )
        )
        assert stored == list(range(-60, minute))
