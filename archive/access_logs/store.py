"""The archive's access logs: which files were counted, and their counts."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

import pyarrow as pa

from archive.access_logs import tables
from archive.db.database import Database
from archive.db.lease import Lease
from domain import Window
from sources.access_logs.counter import LogCounts

ACCESS_LOGS = "access_logs"  # the source whose change counter grows with every batch


class AccessLogStore:
    """Access logs of one migration. Tables that are read have texts that repeat dictionary-encoded. Raises ArchiveError if the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire_lease(self, now: datetime) -> Lease:
        """The lease on counting logs: one process counts at a time."""
        return self._database.lease(ACCESS_LOGS, "logs", int(now.timestamp()))

    def save_counts(self, files: Collection[tables.CountedFile], log_counts: LogCounts) -> bool:
        """Stores a batch of counted files in one transaction; returns False, and stores nothing, if one of them is stored already."""
        with self._database.writing() as connection:
            saved = tables.write_batch(connection, self._database.migration_id, files, log_counts)
            if saved:
                self._database.row(ACCESS_LOGS, "logs").increment_change_counter(connection)
        return saved

    def iter_counts(self, window: Window, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The counts of `window` (domain.log_counts.COUNTS), or `columns` of them, the minute among these: a table for each hour and batch of files,
        one after the other in a transaction, as days of counts may not fit in memory. Rows with the same key must be added up."""
        with self._database.reading() as connection:
            yield from tables.iter_counts(connection, self._database.migration_id, window, columns)

    def counts(self, window: Window, columns: Sequence[str] | None = None) -> pa.Table:
        """`iter_counts` as one table."""
        return self._database.read(tables.read_counts, window, columns)

    def count_routes(self, window: Window) -> int:
        """How many distinct routes the counts of the hours of `window` have."""
        return self._database.read(tables.count_routes, window)

    def examples(self, window: Window) -> pa.Table:
        """Failed and slow requests of `window` (domain.log_counts.EXAMPLES)."""
        return self._database.read(tables.read_examples, window)

    def sizes(self, window: Window) -> pa.Table:
        """What was answered in `window` (domain.log_counts.SIZES). Rows with the same key must be added up."""
        return self._database.read(tables.read_sizes, window)

    def traits(self, window: Window) -> pa.Table:
        """What requests had in common in the blocks that overlap `window` (domain.log_counts.TRAITS). Rows with the same key must be added up."""
        return self._database.read(tables.read_traits, window)

    def undetailed_hours(self, window: Window) -> tuple[int, int]:
        """How many of the hours of `window` with counts have some without sizes and traits; and how many there are."""
        return self._database.read(tables.count_undetailed_hours, window)

    def line_counts(self, window: Window) -> tables.LineCounts:
        """How many lines the counted files of `window` have, and how many could be parsed."""
        return self._database.read(tables.read_line_counts, window)

    def extent(self) -> Window | None:
        """From the first to the last hour with counts; None without counts."""
        return self._database.read(tables.read_extent)

    def known_sizes(self, keys: Collection[str]) -> dict[str, int]:
        """The sizes of those of `keys` that were counted."""
        return self._database.read(tables.read_known_sizes, keys)
