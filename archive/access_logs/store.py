"""The part of an archive that holds access logs: which files were counted, and what they say."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from datetime import datetime

import pyarrow as pa
from sqlalchemy import Engine

from archive.access_logs import tables
from archive.db.engine import transaction
from archive.db.lease import Claim, claim
from archive.events.source_state import Line
from domain import Window
from sources.access_logs.counter import Counted


class Logbook:
    """What an Archive knows of access logs. Everything raises ArchiveError where the database cannot be used."""

    _engine: Engine
    _id: int

    def claim_logs(self, now: datetime) -> AbstractContextManager[Claim]:
        """Claims the counting of logs until the end of the block: one process counts at a time."""
        return claim(self._engine, self._log_line, int(now.timestamp()))

    def keep_logs(self, files: Collection[tables.CountedFile], counted: Counted) -> bool:
        """Keeps a batch of counted files with its counts, all or nothing: False where any of them had been kept before."""
        with transaction(self._engine, writes=True) as connection:
            if kept := tables.write(connection, self._id, files, counted):
                self._log_line.changed(connection)
        return kept

    @property
    def _log_line(self) -> Line:
        return Line(self._id, "access_logs", "logs")

    def log_counts(self, window: Window) -> pa.Table:
        """What the access logs say of `window` (domain.log_counts.COUNTS). Rows of different files may be alike, and are to be added up."""
        with transaction(self._engine, writes=False) as connection:
            return tables.read_counts(connection, self._id, window)

    def log_examples(self, window: Window) -> pa.Table:
        """Lines of `window` that failed or were slow (domain.log_counts.EXAMPLES)."""
        with transaction(self._engine, writes=False) as connection:
            return tables.read_examples(connection, self._id, window)

    def log_lines(self, window: Window) -> tables.Lines:
        """How many lines the counted files of `window` have, and how many of them could be read."""
        with transaction(self._engine, writes=False) as connection:
            return tables.read_lines(connection, self._id, window)

    def log_extent(self) -> Window | None:
        """The time of which there are counts, from the first hour to the last; None where no log was ever counted."""
        with transaction(self._engine, writes=False) as connection:
            return tables.read_extent(connection, self._id)

    def known_logs(self, keys: Collection[str]) -> dict[str, int]:
        """Those of the files `keys` that were counted, with the size that they had."""
        with transaction(self._engine, writes=False) as connection:
            return tables.known(connection, self._id, keys)
