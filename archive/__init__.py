"""The archive: a database of everything that was fetched, and the read-through cache in front of the sources."""

from archive.archive import Archive
from archive.batches import BatchArchive
from archive.db.errors import ArchiveError, ArchiveErrorKind, ArchiveProblem
from archive.db.last_known import Outage, recalled_times
from archive.events.notes import NOTES
from archive.events.source_state import SourceState
from archive.metrics.downsampling import BucketedSeries, Overview
from archive.metrics.results import FillResult, MetricsResult, RequestCoverage
