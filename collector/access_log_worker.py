"""Counts the access logs that pages request, one window at a time, the newest request first."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime

from archive import Archive
from archive.db.lease import LEASE_RETRY_S
from collector.access_log_ingest import IngestCallback, IngestProgress, ingest_access_logs
from domain import Clock, Window
from sources.access_logs.base import LogSource
from sources.access_logs.filenames import FILE_INTERVAL_S

RELIST_AFTER_S = 120  # a counted window is not listed again before
INGEST_INTERVAL_S = 300
INGEST_LOOKBACK_MINUTES = 60  # a file may be half an hour late
MAX_TRACKED_WINDOWS = 32
IDLE_WAIT_S = 3600.0


class AccessLogWorker:
    """The requested windows and their progress. `ingest`: also counts new files without a request."""

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
        """Requests a window, extended to whole files, without what is not kept. Returns whether it will be counted now."""
        if (kept := self._kept(window)) is None:
            return False
        with self._lock:
            progress, updated_at = self._progress.get(kept, (None, self._clock()))
            age_s = (self._clock() - updated_at).total_seconds()
            if progress and progress.state in ("done", "stopped") and age_s < RELIST_AFTER_S:
                return False
            self._pending[kept] = None
            self._pending.move_to_end(kept)
            while len(self._pending) > MAX_TRACKED_WINDOWS:
                self._pending.popitem(last=False)
        return True

    def progress(self, window: Window) -> IngestProgress | None:
        """The progress of a requested window; None if it was not requested or not started. Nothing is to be done for one that is not kept."""
        if (kept := self._kept(window)) is None:
            return IngestProgress(window, "done")
        with self._lock:
            return self._progress.get(kept, (None, None))[0]

    def poll(self, notify: Callable[[], None], should_stop: Callable[[], bool]) -> float:
        """Counts one window; calls `notify` after each progress. Returns the seconds until the next poll. Raises ArchiveError."""
        now = self._clock()
        window = self._next_window()
        if window is None:
            if not self._ingest:
                return IDLE_WAIT_S
            window = Window.last(INGEST_LOOKBACK_MINUTES, now=now).aligned(FILE_INTERVAL_S)

        def on_progress(progress: IngestProgress) -> None:
            with self._lock:
                self._progress[window] = progress, self._clock()
                self._progress.move_to_end(window)
                while len(self._progress) > MAX_TRACKED_WINDOWS:
                    self._progress.popitem(last=False)
            notify()

        def superseded() -> bool:
            return should_stop() or self._next_window() not in (None, window)

        progress = ingest_access_logs(
            self._archive,
            self.source,
            window,
            self._route_templates,
            now=now,
            on_progress=on_progress,
            should_stop=superseded,
        )
        if progress.state == "busy":
            return LEASE_RETRY_S
        if not superseded():
            with self._lock:
                self._pending.pop(window, None)
        if self._next_window() is not None:
            return 0.0
        return float(INGEST_INTERVAL_S) if self._ingest else IDLE_WAIT_S

    def count(
        self, window: Window, on_progress: IngestCallback, should_stop: Callable[[], bool]
    ) -> IngestProgress | None:
        """Counts a window at once, unless it was just counted; waits while another process counts. Returns its progress. Raises ArchiveError.

        `should_stop` is checked between batches, which are kept.
        """
        self.request_window(window)

        def notify() -> None:
            if progress := self.progress(window):
                on_progress(progress)

        while self.poll(notify, should_stop) == LEASE_RETRY_S and not should_stop():
            time.sleep(LEASE_RETRY_S)  # another process counts
        return self.progress(window)

    def _next_window(self) -> Window | None:
        with self._lock:
            return next(reversed(self._pending), None)

    def _kept(self, window: Window) -> Window | None:
        """`window` in whole files, from the day on whose counts are kept."""
        since = self._archive.retention.points_since(int(self._clock().timestamp()))
        return Window(max(window.start, since), window.end).aligned(FILE_INTERVAL_S) if window.end > since else None
