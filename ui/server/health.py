"""What the health check reads from the archive."""

import asyncio
import time
from collections.abc import Callable

from archive import ArchiveError, SourceState

TIMEOUT_S = 2.0
MAX_AGE_S = 1.0


class SourceStates:
    """The states of the sources, read at most once in MAX_AGE_S, so that health checks do not compete with the collector."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._states: tuple[SourceState, ...] = ()
        self._expires_at = 0.0  # on the monotonic clock

    async def get(self, read: Callable[[], tuple[SourceState, ...]]) -> tuple[SourceState, ...]:
        """The states; none if the archive cannot be read within TIMEOUT_S."""
        async with self._lock:
            if time.monotonic() >= self._expires_at:
                try:
                    self._states = await asyncio.wait_for(asyncio.to_thread(read), TIMEOUT_S)
                except (ArchiveError, TimeoutError):
                    self._states = ()
                self._expires_at = time.monotonic() + MAX_AGE_S
            return self._states
