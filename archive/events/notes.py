"""Notes that users write at a time. They are events of the source "notes"."""

import logging
from uuid import uuid4

from sqlalchemy import and_, delete, select

from archive.db import schema
from archive.db.database import Database
from archive.events.events import read_stored_events_of, write_events
from archive.events.removals import read_removals, write_removal
from domain import Clock, Event, Removal, utc_now
from domain.window import EARLIEST_S, LATEST_S

NOTES = "notes"
MAX_NOTE_CHARS = 500
MAX_AUTHOR_CHARS = 60
logger = logging.getLogger(__name__)


def clean_author(name: str) -> str:
    """A name as it is stored: one line of at most 60 characters."""
    return " ".join(name.split())[:MAX_AUTHOR_CHARS]


def note_key(incident: str = "") -> str:
    """A new key. `incident`: the id of the incident that the note acknowledges."""
    return f"{uuid4().hex}:{incident}" if incident else uuid4().hex


def acknowledged_incident(note: Event) -> str:
    """The id of the incident that a note acknowledges; "" if it is of none."""
    return note.key.partition(":")[2] if note.source == NOTES else ""


class NoteStore:
    """Adds, lists and removes notes. Raises ArchiveError if the database cannot be used."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database, self._clock = database, clock

    def add(self, ts: int, text: str, author: str = "", *, incident: str = "") -> Event:
        """Stores a note at `ts` (epoch seconds): `text` becomes the title, on one line, and `author` the detail. Raises ValueError if it is empty.

        `incident`: the id of the incident that it acknowledges.
        """
        title, detail = " ".join(text.split())[:MAX_NOTE_CHARS], clean_author(author)
        if not title:
            raise ValueError("A note has words.")
        if not EARLIEST_S <= ts < LATEST_S:
            raise ValueError("A time is between 2010 and 2100.")
        note = Event(ts, None, "note", title, detail, "", "", NOTES, note_key(incident))
        with self._database.writing() as connection:
            write_events(connection, self._database.migration_id, (note,))
            self._database.row(NOTES, "events").increment_change_counter(connection)
        return note

    def read(self) -> tuple[Event, ...]:
        """All notes in order, also those of a time that no calendar has, which only older versions accepted: they can be removed."""
        return self._database.recall(read_stored_events_of, NOTES)

    def removals(self) -> tuple[Removal, ...]:
        """The notes that were removed, the last one first."""
        return tuple(removal for removal in self._database.recall(read_removals) if removal.share is None)

    def remove(self, key: str, removed_by: str = "") -> bool:
        """Removes a note, and stores the removal; returns whether it existed. Events of other sources are not touched."""
        table = schema.event
        is_note = and_(table.c.migration_id == self._database.migration_id, table.c.source == NOTES, table.c.key == key)
        with self._database.writing() as connection:
            note = connection.execute(select(table.c.ts, table.c.title, table.c.detail).where(is_note)).first()
            removed = connection.execute(delete(table).where(is_note)).rowcount == 1
            self._database.row(NOTES, "events").increment_change_counter(connection)
            if note and removed:
                at = int(self._clock().timestamp())
                removal = Removal(key, note.ts, note.detail, at, clean_author(removed_by), note.title)
                write_removal(connection, self._database.migration_id, removal)
        if note and removed:
            logger.warning("Removed the note %r: time %d, text %r, author %r", key, note.ts, note.title, note.detail)
        return removed
