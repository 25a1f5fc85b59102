"""The archive's metrics: a read-through cache that fetches what is missing or provisional and stores it."""

import threading
import time
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import numpy as np
from sqlalchemy import Connection

from archive.db.database import Database
from archive.db.errors import ArchiveError
from archive.db.lease import Lease
from archive.db.source_row import read_change_counter
from archive.events.source_state import read_state, save_answer_state
from archive.metrics import coverage, points, rows, window_latency
from archive.metrics.coverage import FetchOutcome, SeriesIndex
from archive.metrics.downsampling import Overview
from archive.metrics.fetch_plan import NO_COVERAGE, Coverage, FetchRequest, FreshnessPolicy, due_in_s, plan_fetches
from archive.metrics.long_windows import read_overview
from archive.metrics.results import FillResult, MetricsResult, metrics_result
from archive.metrics.rows import NO_ROWS, Rows
from archive.metrics.write_buffer import WriteBuffer
from domain import Clock, Series, Window
from domain.config.retention import KEEP_ALL, Retention
from domain.series import any_series, is_not_hourly, is_request_count
from sources.base import SERIES_PROBLEMS, MetricSource, Problem
from sources.tracing import traced
from sources.window_latency import WindowLatency, WindowLatencySource

SeriesFilter = Callable[[Series], bool]
MAX_PENDING_PULLS = 120  # held in memory while the archive cannot be written
MAX_REMEMBERED_ROWS = 200_000  # of one window; two days of minutes of sixty series


@dataclass(frozen=True, slots=True)
class _FillJob:
    """Fetch what is missing in `windows`, in order of priority, in at most `max_pulls` pulls of `max_periods` periods."""

    windows: tuple[Window, ...]
    source: MetricSource
    policy: FreshnessPolicy
    max_periods: int
    max_pulls: int | None
    series_filter: SeriesFilter = any_series


@dataclass(frozen=True, slots=True)
class StoredMetrics:
    """What the database has of some series of one source in `window`. Codes of `rows` are positions in `series`; `coverage`: of all series."""

    window: Window
    series: tuple[Series, ...] = ()
    rows: Rows = NO_ROWS
    coverage: Mapping[Series, Coverage] = field(default_factory=dict)
    reported: frozenset[Series] = frozenset()
    problems: tuple[Problem, ...] = ()

    def part(self, window: Window, series_filter: SeriesFilter) -> "StoredMetrics":
        """The selected series in `window`. Time outside of this one's window is not covered."""
        inside = (self.rows.ts >= window.start) & (self.rows.ts < window.end)
        selected = np.array([series_filter(item) for item in self.series], dtype=bool)
        of_selected = self.rows.where(inside & selected[self.rows.code]) if len(self.rows) else self.rows
        codes = np.cumsum(selected) - 1
        return replace(
            self,
            window=window,
            series=tuple(filter(series_filter, self.series)),
            rows=replace(of_selected, code=codes[of_selected.code]),
            coverage={item: known.within(self.window) for item, known in self.coverage.items()},
        )


class MetricStore:
    """Metrics of one migration. Raises ArchiveError if the database cannot be used; `get`, `fill` and `read` return the problem instead."""

    def __init__(
        self, database: Database, *, final_after_s: int, clock: Clock, retention: Retention = KEEP_ALL
    ) -> None:
        self._database, self._final_after_s, self._clock = database, final_after_s, clock
        self._retention = retention
        self._lock = threading.Lock()
        self._buffers: dict[str, WriteBuffer] = {}
        self._indexes: dict[str, tuple[int, SeriesIndex]] = {}  # by source, with the version that was read
        self._pending_window_latencies: dict[tuple[str, int], WindowLatency] = {}

    def get(
        self, window: Window, source: MetricSource, *, now: datetime, refresh_interval_s: int = 60
    ) -> MetricsResult:
        """The metrics in `window`, read from the archive after what is missing or provisional was fetched.

        Provisional minutes are fetched at most every `refresh_interval_s`, by the first thread or process; the others only read.
        """
        started = time.monotonic()
        filled = self.fill(window, source, now=now, refresh_interval_s=refresh_interval_s)
        result = self.read(window, source.name, now=now)
        return replace(
            result,
            datapoints_requested=filled.datapoints_requested,
            problems=tuple(dict.fromkeys((*result.problems, *filled.problems))),
            archive_problem=filled.archive_problem or result.archive_problem,
            took_s=time.monotonic() - started,
        )

    def fill(
        self,
        window: Window,
        source: MetricSource,
        *,
        now: datetime,
        refresh_interval_s: int = 60,
        max_periods: int = 1440,
        max_pulls: int | None = None,
        series_filter: SeriesFilter = any_series,
    ) -> FillResult:
        """Fetches what is missing in `window`, newest first, in at most `max_pulls` pulls of `max_periods` periods, each stored at once."""
        policy = self.freshness(now, refresh_interval_s)
        return self._fill(_FillJob((window,), source, policy, max_periods, max_pulls, series_filter))

    def fill_next(
        self,
        windows: Sequence[Window],
        source: MetricSource,
        *,
        now: datetime,
        refresh_interval_s: int = 60,
        max_periods: int = 1440,
    ) -> FillResult:
        """Makes at most one pull: the first one that the first of `windows` with something missing needs."""
        policy = self.freshness(now, refresh_interval_s)
        return self._fill(_FillJob(tuple(windows), source, policy, max_periods, max_pulls=1))

    def coverage_of(self, source_name: str) -> Mapping[Series, Coverage]:
        """The coverage of each series of a source, with answers that are not written yet. If the archive cannot be read, from the last read."""
        buffer = self._buffer_of(source_name)
        try:
            buffer.index = self._database.read(self._read_index, source_name)
        except ArchiveError as error:
            if buffer.index is None:
                raise
            self._database.set_problem(source_name, error.problem)
        return buffer.coverage

    def configured_series(self, source_name: str) -> tuple[Series, ...]:
        """The series of a source that the configuration included at the last fill by any process."""
        return self._database.read(self._read_index, source_name).configured

    def covered_span(self, source_name: str) -> Window | None:
        """From the first to the last covered time of a source, possibly with gaps, or from the first rollup that is kept; None without coverage."""
        return self._database.read(coverage.read_span, source_name)

    def latest_ts(self, source_name: str) -> int | None:
        """The newest `ts` (epoch seconds) of a source's configured series, without hourly ones; None without points."""
        return self._database.recall(self._read_latest_ts, source_name)

    def has_points(self, window: Window, source_name: str) -> bool:
        """Whether the archive has any point of a source in `window`."""
        with self._database.reading() as connection:
            index = self._read_index(connection, self._database.migration_id, source_name)
            return points.has_points(connection, tuple(index.ids.values()), window)

    def freshness(self, now: datetime, refresh_interval_s: int = 60) -> FreshnessPolicy:
        """What is final, what is provisional and what is kept at `now`."""
        now_s = int(now.timestamp())
        kept_since = self._retention.points_since(now_s)
        return FreshnessPolicy(now_s, self._final_after_s, refresh_interval_s, kept_since)

    def read(
        self,
        window: Window,
        source_name: str,
        *,
        now: datetime | None = None,
        series_filter: SeriesFilter = is_not_hourly,
    ) -> MetricsResult:
        """What the archive has of a source's series in `window`. Never fetches. `now` (default: the clock) decides what is final.

        While the archive cannot be read: what it had of `window` when all series were last read, and what is not written yet.
        """
        started = time.monotonic()
        policy = self.freshness(now or self._clock())
        buffer = self._buffer_of(source_name)
        problem, pending = self._database.problem(source_name), buffer.pending_writes
        try:
            with self._database.reading() as connection:
                stored = self._read_stored(connection, source_name, window, series_filter)
        except ArchiveError as error:
            problem = error.problem
            remembered = self._database.remembered(StoredMetrics, source_name, window)
            stored = remembered.value.part(window, series_filter) if remembered else StoredMetrics(window)
        else:
            if series_filter is is_not_hourly and len(stored.rows) <= MAX_REMEMBERED_ROWS:
                self._database.remember(StoredMetrics, source_name, window, stored)
        # Codes are positions in `series`: stored series first, then those that are not written yet.
        unstored = (item for item in buffer.configured_series if item not in stored.series and series_filter(item))
        series, result_rows = (*stored.series, *unstored), stored.rows
        for outcome in pending:
            result_rows = rows.apply_answers(result_rows, series, outcome.pull.frame, outcome.pull.answered_ranges)
        if pending:
            result_rows = result_rows.where((result_rows.ts >= window.start) & (result_rows.ts < window.end))
        known = coverage.with_pending(pending, stored.coverage)
        of_series = [known.get(item, NO_COVERAGE).clamp_to_final(policy) for item in series]
        return replace(
            metrics_result(window, series, of_series, result_rows, policy, reported=stored.reported),
            problems=stored.problems,
            archive_problem=problem,
            took_s=time.monotonic() - started,
        )

    def _read_stored(
        self, connection: Connection, source_name: str, window: Window, series_filter: SeriesFilter
    ) -> StoredMetrics:
        index = self._read_index(connection, self._database.migration_id, source_name)
        series = tuple(
            item
            for item in self._buffer_of(source_name).configured_series or index.configured
            if item in index.ids and series_filter(item)
        )
        state = read_state(connection, self._database.row(source_name, "metrics"))
        return StoredMetrics(
            window,
            series,
            points.read_points(connection, [index.ids[item] for item in series], window),
            index.coverage,
            points.read_reported(connection, {index.ids[item]: item for item in filter(is_request_count, series)}),
            state.problems if state else (),
        )

    def overview(
        self, window: Window, source_name: str, *, series: Collection[Series] | None = None, max_buckets: int = 2000
    ) -> Overview:
        """What the archive has of a source in a long window, in at most `max_buckets` buckets: sums of counts, else medians and ranges.

        Never fetches. Counts summed over all buckets equal the counts summed over all periods. `series`: default is the configured ones;
        a series that the archive does not have has no periods.
        """
        policy, buffer = self.freshness(self._clock()), self._buffer_of(source_name)
        with self._database.reading() as connection:
            index = self._read_index(connection, self._database.migration_id, source_name)
            return read_overview(connection, index, buffer, window, policy, series=series, max_buckets=max_buckets)

    def cache_key(self, window: Window, source_name: str, *, now: datetime | None = None) -> Hashable:
        """A value that changes whenever `read` may return something else for `window`; answers about other time do not change it."""
        if self._database.unsaved_changes:
            return self._database.change_counter(source_name)
        final = window.end <= (now or self._clock()).timestamp() - self._final_after_s
        migration_id = self._database.migration_id
        with self._database.reading() as connection:
            covered = coverage.read_coverage_rows(connection, migration_id, source_name, window)
            refreshed = () if final else coverage.read_refresh_state(connection, migration_id, source_name, window)
        return covered, refreshed

    def fetch_window_latency(self, window: Window, source: WindowLatencySource, *, now: datetime) -> bool:
        """Fetches the latency of a whole window if that is due; False if another process is fetching from that source."""
        now_s = int(now.timestamp())

        def is_current() -> bool:
            stored = self.window_latency(window, source.name)
            return window_latency.is_current(stored, window, now=now_s, final_after_s=self._final_after_s)

        if is_current():
            return True
        with self._database.lease(source.name, "window_latency", now_s) as lease:
            if not lease.acquired:
                return False
            if not is_current():  # another process may have fetched before this one had the lease
                self._save_window_latency(source.name, source.window_latency(window))
        return True

    def window_latency(self, window: Window, source_name: str) -> WindowLatency | None:
        """The latency of `window` as one period; until it is fetched, that of an earlier window with the same start. Never fetches."""
        if pending := self._pending_window_latencies.get((source_name, window.start)):
            return pending
        return self._database.recall(window_latency.read, source_name, window.start)

    def _save_window_latency(self, source_name: str, result: WindowLatency) -> None:
        merged = window_latency.merge_result(self.window_latency(result.window, source_name), result)
        self._pending_window_latencies[source_name, result.window.start] = merged
        with self._database.writing(source_name) as connection:
            window_latency.write(connection, self._database.migration_id, source_name, merged)
        del self._pending_window_latencies[source_name, result.window.start]

    def _fill(self, job: _FillJob) -> FillResult:
        lock = self._buffer_of(job.source.name).fetch_lock
        try:
            plan = self._plan(job)
            if not plan.remaining:
                return plan
            if not lock.acquire(blocking=False):
                return replace(plan, busy=True)
            try:
                with self._database.lease(job.source.name, "metrics", job.policy.now) as lease:
                    if not lease.acquired:
                        return replace(plan, busy=True)
                    # Planned again: another process may have fetched before this one had the lease.
                    return self._pull_all(job, self._plan(job), lease)
            finally:
                lock.release()
        except ArchiveError as error:
            return FillResult(archive_problem=error.problem)

    def _plan(self, job: _FillJob) -> FillResult:
        """The requests that each window needs, before any is made."""
        name = job.source.name
        self._buffer_of(name).configured_series = job.source.series()
        series, known = self._series_of(job), self.coverage_of(name)
        finest_period = partial(job.source.finest_period_s, now=job.policy.now)
        return FillResult(
            {
                window: plan_fetches(window, series, known, job.policy, finest_period, max_periods=job.max_periods)
                for window in job.windows
            },
            due_in_s=due_in_s(series, known, job.policy),
            archive_problem=self._database.problem(name),
        )

    def _pull_all(self, job: _FillJob, plan: FillResult, lease: Lease) -> FillResult:
        """Makes the pulls of a plan, and stores each before the next."""
        result, source = replace(plan, archive_problem=None), job.source
        for request in plan.remaining[: job.max_pulls]:
            if result.pulls and not lease.renew():
                break
            pull = traced(source.name, "metrics", partial(source.pull, request.window, request.series))
            result = replace(
                result,
                pulls=result.pulls + 1,
                answered=result.answered or bool(pull.answered_ranges),
                datapoints_requested=result.datapoints_requested + pull.datapoints_requested,
                problems=tuple(dict.fromkeys((*result.problems, *pull.problems))),
            )
            # If the source is down, the other requests are not made: they go into back-off with this one.
            skipped = () if result.answered else plan.remaining[result.pulls :]
            outcome = FetchOutcome(request, pull, job.policy, skipped, source_failed=not result.answered)
            self._save_pull(source.name, outcome, result.problems)
            result = replace(result, requests=_without(result.requests, request, source_failed=not result.answered))
            if not result.answered:
                break
        return replace(
            result,
            due_in_s=due_in_s(self._series_of(job), self._buffer_of(source.name).coverage, job.policy),
            archive_problem=self._database.problem(source.name),
        )

    def _series_of(self, job: _FillJob) -> tuple[Series, ...]:
        return tuple(filter(job.series_filter, self._buffer_of(job.source.name).configured_series))

    def _save_pull(self, source_name: str, outcome: FetchOutcome, problems: tuple[Problem, ...]) -> None:
        """Stores one pull in a transaction. If that fails, the pull stays in memory until the next one."""
        buffer, row = self._buffer_of(source_name), self._database.row(source_name, "metrics")
        buffer.pending_writes = (*buffer.pending_writes, outcome)[-MAX_PENDING_PULLS:]
        now = outcome.policy.now
        with suppress(ArchiveError):  # recorded by `writing`
            with self._database.writing(source_name) as connection:
                index = self._write_pending(connection, source_name, buffer.pending_writes)
                configured = (index.coverage[series] for series in buffer.configured_series)
                before = read_state(connection, row)
                if before and any(fetch.in_backoff(now) for known in configured for fetch in known.failed_fetches):
                    # Those of single series stay in the source's state until the series is fetched again.
                    lasting = (
                        problem for problem in before.problems if problem.about and problem.kind in SERIES_PROBLEMS
                    )
                    problems = tuple(dict.fromkeys((*problems, *lasting)))
                answer = replace(outcome.pull, asked_at=now, problems=problems)
                save_answer_state(connection, row, answer, success=bool(outcome.pull.answered_ranges))
            buffer.index, buffer.pending_writes = index, ()

    def write_held(self) -> None:
        """Tries again to write the pulls that could not be written: a process ends. Raises ArchiveError."""
        with self._lock:
            buffers = dict(self._buffers)
        for source_name, buffer in buffers.items():
            if pending := buffer.pending_writes:
                with self._database.writing(source_name) as connection:
                    self._write_pending(connection, source_name, pending)
                buffer.pending_writes = tuple(item for item in buffer.pending_writes if item not in pending)

    def _write_pending(self, connection: Connection, source_name: str, pending: Sequence[FetchOutcome]) -> SeriesIndex:
        """The index after the last of `pending`, in order."""
        configured, index = self._buffer_of(source_name).configured_series, SeriesIndex()
        for outcome in pending:
            index = coverage.save_outcome(connection, self._database.migration_id, source_name, configured, outcome)
        return index

    def _read_index(self, connection: Connection, migration_id: int, source_name: str) -> SeriesIndex:
        """The stored series of a source. What was read last is kept until something of the source changes: a page needs it dozens of times."""
        version = read_change_counter(connection, migration_id, source_name)
        known = self._indexes.get(source_name)
        if known is None or known[0] != version:
            known = version, coverage.read_series_index(connection, migration_id, source_name)
            self._indexes[source_name] = known
        return known[1]

    def _read_latest_ts(self, connection: Connection, migration_id: int, source_name: str) -> int | None:
        index = self._read_index(connection, migration_id, source_name)
        return points.read_latest_ts(connection, [index.ids[item] for item in index.configured if is_not_hourly(item)])

    def _buffer_of(self, source_name: str) -> WriteBuffer:
        with self._lock:
            return self._buffers.setdefault(source_name, WriteBuffer())


def _without(
    requests: Mapping[Window, tuple[FetchRequest, ...]], made: FetchRequest, *, source_failed: bool
) -> dict[Window, tuple[FetchRequest, ...]]:
    """The requests that remain after one was made: none if the source failed, because all go into back-off."""
    if source_failed:
        return dict.fromkeys(requests, ())
    return {
        window: tuple(request for request in of_window if not made.includes(request))
        for window, of_window in requests.items()
    }
