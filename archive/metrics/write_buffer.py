"""What one process knows of a source beyond what is written."""

import threading
from dataclasses import dataclass, field, replace

from archive.db.engine import ArchiveProblem
from archive.metrics.coverage import FetchOutcome, SeriesIndex
from domain import Series
from sources.base import TrafficSnapshot

MAX_PENDING_SNAPSHOTS = 120


@dataclass(slots=True)
class WriteBuffer:
    """A source's series, who asks just now, what was last read of what is known, and the answers and looks that could not be written, with the reason."""

    fetch_lock: threading.Lock = field(default_factory=threading.Lock)
    configured_series: tuple[Series, ...] = ()
    index: SeriesIndex | None = None
    pending_writes: tuple[FetchOutcome, ...] = ()
    pending_snapshots: tuple[TrafficSnapshot, ...] = ()
    problem: ArchiveProblem | None = None

    def buffer(self, snapshot: TrafficSnapshot) -> None:
        """Adds a look to those that are not written yet: of many in a row that saw the same, the first and the last."""
        before = (
            self.pending_snapshots[:-1]
            if len(self.pending_snapshots) > 1
            and all(_same_traffic(snapshot, old) for old in self.pending_snapshots[-2:])
            else self.pending_snapshots
        )
        self.pending_snapshots = (*before, snapshot)[-MAX_PENDING_SNAPSHOTS:]


def _same_traffic(left: TrafficSnapshot, right: TrafficSnapshot) -> bool:
    if left.traffic is None or right.traffic is None:
        return False
    return replace(left.traffic, asked_at=0) == replace(right.traffic, asked_at=0)
