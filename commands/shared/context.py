"""What `judge` and `report` read before they say anything: the chosen phase, or the last so many minutes, through the archive."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

import typer

import analysis
from analysis import Phase, Step
from archive import Archive, ArchiveError, Brought
from collector.collector import Keeper
from domain import Clock, Migration, Window
from messages import cli as words
from services.parity import evidence_of, known_phases
from sources.base import SUPPLEMENTARY, HistorySource, MetricSource, Problem
from sources.registry import Sources


@dataclass(frozen=True, slots=True)
class Desk:
    """What is needed to look at a migration."""

    migration: Migration
    archive: Archive
    keeper: Keeper
    sources: Sources
    metrics: MetricSource


@dataclass(frozen=True, slots=True)
class Reading:
    """The numbers to be judged, of which phase (with its number, where it was chosen by that), and what is wrong with other sources."""

    brought: Brought
    phase: Phase | None
    number: int | None
    others: tuple[Problem, ...]
    now: datetime


def read(desk: Desk, minutes: int | None, phase: str, *, clock: Clock) -> Reading:
    """What is due is asked and kept, and the chosen phase, or the last `minutes`, read from the archive.

    Raises typer.BadParameter where there is no such phase.
    """
    archive, metrics = desk.archive, desk.metrics
    others = keep_happenings(archive, desk.keeper, desk.sources)
    now = clock()
    end = int(now.timestamp()) // 60 * 60
    if minutes is not None:
        return Reading(archive.bring(Window.last(minutes, now=now), metrics, now=now), None, None, others, now)
    try:
        events = archive.events(Window(0, end))
    except ArchiveError:  # `bring` tells of it
        events = ()
    known = known_phases(events, end=end)
    number = None if phase in ("", "current") else int(phase) if phase.isdecimal() else 0
    if number is not None and not 1 <= number <= len(known):
        raise typer.BadParameter(words.no_such_phase(phase, len(known)), param_hint="--phase")
    chosen = known[number - 1 if number else -1]
    return Reading(archive.bring(evidence_of(chosen), metrics, now=now), chosen, number, others, now)


def keep_happenings(archive: Archive, keeper: Keeper, sources: Sources) -> tuple[Problem, ...]:
    """Asks for weights and events, where that is due, and keeps them. Returns what is wrong with these sources."""
    with suppress(ArchiveError):  # `bring` tells of it
        keeper.keep_traffic()
        _keep_events(keeper, sources)
    try:
        states = archive.states()
    except ArchiveError:
        return ()
    telling = (state for state in states if state.role != "metrics" and state.source not in SUPPLEMENTARY)
    return tuple(chain.from_iterable(state.problems for state in telling))


def _keep_events(keeper: Keeper, sources: Sources) -> None:
    """Asks for events, where that is due; whoever keeps a history, until nothing of it is left to ask."""
    for source in sources.events:
        while keeper.keep_events(source) == 0 and isinstance(source, HistorySource):
            pass


@dataclass(frozen=True, slots=True)
class History:
    """The steps of the split as far as they are known at `now` (epoch seconds), and what kept some from being known."""

    steps: tuple[Step, ...]
    problems: tuple[Problem, ...]
    now: int


def read_history(archive: Archive, keeper: Keeper, sources: Sources, *, clock: Clock) -> History:
    """Every step that is known, after all that is left to ask of those who keep a history was asked. Raises ArchiveError."""
    keeper.keep_traffic()
    _keep_events(keeper, sources)
    now = int(clock().timestamp())
    telling = {source.name for source in sources.events if isinstance(source, HistorySource)}
    telling |= {sources.traffic.name} if sources.traffic else set()
    problems = chain.from_iterable(state.problems for state in archive.states() if state.source in telling)
    return History(analysis.steps(archive.split_changes(), now), tuple(problems), now)
