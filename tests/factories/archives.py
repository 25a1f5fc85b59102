"""Archives for tests: opened in a folder, switched to read-only, and queried with SQL."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, create_engine, event, text

from archive import Archive
from domain import Clock, Migration, utc_now

MIGRATION = Migration.model_validate(
    {
        "name": "Photo service",
        "fleets": {
            "baseline": {"label": "EC2", "target_groups": ["photo-ec2"]},
            "canary": {"label": "ECS", "target_groups": ["photo-ecs"]},
        },
        "mackerel": {"service": "photo"},
    }
)
_read_only_listeners: WeakKeyDictionary[Archive, Callable[[Connection], None]] = WeakKeyDictionary()


def archive_url(folder: Path) -> str:
    """The URL of a folder's archive. The fixture `both_engines` replaces this function for PostgreSQL."""
    return f"sqlite:///{folder / 'archive.db'}"


def open_archive(folder: Path, *, clock: Clock = utc_now) -> Archive:
    return Archive.open(archive_url(folder), MIGRATION, clock=clock)


def set_read_only(archive: Archive, *, read_only: bool = True) -> None:
    """Makes the archive read-only, or writable again."""
    statement = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET TRANSACTION READ ONLY"}[
        archive.engine.dialect.name
    ]

    def execute(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    if listener := _read_only_listeners.pop(archive, None):
        event.remove(archive.engine, "begin", listener)
        archive.close()
    if read_only:
        _read_only_listeners[archive] = execute
        event.listen(archive.engine, "begin", execute)


def query_database(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    """The rows that a SQL statement returns, bypassing the archive."""
    engine = create_engine(archive_url(folder))
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]
    finally:
        engine.dispose()


def overwrite_page(archive: Archive, content: bytes = b"\xff" * 4096) -> bytes:
    """Overwrites the page in the middle of an SQLite file, and returns what was there."""
    archive.close()  # moves the write-ahead log into the file
    with Path(str(archive.engine.url.database)).open("r+b") as file:
        start = file.seek(0, 2) // len(content) // 2 * len(content)
        file.seek(start)
        before = file.read(len(content))
        file.seek(start)
        file.write(content)
    return before
