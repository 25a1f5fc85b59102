"""One migration's rows in the database: transactions, and a record of which sources could not be written."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine

from archive.db.engine import transaction
from archive.db.errors import ArchiveError, ArchiveProblem
from archive.db.lease import Lease
from archive.db.source_row import Role, SourceRow, read_change_counter

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """An engine with the id of a migration. Every method raises ArchiveError if the database cannot be used."""

    def __init__(self, engine: Engine, migration_id: int) -> None:
        self.engine, self.migration_id = engine, migration_id
        self.unsaved_changes = 0  # changes that only this process has, because they could not be written
        self._lock = threading.Lock()
        self._problems: dict[str, ArchiveProblem] = {}

    def problem(self, source_name: str | None = None) -> ArchiveProblem | None:
        """Why the last write of a source (None: of any source) failed; None if it succeeded."""
        with self._lock:
            return self._problems.get(source_name) if source_name else next(iter(self._problems.values()), None)

    def set_problem(self, source_name: str, problem: ArchiveProblem | None) -> None:
        with self._lock:
            if problem:
                self._problems[source_name] = problem
            else:
                self._problems.pop(source_name, None)

    def reading(self) -> AbstractContextManager[Connection]:
        return transaction(self.engine, writes=False)

    def read(self, query: Callable[Concatenate[Connection, int, P], T], /, *args: P.args, **options: P.kwargs) -> T:
        """Calls `query(connection, migration_id, …)` in a read transaction."""
        with self.reading() as connection:
            return query(connection, self.migration_id, *args, **options)

    @contextmanager
    def writing(self, source_name: str | None = None) -> Iterator[Connection]:
        """A write transaction. With the name of the source whose answer is written, records whether it succeeded."""
        try:
            with transaction(self.engine, writes=True) as connection:
                yield connection
        except ArchiveError as error:
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
