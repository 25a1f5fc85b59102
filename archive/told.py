"""What the archive tells of all that happened: events, steps of the split, how services and sources stand. Only read, never asked."""

from collections.abc import Collection
from contextlib import AbstractContextManager

import pyarrow as pa
from sqlalchemy import Connection, Engine

from archive import engine as database
from archive import happenings, logs, splits, standings
from archive.happenings import SourceState
from archive.history import read_heard
from migration import Event, Migration, SplitChange, Window
from migration.deployments import Standing


class Told:
    """The part of an archive that needs nothing but its database. Raises ArchiveError where that cannot be used."""

    def __init__(self, engine: Engine, migration: Migration, migration_id: int) -> None:
        self._engine, self._id = engine, migration_id
        self._rule = migration.aws.rule if migration.aws else ""
        self._joined: tuple[tuple[int, int], splits.Changed] | None = None

    def _changes(self, connection: Connection) -> splits.Changed:
        """All that is known of changes, joined anew only where there is more of it: every page asks for it, several times."""
        mark = splits.mark(connection, self._id)
        if self._joined is None or self._joined[0] != mark:
            self._joined = mark, splits.read_changes(connection, self._id, self._rule)
        return self._joined[1]

    @property
    def engine(self) -> Engine:
        """For what takes the whole archive: its status, an export, an import."""
        return self._engine

    def _reading(self) -> AbstractContextManager[Connection]:
        return database.transaction(self._engine, writes=False)

    def heard(self, source_name: str) -> tuple[Window, ...]:
        """The time that a source which keeps a history has told of."""
        with self._reading() as connection:
            return read_heard(connection, self._id, source_name)

    def standing(self) -> Standing | None:
        """How services and deployments stood when they were last read; None where nobody ever told."""
        with self._reading() as connection:
            return standings.read(connection, self._id)

    def events(self, window: Window) -> tuple[Event, ...]:
        """Everything that happened, or was going on, in `window`: weight changes, deployments, alerts, annotations; in order."""
        with self._reading() as connection:
            told = happenings.read_events(connection, self._id, window)
            changed = self._changes(connection)
        return tuple(sorted((*told, *changed.events(window)), key=lambda event: (event.ts, event.source, event.key)))

    def split_changes(self, window: Window | None = None) -> tuple[SplitChange, ...]:
        """The changes of the split in `window`, or all that are known, in order: one for all that several sources tell of it."""
        with self._reading() as connection:
            told = self._changes(connection).of_split
        return tuple(one for one in told if window is None or window.start <= one.ts < window.end)

    def states(self) -> tuple[SourceState, ...]:
        """How every source is that was ever asked: traffic first, then metrics, then events."""
        with self._reading() as connection:
            return happenings.read_states(connection, self._id)

    # ---- access logs

    def log_counts(self, window: Window) -> pa.Table:
        """What the access logs say of `window` (migration.counts.COUNTS). Rows of different files may be alike, and are to be added up."""
        with self._reading() as connection:
            return logs.read_counts(connection, self._id, window)

    def log_examples(self, window: Window) -> pa.Table:
        """Lines of `window` that failed or were slow (migration.counts.EXAMPLES)."""
        with self._reading() as connection:
            return logs.read_examples(connection, self._id, window)

    def log_lines(self, window: Window) -> logs.Lines:
        """How many lines the counted files of `window` have, and how many of them could be read."""
        with self._reading() as connection:
            return logs.read_lines(connection, self._id, window)

    def log_extent(self) -> Window | None:
        """The time of which there are counts, from the first hour to the last; None where no log was ever counted."""
        with self._reading() as connection:
            return logs.read_extent(connection, self._id)

    def known_logs(self, keys: Collection[str]) -> dict[str, int]:
        """Those of the files `keys` that were counted, with the size that they had."""
        with self._reading() as connection:
            return logs.known(connection, self._id, keys)
