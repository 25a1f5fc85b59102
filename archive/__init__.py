"""What was seen, kept: the cache of every number, the history of every weight, and the read-through that fills both."""

from archive.backfill import Backfilled
from archive.batch_view import BatchView, marks_of, read_batches, view_of
from archive.batches import BatchArchive, BatchKeeper, open_batches
from archive.brought import Brought, Filled
from archive.engine import ArchiveError, ArchiveProblem, ArchiveTrouble
from archive.happenings import Role, SourceState
from archive.judged import (
    HISTORY_S,
    Judged,
    evidence_of,
    firm,
    judge_brought,
    judge_window,
    known_phases,
    trace_brought,
)
from archive.keeper import Keeper
from archive.notes import NOTES
from archive.overview import Line, Overview
from archive.store import Archive

__all__ = [
    "HISTORY_S",
    "NOTES",
    "Archive",
    "ArchiveError",
    "ArchiveProblem",
    "ArchiveTrouble",
    "Backfilled",
    "BatchArchive",
    "BatchKeeper",
    "BatchView",
    "Brought",
    "Filled",
    "Judged",
    "Keeper",
    "Line",
    "Overview",
    "Role",
    "SourceState",
    "evidence_of",
    "firm",
    "judge_brought",
    "judge_window",
    "known_phases",
    "marks_of",
    "open_batches",
    "read_batches",
    "trace_brought",
    "view_of",
]
