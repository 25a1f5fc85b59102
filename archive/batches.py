"""The archive as batches need it: numbers that settle after a day, and what AWS says starts each job."""

from dataclasses import replace
from typing import Self

from sqlalchemy import select

from archive.archive import Archive
from archive.db import schema
from archive.db.upsert import upsert
from archive.events.source_state import Line, SourceState
from archive.metrics.coverage import read_book
from domain import Clock, Migration, Series, utc_now
from domain.triggers import Starters, starters_from_json, starters_to_json
from sources.base import state_of
from sources.triggers import StartersLook

# Mackerel takes a point up to 24 hours after its time; a run that is posted late is still found.
SETTLE_MINUTES = 24 * 60


class BatchArchive(Archive):
    """The same database, in which what batches report is kept. `open` as Archive's."""

    @classmethod
    def open(cls, url: str, migration: Migration, *, clock: Clock = utc_now) -> Self:
        return super().open(url, migration.model_copy(update={"settle_minutes": SETTLE_MINUTES}), clock=clock)

    def wanted(self, source_name: str) -> tuple[Series, ...]:
        """The series that were last asked of a source, by any process. Raises ArchiveError."""
        with self._reading() as connection:
            return read_book(connection, self._id, source_name).wanted

    def keep_starters(self, look: StartersLook, source_name: str) -> None:
        """Keeps what starts each job, where that could be read, and how the source is. Raises ArchiveError."""
        read = look.starters is not None
        state = state_of(look.problems, look.took_s, answered=read)
        told = SourceState(source_name, "starters", state, look.asked_at, None, look.took_s, look.problems)
        with self._keeping(source_name) as connection:
            if look.starters:
                body = starters_to_json(replace(look.starters, asked_at=0))
                line = {"migration_id": self._id, "source": source_name, "asked_at": look.asked_at, "body": body}
                upsert(connection, schema.starter, [line])
            Line(self._id, source_name, "starters").tell(connection, told, good=read)

    def starters(self) -> Starters | None:
        """What starts each job, as last read; None where that never was. Raises ArchiveError."""
        table = schema.starter
        newest = select(table).where(table.c.migration_id == self._id).order_by(table.c.asked_at.desc()).limit(1)
        with self._reading() as connection:
            row = connection.execute(newest).first()
        return replace(starters_from_json(row.body), asked_at=row.asked_at) if row else None
