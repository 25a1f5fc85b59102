"""The latency of a whole phase as a table, for the page and for the evidence file: percentiles of all answers together, never an average of minutes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import analysis
from domain import FLEETS, Migration, Window
from domain.latency import LatencySummary
from domain.series import PERCENTILES
from messages import numbers, times
from messages import parity as words
from sources.window_latency import WindowLatency

MIN_GROWTH_S = 300  # a window that grows grows by so much at least: every answer is paid
GROWTH_FRACTION = 24  # and by a twenty-fourth of itself

TableCell = tuple[str, str]  # what stands in it, and what stands below in small print


@dataclass(frozen=True, slots=True)
class LatencyTable:
    """Latency in one column a target group, one row a percentile, each with its name; the difference where each fleet has one group alone."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[TableCell, ...]], ...]


def latency_window(phase: analysis.Phase, *, now_s: int, provisional_s: int) -> Window | None:
    """What of a phase is asked as a whole: without its provisional minutes, and with ends that do not move with every minute.

    None where nothing is left of it.
    """
    start, end = phase.window.start, min(phase.window.end, now_s - provisional_s)
    step_s = max(MIN_GROWTH_S, (end - start) // GROWTH_FRACTION // MIN_GROWTH_S * MIN_GROWTH_S)
    if phase.started_by == "window":
        start = -(-start // step_s) * step_s
    if phase.window.end >= now_s:
        end = end // step_s * step_s
    return Window(start, end) if start < end else None


def labelled_groups(migration: Migration, latency: WindowLatency) -> list[tuple[str, LatencySummary]]:
    """The target groups that served, baseline first, each by its fleet's label, and by its own name where there are several."""
    served = [one for one in latency.groups if one.answers or one.requests or one.percentiles]
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


def latency_table(groups: Sequence[tuple[str, LatencySummary]]) -> LatencyTable:
    """The numbers of `named`."""
    every = [one for _, one in groups]
    pair = (every[0], every[1]) if [one.fleet for one in every] == list(FLEETS) else None
    rows = [
        (name, (*(_value(one, name) for one in every), *((_difference(*pair, name),) if pair else ())))
        for name in PERCENTILES
    ]
    answers = [(numbers.count(one.answers), words.window_latency_of_requests(one.requests)) for one in every]
    rows.append((words.WINDOW_LATENCY_ANSWERS(), (*answers, *((("", ""),) if pair else ()))))
    return LatencyTable(
        words.window_latency_head(tuple(name for name, _ in groups), difference=pair is not None), tuple(rows)
    )


def latency_note(migration: Migration, latency: WindowLatency, label: str, *, now: datetime) -> str:
    """For which time the numbers stand, and which groups could not be put together. `label`: the source's name."""
    said = []
    if latency.covered:
        span = times.span(latency.covered.starts_at, latency.covered.ends_at, migration.zone, now=now)
        said.append(words.window_latency_span(label, span, latency.covered.end - latency.covered.start))
        # Where it was refused, the numbers are those of before, and their time was the longest of another window.
        said += [words.WINDOW_LATENCY_PARTIAL()] if latency.complete and latency.covered != latency.window else []
    served = [one.fleet for _, one in labelled_groups(migration, latency)]
    said += [
        words.window_latency_groups(migration.fleets[fleet].label, served.count(fleet))
        for fleet in FLEETS
        if served.count(fleet) > 1
    ]
    return " ".join(said)


def _value(group: LatencySummary, percentile: str) -> TableCell:
    few = percentile in group.percentiles and (group.answers or 0) < analysis.required_samples(percentile)
    return numbers.milliseconds(group.percentiles.get(percentile)), words.WINDOW_LATENCY_TOO_FEW() if few else ""


def _difference(baseline: LatencySummary, canary: LatencySummary, percentile: str) -> TableCell:
    before, after = baseline.percentiles.get(percentile), canary.percentiles.get(percentile)
    if before is None or after is None:
        return numbers.NONE, ""
    return numbers.signed_milliseconds(after - before), numbers.relative((after - before) / before) if before else ""
