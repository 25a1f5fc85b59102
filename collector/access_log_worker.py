"""The keeper's round of access logs: windows that pages wait for are counted one after the other, the newest wish first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime

from archive.archive import Archive
from collector.access_log_ingest import IngestProgress, ingest_access_logs
from domain import Clock, Window
from sources.access_logs.base import LogSource

LOG_FILE_S = 300  # the load balancer writes files of five minutes
RELIST_AFTER_S = 120  # so long after it was counted, a window is not listed again
INGEST_INTERVAL_S = 300
INGEST_LOOKBACK_MINUTES = 60  # a file may come half an hour late
MAX_TRACKED_WINDOWS = 32
LEASE_RETRY_S = 2.0
IDLE_WAIT_S = 3600.0


class AccessLogWorker:
    """What was wished for, and how far each of it is counted. `record`: also counts what is new, whether anybody looks or not."""

    def __init__(
        self,
        archive: Archive,
        source: LogSource,
        route_templates: Sequence[str] = (),
        *,
        ingest: bool = False,
        clock: Clock,
    ) -> None:
        self.source = source
        self._archive, self._route_templates, self._ingest, self._clock = archive, route_templates, ingest, clock
        self._lock = threading.Lock()
        self._pending: OrderedDict[Window, None] = OrderedDict()
        self._progress: OrderedDict[Window, tuple[IngestProgress, datetime]] = OrderedDict()

    def request_window(self, window: Window) -> bool:
        """Wishes for a window, which grows to whole files; whether it is to be counted now."""
        window = window.aligned(LOG_FILE_S)
        with self._lock:
            known = self._progress.get(window)
            if (
                known
                and known[0].state in ("done", "stopped")
                and (self._clock() - known[1]).total_seconds() < RELIST_AFTER_S
            ):
                return False
            self._pending[window] = None
            self._pending.move_to_end(window)
            while len(self._pending) > MAX_TRACKED_WINDOWS:
                self._pending.popitem(last=False)
        return True

    def progress(self, window: Window) -> IngestProgress | None:
        """How far a window is counted that somebody wished for; None where nobody did, and before it is its turn."""
        with self._lock:
            known = self._progress.get(window.aligned(LOG_FILE_S))
        return known[0] if known else None

    def poll(self, on_progress: Callable[[], None], should_stop: Callable[[], bool]) -> float:
        """Counts one window. `told` is called at every step. Returns the seconds until the next. Raises ArchiveError where it cannot be kept."""
        now = self._clock()
        window = self._next_window()
        if window is None:
            if not self._ingest:
                return IDLE_WAIT_S
            window = Window.last(INGEST_LOOKBACK_MINUTES, now=now).aligned(LOG_FILE_S)

        def tell(counting: IngestProgress) -> None:
            with self._lock:
                self._progress[window] = counting, self._clock()
                self._progress.move_to_end(window)
                while len(self._progress) > MAX_TRACKED_WINDOWS:
                    self._progress.popitem(last=False)
            on_progress()

        def newer_wish() -> bool:
            return should_stop() or self._next_window() not in (None, window)

        found = ingest_access_logs(
            self._archive, self.source, window, self._route_templates, now=now, on_progress=tell, should_stop=newer_wish
        )
        if found.state == "busy":
            return LEASE_RETRY_S
        if not newer_wish():
            with self._lock:
                self._pending.pop(window, None)
        if self._next_window() is not None:
            return 0.0
        return float(INGEST_INTERVAL_S) if self._ingest else IDLE_WAIT_S

    def _next_window(self) -> Window | None:
        with self._lock:
            return next(reversed(self._pending), None)
