"""What the judge is given beside the data of a window: the canary's configured share, the warm-up, and what is known from before.

Only stored data is read.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from math import nan
from operator import itemgetter
from weakref import WeakKeyDictionary

import analysis
from analysis.parity.context import JudgeContext
from analysis.parity.history import baseline_by_day, learn_history
from analysis.parity.samples import PreparedGrid, prepare_grid
from analysis.series.grid import dominant_period
from analysis.series.phases import begins_phase
from archive import Archive, MetricsResult
from domain import Migration, WeightChange, Window
from domain.window import DAY_S, MINUTE_S
from services.criteria import criteria_key, with_criteria
from services.freshness import final_until
from services.versioned_cache import VersionedCache


def read_context(
    archive: Archive, migration: Migration, source: str, result: MetricsResult, *, now: datetime
) -> JudgeContext:
    """The context of the data of `source` in `result`. Raises ArchiveError."""
    settings = read_settings(archive, migration, source, result.window)
    period_s, _ = dominant_period(result.frame, result.window)
    if period_s is None:
        return settings
    past = _Past(result.window.start, period_s, _before(settings, result.window.start))
    cache = _histories.setdefault(archive, VersionedCache())
    key = (source, past.end, period_s, migration.criteria)
    version = history_key(archive, migration, source, result.window), past
    history = cache.get(key, version)
    if history is None:
        history = learn_history(_pasts(archive, migration, source, past, now=now))
        cache.put(key, version, history)
    return replace(settings, scatter=history.scatter, usual=history.usual)


def _before(settings: JudgeContext, end: int) -> JudgeContext:
    return JudgeContext(
        tuple(step for step in settings.configured if step[0] < end),
        tuple(part for part in settings.warm_up if part.start < end),
        settings.counts_503,
    )


def read_settings(archive: Archive, migration: Migration, source: str, window: Window) -> JudgeContext:
    """The context of `window` and of the two days before it, without what is known from these. Raises ArchiveError."""
    since, warm_up_s = window.start - 2 * DAY_S, migration.warm_up_s
    initial = archive.events.initial_share()
    steps = [(initial.since, initial.share)] if initial else []
    steps += [step for change in archive.events.weight_changes() for step in _steps_of(change)]
    steps.sort(key=itemgetter(0))
    first = max((start for start, _ in steps if start <= since), default=since)
    events = archive.events.read(Window(since, window.end)) if warm_up_s else ()
    return JudgeContext(
        tuple((start, share) for start, share in steps if first <= start < window.end),
        tuple(warm_up_window(event.ts, warm_up_s) for event in events if begins_phase(event)),
        any(series.metric == "alb_503" for series in archive.metrics.configured_series(source)),
    )


def warm_up_window(ts: int, warm_up_s: int) -> Window:
    """The minute of a change at `ts` (epoch seconds) and the warm-up after it."""
    minute = ts - ts % MINUTE_S
    return Window(minute, ts + -ts % MINUTE_S + warm_up_s)


def _steps_of(change: WeightChange) -> Iterator[tuple[int, float]]:
    """The configured share from a change on: NaN between two snapshots, and after the rule was deleted."""
    if change.since < change.ts:
        yield change.since, nan
    yield change.ts, nan if change.after is None else change.after


def history_key(archive: Archive, migration: Migration, source: str, window: Window) -> Hashable:
    """A value that changes whenever the data before `window` may have changed. Raises ArchiveError."""
    before = Window(window.start - 2 * DAY_S, window.start)
    return archive.metrics.cache_key(before, source), criteria_key(archive, migration, before)


def _pasts(
    archive: Archive, migration: Migration, source: str, past: "_Past", *, now: datetime
) -> Iterator[PreparedGrid]:
    """Both fleets in the last day before a window; then its baseline as the canary of the day before it."""

    def read(window: Window, *, baseline_only: bool = False) -> MetricsResult:
        result = archive.metrics.read(
            window,
            source,
            now=now,
            series_filter=lambda series: (
                (series.fleet == "baseline" or not baseline_only) and analysis.is_needed(series, migration.criteria)
            ),
        )
        result = replace(result, frame=result.frame[result.frame["period_s"] == past.period_s])
        return with_criteria(archive, migration, result, now=now)

    day, day_before = Window(past.end - DAY_S, past.end), Window(past.end - 2 * DAY_S, past.end - DAY_S)
    result = read(day)
    if result.frame.empty:
        return
    end = final_until(migration, result, now=now)
    prepare = partial(prepare_grid, criteria=migration.criteria, window=day, provisional_from=end)
    yield prepare(result.frame, unknown=result.unknown, context=past.settings)
    yield prepare(baseline_by_day(result.frame, read(day_before, baseline_only=True).frame))


@dataclass(frozen=True, slots=True)
class _Past:
    """The time before `end` (epoch seconds), in periods of `period_s`."""

    end: int
    period_s: int
    settings: JudgeContext


_histories: WeakKeyDictionary[Archive, VersionedCache[JudgeContext]] = WeakKeyDictionary()
