"""A damaged SQLite file is noticed soon after the start and daily, and nothing is written to it any more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archive import Archive, ArchiveError
from archive.db import integrity
from collector.collector import Collector, CollectorConfig
from sources.base import TrafficSnapshot
from sources.registry import Sources
from tests.factories.archives import open_archive, overwrite_page
from tests.factories.events import TRAFFIC
from tests.fakes.metric_source import EC2, NOON, FakeMetricSource, minute_time, minute_window, values_by_minute


@pytest.fixture
def source() -> FakeMetricSource:
    return FakeMetricSource(now=minute_time(0))


@pytest.fixture
def archive(tmp_path: Path, source: FakeMetricSource) -> Iterator[Archive]:
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(-1400, 0), source, now=source.now)
        yield archive


def test_an_undamaged_file_has_no_problem(archive: Archive) -> None:
    archive.check_integrity()
    assert archive.problem is None and not archive.is_damaged


def test_nothing_is_written_to_a_damaged_file_and_everything_is_held_in_memory(
    archive: Archive, source: FakeMetricSource
) -> None:
    page = overwrite_page(archive)
    with pytest.raises(ArchiveError, match="damaged") as caught:
        archive.check_integrity()
    assert archive.problem == caught.value.problem
    source.now = minute_time(1)
    result = archive.metrics.get(minute_window(-15, 1), source, now=source.now)
    assert result.archive_problem is not None and result.archive_problem.kind == "damaged"
    assert 0 in values_by_minute(result, EC2)
    with pytest.raises(ArchiveError, match="damaged"):
        archive.events.save_snapshot(TrafficSnapshot(NOON, TRAFFIC))
    assert archive.events.latest_traffic() == (TRAFFIC, NOON)

    overwrite_page(archive, page)
    archive.check_integrity()
    source.now = minute_time(2)
    assert archive.metrics.get(minute_window(-1400, 2), source, now=source.now).archive_problem is None
    stored = archive.metrics.read(minute_window(-1400, 2), "cloudwatch", now=source.now)
    assert list(values_by_minute(stored, EC2)) == list(range(-1400, 2))


def test_no_part_of_a_file_is_written_once_damage_was_found(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_damage(_engine: object) -> None:
        raise ArchiveError("damaged", "page 7")

    with monkeypatch.context() as patch:
        patch.setattr("archive.db.database.check_integrity", find_damage)
        with pytest.raises(ArchiveError, match="page 7"):
            archive.check_integrity()
    with pytest.raises(ArchiveError, match="page 7"):
        archive.notes.add(NOON, "A note")
    assert archive.notes.read() == ()
    archive.check_integrity()
    archive.notes.add(NOON, "A note")
    assert len(archive.notes.read()) == 1


def test_the_collector_checks_after_the_start_daily_and_while_there_is_damage(
    archive: Archive, source: FakeMetricSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, checks = [0.0], list[float]()

    def check(_engine: object) -> None:
        checks.append(clock[0])
        if len(checks) == 2:
            raise ArchiveError("damaged", "page 7")

    monkeypatch.setattr("archive.db.database.check_integrity", check)
    monkeypatch.setattr("collector.archive_check.time.monotonic", lambda: clock[0])
    polls = Collector(archive, Sources((source,)), CollectorConfig())
    (task,) = [task for task in polls.tasks if task.role == "check"]
    problems = list[bool]()
    for _ in range(2 * 144 + 1):
        wait_s = polls.run_task(task)
        problems.append(archive.is_damaged)
        clock[0] += wait_s
    assert checks == [60.0, 86_460.0, 87_060.0], "daily, and again after ten minutes"
    assert problems.index(True) == 145 and problems.count(True) == 1
    assert task.archive_problem is None and polls.failures == ()


def test_a_check_that_takes_too_long_is_given_up(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(integrity, "PROGRESS_OPCODES", 1)
    integrity.check_integrity(archive.engine, timeout_s=-1.0)
    assert "the check of the archive was given up" in caplog.text
    archive.check_integrity()
    archive.metrics.read(minute_window(-15, 0), "cloudwatch", now=minute_time(0))
