"""The latency of a whole phase as a table, for the page and for the evidence file: percentiles of all answers together, never an average of minutes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import analysis
from domain import FLEETS, Migration, Window
from domain.latency import Latencies
from domain.series import PERCENTILES
from messages import numbers, times
from messages import parity as words
from sources.window_latency import Whole

STEP_S = 300  # a window that grows grows by so much at least: every answer is paid
STEPS = 24  # and by a twenty-fourth of itself

Cell = tuple[str, str]  # what stands in it, and what stands below in small print


@dataclass(frozen=True, slots=True)
class WholeTable:
    """Latency in one column a target group, one row a percentile, each with its name; the difference where each fleet has one group alone."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def window_of(phase: analysis.Phase, *, now_s: int, provisional_s: int) -> Window | None:
    """What of a phase is asked as a whole: without its provisional minutes, and with ends that do not move with every minute.

    None where nothing is left of it.
    """
    start, end = phase.window.start, min(phase.window.end, now_s - provisional_s)
    step_s = max(STEP_S, (end - start) // STEPS // STEP_S * STEP_S)
    if phase.begun_by == "window":
        start = -(-start // step_s) * step_s
    if phase.window.end >= now_s:
        end = end // step_s * step_s
    return Window(start, end) if start < end else None


def named(migration: Migration, told: Whole) -> list[tuple[str, Latencies]]:
    """The target groups that served, baseline first, each by its fleet's label, and by its own name where there are several."""
    served = [one for one in told.groups if one.answers or one.requests or one.percentiles]
    by_fleet = {fleet: [one for one in served if one.fleet == fleet] for fleet in FLEETS}
    return [
        (
            migration.fleets[fleet].label
            if len(groups) == 1
            else f"{migration.fleets[fleet].label} {one.target_group}",
            one,
        )
        for fleet, groups in by_fleet.items()
        for one in groups
    ]


def whole_table(groups: Sequence[tuple[str, Latencies]]) -> WholeTable:
    """The numbers of `named`."""
    every = [one for _, one in groups]
    pair = (every[0], every[1]) if [one.fleet for one in every] == list(FLEETS) else None
    rows = [
        (name, (*(_value(one, name) for one in every), *((_difference(*pair, name),) if pair else ())))
        for name in PERCENTILES
    ]
    answers = [(numbers.count(one.answers), words.whole_of_requests(one.requests)) for one in every]
    rows.append((words.whole_answers(), (*answers, *((("", ""),) if pair else ()))))
    return WholeTable(words.whole_head(tuple(name for name, _ in groups), difference=pair is not None), tuple(rows))


def note(migration: Migration, told: Whole, label: str, *, now: datetime) -> str:
    """For which time the numbers stand, and which groups could not be put together. `label`: the source's name."""
    said = []
    if told.covered:
        span = times.span(told.covered.starts_at, told.covered.ends_at, migration.zone, now=now)
        said.append(words.whole_window(label, span, told.covered.end - told.covered.start))
        # Where it was refused, the numbers are those of before, and their time was the longest of another window.
        said += [words.whole_longest_part()] if told.complete and told.covered != told.window else []
    served = [one.fleet for _, one in named(migration, told)]
    said += [
        words.whole_apart(migration.fleets[fleet].label, served.count(fleet))
        for fleet in FLEETS
        if served.count(fleet) > 1
    ]
    return " ".join(said)


def _value(group: Latencies, percentile: str) -> Cell:
    few = percentile in group.percentiles and (group.answers or 0) < analysis.needed_samples(percentile)
    return numbers.milliseconds(group.percentiles.get(percentile)), words.whole_few() if few else ""


def _difference(baseline: Latencies, canary: Latencies, percentile: str) -> Cell:
    before, after = baseline.percentiles.get(percentile), canary.percentiles.get(percentile)
    if before is None or after is None:
        return numbers.NONE, ""
    return numbers.signed_milliseconds(after - before), numbers.relative((after - before) / before) if before else ""
