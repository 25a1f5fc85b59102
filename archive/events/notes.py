"""The archive's SQL for notes: what a person wrote down at a time. They are events like the others, of a source of their own that nobody asks."""

from sqlalchemy import Connection, and_, delete

from archive.db import schema
from archive.events.source_state import Line, write_events
from domain import Event

NOTES = "notes"
LONGEST_NOTE = 500  # characters
LONGEST_AUTHOR = 60


def note(ts: int, text: str, author: str, key: str) -> Event:
    """A note as an event at `ts` (epoch seconds): its words are the title, its author the detail. Raises ValueError where there are no words."""
    words, name = " ".join(text.split())[:LONGEST_NOTE], " ".join(author.split())[:LONGEST_AUTHOR]
    if not words:
        raise ValueError("A note has words.")
    return Event(ts, None, "note", words, name, "", "", NOTES, key)


def write_note(connection: Connection, migration_id: int, kept: Event) -> None:
    write_events(connection, migration_id, (kept,))
    _changed(connection, migration_id)


def remove_note(connection: Connection, migration_id: int, key: str) -> bool:
    """Whether there was such a note. Events of other sources are never touched."""
    table = schema.event
    mine = and_(table.c.migration_id == migration_id, table.c.source == NOTES, table.c.key == key)
    found = connection.execute(delete(table).where(mine)).rowcount == 1
    _changed(connection, migration_id)
    return found


def _changed(connection: Connection, migration_id: int) -> None:
    line = Line(migration_id, NOTES, "events")
    line.enter(connection)
    line.change(connection, revision=schema.source.c.revision + 1)
