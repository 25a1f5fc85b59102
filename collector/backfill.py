"""Fetches what a source retains of the past, newest first and slowly, while the newest minutes are polled as usual."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Literal

from archive import Archive, FillResult
from archive.metrics import fetch_plan
from archive.metrics.fetch_plan import NO_COVERAGE, Coverage, FetchRequest, FreshnessPolicy
from collector.polling import MAX_BACKOFF_S, MIN_BACKOFF_S
from domain import Series, Window
from domain.window import DAY_S, HOUR_S, MINUTE_S
from sources.base import MetricSource

CHUNK_PERIODS = 720  # half a day of minutes per pull, so that the newest minutes never wait long
MAX_RETENTION_S = 455 * DAY_S  # that of CloudWatch
MAX_MINUTE_HISTORY_S = 63 * DAY_S  # fetched of a source that retains minutes forever, without a configured start
EMPTY_STOP_S = 15 * DAY_S  # after this much time without data, older time is not fetched
RECHECK_S = 600  # when everything is archived: gaps after an outage are found this late
PAUSE_FACTOR = 3  # pause after a pull, in multiples of its duration: leaves processor time to the pages

BackfillState = Literal["filling", "waiting", "done"]


@dataclass(frozen=True, slots=True)
class BackfillStatus:
    """`available` of `total` periods of one series in `window`, each in the resolution that the source retains.

    `state`: "waiting" after a failed or throttled pull, or while the archive cannot be written. `complete_since`: from then on (epoch
    seconds) everything that is retained is archived. Without final time since the configured start there is nothing to do.
    """

    state: BackfillState
    available: int
    total: int
    complete_since: int
    window: Window


class Backfill:
    """The backfill of one source from `since_s` on (epoch seconds); None: everything that it retains."""

    def __init__(
        self, archive: Archive, source: MetricSource, *, since_s: int | None, pause_factor: float = PAUSE_FACTOR
    ) -> None:
        self._archive, self._source, self._since_s = archive, source, since_s
        self._pause_factor = pause_factor
        self._backoff_started_at, self._backoff_s = 0, 0
        self._empty_before = 0
        self.status: BackfillStatus | None = None

    def record_outcome(self, result: FillResult, now: datetime) -> bool:
        """Returns whether a pull of the source, of any time, succeeded. If not, the backfill backs off, twice as long each time."""
        if result.archive_problem:
            self._set_state("waiting")
        throttled = any(problem.kind == "throttled" for problem in result.problems)
        if not result.pulls or (result.answered and not throttled):
            return True
        self._backoff_started_at = int(now.timestamp())
        self._backoff_s = min(max(2 * self._backoff_s, MIN_BACKOFF_S), MAX_BACKOFF_S)
        self._set_state("waiting")
        return False

    def run_once(self, now: datetime, *, poll_interval_s: int = 60) -> float:
        """Makes at most one pull. Returns the seconds until the next. Raises ArchiveError if the archive cannot be read."""
        now_s = int(now.timestamp())
        if 0 <= now_s - self._backoff_started_at < self._backoff_s:
            self._set_state("waiting")
            return float(self._backoff_started_at + self._backoff_s - now_s)
        window = self._target_window(now)
        if window is None:
            minute = now_s - now_s % MINUTE_S
            self.status = BackfillStatus("done", 0, 0, minute, Window(minute, minute + MINUTE_S))
            return float(RECHECK_S)
        metrics, name, configured = self._archive.metrics, self._source.name, self._source.series()
        coverage, policy = metrics.coverage_of(name), metrics.freshness(now)
        # A series that backs off after a failed fetch, of any time, is left out.
        ready = [
            series
            for series in configured
            if not any(fetch.in_backoff(now_s) for fetch in coverage.get(series, NO_COVERAGE).failed_fetches)
        ]
        finest_period_s = partial(self._source.finest_period_s, now=now_s)
        missing = fetch_plan.plan_fetches(window, ready, coverage, policy, finest_period_s, max_periods=CHUNK_PERIODS)
        if missing and self._is_empty_after(missing[0].window.end, coverage, policy):
            self._empty_before = missing[0].window.end
            return 0.0
        read_only = self._archive.problem is not None
        blocked = len(ready) < len(configured) and not missing
        state: BackfillState = "waiting" if read_only or blocked else "filling" if missing else "done"
        self.status = self._status(window, missing, now_s, state)
        if read_only or not missing:
            return float(MIN_BACKOFF_S if state == "waiting" else RECHECK_S)
        started = time.monotonic()
        result = metrics.fill(
            missing[0].window,
            self._source,
            now=now,
            refresh_interval_s=poll_interval_s,
            max_periods=CHUNK_PERIODS,
            max_pulls=1,
            series_filter=missing[0].series.__contains__,
        )
        if not self.record_outcome(result, now):
            return float(self._backoff_s)
        self._backoff_s = 0
        return self._pause_factor * (time.monotonic() - started)

    def _status(
        self, window: Window, missing: Sequence[FetchRequest], now: int, state: BackfillState
    ) -> BackfillStatus:
        tiers = fetch_plan.resolution_tiers(window, partial(self._source.finest_period_s, now=now))
        retained = [tier for tier, period_s in tiers if period_s]
        window = Window(retained[0].start, window.end) if retained else window
        total = fetch_plan.count_periods(tiers)
        requests = [request for request in missing if not all(series.hourly for series in request.series)]
        n_missing = fetch_plan.count_periods((request.window, request.period_s) for request in requests)
        complete_since = max((request.window.end for request in requests), default=window.start)
        return BackfillStatus(state, total - n_missing, total, complete_since, window)

    def _is_empty_after(self, end: int, coverage: Mapping[Series, Coverage], policy: FreshnessPolicy) -> bool:
        """Whether EMPTY_STOP_S from `end` on are final and fully answered, without any data."""
        window = Window(end, end + EMPTY_STOP_S)
        minutely = (coverage.get(series, NO_COVERAGE) for series in self._source.series() if not series.hourly)
        return (
            window.end <= policy.final_until
            and not any(window.subtract(item.covered_windows()) for item in minutely)
            and not self._archive.metrics.has_points(window, self._source.name)
        )

    def _target_window(self, now: datetime) -> Window | None:
        """The final time to be archived."""
        now_s, policy = int(now.timestamp()), self._archive.metrics.freshness(now)
        keeps_minutes = self._source.finest_period_s(now_s - MAX_MINUTE_HISTORY_S, now=now_s) == MINUTE_S
        history_s = MAX_MINUTE_HISTORY_S if keeps_minutes else MAX_RETENTION_S
        start = max(
            now_s - history_s if self._since_s is None else self._since_s, self._empty_before, policy.kept_since
        )
        start += -start % HOUR_S
        return Window(start, policy.final_until) if start < policy.final_until else None

    def _set_state(self, state: BackfillState) -> None:
        if self.status:
            self.status = replace(self.status, state=state)
