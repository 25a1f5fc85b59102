"""One migration's rows in the database: transactions, what was read last, and a record of what could not be read or written."""

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine

from archive.db.engine import transaction
from archive.db.errors import ArchiveError, ArchiveProblem
from archive.db.integrity import check_integrity
from archive.db.last_known import LastKnown, Outage, Remembered
from archive.db.lease import Lease
from archive.db.source_row import Role, SourceRow, read_change_counter
from domain import Clock, Window, utc_now

P = ParamSpec("P")
T = TypeVar("T")
# A read that failed slowly, such as a connection to a host that does not answer, is not repeated at once.
SLOW_S, PAUSE_FACTOR, MAX_PAUSE_S = 0.5, 5, 30.0


class _DatabaseFile:
    """What the migrations in one database have in common."""

    damage: ArchiveProblem | None = None


class Database:
    """An engine with the id of a migration. Every method raises ArchiveError if the database cannot be used."""

    def __init__(
        self, engine: Engine, migration_id: int, clock: Clock = utc_now, *, shared: "Database | None" = None
    ) -> None:
        """`shared`: of another migration in the same database."""
        self.engine, self.migration_id = engine, migration_id
        self.unsaved_changes = 0  # changes that only this process has, because they could not be written
        self.outage: Outage | None = None  # why the last read failed
        self._file: _DatabaseFile = shared._file if shared else _DatabaseFile()
        self._clock, self._lock = clock, threading.Lock()
        self._problems: dict[str, ArchiveProblem] = {}
        self._last_known, self._paused_until = LastKnown(), 0.0

    @property
    def damage(self) -> ArchiveProblem | None:
        """Nothing is written to a damaged file."""
        return self._file.damage

    def problem(self, source_name: str | None = None) -> ArchiveProblem | None:
        """Why the last write of a source (None: of any source, or the last read) failed, or the damage of the file; None if there is nothing."""
        with self._lock:
            if source_name:
                return self._problems.get(source_name)
            reading = self.outage.problem if self.outage else None
            return reading or self.damage or next(iter(self._problems.values()), None)

    def set_problem(self, source_name: str, problem: ArchiveProblem | None) -> None:
        with self._lock:
            if problem:
                self._problems[source_name] = problem
            else:
                self._problems.pop(source_name, None)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read transaction. Records whether it succeeded."""
        started = time.monotonic()
        if self.outage and started < self._paused_until:
            raise self.outage.problem.as_error()
        try:
            with transaction(self.engine, writes=False) as connection:
                yield connection
        except ArchiveError as error:
            failed = time.monotonic()
            if failed - started > SLOW_S:
                self._paused_until = failed + min(PAUSE_FACTOR * (failed - started), MAX_PAUSE_S)
            with self._lock:
                before = self.outage or Outage(error.problem, self._now())
                self.outage = replace(before, problem=error.problem)
            self._note_damage(error)
            raise
        self.outage = None

    def read(self, query: Callable[Concatenate[Connection, int, P], T], /, *args: P.args, **options: P.kwargs) -> T:
        """Calls `query(connection, migration_id, …)` in a read transaction."""
        with self.reading() as connection:
            return query(connection, self.migration_id, *args, **options)

    def recall(self, query: Callable[Concatenate[Connection, int, P], T], /, *args: P.args, **options: P.kwargs) -> T:
        """`read`; while the archive cannot be read, what it returned last, for the nearest window if the arguments have one."""
        window = next((item for item in args if isinstance(item, Window)), None)
        key = (tuple(item for item in args if item is not window), tuple(options.items()))
        return self.last_known(query, key, window, lambda: self.read(query, *args, **options))

    def last_known(self, kind: Hashable, key: Hashable, window: Window | None, read: Callable[[], T]) -> T:
        """What `read` returns. If the archive cannot be read: what it returned last for this kind and key, of the time nearest to `window`.

        Raises ArchiveError if it never returned anything for that.
        """
        problem = None
        try:
            value = read()
        except ArchiveError as error:
            problem = error.problem
        else:
            outage = self.outage  # `read` may return a part
            if outage is None:
                self.remember(kind, key, window, value)
                return value
            problem = outage.problem
        remembered = self.remembered(kind, key, window)
        if remembered is None:
            raise problem.as_error()
        value = remembered.value
        return value

    def remember(self, kind: Hashable, key: Hashable, window: Window | None, value: object) -> None:
        self._last_known.remember(kind, key, window, value, read_at=self._now())

    def remembered(self, kind: Hashable, key: Hashable, window: Window | None) -> Remembered | None:
        return self._last_known.recall(kind, key, window)

    def check_integrity(self) -> None:
        """Looks for damage. Raises ArchiveError."""
        try:
            check_integrity(self.engine)
        except ArchiveError as error:
            self._note_damage(error)
            raise
        self._file.damage = None

    def _note_damage(self, error: ArchiveError) -> None:
        if error.kind == "damaged":
            self._file.damage = error.problem

    def _now(self) -> int:
        return int(self._clock().timestamp())

    @contextmanager
    def writing(self, source_name: str | None = None) -> Iterator[Connection]:
        """A write transaction, unless the file is damaged. With the name of the source whose answer is written, records whether it succeeded."""
        try:
            if self.damage:
                raise self.damage.as_error()
            with transaction(self.engine, writes=True) as connection:
                yield connection
        except ArchiveError as error:
            self._note_damage(error)
            if source_name:
                self.set_problem(source_name, error.problem)
                self.unsaved_changes += 1
            raise
        if source_name:
            self.set_problem(source_name, None)

    def row(self, source_name: str, role: Role) -> SourceRow:
        return SourceRow(self.migration_id, source_name, role)

    def lease(self, source_name: str, role: Role, now: int) -> Lease:
        """Tries to take the lease on a source, for a with block."""
        return Lease(self.engine, self.row(source_name, role), now)

    def change_counter(self, source_name: str | None) -> int:
        return self.read(read_change_counter, source_name) + self.unsaved_changes
