"""Notes that users write at a time. They are events of the source "notes"."""

import logging
from uuid import uuid4

from sqlalchemy import and_, delete, select

from archive.db import schema
from archive.db.database import Database
from archive.events.events import read_events_of, write_events
from domain import Event
from domain.window import EARLIEST_S, LATEST_S

NOTES = "notes"
MAX_NOTE_CHARS = 500
MAX_AUTHOR_CHARS = 60
logger = logging.getLogger(__name__)


class NoteStore:
    """Adds, lists and removes notes. Raises ArchiveError if the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, ts: int, text: str, author: str = "") -> Event:
        """Stores a note at `ts` (epoch seconds): `text` becomes the title, on one line, and `author` the detail. Raises ValueError if it is empty."""
        title, detail = " ".join(text.split())[:MAX_NOTE_CHARS], " ".join(author.split())[:MAX_AUTHOR_CHARS]
        if not title:
            raise ValueError("A note has words.")
        if not EARLIEST_S <= ts < LATEST_S:
            raise ValueError("A time is between 2010 and 2100.")
        note = Event(ts, None, "note", title, detail, "", "", NOTES, uuid4().hex)
        with self._database.writing() as connection:
            write_events(connection, self._database.migration_id, (note,))
            self._database.row(NOTES, "events").increment_change_counter(connection)
        return note

    def read(self) -> tuple[Event, ...]:
        """All notes, whatever their time, in order."""
        return self._database.read(read_events_of, NOTES)

    def remove(self, key: str) -> bool:
        """Removes a note; returns whether it existed. Events of other sources are not touched."""
        table = schema.event
        is_note = and_(table.c.migration_id == self._database.migration_id, table.c.source == NOTES, table.c.key == key)
        with self._database.writing() as connection:
            note = connection.execute(select(table.c.ts, table.c.title, table.c.detail).where(is_note)).first()
            removed = connection.execute(delete(table).where(is_note)).rowcount == 1
            self._database.row(NOTES, "events").increment_change_counter(connection)
        if note and removed:
            logger.warning("Removed the note %r: time %d, text %r, author %r", key, note.ts, note.title, note.detail)
        return removed
