"""The threads of several migrations: spread, bounded, fair to back-fills, and with what a page requested first."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archive import Archive
from collector.collector import Collector, CollectorConfig
from collector.polling import PollTask
from collector.shared_threads import (
    MAX_LOG_THREADS,
    MAX_THREADS_OF_ONE,
    MAX_THREADS_OF_SOURCE,
    OwnThreads,
    SharedThreads,
    threads_for,
)
from sources.registry import Sources
from tests.factories.archives import MIGRATION, open_archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path) as archive:
        yield archive


class Polls:
    """A collector of `n` tasks whose polls take no time and are due again after `wait_s`."""

    def __init__(self, archive: Archive, name: str, n: int = 1, wait_s: float = 60.0, role: Any = "metrics") -> None:
        self.collector = Collector(archive, Sources())
        self.collector.tasks = [PollTask(f"{name} {number}", role, lambda: wait_s, 60) for number in range(n)]


def shared(*polls: Polls, **options: Any) -> SharedThreads:
    """Threads that are not started: the test takes the polls itself."""
    threads = SharedThreads([item.collector for item in polls], **options)
    threads._queue_all(0.0)
    return threads


def take(threads: SharedThreads, now: float) -> str | float:
    """The name of the poll that begins at `now`, or the seconds to wait."""
    poll = threads.take_due(now)
    return poll if isinstance(poll, float) else poll.task.source


def test_the_first_polls_of_the_migrations_are_spread(archive: Archive) -> None:
    threads = shared(*(Polls(archive, name) for name in "abc"), max_polls_per_s=1000)
    assert [take(threads, 0.0), take(threads, 1.0)] == ["a 0", 19.0]
    assert [take(threads, 20.0), take(threads, 40.0), take(threads, 41.0)] == ["b 0", "c 0", 60.0]


def test_polls_begin_at_a_limited_rate(archive: Archive) -> None:
    threads = shared(Polls(archive, "a", 3), max_polls_per_s=2)
    assert [take(threads, 10.0), take(threads, 10.0), take(threads, 10.5)] == ["a 0", 0.5, "a 1"]


def test_threads_are_bounded_for_all_for_one_for_a_source_and_for_logs(archive: Archive) -> None:
    one = shared(Polls(archive, "a", 6), max_polls_per_s=1e9)
    assert sum(isinstance(take(one, 10.0 + number), str) for number in range(6)) == MAX_THREADS_OF_ONE
    every = shared(*(Polls(archive, name) for name in "abcd"), max_threads=3, max_polls_per_s=1e9)
    assert sum(isinstance(take(every, 100.0 + number), str) for number in range(4)) == 3
    source = shared(*(Polls(archive, "a") for _migration in range(6)), max_polls_per_s=1e9)
    assert sum(isinstance(take(source, 100.0 + number), str) for number in range(6)) == MAX_THREADS_OF_SOURCE
    logs = shared(*(Polls(archive, name, role="logs") for name in "abcd"), max_polls_per_s=1e9)
    assert sum(isinstance(take(logs, 100.0 + number), str) for number in range(4)) == MAX_LOG_THREADS


def test_a_back_fill_takes_its_turn_after_what_was_due_before(archive: Archive) -> None:
    threads = shared(Polls(archive, "a"), Polls(archive, "b"), Polls(archive, "c"), max_threads=1, max_polls_per_s=1e9)
    taken = []
    for number in range(6):
        now = 100.0 + number
        poll = threads.take_due(now)
        assert not isinstance(poll, float)
        taken.append(poll.task.source)
        poll.task.due_at = now  # a chunk was fetched, and another one is due at once
        threads.finish(poll)
    assert taken == ["a 0", "b 0", "c 0", "a 0", "b 0", "c 0"]


def test_what_a_page_requested_comes_first(archive: Archive) -> None:
    first, second = Polls(archive, "a"), Polls(archive, "b")
    threads = shared(first, second, max_threads=1, max_polls_per_s=1e9)
    second.collector.tasks[0].wake.set()
    assert take(threads, 100.0) == "b 0"


def test_a_request_during_a_poll_makes_the_next_one_due(archive: Archive) -> None:
    polls = Polls(archive, "a")
    threads = shared(polls, max_polls_per_s=1e9)
    poll = threads.take_due(100.0)
    assert not isinstance(poll, float)
    poll.task.due_at = float("inf")
    poll.task.request()
    threads.finish(poll)
    assert poll.task.due_at < float("inf")


def test_one_check_of_the_archive_is_enough(archive: Archive) -> None:
    collectors = [
        Collector(archive, Sources()),
        Collector(archive.of(MIGRATION.model_copy(update={"name": "Orders"})), Sources()),
    ]
    threads = SharedThreads(collectors)
    threads._queue_all(0.0)
    assert [poll.task.role for poll in threads._waiting] == ["check"]
    assert [task.due_at for collector in collectors for task in collector.tasks] == [0.0, None]


def test_threads_run_polls_until_they_are_stopped(archive: Archive) -> None:
    ran = threading.Event()
    collector = Collector(archive, Sources())

    def poll() -> float:
        ran.set()
        return 0.0

    collector.tasks = [PollTask("cloudwatch", "logs", poll, 60)]
    threads = SharedThreads([collector, Collector(archive, Sources())])
    before = set(threading.enumerate())
    threads.start()
    assert ran.wait(10)
    threads.stop()
    assert set(threading.enumerate()) <= before


def test_a_migration_alone_has_threads_of_its_own(archive: Archive) -> None:
    assert isinstance(threads_for([Collector(archive, Sources())], n_migrations=1), OwnThreads)
    assert isinstance(threads_for([Collector(archive, Sources())], n_migrations=2), SharedThreads)


@pytest.mark.parametrize(("n", "interval_s"), [(1, 15), (10, 15), (50, 75)])
def test_many_migrations_share_the_calls_for_weights(n: int, interval_s: int) -> None:
    assert CollectorConfig.from_migration(MIGRATION, n_sharing=n).traffic_interval_s == interval_s
