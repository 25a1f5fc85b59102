"""`watch`: both fleets in the newest final minute, side by side, refreshed."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from archive import ArchiveError
from commands.shared import startup
from commands.shared.alarms import alarm_lines
from commands.shared.context import CommandContext, open_context
from commands.shared.decision import decision_lines
from commands.shared.fitting_table import FittingTable
from commands.shared.options import Config, Demo, Interval, Json, MigrationName, Source
from commands.shared.output import echo, live_output, plain, problem_lines, repeat, title
from commands.shared.styles import BAD, BASELINE, CANARY, FAINT, WARN
from commands.shared.waits import wait_lines, waits_json
from domain import FLEETS, Event, FleetName, Migration, Window
from messages import cli as text
from messages import events as event_text
from messages import fleet_requests, numbers, states, times
from messages.errors.sources import shorten
from messages.live import silent_criterion
from reports.judgement_json import (
    alarms_json,
    decision_json,
    event_json,
    iso_time,
    migration_json,
    pick,
    problems_json,
    requests_json,
)
from services.criteria import read_criteria_by_source, silent_criteria
from services.deployments import waits_now
from services.evaluation import EXIT_UNAVAILABLE, Evaluation
from services.live import (
    WATCH_WINDOW_MINUTES,
    WatchedMetric,
    WatchSnapshot,
    binding_s,
    watch_snapshot,
    watched_criteria,
)


def watch(
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    as_json: Json = False,
    interval_s: Interval = 20,
    once: Annotated[bool, typer.Option("--once", help=str(text.ONCE))] = False,
    source: Source = "",
) -> None:
    with open_context(config, demo, migration_name, source, as_json=as_json, exit_code=EXIT_UNAVAILABLE) as context:
        migration = context.migration

        def render(snapshot: WatchSnapshot, evaluation: Evaluation) -> dict[str, Any] | RenderableType:
            to_output = snapshot_json if as_json else snapshot_table
            return to_output(migration, snapshot, evaluation)

        if once:
            snapshot, evaluation = refresh(context)
            echo(render(snapshot, evaluation))
            raise typer.Exit(evaluation.decision.exit_code)
        with suppress(KeyboardInterrupt), live_output(as_json=as_json) as show:
            repeat(lambda: show(render(*refresh(context, interval_s))), interval_s)


def refresh(context: CommandContext, every_s: int | None = None) -> tuple[WatchSnapshot, Evaluation]:
    """Polls what is due, then reads the newest final minute, and judges the current phase."""
    archive, metrics, evaluation = context.archive, context.metrics, context.evaluate(None, "", every_s=every_s)
    now = startup.now()
    window = Window.last(WATCH_WINDOW_MINUTES, now=now)
    result = archive.metrics.get(window, metrics, now=now)
    try:
        latest = archive.events.latest_traffic()
        traffic, state = latest[0] if latest else None, archive.events.deployment_state()
        events = archive.events.read(Window(window.end - binding_s(traffic), window.end))
    except ArchiveError:  # `result` has it, too
        traffic, state, events = None, None, ()
    snapshot = watch_snapshot(
        context.migration, metrics.name, result, traffic, events, problems=evaluation.problems, now=now
    )
    waits = waits_now(context.migration, state)
    snapshot = replace(snapshot, alarms=evaluation.alarms, waits=waits)
    with suppress(ArchiveError):
        own = read_criteria_by_source(archive, context.migration, window, now=now)
        silent = silent_criteria(archive, context.migration, metrics.name, now=now)
        snapshot = replace(snapshot, own=watched_criteria(context.migration, window, own), silent=silent)
    return snapshot, evaluation


def snapshot_json(migration: Migration, snapshot: WatchSnapshot, evaluation: Evaluation) -> dict[str, Any]:
    return {
        "ok": snapshot.minute is not None,
        "exit_code": evaluation.decision.exit_code,
        **decision_json(evaluation),
        **migration_json(migration),
        "source": snapshot.source,
        "now": iso_time(int(snapshot.now.timestamp())),
        "minute": iso_time(snapshot.minute),
        "data_until": iso_time(snapshot.data_until),
        "fleets": requests_json(snapshot.fleets, migration.labels),
        "configured": dict(snapshot.configured_shares),
        "observed": _observed_shares(snapshot),
        "sample_ratio": snapshot.sample_ratio.verdict if snapshot.sample_ratio else None,
        "measures": {name: _measure_json(metric) for name, metric in snapshot.metrics.items()},
        "own_criteria": [{"criterion": name} | _measure_json(metric) for name, metric in snapshot.own.items()],
        "silent_criteria": [{"criterion": item.criterion.name, "fleet": item.fleet} for item in snapshot.silent],
        "alb_5xx": snapshot.alb_5xx,
        "alb_5xx_rate": None,
        **alarms_json(snapshot.alarms, _labels(migration)),
        "waits": waits_json(migration, snapshot.waits, now=snapshot.now),
        "events": [event_json(event) for event in snapshot.events],
        "problems": problems_json(snapshot.problems, snapshot.archive_problem),
    }


def _measure_json(metric: WatchedMetric) -> dict[str, Any]:
    return {**pick(metric.latest, "baseline", "canary", "difference"), "low_samples": dict(metric.low_sample)}


def _labels(migration: Migration) -> dict[FleetName, str]:
    return {fleet: migration.fleets[fleet].label for fleet in FLEETS}


def _observed_shares(snapshot: WatchSnapshot) -> dict[FleetName, float]:
    canary = snapshot.sample_ratio.observed_share if snapshot.sample_ratio else None
    return {} if canary is None else {"baseline": 1 - canary, "canary": canary}


def snapshot_table(migration: Migration, snapshot: WatchSnapshot, evaluation: Evaluation) -> RenderableType:
    parts: list[RenderableType] = [
        title(migration, states.source_name(snapshot.source), _subtitle(migration, snapshot)),
        *decision_lines(evaluation),
        Text(),
        *alarm_lines(snapshot.alarms, _labels(migration), migration.zone, now=snapshot.now),
        *wait_lines(migration, snapshot.waits, now=snapshot.now),
    ]
    missing = [requests for requests in snapshot.fleets if not requests.is_counted]
    sentence = fleet_requests.missing_explained(missing, migration.labels)
    if snapshot.minute is None:
        parts.append(plain(str(sentence or text.NO_FINAL_DATA), WARN))
    else:
        alb_5xx = f"{text.metric('alb_5xx')}  {numbers.per_minute(snapshot.alb_5xx)}"
        parts += [_metrics_table(migration, snapshot), plain(alb_5xx, FAINT)]
        parts += [plain(sentence, WARN)] if sentence else []
        if any(low for metric in snapshot.metrics.values() for low in metric.low_sample.values()):
            parts.append(Text(str(text.LOW_SAMPLE_NOTE), FAINT))
    for silent in snapshot.silent:
        query = shorten(str(silent.criterion.query(silent.fleet)))
        parts.append(plain(silent_criterion(silent.criterion.name, migration.labels[silent.fleet], query), WARN))
    parts += [Text(), *(_event(migration, event, snapshot.now) for event in snapshot.events)]
    return Group(*parts, *problem_lines(snapshot.problems, snapshot.archive_problem))


def _metrics_table(migration: Migration, snapshot: WatchSnapshot) -> RenderableType:
    labels = {fleet: shorten(label) for fleet, label in migration.labels.items()}
    grid = FittingTable("", labels["baseline"], labels["canary"], f"{labels['canary']} − {labels['baseline']}")
    for column, style in zip(grid.columns[1:], (BASELINE, CANARY, ""), strict=True):
        column.justify, column.style = "right", style

    def add_shares(name: str, shares: Mapping[FleetName, float], verdict: Text) -> None:
        grid.add_row(text.metric(name), *(numbers.share(shares.get(fleet)) for fleet in FLEETS), verdict)

    for name, metric in snapshot.metrics.items():
        grid.add_row(text.metric(name), *_cells(metric))
        if name == "requests":
            add_shares("configured_share", snapshot.configured_shares, Text())
            add_shares("observed_share", _observed_shares(snapshot), _ratio_verdict(snapshot))
    for name, metric in snapshot.own.items():
        grid.add_row(name, *_cells(metric))
    return grid


def _cells(metric: WatchedMetric) -> list[Text]:
    """Both fleets' values and their difference."""
    formats = {
        "rate": numbers.percent,
        "latency": numbers.milliseconds,
        "count": numbers.per_minute,
        "value": numbers.plain_value,
    }
    cells = []
    for fleet, value in zip(FLEETS, (metric.latest.baseline, metric.latest.canary), strict=True):
        low_sample = metric.low_sample[fleet]
        cells.append(Text(formats[metric.quantity](value) + (" ?" if low_sample else ""), FAINT if low_sample else ""))
    if metric.quantity == "count":
        return [*cells, Text()]
    differences = {"rate": numbers.points, "value": numbers.signed_value}
    format_difference = differences.get(metric.quantity, numbers.signed_milliseconds)
    return [*cells, Text(format_difference(metric.latest.difference))]


def _ratio_verdict(snapshot: WatchSnapshot) -> Text:
    ratio = snapshot.sample_ratio
    return (
        Text(str(text.SAMPLE_RATIO[ratio.verdict]), BAD if ratio.verdict == "differs" else FAINT) if ratio else Text()
    )


def _subtitle(migration: Migration, snapshot: WatchSnapshot) -> str:
    if snapshot.minute is None or snapshot.data_until is None:
        return times.clock(snapshot.now, migration.zone, now=snapshot.now)
    minute = times.clock(datetime.fromtimestamp(snapshot.minute, UTC), migration.zone, now=snapshot.now)
    return text.minute_and_age(minute, times.old(datetime.fromtimestamp(snapshot.data_until, UTC), now=snapshot.now))


def _event(migration: Migration, event: Event, now: datetime) -> Text:
    at = times.clock(datetime.fromtimestamp(event.ts, UTC), migration.zone, now=now)
    style = BAD if event.open and event.kind in ("alarm", "alert") else FAINT
    return plain(f"{at}  {event_text.kind(event, migration.labels)}  {event_text.title_with_author(event)}", style)
