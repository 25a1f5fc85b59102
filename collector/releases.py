"""Collects the data of releases while they run, and of those that ended recently until it is complete."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from archive import Archive, ArchiveError, SourceState
from archive.metrics.fetch_plan import plan_fetches
from collector.collector import Collector
from collector.polling import PollTask
from collector.stopping import stop_together
from domain import Clock, Migration, utc_now
from sources.registry import Sources

UPDATE_INTERVAL_S = 15.0
MAX_RUNNING = 10  # releases that are followed at once: each polls its sources, with the share of calls of a migration
MAX_VIEWED = 8  # releases that were last open on a page: they are polled whatever else is
MAX_ENDED = 2  # other releases of the past that are fetched at once

logger = logging.getLogger(__name__)
_Key = tuple[str, int | None]


@dataclass(frozen=True, slots=True)
class OpenRelease:
    """The migration of a release, with its archive, sources and collector."""

    migration: Migration
    archive: Archive
    sources: Sources
    collector: Collector

    @property
    def is_running(self) -> bool:
        return self.migration.release is not None and self.migration.release.end is None

    @property
    def tasks(self) -> list[PollTask]:
        return self.collector.tasks

    def source_states(self) -> tuple[SourceState, ...]:
        """Raises ArchiveError."""
        return self.collector.source_states()

    def is_complete(self, now: datetime) -> bool:
        """Whether it has ended, and all of its minutes that the sources retain are archived and final. Raises ArchiveError."""
        config, now_s = self.collector.config, int(now.timestamp())
        if config.release is None or config.release.end is None:
            return False
        policy, window = self.archive.metrics.freshness(now), config.release.window(now_s)
        return window.end <= policy.final_until and not any(
            plan_fetches(
                window,
                source.series(),
                self.archive.metrics.coverage_of(source.name),
                policy,
                partial(source.finest_period_s, now=now_s),
                max_periods=config.chunk_minutes,
            )
            for source in (*self.sources.metrics, *self.sources.criteria)
        )


class ReleaseCollection:
    """Starts and stops the collectors of releases, which begin and end while the process runs. Each polls in threads of its own.

    `releases`: the migrations of the releases to be collected (`Migration.release` is set), the newest first; may raise ArchiveError.
    Safe to share between threads: its lock is never held while sources are opened or threads are joined.
    """

    def __init__(
        self,
        releases: Callable[[datetime], Iterable[Migration]],
        open_release: Callable[[Migration], OpenRelease],
        clock: Clock = utc_now,
    ) -> None:
        self._releases, self._open, self._clock = releases, open_release, clock
        self._lock = threading.Lock()
        self._opened: dict[_Key, OpenRelease] = {}
        self._viewed: dict[_Key, None] = {}  # those viewed last come last
        self._complete: set[_Key] = set()
        self._not_followed: frozenset[str] = frozenset()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def opened(self) -> tuple[OpenRelease, ...]:
        """Those whose collectors poll now."""
        with self._lock:
            return tuple(self._opened.values())

    @property
    def not_followed(self) -> frozenset[str]:
        """The slugs of the releases that run and are not polled, because MAX_RUNNING others are."""
        return self._not_followed

    def start(self) -> None:
        """Does nothing if it was started."""
        if self._thread and self._thread.is_alive():
            return
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="releases", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops all collectors. What they committed is kept."""
        self._stopping.set()
        if self._thread:
            self._thread.join()
        stop_together(*(partial(self._close, key) for key in tuple(self._opened)))

    def view(self, migration: Migration) -> OpenRelease:
        """The release of a page, which is polled from now on, as long as it is one of the MAX_VIEWED that were viewed last. Raises ArchiveError."""
        key = _key_of(migration)
        with self._lock:
            for other in [other for other in self._viewed if other[0] == key[0]]:  # it may have ended meanwhile
                del self._viewed[other]
            self._viewed[key] = None
            for oldest in tuple(self._viewed)[:-MAX_VIEWED]:
                del self._viewed[oldest]
            opened = self._opened.get(key)
        return opened or self._begin(key, self._open(migration))

    def update(self) -> None:
        """Starts the collectors of new releases, and stops those of releases that have ended or are complete. Raises ArchiveError."""
        now = self._clock()
        releases = {_key_of(item): item for item in self._releases(now) if item.release}
        with self._lock:
            opened, viewed = dict(self._opened), frozenset(self._viewed)
        self._complete |= {key for key, release in opened.items() if release.is_complete(now)}
        running = [key for key in releases if key[1] is None]
        running.sort(key=lambda key: (key not in viewed, key not in opened))
        unviewed = [key for key in releases if key not in {*running, *viewed, *self._complete}]
        unviewed.sort(key=lambda key: key not in opened)
        wanted = {*viewed, *running[:MAX_RUNNING], *unviewed[:MAX_ENDED]}
        self._set_not_followed(frozenset(releases[key].slug for key in running[MAX_RUNNING:]))
        for key in opened.keys() - wanted:
            self._close(key)
        for key, migration in releases.items():
            if key in wanted and key not in opened:
                self._begin_incomplete(key, migration, now)

    def _set_not_followed(self, slugs: frozenset[str]) -> None:
        if new := slugs - self._not_followed:
            logger.warning("not followed, because %d releases run: %s", MAX_RUNNING, ", ".join(sorted(new)))
        self._not_followed = slugs

    def _begin_incomplete(self, key: _Key, migration: Migration, now: datetime) -> None:
        release = self._open(migration)
        if release.is_complete(now):
            self._complete.add(key)
        else:
            self._begin(key, release)

    def _begin(self, key: _Key, release: OpenRelease) -> OpenRelease:
        """Starts its collector, unless another thread has opened the same release meanwhile: then returns that one."""
        with self._lock:
            opened = self._opened.setdefault(key, release)
        if opened is release:
            release.collector.start()
        return opened

    def _close(self, key: _Key) -> None:
        with self._lock:
            release = self._opened.pop(key)
        release.collector.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.update()
            except ArchiveError as error:
                logger.warning("releases not read: %s", error)
            except Exception:  # the next update tries again
                logger.exception("releases not updated")
            self._stopping.wait(UPDATE_INTERVAL_S)


def _key_of(migration: Migration) -> _Key:
    return migration.key, migration.release.end if migration.release else None
