"""The archive: everything that was seen of one migration, and the read-through that asks for what was not."""

import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Self

from sqlalchemy import Connection, Engine

from archive.access_logs.store import Logbook
from archive.db import engine as database
from archive.db import schema
from archive.db.engine import ArchiveError, ArchiveProblem
from archive.db.lease import Claim, claim
from archive.db.upsert import upsert
from archive.events import deployment_state, source_state, weight_changes
from archive.events.backlog import write_heard
from archive.events.source_state import Line, Role, SourceState
from archive.events.store import Told
from archive.metrics import coverage, points, rows, window_latency
from archive.metrics.coverage import Asked, Book
from archive.metrics.downsampling import Overview
from archive.metrics.fetch_plan import UNKNOWN, Ask, Known, LiveEdge, asks, due_in_s
from archive.metrics.long_windows import read_overview
from archive.metrics.results import Brought, Filled, brought
from archive.metrics.write_buffer import Held
from archive.notes_api import Recall
from domain import Clock, Migration, Series, Traffic, Window, utc_now
from domain.series import any_series, of_minutes
from sources.base import Events, Look, MetricSource, Problem, ProblemKind, state_of
from sources.window_latency import Whole, WholeWindowSource

Only = Callable[[Series], bool]
UNKEPT_PULLS = 120  # answers held in memory while the archive cannot be written
# These are about some series, not about the source: they stand until the series is asked again.
_OF_SERIES: frozenset[ProblemKind] = frozenset({"forbidden_metric", "internal_error", "partial_data"})


class Archive(Told, Recall, Logbook):
    """What was seen of one migration, in one database. One may serve many threads, and one file many processes on the same machine.

    Everything but `bring`, `fill` and `read`, which carry it as a value, raises ArchiveError where the database cannot be used.
    """

    def __init__(self, engine: Engine, migration: Migration, migration_id: int, clock: Clock) -> None:
        super().__init__(engine, migration, migration_id)
        self._clock = clock
        self._settle_s = migration.settle_minutes * 60
        self._lock = threading.Lock()
        self._held: dict[str, Held] = {}
        self._unkept_wholes: dict[tuple[str, int], Whole] = {}
        self._unwritten = 0  # changes that only this process knows of

    @classmethod
    def open(cls, url: str, migration: Migration, *, clock: Clock = utc_now) -> Self:
        """Opens the archive at `url`, and makes it where there is none. Raises ArchiveError with its kind."""
        engine = database.connect(url)
        try:
            schema.ensure(engine)
            return cls(engine, migration, coverage.migration_id(engine, migration.key), clock)
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
            return next((held.problem for held in self._held.values() if held.problem), None)

    # ---- numbers

    def bring(self, window: Window, source: MetricSource, *, now: datetime, ask_every_s: int = 60) -> Brought:
        """The numbers in `window`: what is not there or not settled is asked for, kept, and all of it read from the archive.

        The newest minutes are asked at most every `ask_every_s`, by whichever thread or process comes first; the others only read.
        """
        began = time.monotonic()
        filled = self.fill(window, source, now=now, ask_every_s=ask_every_s)
        brought = self.read(window, source.name, now=now)
        return replace(
            brought,
            asked=filled.asked,
            problems=tuple(dict.fromkeys((*brought.problems, *filled.problems))),
            archive_problem=filled.archive_problem or brought.archive_problem,
            took_s=time.monotonic() - began,
        )

    def fill(
        self,
        window: Window,
        source: MetricSource,
        *,
        now: datetime,
        ask_every_s: int = 60,
        longest: int = 1440,
        at_most: int | None = None,
        only: Only = any_series,
    ) -> Filled:
        """Asks for what is missing in `window`, newest first, in pulls of `longest` periods, `at_most` so many, each kept as it comes."""
        edge = self.edge(now, ask_every_s)
        held = self._held_of(source.name)
        try:
            planned = self._plan(window, source, edge, longest, only)
            if not planned.left:
                return planned
            if not held.asking.acquire(blocking=False):
                return replace(planned, busy=True)
            try:
                with claim(self._engine, Line(self._id, source.name, "metrics"), edge.now) as claimed:
                    if not claimed.ours:
                        return replace(planned, busy=True)
                    # Planned again: somebody may have been at it between the look and the claim.
                    every = self._plan(window, source, edge, longest, only).left
                    done = self._ask(source, every, edge, claimed, at_most)
            finally:
                held.asking.release()
            after = self._plan(window, source, edge, longest, only)
        except ArchiveError as error:
            return Filled(archive_problem=error.problem)
        return replace(done, left=after.left, due_in_s=after.due_in_s, archive_problem=after.archive_problem)

    def lacking(self, window: Window, source: MetricSource, *, now: datetime, ask_every_s: int = 60) -> int:
        """How many settled minutes of `window` are due to be asked for; those that wait after a refusal are not counted. Never asks."""
        edge = self.edge(now, ask_every_s)
        if edge.settled <= window.start:
            return 0
        settled = Window(window.start, min(window.end, edge.settled))
        return self._plan(settled, source, edge, 1440, any_series).minutes_left

    def knows(self, source_name: str) -> Mapping[Series, Known]:
        """What is known of each series of a source, the answers that could not be written included; while the archive is away, by what was last read."""
        held = self._held_of(source_name)
        try:
            with self._reading() as connection:
                held.book = coverage.read_book(connection, self._id, source_name)
        except ArchiveError as error:
            if held.book is None:
                raise
            held.problem = error.problem
        return coverage.after(held.unkept, held.book.known)

    def newest(self, source_name: str) -> int | None:
        """When the newest number begins that a page of minutes shows of a source (epoch seconds); None where there is none."""
        with self._reading() as connection:
            book = coverage.read_book(connection, self._id, source_name)
            return points.read_newest(connection, [book.ids[one] for one in book.wanted if of_minutes(one)])

    def any_numbers(self, window: Window, source_name: str) -> bool:
        """Whether any number of a source is written in `window`."""
        with self._reading() as connection:
            ids = coverage.read_book(connection, self._id, source_name).ids
            return coverage.any_points(connection, tuple(ids.values()), window)

    def edge(self, now: datetime, ask_every_s: int = 60) -> LiveEdge:
        """Where time stands for this migration."""
        return LiveEdge(int(now.timestamp()), self._settle_s, ask_every_s)

    def _plan(self, window: Window, source: MetricSource, edge: LiveEdge, longest: int, only: Only) -> Filled:
        """What is left to ask of a window, before anything is asked."""
        held = self._held_of(source.name)
        held.wanted = source.series()
        wanted, known = tuple(filter(only, held.wanted)), self.knows(source.name)
        left = asks(window, wanted, known, edge, partial(source.finest_period_s, now=edge.now), longest=longest)
        return Filled(left=left, due_in_s=due_in_s(wanted, known, edge), archive_problem=held.problem)

    def _ask(
        self, source: MetricSource, every: tuple[Ask, ...], edge: LiveEdge, claimed: Claim, at_most: int | None
    ) -> Filled:
        """Makes the pulls one after the other, each kept before the next is made."""
        done, answered = Filled(), False
        for place, ask in enumerate(every[:at_most], start=1):
            if done.pulls and not claimed.renew():
                break
            pull = source.pull(ask.window, ask.series)
            answered = answered or bool(pull.answers)
            done = replace(
                done,
                pulls=done.pulls + 1,
                answered=answered,
                asked=done.asked + pull.asked,
                problems=tuple(dict.fromkeys((*done.problems, *pull.problems))),
            )
            # A source that is down is not asked for the other pieces too: they wait as if they had been refused with this one.
            unasked = () if answered else every[place:]
            self._keep(source.name, Asked(ask, pull, edge, unasked, wholesale=not answered), done.problems)
            if not answered:
                break
        return done

    def _keep(self, name: str, asked: Asked, problems: tuple[Problem, ...]) -> None:
        """Writes one pull, all of it or nothing. What cannot be written is held in memory, read from there, and tried again with the next."""
        held = self._held_of(name)
        every = (*held.unkept, asked)[-UNKEPT_PULLS:]
        held.unkept = every
        try:
            with self._keeping(name) as connection:
                for one in every:
                    known = coverage.write_pull(connection, self._id, name, held.wanted, one)
                line = Line(self._id, name, "metrics")
                before = line.state(connection)
                refusals = (refusal for one in held.wanted for refusal in known[one].refusals)
                if before and any(refusal.waits(asked.edge.now) for refusal in refusals):
                    standing = (problem for problem in before.problems if problem.kind in _OF_SERIES)
                    problems = tuple(dict.fromkeys((*problems, *standing)))
                answered, took_s = bool(asked.pull.answers), asked.pull.took_s
                state = state_of(problems, took_s, answered=answered)
                told = SourceState(name, "metrics", state, asked.edge.now, None, took_s, problems)
                line.tell(connection, told, good=answered)
        except ArchiveError:
            return  # held.problem says why
        held.unkept = ()

    def read(self, window: Window, source: str, *, now: datetime | None = None, only: Only = of_minutes) -> Brought:
        """What the archive holds of a source's series that are `only` so, in `window`. Never asks. `now` (else the clock) tells what is settled."""
        began = time.monotonic()
        edge = self.edge(now or self._clock())
        held, state = self._held_of(source), None
        problem, unkept = held.problem, held.unkept
        book, found, written = Book(), rows.fetched([], []), list[Series]()
        try:
            with self._reading() as connection:
                book = coverage.read_book(connection, self._id, source)
                written = [one for one in held.wanted or book.wanted if one in book.ids and only(one)]
                found = points.read_points(connection, [book.ids[one] for one in written], window)
                state = Line(self._id, source, "metrics").state(connection)
        except ArchiveError as error:
            problem = error.problem
        # Rows are coded by the written series; those that could not be written come after them.
        series = (*written, *(one for one in held.wanted if one not in book.ids and only(one)))
        for asked in unkept:
            found = rows.overlaid(found, series, asked.pull.frame, asked.pull.answers)
        found = found.where((found.ts >= window.start) & (found.ts < window.end)) if unkept else found
        known = coverage.after(unkept, book.known)
        of_series = [known.get(one, UNKNOWN).sane(edge) for one in series]
        return replace(
            brought(window, series, of_series, found, edge),
            problems=state.problems if state else (),
            archive_problem=problem,
            took_s=time.monotonic() - began,
        )

    def overview(
        self, window: Window, source_name: str, *, series: Collection[Series] | None = None, buckets: int = 2000
    ) -> Overview:
        """What the archive holds of a source in a long window, in at most so many buckets: sums of counts, medians and ranges of the rest.

        Never asks. Counts summed over all buckets are the counts summed over all periods, exactly. `series`: all that the
        configuration wants, if left out; one that the archive does not know has no periods.
        """
        edge, held = self.edge(self._clock()), self._held_of(source_name)
        with self._reading() as connection:
            book = coverage.read_book(connection, self._id, source_name)
            return read_overview(connection, book, held, window, edge, series=series, buckets=buckets)

    def version(self, window: Window, source_name: str, *, now: datetime | None = None) -> Hashable:
        """Another value whenever `read` may say something else of `window`: what was answered of other times, the past above all, leaves it alone.

        Of a window that is settled, only when more of it was answered.
        """
        if self._unwritten:
            return self.revision(source_name)
        settled = window.end <= (now or self._clock()).timestamp() - self._settle_s
        with self._reading() as connection:
            covered = coverage.read_covered(connection, self._id, source_name, window)
            newest = () if settled else coverage.read_newest(connection, self._id, source_name, window)
        return covered, newest

    # ---- whole windows

    def ask_whole(self, window: Window, source: WholeWindowSource, *, now: datetime) -> bool:
        """Has the latency of a whole window asked and kept, if that is due; False where somebody else is asking that source just now."""
        now_s = int(now.timestamp())

        def stands() -> bool:
            return window_latency.stands(self.whole(window, source.name), window, now=now_s, settle_s=self._settle_s)

        if stands():
            return True
        with claim(self._engine, Line(self._id, source.name, "whole"), now_s) as claimed:
            if not claimed.ours:
                return False
            if not stands():  # somebody may have been at it between the look and the claim
                self._keep_whole(source.name, source.whole(window))
        return True

    def _keep_whole(self, name: str, told: Whole) -> None:
        kept = self._unkept_wholes[name, told.window.start] = window_latency.after(self.whole(told.window, name), told)
        with self._keeping(name) as connection:
            window_latency.write(connection, self._id, name, kept)
        del self._unkept_wholes[name, told.window.start]

    def whole(self, window: Window, source_name: str) -> Whole | None:
        """The latency of `window` as one period; until that was answered, what was last said of a window that began with it. Never asks."""
        if unkept := self._unkept_wholes.get((source_name, window.start)):
            return unkept
        with self._reading() as connection:
            return window_latency.read(connection, self._id, source_name, window.start)

    # ---- weights, events, states

    def keep_look(self, look: Look, source_name: str = "load_balancer") -> None:
        """Keeps what the load balancer said: a new snapshot where it says something else, and the event where the split changed."""
        line = Line(self._id, source_name, "traffic")
        state = state_of(look.problems, look.took_s, answered=look.traffic is not None)
        told = SourceState(source_name, "traffic", state, look.asked_at, None, look.took_s, look.problems)
        held = self._held_of(source_name)
        if look.traffic:
            held.hold(look)
        looks = held.looks
        with self._keeping(source_name) as connection:
            for one in looks:
                if one.traffic:
                    seen = replace(one.traffic, asked_at=one.asked_at)
                    source_state.write_traffic(connection, self._id, source_name, seen)
            line.tell(connection, told, good=look.traffic is not None)
        held.looks = ()

    def traffic(self) -> tuple[Traffic, int] | None:
        """What the load balancer last said, and when it was last seen saying so (epoch seconds); None where it was never read."""
        with self._lock:
            unkept = [look for held in self._held.values() for look in held.looks]
        if unkept and (last := max(unkept, key=lambda look: look.asked_at)).traffic:
            return last.traffic, last.asked_at
        with self._reading() as connection:
            return source_state.read_traffic(connection, self._id)

    def keep_events(self, events: Events, source_name: str, *, history: bool = False) -> None:
        """Keeps what a source tells of, and how services stand; where it told everything, what it no longer tells of is removed.

        `history`: not then, for a source may no longer tell of what is long ago.
        """
        state = state_of(events.problems, events.took_s, answered=events.complete)
        told = SourceState(source_name, "events", state, events.asked_at, None, events.took_s, events.problems)
        with self._keeping(source_name) as connection:
            source_state.write_events(connection, self._id, events.events)
            weight_changes.write_changes(connection, self._id, source_name, events.changes)
            if events.complete:
                write_heard(connection, self._id, source_name, events.window)
                if not history:
                    source_state.forget_events(connection, self._id, source_name, events.events, events.window)
            deployment_state.write(connection, self._id, source_name, events.standing)
            Line(self._id, source_name, "events").tell(connection, told, good=events.complete)

    def check(self) -> None:
        """Raises ArchiveError where nothing can be kept just now. It writes about as much as a minute of numbers needs, and takes it out again."""
        for scratch in ("x" * 65_536, ""):
            with database.transaction(self._engine, writes=True) as connection:
                upsert(connection, schema.meta, [{"key": "scratch", "value": scratch}])

    def take_turn(self, source_name: str, role: Role, *, now: datetime, every_s: int) -> int:
        """0 where it is this caller's turn to ask: nobody, in any process, had one in the last `every_s` seconds. Else the seconds to wait."""
        with database.transaction(self._engine, writes=True) as connection:
            return Line(self._id, source_name, role).take_turn(connection, now=int(now.timestamp()), every_s=every_s)

    def revision(self, source_name: str | None) -> int:
        """Grows whenever anything of that source changes (None: of any), so that what was worked out from it can be kept until then."""
        with self._reading() as connection:
            return source_state.read_revision(connection, self._id, source_name) + self._unwritten

    def revision_of_all(self) -> int:
        """Grows whenever anything of this migration changes."""
        return self.revision(None)

    # ---- the database

    def _held_of(self, source_name: str) -> Held:
        with self._lock:
            return self._held.setdefault(source_name, Held())

    @contextmanager
    def _keeping(self, source_name: str) -> Iterator[Connection]:
        """A transaction that writes down what a source said; whether that worked is remembered for the pages."""
        held = self._held_of(source_name)
        try:
            with database.transaction(self._engine, writes=True) as connection:
                yield connection
            held.problem = None
        except ArchiveError as error:
            held.problem = error.problem
            self._unwritten += 1
            raise
