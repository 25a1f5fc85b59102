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
from domain import Clock, Migration, utc_now
from sources.registry import Sources

UPDATE_INTERVAL_S = 15.0
MAX_ENDED = 2  # releases of the past that are fetched at once

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
    """

    def __init__(
        self,
        releases: Callable[[datetime], Iterable[Migration]],
        open_release: Callable[[Migration], OpenRelease],
        clock: Clock = utc_now,
    ) -> None:
        self._releases, self._open, self._clock = releases, open_release, clock
        self._opened: dict[_Key, OpenRelease] = {}
        self._complete: set[_Key] = set()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def opened(self) -> tuple[OpenRelease, ...]:
        """Those whose collectors poll now."""
        return tuple(self._opened.values())

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
        for key in tuple(self._opened):
            self._close(key)

    def update(self) -> None:
        """Starts the collectors of new releases, and stops those of releases that have ended or are complete. Raises ArchiveError."""
        now = self._clock()
        releases = {(item.key, item.release.end): item for item in self._releases(now) if item.release}
        for key, opened in tuple(self._opened.items()):
            if key not in releases or opened.is_complete(now):
                self._close(key)
        for key, migration in releases.items():
            is_running = key[1] is None
            n_ended = sum(1 for _, end in self._opened if end is not None)
            if key not in self._opened and key not in self._complete and (is_running or n_ended < MAX_ENDED):
                self._begin(key, migration, now)

    def _begin(self, key: _Key, migration: Migration, now: datetime) -> None:
        release = self._open(migration)
        if release.is_complete(now):
            self._complete.add(key)
            return
        self._opened[key] = release
        release.collector.start()

    def _close(self, key: _Key) -> None:
        self._opened.pop(key).collector.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.update()
            except ArchiveError as error:
                logger.warning("releases not read: %s", error)
            except Exception:  # the next update tries again
                logger.exception("releases not updated")
            self._stopping.wait(UPDATE_INTERVAL_S)
