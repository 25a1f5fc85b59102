"""`trace`: finds one request in the access logs by its trace id, or prints a request with a new one."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from commands.shared import startup
from commands.shared.entries import entered_time
from commands.shared.fitting_table import FittingTable
from commands.shared.options import Config, Demo, Json, MigrationName
from commands.shared.output import echo, echo_text, plain, problem_lines, title
from commands.shared.styles import BAD, BASELINE, CANARY, FAINT, GOOD, WARN
from domain import Migration
from domain.trace_ids import new_trace_id, parse_trace_id
from messages import access_logs
from messages import trace as text
from messages.traffic import rule_condition
from reports.judgement_json import iso_time, migration_json, pick, problems_json, window_json
from services.evaluation import EXIT_UNAVAILABLE
from services.trace import curl_commands, find_request
from sources.access_logs.trace import TraceResult, TraceState

NEW = "new"
EXIT_CODES: dict[TraceState, int] = {
    "found": 0,
    "not_found": 1,
    "no_files": 1,
    "not_written": 2,
    "future": EXIT_UNAVAILABLE,
    "unread": EXIT_UNAVAILABLE,
}
STATE_STYLES = {"found": GOOD, "unread": BAD, "future": BAD}
FLEET_STYLES = {"baseline": BASELINE, "canary": CANARY, None: ""}


def trace(
    identifier: Annotated[str, typer.Argument(metavar="ID", help=str(text.ID))],
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    at: Annotated[str, typer.Option("--at", metavar="TIME", help=str(text.AT))] = "",
    as_json: Json = False,
) -> None:
    migration = startup.load_or_exit(config, demo, migration_name, as_json=as_json, exit_code=EXIT_UNAVAILABLE)
    if identifier == NEW:
        _print_new(migration, as_json=as_json)
        return
    trace_id = parse_trace_id(identifier)
    if trace_id is None:
        raise typer.BadParameter(str(text.INVALID), param_hint="ID")
    sent_at = entered_time(migration, at) if at else None
    source = startup.open_sources(migration).logs
    if source is None:
        echo_text(str(access_logs.NOT_CONFIGURED), err=True)
        raise typer.Exit(EXIT_UNAVAILABLE)
    now = startup.now()
    result = find_request(source, migration, trace_id, now=now, at=sent_at)
    echo(trace_json(migration, result) if as_json else trace_table(migration, result, now=now))
    raise typer.Exit(EXIT_CODES[result.state])


def _print_new(migration: Migration, *, as_json: bool) -> None:
    """The commands, not wrapped, so that they can be copied from any terminal."""
    trace_id, source = new_trace_id(startup.now_s()), startup.open_sources(migration).traffic
    snapshot = source.snapshot() if source else None
    commands = curl_commands(trace_id, snapshot.traffic if snapshot else None)
    if as_json:
        problems = problems_json(snapshot.problems if snapshot else ())
        rows = [
            {"command": item.command, "rule": item.rule and pick(item.rule, "arn", "listener", "priority")}
            for item in commands
        ]
        echo(
            {"ok": True, **migration_json(migration), "trace_id": trace_id.text, "commands": rows, "problems": problems}
        )
        return
    lines = list[str]()
    for item in commands:
        conditions = ", ".join(map(rule_condition, item.rule.conditions)) if item.rule else ""
        lines += [f"# {text.by_rule(conditions) if conditions else text.BY_SPLIT}", item.command, ""]
    echo_text("\n".join([*lines, f"# {text.LATER}", f"cli.py trace {trace_id.text}"]))


def trace_json(migration: Migration, result: TraceResult) -> dict[str, Any]:
    return {
        "ok": result.state == "found",
        "exit_code": EXIT_CODES[result.state],
        **migration_json(migration),
        "trace_id": result.trace_id.text,
        "state": result.state,
        "window": window_json(result.window),
        "retry_at": result.retry_at and iso_time(result.retry_at),
        **pick(result, "objects", "bytes", "unnamed"),
        "requests": [{"fleet": request.fleet, **asdict(request.line)} for request in result.requests],
        "problems": problems_json(result.problems),
    }


def trace_table(migration: Migration, result: TraceResult, *, now: datetime) -> RenderableType:
    parts: list[RenderableType] = [title(migration, result.trace_id.text), Text()]
    parts.append(plain(text.headline(result, migration, now=now), STATE_STYLES.get(result.state, WARN)))
    if result.requests:
        grid = FittingTable(*map(str, text.HEAD))
        for request in result.requests:
            fleet, cells = text.cells(request, migration, now=now)
            grid.add_row(*(plain(cell, FLEET_STYLES[fleet] if n == 1 else "") for n, cell in enumerate(cells)))
        for column in grid.columns[5:8]:
            column.justify, column.no_wrap = "right", True
        parts += [Text(), grid, Text(), Text(str(text.TIMES_NOTE), FAINT)]
    parts += [plain(note, FAINT) for note in text.notes(result, migration, now=now)]
    return Group(*parts, *problem_lines(result.problems))
