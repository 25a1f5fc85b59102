"""What the health checks read from the archive."""

import asyncio
import time
from collections.abc import Callable

from archive import ArchiveError, SourceState

TIMEOUT_S = 2.0
LIVENESS_WAIT_S = 0.02
MAX_AGE_S = 1.0


class SourceStates:
    """The states of the sources, read at most once in MAX_AGE_S, so that health checks do not compete with the collector."""

    def __init__(self) -> None:
        self._reading: asyncio.Task[None] | None = None
        self._states: tuple[SourceState, ...] | None = None
        self._expires_at = 0.0  # on the monotonic clock

    async def get(
        self, read: Callable[[], tuple[SourceState, ...]], *, wait_s: float = TIMEOUT_S
    ) -> tuple[SourceState, ...] | None:
        """The states; None if the archive could not be read within TIMEOUT_S.

        While they are read for longer than `wait_s`, those of the last time, unless there are none.
        """
        if self._reading is None and time.monotonic() >= self._expires_at:
            self._reading = asyncio.create_task(self._read(read))
        if self._reading:
            await asyncio.wait([self._reading], timeout=TIMEOUT_S if self._states is None else wait_s)
        return self._states

    async def _read(self, read: Callable[[], tuple[SourceState, ...]]) -> None:
        try:
            self._states = await asyncio.wait_for(asyncio.to_thread(read), TIMEOUT_S)
        except (ArchiveError, TimeoutError):
            self._states = None
        finally:
            self._expires_at, self._reading = time.monotonic() + MAX_AGE_S, None
