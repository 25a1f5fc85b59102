"""The back-fill: what a source still keeps of the time before, asked gently, newest first, while the live edge goes on as ever."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Literal

from archive.archive import Archive
from archive.metrics.fetch_plan import (
    NO_COVERAGE,
    Coverage,
    FetchRequest,
    FreshnessPolicy,
    count_periods,
    plan_fetches,
    resolution_tiers,
)
from archive.metrics.results import FillResult
from domain import Series, Window
from domain.window import MINUTE_S
from sources.base import MetricSource

CHUNK_PERIODS = 720  # half a day of minutes in one pull: few enough that the live edge never waits long for its turn
MAX_RETENTION_S = 455 * 86_400  # as long as CloudWatch keeps anything
MAX_MINUTE_HISTORY_S = (
    63 * 86_400
)  # of a source that keeps minutes for longer than that, no more is asked unless somebody says since when
EMPTY_STOP_S = (
    15 * 86_400
)  # where all that was answered of so long a time holds nothing, what lies before it is not asked
RECHECK_S = 600  # once all is there: a gap that an outage left behind is found after so long
MIN_BACKOFF_S, MAX_BACKOFF_S = 15, 900
PAUSE_FACTOR = 3  # times as long as a pull took: the pages' share of the processor, and of the source's patience

BackfillState = Literal["filling", "waiting", "done"]


@dataclass(frozen=True, slots=True)
class BackfillStatus:
    """How far one source's past is kept: `there` of `whole` periods, of one series, each in the resolution that the source still has.

    `state`: "filling", "waiting" (refused, throttled, or the archive cannot be written) or "done". `back_to`: from here on (epoch seconds)
    everything that can be had is there. `window`: what shall be there; it begins later where the source had nothing for long.
    """

    state: BackfillState
    available: int
    total: int
    complete_since: int
    window: Window


class Backfill:
    """Fills one source's past, a pull a step. `since`: the first minute that is wanted (epoch seconds); None: everything the source keeps."""

    def __init__(self, archive: Archive, source: MetricSource, *, since_s: int | None) -> None:
        self._archive, self._source, self._since_s = archive, source, since_s
        self._backoff_started_at, self._backoff_s = 0, 0
        self._empty_before = 0
        self.status: BackfillStatus | None = None

    def record_outcome(self, result: FillResult, now: datetime) -> bool:
        """Whether an asking of the source, for whatever time, went well. If not, the past waits, longer each time until some of it came."""
        if result.archive_problem:
            self._set_state("waiting")
        if not result.pulls or (
            result.answered and not any(problem.kind == "throttled" for problem in result.problems)
        ):
            return True
        self._backoff_started_at = int(now.timestamp())
        self._backoff_s = min(max(2 * self._backoff_s, MIN_BACKOFF_S), MAX_BACKOFF_S)
        self._set_state("waiting")
        return False

    def run_once(self, now: datetime, *, poll_interval_s: int = 60) -> float:
        """Makes one pull, if any is to be made. Returns the seconds until the next step. Raises ArchiveError where the archive cannot be read."""
        at = int(now.timestamp())
        if 0 <= at - self._backoff_started_at < self._backoff_s:
            self._set_state("waiting")
            return float(self._backoff_started_at + self._backoff_s - at)
        window = self._target_window(now)
        if window is None:
            return float(RECHECK_S)
        known, wanted, edge = (
            self._archive.metrics.coverage_of(self._source.name),
            self._source.series(),
            self._archive.metrics.freshness(now),
        )
        # Series that wait after a refusal, of any time, are not asked for the past either.
        asked = [
            one for one in wanted if not any(old.in_backoff(at) for old in known.get(one, NO_COVERAGE).failed_fetches)
        ]
        left = plan_fetches(
            window, asked, known, edge, partial(self._source.finest_period_s, now=at), max_periods=CHUNK_PERIODS
        )
        if left and self._is_empty(Window(left[0].window.end, left[0].window.end + EMPTY_STOP_S), known, edge):
            self._empty_before = left[0].window.end
            return 0.0
        unwritten = self._archive.problem is not None
        state: BackfillState = (
            "waiting" if unwritten or (len(asked) < len(wanted) and not left) else "filling" if left else "done"
        )
        self.status = self._status(window, left, at, state)
        if unwritten or not left:
            return float(MIN_BACKOFF_S if state == "waiting" else RECHECK_S)
        began, first = time.monotonic(), left[0]
        filled = self._archive.metrics.fill(
            first.window,
            self._source,
            now=now,
            refresh_interval_s=poll_interval_s,
            max_periods=CHUNK_PERIODS,
            max_pulls=1,
            series_filter=first.series.__contains__,
        )
        if not self.record_outcome(filled, now):
            return float(self._backoff_s)
        self._backoff_s = 0
        return PAUSE_FACTOR * (time.monotonic() - began)

    def _status(
        self, window: Window, missing: Sequence[FetchRequest], now: int, state: BackfillState
    ) -> BackfillStatus:
        parts = resolution_tiers(window, partial(self._source.finest_period_s, now=now))
        kept = [part for part, period_s in parts if period_s]  # what lies before the first is nowhere to be had
        window = Window(kept[0].start, window.end) if kept else window
        whole = count_periods(parts)
        lacking = [ask for ask in missing if not all(one.hourly for one in ask.series)]
        back_to = max((ask.window.end for ask in lacking), default=window.start)
        return BackfillStatus(
            state, whole - count_periods((ask.window, ask.period_s) for ask in lacking), whole, back_to, window
        )

    def _is_empty(self, window: Window, coverage: Mapping[Series, Coverage], policy: FreshnessPolicy) -> bool:
        """Whether all of a settled window was answered, and held nothing of any series."""
        of_minutes = (coverage.get(one, NO_COVERAGE) for one in self._source.series() if not one.hourly)
        return (
            window.end <= policy.final_until
            and not any(window.subtract(one.covered_windows()) for one in of_minutes)
            and not self._archive.metrics.has_points(window, self._source.name)
        )

    def _target_window(self, now: datetime) -> Window | None:
        """The settled time that shall be there."""
        at, end = int(now.timestamp()), self._archive.metrics.freshness(now).final_until
        far = (
            MAX_MINUTE_HISTORY_S
            if self._source.finest_period_s(at - MAX_MINUTE_HISTORY_S, now=at) == MINUTE_S
            else MAX_RETENTION_S
        )
        start = max(at - far if self._since_s is None else self._since_s, self._empty_before)
        start += -start % 3600
        return Window(start, end) if start < end else None

    def _set_state(self, state: BackfillState) -> None:
        if self.status:
            self.status = replace(self.status, state=state)
