"""The states of the sources for the health check."""

import asyncio
import time

import pytest

from archive import ArchiveError, SourceState
from ui.server.health import SourceStates


def test_the_archive_is_read_once_a_second_and_an_error_is_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    now, reads = 100.0, 0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    state = SourceState("cloudwatch", "metrics", "up", 0, None, 0.1, ())

    def read() -> tuple[SourceState, ...]:
        nonlocal reads
        reads += 1
        if reads == 2:
            raise ArchiveError("locked", "busy")
        return (state,)

    async def check() -> None:
        nonlocal now
        states = SourceStates()
        assert await asyncio.gather(*(states.get(read) for _ in range(5))) == [(state,)] * 5
        assert reads == 1
        for expected in ((), (state,)):
            now += 1.0
            assert [await states.get(read), await states.get(read)] == [expected] * 2
        assert reads == 3

    asyncio.run(check())
