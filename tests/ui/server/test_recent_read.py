"""What health checks and gates read from the archive."""

import asyncio
import threading
import time

import pytest

from archive import ArchiveError, SourceState
from ui.server.recent_read import RecentRead

UP, DOWN = (SourceState("cloudwatch", "metrics", state, 0, None, 0.1, ()) for state in ("up", "down"))


def test_the_archive_is_read_once_a_second_and_an_error_is_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    now, reads = 100.0, 0
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def read() -> tuple[SourceState, ...]:
        nonlocal reads
        reads += 1
        if reads == 2:
            raise ArchiveError("locked", "busy")
        return (UP,)

    async def check() -> None:
        nonlocal now
        states = RecentRead[tuple[SourceState, ...]]()
        assert await asyncio.gather(*(states.get(read) for _ in range(5))) == [(UP,)] * 5
        assert reads == 1
        for expected in (None, (UP,)):
            now += 1.0
            assert [await states.get(read), await states.get(read)] == [expected] * 2
        assert reads == 3

    asyncio.run(check())


def test_a_slow_archive_delays_no_liveness_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.server.recent_read.MAX_AGE_S", 0.0)
    may_answer = threading.Event()

    def read_slowly() -> tuple[SourceState, ...]:
        may_answer.wait(60)
        return (DOWN,)

    async def check() -> None:
        states = RecentRead[tuple[SourceState, ...]]()
        assert await states.get(lambda: (UP,), wait_s=0) == (UP,), "without states it waits"
        assert await states.get(read_slowly, wait_s=0) == (UP,)
        waiting = asyncio.create_task(states.get(read_slowly))
        may_answer.set()
        assert await waiting == (DOWN,)

    asyncio.run(check())
