"""The migration, archive, sources and collectors of this process, opened once and shared by all sessions."""

import logging
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from archive import Archive, ArchiveError, BatchArchive, SourceState
from collector.batches import BatchCollector, open_batch_collector
from collector.collector import Collector, CollectorConfig
from collector.polling import silent_sources
from domain import Migration, Window
from domain.config.server import ServerSettings
from domain.hosts import normalize_host
from services.alarms import alarm_saver
from services.background_routes import BackgroundRoutes
from sources import registry
from sources.base import MetricSource


@dataclass(frozen=True, slots=True)
class BatchContext:
    """The data of the Batches page. The first of `sources` has the runs."""

    sources: tuple[MetricSource, ...]
    archive: BatchArchive
    collector: BatchCollector


@dataclass(frozen=True, slots=True)
class AppContext:
    """The data of all pages. `batches`: None if no batches are configured."""

    migration: Migration
    archive: Archive
    sources: registry.Sources
    collector: Collector
    batches: BatchContext | None = None
    background_routes: BackgroundRoutes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "background_routes", BackgroundRoutes(self.archive, self.migration))

    @property
    def batch_source_names(self) -> frozenset[str]:
        """The sources of batches, which the other pages do not list."""
        return self.sources.batch_source_names

    @property
    def source_names(self) -> tuple[str, ...]:
        """The metric sources to choose from; the first is the default."""
        return tuple(source.name for source in self.sources.metrics)

    def source_states(self) -> tuple[SourceState, ...]:
        """The state of each source and role, also of a poll that raised. Raises ArchiveError."""
        names = self.batch_source_names
        states = [state for state in self.collector.source_states() if state.source not in names]
        if self.batches:
            states += [state for state in self.batches.collector.source_states() if state.source in names]
        return tuple(states)

    @property
    def silent_sources(self) -> tuple[str, ...]:
        """The sources with a poll that does not end or does not begin."""
        collectors = (self.collector, *((self.batches.collector,) if self.batches else ()))
        return silent_sources(task for collector in collectors for task in collector.tasks)

    def metric_source(self, name: str) -> MetricSource:
        return next(source for source in self.sources.metrics if source.name == name)

    def request_window(self, window: Window, source: str) -> None:
        """Has the metrics of a source and all events fetched. Returns at once."""
        for name in (source, *(events.name for events in self.sources.events)):
            self.collector.request_window(window, name)


logger = logging.getLogger(__name__)
_lock = threading.Lock()
_app_context: AppContext | None = None
_server_settings: ServerSettings | None = None


def get_app_context() -> AppContext:
    """The context, opened by the first call. Raises ConfigurationError or ArchiveError; the next call then tries again."""
    global _app_context, _server_settings
    with _lock:
        if _app_context is None:
            migration = load_migration()
            _server_settings = _with_environment(migration.server)
            sources = registry.create_sources(migration)
            archive = Archive.open(migration.archive, migration)
            saver = alarm_saver(archive, migration, sources.metrics)
            config = CollectorConfig.from_migration(migration)
            collector = Collector(archive, sources, config, on_new_metrics=saver)
            try:
                batches = _open_batch_context(migration, sources)
            except ArchiveError:
                archive.close()
                raise
            collector.start()
            _app_context = AppContext(migration, archive, sources, collector, batches)
        return _app_context


def opened_app_context() -> AppContext | None:
    """The context if it is open. Never waits."""
    return _app_context


def server_settings() -> ServerSettings | None:
    """The settings of the migration that was loaded last; None if none was valid yet. Also if its archive cannot be opened. Never waits."""
    return _server_settings


def close() -> None:
    """Stops the collectors and closes the archives. Committed data is kept."""
    global _app_context
    with _lock:
        if _app_context is not None:
            _app_context.background_routes.stop()
            _app_context.collector.stop()
            if _app_context.batches:
                _app_context.batches.collector.stop()
                _app_context.batches.archive.close()
            _app_context.archive.close()
            _app_context = None


def _open_batch_context(migration: Migration, sources: registry.Sources) -> BatchContext | None:
    if not sources.batches:
        return None
    archive, collector = open_batch_collector(migration, sources)
    collector.start()
    return BatchContext(sources.batches, archive, collector)


def _with_environment(settings: ServerSettings) -> ServerSettings:
    """Adds the hosts of MIGRATION_ALLOWED_HOSTS, separated by commas."""
    hosts = list(settings.allowed_hosts)
    for text in filter(None, map(str.strip, os.environ.get("MIGRATION_ALLOWED_HOSTS", "").split(","))):
        if host := normalize_host(text):
            hosts.append(host)
        else:
            logger.warning("not a host in MIGRATION_ALLOWED_HOSTS: %s", text)
    return settings.model_copy(update={"allowed_hosts": tuple(hosts)})


def load_migration() -> Migration:
    """The migration of MIGRATION_CONFIG or ./migration.toml; the demo if there is neither, or if MIGRATION_DEMO=1.

    Raises ConfigurationError, also if the file of MIGRATION_CONFIG does not exist: a typing error must not open the demo.
    """
    path = os.environ.get("MIGRATION_CONFIG", "")
    return registry.load_migration(Path(path) if path else None, demo=os.environ.get("MIGRATION_DEMO") == "1")
