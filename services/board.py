"""The board of several migrations: how each stands now, judged in a thread of its own while the board is open."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from archive import Archive, ArchiveError, ArchiveProblem
from domain import Clock, Migration, utc_now
from services.evaluation import Evaluation, RoutesOf, evaluate_archived
from services.freshness import provisional_from
from services.live import TrafficStatus, as_of, read_sample_ratio, traffic_status
from services.phases import read_phases

REFRESH_S = 15.0  # of a row
UNWANTED_AFTER_S = 60.0  # without a request: no board is open any more
PAUSE_FACTOR = 1  # of a row's duration, after it: leaves processor time to the pages and the collector

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A migration at `read_at`. `evaluation`: of its current phase; None if `problem` says why it could not be read, or after a bug."""

    read_at: datetime
    evaluation: Evaluation | None = None
    traffic: TrafficStatus | None = None
    problem: ArchiveProblem | None = None


def read_row(
    archive: Archive, migration: Migration, source: str, *, now: datetime, routes_of: RoutesOf | None = None
) -> BoardRow:
    """The row of a migration by what is archived of `source`. `routes_of`: see evaluate_archived."""
    try:
        data_time = as_of(archive, source, now)
        phase = read_phases(archive, source, now=data_time)[-1]
        evaluation = evaluate_archived(archive, migration, source, phase, now=data_time, routes_of=routes_of)
        until = provisional_from(migration, data_time.timestamp())
        traffic = traffic_status(archive, until=until, sample_ratio=partial(read_sample_ratio, archive, source))
    except ArchiveError as error:
        return BoardRow(now, problem=error.problem)
    return BoardRow(now, evaluation, traffic)


class Board:
    """The rows of all migrations, by slug: the one that was read longest ago is read next. Safe to share between threads."""

    def __init__(self, readers: Mapping[str, Callable[[datetime], BoardRow]], clock: Clock = utc_now) -> None:
        """`readers`: `read_row` of each migration, which is called with the time."""
        self._readers, self._clock = readers, clock
        self._rows: dict[str, BoardRow] = {}
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None
        self._wanted_until = 0.0  # on the monotonic clock

    def rows(self) -> dict[str, BoardRow]:
        """What is known, which may be nothing of some migrations; and has it read again for UNWANTED_AFTER_S. Returns at once."""
        with self._lock:
            self._wanted_until = time.monotonic() + UNWANTED_AFTER_S
            if not (self._thread and self._thread.is_alive()) and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._run, name="board", daemon=True)
                self._thread.start()
        return dict(self._rows)

    def stop(self) -> None:
        """Ends after the row that is being read."""
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def read_next(self) -> float:
        """Reads the row that was read longest ago, if that is due. Returns the seconds until the next one."""
        started, now = time.monotonic(), self._clock()
        slug = min(self._readers, key=lambda slug: self._rows[slug].read_at.timestamp() if slug in self._rows else 0)
        if slug in self._rows:
            age_s = (now - self._rows[slug].read_at).total_seconds()
            if 0 <= age_s < REFRESH_S:
                return REFRESH_S - age_s
        try:
            self._rows[slug] = self._readers[slug](now)
        except Exception:  # one migration must not stop the others
            logger.exception("row of the board not read", extra={"migration": slug})
            self._rows[slug] = BoardRow(now)
        return PAUSE_FACTOR * (time.monotonic() - started)

    def _run(self) -> None:
        while time.monotonic() < self._wanted_until and not self._stopping.is_set():
            self._stopping.wait(self.read_next())
