"""`record`: keeps the archive up to date and shows the state of the sources; with --once until everything is fetched."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from archive import Archive, ArchiveError, ArchiveProblem, BatchArchive, SourceState
from collector.backfill import BackfillStatus
from collector.batches import BatchCollector, open_batch_collector
from collector.collector import Collector, CollectorConfig, requested_routes_state
from collector.polling import PollTask, silent_sources
from collector.releases import MAX_RUNNING, OpenRelease, ReleaseCollection
from collector.shared_threads import threads_for
from collector.stopping import stop_together
from commands.shared import startup
from commands.shared.fitting_table import FittingTable
from commands.shared.metrics_server import serve_metrics
from commands.shared.options import Config, Demo, Json, MigrationName
from commands.shared.output import echo, echo_text, live_display, message_lines, plain, problem_lines, repeat, title
from commands.shared.styles import BAD, FAINT, GOOD, WARN
from domain import Migration
from domain.hosts import is_loopback
from domain.tracing import configure_tracing
from messages import numbers, states, times
from messages import recording as text
from messages.errors.config import format_config_issue
from reports.formats import local_minute
from reports.judgement_json import iso_time, migration_json, pick, problems_json
from reports.sign_offs import signed_evaluation_json
from services.alarms import alarm_saver
from services.gate import GateRecorder, GateThread
from services.metrics import MetricsTarget, RecordedState, metrics_registry
from services.notices import NotifyTarget
from services.notifications import Notifier
from services.releases import collected_releases
from sources.base import ANSWERING_STATES, SUPPLEMENTARY, Problem
from sources.registry import Sources

CATCH_UP_TIMEOUT_S = 300.0  # `--once` gives up on a source that makes no progress for this long
LOOPBACK = "127.0.0.1"
CATCH_UP_ROLES = ("metrics", "events", "traffic", "triggers", "run_logs")


def record(
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    as_json: Json = False,
    once: Annotated[bool, typer.Option("--once", help=str(text.RECORD_ONCE))] = False,
    metrics_port: Annotated[int, typer.Option(min=0, max=65_535, help=str(text.METRICS_PORT))] = 0,
    metrics_host: Annotated[str, typer.Option(help=str(text.METRICS_HOST))] = LOOPBACK,
) -> None:
    token = os.environ.get("GATE_TOKEN", "").strip()
    if not token and not is_loopback(metrics_host):
        raise typer.BadParameter(str(text.METRICS_NEED_A_TOKEN), param_hint="--metrics-host")
    configure_tracing(os.environ)
    configuration = startup.load_all_or_exit(config, demo, migration_name, as_json=as_json)
    for report in startup.invalid_reports(configuration):
        echo_text("\n".join(str(message_lines(format_config_issue(issue))) for issue in report.config_issues), err=True)
    first = configuration.migrations[0]
    with startup.open_archive(first, config, as_json=as_json) as archive, ExitStack() as stack:
        recorders = [
            _open_recorder(archive.of(item), item, stack, n_sharing=len(configuration.migrations))
            for item in configuration.migrations
        ]
        recording = Recording(recorders, as_json)
        if metrics_port and not once:
            registry = metrics_registry(RecordedState(recording.metrics_targets, clock=startup.now))
            try:
                stack.enter_context(serve_metrics(registry, metrics_host, metrics_port, token))
            except OSError as error:
                raise typer.BadParameter(
                    f"{metrics_host}:{metrics_port}: {error.strerror}", param_hint="--metrics-port"
                ) from None
        raise typer.Exit(recording.run_once() if once else recording.run())


def _open_recorder(archive: Archive, migration: Migration, stack: ExitStack, *, n_sharing: int) -> "Recorder":
    """Raises ArchiveError."""
    sources = startup.open_sources(migration)
    batch_archive: BatchArchive | None = None
    batch_collector: BatchCollector | None = None
    if sources.batches:
        batch_archive, batch_collector = open_batch_collector(migration, sources, clock=startup.now)
        stack.enter_context(batch_archive)
    collector = _create_collector(archive, migration, sources, n_sharing=n_sharing)
    return Recorder(migration, archive, sources, collector, batch_collector, batch_archive)


def _create_collector(archive: Archive, migration: Migration, sources: Sources, *, n_sharing: int) -> Collector:
    saver = alarm_saver(archive, migration, sources.metrics)
    config = CollectorConfig.from_migration(migration, n_sharing=n_sharing)
    return Collector(archive, sources, config, on_new_metrics=saver, clock=startup.now)


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """The state of the sources at `now`, and the known backfills by source. Without `optional_sources` the recorder is still healthy."""

    now: datetime
    states: tuple[SourceState, ...]
    backfills: dict[str, BackfillStatus]
    archive_problem: ArchiveProblem | None
    optional_sources: frozenset[str]

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(dict.fromkeys(problem for state in self.states for problem in state.problems))

    @property
    def down(self) -> tuple[str, ...]:
        """The sources that do not answer, without the optional ones."""
        required = (state for state in self.states if state.source not in self.optional_sources)
        return tuple(dict.fromkeys(state.source for state in required if state.state not in ANSWERING_STATES))

    @property
    def is_healthy(self) -> bool:
        return self.archive_problem is None and not self.down


def catch_up(*collectors: Collector) -> tuple[str, ...]:
    """Polls every source, in parallel, until everything is fetched. Returns the names of incomplete sources.

    A source that waits or fails is given up after CATCH_UP_TIMEOUT_S without progress of its backfill.
    """
    tasks = [(item, task) for item in collectors for task in item.tasks if task.role in CATCH_UP_ROLES]
    complete: dict[str, bool] = {}

    def work(collector: Collector, task: PollTask) -> None:
        complete[task.source] = _poll_until_done(collector, task)

    # Daemons, so that an interrupt does not wait for a hanging source.
    threads = [threading.Thread(target=work, args=task, daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tuple(task.source for _, task in tasks if not complete.get(task.source))


def _poll_until_done(collector: Collector, task: PollTask) -> bool:
    """Returns False after CATCH_UP_TIMEOUT_S without progress."""
    remaining_s, best = CATCH_UP_TIMEOUT_S, collector.backfill_status(task.source)
    while True:
        wait_s = collector.run_task(task)
        if wait_s and not (task.failure or task.archive_problem):
            with suppress(ArchiveError):
                if collector.is_up_to_date(task.source):
                    return True
        status = collector.backfill_status(task.source)
        if status and (best is None or status.available > best.available):
            remaining_s, best = CATCH_UP_TIMEOUT_S, status
        if task.failure or status is None or status.state != "filling":  # "filling": the pause between two pulls
            if wait_s > remaining_s:
                return False
            remaining_s -= wait_s
        threading.Event().wait(wait_s)


def recorder_json(migration: Migration, status: RecorderStatus) -> dict[str, Any]:
    return {
        "ok": status.is_healthy,
        **migration_json(migration),
        "now": iso_time(int(status.now.timestamp())),
        "sources": [
            {
                **pick(state, "source", "role", "state"),
                "checked_at": iso_time(state.checked_at),
                "last_success_at": iso_time(state.last_success_at),
            }
            for state in status.states
        ],
        "backfill": [
            {
                "source": name,
                **pick(backfill, "state", "available", "total"),
                "complete_since": iso_time(backfill.complete_since),
                "since": iso_time(backfill.window.start),
            }
            for name, backfill in status.backfills.items()
        ],
        "problems": problems_json(status.problems, status.archive_problem),
    }


def _style(state: SourceState, *, optional: bool) -> str:
    if state.state in ("up", "slow"):
        return GOOD
    return WARN if optional or state.state in ANSWERING_STATES else BAD


def recorder_table(migration: Migration, status: RecorderStatus) -> RenderableType:
    grid = FittingTable(*map(str, text.SOURCES_HEAD))
    for state in status.states:
        style = _style(state, optional=state.source in status.optional_sources)
        at = state.last_success_at
        ago = text.NEVER if at is None else times.ago(datetime.fromtimestamp(at, UTC), now=status.now)
        grid.add_row(
            plain(states.source_name(state.source)),
            Text(str(states.STATE_LABELS[state.state]), style),
            Text(str(ago)),
            _backfill_cell(migration, status, state) if state.role == "metrics" else Text(),
        )
    return Group(title(migration), Text(), grid, *problem_lines(status.problems, status.archive_problem))


def recorder_line(migration: Migration, status: RecorderStatus, *, with_name: bool = False) -> RenderableType:
    """The status on one line, after the name of the migration if there are several."""
    parts = [f"{status.now.astimezone(migration.zone):%Y-%m-%d %H:%M:%S}", *([migration.name] if with_name else [])]
    parts += [f"{states.source_name(state.source)} {states.STATE_LABELS[state.state]}" for state in status.states]
    parts += [
        f"{states.source_name(name)}: {_backfill_text(migration, backfill)}"
        for name, backfill in status.backfills.items()
    ]
    return plain("  ·  ".join(parts), "" if status.is_healthy else BAD)


def _backfill_cell(migration: Migration, status: RecorderStatus, state: SourceState) -> RenderableType:
    backfill = status.backfills.get(state.source)
    if backfill is None:
        return Text(str(text.NOT_CHECKED if migration.backfill else text.NO_BACKFILL), FAINT)
    bar = ProgressBar(total=max(backfill.total, 1), completed=backfill.available, width=24)
    line = Table.grid(padding=(0, 1))
    line.add_row(bar, Text(_backfill_text(migration, backfill)))
    return line


def _backfill_text(migration: Migration, backfill: BackfillStatus) -> str:
    percent = numbers.share(backfill.available / backfill.total if backfill.total else 1.0)
    since = local_minute(migration, backfill.complete_since)
    return text.backfill_progress(backfill.state, percent=percent, back_to=since)


def show_while_running(work: Callable[[], object], show: Callable[[], None]) -> None:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while thread.is_alive():
        show()
        thread.join(0.5)
    show()


class _SilentPollError(Exception):
    """A poll has been silent for too long."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """The collector of a migration, and one of its batches if they are configured."""

    migration: Migration
    archive: Archive
    sources: Sources
    collector: Collector
    batch_collector: BatchCollector | None
    batch_archive: BatchArchive | None = None

    @property
    def collectors(self) -> tuple[Collector, ...]:
        return (self.collector, self.batch_collector) if self.batch_collector else (self.collector,)

    @property
    def tasks(self) -> tuple[PollTask, ...]:
        return tuple(task for collector in self.collectors for task in collector.tasks)

    @property
    def silent_sources(self) -> tuple[str, ...]:
        return silent_sources(self.tasks)

    def source_states(self) -> tuple[SourceState, ...]:
        """As archived, of batches too. Raises ArchiveError."""
        return self.collector.source_states()

    @property
    def notify_target(self) -> NotifyTarget:
        names = tuple(source.name for source in self.sources.batches)
        batches = (self.batch_archive, names) if self.batch_archive else None
        return NotifyTarget(self.migration, self.archive, self.source_states, batches)

    def catch_up(self) -> tuple[str, ...]:
        """Fetches everything. Returns the names of incomplete sources."""
        incomplete = catch_up(*self.collectors)
        return tuple(dict.fromkeys([*incomplete, *self.status().down]))

    def status(self) -> RecorderStatus:
        now, collector, batches = startup.now(), self.collector, self.batch_collector
        try:
            source_states, problem = collector.source_states(), collector.problem or self.archive.problem
        except ArchiveError as error:
            source_states, problem = (), error.problem
        known = {
            source.name: collector.backfill_status(source.name)
            for source in (*self.sources.metrics, *self.sources.criteria)
        }
        backfills = {name: backfill for name, backfill in known.items() if backfill}
        if batches and not problem:
            backfills |= {source.name: batches.fill_status(source) for source in self.sources.batches}
            problem = batches.problem
        optional = SUPPLEMENTARY | self.sources.batch_source_names
        return RecorderStatus(now, source_states, backfills, problem, optional)


def _gate_recorder(item: Recorder | OpenRelease) -> GateRecorder:
    routes_of = partial(requested_routes_state, item.collector) if item.sources.logs else None
    return GateRecorder(item.archive, item.migration, item.sources.metrics[0].name, signed_evaluation_json, routes_of)


@dataclass(frozen=True, slots=True)
class Recording:
    """The recorders of all migrations, with a display."""

    recorders: Sequence[Recorder]
    as_json: bool
    releases: ReleaseCollection = field(init=False)

    def __post_init__(self) -> None:
        releases = ReleaseCollection(self._collected_releases, self._open_release, startup.now)
        object.__setattr__(self, "releases", releases)

    def metrics_targets(self) -> Iterator[MetricsTarget]:
        """Each migration, and each release that runs."""
        yield from self.recorders
        yield from self._running_releases()

    def _notify_targets(self) -> Iterator[NotifyTarget]:
        for recorder in self.recorders:
            yield recorder.notify_target
        for release in self._running_releases():
            yield NotifyTarget(release.migration, release.archive, release.source_states)

    def _running_releases(self) -> Iterator[OpenRelease]:
        return (release for release in self.releases.opened if release.is_running)

    def run_once(self) -> int:
        """Fetches everything, one migration after the other. Returns 1 if a required source is incomplete, else 0."""
        incomplete: list[tuple[Recorder, str]] = []

        def work() -> None:
            for recorder in self.recorders:
                incomplete.extend((recorder, name) for name in recorder.catch_up())
                for migration in collected_releases(recorder.archive, recorder.migration, now=startup.now()):
                    names = catch_up(self._open_release(migration).collector)
                    incomplete.extend((recorder, name) for name in dict.fromkeys(names))

        with live_display(as_json=self.as_json) as display:
            show_while_running(work, lambda: display.update(self._table(), refresh=True) if display else None)
        if display is None:
            self._print_status()
        if not self.as_json:
            names = dict.fromkeys(
                states.source_name(name) for _recorder, name in incomplete if name not in SUPPLEMENTARY
            )
            echo_text(str(text.incomplete(", ".join(names)) if names else text.ALL_DONE))
        return int(any(name not in recorder.status().optional_sources for recorder, name in incomplete))

    def run(self) -> int:
        """Records until Ctrl-C or SIGTERM. Shows a table in a terminal, else prints the status once a minute.

        Returns 0; 1 as soon as a poll is silent, so that a supervisor starts it again.
        """
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        collectors = [collector for recorder in self.recorders for collector in recorder.collectors]
        threads = threads_for(collectors, n_migrations=len(self.recorders))
        gate = GateThread(
            [_gate_recorder(recorder) for recorder in self.recorders if not recorder.migration.is_release_board],
            startup.now,
            releases=lambda: map(_gate_recorder, self._running_releases()),
        )
        notifier = Notifier(self._notify_targets, startup.now)
        with suppress(KeyboardInterrupt, _SilentPollError):
            threads.start()
            gate.start()
            notifier.start(recorder.migration for recorder in self.recorders)
            if any(recorder.migration.releases for recorder in self.recorders):
                self.releases.start()
            with live_display(as_json=self.as_json) as display:
                if display is None:
                    repeat(lambda: self._show(self._print_status), 60)
                else:
                    repeat(lambda: self._show(lambda: display.update(self._table(), refresh=True)), 1)
        silent = self._is_silent
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends soon; Ctrl-C ends it at once
        stop_together(gate.stop, notifier.stop, self.releases.stop, threads.stop)
        return int(silent)

    def _collected_releases(self, now: datetime) -> Iterator[Migration]:
        for recorder in self.recorders:
            yield from collected_releases(recorder.archive, recorder.migration, now=now)

    def _open_release(self, migration: Migration) -> OpenRelease:
        archive, sources = self.recorders[0].archive.of(migration), startup.open_sources(migration)
        collector = _create_collector(archive, migration, sources, n_sharing=len(self.recorders) + MAX_RUNNING)
        return OpenRelease(migration, archive, sources, collector)

    @property
    def _is_silent(self) -> bool:
        return any(recorder.silent_sources for recorder in self.recorders)

    def _show(self, show: Callable[[], None]) -> None:
        silent = self._is_silent
        show()
        if silent:  # and shown
            raise _SilentPollError

    def _table(self) -> RenderableType:
        return Group(*(recorder_table(recorder.migration, recorder.status()) for recorder in self.recorders))

    def _print_status(self) -> None:
        render = recorder_json if self.as_json else partial(recorder_line, with_name=len(self.recorders) > 1)
        for recorder in self.recorders:
            echo(render(recorder.migration, recorder.status()))
