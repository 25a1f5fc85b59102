"""Retention: what is deleted, what is kept, and that it is never requested again and never "no data"."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from archive import Archive, pruning
from collector.archive_check import PRUNING_INTERVAL_S, PRUNING_PAUSE_S, poll_pruning
from collector.collector import Collector, CollectorConfig
from domain import Event, Window, epoch_s
from domain.window import DAY_S, HOUR_S
from sources.base import Events
from sources.registry import Sources
from tests.factories import archives
from tests.factories.archives import MIGRATION, query_database
from tests.factories.counted_files import counted_file, log_counts
from tests.fakes.metric_source import NOON, FakeMetricSource

pytestmark = pytest.mark.usefixtures("both_engines")

KEEP = MIGRATION.model_copy(update={"keep": "63d", "keep_rollups": "65d"})
OLD = Window(NOON, NOON + 2 * HOUR_S)
NEW = Window(NOON + 2 * HOUR_S, NOON + 4 * HOUR_S)
# Now the first two hours are 63 days old; NOON is a whole hour.
NOW_S = NOON + 63 * DAY_S + 2 * HOUR_S


def at(now_s: int) -> datetime:
    return datetime.fromtimestamp(now_s, UTC)


@pytest.fixture
def source() -> FakeMetricSource:
    source = FakeMetricSource()
    source.now = at(NEW.end + DAY_S)
    return source


@pytest.fixture
def now() -> list[int]:
    return [NOW_S]


@pytest.fixture
def archive(tmp_path: Path, source: FakeMetricSource, now: list[int]) -> Iterator[Archive]:
    """Four hours and an event."""
    with Archive.open(archives.archive_url(tmp_path), KEEP, clock=lambda: at(now[0])) as archive:
        archive.metrics.fill(Window(OLD.start, NEW.end), source, now=source.now)
        happened = Event(OLD.start, None, "alert", "An old alert", "", "", "", "mackerel", "1", False)
        archive.events.save_events(Events(OLD, OLD.end, (happened,), complete=True), "mackerel")
        source.now = at(NOW_S)
        yield archive


def prune_all(archive: Archive) -> None:
    while archive.prune():
        pass


def count(folder: Path, table: str, condition: str) -> int:
    return int(query_database(folder, f"SELECT count(*) FROM {table} WHERE {condition}")[0][0])


def test_points_and_their_coverage_go_and_everything_else_stays(archive: Archive, tmp_path: Path) -> None:
    before = count(tmp_path, "point", f"ts >= {NEW.start}")
    rollups = count(tmp_path, "rollup_10m", "ts >= 0")
    prune_all(archive)
    assert count(tmp_path, "point", f"ts < {NEW.start}") == 0
    assert count(tmp_path, "point", f"ts >= {NEW.start}") == before > 0
    assert count(tmp_path, "coverage", f"start_s < {NEW.start}") == 0
    assert count(tmp_path, "coverage", f"start_s = {NEW.start} AND end_s = {NEW.end}") > 0
    assert count(tmp_path, "rollup_10m", "ts >= 0") == rollups > 0
    assert [item.title for item in archive.events.read(OLD)] == ["An old alert"]
    assert archive.metrics.covered_span("cloudwatch") == Window(OLD.start, NEW.end)  # for the Retrospective


def test_long_windows_are_drawn_from_rollups(archive: Archive) -> None:
    whole = Window(OLD.start, NEW.end)
    before = archive.metrics.overview(whole, "cloudwatch", max_buckets=24)
    prune_all(archive)
    after = archive.metrics.overview(whole, "cloudwatch", max_buckets=24)
    assert after.bucket_s == 600
    for series, values in before.series.items():
        assert after.series[series].value.tolist() == pytest.approx(values.value.tolist(), nan_ok=True)


def test_rollups_go_later(archive: Archive, tmp_path: Path, now: list[int]) -> None:
    now[0] = NOON + 65 * DAY_S + 2 * HOUR_S
    prune_all(archive)
    assert count(tmp_path, "rollup_10m", f"ts < {NEW.start}") == 0
    assert count(tmp_path, "rollup_10m", f"ts >= {NEW.start}") > 0


def test_what_is_not_kept_is_neither_missing_nor_known_nor_requested_again(
    archive: Archive, source: FakeMetricSource
) -> None:
    prune_all(archive)
    source.pulls.clear()
    result = archive.metrics.get(Window(OLD.start, NEW.end), source, now=source.now)
    assert source.new_requests == []
    assert result.missing == ()
    assert epoch_s(result.frame).min() == NEW.start
    assert set(result.unknown.values()) == {(OLD,)}  # not a zero
    config = CollectorConfig(horizon_minutes=60, backfill=True, since_s=OLD.start)
    collector = Collector(archive, Sources((source,)), config, clock=lambda: source.now)
    task = next(task for task in collector.tasks if task.role == "metrics")
    for _ in range(3):  # the newest hour, and two pulls of the back-fill
        collector.run_task(task)
    status = collector.backfill_status("cloudwatch")
    assert status and status.window.start == NEW.start


def test_it_is_requested_again_if_more_is_kept(archive: Archive, source: FakeMetricSource, tmp_path: Path) -> None:
    prune_all(archive)
    longer = KEEP.model_copy(update={"keep": "100d", "keep_rollups": ""})
    source.pulls.clear()
    with Archive.open(archives.archive_url(tmp_path), longer, clock=lambda: source.now) as archive:
        result = archive.metrics.get(OLD, source, now=source.now)
    assert source.new_requests == [(0, 120)] and not result.unknown


def test_transactions_are_small_and_the_rest_waits_for_the_next_turn(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "MAX_TRANSACTIONS", 3)
    monkeypatch.setattr(pruning, "POINTS_S", HOUR_S)
    deleted = list[int]()
    total = count(tmp_path, "point", f"ts < {NEW.start}")

    def note(_connection, cursor, statement, *_) -> None:  # type: ignore[no-untyped-def]
        if statement.startswith("DELETE FROM point"):
            deleted.append(cursor.rowcount)

    event.listen(Engine, "after_cursor_execute", note)
    try:
        assert poll_pruning(archive) == PRUNING_PAUSE_S
        while poll_pruning(archive) == PRUNING_PAUSE_S:
            pass
        assert poll_pruning(archive) == PRUNING_INTERVAL_S
    finally:
        event.remove(Engine, "after_cursor_execute", note)
    assert max(deleted) <= 60 and sum(deleted) == total > 0


def test_only_one_process_deletes(archive: Archive, tmp_path: Path) -> None:
    with archive._database.lease("archive", "prune", NOW_S):
        assert not archive.prune()
    assert count(tmp_path, "point", f"ts < {NEW.start}") > 0


def test_without_keep_nothing_is_deleted(tmp_path: Path) -> None:
    with archives.open_archive(tmp_path) as archive:
        collector = Collector(archive, Sources())
        assert [task.role for task in collector.tasks] == ["check"]
        assert not archive.prune()
    with Archive.open(archives.archive_url(tmp_path), KEEP) as archive:
        assert [task.role for task in Collector(archive, Sources()).tasks] == ["check", "prune"]


def test_counts_of_access_logs_go(archive: Archive, tmp_path: Path) -> None:
    two_days = 48 * 60  # minutes
    archive.access_logs.save_counts([counted_file("old", -two_days, 60 - two_days)], log_counts(-two_days))
    archive.access_logs.save_counts([counted_file("edge", 60, 120)], log_counts(60))
    archive.access_logs.save_counts([counted_file("new", 120, 240)], log_counts(120))
    prune_all(archive)
    assert archive.access_logs.extent() == Window(NEW.start, NEW.start + HOUR_S)
    # The file at the edge stays: its last lines may be of an hour that is kept.
    assert set(archive.access_logs.known_sizes(["old", "edge", "new"])) == {"edge", "new"}
