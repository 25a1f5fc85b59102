"""The keeper's round of access logs: windows that pages wait for are counted one after the other, the newest wish first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime

from archive.archive import Archive
from collector.access_log_ingest import Counting, count_logs
from domain import Clock, Window
from sources.access_logs.base import LogSource

STEP_S = 300  # the load balancer writes files of five minutes
AGAIN_S = 120  # so long after it was counted, a window is not listed again
RECORD_EVERY_S = 300
RECORD_MINUTES = 60  # a file may come half an hour late
MOST_REMEMBERED = 32
BUSY_S = 2.0
IDLE_S = 3600.0


class LogRounds:
    """What was wished for, and how far each of it is counted. `record`: also counts what is new, whether anybody looks or not."""

    def __init__(
        self, archive: Archive, source: LogSource, patterns: Sequence[str] = (), *, record: bool = False, clock: Clock
    ) -> None:
        self.source = source
        self._archive, self._patterns, self._record, self._clock = archive, patterns, record, clock
        self._lock = threading.Lock()
        self._wishes: OrderedDict[Window, None] = OrderedDict()
        self._found: OrderedDict[Window, tuple[Counting, datetime]] = OrderedDict()

    def want(self, window: Window) -> bool:
        """Wishes for a window, which grows to whole files; whether it is to be counted now."""
        window = window.aligned(STEP_S)
        with self._lock:
            known = self._found.get(window)
            if known and known[0].state in ("done", "stopped") and (self._clock() - known[1]).total_seconds() < AGAIN_S:
                return False
            self._wishes[window] = None
            self._wishes.move_to_end(window)
            while len(self._wishes) > MOST_REMEMBERED:
                self._wishes.popitem(last=False)
        return True

    def counting(self, window: Window) -> Counting | None:
        """How far a window is counted that somebody wished for; None where nobody did, and before it is its turn."""
        with self._lock:
            known = self._found.get(window.aligned(STEP_S))
        return known[0] if known else None

    def step(self, told: Callable[[], None], stopping: Callable[[], bool]) -> float:
        """Counts one window. `told` is called at every step. Returns the seconds until the next. Raises ArchiveError where it cannot be kept."""
        now = self._clock()
        window = self._next()
        if window is None:
            if not self._record:
                return IDLE_S
            window = Window.last(RECORD_MINUTES, now=now).aligned(STEP_S)

        def tell(counting: Counting) -> None:
            with self._lock:
                self._found[window] = counting, self._clock()
                self._found.move_to_end(window)
                while len(self._found) > MOST_REMEMBERED:
                    self._found.popitem(last=False)
            told()

        def newer_wish() -> bool:
            return stopping() or self._next() not in (None, window)

        found = count_logs(self._archive, self.source, window, self._patterns, now=now, told=tell, stop=newer_wish)
        if found.state == "busy":
            return BUSY_S
        if not newer_wish():
            with self._lock:
                self._wishes.pop(window, None)
        if self._next() is not None:
            return 0.0
        return float(RECORD_EVERY_S) if self._record else IDLE_S

    def _next(self) -> Window | None:
        with self._lock:
            return next(reversed(self._wishes), None)
