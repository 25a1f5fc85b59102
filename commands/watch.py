"""`watch`: both fleets side by side in the newest settled minute, with the difference and how old all of it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

import analysis
from analysis import Comparison, LatestValues
from archive import Archive, ArchiveError, ArchiveProblem, MetricsResult
from collector.collector import Collector
from commands.shared.context import poll_events
from commands.shared.output import (
    BAD,
    BASELINE,
    CANARY,
    FAINT,
    WARN,
    archive_problem_json,
    iso_time,
    message_lines,
    plain,
    problem_json,
    table,
    title,
)
from domain import FLEETS, Clock, Event, FleetName, Migration, Traffic, Window
from domain.series import PERCENTILES
from messages import cli as words
from messages import events as event_words
from messages import numbers, states, times
from messages.errors import sources as problems
from sources.base import MetricSource, Problem
from sources.registry import Sources

WATCH_WINDOW_MINUTES = 60  # enough for a sample-ratio check, and for an outage of a source to leave something to see
MAX_EVENTS = 3


@dataclass(frozen=True, slots=True)
class WatchedMetric:
    """One measure's newest settled reading of both fleets. Rates are fractions, latency is in seconds. `low`: stands on too few answers."""

    quantity: analysis.Quantity
    reading: LatestValues
    low_sample: Mapping[FleetName, bool]


@dataclass(frozen=True, slots=True)
class WatchSnapshot:
    """Everything that one refresh shows. `at` is the minute that is shown (epoch seconds, its start); None: there is none yet."""

    now: datetime
    source: str
    minute: int | None
    data_until: int | None
    metrics: Mapping[str, WatchedMetric]
    alb_5xx_rate: float | None
    configured_shares: Mapping[FleetName, float]
    ratio: analysis.SampleRatio | None
    events: tuple[Event, ...]
    problems: tuple[Problem, ...]
    archive_problem: ArchiveProblem | None


def refresh(
    migration: Migration,
    archive: Archive,
    collector: Collector,
    sources: Sources,
    metrics: MetricSource,
    *,
    clock: Clock,
) -> WatchSnapshot:
    """One refresh: what is due is asked and kept, in turns with whoever else uses the archive, and everything is read from there."""
    others = poll_events(archive, collector, sources)
    now = clock()
    window = Window.last(WATCH_WINDOW_MINUTES, now=now)
    brought = archive.metrics.get(window, metrics, now=now)
    try:
        traffic, events = archive.events.latest_traffic(), archive.events.read(window)
    except ArchiveError:
        traffic, events = None, ()
    return watch_snapshot(migration, metrics.name, brought, traffic[0] if traffic else None, events, others, now=now)


def watch_snapshot(
    migration: Migration,
    source: str,
    result: MetricsResult,
    traffic: Traffic | None,
    events: Sequence[Event],
    problems: tuple[Problem, ...] = (),
    *,
    now: datetime,
) -> WatchSnapshot:
    """What the numbers of `brought` say; `problems` are those of the other sources.

    Minutes that were read when they were younger than the configuration trusts are left out.
    """
    asked = result.last_asked_at or 0
    settled = asked - asked % 60 - migration.provisional_minutes * 60
    grid = analysis.time_grid(result.frame, result.window, result.unknown)
    error_rate = analysis.error_rate(grid)
    overlays = {
        "requests": analysis.requests(grid),
        "error_rate": error_rate,
        "unanswered_rate": analysis.component(error_rate, "unanswered"),
        "target_5xx_rate": analysis.component(error_rate, "target_5xx"),
        **{f"latency_{percentile}": analysis.latency(grid, percentile) for percentile in PERCENTILES},
    }
    newest = analysis.latest_values(overlays["requests"], before=settled)
    at = newest.start if newest else None
    told = {fleet: float(share) for fleet, share in traffic.configured_shares.items()} if traffic else {}
    return WatchSnapshot(
        now=now,
        source=source,
        minute=at,
        data_until=result.data_until,
        metrics={} if at is None else {name: _watched_metric(overlay, at) for name, overlay in overlays.items()},
        alb_5xx_rate=None if at is None else _value(error_rate.unattributed, grid.ts, at),
        configured_shares=told,
        ratio=_sample_ratio(grid, told, events, result, settled),
        events=tuple(events[-MAX_EVENTS:]),
        problems=tuple(dict.fromkeys((*result.problems, *problems))),
        archive_problem=result.archive_problem,
    )


def _watched_metric(comparison: Comparison, ts: int) -> WatchedMetric:
    """An overlay's values in one minute, whether it has any or not, so that all lines of the table are of the same minute."""
    place = int(np.searchsorted(comparison.ts, ts))
    values = {fleet: _value(comparison.values[fleet], comparison.ts, ts) for fleet in FLEETS}
    low = {fleet: bool(comparison.low_sample[fleet][place]) and values[fleet] is not None for fleet in FLEETS}
    return WatchedMetric(
        comparison.quantity, LatestValues(ts, int(comparison.ends[place]), values["baseline"], values["canary"]), low
    )


def _value(values: np.ndarray | None, ts: np.ndarray, at: int) -> float | None:
    value = np.nan if values is None else float(values[int(np.searchsorted(ts, at))])
    return None if np.isnan(value) else float(value)


def _sample_ratio(
    grid: analysis.TimeGrid,
    configured_shares: Mapping[FleetName, float],
    events: Sequence[Event],
    result: MetricsResult,
    final_until: int,
) -> analysis.SampleRatio | None:
    """Whether the share since the last weight change is the one that was told; the change's own minute belongs to neither."""
    changed = max((event.ts - event.ts % 60 + 60 for event in events if event.kind == "weight"), default=0)
    start, end = max(result.window.start, changed), min(result.window.end, final_until)
    if "canary" not in configured_shares or start >= end:
        return None
    return analysis.sample_ratio(grid, configured_shares["canary"], Window(start, end), unread=result.requests_unknown)


def snapshot_json(migration: Migration, snapshot: WatchSnapshot) -> dict[str, Any]:
    return {
        "ok": snapshot.minute is not None,
        "migration": migration.name,
        "demo": migration.demo,
        "source": snapshot.source,
        "now": iso_time(int(snapshot.now.timestamp())),
        "minute": iso_time(snapshot.minute),
        "data_until": iso_time(snapshot.data_until),
        "told": dict(snapshot.configured_shares),
        "seen": _both_shares(snapshot.ratio.observed_share if snapshot.ratio else None),
        "sample_ratio": snapshot.ratio.verdict if snapshot.ratio else None,
        "measures": {
            name: {
                "baseline": one.reading.baseline,
                "canary": one.reading.canary,
                "difference": one.reading.difference,
                "low_samples": dict(one.low_sample),
            }
            for name, one in snapshot.metrics.items()
        },
        "alb_5xx_rate": snapshot.alb_5xx_rate,
        "events": [
            {"at": iso_time(one.ts), "kind": one.kind, "title": one.title, "open": one.open} for one in snapshot.events
        ],
        "problems": [problem_json(problem) for problem in snapshot.problems]
        + ([archive_problem_json(snapshot.archive_problem)] if snapshot.archive_problem else []),
    }


def _both_shares(canary: float | None) -> dict[FleetName, float]:
    return {} if canary is None else {"baseline": 1 - canary, "canary": canary}


def snapshot_table(migration: Migration, snapshot: WatchSnapshot) -> RenderableType:
    labels = {fleet: problems.shorten(migration.fleets[fleet].label) for fleet in FLEETS}
    parts: list[RenderableType] = [
        title(migration, states.source_name(snapshot.source), _subtitle(migration, snapshot)),
        Text(),
    ]
    if snapshot.minute is None:
        parts.append(Text(words.NO_FINAL_DATA(), WARN))
    else:
        made = table("", labels["baseline"], labels["canary"], f"{labels['canary']} − {labels['baseline']}")
        for column, style in zip(made.columns[1:], (BASELINE, CANARY, ""), strict=True):
            column.justify, column.style = "right", style
        shares = {
            "share_told": snapshot.configured_shares,
            "share_seen": _both_shares(snapshot.ratio.observed_share if snapshot.ratio else None),
        }
        for name, one in snapshot.metrics.items():
            made.add_row(words.metric(name), *_cells(one))
            for share, both in shares.items() if name == "requests" else ():
                verdict = _ratio_verdict(snapshot) if share == "share_seen" else Text()
                made.add_row(words.metric(share), *(numbers.share(both.get(fleet)) for fleet in FLEETS), verdict)
        parts += [made, plain(f"{words.metric('alb_5xx_rate')}  {numbers.percent(snapshot.alb_5xx_rate)}", FAINT)]
        if any(low for one in snapshot.metrics.values() for low in one.low_sample.values()):
            parts.append(Text(words.LOW_SAMPLE_NOTE(), FAINT))
    parts += [Text(), *(_event(migration, event, snapshot.now) for event in snapshot.events)]
    parts += [message_lines(problems.format_problem(problem)) for problem in snapshot.problems]
    if snapshot.archive_problem:
        parts.append(
            message_lines(
                problems.format_archive_problem(snapshot.archive_problem.kind, snapshot.archive_problem.detail)
            )
        )
    return Group(*parts)


def _cells(metric: WatchedMetric) -> list[Text]:
    write = {"rate": numbers.percent, "latency": numbers.milliseconds, "count": numbers.per_minute}[metric.quantity]
    values = {"baseline": metric.reading.baseline, "canary": metric.reading.canary}
    cells = [
        Text(
            write(values[fleet]) + (" ?" if metric.low_sample[fleet] else ""), FAINT if metric.low_sample[fleet] else ""
        )
        for fleet in FLEETS
    ]
    if metric.quantity == "count":
        return [*cells, Text()]
    differ = numbers.points if metric.quantity == "rate" else numbers.signed_milliseconds
    return [*cells, Text(differ(metric.reading.difference))]


def _ratio_verdict(snapshot: WatchSnapshot) -> Text:
    if not snapshot.ratio:
        return Text()
    return Text(words.sample_ratio(snapshot.ratio.verdict), BAD if snapshot.ratio.verdict == "differs" else FAINT)


def _subtitle(migration: Migration, snapshot: WatchSnapshot) -> str:
    if snapshot.minute is None or snapshot.data_until is None:
        return times.clock(snapshot.now, migration.zone, now=snapshot.now)
    minute = times.clock(datetime.fromtimestamp(snapshot.minute, UTC), migration.zone, now=snapshot.now)
    return words.minute_and_age(minute, times.old(datetime.fromtimestamp(snapshot.data_until, UTC), now=snapshot.now))


def _event(migration: Migration, event: Event, now: datetime) -> Text:
    at = times.clock(datetime.fromtimestamp(event.ts, UTC), migration.zone, now=now)
    style = BAD if event.open and event.kind == "alert" else FAINT
    return plain(f"{at}  {event.kind}  {event_words.title_with_author(event)}", style)
