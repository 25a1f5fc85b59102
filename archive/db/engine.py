"""How the archive's database is opened, what a transaction is, and its faults as named kinds."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from archive.db import postgres
from archive.db.errors import ArchiveError, ArchiveErrorKind, ArchiveProblem

__all__ = ["ArchiveError", "ArchiveErrorKind", "ArchiveProblem", "open_engine", "transaction"]

LOCK_TIMEOUT_S = 5.0  # how long a writer waits for another

# SQLite's own names for what went wrong; the longer ones are its extended codes.
_ERROR_KINDS: dict[str, ArchiveErrorKind] = {
    "SQLITE_FULL": "disk_full",
    "SQLITE_IOERR_SHMSIZE": "disk_full",  # no room for the index beside the write-ahead log
    "SQLITE_BUSY": "locked",
    "SQLITE_LOCKED": "locked",
    "SQLITE_READONLY": "read_only",
    "SQLITE_PERM": "read_only",
    "SQLITE_NOTADB": "not_a_database",
    "SQLITE_CANTOPEN": "unreadable",
    "SQLITE_CORRUPT": "unreadable",
    "SQLITE_IOERR": "unreadable",
}


def open_engine(url: str) -> Engine:
    """An engine for the archive at `url`; an SQLite file's folder is made. Nothing is opened yet. Raises ArchiveError."""
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise ArchiveError("unreadable", str(error)) from error
    if address.drivername == "postgresql+psycopg":
        return postgres.open_engine(address, lock_timeout_s=LOCK_TIMEOUT_S)
    if address.get_backend_name() != "sqlite":
        raise ArchiveError("unreadable", f"{address.drivername}: neither sqlite nor postgresql+psycopg")
    if address.database in (None, "", ":memory:"):
        raise ArchiveError("unreadable", f"{url}: no file")
    try:
        Path(str(address.database)).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArchiveError("unreadable", str(error)) from error
    # A thread that finds all pooled connections taken opens another: a page never waits for the keeper.
    engine = create_engine(address, connect_args={"timeout": LOCK_TIMEOUT_S}, max_overflow=-1)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where _begin says, not where sqlite3 guesses
    connection.execute("PRAGMA foreign_keys = ON")
    _enable_wal(connection)
    # In WAL, NORMAL leaves out the sync at each commit. A commit is in the file system's hands all the same, so a killed process
    # loses nothing; after a power cut the newest commits may be gone, whole, and are asked for again because their coverage went with them.
    connection.execute("PRAGMA synchronous = NORMAL")


def _enable_wal(connection: Any) -> None:
    """Readers and one writer at once. Where two processes change the mode at once, SQLite refuses one of them without waiting."""
    patience = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > patience:
                raise
            time.sleep(0.02)


def _on_begin(connection: Connection) -> None:
    # A reader that turns writer halfway is refused at once where somebody else wrote meanwhile; one that says so at the start waits.
    if connection.get_execution_options().get("plain"):
        return
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def transaction(engine: Engine, *, writes: bool) -> Iterator[Connection]:
    """All of it or nothing of it, seeing one moment of the archive. Raises ArchiveError."""
    options = postgres.transaction_options(writes=writes) if engine.dialect.name == "postgresql" else {}
    try:
        with engine.connect().execution_options(writes=writes, **options) as connection, connection.begin():
            yield connection
    except DBAPIError as error:
        kind = _error_kind(error)
        if kind is None:
            raise
        raise ArchiveError(kind, str(error.orig)) from error


def _error_kind(error: DBAPIError) -> ArchiveErrorKind | None:
    """The kind of a database's fault; None where it is a mistake of this program."""
    if error.orig is not None and type(error.orig).__module__.startswith("psycopg"):
        return postgres.error_kind(error.orig)
    name = getattr(error.orig, "sqlite_errorname", "")
    if name in _ERROR_KINDS:
        return _ERROR_KINDS[name]
    return next((kind for stem, kind in _ERROR_KINDS.items() if name.startswith(f"{stem}_")), None) or (
        "unreadable" if error.connection_invalidated else None
    )


@contextmanager
def autocommit(engine: Engine) -> Iterator[Connection]:
    """A connection without a transaction, for what a database does only outside of one. Raises ArchiveError."""
    try:
        # SQLite's connections commit by themselves wherever _begin does not begin.
        how = {"plain": True} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
        with engine.connect().execution_options(**how) as connection:
            yield connection
    except DBAPIError as error:
        kind = _error_kind(error)
        if kind is None:
            raise
        raise ArchiveError(kind, str(error.orig)) from error
