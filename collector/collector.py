"""Polls every source in background threads and fills the archive that the pages read."""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Self

from archive import Archive, ArchiveError, ArchiveProblem, FillResult, SourceState
from archive.db.lease import LEASE_RETRY_S
from archive.db.source_row import Role
from archive.events.backlog import BACKLOG_CHUNK_S, EVENTS_RETRY_AFTER_S, next_fetch
from collector.access_log_ingest import IngestProgress, routes_state
from collector.access_log_worker import AccessLogWorker
from collector.archive_check import DAMAGE_CHECK_INTERVAL_S, PRUNING_INTERVAL_S, ArchiveCheck, poll_pruning
from collector.backfill import PAUSE_FACTOR, Backfill, BackfillStatus
from collector.polling import PollTask, silent
from domain import Clock, Migration, Window, utc_now
from domain.config.releases import ReleaseSpan
from domain.config.retention import KEEP_ALL
from domain.decision import RoutesState
from domain.window import DAY_S, HOUR_S, MINUTE_S
from sources.base import ANSWERING_STATES, Events, EventSource, HistorySource, MetricSource, Problem, TrafficSource
from sources.registry import Sources
from sources.tracing import traced
from sources.window_latency import WindowLatencySource

MAX_PENDING_WINDOWS = 32  # the oldest requests are dropped
EVENT_HISTORY_S = 120 * DAY_S  # backfilled without a configured start
EVENT_OVERLAP_S = HOUR_S
EVENT_BACKFILL_INTERVAL_S = 2
TRAFFIC_INTERVAL_S = 15
MAX_FREQUENT_TRAFFIC = (
    10  # migrations; more of them share the calls of so many: each poll has nine, and AWS limits those of an account
)
IDLE_WAIT_S = 3600.0  # until a request wakes the task
LOGS_PROGRESS_S = HOUR_S  # of downloading and counting one batch of access logs, at most

OnNewMetrics = Callable[[MetricSource, datetime], None]


@dataclass(frozen=True, slots=True)
class CollectorConfig:
    """What a collector polls, and how often.

    The newest `chunk_minutes` come first, then the rest of `horizon_minutes` in chunks. `backfill`: also everything older, from `since_s`
    (epoch seconds; None: all that the sources retain). `ingest_logs`: counts new access logs without a request. `migration`: for log lines.
    `n_sharing`: the migrations of this process, which take turns at their back-fills. `release`: of a release, whose time is all that is polled.
    """

    migration: str = ""
    horizon_minutes: int = 1440
    chunk_minutes: int = 180
    traffic_interval_s: int = TRAFFIC_INTERVAL_S
    metrics_interval_s: int = 60
    events_interval_s: int = 60
    backfill: bool = False
    since_s: int | None = None
    route_templates: tuple[str, ...] = ()
    ingest_logs: bool = False
    n_sharing: int = 1
    release: ReleaseSpan | None = None

    @classmethod
    def from_migration(cls, migration: Migration, *, n_sharing: int = 1) -> Self:
        """The configuration of a dashboard or recorder."""
        logs = migration.access_logs
        return cls(
            migration.name,
            traffic_interval_s=max(TRAFFIC_INTERVAL_S, TRAFFIC_INTERVAL_S * n_sharing // MAX_FREQUENT_TRAFFIC),
            backfill=migration.backfill and not migration.release,
            since_s=migration.since_s,
            route_templates=tuple(logs.routes) if logs else (),
            ingest_logs=bool(logs and logs.ingest),
            n_sharing=n_sharing,
            release=migration.release,
        )


class Collector:
    """One daemon thread per source and role: a hanging or failing source does not delay the others.

    Collectors of several processes may share an archive: together they poll as often as one.
    """

    def __init__(
        self,
        archive: Archive,
        sources: Sources,
        config: CollectorConfig | None = None,
        *,
        on_new_metrics: OnNewMetrics | None = None,
        clock: Clock = utc_now,
    ) -> None:
        """`sources.batches` and `sources.triggers` are left to BatchCollector. `on_new_metrics`: called when the newest hours were polled."""
        config = self.config = config or CollectorConfig()
        self._archive, self._clock, self._on_new_metrics = archive, clock, on_new_metrics
        self._condition = threading.Condition()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._is_running = False
        self._pending: dict[str, deque[Window]] = {}
        self._progress: dict[str, tuple[int, int]] = {}
        self._backlog_pending: dict[str, bool] = {}  # by event source
        self._retry_at: dict[str, int] = {}  # by event source, for older events
        self._backfills = {
            source.name: Backfill(archive, source, since_s=config.since_s, pause_factor=PAUSE_FACTOR * config.n_sharing)
            for source in ((*sources.metrics, *sources.criteria) if config.backfill else ())
        }
        new_worker = partial(AccessLogWorker, archive, ingest=config.ingest_logs, clock=clock)
        self._access_log_worker = new_worker(sources.logs, config.route_templates) if sources.logs else None
        self.tasks = self._tasks_of(sources)

    def _tasks_of(self, sources: Sources) -> list[PollTask]:
        config, tasks = self.config, list[PollTask]()
        for source in (*sources.metrics, *sources.criteria):
            poll = partial(self.poll_metrics, source)
            tasks.append(PollTask(source.name, "metrics", poll, config.metrics_interval_s))
        for events in sources.events:
            interval_s = events.poll_interval_s if isinstance(events, HistorySource) else config.events_interval_s
            tasks.append(PollTask(events.name, "events", partial(self.poll_events, events), interval_s))
        for source in sources.metrics:
            if isinstance(source, WindowLatencySource):
                poll, key = partial(self.poll_window_latency, source), _latency_key(source.name)
                tasks.append(PollTask(source.name, "window_latency", poll, LEASE_RETRY_S, key))
        if sources.traffic is not None:
            poll = partial(self.poll_traffic, sources.traffic)
            tasks.append(PollTask(sources.traffic.name, "traffic", poll, config.traffic_interval_s))
        if sources.logs is not None:
            tasks.append(PollTask(sources.logs.name, "logs", self.poll_access_logs, LOGS_PROGRESS_S))
        if config.release is None:
            tasks.append(PollTask("archive", "check", ArchiveCheck(self._archive).poll, DAMAGE_CHECK_INTERVAL_S))
            if self._archive.retention != KEEP_ALL:
                tasks.append(PollTask("archive", "prune", partial(poll_pruning, self._archive), PRUNING_INTERVAL_S))
        return tasks

    # ---- status and requests

    @property
    def problem(self) -> ArchiveProblem | None:
        """Why the last poll of some source could not use the archive."""
        return next((task.archive_problem for task in self.tasks if task.archive_problem), None)

    @property
    def failures(self) -> tuple[Problem, ...]:
        """The unexpected exceptions of last polls, and polls that have been silent for too long."""
        return tuple(task.problem for task in self.tasks if task.problem)

    def source_states(self) -> tuple[SourceState, ...]:
        """The archived state of each source; of a release that has ended, of those that are still read. Raises ArchiveError.

        "down": a task whose last poll raised, or that is silent; while this collector runs, also a source that was last read too long ago.
        """
        failed = {
            (task.source, task.role): self._failed_state(task, task.problem) for task in self.tasks if task.problem
        }
        archived = [self._aged(state) for state in self._archive.events.source_states() if self._is_read(state)]
        states = [failed.pop((state.source, state.role), state) for state in archived]
        return (*states, *failed.values())

    @property
    def _is_over(self) -> bool:
        return self.config.release is not None and self.config.release.end is not None

    def _is_read(self, state: SourceState) -> bool:
        return not self._is_over or any((task.source, task.role) == (state.source, state.role) for task in self.tasks)

    def _aged(self, state: SourceState) -> SourceState:
        """The state, "down" if a running task of its source and role should have renewed it by now: not of a release that has ended."""
        if self._is_over:
            return state
        age_s = self._clock().timestamp() - state.checked_at
        running = (task for task in self.tasks if self._is_running and task.due_at is not None)
        task = next((task for task in running if (task.source, task.role) == (state.source, state.role)), None)
        if task is None or state.state not in ANSWERING_STATES or age_s <= task.max_state_age_s:
            return state
        return replace(state, state="down", problems=(*state.problems, silent(state.source, state.role, age_s)))

    def request_window(self, window: Window, source_name: str) -> None:
        """A page needs a window: it is fetched next, before older requests. Returns at once."""
        with self._condition:
            pending = self._pending.setdefault(source_name, deque(maxlen=MAX_PENDING_WINDOWS))
            if window in pending:
                pending.remove(window)
            pending.append(window)
        self._wake(source_name)

    def request_window_latency(self, window: Window, source_name: str) -> None:
        """A page needs the latency of a window. Returns at once; a recent result is not fetched again."""
        self.request_window(window, _latency_key(source_name))

    def request_access_logs(self, window: Window) -> None:
        """A page needs the access logs of a window. Returns at once; logs that were just counted are not listed again."""
        worker = self._access_log_worker
        if worker and worker.request_window(window):
            self._wake(worker.source.name)

    def ingest_progress(self, window: Window) -> IngestProgress | None:
        """The progress of a requested window; None if it was not requested or not started."""
        return self._access_log_worker.progress(window) if self._access_log_worker else None

    def progress(self, source_name: str) -> tuple[int, int] | None:
        """(available, total) minutes while the horizon is being filled, else None."""
        with self._condition:
            return self._progress.get(source_name)

    def backfill_status(self, source_name: str) -> BackfillStatus | None:
        """None without a backfill, and before its first step."""
        backfill = self._backfills.get(source_name)
        return backfill.status if backfill else None

    def is_up_to_date(self, source_name: str) -> bool:
        """Whether only the newest data of a source is still to be fetched."""
        with self._condition:
            if source_name in self._progress or self._backlog_pending.get(source_name):
                return False
        backfill = self._backfills.get(source_name)
        return backfill is None or (backfill.status is not None and backfill.status.state == "done")

    def wait_until(self, predicate: Callable[[], bool], *, timeout_s: float) -> bool:
        """Waits until `predicate()` is true, checked after each poll; returns whether it became true in time."""
        with self._condition:
            return self._condition.wait_for(predicate, timeout_s)

    # ---- threads

    def start(self, *, with_threads: bool = True) -> None:
        """Starts the threads; without them, others are going to run the tasks. A stopped collector can be started again."""
        self._stopping.clear()
        self._is_running = True
        self._threads = [
            threading.Thread(
                target=self._run, args=(task,), name=f"collector of {task.key or task.source}", daemon=True
            )
            for task in (self.tasks if with_threads else ())
        ]
        for task in self.tasks:
            task.due_at = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self, *, timeout_s: float = 5.0) -> None:
        """Stops the threads, and writes what is held. The unfinished fetch of a source that hangs for longer than `timeout_s` is not saved."""
        self._stopping.set()
        self._is_running = False
        for task in self.tasks:
            task.wake.set()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for task in self.tasks:
            task.due_at = None
        self._archive.write_held()

    def _run(self, task: PollTask) -> None:
        while not self._stopping.is_set():
            wait_s = self.run_task(task)
            (self._stopping if task.failure else task.wake).wait(wait_s)
            task.wake.clear()

    def run_task(self, task: PollTask) -> float:
        """Polls once, supervised, and stores an unexpected failure as the state of the source. Returns the seconds until the next poll."""
        wait_s = task.run(self.config.migration)
        if task.failure and task.role in (
            "metrics",
            "traffic",
            "events",
            "triggers",
            "run_logs",
        ):  # the next success replaces it
            with suppress(ArchiveError):
                self._archive.events.save_source_state(self._failed_state(task, task.failure), success=False)
        self._notify()
        return wait_s

    def _failed_state(self, task: PollTask, problem: Problem) -> SourceState:
        return SourceState(task.source, task.role, "down", int(self._clock().timestamp()), None, 0.0, (problem,))

    # ---- polls

    def poll_metrics(self, source: MetricSource) -> float:
        """Fetches the newest hours, a requested window, the rest of the horizon, or older data: at most one pull.

        Returns the seconds until the next poll. Raises ArchiveError if the archive prevented a pull.
        """
        now = self._clock()
        horizon = self._horizon(now)
        result = self._fill_next(source, horizon, now)
        backfill = self._backfills.get(source.name)
        if backfill:
            backfill.record_outcome(result, now)
        if result.archive_problem and not result.pulls:
            raise result.archive_problem.as_error()
        final_until = self._archive.metrics.freshness(now).final_until
        missing = result.missing_minutes(horizon, final_until=final_until)
        with self._condition:
            if missing:
                self._progress[source.name] = (horizon.minutes - missing, horizon.minutes)
            else:
                self._progress.pop(source.name, None)
        if result.busy:
            return LEASE_RETRY_S
        if result.answered:
            return 0.0
        due_in_s = float(max(result.due_in_s, 1))
        if result.pulls or not backfill:
            return due_in_s
        return min(due_in_s, backfill.run_once(now, poll_interval_s=self.config.metrics_interval_s))

    def _fill_next(self, source: MetricSource, horizon: Window, now: datetime) -> FillResult:
        """Fills the first window that needs a pull."""
        newest = Window(max(horizon.start, horizon.end - self.config.chunk_minutes * MINUTE_S), horizon.end)
        result = self._archive.metrics.fill_next(
            (newest, *self._pending_windows(source.name), horizon),
            source,
            now=now,
            refresh_interval_s=self.config.metrics_interval_s,
            max_periods=self.config.chunk_minutes,
        )
        if not result.archive_problem:
            for window in result.complete_windows:
                self._complete(source.name, window)
            if self._on_new_metrics and result.answered and newest in result.complete_windows:
                self._on_new_metrics(source, now)
        return result

    def poll_traffic(self, source: TrafficSource) -> float:
        """Saves a snapshot of the load balancer, if it is due. Returns the seconds until the next poll. Raises ArchiveError."""
        interval_s = self.config.traffic_interval_s
        if wait_s := self._acquire_slot(source.name, "traffic", interval_s):
            return wait_s
        self._archive.events.save_snapshot(traced(source.name, "traffic", source.snapshot), source.name)
        return float(interval_s)

    def poll_events(self, source: EventSource) -> float:
        """Fetches the events of requested windows and, if due, of the horizon. Returns the seconds until the next poll. Raises ArchiveError."""
        if isinstance(source, HistorySource):
            return self._poll_event_history(source)
        for window in self._pending_windows(source.name):
            self._archive.events.save_events(_events(source, window), source.name)
            self._complete(source.name, window)
        wait_s = self._acquire_slot(source.name, "events", self.config.events_interval_s)
        if wait_s:
            return min(wait_s, self._poll_past_events(source))
        horizon = self._horizon(self._clock())
        self._archive.events.save_events(_events(source, horizon), source.name)
        return 0.0 if self._backfills else float(self.config.events_interval_s)

    def _poll_past_events(self, source: EventSource) -> float:
        """Fetches a chunk of older events that was never fetched. Returns the seconds until the next poll."""
        now, since_s = int(self._clock().timestamp()), self.config.since_s
        start = now - EVENT_HISTORY_S if since_s is None else since_s
        start -= start % MINUTE_S
        end = Window.last(self.config.horizon_minutes, now=self._clock()).end - EVENT_OVERLAP_S
        if not self._backfills or start >= end or now < self._retry_at.get(source.name, now):
            return IDLE_WAIT_S
        missing = Window(start, end).subtract(self._archive.events.covered(source.name))
        self._backlog_pending[source.name] = bool(missing)
        if not missing:
            return IDLE_WAIT_S
        if wait_s := self._acquire_slot(source.name, "event_backlog", EVENT_BACKFILL_INTERVAL_S):
            return wait_s
        newest = missing[-1]
        events = _events(source, Window(max(newest.start, newest.end - BACKLOG_CHUNK_S), newest.end))
        self._archive.events.save_events(events, source.name, keep_missing=True)
        if events.complete:
            return 0.0
        self._retry_at[source.name] = now + EVENTS_RETRY_AFTER_S
        return float(EVENTS_RETRY_AFTER_S)

    def _poll_event_history(self, source: HistorySource) -> float:
        """Fetches recent events, if due, or else a chunk of older ones: one request. Returns the seconds until the next poll, 0 while any is missing."""
        now = int(self._clock().timestamp())
        for window in self._pending_windows(source.name):  # the whole history is fetched anyway
            self._complete(source.name, window)
        if now < (retry_at := self._retry_at.get(source.name, now)):
            return float(retry_at - now)
        wait_s = self._acquire_slot(source.name, "events", source.poll_interval_s)
        fetch = next_fetch(self._archive.events.covered(source.name), source, now)
        self._backlog_pending[source.name] = fetch.backlog is not None
        window_due = fetch.backlog if wait_s else fetch.newest
        if window_due is None:
            return wait_s
        events = _events(source, window_due)
        self._archive.events.save_events(events, source.name, keep_missing=True)
        if not events.complete:
            self._retry_at[source.name] = now + EVENTS_RETRY_AFTER_S
            return float(EVENTS_RETRY_AFTER_S)
        return 0.0 if fetch.backlog else float(source.poll_interval_s)

    def poll_window_latency(self, source: WindowLatencySource) -> float:
        """Fetches the requested window latencies. Returns the seconds until the next poll. Raises ArchiveError."""
        key = _latency_key(source.name)
        for window in self._pending_windows(key):
            if not self._archive.metrics.fetch_window_latency(window, source, now=self._clock()):
                return LEASE_RETRY_S
            self._complete(key, window)
        return IDLE_WAIT_S

    def poll_access_logs(self) -> float:
        """Counts the access logs of one requested window. Returns the seconds until the next poll. Raises ArchiveError."""
        worker = self._access_log_worker
        return worker.poll(self._on_log_progress, self._stopping.is_set) if worker else IDLE_WAIT_S

    # ---- helpers

    def _horizon(self, now: datetime) -> Window:
        """The time that is polled: of a release, its own up to now."""
        if self.config.release:
            return self.config.release.window(int(now.timestamp()))
        return Window.last(self.config.horizon_minutes, now=now)

    def _on_log_progress(self) -> None:
        for task in self.tasks:
            if task.role == "logs":
                task.report_progress()
        self._notify()

    def _notify(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def _wake(self, key: str) -> None:
        for task in self.tasks:
            if (task.key or task.source) == key:
                task.request()

    def _acquire_slot(self, source_name: str, role: Role, interval_s: int) -> float:
        """0 if it is this process's turn to poll, else the seconds to wait."""
        try:
            return float(self._archive.try_acquire_slot(source_name, role, now=self._clock(), interval_s=interval_s))
        except ArchiveError as error:
            if error.kind == "newer":
                raise  # the result could never be saved
            return 0.0  # better two polls than none

    def _pending_windows(self, key: str) -> tuple[Window, ...]:
        with self._condition:
            return tuple(reversed(self._pending.get(key, ())))

    def _complete(self, key: str, window: Window) -> None:
        with self._condition:
            if window in self._pending.get(key, ()):
                self._pending[key].remove(window)


def _events(source: EventSource, window: Window) -> Events:
    return traced(source.name, "events", partial(source.events, window))


def _latency_key(source_name: str) -> str:
    return f"{source_name}, window latency"


def requested_routes_state(
    collector: Collector, window: Window, has_counts: bool, *, request: bool = True
) -> RoutesState:
    """Whether the routes of a window can be judged; has its access logs counted. Without `request`, only if they are counted anyway."""
    if request:
        collector.request_access_logs(window)
    elif not collector.config.ingest_logs:
        return "pending"
    return routes_state(collector.ingest_progress(window), has_counts=has_counts)
