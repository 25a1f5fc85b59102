"""What one process has in memory of a metric source."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from archive.metrics.coverage import FetchOutcome, SeriesIndex, with_pending
from archive.metrics.fetch_plan import Coverage
from domain import Series


@dataclass(slots=True)
class WriteBuffer:
    """`fetch_lock` is held by the thread that fetches; `index` was read or written last; `pending_writes` could not be written yet."""

    fetch_lock: threading.Lock = field(default_factory=threading.Lock)
    configured_series: tuple[Series, ...] = ()
    index: SeriesIndex | None = None
    pending_writes: tuple[FetchOutcome, ...] = ()

    @property
    def coverage(self) -> Mapping[Series, Coverage]:
        """The coverage of each series, with answers that are not written yet."""
        return with_pending(self.pending_writes, self.index.coverage if self.index else {})
