"""What one server process holds: the migration, its archive, its sources, and the keeper that keeps the archive warm. Opened once."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from archive import Archive, ArchiveError, BatchArchive
from collector.batches import BatchCollector, open_batch_collector
from collector.collector import Collector
from domain import Migration, Window
from sources import registry
from sources.base import MetricSource


@dataclass(frozen=True, slots=True)
class BatchContext:
    """What the Batches page needs. The first of `sources` is the one that knows the runs."""

    sources: tuple[MetricSource, ...]
    archive: BatchArchive
    collector: BatchCollector


@dataclass(frozen=True, slots=True)
class AppContext:
    """Everything a page needs, shared by all viewers of this process."""

    migration: Migration
    archive: Archive
    sources: registry.Sources
    collector: Collector
    batches: BatchContext | None = None  # None where no batches are configured

    @property
    def batch_source_names(self) -> frozenset[str]:
        """The sources that tell of batches, and of nothing that the other pages show."""
        return self.sources.batch_source_names

    @property
    def source_names(self) -> tuple[str, ...]:
        """The metric sources a page can switch between, the first being the default."""
        return tuple(source.name for source in self.sources.metrics)

    def metric_source(self, name: str) -> MetricSource:
        """The metric source of that name."""
        return next(source for source in self.sources.metrics if source.name == name)

    def request_window(self, window: Window, source: str) -> None:
        """Asks for a window that the archive does not hold: its numbers, and what happened in it. Returns at once."""
        for name in (source, *(events.name for events in self.sources.events)):
            self.collector.request_window(window, name)


_lock = threading.Lock()
_app_context: AppContext | None = None


def get_app_context() -> AppContext:
    """The house of this process, opened on the first call. Raises ConfigurationError or ArchiveError; the next call then tries again."""
    global _app_context
    with _lock:
        if _app_context is None:
            migration = load_migration()
            sources = registry.create_sources(migration)
            archive = Archive.open(migration.archive, migration)
            keeper = Collector(
                archive,
                sources.metrics,
                sources.traffic,
                sources.events,
                backfill=migration.backfill,
                since_s=migration.since_s,
                logs=sources.logs,
                route_templates=migration.access_logs.routes if migration.access_logs else (),
                ingest_logs=bool(migration.access_logs and migration.access_logs.ingest),
            )
            try:
                batches = _open_batch_context(migration, sources)
            except ArchiveError:
                archive.close()
                raise
            keeper.start()
            _app_context = AppContext(migration, archive, sources, keeper, batches)
        return _app_context


def close() -> None:
    """Stops the keeper and leaves the house. Nothing is lost: what was confirmed is in the archive."""
    global _app_context
    with _lock:
        if _app_context is not None:
            _app_context.collector.stop()
            if _app_context.batches:
                _app_context.batches.collector.stop()
                _app_context.batches.archive.close()
            _app_context.archive.close()
            _app_context = None


def _open_batch_context(migration: Migration, sources: registry.Sources) -> BatchContext | None:
    if not sources.batches:
        return None
    archive, keeper = open_batch_collector(migration, sources.batches, sources.triggers)
    keeper.start()
    return BatchContext(sources.batches, archive, keeper)


def load_migration() -> Migration:
    """The migration of MIGRATION_CONFIG or ./migration.toml; the demo where there is neither, or where MIGRATION_DEMO=1.

    Raises ConfigurationError, also where MIGRATION_CONFIG names a file that is not there: a typing error must not open the demo.
    """
    named = os.environ.get("MIGRATION_CONFIG", "")
    return registry.load_migration(Path(named) if named else None, demo=os.environ.get("MIGRATION_DEMO") == "1")
