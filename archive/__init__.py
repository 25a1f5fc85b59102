"""What was seen, kept: the cache of every number, the history of every weight, and the read-through that fills both."""

from archive.archive import Archive
from archive.batches import BatchArchive
from archive.db.engine import ArchiveError, ArchiveErrorKind, ArchiveProblem
from archive.events.notes import NOTES
from archive.events.source_state import Role, SourceState
from archive.metrics.downsampling import BucketedSeries, Overview
from archive.metrics.results import FillResult, MetricsResult

__all__ = [
    "NOTES",
    "Archive",
    "ArchiveError",
    "ArchiveErrorKind",
    "ArchiveProblem",
    "BatchArchive",
    "BucketedSeries",
    "FillResult",
    "MetricsResult",
    "Overview",
    "Role",
    "SourceState",
]
