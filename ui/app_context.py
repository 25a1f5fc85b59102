"""The archive, sources and collectors of each migration of this process, opened once and shared by all sessions."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ParamSpec, TypeVar

import streamlit as st
from streamlit.runtime.caching.cache_utils import CachedFunc

from archive import Archive, ArchiveError, BatchArchive, SourceState
from collector.batches import BatchCollector, open_batch_collector
from collector.collector import Collector, CollectorConfig, requested_routes_state
from collector.polling import PollTask, silent_sources
from collector.releases import MAX_RUNNING, OpenRelease, ReleaseCollection
from collector.shared_threads import OwnThreads, SharedThreads, threads_for
from collector.stopping import stop_together
from domain import ConfigurationError, Migration, Window, utc_now
from domain.decision import RoutesState
from reports.sign_offs import signed_evaluation_json
from services.alarms import alarm_saver
from services.background_routes import BackgroundRoutes
from services.board import Board, BoardRow, ReleaseBoard, read_row
from services.drain import CallerLookups
from services.gate import GateRecorder, GateThread
from services.metrics import MetricsTarget
from services.notices import NotifyTarget
from services.notifications import Notifier
from services.probing import ProbeRunner
from services.releases import collected_releases, read_releases, release_issue, release_migration
from services.trace import TraceLookups
from sources import registry
from sources.base import MetricSource
from ui.controls import chosen_migration
from ui.opening import archive_opened
from ui.settings import load_settings


@dataclass(frozen=True, slots=True)
class BatchContext:
    """The data of the Batches page. The first of `sources` has the runs."""

    sources: tuple[MetricSource, ...]
    archive: BatchArchive
    collector: BatchCollector


@dataclass(frozen=True, slots=True)
class AppContext:
    """The data of all pages. `batches`: None if no batches are configured. `parent`: of a release, the context with all of them."""

    migration: Migration
    archive: Archive
    sources: registry.Sources
    collector: Collector
    batches: BatchContext | None = None
    parent: "AppContext | None" = None
    background_routes: BackgroundRoutes = field(init=False)
    release_board: ReleaseBoard = field(init=False)
    trace_lookups: TraceLookups | None = field(init=False)  # None without access logs
    caller_lookups: CallerLookups | None = field(init=False)  # None without access logs
    probe_runner: ProbeRunner | None = field(init=False)  # None without probes

    def __post_init__(self) -> None:
        object.__setattr__(self, "background_routes", BackgroundRoutes(self.archive, self.migration))
        board = ReleaseBoard(self.archive, self.migration, self.source_names[0])
        object.__setattr__(self, "release_board", board)
        lookups = TraceLookups(self.sources.logs, self.migration) if self.sources.logs else None
        object.__setattr__(self, "trace_lookups", lookups)
        object.__setattr__(self, "caller_lookups", CallerLookups(self.sources.logs) if self.sources.logs else None)
        runner = ProbeRunner(self.archive, self.migration, self.sources.traffic) if self.migration.probe else None
        object.__setattr__(self, "probe_runner", runner)

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
        return silent_sources(self.tasks)

    @property
    def tasks(self) -> tuple[PollTask, ...]:
        return tuple(task for collector in self.collectors for task in collector.tasks)

    @property
    def collectors(self) -> tuple[Collector, ...]:
        return (self.collector, self.batches.collector) if self.batches else (self.collector,)

    def stop(self) -> None:
        """Stops the collectors, at once, and what pages have requested."""
        stops = [collector.stop for collector in self.collectors]
        lookups = [self.trace_lookups.stop] if self.trace_lookups else []
        stop_together(self.background_routes.stop, self.release_board.stop, *lookups, *stops)

    def close(self) -> None:
        """Closes the archives. The next use opens them again."""
        if self.batches:
            self.batches.archive.close()
        self.archive.close()

    def metric_source(self, name: str) -> MetricSource:
        return next(source for source in self.sources.metrics if source.name == name)

    def board_row(self, now: datetime) -> BoardRow:
        """The migration by what is archived of its first source."""
        source, routes_of = self.source_names[0], self._routes_of if self.sources.logs else None
        return read_row(self.archive, self.migration, source, now=now, routes_of=routes_of)

    @property
    def _routes_of(self) -> Callable[..., RoutesState]:
        return partial(requested_routes_state, self.collector)

    @property
    def gate_recorder(self) -> GateRecorder:
        return _gate_recorder(self)

    @property
    def notify_target(self) -> NotifyTarget:
        names = tuple(source.name for source in self.sources.batches)
        batches = (self.batches.archive, names) if self.batches else None
        return NotifyTarget(self.migration, self.archive, self.source_states, batches)

    def request_window(self, window: Window, source: str) -> None:
        """Has the metrics of a source and all events fetched. Returns at once."""
        for name in (source, *(events.name for events in self.sources.events)):
            self.collector.request_window(window, name)


@dataclass(frozen=True, slots=True)
class AppContexts:
    """The contexts of all migrations by their slugs, and why others were left out. `is_list`: whether there is a board.

    `linked`: migrations that are opened when a page asks for one, as releases are.
    """

    by_slug: Mapping[str, AppContext]
    errors: tuple[ConfigurationError, ...] = ()
    is_list: bool = False
    linked: tuple[Migration, ...] = ()
    board: Board[BoardRow] = field(init=False)
    gate: GateThread = field(init=False)
    notifier: Notifier = field(init=False)
    threads: SharedThreads | OwnThreads = field(init=False)
    releases: ReleaseCollection = field(init=False)
    _opened: dict[str, AppContext] = field(init=False, default_factory=dict)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        readers = {slug: app.board_row for slug, app in self.by_slug.items()}
        object.__setattr__(self, "board", Board(readers, lambda _slug, now: BoardRow(now)))
        recorders = [app.gate_recorder for app in self.by_slug.values() if not app.migration.is_release_board]
        object.__setattr__(self, "gate", GateThread(recorders, releases=self._gate_recorders))
        object.__setattr__(self, "notifier", Notifier(self._notify_targets))
        collectors = [collector for app in self.by_slug.values() for collector in app.collectors]
        object.__setattr__(self, "threads", threads_for(collectors, n_migrations=len(self.by_slug)))
        object.__setattr__(self, "releases", ReleaseCollection(self._collected_releases, self._open_release))

    def _collected_releases(self, now: datetime) -> Iterator[Migration]:
        for app in self._services():
            yield from collected_releases(app.archive, app.migration, now=now)

    def _open_release(self, migration: Migration) -> OpenRelease:
        archive = next(iter(self.by_slug.values())).archive.of(migration)
        app = _open_context(migration, archive, n_sharing=len(self.by_slug) + MAX_RUNNING)
        return OpenRelease(migration, archive, app.sources, app.collector)

    def _gate_recorders(self) -> Iterator[GateRecorder]:
        for release in self.releases.opened:
            if release.is_running:
                yield _gate_recorder(release)

    def _notify_targets(self) -> Iterator[NotifyTarget]:
        for app in self.by_slug.values():
            yield app.notify_target
        for release in self.releases.opened:
            if release.is_running:
                yield NotifyTarget(release.migration, release.archive, release.source_states)

    def gate_target(self, slug: str) -> tuple[str, Archive] | None:
        """The slug and the archive with the decision on a migration or on a release that runs; None if there is none. Never reads.

        Of a board of releases: on the release that runs.
        """
        running = [release for release in self.releases.opened if release.is_running]
        app = self.by_slug.get(slug)
        if app and app.migration.is_release_board:
            key = f"{app.migration.key} / "
            release = next((item for item in running if item.migration.key.startswith(key)), None)
        else:
            release = next((item for item in running if item.migration.slug == slug), None)
        if release:
            return release.migration.slug, release.archive
        return (slug, app.archive) if app else None

    @property
    def only(self) -> AppContext | None:
        """The context if there is no choice."""
        return None if self.is_list else next(iter(self.by_slug.values()))

    def find(self, slug: str) -> AppContext | None:
        """The context of a migration or of a release, which the first call opens; None if there is none. Raises ArchiveError."""
        if slug in self.by_slug or not slug:
            return self.by_slug.get(slug)
        for service in self._services():
            if slug.startswith(f"{service.migration.slug}-") and (migration := _release_of(service, slug)):
                return self._release_context(service, migration)
        return self._linked_context(slug)

    def service_of(self, slug: str) -> AppContext | None:
        """The service of whose releases `slug` may be one, by its first part: that release may not be known yet. Raises ArchiveError."""
        for migration in self.linked:
            if slug.startswith(f"{migration.slug}-"):
                return self._linked_context(migration.slug)
        services = [app for app in self._services() if slug.startswith(f"{app.migration.slug}-")]
        return max(services, key=lambda app: len(app.migration.slug), default=None)

    def _services(self) -> tuple[AppContext, ...]:
        """Those with releases."""
        with self._lock:
            apps = (*self.by_slug.values(), *self._opened.values())
        return tuple(app for app in apps if app.migration.releases)

    def _release_context(self, service: AppContext, migration: Migration) -> AppContext:
        """With the collector that the release has in this process, whether a page shows it or not. Raises ArchiveError."""
        release, slug = self.releases.view(migration), migration.slug
        with self._lock:
            app = self._opened.get(slug)
            if app and app.collector is release.collector:
                return app
            app = AppContext(migration, release.archive, release.sources, release.collector, parent=service)
            collectors = [item.collector for item in self.releases.opened]
            for closed in [
                key for key, item in self._opened.items() if item.parent and item.collector not in collectors
            ]:
                del self._opened[closed]
            self._opened[slug] = app
        if migration.release:
            app.request_window(migration.release.window(int(utc_now().timestamp())), app.source_names[0])
        return app

    def _linked_context(self, slug: str) -> AppContext | None:
        """With collectors that run. Raises ArchiveError."""
        migration = next((migration for migration in self.linked if migration.slug == slug), None)
        if migration is None:
            return None
        if app := self._opened.get(slug):
            return app
        opened = _open_context(migration, next(iter(self.by_slug.values())).archive.of(migration))
        with self._lock:
            app = self._opened.setdefault(slug, opened)
        if app is opened:
            OwnThreads(app.collectors).start()
            self.releases.start()
        return app

    def metrics_targets(self) -> Iterator[MetricsTarget]:
        """Each migration, and each release that runs."""
        yield from self.by_slug.values()
        yield from (release for release in self.releases.opened if release.is_running)

    def source_states(self) -> tuple[SourceState, ...]:
        """Of all migrations. Raises ArchiveError."""
        return tuple(state for app in self.by_slug.values() for state in app.source_states())

    @property
    def silent_sources(self) -> tuple[str, ...]:
        names = [name for app in self.by_slug.values() for name in app.silent_sources]
        names += silent_sources(task for release in self.releases.opened for task in release.collector.tasks)
        return tuple(dict.fromkeys(names))

    @property
    def is_archive_readable(self) -> bool:
        return not any(app.archive.outage for app in self.by_slug.values())

    def start(self) -> None:
        """Starts the collectors, the recording of decisions, and notifications."""
        self.threads.start()
        self.gate.start()
        self.notifier.start(app.migration for app in self.by_slug.values())
        if any(app.migration.releases for app in self.by_slug.values()):
            self.releases.start()

    def close(self) -> None:
        """Stops the collectors and closes the archives. Committed data is kept."""
        apps = (*self._opened.values(), *self.by_slug.values())
        parts = (self.board, self.gate, self.notifier, self.releases, self.threads, *apps)
        stop_together(*(part.stop for part in parts))
        for app in apps:
            app.close()


_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")


def cached_view(
    *,
    max_entries: int | None = None,
    ttl: timedelta | None = None,
    hash_funcs: Mapping[str | type, Callable[[Any], Any]] | None = None,
) -> Callable[[Callable[_Params, _Result]], CachedFunc[_Params, _Result]]:
    """st.cache_resource for functions of an AppContext: each migration has entries of its own."""
    by_migration: dict[str | type, Callable[[Any], Any]] = {
        AppContext: lambda app: app.migration.key,
        **(hash_funcs or {}),
    }
    return st.cache_resource(max_entries=max_entries, ttl=ttl, show_spinner=False, hash_funcs=by_migration)


_lock = threading.Lock()
_contexts: AppContexts | None = None


def open_contexts() -> AppContexts:
    """The contexts, opened by the first call. Raises ConfigurationError or ArchiveError; the next call then tries again."""
    global _contexts
    with _lock:
        if _contexts is None:
            configuration = load_settings()
            opened: dict[str, AppContext] = {}
            archive: Archive | None = None
            try:
                for migration in configuration.migrations:
                    archive = archive.of(migration) if archive else Archive.open(migration.archive, migration)
                    opened[migration.slug] = _open_context(migration, archive, n_sharing=len(configuration.migrations))
            except ArchiveError:
                for app in opened.values():
                    app.close()  # nothing is started yet
                if archive:
                    archive.close()
                raise
            _contexts = AppContexts(opened, configuration.errors, configuration.is_list, configuration.linked)
            _contexts.start()
            archive_opened.set()
        return _contexts


def get_app_context() -> AppContext:
    """The context of the page's migration. Raises ConfigurationError or ArchiveError."""
    contexts = open_contexts()
    return contexts.find(chosen_migration()) or contexts.only or contexts.by_slug[chosen_migration()]


def opened_contexts() -> AppContexts | None:
    """The contexts if they are open. Never waits."""
    return _contexts


def close() -> None:
    """Closes the contexts."""
    global _contexts
    with _lock:
        if _contexts is not None:
            _contexts.close()
            _contexts = None
            archive_opened.clear()


def _open_context(
    migration: Migration, archive: Archive, *, n_sharing: int = 1, parent: AppContext | None = None
) -> AppContext:
    """A context whose collectors are not started. Raises ArchiveError."""
    sources = registry.create_sources(migration)
    saver = alarm_saver(archive, migration, sources.metrics)
    config = CollectorConfig.from_migration(migration, n_sharing=n_sharing)
    collector = Collector(archive, sources, config, on_new_metrics=saver)
    batches = BatchContext(sources.batches, *open_batch_collector(migration, sources)) if sources.batches else None
    return AppContext(migration, archive, sources, collector, batches, parent)


def _release_of(parent: AppContext, slug: str) -> Migration | None:
    """The migration of one of the releases of `parent`; None if there is none that can be judged. Raises ArchiveError."""
    for release in read_releases(parent.archive, parent.migration, now=utc_now()):
        if release.slug == slug and release_issue(parent.migration, release) is None:
            return release_migration(parent.migration, release)
    return None


def _gate_recorder(item: AppContext | OpenRelease) -> GateRecorder:
    routes_of = partial(requested_routes_state, item.collector) if item.sources.logs else None
    return GateRecorder(item.archive, item.migration, item.sources.metrics[0].name, signed_evaluation_json, routes_of)


def is_first_start() -> bool:
    """Whether the demo is shown because there is no configuration, and not because it was asked for."""
    asked = os.environ.get("MIGRATION_DEMO") == "1" or bool(os.environ.get("MIGRATION_CONFIG"))
    return not asked and _contexts is not None and all(app.migration.demo for app in _contexts.by_slug.values())
