"""The archive as batches need it: numbers that settle after a day, and what AWS says starts each job."""

from dataclasses import replace
from typing import Self

from sqlalchemy import select

from archive.archive import Archive
from archive.db import schema
from archive.db.upsert import upsert
from archive.events.source_state import SourceRow, SourceState
from archive.metrics.coverage import read_series_index
from domain import Clock, Migration, Series, utc_now
from domain.triggers import Triggers, triggers_from_json, triggers_to_json
from sources.base import health_state
from sources.triggers import TriggerSnapshot

# Mackerel takes a point up to 24 hours after its time; a run that is posted late is still found.
FINAL_AFTER_MINUTES = 24 * 60


class BatchArchive(Archive):
    """The same database, in which what batches report is kept. `open` as Archive's."""

    @classmethod
    def open(cls, url: str, migration: Migration, *, clock: Clock = utc_now) -> Self:
        return super().open(url, migration.model_copy(update={"settle_minutes": FINAL_AFTER_MINUTES}), clock=clock)

    def metrics__configured_series(self, source_name: str) -> tuple[Series, ...]:
        """The series that were last asked of a source, by any process. Raises ArchiveError."""
        with self._reading() as connection:
            return read_series_index(connection, self._migration_id, source_name).configured

    def events__save_triggers(self, snapshot: TriggerSnapshot, source_name: str) -> None:
        """Keeps what starts each job, where that could be read, and how the source is. Raises ArchiveError."""
        read = snapshot.triggers is not None
        state = health_state(snapshot.problems, snapshot.took_s, answered=read)
        told = SourceState(source_name, "starters", state, snapshot.asked_at, None, snapshot.took_s, snapshot.problems)
        with self._writing(source_name) as connection:
            if snapshot.triggers:
                body = triggers_to_json(replace(snapshot.triggers, asked_at=0))
                line = {
                    "migration_id": self._migration_id,
                    "source": source_name,
                    "asked_at": snapshot.asked_at,
                    "body": body,
                }
                upsert(connection, schema.trigger, [line])
            SourceRow(self._migration_id, source_name, "starters").save_state(connection, told, success=read)

    def events__triggers(self) -> Triggers | None:
        """What starts each job, as last read; None where that never was. Raises ArchiveError."""
        table = schema.trigger
        newest = (
            select(table).where(table.c.migration_id == self._migration_id).order_by(table.c.asked_at.desc()).limit(1)
        )
        with self._reading() as connection:
            row = connection.execute(newest).first()
        return replace(triggers_from_json(row.body), asked_at=row.asked_at) if row else None
