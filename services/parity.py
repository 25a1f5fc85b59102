"""Judging a phase, or any window, of the archive: the one way to a verdict for every page and command. It reads only the series that the judge needs."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from weakref import WeakKeyDictionary

import pandas as pd

import analysis
from archive.archive import Archive
from archive.metrics.results import Brought
from domain import Event, Migration, Window
from domain.window import MINUTE_S

HISTORY_S = 90 * 86_400  # so far back phases are known
UNSEEN_S = (
    86_400  # of a phase whose beginning nobody saw, its last day is evidence: before that, nobody knows the split
)
KEPT = 64  # judgements of an archive that are remembered


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A window of the archive and what the judge says of it. `firm_until` (epoch seconds): what is younger may change and was not judged.

    `brought` holds the numbers that were judged, or, where the verdict was remembered, None.
    """

    window: Window
    judgement: analysis.Judgement
    firm_until: int
    brought: Brought | None


def known_phases(events: Iterable[Event], *, end: int) -> tuple[analysis.Phase, ...]:
    """Every phase that is known up to `end` (epoch seconds, a whole minute), oldest first; the last one is the current one."""
    return analysis.phases(events, Window(end - HISTORY_S, end))


def evidence_of(phase: analysis.Phase) -> Window:
    """What of a phase is judged: all of it, but of one whose beginning nobody saw its last day."""
    window = phase.window
    return Window(max(window.start, window.end - UNSEEN_S), window.end) if phase.begun_by == "window" else window


def judge_window(
    archive: Archive, migration: Migration, source: str, window: Window, *, now: datetime, numbers: bool = False
) -> Judged:
    """What the judge says of `window`, as `source` saw it, from the archive alone. `numbers`: with what was judged, even if the verdict is known.

    A window that is settled is judged once, and again only when more of it has been answered. Raises ArchiveError
    where the database cannot be read.
    """
    remembered, key = _remembered_of(archive), (source, window, migration.criteria)
    version = archive.version(window, source)
    found = remembered.get(key, version)
    if found and not numbers:
        return found
    brought = archive.read(window, source, now=now, only=lambda one: analysis.needed(one, migration.criteria))
    judged = judge_brought(migration, brought, now=now)
    if not brought.archive_problem:
        remembered.put(key, version, replace(judged, brought=None))
    return judged


def judge_brought(migration: Migration, brought: Brought, *, now: datetime) -> Judged:
    """What the judge says of numbers that were read already."""
    firm_until = firm(migration, brought, now=now)
    judgement = analysis.judge(
        brought.frame, migration.criteria, window=brought.window, provisional_from=firm_until, unknown=brought.unknown
    )
    return Judged(brought.window, judgement, firm_until, brought)


def trace_brought(migration: Migration, brought: Brought, *, now: datetime) -> pd.DataFrame:
    """How that judgement came about, minute by minute (analysis.TRACE_COLUMNS)."""
    return analysis.trace(
        brought.frame,
        migration.criteria,
        window=brought.window,
        provisional_from=firm(migration, brought, now=now),
        unknown=brought.unknown,
    )


def firm(migration: Migration, brought: Brought, *, now: datetime) -> int:
    """Up to here (epoch seconds) the numbers may be judged."""
    settled = int(now.timestamp()) // MINUTE_S * MINUTE_S - migration.settle_minutes * MINUTE_S
    return brought.firm_until(provisional_s=migration.provisional_minutes * MINUTE_S, settled=settled)


class _Remembered:
    """The newest judgements by what they are of, each with the version of the numbers that it stands on."""

    def __init__(self) -> None:
        self._lock, self._found = Lock(), OrderedDict[Hashable, tuple[Hashable, Judged]]()

    def get(self, key: Hashable, version: Hashable) -> Judged | None:
        with self._lock:
            known, judged = self._found.get(key, (None, None))
            return judged if known == version else None

    def put(self, key: Hashable, version: Hashable, judged: Judged) -> None:
        with self._lock:
            self._found[key] = (version, judged)
            self._found.move_to_end(key)
            while len(self._found) > KEPT:
                self._found.popitem(last=False)


_remembered: WeakKeyDictionary[Archive, _Remembered] = WeakKeyDictionary()


def _remembered_of(archive: Archive) -> _Remembered:
    return _remembered.setdefault(archive, _Remembered())
