"""What one process has in memory of a metric source."""

import threading
from dataclasses import dataclass, field

from archive.metrics.coverage import FetchOutcome, SeriesIndex
from domain import Series


@dataclass(slots=True)
class WriteBuffer:
    """`fetch_lock` is held by the thread that fetches; `index` was read last; `pending_writes` could not be written yet."""

    fetch_lock: threading.Lock = field(default_factory=threading.Lock)
    configured_series: tuple[Series, ...] = ()
    index: SeriesIndex | None = None
    pending_writes: tuple[FetchOutcome, ...] = ()
