"""Judges many routes in a thread of its own, for pages that do not wait for it."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from archive import Archive
from domain import Migration, Window
from domain.trace import start_reference
from domain.window import MINUTE_S
from services.endpoints import EndpointsView, judge_logs

MAX_LAG_S = 15 * MINUTE_S  # of what is shown until the newest logs are judged: a file has those of five minutes
UNWANTED_AFTER_S = 60.0  # without a request: no such page is open any more
RETRY_AFTER_S = 60.0
MAX_PHASES = 4

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JudgedRoutes:
    """The routes of `window` by a version of the counted logs. `view`: None if no log of it was counted."""

    window: Window
    version: Hashable
    view: EndpointsView | None


class _GivenUpError(Exception):
    """The judgement was not requested for a while."""


class BackgroundRoutes:
    """The routes of phases and ranges by their name: a phase's start, as the end of a running one moves on, or the range. One is judged at a time.

    Safe to share between threads.
    """

    def __init__(self, archive: Archive, migration: Migration) -> None:
        self._archive, self._migration = archive, migration
        self._lock, self._judged = threading.Lock(), OrderedDict[Hashable, JudgedRoutes]()
        self._waiting = OrderedDict[Hashable, tuple[Window, Hashable]]()  # the one that is under way is the first
        self._thread: threading.Thread | None = None
        self._wanted_until = self._paused_until = 0.0  # on the monotonic clock

    def known(self, name: Hashable, window: Window) -> JudgedRoutes | None:
        """What was judged last of this name, unless `window` ends more than MAX_LAG_S later."""
        with self._lock:
            judged = self._judged.get(name)
        return judged if judged and judged.window.end >= window.end - MAX_LAG_S else None

    def request(self, name: Hashable, window: Window, version: Hashable) -> None:
        """Has the routes of `window` judged if those of this version are not known, after those that wait. Returns at once."""
        with self._lock:
            now, judged = time.monotonic(), self._judged.get(name)
            self._wanted_until = now + UNWANTED_AFTER_S
            is_known = judged is not None and (judged.window, judged.version) == (window, version)
            if is_known or now < self._paused_until or name in self._waiting:
                return
            self._waiting[name] = window, version
            if len(self._waiting) == 1:
                self._thread = threading.Thread(target=self._run, name="routes", daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Until nothing is under way."""
        if self._thread:
            self._thread.join()

    def stop(self) -> None:
        """Gives up what is under way."""
        self._wanted_until = 0.0
        self.wait()

    def _run(self) -> None:
        start_reference()
        try:
            while next_one := self._first_waiting():
                name, (window, version) = next_one
                view = judge_logs(self._archive, self._migration, window, checkpoint=self._checkpoint)
                with self._lock:
                    self._judged[name] = JudgedRoutes(window, version, view)
                    self._judged.move_to_end(name)
                    while len(self._judged) > MAX_PHASES:
                        self._judged.popitem(last=False)
                    del self._waiting[name]
        except _GivenUpError:
            self._forget_waiting()
        except Exception:  # the routes stay unknown, which pages say
            logger.exception("routes not judged", extra={"retry_in_s": RETRY_AFTER_S})
            self._paused_until = time.monotonic() + RETRY_AFTER_S
            self._forget_waiting()

    def _forget_waiting(self) -> None:
        with self._lock:
            self._waiting.clear()

    def _first_waiting(self) -> tuple[Hashable, tuple[Window, Hashable]] | None:
        with self._lock:
            return next(iter(self._waiting.items()), None)

    def _checkpoint(self) -> None:
        if time.monotonic() > self._wanted_until:
            raise _GivenUpError
