"""Judges a phase, or any window, from the archive. Only the series that the judge needs are read."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from weakref import WeakKeyDictionary

import pandas as pd

import analysis
from archive import Archive, MetricsResult
from domain import Migration, Window
from services.fleet_requests import fleet_requests
from services.freshness import final_until

MAX_CACHED_JUDGEMENTS = 64  # per archive


@dataclass(frozen=True, slots=True, eq=False)
class WindowJudgement:
    """The judgement of a window; data after `final_until` (epoch seconds) was not judged. `result`: the judged data, None from the cache."""

    window: Window
    judgement: analysis.Judgement
    final_until: int
    result: MetricsResult | None


def judge_window(
    archive: Archive,
    migration: Migration,
    source: str,
    window: Window,
    *,
    now: datetime,
    canary_share: float | None = None,
    with_result: bool = False,
) -> WindowJudgement:
    """Judges the data of `source` in `window`. `canary_share`: the configured share in all of it, if known. Raises ArchiveError.

    A judgement is cached until data of its window changes. `with_result`: includes the judged data, even for a cached judgement.
    """
    cache, key = _caches.setdefault(archive, _JudgementCache()), (source, window, migration.criteria, canary_share)
    cache_key = archive.metrics.cache_key(window, source)
    cached = cache.get(key, cache_key)
    if cached and not with_result:
        return cached
    result = archive.metrics.read(
        window, source, now=now, series_filter=lambda series: analysis.is_needed(series, migration.criteria)
    )
    judgement = judge_result(migration, source, result, now=now, canary_share=canary_share)
    if not result.archive_problem:
        cache.put(key, cache_key, replace(judgement, result=None))
    return judgement


def judge_result(
    migration: Migration, source: str, result: MetricsResult, *, now: datetime, canary_share: float | None = None
) -> WindowJudgement:
    """Judges data of `source` that was read already."""
    end = final_until(migration, result, now=now)
    judgement = analysis.judge(
        result.frame,
        migration.criteria,
        window=result.window,
        provisional_from=end,
        unknown=result.unknown,
        fleets=fleet_requests(result, source, final_until=end, canary_share=canary_share),
    )
    return WindowJudgement(result.window, judgement, end, result)


def trace_result(
    migration: Migration, result: MetricsResult, *, now: datetime, checkpoint: Callable[[], None] = lambda: None
) -> pd.DataFrame:
    """The judgement after each minute (analysis.TRACE_COLUMNS). `checkpoint` may raise to give up."""
    return analysis.trace(
        result.frame,
        migration.criteria,
        window=result.window,
        provisional_from=final_until(migration, result, now=now),
        unknown=result.unknown,
        before_criterion=checkpoint,
    )


class _JudgementCache:
    """The latest judgements by key, each valid for one cache key of its data."""

    def __init__(self) -> None:
        self._lock, self._entries = Lock(), OrderedDict[Hashable, tuple[Hashable, WindowJudgement]]()

    def get(self, key: Hashable, cache_key: Hashable) -> WindowJudgement | None:
        with self._lock:
            known, judgement = self._entries.get(key, (None, None))
            return judgement if known == cache_key else None

    def put(self, key: Hashable, cache_key: Hashable, judgement: WindowJudgement) -> None:
        with self._lock:
            self._entries[key] = (cache_key, judgement)
            self._entries.move_to_end(key)
            while len(self._entries) > MAX_CACHED_JUDGEMENTS:
                self._entries.popitem(last=False)


_caches: WeakKeyDictionary[Archive, _JudgementCache] = WeakKeyDictionary()
