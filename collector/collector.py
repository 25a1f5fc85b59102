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
from archive.events.backlog import PIECE_S, REFUSED_S, to_hear
from archive.events.source_state import Role
from collector.access_log_ingest import Counting
from collector.access_log_worker import LogRounds
from collector.backfill import Backfill, Backfilled
from domain import Clock, Window, utc_now
from sources.access_logs.base import LogSource
from sources.base import EventSource, HistorySource, MetricSource, TrafficSource
from sources.window_latency import WholeWindowSource

PIECE_MINUTES = 180  # the newest hours come first, then the rest of the horizon in pieces of as many
MOST_WANTED = 32  # windows that pages wait for; the oldest wishes are dropped
BUSY_S = 2.0  # another process is asking just now
RETRY_S = 15.0  # the archive could not be used
PAST_EVENTS_S = 120 * 86_400  # so far back events are asked for, unless somebody says since when
HEARD_AGAIN_S = 3600  # the newest hour is asked again and again anyway
PAST_EVERY_S = 2
IDLE_S = 3600.0  # nothing is to be done until somebody wants something


@dataclass(slots=True)
class Round:
    """One source in one role: what asks it once and tells how long to wait, what ends that wait, and why the archive could not be used."""

    name: str
    step: Callable[[], float]
    wake: threading.Event = field(default_factory=threading.Event)
    problem: ArchiveProblem | None = None


class Keeper:
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
        piece_minutes: int = PIECE_MINUTES,
        look_every_s: int = 15,
        ask_every_s: int = 60,
        events_every_s: int = 60,
        backfill: bool = False,
        since: int | None = None,
        logs: LogSource | None = None,
        routes: Sequence[str] = (),
        record_logs: bool = False,
        clock: Clock = utc_now,
    ) -> None:
        """`backfill`: also fills the past, from `since` (epoch seconds), or everything that the sources keep.

        `logs` are counted for windows that somebody wants, by the patterns `routes`; with `record_logs` also as they come.
        """
        self._archive, self._traffic, self._clock = archive, traffic, clock
        self._horizon_minutes, self._piece_minutes = horizon_minutes, piece_minutes
        self._look_every_s, self._ask_every_s, self._events_every_s = look_every_s, ask_every_s, events_every_s
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._wishes: dict[str, deque[Window]] = {}
        self._progress: dict[str, tuple[int, int]] = {}
        self._since = since
        self._unheard: dict[str, bool] = {}  # event sources, and whether some of the past is still to be asked for
        self._refused: dict[str, int] = {}  # sources that keep a history, and when they are asked again
        self._backfills = {source.name: Backfill(archive, source, since=since) for source in metrics if backfill}
        self._rounds = [
            *(Round(source.name, partial(self.keep_metrics, source)) for source in metrics),
            *(Round(source.name, partial(self.keep_events, source)) for source in events),
            *(
                Round(_in_one(source.name), partial(self.keep_wholes, source))
                for source in metrics
                if isinstance(source, WholeWindowSource)
            ),
        ]
        if traffic is not None:
            self._rounds.append(Round(traffic.name, self.keep_traffic))
        self._logs = LogRounds(archive, logs, routes, record=record_logs, clock=clock) if logs else None
        if logs is not None:
            self._rounds.append(Round(logs.name, self.keep_logs))

    # ---- for whoever looks on

    @property
    def problem(self) -> ArchiveProblem | None:
        """Why some source's last round could not use the archive; None once it could."""
        return next((each.problem for each in self._rounds if each.problem), None)

    def want(self, window: Window, source_name: str) -> None:
        """A page waits for a window: it is filled next, the newest wish first. Returns at once; the same wish twice is one."""
        with self._changed:
            wishes = self._wishes.setdefault(source_name, deque(maxlen=MOST_WANTED))
            if window in wishes:
                wishes.remove(window)
            wishes.append(window)
        for each in self._rounds:
            if each.name == source_name:
                each.wake.set()

    def want_whole(self, window: Window, source_name: str) -> None:
        """A page waits for the latency of a whole window. Returns at once; what was asked lately is not asked again."""
        self.want(window, _in_one(source_name))

    def want_logs(self, window: Window) -> None:
        """A page waits for the access logs of a window. Returns at once; what was counted a moment ago is not listed again."""
        if self._logs and self._logs.want(window):
            for each in self._rounds:
                if each.name == self._logs.source.name:
                    each.wake.set()

    def counting(self, window: Window) -> Counting | None:
        """How far the access logs of a wanted window are counted; None before it is its turn, and where nobody wanted it."""
        return self._logs.counting(window) if self._logs else None

    def progress(self, source_name: str) -> tuple[int, int] | None:
        """(minutes that are there, minutes that shall be) while the horizon is being filled; None once it is, and before the first round."""
        with self._changed:
            return self._progress.get(source_name)

    def backfilled(self, source_name: str) -> Backfilled | None:
        """How far a source's past is kept; None where none is to be, and before it was looked at."""
        found = self._backfills.get(source_name)
        return found.backfilled if found else None

    def wait_until(self, reached: Callable[[], bool], *, timeout_s: float) -> bool:
        """Waits until `reached()` holds, looking again after each round of any source; whether it came to hold in time."""
        with self._changed:
            return self._changed.wait_for(reached, timeout_s)

    # ---- threads

    def start(self) -> None:
        """Starts asking. A keeper that was stopped may be started again."""
        self._stopping.clear()
        self._threads = [
            threading.Thread(target=self._run, args=(each,), name=f"keeper of {each.name}", daemon=True)
            for each in self._rounds
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, *, timeout_s: float = 5.0) -> None:
        """Stops asking. A source that hangs is not waited for longer than `timeout_s`: nothing of its answer is confirmed."""
        self._stopping.set()
        for each in self._rounds:
            each.wake.set()
        until = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _run(self, each: Round) -> None:
        while not self._stopping.is_set():
            try:
                wait_s, each.problem = each.step(), None
            except ArchiveError as error:
                wait_s, each.problem = RETRY_S, error.problem
            self._tell()
            each.wake.wait(wait_s)
            each.wake.clear()

    # ---- one round of each

    def keep_metrics(self, source: MetricSource) -> float:
        """The newest hours, what pages wait for, the rest of the horizon, the past: at most one pull. Returns the seconds until the next round.

        Raises ArchiveError where nothing could be asked because of the archive.
        """
        now = self._clock()
        horizon = Window.last(self._horizon_minutes, now=now)
        newest = Window.last(min(self._piece_minutes, self._horizon_minutes), now=now)
        for window in (newest, *self._wished(source.name), horizon):
            filled = self._archive.fill(
                window, source, now=now, ask_every_s=self._ask_every_s, longest=self._piece_minutes, at_most=1
            )
            if not (filled.left or filled.archive_problem):
                self._grant(source.name, window)
            if filled.pulls or filled.busy:
                break
        backfill = self._backfills.get(source.name)
        if backfill:
            backfill.heed(filled, now)
        if filled.archive_problem and not filled.pulls:
            raise ArchiveError(filled.archive_problem.kind, filled.archive_problem.detail)
        self._note_progress(source, horizon, now)
        if filled.busy:
            return BUSY_S
        if filled.answered:
            return 0.0
        due_in_s = float(max(filled.due_in_s, 1))
        if filled.pulls or not backfill:
            return due_in_s
        return min(due_in_s, backfill.step(now, ask_every_s=self._ask_every_s))

    def keep_traffic(self) -> float:
        """One look at the load balancer, if it is due. Returns the seconds until the next. Raises ArchiveError once it has looked."""
        if self._traffic is None:
            return float(self._look_every_s)
        wait_s = self._turn(self._traffic.name, "traffic", self._look_every_s)
        if wait_s:
            return wait_s
        self._archive.keep_look(self._traffic.look(), self._traffic.name)
        return float(self._look_every_s)

    def keep_events(self, source: EventSource) -> float:
        """What happened in the horizon, if that is due, and in the windows that pages wait for. Returns the seconds until the next round."""
        if isinstance(source, HistorySource):
            return self.keep_history(source)
        for window in self._wished(source.name):
            self._archive.keep_events(source.events(window), source.name)
            self._grant(source.name, window)
        wait_s = self._turn(source.name, "events", self._events_every_s)
        if wait_s:
            return min(wait_s, self._hear_past(source))
        horizon = Window.last(self._horizon_minutes, now=self._clock())
        self._archive.keep_events(source.events(horizon), source.name)
        return 0.0 if self._backfills else float(self._events_every_s)

    def _hear_past(self, source: EventSource) -> float:
        """A piece of what happened before the horizon and was never asked for, if there is any. Returns the seconds until the next."""
        now = int(self._clock().timestamp())
        start = now - PAST_EVENTS_S if self._since is None else self._since
        end = Window.last(self._horizon_minutes, now=self._clock()).end - HEARD_AGAIN_S
        start -= start % 60
        if not self._backfills or start >= end or now < self._refused.get(source.name, now):
            return IDLE_S
        left = Window(start, end).minus(self._archive.heard(source.name))
        self._unheard[source.name] = bool(left)
        if not left:
            return IDLE_S
        if wait_s := self._turn(source.name, "past", PAST_EVERY_S):
            return wait_s
        told = source.events(Window(max(left[-1].start, left[-1].end - PIECE_S), left[-1].end))
        self._archive.keep_events(told, source.name, history=True)
        if told.complete:
            return 0.0
        self._refused[source.name] = now + REFUSED_S
        return float(REFUSED_S)

    def up_to_date(self, source_name: str) -> bool:
        """Whether nothing of a source is left to ask for, but what is new with every minute."""
        with self._changed:
            if source_name in self._progress or self._unheard.get(source_name):
                return False
        past = self._backfills.get(source_name)
        return past is None or (past.backfilled is not None and past.backfilled.state == "done")

    def keep_history(self, source: HistorySource) -> float:
        """The newest time, if that is due, or else a piece of what lies behind it: one asking. Returns the seconds until the next, 0 while any is left."""
        now = int(self._clock().timestamp())
        for window in self._wished(source.name):  # it comes by itself
            self._grant(source.name, window)
        if now < (again_at := self._refused.get(source.name, now)):
            return float(again_at - now)
        wait_s = self._turn(source.name, "events", source.every_s)
        next_ = to_hear(self._archive.heard(source.name), source, now)
        self._unheard[source.name] = next_.behind is not None
        asked = next_.behind if wait_s else next_.newest
        if asked is None:
            return wait_s
        told = source.events(asked)
        self._archive.keep_events(told, source.name, history=True)
        if not told.complete:
            self._refused[source.name] = now + REFUSED_S
            return REFUSED_S
        return 0.0 if next_.behind else float(source.every_s)

    def keep_wholes(self, source: WholeWindowSource) -> float:
        """The whole windows that pages wait for. Returns the seconds until the next round."""
        name = _in_one(source.name)
        for window in self._wished(name):
            if not self._archive.ask_whole(window, source, now=self._clock()):
                return BUSY_S
            self._grant(name, window)
        return IDLE_S

    def keep_logs(self) -> float:
        """Counts the access logs of one window that a page waits for. Returns the seconds until the next round."""
        return self._logs.step(self._tell, self._stopping.is_set) if self._logs else IDLE_S

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _turn(self, name: str, role: Role, every_s: int) -> float:
        try:
            return float(self._archive.take_turn(name, role, now=self._clock(), every_s=every_s))
        except ArchiveError as error:
            if error.kind == "newer":
                raise  # what is asked could never be written: that is for the later program
            return 0.0  # nobody can be told of turns: better asked twice than not at all

    def _wished(self, name: str) -> tuple[Window, ...]:
        with self._changed:
            return tuple(reversed(self._wishes.get(name, ())))

    def _grant(self, name: str, window: Window) -> None:
        with self._changed:
            if window in self._wishes.get(name, ()):
                self._wishes[name].remove(window)

    def _note_progress(self, source: MetricSource, horizon: Window, now: datetime) -> None:
        left = self._archive.lacking(horizon, source, now=now, ask_every_s=self._ask_every_s)
        with self._changed:
            if left:
                self._progress[source.name] = (horizon.minutes - left, horizon.minutes)
            else:
                self._progress.pop(source.name, None)


def _in_one(source_name: str) -> str:
    """What wishes for whole windows of a source go by."""
    return f"{source_name}, whole windows"
