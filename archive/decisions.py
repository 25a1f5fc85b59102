"""The recorded decisions of a migration: the last evaluation of each phase, which the gate answers with."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select, update

from archive.db import schema
from archive.db.database import Database
from archive.db.upsert import upsert

ASKED_INTERVAL_S = 60  # a request is noted at most so often


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """`phase`: its number, from 1; `start_s`: its start, and `recorded_at`, in epoch seconds. `body`: the evaluation as a JSON object."""

    phase: int
    start_s: int
    recorded_at: int
    body: str


class DecisionStore:
    """Saves and reads them. Raises ArchiveError if the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, decision: RecordedDecision, starts: Mapping[int, int]) -> None:
        """Replaces the last one of its phase. `starts`: of the phases known now, by number; decisions of others are deleted: a record that arrived late
        may renumber them.
        """
        table, migration_id = schema.decision, self._database.migration_id
        row = {
            "migration_id": migration_id,
            "phase": decision.phase,
            "start_s": decision.start_s,
            "recorded_at": decision.recorded_at,
            "body": decision.body,
        }
        with self._database.writing() as connection:
            asked_at = _asked_at(connection, migration_id)
            upsert(connection, table, [{**row, "asked_at": asked_at}])
            of_migration = table.c.migration_id == migration_id
            for phase, start_s in connection.execute(select(table.c.phase, table.c.start_s).where(of_migration)).all():
                if starts.get(phase) != start_s:
                    connection.execute(delete(table).where(of_migration, table.c.phase == phase))

    def read(self) -> tuple[RecordedDecision, ...]:
        """Of every phase that has one, the oldest phase first. Not from memory while the archive cannot be read: a gate needs those of now."""
        return self._database.read(_read)

    def note_asked(self, now: int) -> None:
        """The gate was asked at `now` (epoch seconds)."""
        table = schema.decision
        with self._database.writing() as connection:
            of_migration = update(table).where(table.c.migration_id == self._database.migration_id)
            connection.execute(of_migration.where(table.c.asked_at <= now - ASKED_INTERVAL_S).values(asked_at=now))

    def asked_at(self) -> int:
        """When the gate was last asked, to ASKED_INTERVAL_S (epoch seconds); 0 if it never was."""
        return self._database.read(_asked_at)


def _read(connection: Connection, migration_id: int) -> tuple[RecordedDecision, ...]:
    table = schema.decision
    columns = (table.c.phase, table.c.start_s, table.c.recorded_at, table.c.body)
    rows = connection.execute(select(*columns).where(table.c.migration_id == migration_id).order_by(table.c.phase))
    return tuple(RecordedDecision(*row) for row in rows)


def _asked_at(connection: Connection, migration_id: int) -> int:
    table = schema.decision
    return connection.scalar(select(func.max(table.c.asked_at)).where(table.c.migration_id == migration_id)) or 0
