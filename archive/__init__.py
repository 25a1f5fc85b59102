"""What was seen, kept: the cache of every number, the history of every weight, and the read-through that fills both."""

from archive.archive import Archive
from archive.batches import BatchArchive
from archive.db.engine import ArchiveError, ArchiveProblem, ArchiveTrouble
from archive.events.notes import NOTES
from archive.events.source_state import Role, SourceState
from archive.metrics.downsampling import Line, Overview
from archive.metrics.results import Brought, Filled

__all__ = [
    "NOTES",
    "Archive",
    "ArchiveError",
    "ArchiveProblem",
    "ArchiveTrouble",
    "BatchArchive",
    "Brought",
    "Filled",
    "Line",
    "Overview",
    "Role",
    "SourceState",
]
