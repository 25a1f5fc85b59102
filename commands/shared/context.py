"""What `judge` and `report` read before they say anything: the chosen phase, or the last so many minutes, through the archive."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

import typer

import analysis
from analysis import Phase, WeightStep
from archive import Archive, ArchiveError, MetricsResult
from collector.collector import Collector
from domain import Clock, Migration, Window
from messages import cli as words
from services.parity import evidence_window, known_phases
from sources.base import SUPPLEMENTARY, HistorySource, MetricSource, Problem
from sources.registry import Sources


@dataclass(frozen=True, slots=True)
class CommandContext:
    """What is needed to look at a migration."""

    migration: Migration
    archive: Archive
    collector: Collector
    sources: Sources
    metrics: MetricSource


@dataclass(frozen=True, slots=True)
class JudgementInput:
    """The numbers to be judged, of which phase (with its number, where it was chosen by that), and what is wrong with other sources."""

    result: MetricsResult
    phase: Phase | None
    phase_number: int | None
    source_problems: tuple[Problem, ...]
    now: datetime


def read_phase(context: CommandContext, minutes: int | None, phase: str, *, clock: Clock) -> JudgementInput:
    """What is due is asked and kept, and the chosen phase, or the last `minutes`, read from the archive.

    Raises typer.BadParameter where there is no such phase.
    """
    archive, metrics = context.archive, context.metrics
    others = poll_events(archive, context.collector, context.sources)
    now = clock()
    end = int(now.timestamp()) // 60 * 60
    if minutes is not None:
        return JudgementInput(
            archive.metrics.get(Window.last(minutes, now=now), metrics, now=now), None, None, others, now
        )
    try:
        events = archive.events.read(Window(0, end))
    except ArchiveError:  # `bring` tells of it
        events = ()
    known = known_phases(events, end=end)
    number = None if phase in ("", "current") else int(phase) if phase.isdecimal() else 0
    if number is not None and not 1 <= number <= len(known):
        raise typer.BadParameter(words.no_such_phase(phase, len(known)), param_hint="--phase")
    chosen = known[number - 1 if number else -1]
    return JudgementInput(archive.metrics.get(evidence_window(chosen), metrics, now=now), chosen, number, others, now)


def poll_events(archive: Archive, collector: Collector, sources: Sources) -> tuple[Problem, ...]:
    """Asks for weights and events, where that is due, and keeps them. Returns what is wrong with these sources."""
    with suppress(ArchiveError):  # `bring` tells of it
        collector.poll_traffic()
        _poll_event_sources(collector, sources)
    try:
        states = archive.events.source_states()
    except ArchiveError:
        return ()
    telling = (state for state in states if state.role != "metrics" and state.source not in SUPPLEMENTARY)
    return tuple(chain.from_iterable(state.problems for state in telling))


def _poll_event_sources(collector: Collector, sources: Sources) -> None:
    """Asks for events, where that is due; whoever keeps a history, until nothing of it is left to ask."""
    for source in sources.events:
        while collector.poll_events(source) == 0 and isinstance(source, HistorySource):
            pass


@dataclass(frozen=True, slots=True)
class WeightSteps:
    """The steps of the split as far as they are known at `now` (epoch seconds), and what kept some from being known."""

    steps: tuple[WeightStep, ...]
    problems: tuple[Problem, ...]
    now: int


def read_weight_steps(archive: Archive, collector: Collector, sources: Sources, *, clock: Clock) -> WeightSteps:
    """Every step that is known, after all that is left to ask of those who keep a history was asked. Raises ArchiveError."""
    collector.poll_traffic()
    _poll_event_sources(collector, sources)
    now = int(clock().timestamp())
    telling = {source.name for source in sources.events if isinstance(source, HistorySource)}
    telling |= {sources.traffic.name} if sources.traffic else set()
    problems = chain.from_iterable(
        state.problems for state in archive.events.source_states() if state.source in telling
    )
    return WeightSteps(analysis.weight_steps(archive.events.weight_changes(), now), tuple(problems), now)
