"""The archive's SQL for notes: what a person wrote down at a time. They are events like the others, of a source of their own that nobody asks."""

from sqlalchemy import Connection, and_, delete

from archive.db import schema
from archive.events.source_state import SourceRow, write_events
from domain import Event

NOTES = "notes"
MAX_NOTE_CHARS = 500  # characters
MAX_AUTHOR_CHARS = 60


def create_note(ts: int, text: str, author: str, key: str) -> Event:
    """A note as an event at `ts` (epoch seconds): its words are the title, its author the detail. Raises ValueError where there are no words."""
    words, name = " ".join(text.split())[:MAX_NOTE_CHARS], " ".join(author.split())[:MAX_AUTHOR_CHARS]
    if not words:
        raise ValueError("A note has words.")
    return Event(ts, None, "note", words, name, "", "", NOTES, key)


def write_note(connection: Connection, migration_id: int, note: Event) -> None:
    write_events(connection, migration_id, (note,))
    _increment_change_counter(connection, migration_id)


def remove_note(connection: Connection, migration_id: int, key: str) -> bool:
    """Whether there was such a note. Events of other sources are never touched."""
    table = schema.event
    mine = and_(table.c.migration_id == migration_id, table.c.source == NOTES, table.c.key == key)
    found = connection.execute(delete(table).where(mine)).rowcount == 1
    _increment_change_counter(connection, migration_id)
    return found


def _increment_change_counter(connection: Connection, migration_id: int) -> None:
    line = SourceRow(migration_id, NOTES, "events")
    line.insert_if_missing(connection)
    line.update(connection, revision=schema.source_state.c.revision + 1)
