"""The keeper: asks every source again and again, in threads of its own, so that the archive is warm before anybody looks."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from archive.archive import Archive
from archive.db.engine import ArchiveError, ArchiveProblem
from archive.events.backlog import BACKLOG_CHUNK_S, EVENTS_RETRY_AFTER_S, next_fetch
from archive.events.source_state import Role
from collector.access_log_ingest import IngestProgress
from collector.access_log_worker import AccessLogWorker
from collector.backfill import Backfill, BackfillStatus
from domain import Clock, Window, utc_now
from sources.access_logs.base import LogSource
from sources.base import EventSource, HistorySource, MetricSource, TrafficSource
from sources.window_latency import WindowLatencySource

CHUNK_MINUTES = 180  # the newest hours come first, then the rest of the horizon in pieces of as many
MAX_PENDING_WINDOWS = 32  # windows that pages wait for; the oldest wishes are dropped
LEASE_RETRY_S = 2.0  # another process is asking just now
ARCHIVE_RETRY_S = 15.0  # the archive could not be used
EVENT_HISTORY_S = 120 * 86_400  # so far back events are asked for, unless somebody says since when
EVENT_OVERLAP_S = 3600  # the newest hour is asked again and again anyway
EVENT_BACKFILL_INTERVAL_S = 2
IDLE_WAIT_S = 3600.0  # nothing is to be done until somebody wants something


@dataclass(slots=True)
class PollTask:
    """One source in one role: what asks it once and tells how long to wait, what ends that wait, and why the archive could not be used."""

    name: str
    poll: Callable[[], float]
    wake: threading.Event = field(default_factory=threading.Event)
    problem: ArchiveProblem | None = None


class Collector:
    """One daemon thread a source, so that a source that hangs holds up none of the others.

    Several processes may each have a keeper on one archive: they take turns, and the sources are asked as often as by one.
    """

    def __init__(
        self,
        archive: Archive,
        metrics: Sequence[MetricSource],
        traffic: TrafficSource | None,
        events: Sequence[EventSource],
        *,
        horizon_minutes: int = 1440,
        chunk_minutes: int = CHUNK_MINUTES,
        traffic_interval_s: int = 15,
        metrics_interval_s: int = 60,
        events_interval_s: int = 60,
        backfill: bool = False,
        since_s: int | None = None,
        logs: LogSource | None = None,
        route_templates: Sequence[str] = (),
        ingest_logs: bool = False,
        clock: Clock = utc_now,
    ) -> None:
        """`backfill`: also fills the past, from `since` (epoch seconds), or everything that the sources keep.

        `logs` are counted for windows that somebody wants, by the patterns `routes`; with `record_logs` also as they come.
        """
        self._archive, self._traffic, self._clock = archive, traffic, clock
        self._horizon_minutes, self._chunk_minutes = horizon_minutes, chunk_minutes
        self._traffic_interval_s, self._metrics_interval_s, self._events_interval_s = (
            traffic_interval_s,
            metrics_interval_s,
            events_interval_s,
        )
        self._condition = threading.Condition()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._pending: dict[str, deque[Window]] = {}
        self._progress: dict[str, tuple[int, int]] = {}
        self._since_s = since_s
        self._backlog_pending: dict[
            str, bool
        ] = {}  # event sources, and whether some of the past is still to be asked for
        self._retry_at: dict[str, int] = {}  # sources that keep a history, and when they are asked again
        self._backfills = {source.name: Backfill(archive, source, since_s=since_s) for source in metrics if backfill}
        self._tasks = [
            *(PollTask(source.name, partial(self.poll_metrics, source)) for source in metrics),
            *(PollTask(source.name, partial(self.poll_events, source)) for source in events),
            *(
                PollTask(_latency_key(source.name), partial(self.poll_window_latency, source))
                for source in metrics
                if isinstance(source, WindowLatencySource)
            ),
        ]
        if traffic is not None:
            self._tasks.append(PollTask(traffic.name, self.poll_traffic))
        self._access_log_worker = (
            AccessLogWorker(archive, logs, route_templates, ingest=ingest_logs, clock=clock) if logs else None
        )
        if logs is not None:
            self._tasks.append(PollTask(logs.name, self.poll_access_logs))

    # ---- for whoever looks on

    @property
    def problem(self) -> ArchiveProblem | None:
        """Why some source's last round could not use the archive; None once it could."""
        return next((each.problem for each in self._tasks if each.problem), None)

    def request_window(self, window: Window, source_name: str) -> None:
        """A page waits for a window: it is filled next, the newest wish first. Returns at once; the same wish twice is one."""
        with self._condition:
            wishes = self._pending.setdefault(source_name, deque(maxlen=MAX_PENDING_WINDOWS))
            if window in wishes:
                wishes.remove(window)
            wishes.append(window)
        for each in self._tasks:
            if each.name == source_name:
                each.wake.set()

    def request_window_latency(self, window: Window, source_name: str) -> None:
        """A page waits for the latency of a whole window. Returns at once; what was asked lately is not asked again."""
        self.request_window(window, _latency_key(source_name))

    def request_access_logs(self, window: Window) -> None:
        """A page waits for the access logs of a window. Returns at once; what was counted a moment ago is not listed again."""
        if self._access_log_worker and self._access_log_worker.request_window(window):
            for each in self._tasks:
                if each.name == self._access_log_worker.source.name:
                    each.wake.set()

    def ingest_progress(self, window: Window) -> IngestProgress | None:
        """How far the access logs of a wanted window are counted; None before it is its turn, and where nobody wanted it."""
        return self._access_log_worker.progress(window) if self._access_log_worker else None

    def progress(self, source_name: str) -> tuple[int, int] | None:
        """(minutes that are there, minutes that shall be) while the horizon is being filled; None once it is, and before the first round."""
        with self._condition:
            return self._progress.get(source_name)

    def backfill_status(self, source_name: str) -> BackfillStatus | None:
        """How far a source's past is kept; None where none is to be, and before it was looked at."""
        found = self._backfills.get(source_name)
        return found.status if found else None

    def wait_until(self, predicate: Callable[[], bool], *, timeout_s: float) -> bool:
        """Waits until `reached()` holds, looking again after each round of any source; whether it came to hold in time."""
        with self._condition:
            return self._condition.wait_for(predicate, timeout_s)

    # ---- threads

    def start(self) -> None:
        """Starts asking. A keeper that was stopped may be started again."""
        self._stopping.clear()
        self._threads = [
            threading.Thread(target=self._run, args=(each,), name=f"keeper of {each.name}", daemon=True)
            for each in self._tasks
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, *, timeout_s: float = 5.0) -> None:
        """Stops asking. A source that hangs is not waited for longer than `timeout_s`: nothing of its answer is confirmed."""
        self._stopping.set()
        for each in self._tasks:
            each.wake.set()
        until = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _run(self, task: PollTask) -> None:
        while not self._stopping.is_set():
            try:
                wait_s, task.problem = task.poll(), None
            except ArchiveError as error:
                wait_s, task.problem = ARCHIVE_RETRY_S, error.problem
            self._notify()
            task.wake.wait(wait_s)
            task.wake.clear()

    # ---- one round of each

    def poll_metrics(self, source: MetricSource) -> float:
        """The newest hours, what pages wait for, the rest of the horizon, the past: at most one pull. Returns the seconds until the next round.

        Raises ArchiveError where nothing could be asked because of the archive.
        """
        now = self._clock()
        horizon = Window.last(self._horizon_minutes, now=now)
        newest = Window.last(min(self._chunk_minutes, self._horizon_minutes), now=now)
        for window in (newest, *self._pending_windows(source.name), horizon):
            filled = self._archive.metrics.fill(
                window,
                source,
                now=now,
                refresh_interval_s=self._metrics_interval_s,
                max_periods=self._chunk_minutes,
                max_pulls=1,
            )
            if not (filled.remaining or filled.archive_problem):
                self._complete(source.name, window)
            if filled.pulls or filled.busy:
                break
        backfill = self._backfills.get(source.name)
        if backfill:
            backfill.record_outcome(filled, now)
        if filled.archive_problem and not filled.pulls:
            raise ArchiveError(filled.archive_problem.kind, filled.archive_problem.detail)
        self._update_progress(source, horizon, now)
        if filled.busy:
            return LEASE_RETRY_S
        if filled.answered:
            return 0.0
        due_in_s = float(max(filled.due_in_s, 1))
        if filled.pulls or not backfill:
            return due_in_s
        return min(due_in_s, backfill.run_once(now, poll_interval_s=self._metrics_interval_s))

    def poll_traffic(self) -> float:
        """One look at the load balancer, if it is due. Returns the seconds until the next. Raises ArchiveError once it has looked."""
        if self._traffic is None:
            return float(self._traffic_interval_s)
        wait_s = self._acquire_slot(self._traffic.name, "traffic", self._traffic_interval_s)
        if wait_s:
            return wait_s
        self._archive.events.save_snapshot(self._traffic.snapshot(), self._traffic.name)
        return float(self._traffic_interval_s)

    def poll_events(self, source: EventSource) -> float:
        """What happened in the horizon, if that is due, and in the windows that pages wait for. Returns the seconds until the next round."""
        if isinstance(source, HistorySource):
            return self.poll_event_history(source)
        for window in self._pending_windows(source.name):
            self._archive.events.save_events(source.events(window), source.name)
            self._complete(source.name, window)
        wait_s = self._acquire_slot(source.name, "events", self._events_interval_s)
        if wait_s:
            return min(wait_s, self._poll_past_events(source))
        horizon = Window.last(self._horizon_minutes, now=self._clock())
        self._archive.events.save_events(source.events(horizon), source.name)
        return 0.0 if self._backfills else float(self._events_interval_s)

    def _poll_past_events(self, source: EventSource) -> float:
        """A piece of what happened before the horizon and was never asked for, if there is any. Returns the seconds until the next."""
        now = int(self._clock().timestamp())
        start = now - EVENT_HISTORY_S if self._since_s is None else self._since_s
        end = Window.last(self._horizon_minutes, now=self._clock()).end - EVENT_OVERLAP_S
        start -= start % 60
        if not self._backfills or start >= end or now < self._retry_at.get(source.name, now):
            return IDLE_WAIT_S
        left = Window(start, end).subtract(self._archive.events.covered(source.name))
        self._backlog_pending[source.name] = bool(left)
        if not left:
            return IDLE_WAIT_S
        if wait_s := self._acquire_slot(source.name, "past", EVENT_BACKFILL_INTERVAL_S):
            return wait_s
        told = source.events(Window(max(left[-1].start, left[-1].end - BACKLOG_CHUNK_S), left[-1].end))
        self._archive.events.save_events(told, source.name, keep_missing=True)
        if told.complete:
            return 0.0
        self._retry_at[source.name] = now + EVENTS_RETRY_AFTER_S
        return float(EVENTS_RETRY_AFTER_S)

    def is_up_to_date(self, source_name: str) -> bool:
        """Whether nothing of a source is left to ask for, but what is new with every minute."""
        with self._condition:
            if source_name in self._progress or self._backlog_pending.get(source_name):
                return False
        past = self._backfills.get(source_name)
        return past is None or (past.status is not None and past.status.state == "done")

    def poll_event_history(self, source: HistorySource) -> float:
        """The newest time, if that is due, or else a piece of what lies behind it: one asking. Returns the seconds until the next, 0 while any is left."""
        now = int(self._clock().timestamp())
        for window in self._pending_windows(source.name):  # it comes by itself
            self._complete(source.name, window)
        if now < (again_at := self._retry_at.get(source.name, now)):
            return float(again_at - now)
        wait_s = self._acquire_slot(source.name, "events", source.poll_interval_s)
        next_ = next_fetch(self._archive.events.covered(source.name), source, now)
        self._backlog_pending[source.name] = next_.backlog is not None
        asked = next_.backlog if wait_s else next_.newest
        if asked is None:
            return wait_s
        told = source.events(asked)
        self._archive.events.save_events(told, source.name, keep_missing=True)
        if not told.complete:
            self._retry_at[source.name] = now + EVENTS_RETRY_AFTER_S
            return EVENTS_RETRY_AFTER_S
        return 0.0 if next_.backlog else float(source.poll_interval_s)

    def poll_window_latency(self, source: WindowLatencySource) -> float:
        """The whole windows that pages wait for. Returns the seconds until the next round."""
        name = _latency_key(source.name)
        for window in self._pending_windows(name):
            if not self._archive.metrics.fetch_window_latency(window, source, now=self._clock()):
                return LEASE_RETRY_S
            self._complete(name, window)
        return IDLE_WAIT_S

    def poll_access_logs(self) -> float:
        """Counts the access logs of one window that a page waits for. Returns the seconds until the next round."""
        return (
            self._access_log_worker.poll(self._notify, self._stopping.is_set)
            if self._access_log_worker
            else IDLE_WAIT_S
        )

    def _notify(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def _acquire_slot(self, name: str, role: Role, interval_s: int) -> float:
        try:
            return float(self._archive.try_acquire_slot(name, role, now=self._clock(), interval_s=interval_s))
        except ArchiveError as error:
            if error.kind == "newer":
                raise  # what is asked could never be written: that is for the later program
            return 0.0  # nobody can be told of turns: better asked twice than not at all

    def _pending_windows(self, name: str) -> tuple[Window, ...]:
        with self._condition:
            return tuple(reversed(self._pending.get(name, ())))

    def _complete(self, name: str, window: Window) -> None:
        with self._condition:
            if window in self._pending.get(name, ()):
                self._pending[name].remove(window)

    def _update_progress(self, source: MetricSource, horizon: Window, now: datetime) -> None:
        left = self._archive.metrics.missing_minutes(
            horizon, source, now=now, refresh_interval_s=self._metrics_interval_s
        )
        with self._condition:
            if left:
                self._progress[source.name] = (horizon.minutes - left, horizon.minutes)
            else:
                self._progress.pop(source.name, None)


def _latency_key(source_name: str) -> str:
    """What wishes for whole windows of a source go by."""
    return f"{source_name}, whole windows"
