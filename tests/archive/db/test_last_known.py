"""What is read while the archive cannot be: what was read last, and what is held in memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from archive import Archive, ArchiveError, recalled_times
from archive.db.last_known import MAX_RESULTS, LastKnown
from domain import Event, Window
from sources.base import Events
from tests.factories.archives import open_archive
from tests.fakes.metric_source import EC2, ECS, NOON, FakeMetricSource, minute_time, minute_window, values_by_minute

NOTE = Event(NOON - 600, None, "note", "A note", "", "", "", "mackerel_events", "1")


@pytest.fixture
def source() -> FakeMetricSource:
    return FakeMetricSource()


@pytest.fixture
def archive(tmp_path: Path, source: FakeMetricSource) -> Iterator[Archive]:
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(-60, 0), source, now=source.now)
        yield archive


@contextmanager
def unreadable(archive: Archive) -> Iterator[None]:
    """The archive's file is away."""
    path = Path(str(archive.engine.url.database))
    moved = path.rename(path.with_suffix(".moved"))
    yield
    moved.rename(path)


def test_metrics_are_the_last_read_ones_and_those_held_in_memory(archive: Archive, source: FakeMetricSource) -> None:
    def minutes(first: int, end: int, now: int, **options: Callable[..., bool]) -> list[int]:
        result = archive.metrics.read(minute_window(first, end), "cloudwatch", now=minute_time(now), **options)
        assert result.archive_problem is not None
        return sorted(set(values_by_minute(result, EC2)) | set(values_by_minute(result, ECS)))

    archive.metrics.read(minute_window(-30, 0), "cloudwatch", now=minute_time(0))
    with unreadable(archive):
        source.now = minute_time(2)
        result = archive.metrics.get(minute_window(-30, 2), source, now=source.now)
        assert list(values_by_minute(result, EC2)) == list(range(-30, 2))
        assert result.missing == () and result.last_asked_at == NOON + 120
        assert minutes(-10, 1, 2) == list(range(-10, 1)), "a part of it"
        assert minutes(-10, 1, 2, series_filter=lambda series: series == ECS) == list(range(-10, 1))
        earlier = archive.metrics.read(minute_window(-90, 2), "cloudwatch", now=minute_time(2))
        assert list(values_by_minute(earlier, EC2)) == list(range(-60, 2))
        assert earlier.missing == (minute_window(-90, -60),), "what was not read is unknown, not empty"
    assert archive.metrics.read(minute_window(-60, 0), "cloudwatch", now=minute_time(0)).missing == ()
    assert archive.outage is None


def test_events_are_those_of_the_window(archive: Archive) -> None:
    archive.events.save_events(Events(minute_window(-60, 0), NOON, (NOTE,), complete=True), "mackerel_events")
    assert archive.events.read(minute_window(-60, 0)) == (NOTE,)
    with unreadable(archive):
        assert archive.events.read(minute_window(-59, 1)) == (NOTE,)
        assert archive.events.read(minute_window(-5, 1)) == ()
        with pytest.raises(ArchiveError, match="replaced"):
            archive.events.read(minute_window(1, 2))


def test_what_was_never_read_is_an_error(archive: Archive) -> None:
    with unreadable(archive), pytest.raises(ArchiveError, match="replaced"):
        archive.events.deployment_state()


def test_a_view_of_which_a_part_could_not_be_read_is_replaced_by_the_last_complete_one(archive: Archive) -> None:
    def view() -> int:
        return len(archive.metrics.read(minute_window(-60, 0), "cloudwatch", now=minute_time(0)).frame)

    assert archive.last_view("rows", "key", None, view) == 120
    with unreadable(archive), recalled_times() as times:
        assert archive.last_view("rows", "key", None, lambda: view() and 0) == 120
        assert len(times) == 2, "the metrics and the view"
        with pytest.raises(ArchiveError, match="replaced"):
            archive.last_view("rows", "another key", None, view)
    with recalled_times() as times:
        assert archive.last_view("rows", "key", None, view) == 120
    assert times == []


def test_the_outage_has_the_time_of_the_first_failure(tmp_path: Path) -> None:
    now = minute_time(0)
    with open_archive(tmp_path, clock=lambda: now) as archive:
        archive.events.source_states()
        with unreadable(archive):
            for minute in (1, 5):
                now = minute_time(minute)
                archive.events.source_states()
        assert archive.outage is not None
        assert (archive.outage.since, archive.outage.problem.kind) == (NOON + 60, "replaced")
        assert archive.problem == archive.outage.problem
        archive.events.source_states()
        assert archive.outage is archive.problem is None


def test_a_slow_failure_is_not_repeated_at_once(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, attempts = [0.0], list[float]()

    def connect(*_: object, **__: object) -> None:
        attempts.append(clock[0])
        clock[0] += 3.0
        raise ArchiveError("unreachable", "timeout expired")

    archive.events.source_states()
    monkeypatch.setattr("archive.db.database.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("archive.db.database.transaction", connect)
    for _ in range(3):
        archive.events.source_states()
    assert attempts == [0.0]
    clock[0] += 15.0
    archive.events.source_states()
    assert attempts == [0.0, 18.0]


def test_the_key_of_a_view_changes_with_what_is_held(archive: Archive, source: FakeMetricSource) -> None:
    def key() -> object:
        return archive.current_key(archive.change_counter)

    readable = key()
    with unreadable(archive):
        first = key()
        assert first == key() != readable
        source.now = minute_time(1)
        archive.metrics.get(minute_window(-60, 1), source, now=source.now)
        assert key() != first


def test_the_result_with_the_most_of_a_window_is_recalled() -> None:
    known = LastKnown()

    def put(window: Window | None, value: str, key: str = "key") -> None:
        known.remember("kind", key, window, value, read_at=0)

    def recall(window: Window | None, key: str = "key") -> str | None:
        found = known.recall("kind", key, window)
        return found.value if found else None

    put(minute_window(-60, 0), "an hour")
    put(minute_window(-1440, 0), "a day")
    put(minute_window(-59, 1), "the hour a minute later")
    put(None, "no window")
    assert recall(minute_window(-57, 3)) == "the hour a minute later"
    assert recall(minute_window(-180, 0)) == "a day"
    assert recall(minute_window(5, 9)) is None
    assert recall(None) == "no window"
    assert recall(None, "another key") is None
    for number in range(MAX_RESULTS):
        put(None, f"{number}", f"{number}")
    assert recall(minute_window(-180, 0)) is None, "the oldest are dropped"
