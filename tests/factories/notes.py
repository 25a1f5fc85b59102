"""Notes without an archive."""

from archive import NOTES
from archive.events.notes import note_key
from domain import Event


def acknowledging_note(incident: str, text: str = "A broken release") -> Event:
    return Event(1_795_000_000, None, "note", text, "Mika", "", "", NOTES, note_key(incident))
