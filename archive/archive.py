"""The archive of one migration: metrics, events, access logs and notes in one database."""

from collections.abc import Callable, Hashable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy import Engine

from archive.access_logs.store import AccessLogStore
from archive.db import schema
from archive.db.database import Database
from archive.db.engine import open_engine
from archive.db.errors import ArchiveError, ArchiveProblem
from archive.db.last_known import Outage
from archive.db.source_row import Role
from archive.db.upsert import upsert
from archive.decisions import DecisionStore
from archive.events.notes import NoteStore
from archive.events.steps import StepStore
from archive.events.store import EventStore
from archive.metrics.coverage import get_or_create_migration
from archive.metrics.store import MetricStore
from archive.notifications import NotificationStore
from archive.observations import ObservationStore
from archive.pruning import prune
from archive.sign_offs import SignOffStore
from domain import Clock, Migration, utc_now
from domain.files import FileExposure, exposure_of


class Archive:
    """One instance may be used by many threads, and one database by many processes (an SQLite file: on the same machine)."""

    def __init__(self, database: Database, migration: Migration, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self.last_view = database.last_known
        self.release = migration.release
        self.retention, self._key = migration.retention, migration.key
        self.metrics = MetricStore(
            database, final_after_s=migration.settle_minutes * 60, clock=clock, retention=migration.retention
        )
        self.events = EventStore(database, configured_rule=migration.aws.rule if migration.aws else "")
        self.access_logs = AccessLogStore(database)
        self.notes = NoteStore(database, clock)
        self.steps = StepStore(database, clock)
        self.decisions = DecisionStore(database)
        self.observations = ObservationStore(database)
        self.notifications = NotificationStore(database)
        self.sign_offs = SignOffStore(database, migration.key)

    @classmethod
    def open(cls, url: str, migration: Migration, *, clock: Clock = utc_now) -> Self:
        """Opens the archive at `url`; creates or migrates its tables. Raises ArchiveError."""
        engine = open_engine(url)
        try:
            schema.upgrade_schema(engine)
            return cls(Database(engine, get_or_create_migration(engine, migration.key), clock), migration, clock)
        except ArchiveError:
            engine.dispose()
            raise

    def of(self, migration: Migration) -> Self:
        """The archive of another migration in the same database: to close one closes both. Raises ArchiveError."""
        clock, migration_id = self._clock, get_or_create_migration(self.engine, migration.key)
        return type(self)(Database(self.engine, migration_id, clock, shared=self._database), migration, clock)

    def prune(self) -> bool:
        """Deletes some of what is not kept any more, unless another process does. Returns whether there is more to delete. Raises ArchiveError."""
        now_s = int(self._clock().timestamp())
        with self._database.lease("archive", "prune", now_s) as lease:
            return lease.acquired and prune(self.engine, self._key, self.retention, now_s)

    def write_held(self) -> None:
        """Tries again to write what could not be written, before the process ends and loses it."""
        for store in (self.events, self.metrics):
            with suppress(ArchiveError):
                store.write_held()

    def close(self) -> None:
        """Closes all connections. The next use opens new ones."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def engine(self) -> Engine:
        """For functions on the whole database: status, export, import."""
        return self._database.engine

    def check_integrity(self) -> None:
        """Looks for damage of an SQLite file; while there is any, nothing is written. Raises ArchiveError."""
        self._database.check_integrity()

    @property
    def is_damaged(self) -> bool:
        """Whether the last check, a read or a write found damage."""
        return self._database.damage is not None

    @property
    def problem(self) -> ArchiveProblem | None:
        """Why the last read, or the last write of some source, failed, or the damage of the file; None if there is nothing."""
        return self._database.problem()

    @property
    def outage(self) -> Outage | None:
        """Since when the archive cannot be read; None if the last read succeeded."""
        return self._database.outage

    def current_key(self, read_key: Callable[[], Hashable]) -> Hashable:
        """A cache key; while it cannot be read, one that changes with every result that is held in memory."""
        try:
            return read_key()
        except ArchiveError:
            return self._database.outage, self._database.unsaved_changes

    @property
    def file_exposure(self) -> FileExposure | None:
        """Who else has access to the archive file; None for PostgreSQL. Raises ArchiveError."""
        if self.engine.dialect.name != "sqlite":
            return None
        try:
            return exposure_of(Path(str(self.engine.url.database)))
        except OSError as error:
            raise ArchiveError("unreadable", str(error)) from error

    def check_writable(self) -> None:
        """Writes and removes about as much as a minute of metrics. Raises ArchiveError."""
        for scratch in ("x" * 65_536, ""):
            with self._database.writing() as connection:
                upsert(connection, schema.meta, [{"key": "scratch", "value": scratch}])

    def try_acquire_slot(self, source_name: str, role: Role, *, now: datetime, interval_s: int) -> int:
        """Takes the next slot to poll a source, if no process took one in the last `interval_s` seconds, and returns 0; else the seconds to wait."""
        with self._database.writing() as connection:
            row = self._database.row(source_name, role)
            return row.try_acquire_slot(connection, now=int(now.timestamp()), interval_s=interval_s)

    def change_counter(self, source_name: str | None = None) -> int:
        """A number that grows whenever anything of a source (None: of the migration) changes: a cache key."""
        return self._database.change_counter(source_name)
