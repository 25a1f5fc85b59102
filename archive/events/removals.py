"""The trace of notes and entered steps that were removed: events of the source "removals", which no chart draws."""

from sqlalchemy import Connection, select

from archive.db import schema
from archive.db.stored_json import read_stored
from archive.events.events import REMOVALS, write_events
from domain import Event, Removal
from domain.serialization import to_json


def write_removal(connection: Connection, migration_id: int, removal: Removal) -> None:
    body = to_json(removal)
    event = Event(removal.removed_at, None, "note", removal.text, body, "", "", REMOVALS, removal.key)
    write_events(connection, migration_id, (event,))


def read_removals(connection: Connection, migration_id: int) -> tuple[Removal, ...]:
    """All, the latest first."""
    table = schema.event
    of_migration = select(table.c.key, table.c.detail).where(
        table.c.migration_id == migration_id, table.c.source == REMOVALS
    )
    rows = connection.execute(of_migration.order_by(table.c.ts.desc(), table.c.key))
    removals = (read_stored(Removal, row.detail, f"event {REMOVALS} {row.key}") for row in rows)
    return tuple(removal for removal in removals if removal)
