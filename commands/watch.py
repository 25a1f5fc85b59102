"""`watch`: both fleets side by side in the newest settled minute, with the difference and how old all of it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

import analysis
from analysis import Overlay, Reading
from archive import Archive, ArchiveError, ArchiveProblem, Brought
from collector.collector import Keeper
from commands.shared.context import keep_happenings
from commands.shared.output import (
    BAD,
    BASELINE,
    CANARY,
    FAINT,
    REMARK,
    archive_problem_json,
    plain,
    problem_json,
    said_lines,
    stamp,
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

WATCHED_MINUTES = 60  # enough for a sample-ratio check, and for an outage of a source to leave something to see
MOST_EVENTS = 3


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure's newest settled reading of both fleets. Rates are fractions, latency is in seconds. `low`: stands on too few answers."""

    quantity: analysis.Quantity
    reading: Reading
    low: Mapping[FleetName, bool]


@dataclass(frozen=True, slots=True)
class Glance:
    """Everything that one refresh shows. `at` is the minute that is shown (epoch seconds, its start); None: there is none yet."""

    now: datetime
    source: str
    at: int | None
    data_until: int | None
    measures: Mapping[str, Measure]
    alb_5xx_rate: float | None
    told: Mapping[FleetName, float]
    ratio: analysis.SampleRatio | None
    events: tuple[Event, ...]
    problems: tuple[Problem, ...]
    archive_problem: ArchiveProblem | None


def refreshed(
    migration: Migration, archive: Archive, keeper: Keeper, sources: Sources, metrics: MetricSource, *, clock: Clock
) -> Glance:
    """One refresh: what is due is asked and kept, in turns with whoever else uses the archive, and everything is read from there."""
    others = keep_happenings(archive, keeper, sources)
    now = clock()
    window = Window.last(WATCHED_MINUTES, now=now)
    brought = archive.bring(window, metrics, now=now)
    try:
        traffic, events = archive.traffic(), archive.events(window)
    except ArchiveError:
        traffic, events = None, ()
    return glance(migration, metrics.name, brought, traffic[0] if traffic else None, events, others, now=now)


def glance(
    migration: Migration,
    source: str,
    brought: Brought,
    traffic: Traffic | None,
    events: Sequence[Event],
    problems: tuple[Problem, ...] = (),
    *,
    now: datetime,
) -> Glance:
    """What the numbers of `brought` say; `problems` are those of the other sources.

    Minutes that were read when they were younger than the configuration trusts are left out.
    """
    asked = brought.last_asked or 0
    settled = asked - asked % 60 - migration.provisional_minutes * 60
    grid = analysis.minutes(brought.frame, brought.window, brought.unknown)
    error_rate = analysis.error_rate(grid)
    overlays = {
        "requests": analysis.requests(grid),
        "error_rate": error_rate,
        "unanswered_rate": analysis.part(error_rate, "unanswered"),
        "target_5xx_rate": analysis.part(error_rate, "target_5xx"),
        **{f"latency_{percentile}": analysis.latency(grid, percentile) for percentile in PERCENTILES},
    }
    newest = analysis.newest(overlays["requests"], before=settled)
    at = newest.at if newest else None
    told = {fleet: float(share) for fleet, share in traffic.told.items()} if traffic else {}
    return Glance(
        now=now,
        source=source,
        at=at,
        data_until=brought.data_until,
        measures={} if at is None else {name: _measure(overlay, at) for name, overlay in overlays.items()},
        alb_5xx_rate=None if at is None else _value(error_rate.unattributed, grid.ts, at),
        told=told,
        ratio=_ratio(grid, told, events, brought, settled),
        events=tuple(events[-MOST_EVENTS:]),
        problems=tuple(dict.fromkeys((*brought.problems, *problems))),
        archive_problem=brought.archive_problem,
    )


def _measure(overlay: Overlay, at: int) -> Measure:
    """An overlay's values in one minute, whether it has any or not, so that all lines of the table are of the same minute."""
    place = int(np.searchsorted(overlay.ts, at))
    values = {fleet: _value(overlay.lines[fleet], overlay.ts, at) for fleet in FLEETS}
    low = {fleet: bool(overlay.low[fleet][place]) and values[fleet] is not None for fleet in FLEETS}
    return Measure(overlay.quantity, Reading(at, int(overlay.ends[place]), values["baseline"], values["canary"]), low)


def _value(line: np.ndarray | None, ts: np.ndarray, at: int) -> float | None:
    value = np.nan if line is None else float(line[int(np.searchsorted(ts, at))])
    return None if np.isnan(value) else float(value)


def _ratio(
    grid: analysis.Minutes, told: Mapping[FleetName, float], events: Sequence[Event], brought: Brought, settled: int
) -> analysis.SampleRatio | None:
    """Whether the share since the last weight change is the one that was told; the change's own minute belongs to neither."""
    changed = max((event.ts - event.ts % 60 + 60 for event in events if event.kind == "weight"), default=0)
    start, end = max(brought.window.start, changed), min(brought.window.end, settled)
    if "canary" not in told or start >= end:
        return None
    return analysis.sample_ratio(grid, told["canary"], Window(start, end), unread=brought.unread)


def glance_json(migration: Migration, seen: Glance) -> dict[str, Any]:
    return {
        "ok": seen.at is not None,
        "migration": migration.name,
        "demo": migration.demo,
        "source": seen.source,
        "now": stamp(int(seen.now.timestamp())),
        "minute": stamp(seen.at),
        "data_until": stamp(seen.data_until),
        "told": dict(seen.told),
        "seen": _both(seen.ratio.seen if seen.ratio else None),
        "sample_ratio": seen.ratio.verdict if seen.ratio else None,
        "measures": {
            name: {
                "baseline": one.reading.baseline,
                "canary": one.reading.canary,
                "difference": one.reading.difference,
                "low_samples": dict(one.low),
            }
            for name, one in seen.measures.items()
        },
        "alb_5xx_rate": seen.alb_5xx_rate,
        "events": [
            {"at": stamp(one.ts), "kind": one.kind, "title": one.title, "open": one.open} for one in seen.events
        ],
        "problems": [problem_json(problem) for problem in seen.problems]
        + ([archive_problem_json(seen.archive_problem)] if seen.archive_problem else []),
    }


def _both(canary: float | None) -> dict[FleetName, float]:
    return {} if canary is None else {"baseline": 1 - canary, "canary": canary}


def glance_table(migration: Migration, seen: Glance) -> RenderableType:
    labels = {fleet: problems.shortened(migration.fleets[fleet].label) for fleet in FLEETS}
    parts: list[RenderableType] = [title(migration, states.source_name(seen.source), _when(migration, seen)), Text()]
    if seen.at is None:
        parts.append(Text(words.no_numbers(), REMARK))
    else:
        made = table("", labels["baseline"], labels["canary"], f"{labels['canary']} − {labels['baseline']}")
        for column, style in zip(made.columns[1:], (BASELINE, CANARY, ""), strict=True):
            column.justify, column.style = "right", style
        shares = {"share_told": seen.told, "share_seen": _both(seen.ratio.seen if seen.ratio else None)}
        for name, one in seen.measures.items():
            made.add_row(words.measure(name), *_cells(one))
            for share, both in shares.items() if name == "requests" else ():
                verdict = _verdict(seen) if share == "share_seen" else Text()
                made.add_row(words.measure(share), *(numbers.share(both.get(fleet)) for fleet in FLEETS), verdict)
        parts += [made, plain(f"{words.measure('alb_5xx_rate')}  {numbers.percent(seen.alb_5xx_rate)}", FAINT)]
        if any(low for one in seen.measures.values() for low in one.low.values()):
            parts.append(Text(words.faint(), FAINT))
    parts += [Text(), *(_event(migration, event, seen.now) for event in seen.events)]
    parts += [said_lines(problems.say(problem)) for problem in seen.problems]
    if seen.archive_problem:
        parts.append(said_lines(problems.say_archive(seen.archive_problem.kind, seen.archive_problem.detail)))
    return Group(*parts)


def _cells(one: Measure) -> list[Text]:
    write = {"rate": numbers.percent, "latency": numbers.milliseconds, "count": numbers.per_minute}[one.quantity]
    values = {"baseline": one.reading.baseline, "canary": one.reading.canary}
    cells = [
        Text(write(values[fleet]) + (" ?" if one.low[fleet] else ""), FAINT if one.low[fleet] else "")
        for fleet in FLEETS
    ]
    if one.quantity == "count":
        return [*cells, Text()]
    differ = numbers.points if one.quantity == "rate" else numbers.signed_milliseconds
    return [*cells, Text(differ(one.reading.difference))]


def _verdict(seen: Glance) -> Text:
    if not seen.ratio:
        return Text()
    return Text(words.ratio(seen.ratio.verdict), BAD if seen.ratio.verdict == "differs" else FAINT)


def _when(migration: Migration, seen: Glance) -> str:
    if seen.at is None or seen.data_until is None:
        return times.clock(seen.now, migration.zone, now=seen.now)
    minute = times.clock(datetime.fromtimestamp(seen.at, UTC), migration.zone, now=seen.now)
    return words.minute(minute, times.old(datetime.fromtimestamp(seen.data_until, UTC), now=seen.now))


def _event(migration: Migration, event: Event, now: datetime) -> Text:
    at = times.clock(datetime.fromtimestamp(event.ts, UTC), migration.zone, now=now)
    style = BAD if event.open and event.kind == "alert" else FAINT
    return plain(f"{at}  {event.kind}  {event_words.line(event)}", style)
