"""The part of an archive that persons and the retrospective need: how far it reaches, and notes."""

from uuid import uuid4

from sqlalchemy import Engine

from archive.db.engine import transaction
from archive.events import notes
from archive.metrics import coverage
from domain import Event, Series, Window


class NoteStore:
    """What an Archive can do besides. Everything raises ArchiveError where the database cannot be used."""

    _engine: Engine
    _migration_id: int

    def metrics__configured_series(self, source_name: str) -> tuple[Series, ...]:
        """The series of a source that the configuration asked for when it was last filled, by whichever process."""
        with transaction(self._engine, writes=False) as connection:
            return coverage.read_series_index(connection, self._migration_id, source_name).configured

    def metrics__covered_span(self, source_name: str) -> Window | None:
        """From the first to the last settled time that a source has answered for; None where it never did. There may be gaps in it."""
        with transaction(self._engine, writes=False) as connection:
            return coverage.read_span(connection, self._migration_id, source_name)

    def notes__add(self, ts: int, text: str, author: str = "") -> Event:
        """Keeps what a person wrote down at a time (epoch seconds): `text` is a line, `author` a name or "". Raises ValueError without words."""
        kept = notes.create_note(ts, text, author, uuid4().hex)
        with transaction(self._engine, writes=True) as connection:
            notes.write_note(connection, self._migration_id, kept)
        return kept

    def notes__remove(self, key: str) -> bool:
        """Removes a note; whether there was one."""
        with transaction(self._engine, writes=True) as connection:
            return notes.remove_note(connection, self._migration_id, key)
