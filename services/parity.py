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
from archive.metrics.results import MetricsResult
from domain import Event, Migration, Window
from domain.window import MINUTE_S

PHASE_HISTORY_S = 90 * 86_400  # so far back phases are known
UNKNOWN_START_WINDOW_S = (
    86_400  # of a phase whose beginning nobody saw, its last day is evidence: before that, nobody knows the split
)
MAX_CACHED_JUDGEMENTS = 64  # judgements of an archive that are remembered


@dataclass(frozen=True, slots=True, eq=False)
class WindowJudgement:
    """A window of the archive and what the judge says of it. `firm_until` (epoch seconds): what is younger may change and was not judged.

    `brought` holds the numbers that were judged, or, where the verdict was remembered, None.
    """

    window: Window
    judgement: analysis.Judgement
    final_until: int
    result: MetricsResult | None


def known_phases(events: Iterable[Event], *, end: int) -> tuple[analysis.Phase, ...]:
    """Every phase that is known up to `end` (epoch seconds, a whole minute), oldest first; the last one is the current one."""
    return analysis.phases(events, Window(end - PHASE_HISTORY_S, end))


def evidence_window(phase: analysis.Phase) -> Window:
    """What of a phase is judged: all of it, but of one whose beginning nobody saw its last day."""
    window = phase.window
    return (
        Window(max(window.start, window.end - UNKNOWN_START_WINDOW_S), window.end)
        if phase.started_by == "window"
        else window
    )


def judge_window(
    archive: Archive, migration: Migration, source: str, window: Window, *, now: datetime, with_result: bool = False
) -> WindowJudgement:
    """What the judge says of `window`, as `source` saw it, from the archive alone. `numbers`: with what was judged, even if the verdict is known.

    A window that is settled is judged once, and again only when more of it has been answered. Raises ArchiveError
    where the database cannot be read.
    """
    remembered, key = _cache_of(archive), (source, window, migration.criteria)
    version = archive.metrics.cache_key(window, source)
    found = remembered.get(key, version)
    if found and not with_result:
        return found
    brought = archive.metrics.read(
        window, source, now=now, series_filter=lambda one: analysis.is_needed(one, migration.criteria)
    )
    judged = judge_result(migration, brought, now=now)
    if not brought.archive_problem:
        remembered.put(key, version, replace(judged, result=None))
    return judged


def judge_result(migration: Migration, result: MetricsResult, *, now: datetime) -> WindowJudgement:
    """What the judge says of numbers that were read already."""
    firm_until = final_until(migration, result, now=now)
    judgement = analysis.judge(
        result.frame, migration.criteria, window=result.window, provisional_from=firm_until, unknown=result.unknown
    )
    return WindowJudgement(result.window, judgement, firm_until, result)


def trace_result(migration: Migration, result: MetricsResult, *, now: datetime) -> pd.DataFrame:
    """How that judgement came about, minute by minute (analysis.TRACE_COLUMNS)."""
    return analysis.trace(
        result.frame,
        migration.criteria,
        window=result.window,
        provisional_from=final_until(migration, result, now=now),
        unknown=result.unknown,
    )


def final_until(migration: Migration, result: MetricsResult, *, now: datetime) -> int:
    """Up to here (epoch seconds) the numbers may be judged."""
    settled = int(now.timestamp()) // MINUTE_S * MINUTE_S - migration.settle_minutes * MINUTE_S
    return result.final_until(provisional_s=migration.provisional_minutes * MINUTE_S, final_by_age=settled)


class _JudgementCache:
    """The newest judgements by what they are of, each with the version of the numbers that it stands on."""

    def __init__(self) -> None:
        self._lock, self._entries = Lock(), OrderedDict[Hashable, tuple[Hashable, WindowJudgement]]()

    def get(self, key: Hashable, cache_key: Hashable) -> WindowJudgement | None:
        with self._lock:
            known, judged = self._entries.get(key, (None, None))
            return judged if known == cache_key else None

    def put(self, key: Hashable, cache_key: Hashable, judgement: WindowJudgement) -> None:
        with self._lock:
            self._entries[key] = (cache_key, judgement)
            self._entries.move_to_end(key)
            while len(self._entries) > MAX_CACHED_JUDGEMENTS:
                self._entries.popitem(last=False)


_caches: WeakKeyDictionary[Archive, _JudgementCache] = WeakKeyDictionary()


def _cache_of(archive: Archive) -> _JudgementCache:
    return _caches.setdefault(archive, _JudgementCache())
