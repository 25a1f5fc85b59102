"""What requests that come many times a second read from the archive: at most once a second, in a thread."""

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from archive import ArchiveError

TIMEOUT_S = 2.0
LIVENESS_WAIT_S = 0.02
MAX_AGE_S = 1.0

T = TypeVar("T")


class RecentRead(Generic[T]):
    """A value, read at most once in MAX_AGE_S, so that health checks and gates do not compete with the collector."""

    def __init__(self) -> None:
        self._reading: asyncio.Task[None] | None = None
        self._value: T | None = None
        self._expires_at = 0.0  # on the monotonic clock

    async def get(self, read: Callable[[], T | None], *, wait_s: float | None = None) -> T | None:
        """The value; None if the archive could not be read within TIMEOUT_S, or `read` has none.

        While it is read for longer than `wait_s` (None: TIMEOUT_S), that of the last time, unless there is none.
        """
        if self._reading is None and time.monotonic() >= self._expires_at:
            self._reading = asyncio.create_task(self._read(read))
        if self._reading:
            await asyncio.wait([self._reading], timeout=TIMEOUT_S if self._value is None or wait_s is None else wait_s)
        return self._value

    async def _read(self, read: Callable[[], T | None]) -> None:
        try:
            self._value = await asyncio.wait_for(asyncio.to_thread(read), TIMEOUT_S)
        except (ArchiveError, TimeoutError):
            self._value = None
        finally:
            self._expires_at, self._reading = time.monotonic() + MAX_AGE_S, None
