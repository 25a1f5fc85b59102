"""Archives for tests: opened in a folder, switched to read-only, and queried with SQL."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, create_engine, event, text

from archive import Archive
from domain import Migration

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
    """Where the archive of a folder is. The fixture `both_engines` says otherwise for PostgreSQL."""
    return f"sqlite:///{folder / 'archive.db'}"


def open_archive(folder: Path) -> Archive:
    return Archive.open(archive_url(folder), MIGRATION)


def set_read_only(archive: Archive, *, read_only: bool = True) -> None:
    """From now on the archive may only be read, or may be written again."""
    word = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET TRANSACTION READ ONLY"}[archive.engine.dialect.name]

    def refuse(connection: Connection) -> None:
        connection.exec_driver_sql(word)

    if old := _read_only_listeners.pop(archive, None):
        event.remove(archive.engine, "begin", old)
        archive.close()
    if read_only:
        _read_only_listeners[archive] = refuse
        event.listen(archive.engine, "begin", refuse)


def query_database(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    """What the database of an archive answers, past the archive."""
    engine = create_engine(archive_url(folder))
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]
    finally:
        engine.dispose()
