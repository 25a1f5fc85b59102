"""How many notes and steps may be entered on the page: by one session, and by all together."""

import threading
import time
from collections import deque
from collections.abc import Callable

SESSION_LIMIT, ARCHIVE_LIMIT = 10, 60
PERIOD_S = 60.0


class RateLimit:
    """At most `limit` entries in any PERIOD_S. Thread-safe. `clock`: in seconds, monotonic."""

    def __init__(self, limit: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._entered_at: deque[float] = deque(maxlen=limit)
        self._limit, self._clock, self._lock = limit, clock, threading.Lock()

    def try_enter(self) -> float:
        """Counts an entry, and returns 0; at the limit, the seconds until the next one is allowed."""
        with self._lock:
            now = self._clock()
            if len(self._entered_at) == self._limit and (wait_s := self._entered_at[0] + PERIOD_S - now) > 0:
                return wait_s
            self._entered_at.append(now)
            return 0.0
