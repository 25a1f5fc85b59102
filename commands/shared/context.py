"""What commands need to poll the sources and read the archive."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from pathlib import Path

import typer

from analysis.parity.context import JudgeContext
from archive import Archive, ArchiveError, MetricsResult, SourceState
from collector.collector import Collector, CollectorConfig
from commands.shared import startup
from commands.shared.options import metric_source
from domain import Migration, Window
from domain.window import MINUTE_S
from messages import cli as text
from services.alarms import AlarmStatus, alarm_window, read_alarms
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


@dataclass(frozen=True, slots=True)
class CommandContext:
    """`metrics`: the selected metric source. The threads of the collector are not started."""

    migration: Migration
    archive: Archive
    collector: Collector
    sources: Sources
    metrics: MetricSource

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

    def alarms(self, now: datetime) -> AlarmStatus | None:
        """The alarms of now, after their data was fetched; None if the archive cannot be read."""
        self.archive.metrics.fill(alarm_window(now), self.metrics, now=now)
        try:
            return read_alarms(self.archive, self.migration, self.metrics.name, now=now)
        except ArchiveError:  # reading the metrics reports it
            return None

    def judgement_input(self, minutes: int | None, phase: str) -> JudgementInput:
        """The last `minutes`, else the selected phase, after polling what is due. Raises typer.BadParameter for an unknown phase."""
        problems, now = self.poll_events(), startup.now()
        data = self._judgement_input(minutes, phase, problems, now)
        data = replace(data, alarms=self.alarms(now), context=self._judge_context(data.result, now))
        try:
            endpoints, circumstances = archived_circumstances(
                self.archive, self.migration, self.metrics.name, data.result.window, now=now
            )
        except ArchiveError:  # `data.result` has it, too
            return data
        return replace(data, endpoints=endpoints, circumstances=circumstances)

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

    def evaluate(self, minutes: int | None, phase: str) -> Evaluation:
        return evaluate(self.migration, self.metrics.name, self.judgement_input(minutes, phase))


@contextmanager
def open_context(
    config: Path | None, demo: bool, source: str = "", *, phase: str = "", as_json: bool, exit_code: int = 1
) -> Iterator[CommandContext]:
    """Opens the archive and the sources. Exits with `exit_code` on a configuration issue or an ArchiveError.

    `phase`: a phase of the past needs the events of 90 days.
    """
    migration = startup.load_or_exit(config, demo, as_json=as_json, exit_code=exit_code)
    sources = startup.open_sources(migration)
    metrics = metric_source(sources, source)
    with startup.open_archive(migration, config, as_json=as_json, exit_code=exit_code) as archive:
        collector = Collector(archive, sources, CollectorConfig(migration.name), clock=startup.now)
        if phase not in ("", "current"):
            history = Window.last(EVENT_HISTORY_S // MINUTE_S, now=startup.now())
            for event_source in sources.events:
                collector.request_window(history, event_source.name)
        yield CommandContext(migration, archive, collector, sources, metrics)
