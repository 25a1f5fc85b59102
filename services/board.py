"""The board: how each of several migrations, or of the releases of one, stands now, judged in a thread of its own while the board is open."""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Generic, Protocol, TypeVar

from archive import Archive, ArchiveError, ArchiveProblem
from domain import Clock, Migration, utc_now
from domain.releases import Release
from services.evaluation import Evaluation, RoutesOf, evaluate_archived
from services.freshness import provisional_from
from services.live import TrafficStatus, as_of, read_sample_ratio, traffic_status
from services.phases import read_phases
from services.releases import ReleaseRow, read_release_row, read_releases

REFRESH_S = 15.0  # of a row
FINAL_REFRESH_S = 300.0  # of a release that is over
MAX_RELEASES = 50
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


class Row(Protocol):
    """What was read at `read_at`."""

    @property
    def read_at(self) -> datetime: ...


_Row = TypeVar("_Row", bound=Row)
Readers = Mapping[str, Callable[[datetime], _Row]]


class Board(Generic[_Row]):
    """The rows of all migrations, or releases, by slug: the one that was read longest ago is read next. Safe to share between threads."""

    def __init__(
        self,
        readers: Readers[_Row],
        failed: Callable[[str, datetime], _Row],
        *,
        refresh_s: Callable[[_Row], float] = lambda _row: REFRESH_S,
        clock: Clock = utc_now,
    ) -> None:
        """`readers` are called with the time. `failed`: the row of one that raised, by slug and time. `refresh_s`: how long a row is good."""
        self._readers, self._failed, self._refresh_s, self._clock = readers, failed, refresh_s, clock
        self._rows: dict[str, _Row] = {}
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None
        self._wanted_until = 0.0  # on the monotonic clock

    def rows(self, readers: Readers[_Row] | None = None) -> dict[str, _Row]:
        """What is known, which may be nothing of some; and has it read again for UNWANTED_AFTER_S, by other `readers` if given. Returns at once."""
        with self._lock:
            self._readers = self._readers if readers is None else readers
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
        """Reads the row that has been due longest, if one is. Returns the seconds until the next one."""
        started, now, readers = time.monotonic(), self._clock(), self._readers
        if not readers:
            return REFRESH_S
        slug = min(readers, key=lambda slug: self._due_in_s(slug, now))
        if (wait_s := self._due_in_s(slug, now)) > 0:
            return wait_s
        try:
            self._rows[slug] = readers[slug](now)
        except Exception:  # one migration must not stop the others
            logger.exception("row of the board not read", extra={"migration": slug})
            self._rows[slug] = self._failed(slug, now)
        return PAUSE_FACTOR * (time.monotonic() - started)

    def _due_in_s(self, slug: str, now: datetime) -> float:
        """Below 0 if it is overdue, or if the clock was set back."""
        if slug not in self._rows:
            return -math.inf
        row = self._rows[slug]
        age_s = (now - row.read_at).total_seconds()
        return self._refresh_s(row) - age_s if age_s >= 0 else age_s

    def _run(self) -> None:
        while time.monotonic() < self._wanted_until and not self._stopping.is_set():
            self._stopping.wait(self.read_next())


class ReleaseBoard:
    """The newest releases of a migration and their rows by what is archived of `source`."""

    def __init__(self, archive: Archive, migration: Migration, source: str, clock: Clock = utc_now) -> None:
        self._archive, self._migration, self._source, self._clock = archive, migration, source, clock
        self._releases: dict[str, Release] = {}
        self._board = Board[ReleaseRow]({}, self._failed, refresh_s=_release_refresh_s, clock=clock)

    def rows(self) -> tuple[tuple[Release, ReleaseRow | None], ...]:
        """At most MAX_RELEASES, the newest first; None while a row is not known. Has them read again for a while. Raises ArchiveError."""
        releases = read_releases(self._archive, self._migration, now=self._clock())[:MAX_RELEASES]
        self._releases = {release.slug: release for release in releases}
        rows = self._board.rows({slug: partial(self._read, release) for slug, release in self._releases.items()})
        return tuple((release, rows.get(slug)) for slug, release in self._releases.items())

    def stop(self) -> None:
        """Ends after the row that is being read."""
        self._board.stop()

    def _read(self, release: Release, now: datetime) -> ReleaseRow:
        return read_release_row(self._archive, self._migration, self._source, release, now=now)

    def _failed(self, slug: str, now: datetime) -> ReleaseRow:
        return ReleaseRow(self._releases[slug], now)


def _release_refresh_s(row: ReleaseRow) -> float:
    """A release that is over changes no more once its data was fetched."""
    has_data = row.evaluation is not None and row.evaluation.data_until is not None
    is_final = not row.release.running and (has_data or row.issue is not None)
    return FINAL_REFRESH_S if is_final else REFRESH_S
