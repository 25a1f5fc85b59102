"""What was read last: shown while the archive cannot be read."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from archive.db.errors import ArchiveProblem
from domain import Window

MAX_RESULTS = 8  # of each kind

_recalled: ContextVar[list[int] | None] = ContextVar("recalled", default=None)


@dataclass(frozen=True, slots=True)
class Outage:
    """Why the archive cannot be read, and since when (epoch seconds)."""

    problem: ArchiveProblem
    since: int


@contextmanager
def recalled_times() -> Iterator[list[int]]:
    """When everything was read (epoch seconds) that this thread takes from memory in the block, because the archive cannot be read."""
    times: list[int] = []
    token = _recalled.set(times)
    try:
        yield times
    finally:
        _recalled.reset(token)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A result of `window`, and when it was read (epoch seconds)."""

    value: Any
    window: Window | None
    read_at: int


class LastKnown:
    """The newest results by kind, key and window. At most MAX_RESULTS of a kind, the latest ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: dict[Hashable, OrderedDict[tuple[Hashable, Window | None], Remembered]] = {}

    def remember(self, kind: Hashable, key: Hashable, window: Window | None, value: object, *, read_at: int) -> None:
        """Replaces earlier results of the same key and about the same window."""
        with self._lock:
            of_kind = self._results.setdefault(kind, OrderedDict())
            for known in [known for known in of_kind if known[0] == key and _is_about(known[1], window)]:
                del of_kind[known]
            of_kind[key, window] = Remembered(value, window, read_at)
            while len(of_kind) > MAX_RESULTS:
                of_kind.popitem(last=False)

    def recall(self, kind: Hashable, key: Hashable, window: Window | None) -> Remembered | None:
        """The result of a key that has the most of `window`, the shortest of those; None if there is none."""
        with self._lock:
            of_key = [item for (known, _), item in self._results.get(kind, {}).items() if known == key]
        found = max(of_key, key=lambda item: _fit(item.window, window), default=None)
        found = found if found and _fit(found.window, window) > (0, 0) else None
        if found and (times := _recalled.get()) is not None:
            times.append(found.read_at)
        return found


def _fit(known: Window | None, window: Window | None) -> tuple[int, int]:
    """The more the better; (0, 0) if a result of `known` has nothing of `window`."""
    if known is None or window is None:
        return (1, 0) if known is window else (0, 0)
    overlap = known.overlap(window)
    return (overlap.minutes, -known.minutes) if overlap else (0, 0)


def _is_about(known: Window | None, window: Window | None) -> bool:
    """Whether more than half of both windows together is in both."""
    if known is None or window is None:
        return known is window
    overlap = known.overlap(window)
    return overlap is not None and 3 * overlap.minutes > known.minutes + window.minutes
