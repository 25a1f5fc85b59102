"""Backups of an SQLite archive: a copy of the file while it is in use, and its return. PostgreSQL has tools of its own."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal

from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from archive.db.engine import transaction
from archive.db.schema import SCHEMA_VERSION
from domain.files import create_private_file, create_private_folder

COPIED_PAGES = 2_000  # between two reports of the progress: 8 MB
SUFFIX = ".partial"  # of the file that is being written

BackupErrorKind = Literal["postgresql", "exists", "not_an_archive", "newer", "damaged", "not_written"]
ProgressCallback = Callable[[int, int], None]  # (pages done, total)


class BackupError(Exception):
    """A backup that cannot be written or restored: `kind`, and the file, version or finding that it is `about`."""

    def __init__(self, kind: BackupErrorKind, about: str) -> None:
        super().__init__(f"{kind}: {about}")
        self.kind, self.about = kind, about


def back_up(engine: Engine, path: Path, *, on_progress: ProgressCallback) -> int:
    """Writes the archive, as it is at one moment, to the new file `path`. Others may read and write meanwhile. Returns the bytes.

    The copy is checked and complete, or there is none. Raises BackupError, ArchiveError.
    """
    if engine.dialect.name != "sqlite":
        raise BackupError("postgresql", str(engine.url.database))
    # The snapshot of a transaction: without, each write of others begins the copy again.
    with transaction(engine, writes=False) as connection:
        source = connection.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)
        return _copy(source, path, on_progress)


def restore(backup: Path, url: str, *, on_progress: ProgressCallback) -> int:
    """Writes a backup to the file of the archive at `url`, which must not exist. Returns the bytes. Raises BackupError."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise BackupError("postgresql", str(parsed.database))
    try:
        with closing(sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro", uri=True)) as source:
            row = source.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
            if row is None:
                raise BackupError("not_an_archive", str(backup))
            if int(row[0]) > SCHEMA_VERSION:
                raise BackupError("newer", f"{row[0]} > {SCHEMA_VERSION}")
            return _copy(source, Path(str(parsed.database)), on_progress)
    except (sqlite3.Error, ValueError) as error:
        raise BackupError("not_an_archive", f"{backup}: {error}") from error


def _copy(source: sqlite3.Connection, path: Path, on_progress: ProgressCallback) -> int:
    partial = path.with_name(path.name + SUFFIX)
    try:
        if path.exists():
            raise BackupError("exists", str(path))
        create_private_folder(path.parent)
        partial.unlink(missing_ok=True)
        create_private_file(partial)
        with closing(sqlite3.connect(partial)) as target:
            source.backup(
                target, pages=COPIED_PAGES, progress=lambda _status, left, total: on_progress(total - left, total)
            )
            target.execute("PRAGMA journal_mode = DELETE")  # one file, which can be read where nothing can be written
            finding = target.execute("PRAGMA quick_check(1)").fetchone()[0]
        if finding != "ok":
            raise BackupError("damaged", finding)
        os.link(partial, path)  # unlike a rename, replaces nothing
        return path.stat().st_size
    except (OSError, sqlite3.Error) as error:
        raise BackupError("not_written", f"{path}: {error}") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
