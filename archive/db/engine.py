"""SQLAlchemy engines and transactions of the archive; database errors become ArchiveError."""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from archive.db import postgres
from archive.db.errors import ArchiveError, ArchiveErrorKind
from domain.files import FileExposure, create_private_file, create_private_folder, exposure_of
from domain.redaction import register_url

logger = logging.getLogger(__name__)
LOCK_TIMEOUT_S = 5.0  # how long a writer waits for another

# By SQLite's result code; extended codes begin with it.
_ERROR_KINDS: dict[str, ArchiveErrorKind] = {
    "SQLITE_FULL": "disk_full",
    "SQLITE_IOERR_SHMSIZE": "disk_full",  # no space for the index of the write-ahead log
    "SQLITE_BUSY": "locked",
    "SQLITE_LOCKED": "locked",
    "SQLITE_READONLY": "read_only",
    "SQLITE_PERM": "read_only",
    "SQLITE_NOTADB": "not_a_database",
    "SQLITE_CANTOPEN": "unreadable",
    "SQLITE_CORRUPT": "damaged",
    "SQLITE_IOERR": "unreadable",
}


def open_engine(url: str) -> Engine:
    """An engine for the archive at `url`; creates an SQLite file, for its owner alone, and its folder. Does not connect yet. Raises ArchiveError."""
    register_url(url)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # ValueError: of a port that is no number
        raise ArchiveError("unreadable", str(error)) from error
    if parsed.drivername == "postgresql+psycopg":
        return postgres.open_engine(parsed, lock_timeout_s=LOCK_TIMEOUT_S)
    if parsed.get_backend_name() != "sqlite":
        raise ArchiveError("unreadable", f"{parsed.drivername}: neither sqlite nor postgresql+psycopg")
    if parsed.database in (None, "", ":memory:"):
        raise ArchiveError("unreadable", f"{url}: no file")
    try:
        create_private_folder(Path(str(parsed.database)).parent)
        create_private_file(Path(str(parsed.database)))  # SQLite's further files get the permissions of this one
        check_same_file = _file_check(Path(str(parsed.database)).absolute())
        if exposure := exposure_of(Path(str(parsed.database))):
            _warn_of_exposure(str(parsed.database), exposure)
    except OSError as error:
        raise ArchiveError("unreadable", str(error)) from error
    # No limit on connections: a page never waits for the collector's threads.
    engine = create_engine(parsed, connect_args={"timeout": LOCK_TIMEOUT_S}, max_overflow=-1)
    event.listen(engine, "do_connect", check_same_file)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", check_same_file)
    event.listen(engine, "begin", _on_begin)
    return engine


@lru_cache
def _warn_of_exposure(path: str, exposure: FileExposure) -> None:
    """Logs, once in a process, that others have access to the archive file."""
    if exposure == "other_owner":
        logger.warning("The archive file belongs to another user, who can read and replace it: chown %s", path)
    else:
        logger.warning("The archive file is open to other users of this machine: chmod 600 %s*", path)


def _file_check(path: Path) -> Callable[..., None]:
    """A listener that raises ArchiveError if `path` is no longer the file that it is now.

    An open connection would write to a file that was removed, and a new one would create an empty file in its place. Raises OSError.
    """
    opened = path.stat()

    def check(*_: object) -> None:
        try:
            same = os.path.samestat(path.stat(), opened)
        except FileNotFoundError:
            raise ArchiveError("replaced", f"{path}: removed") from None
        except OSError as error:
            raise ArchiveError("unreadable", str(error)) from error
        if not same:
            raise ArchiveError("replaced", f"{path}: another file")

    return check


def _on_connect(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # _on_begin begins transactions, not the sqlite3 module
    connection.execute("PRAGMA foreign_keys = ON")
    _enable_wal(connection)
    # In WAL mode, NORMAL does not sync at each commit. A killed process loses nothing. After a power failure the newest commits may be
    # missing as a whole; they are fetched again, because their coverage is missing too.
    connection.execute("PRAGMA synchronous = NORMAL")


def _enable_wal(connection: Any) -> None:
    """Switches to write-ahead logging. SQLite does not wait for its lock if two processes switch at once, so this retries."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _on_begin(connection: Connection) -> None:
    # SQLite does not wait when a read transaction turns into a write transaction; BEGIN IMMEDIATE does.
    if connection.get_execution_options().get("autocommit"):
        return
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def transaction(engine: Engine, *, writes: bool) -> Iterator[Connection]:
    """An atomic transaction that sees one snapshot of the archive. Raises ArchiveError."""
    options = postgres.transaction_options(writes=writes) if engine.dialect.name == "postgresql" else {}
    with (
        _archive_errors(),
        engine.connect().execution_options(writes=writes, **options) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def autocommit(engine: Engine) -> Iterator[Connection]:
    """A connection without a transaction, for statements such as VACUUM. Raises ArchiveError."""
    # An SQLite connection commits each statement unless _on_begin begins a transaction.
    options = {"autocommit": True} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
    with _archive_errors(), engine.connect().execution_options(**options) as connection:
        yield connection


@contextmanager
def _archive_errors() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        kind = _error_kind(error)
        if kind is None:
            raise
        raise ArchiveError(kind, str(error.orig)) from error


def _error_kind(error: DBAPIError) -> ArchiveErrorKind | None:
    """The kind of a database error; None for a bug of this program."""
    if error.orig is not None and type(error.orig).__module__.startswith("psycopg"):
        return postgres.error_kind(error.orig)
    name = getattr(error.orig, "sqlite_errorname", "")
    if name in _ERROR_KINDS:
        return _ERROR_KINDS[name]
    return next((kind for code, kind in _ERROR_KINDS.items() if name.startswith(f"{code}_")), None) or (
        "unreadable" if error.connection_invalidated else None
    )
