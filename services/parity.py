"""Judges a phase, or any window, from the archive. Only the series that the judge needs are read."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from datetime import datetime
from weakref import WeakKeyDictionary

import pandas as pd

import analysis
from analysis.parity.context import NO_CONTEXT, JudgeContext
from archive import Archive, MetricsResult
from domain import Migration, Window
from services.criteria import criteria_key, with_criteria
from services.fleet_requests import fleet_requests
from services.freshness import final_until
from services.judge_context import history_key, read_context, read_settings
from services.versioned_cache import VersionedCache


@dataclass(frozen=True, slots=True, eq=False)
class WindowJudgement:
    """The judgement of a window; data after `final_until` (epoch seconds) was not judged. `result`: of the read, without its rows: those of eight days
    of twenty target groups take 37 MB. `context`: what the judge was given beside it. `trace`: the judgement after each minute (analysis.TRACE_COLUMNS),
    None if it was not asked for.
    """

    window: Window
    judgement: analysis.Judgement
    final_until: int
    result: MetricsResult
    context: JudgeContext = field(default_factory=JudgeContext)
    trace: pd.DataFrame | None = None


def judge_window(
    archive: Archive,
    migration: Migration,
    source: str,
    window: Window,
    *,
    now: datetime,
    canary_share: float | None = None,
    trace_checkpoint: Callable[[], None] | None = None,
) -> WindowJudgement:
    """Judges the data of `source` in `window`. `canary_share`: the configured share in all of it, if known. Raises ArchiveError.

    A judgement is cached until what it is made from changes, but not its trace, which is large: with a `trace_checkpoint`, which may raise to give
    up, the window is judged again, with the trace.
    """
    cache, key = _caches.setdefault(archive, VersionedCache()), (source, window, migration.criteria, canary_share)
    version = judgement_key(archive, migration, source, window)
    if trace_checkpoint is None and (cached := cache.get(key, version)):
        return cached
    result = _read(archive, migration, source, window, now)
    context = read_context(archive, migration, source, result, now=now)
    judged = judge_result(
        migration,
        source,
        result,
        now=now,
        canary_share=canary_share,
        context=context,
        trace_checkpoint=trace_checkpoint,
    )
    if not result.archive_problem:
        cache.put(key, version, replace(judged, trace=None))
    return judged


def prepare_window(
    archive: Archive, migration: Migration, source: str, window: Window, *, now: datetime, canary_share: float | None
) -> analysis.PreparedGrid:
    """What `judge_window` judges. Raises ArchiveError."""
    result = _read(archive, migration, source, window, now)
    context = read_context(archive, migration, source, result, now=now)
    end = final_until(migration, result, now=now)
    return _prepare(migration, source, result, end=end, canary_share=canary_share, context=context)


def _prepare(
    migration: Migration,
    source: str,
    result: MetricsResult,
    *,
    end: int,
    canary_share: float | None,
    context: JudgeContext,
) -> analysis.PreparedGrid:
    return analysis.prepare_grid(
        result.frame,
        migration.criteria,
        window=result.window,
        provisional_from=end,
        unknown=result.unknown,
        fleets=fleet_requests(result, source, final_until=end, canary_share=canary_share),
        context=context,
    )


def _read(archive: Archive, migration: Migration, source: str, window: Window, now: datetime) -> MetricsResult:
    result = archive.metrics.read(
        window, source, now=now, series_filter=lambda series: analysis.is_needed(series, migration.criteria)
    )
    return with_criteria(archive, migration, result, now=now)


def judgement_key(archive: Archive, migration: Migration, source: str, window: Window) -> Hashable:
    """A value that changes whenever `judge_window` may say something else of `window` at the same time. Raises ArchiveError."""
    settings = read_settings(archive, migration, source, window)
    data = archive.metrics.cache_key(window, source), criteria_key(archive, migration, window)
    history = history_key(archive, migration, source, window)
    return data, history, settings.configured, settings.warm_up, settings.counts_503


def judge_result(
    migration: Migration,
    source: str,
    result: MetricsResult,
    *,
    now: datetime,
    canary_share: float | None = None,
    context: JudgeContext = NO_CONTEXT,
    trace_checkpoint: Callable[[], None] | None = None,
) -> WindowJudgement:
    """Judges data of `source` that was read already, with the trace if there is a `trace_checkpoint`, which may raise to give up."""
    end = final_until(migration, result, now=now)
    prepared = _prepare(migration, source, result, end=end, canary_share=canary_share, context=context)
    judgement = analysis.judge(prepared)
    trace = analysis.trace(prepared, trace_checkpoint) if trace_checkpoint else None
    without_rows = replace(result, frame=result.frame.iloc[:0].copy())
    return WindowJudgement(result.window, judgement, end, without_rows, context, trace)


_caches: WeakKeyDictionary[Archive, VersionedCache[WindowJudgement]] = WeakKeyDictionary()
