"""What one server process holds: the migration, its archive, its sources, and the keeper that keeps the archive warm. Opened once."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from archive import Archive, ArchiveError, BatchArchive
from collector.batches import BatchKeeper, open_batches
from collector.collector import Keeper
from domain import Migration, Window
from sources import registry
from sources.base import MetricSource


@dataclass(frozen=True, slots=True)
class BatchRoom:
    """What the Batches page needs. The first of `sources` is the one that knows the runs."""

    sources: tuple[MetricSource, ...]
    archive: BatchArchive
    keeper: BatchKeeper


@dataclass(frozen=True, slots=True)
class House:
    """Everything a page needs, shared by all viewers of this process."""

    migration: Migration
    archive: Archive
    sources: registry.Sources
    keeper: Keeper
    batches: BatchRoom | None = None  # None where no batches are configured

    @property
    def batch_source_names(self) -> frozenset[str]:
        """The sources that tell of batches, and of nothing that the other pages show."""
        return self.sources.of_batches

    @property
    def source_names(self) -> tuple[str, ...]:
        """The metric sources a page can switch between, the first being the default."""
        return tuple(source.name for source in self.sources.metrics)

    def metric(self, name: str) -> MetricSource:
        """The metric source of that name."""
        return next(source for source in self.sources.metrics if source.name == name)

    def want(self, window: Window, source: str) -> None:
        """Asks for a window that the archive does not hold: its numbers, and what happened in it. Returns at once."""
        for name in (source, *(events.name for events in self.sources.events)):
            self.keeper.want(window, name)


_lock = threading.Lock()
_open: House | None = None


def house() -> House:
    """The house of this process, opened on the first call. Raises ConfigurationError or ArchiveError; the next call then tries again."""
    global _open
    with _lock:
        if _open is None:
            migration = configured()
            sources = registry.sources_of(migration)
            archive = Archive.open(migration.archive, migration)
            keeper = Keeper(
                archive,
                sources.metrics,
                sources.traffic,
                sources.events,
                backfill=migration.backfill,
                since=migration.since_s,
                logs=sources.logs,
                routes=migration.access_logs.routes if migration.access_logs else (),
                record_logs=bool(migration.access_logs and migration.access_logs.record),
            )
            try:
                batches = _batch_room(migration, sources)
            except ArchiveError:
                archive.close()
                raise
            keeper.start()
            _open = House(migration, archive, sources, keeper, batches)
        return _open


def close() -> None:
    """Stops the keeper and leaves the house. Nothing is lost: what was confirmed is in the archive."""
    global _open
    with _lock:
        if _open is not None:
            _open.keeper.stop()
            if _open.batches:
                _open.batches.keeper.stop()
                _open.batches.archive.close()
            _open.archive.close()
            _open = None


def _batch_room(migration: Migration, sources: registry.Sources) -> BatchRoom | None:
    if not sources.batches:
        return None
    archive, keeper = open_batches(migration, sources.batches, sources.starters)
    keeper.start()
    return BatchRoom(sources.batches, archive, keeper)


def configured() -> Migration:
    """The migration of MIGRATION_CONFIG or ./migration.toml; the demo where there is neither, or where MIGRATION_DEMO=1.

    Raises ConfigurationError, also where MIGRATION_CONFIG names a file that is not there: a typing error must not open the demo.
    """
    named = os.environ.get("MIGRATION_CONFIG", "")
    return registry.configured(Path(named) if named else None, demo=os.environ.get("MIGRATION_DEMO") == "1")
