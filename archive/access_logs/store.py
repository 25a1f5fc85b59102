"""The part of an archive that holds access logs: which files were counted, and what they say."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from datetime import datetime

import pyarrow as pa
from sqlalchemy import Engine

from archive.access_logs import tables
from archive.db.engine import transaction
from archive.db.lease import Lease, acquire_lease
from archive.events.source_state import SourceRow
from domain import Window
from sources.access_logs.counter import LogCounts


class AccessLogStore:
    """What an Archive knows of access logs. Everything raises ArchiveError where the database cannot be used."""

    _engine: Engine
    _migration_id: int

    def access_logs__acquire_lease(self, now: datetime) -> AbstractContextManager[Lease]:
        """Claims the counting of logs until the end of the block: one process counts at a time."""
        return acquire_lease(self._engine, self._source_row, int(now.timestamp()))

    def access_logs__save_counts(self, files: Collection[tables.CountedFile], log_counts: LogCounts) -> bool:
        """Keeps a batch of counted files with its counts, all or nothing: False where any of them had been kept before."""
        with transaction(self._engine, writes=True) as connection:
            if kept := tables.write_batch(connection, self._migration_id, files, log_counts):
                self._source_row.increment_change_counter(connection)
        return kept

    @property
    def _source_row(self) -> SourceRow:
        return SourceRow(self._migration_id, "access_logs", "logs")

    def access_logs__counts(self, window: Window) -> pa.Table:
        """What the access logs say of `window` (domain.log_counts.COUNTS). Rows of different files may be alike, and are to be added up."""
        with transaction(self._engine, writes=False) as connection:
            return tables.read_counts(connection, self._migration_id, window)

    def access_logs__examples(self, window: Window) -> pa.Table:
        """Lines of `window` that failed or were slow (domain.log_counts.EXAMPLES)."""
        with transaction(self._engine, writes=False) as connection:
            return tables.read_examples(connection, self._migration_id, window)

    def access_logs__line_counts(self, window: Window) -> tables.LineCounts:
        """How many lines the counted files of `window` have, and how many of them could be read."""
        with transaction(self._engine, writes=False) as connection:
            return tables.read_line_counts(connection, self._migration_id, window)

    def access_logs__extent(self) -> Window | None:
        """The time of which there are counts, from the first hour to the last; None where no log was ever counted."""
        with transaction(self._engine, writes=False) as connection:
            return tables.read_extent(connection, self._migration_id)

    def access_logs__known_sizes(self, keys: Collection[str]) -> dict[str, int]:
        """Those of the files `keys` that were counted, with the size that they had."""
        with transaction(self._engine, writes=False) as connection:
            return tables.read_known_sizes(connection, self._migration_id, keys)
