"""The archive: everything that was seen of one migration, and the read-through that asks for what was not."""

import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Self

from sqlalchemy import Connection, Engine

from archive.access_logs.store import AccessLogStore
from archive.db import engine as database
from archive.db import schema
from archive.db.engine import ArchiveError, ArchiveProblem
from archive.db.lease import Lease, acquire_lease
from archive.db.upsert import upsert
from archive.events import deployment_state, source_state, weight_changes
from archive.events.backlog import add_event_coverage
from archive.events.source_state import Role, SourceRow, SourceState
from archive.events.store import EventStore
from archive.metrics import coverage, points, rows, window_latency
from archive.metrics.coverage import FetchOutcome, SeriesIndex
from archive.metrics.downsampling import Overview
from archive.metrics.fetch_plan import NO_COVERAGE, Coverage, FetchRequest, FreshnessPolicy, due_in_s, plan_fetches
from archive.metrics.long_windows import read_overview
from archive.metrics.results import FillResult, MetricsResult, metrics_result
from archive.metrics.write_buffer import WriteBuffer
from archive.notes_api import NoteStore
from domain import Clock, Migration, Series, Traffic, Window, utc_now
from domain.series import any_series, is_not_hourly
from sources.base import Events, MetricSource, Problem, ProblemKind, TrafficSnapshot, health_state
from sources.window_latency import WindowLatency, WindowLatencySource

SeriesFilter = Callable[[Series], bool]
MAX_PENDING_PULLS = 120  # answers held in memory while the archive cannot be written
# These are about some series, not about the source: they stand until the series is asked again.
_SERIES_PROBLEM_KINDS: frozenset[ProblemKind] = frozenset({"forbidden_metric", "internal_error", "partial_data"})


class _Part:
    def __init__(self, archive: Any, prefix: str) -> None:
        self._archive, self._prefix = archive, prefix

    def __getattr__(self, name: str) -> Any:
        return getattr(self._archive, self._prefix + name)


class Archive(EventStore, NoteStore, AccessLogStore):
    """What was seen of one migration, in one database. One may serve many threads, and one file many processes on the same machine.

    Everything but `bring`, `fill` and `read`, which carry it as a value, raises ArchiveError where the database cannot be used.
    """

    # Until the parts are classes of their own: archive.metrics.get is self.metrics__get.
    metrics = property(lambda self: _Part(self, "metrics__"))
    events = property(lambda self: _Part(self, "events__"))
    access_logs = property(lambda self: _Part(self, "access_logs__"))
    notes = property(lambda self: _Part(self, "notes__"))

    def __init__(self, engine: Engine, migration: Migration, migration_id: int, clock: Clock) -> None:
        super().__init__(engine, migration, migration_id)
        self._clock = clock
        self._final_after_s = migration.settle_minutes * 60
        self._lock = threading.Lock()
        self._buffers: dict[str, WriteBuffer] = {}
        self._pending_window_latencies: dict[tuple[str, int], WindowLatency] = {}
        self._unsaved_changes = 0  # changes that only this process knows of

    @classmethod
    def open(cls, url: str, migration: Migration, *, clock: Clock = utc_now) -> Self:
        """Opens the archive at `url`, and makes it where there is none. Raises ArchiveError with its kind."""
        engine = database.open_engine(url)
        try:
            schema.upgrade_schema(engine)
            return cls(engine, migration, coverage.get_or_create_migration(engine, migration.key), clock)
        except ArchiveError:
            engine.dispose()
            raise

    def close(self) -> None:
        """Gives the file back. The archive opens it again if it is used after all."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def problem(self) -> ArchiveProblem | None:
        """Why some source's last answer could not be written; None once it could."""
        with self._lock:
            return next((held.problem for held in self._buffers.values() if held.problem), None)

    # ---- numbers

    def metrics__get(
        self, window: Window, source: MetricSource, *, now: datetime, refresh_interval_s: int = 60
    ) -> MetricsResult:
        """The numbers in `window`: what is not there or not settled is asked for, kept, and all of it read from the archive.

        The newest minutes are asked at most every `ask_every_s`, by whichever thread or process comes first; the others only read.
        """
        began = time.monotonic()
        filled = self.metrics__fill(window, source, now=now, refresh_interval_s=refresh_interval_s)
        brought = self.metrics__read(window, source.name, now=now)
        return replace(
            brought,
            datapoints_requested=filled.datapoints_requested,
            problems=tuple(dict.fromkeys((*brought.problems, *filled.problems))),
            archive_problem=filled.archive_problem or brought.archive_problem,
            took_s=time.monotonic() - began,
        )

    def metrics__fill(
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
        """Asks for what is missing in `window`, newest first, in pulls of `longest` periods, `at_most` so many, each kept as it comes."""
        edge = self.metrics__freshness(now, refresh_interval_s)
        held = self._buffer_of(source.name)
        try:
            planned = self._plan(window, source, edge, max_periods, series_filter)
            if not planned.remaining:
                return planned
            if not held.fetch_lock.acquire(blocking=False):
                return replace(planned, busy=True)
            try:
                with acquire_lease(
                    self._engine, SourceRow(self._migration_id, source.name, "metrics"), edge.now
                ) as claimed:
                    if not claimed.acquired:
                        return replace(planned, busy=True)
                    # Planned again: somebody may have been at it between the look and the claim.
                    every = self._plan(window, source, edge, max_periods, series_filter).remaining
                    done = self._pull_all(source, every, edge, claimed, max_pulls)
            finally:
                held.fetch_lock.release()
            after = self._plan(window, source, edge, max_periods, series_filter)
        except ArchiveError as error:
            return FillResult(archive_problem=error.problem)
        return replace(done, remaining=after.remaining, due_in_s=after.due_in_s, archive_problem=after.archive_problem)

    def metrics__missing_minutes(
        self, window: Window, source: MetricSource, *, now: datetime, refresh_interval_s: int = 60
    ) -> int:
        """How many settled minutes of `window` are due to be asked for; those that wait after a refusal are not counted. Never asks."""
        edge = self.metrics__freshness(now, refresh_interval_s)
        if edge.final_until <= window.start:
            return 0
        settled = Window(window.start, min(window.end, edge.final_until))
        return self._plan(settled, source, edge, 1440, any_series).minutes_remaining

    def metrics__coverage_of(self, source_name: str) -> Mapping[Series, Coverage]:
        """What is known of each series of a source, the answers that could not be written included; while the archive is away, by what was last read."""
        held = self._buffer_of(source_name)
        try:
            with self._reading() as connection:
                held.index = coverage.read_series_index(connection, self._migration_id, source_name)
        except ArchiveError as error:
            if held.index is None:
                raise
            held.problem = error.problem
        return coverage.with_pending(held.pending_writes, held.index.coverage)

    def metrics__latest_ts(self, source_name: str) -> int | None:
        """When the newest number begins that a page of minutes shows of a source (epoch seconds); None where there is none."""
        with self._reading() as connection:
            book = coverage.read_series_index(connection, self._migration_id, source_name)
            return points.read_latest_ts(connection, [book.ids[one] for one in book.configured if is_not_hourly(one)])

    def metrics__has_points(self, window: Window, source_name: str) -> bool:
        """Whether any number of a source is written in `window`."""
        with self._reading() as connection:
            ids = coverage.read_series_index(connection, self._migration_id, source_name).ids
            return coverage.has_points(connection, tuple(ids.values()), window)

    def metrics__freshness(self, now: datetime, refresh_interval_s: int = 60) -> FreshnessPolicy:
        """Where time stands for this migration."""
        return FreshnessPolicy(int(now.timestamp()), self._final_after_s, refresh_interval_s)

    def _plan(
        self,
        window: Window,
        source: MetricSource,
        policy: FreshnessPolicy,
        max_periods: int,
        series_filter: SeriesFilter,
    ) -> FillResult:
        """What is left to ask of a window, before anything is asked."""
        held = self._buffer_of(source.name)
        held.configured_series = source.series()
        wanted, known = tuple(filter(series_filter, held.configured_series)), self.metrics__coverage_of(source.name)
        left = plan_fetches(
            window, wanted, known, policy, partial(source.finest_period_s, now=policy.now), max_periods=max_periods
        )
        return FillResult(remaining=left, due_in_s=due_in_s(wanted, known, policy), archive_problem=held.problem)

    def _pull_all(
        self,
        source: MetricSource,
        requests: tuple[FetchRequest, ...],
        policy: FreshnessPolicy,
        lease: Lease,
        max_pulls: int | None,
    ) -> FillResult:
        """Makes the pulls one after the other, each kept before the next is made."""
        done, answered = FillResult(), False
        for place, ask in enumerate(requests[:max_pulls], start=1):
            if done.pulls and not lease.renew():
                break
            pull = source.pull(ask.window, ask.series)
            answered = answered or bool(pull.answered_ranges)
            done = replace(
                done,
                pulls=done.pulls + 1,
                answered=answered,
                datapoints_requested=done.datapoints_requested + pull.datapoints_requested,
                problems=tuple(dict.fromkeys((*done.problems, *pull.problems))),
            )
            # A source that is down is not asked for the other pieces too: they wait as if they had been refused with this one.
            unasked = () if answered else requests[place:]
            self._save_pull(
                source.name, FetchOutcome(ask, pull, policy, unasked, source_failed=not answered), done.problems
            )
            if not answered:
                break
        return done

    def _save_pull(self, source_name: str, outcome: FetchOutcome, problems: tuple[Problem, ...]) -> None:
        """Writes one pull, all of it or nothing. What cannot be written is held in memory, read from there, and tried again with the next."""
        held = self._buffer_of(source_name)
        every = (*held.pending_writes, outcome)[-MAX_PENDING_PULLS:]
        held.pending_writes = every
        try:
            with self._writing(source_name) as connection:
                for one in every:
                    known = coverage.save_outcome(
                        connection, self._migration_id, source_name, held.configured_series, one
                    )
                line = SourceRow(self._migration_id, source_name, "metrics")
                before = line.state(connection)
                refusals = (refusal for one in held.configured_series for refusal in known[one].failed_fetches)
                if before and any(refusal.in_backoff(outcome.policy.now) for refusal in refusals):
                    standing = (problem for problem in before.problems if problem.kind in _SERIES_PROBLEM_KINDS)
                    problems = tuple(dict.fromkeys((*problems, *standing)))
                answered, took_s = bool(outcome.pull.answered_ranges), outcome.pull.took_s
                state = health_state(problems, took_s, answered=answered)
                told = SourceState(source_name, "metrics", state, outcome.policy.now, None, took_s, problems)
                line.save_state(connection, told, success=answered)
        except ArchiveError:
            return  # held.problem says why
        held.pending_writes = ()

    def metrics__read(
        self,
        window: Window,
        source_name: str,
        *,
        now: datetime | None = None,
        series_filter: SeriesFilter = is_not_hourly,
    ) -> MetricsResult:
        """What the archive holds of a source's series that are `only` so, in `window`. Never asks. `now` (else the clock) tells what is settled."""
        began = time.monotonic()
        edge = self.metrics__freshness(now or self._clock())
        held, state = self._buffer_of(source_name), None
        problem, unkept = held.problem, held.pending_writes
        book, found, written = SeriesIndex(), rows.rows_from_sql([], []), list[Series]()
        try:
            with self._reading() as connection:
                book = coverage.read_series_index(connection, self._migration_id, source_name)
                written = [
                    one for one in held.configured_series or book.configured if one in book.ids and series_filter(one)
                ]
                found = points.read_points(connection, [book.ids[one] for one in written], window)
                state = SourceRow(self._migration_id, source_name, "metrics").state(connection)
        except ArchiveError as error:
            problem = error.problem
        # Rows are coded by the written series; those that could not be written come after them.
        series = (*written, *(one for one in held.configured_series if one not in book.ids and series_filter(one)))
        for asked in unkept:
            found = rows.apply_answers(found, series, asked.pull.frame, asked.pull.answered_ranges)
        found = found.where((found.ts >= window.start) & (found.ts < window.end)) if unkept else found
        known = coverage.with_pending(unkept, book.coverage)
        of_series = [known.get(one, NO_COVERAGE).clamp_to_final(edge) for one in series]
        return replace(
            metrics_result(window, series, of_series, found, edge),
            problems=state.problems if state else (),
            archive_problem=problem,
            took_s=time.monotonic() - began,
        )

    def metrics__overview(
        self, window: Window, source_name: str, *, series: Collection[Series] | None = None, max_buckets: int = 2000
    ) -> Overview:
        """What the archive holds of a source in a long window, in at most so many buckets: sums of counts, medians and ranges of the rest.

        Never asks. Counts summed over all buckets are the counts summed over all periods, exactly. `series`: all that the
        configuration wants, if left out; one that the archive does not know has no periods.
        """
        edge, held = self.metrics__freshness(self._clock()), self._buffer_of(source_name)
        with self._reading() as connection:
            book = coverage.read_series_index(connection, self._migration_id, source_name)
            return read_overview(connection, book, held, window, edge, series=series, max_buckets=max_buckets)

    def metrics__cache_key(self, window: Window, source_name: str, *, now: datetime | None = None) -> Hashable:
        """Another value whenever `read` may say something else of `window`: what was answered of other times, the past above all, leaves it alone.

        Of a window that is settled, only when more of it was answered.
        """
        if self._unsaved_changes:
            return self.change_counter(source_name)
        settled = window.end <= (now or self._clock()).timestamp() - self._final_after_s
        with self._reading() as connection:
            covered = coverage.read_coverage_rows(connection, self._migration_id, source_name, window)
            newest = () if settled else coverage.read_refresh_state(connection, self._migration_id, source_name, window)
        return covered, newest

    # ---- whole windows

    def metrics__fetch_window_latency(self, window: Window, source: WindowLatencySource, *, now: datetime) -> bool:
        """Has the latency of a whole window asked and kept, if that is due; False where somebody else is asking that source just now."""
        now_s = int(now.timestamp())

        def is_current() -> bool:
            return window_latency.is_current(
                self.metrics__window_latency(window, source.name), window, now=now_s, final_after_s=self._final_after_s
            )

        if is_current():
            return True
        with acquire_lease(self._engine, SourceRow(self._migration_id, source.name, "whole"), now_s) as claimed:
            if not claimed.acquired:
                return False
            if not is_current():  # somebody may have been at it between the look and the claim
                self._save_window_latency(source.name, source.window_latency(window))
        return True

    def _save_window_latency(self, source_name: str, result: WindowLatency) -> None:
        kept = self._pending_window_latencies[source_name, result.window.start] = window_latency.merge_result(
            self.metrics__window_latency(result.window, source_name), result
        )
        with self._writing(source_name) as connection:
            window_latency.write(connection, self._migration_id, source_name, kept)
        del self._pending_window_latencies[source_name, result.window.start]

    def metrics__window_latency(self, window: Window, source_name: str) -> WindowLatency | None:
        """The latency of `window` as one period; until that was answered, what was last said of a window that began with it. Never asks."""
        if unkept := self._pending_window_latencies.get((source_name, window.start)):
            return unkept
        with self._reading() as connection:
            return window_latency.read(connection, self._migration_id, source_name, window.start)

    # ---- weights, events, states

    def events__save_snapshot(self, snapshot: TrafficSnapshot, source_name: str = "load_balancer") -> None:
        """Keeps what the load balancer said: a new snapshot where it says something else, and the event where the split changed."""
        line = SourceRow(self._migration_id, source_name, "traffic")
        state = health_state(snapshot.problems, snapshot.took_s, answered=snapshot.traffic is not None)
        told = SourceState(source_name, "traffic", state, snapshot.asked_at, None, snapshot.took_s, snapshot.problems)
        held = self._buffer_of(source_name)
        if snapshot.traffic:
            held.buffer(snapshot)
        looks = held.pending_snapshots
        with self._writing(source_name) as connection:
            for one in looks:
                if one.traffic:
                    seen = replace(one.traffic, asked_at=one.asked_at)
                    source_state.save_snapshot(connection, self._migration_id, source_name, seen)
            line.save_state(connection, told, success=snapshot.traffic is not None)
        held.pending_snapshots = ()

    def events__latest_traffic(self) -> tuple[Traffic, int] | None:
        """What the load balancer last said, and when it was last seen saying so (epoch seconds); None where it was never read."""
        with self._lock:
            unkept = [look for held in self._buffers.values() for look in held.pending_snapshots]
        if unkept and (last := max(unkept, key=lambda look: look.asked_at)).traffic:
            return last.traffic, last.asked_at
        with self._reading() as connection:
            return source_state.read_latest_snapshot(connection, self._migration_id)

    def events__save_events(self, events: Events, source_name: str, *, keep_missing: bool = False) -> None:
        """Keeps what a source tells of, and how services stand; where it told everything, what it no longer tells of is removed.

        `history`: not then, for a source may no longer tell of what is long ago.
        """
        state = health_state(events.problems, events.took_s, answered=events.complete)
        told = SourceState(source_name, "events", state, events.asked_at, None, events.took_s, events.problems)
        with self._writing(source_name) as connection:
            source_state.write_events(connection, self._migration_id, events.events)
            weight_changes.write_changes(connection, self._migration_id, source_name, events.weight_changes)
            if events.complete:
                add_event_coverage(connection, self._migration_id, source_name, events.window)
                if not keep_missing:
                    source_state.delete_missing_events(
                        connection, self._migration_id, source_name, events.events, events.window
                    )
            deployment_state.write(connection, self._migration_id, source_name, events.deployment_state)
            SourceRow(self._migration_id, source_name, "events").save_state(connection, told, success=events.complete)

    def check_writable(self) -> None:
        """Raises ArchiveError where nothing can be kept just now. It writes about as much as a minute of numbers needs, and takes it out again."""
        for scratch in ("x" * 65_536, ""):
            with database.transaction(self._engine, writes=True) as connection:
                upsert(connection, schema.meta, [{"key": "scratch", "value": scratch}])

    def try_acquire_slot(self, source_name: str, role: Role, *, now: datetime, interval_s: int) -> int:
        """0 where it is this caller's turn to ask: nobody, in any process, had one in the last `every_s` seconds. Else the seconds to wait."""
        with database.transaction(self._engine, writes=True) as connection:
            return SourceRow(self._migration_id, source_name, role).try_acquire_slot(
                connection, now=int(now.timestamp()), interval_s=interval_s
            )

    def change_counter(self, source_name: str | None = None) -> int:
        """Grows whenever anything of that source changes (None: of any), so that what was worked out from it can be kept until then."""
        with self._reading() as connection:
            return source_state.read_change_counter(connection, self._migration_id, source_name) + self._unsaved_changes

    def change_counter_all(self) -> int:
        """Grows whenever anything of this migration changes."""
        return self.change_counter(None)

    # ---- the database

    def _buffer_of(self, source_name: str) -> WriteBuffer:
        with self._lock:
            return self._buffers.setdefault(source_name, WriteBuffer())

    @contextmanager
    def _writing(self, source_name: str) -> Iterator[Connection]:
        """A transaction that writes down what a source said; whether that worked is remembered for the pages."""
        held = self._buffer_of(source_name)
        try:
            with database.transaction(self._engine, writes=True) as connection:
                yield connection
            held.problem = None
        except ArchiveError as error:
            held.problem = error.problem
            self._unsaved_changes += 1
            raise
