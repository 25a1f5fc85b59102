"""The threads that the collectors of several migrations share: few, at a limited rate, and fairly."""

import threading
import time
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

from collector.collector import Collector
from collector.polling import PollTask
from collector.stopping import stop_together

MAX_THREADS = 16
MAX_THREADS_OF_ONE = 4  # of one collector: a source that hangs does not delay other migrations
MAX_THREADS_OF_SOURCE = 4  # of one source of all migrations: a service that hangs does not delay others
MAX_LOG_THREADS = 2  # counting logs may take an hour, and the processor
MAX_POLLS_PER_S = 12.0  # of all migrations; each is a few calls of an API
SPREAD_S = 60.0  # over which the first polls of the migrations are spread, and thereby all later ones


@dataclass(frozen=True, slots=True)
class OwnThreads:
    """Collectors with a thread for each of their polls."""

    collectors: Sequence[Collector]

    def start(self) -> None:
        for collector in self.collectors:
            collector.start()

    def stop(self) -> None:
        stop_together(*(collector.stop for collector in self.collectors))


@dataclass(frozen=True, slots=True, eq=False)
class _Poll:
    collector: Collector
    task: PollTask

    @property
    def due_at(self) -> float:
        return self.task.due_at or 0.0


class SharedThreads:
    """Runs the polls of all collectors: what a page requested first, then what has been due longest.

    A migration that back-fills has its turn after all that were due before, because each poll fetches one chunk and is due again.
    """

    def __init__(
        self,
        collectors: Sequence[Collector],
        *,
        max_threads: int = MAX_THREADS,
        max_polls_per_s: float = MAX_POLLS_PER_S,
    ) -> None:
        self._collectors, self._max_threads, self._gap_s = collectors, max_threads, 1 / max_polls_per_s
        self._condition = threading.Condition()
        self._waiting: list[_Poll] = []
        self._running: Counter[Hashable] = Counter()
        self._queue: SimpleQueue[_Poll | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._n_running, self._next_start, self._is_stopping = 0, 0.0, False

    def start(self) -> None:
        """Starts the threads; the first polls of the last collector begin after SPREAD_S."""
        for collector in self._collectors:
            collector.start(with_threads=False)
        self._queue_all(time.monotonic())
        self._threads = [threading.Thread(target=self._dispatch, name="collector dispatcher", daemon=True)]
        self._threads += [
            threading.Thread(target=self._work, name=f"collector {number}", daemon=True)
            for number in range(min(self._max_threads, len(self._waiting)))
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, *, timeout_s: float = 5.0) -> None:
        """Stops the threads. The unfinished fetch of a source that hangs for longer than `timeout_s` is not saved."""
        with self._condition:
            self._is_stopping = True
            self._condition.notify()
        for _thread in self._threads:
            self._queue.put(None)
        for collector in self._collectors:
            collector.stop()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for collector in self._collectors:
            collector.stop()  # again: writes what their last polls could not write

    def take_due(self, now: float) -> _Poll | float:
        """The poll that begins at `now` (time.monotonic()), which then counts as running, or the seconds until there may be one."""
        free = [poll for poll in self._waiting if self._may_run(poll)]
        wait_s = max(min((poll.due_at for poll in free), default=now + SPREAD_S), self._next_start) - now
        if wait_s > 0:
            return wait_s
        due = [poll for poll in free if poll.due_at <= now]
        poll = min(due, key=lambda poll: (not poll.task.wake.is_set(), poll.due_at))
        self._next_start = max(now, self._next_start) + self._gap_s
        self._waiting.remove(poll)
        self._count(poll, 1)
        poll.task.wake.clear()
        return poll

    def finish(self, poll: _Poll) -> None:
        """After a poll has run: it waits for its next turn, which is now if it was requested meanwhile."""
        if poll.task.wake.is_set():
            poll.task.request()
        self._count(poll, -1)
        self._waiting.append(poll)

    def _queue_all(self, now: float) -> None:
        checked = set[type[Collector]]()
        for number, collector in enumerate(self._collectors):
            for task in collector.tasks:
                if task.role == "check" and type(collector) in checked:  # they share a file: one check is enough
                    task.due_at = None
                    continue
                if task.role == "check":
                    checked.add(type(collector))
                task.due_at = now + number * SPREAD_S / len(self._collectors)
                task.on_request = self._wake
                self._waiting.append(_Poll(collector, task))

    def _may_run(self, poll: _Poll) -> bool:
        if self._n_running >= self._max_threads:
            return False  # the end of a poll wakes the dispatcher
        return all(self._running[key] < limit for key, limit in _limits(poll))

    def _count(self, poll: _Poll, change: int) -> None:
        self._n_running += change
        for key, _limit in _limits(poll):
            self._running[key] += change

    def _wake(self) -> None:
        with self._condition:
            self._condition.notify()

    def _dispatch(self) -> None:
        with self._condition:
            while not self._is_stopping:
                poll = self.take_due(time.monotonic())
                if isinstance(poll, _Poll):
                    self._queue.put(poll)
                else:
                    self._condition.wait(poll)

    def _work(self) -> None:
        while (poll := self._queue.get()) is not None:
            poll.collector.run_task(poll.task)
            with self._condition:
                self.finish(poll)
                self._condition.notify()


def _limits(poll: _Poll) -> Iterator[tuple[Hashable, int]]:
    """What a poll has in common with others, and how many of those may run at once."""
    task = poll.task
    yield poll.collector, MAX_THREADS_OF_ONE
    yield ("logs", MAX_LOG_THREADS) if task.role == "logs" else ((task.source, task.role), MAX_THREADS_OF_SOURCE)


def threads_for(collectors: Sequence[Collector], *, n_migrations: int) -> OwnThreads | SharedThreads:
    """A migration alone has threads of its own: no source waits for another."""
    return OwnThreads(collectors) if n_migrations == 1 else SharedThreads(collectors)
