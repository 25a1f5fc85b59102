"""What commands need to poll the sources and read the archive."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from pathlib import Path

import typer

from analysis.parity.context import JudgeContext
from archive import Archive, ArchiveError, BatchArchive, MetricsResult, SourceState
from collector.access_log_ingest import IngestProgress, routes_state
from collector.access_log_worker import AccessLogWorker
from collector.collector import Collector, CollectorConfig
from commands.shared import startup
from commands.shared.ingest_bar import ignore_progress, ingest_bar
from commands.shared.options import metric_source
from domain import Migration, Window
from domain.decision import RoutesState
from domain.window import MINUTE_S
from messages import cli as text
from services.alarms import AlarmStatus, alarm_window, read_alarms
from services.batches import BatchView, read_batches
from services.criteria import fetch_criteria, with_criteria
from services.decision import Circumstances
from services.endpoints import judge_logs, log_window
from services.evaluation import (
    Evaluation,
    JudgementInput,
    NoSuchPhaseError,
    archived_circumstances,
    evaluate,
    read_phase,
)
from services.judge_context import read_context
from services.phases import EVENT_HISTORY_S
from sources.base import SUPPLEMENTARY, HistorySource, MetricSource, Problem
from sources.registry import Sources

MAX_COUNTING_S = 60.0  # of access logs, before a decision


@dataclass(frozen=True, slots=True)
class CommandContext:
    """`metrics`: the selected metric source. `logs` counts access logs; None without any. The threads of the collector are not started."""

    migration: Migration
    archive: Archive
    collector: Collector
    sources: Sources
    metrics: MetricSource
    logs: AccessLogWorker | None = None

    def poll_events(self) -> tuple[Problem, ...]:
        """Polls weights and events, if due; a source with a history until it is complete. Returns the problems of these sources."""
        with_history = {source.name for source in self.sources.events if isinstance(source, HistorySource)}
        for task in self.collector.tasks:
            if task.role in ("traffic", "events"):
                while self.collector.run_task(task) == 0 and task.source in with_history:
                    pass
        try:
            return self.problems_where(lambda state: state.role != "metrics" and state.source not in SUPPLEMENTARY)
        except ArchiveError:  # reading the metrics reports it
            return ()

    def problems_where(self, predicate: Callable[[SourceState], bool]) -> tuple[Problem, ...]:
        """The current problems of the selected sources. Raises ArchiveError."""
        return tuple(chain.from_iterable(state.problems for state in filter(predicate, self.collector.source_states())))

    def archived_batches(self, window: Window) -> BatchView | None:
        """The runs of batches in a window; None without [batches] or their source. Raises ArchiveError."""
        migration, names = self.migration, [source.name for source in self.sources.batches]
        if migration.batches is None or not names:
            return None
        with BatchArchive.open(migration.archive, migration, clock=startup.now) as archive:
            return read_batches(archive, migration.batches, names, window)

    def alarms(self, now: datetime) -> AlarmStatus | None:
        """The alarms of now, after their data was fetched; None if the archive cannot be read."""
        self.archive.metrics.fill(alarm_window(now), self.metrics, now=now)
        try:
            return read_alarms(self.archive, self.migration, self.metrics.name, now=now)
        except ArchiveError:  # reading the metrics reports it
            return None

    def judgement_input(self, minutes: int | None, phase: str, *, every_s: int | None = None) -> JudgementInput:
        """The last `minutes`, else the selected phase, after polling what is due, and after counting its access logs if it is not over.

        `every_s`: seconds between two evaluations, if it is repeated. Raises typer.BadParameter for an unknown phase.
        """
        problems, now = self.poll_events(), startup.now()
        data = self._judgement_input(minutes, phase, problems, now)
        fetch_criteria(self.archive, self.sources.criteria, data.result.window, now=now)
        data = replace(data, result=with_criteria(self.archive, self.migration, data.result, now=now))
        data = replace(data, alarms=self.alarms(now), context=self._judge_context(data.result, now))
        logs = log_window(data.phase.window if data.phase else data.result.window)
        is_awaited = self.logs is not None and not (data.phase and data.phase.is_over)
        routes: RoutesState = "pending" if is_awaited else "judged"
        try:
            progress = self._count_logs(logs, every_s) if is_awaited else None
            endpoints = judge_logs(self.archive, self.migration, logs)
            if progress and progress.state != "busy":
                routes = routes_state(progress, has_counts=endpoints is not None)
            if progress and routes == "unreadable":
                data = replace(data, source_problems=(*data.source_problems, *progress.problems))
            circumstances = archived_circumstances(
                self.archive, self.migration, self.metrics.name, endpoints, routes=routes, now=now
            )
            ledger = self.archive.sign_offs.read()
        except ArchiveError:  # `data.result` has it, too
            return replace(data, circumstances=Circumstances(routes=routes))
        return replace(data, endpoints=endpoints, circumstances=circumstances, ledger=ledger)

    def _count_logs(self, window: Window, every_s: int | None) -> IngestProgress | None:
        """Counts the access logs of a window for at most MAX_COUNTING_S, or half of the time between two evaluations; the next one goes on.

        Raises ArchiveError.
        """
        assert self.logs is not None
        deadline = time.monotonic() + (every_s / 2 if every_s else MAX_COUNTING_S)
        with nullcontext(ignore_progress) if every_s else ingest_bar() as on_progress:
            return self.logs.count(window, on_progress, lambda: time.monotonic() > deadline)

    def _judge_context(self, result: MetricsResult, now: datetime) -> JudgeContext:
        try:
            return read_context(self.archive, self.migration, self.metrics.name, result, now=now)
        except ArchiveError:  # reading the metrics reports it
            return JudgeContext()

    def _judgement_input(
        self, minutes: int | None, phase: str, problems: tuple[Problem, ...], now: datetime
    ) -> JudgementInput:
        if minutes is not None:
            result = self.archive.metrics.get(Window.last(minutes, now=now), self.metrics, now=now)
            return JudgementInput(result, None, None, problems, now)
        try:
            return read_phase(self.archive, self.migration, self.metrics, phase, problems, now=now)
        except NoSuchPhaseError as error:
            raise typer.BadParameter(text.no_such_phase(phase, error.n_known), param_hint="--phase") from None

    def evaluate(self, minutes: int | None, phase: str, *, every_s: int | None = None) -> Evaluation:
        return evaluate(self.migration, self.metrics.name, self.judgement_input(minutes, phase, every_s=every_s))


@contextmanager
def open_context(
    config: Path | None,
    demo: bool,
    migration_name: str,
    source: str = "",
    *,
    phase: str = "",
    as_json: bool,
    exit_code: int = 1,
) -> Iterator[CommandContext]:
    """Opens the archive and the sources. Exits with `exit_code` on a configuration issue or an ArchiveError.

    `phase`: a phase of the past needs the events of 90 days.
    """
    migration = startup.load_or_exit(config, demo, migration_name, as_json=as_json, exit_code=exit_code)
    sources = startup.open_sources(migration)
    metrics = metric_source(sources, source)
    with startup.open_archive(migration, config, as_json=as_json, exit_code=exit_code) as archive:
        collector = Collector(
            archive, sources, CollectorConfig(migration.name, release=migration.release), clock=startup.now
        )
        if phase not in ("", "current"):
            history = Window.last(EVENT_HISTORY_S // MINUTE_S, now=startup.now())
            for event_source in sources.events:
                collector.request_window(history, event_source.name)
        templates = migration.access_logs.routes if migration.access_logs else ()
        logs = AccessLogWorker(archive, sources.logs, templates, clock=startup.now) if sources.logs else None
        yield CommandContext(migration, archive, collector, sources, metrics, logs)
