"""The latency of a window as a table, for the page and the evidence file. Percentiles of all responses together, never averaged."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import analysis
from domain import FLEETS, Migration
from domain.latency import LatencySummary
from domain.series import PERCENTILES
from messages import numbers, times
from messages import parity as text
from sources.window_latency import WindowLatency

TableCell = tuple[str, str]  # the text, and a note below it


@dataclass(frozen=True, slots=True)
class LatencyTable:
    """One column per target group and one row per percentile, with the difference if each fleet has one group."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[TableCell, ...]], ...]


def labelled_groups(migration: Migration, latency: WindowLatency) -> list[tuple[str, LatencySummary]]:
    """The target groups that served requests, baseline first. Label: the fleet's, with the group's name if the fleet has several."""
    served = [group for group in latency.groups if group.answers or group.requests or group.percentiles]
    labelled = []
    for fleet in FLEETS:
        groups, label = [group for group in served if group.fleet == fleet], migration.fleets[fleet].label
        labelled += [(label if len(groups) == 1 else f"{label} {group.target_group}", group) for group in groups]
    return labelled


def latency_table(labelled: Sequence[tuple[str, LatencySummary]]) -> LatencyTable:
    """The table of `labelled_groups`."""
    groups = [group for _, group in labelled]
    pair = (groups[0], groups[1]) if [group.fleet for group in groups] == list(FLEETS) else None
    rows = [
        (name, (*(_value(group, name) for group in groups), *((_difference(*pair, name),) if pair else ())))
        for name in PERCENTILES
    ]
    answers = [(numbers.count(group.answers), text.window_latency_of_requests(group.requests)) for group in groups]
    rows.append((str(text.WINDOW_LATENCY_ANSWERS), (*answers, *((("", ""),) if pair else ()))))
    head = text.window_latency_head(tuple(label for label, _ in labelled), difference=pair is not None)
    return LatencyTable(head, tuple(rows))


def latency_note(migration: Migration, latency: WindowLatency, source_label: str, *, now: datetime) -> str:
    """The time that the percentiles cover, and the fleets with several target groups."""
    sentences = []
    if latency.covered:
        span = times.span(latency.covered.starts_at, latency.covered.ends_at, migration.zone, now=now)
        length_s = latency.covered.end - latency.covered.start
        sentences.append(text.window_latency_span(source_label, span, length_s))
        # After a failed request the percentiles are those of an earlier window.
        if latency.complete and latency.covered != latency.window:
            sentences.append(str(text.WINDOW_LATENCY_PARTIAL))
    fleets = [group.fleet for _, group in labelled_groups(migration, latency)]
    sentences += [
        text.window_latency_groups(migration.fleets[fleet].label, fleets.count(fleet))
        for fleet in FLEETS
        if fleets.count(fleet) > 1
    ]
    return " ".join(sentences)


def _value(group: LatencySummary, percentile: str) -> TableCell:
    is_low_sample = percentile in group.percentiles and (group.answers or 0) < analysis.required_samples(percentile)
    note = str(text.WINDOW_LATENCY_TOO_FEW) if is_low_sample else ""
    return numbers.milliseconds(group.percentiles.get(percentile)), note


def _difference(baseline: LatencySummary, canary: LatencySummary, percentile: str) -> TableCell:
    before, after = baseline.percentiles.get(percentile), canary.percentiles.get(percentile)
    if before is None or after is None:
        return numbers.NONE, ""
    return numbers.signed_milliseconds(after - before), numbers.relative((after - before) / before) if before else ""
