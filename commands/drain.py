"""`drain`: whether the old fleet is empty, what stands against its removal, and the commands for it."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from analysis.deployments.drain import Drain, Obstacle, OldGroup
from commands.batches import read_jobs
from commands.shared import startup
from commands.shared.context import open_context
from commands.shared.fitting_table import FittingTable
from commands.shared.options import Config, Demo, Json, MigrationName, Source
from commands.shared.output import echo, echo_text, plain, problem_lines, title
from commands.shared.styles import BAD, FAINT, GOOD, WARN
from domain import Migration, Window
from domain.series import is_request_count
from messages import deployments
from messages import drain as text
from reports.judgement_json import iso_time, migration_json, pick, problems_json
from services.drain import BATCH_HISTORY_MINUTES, drain_window, read_callers, read_drain
from services.evaluation import EXIT_UNAVAILABLE
from sources.access_logs.callers import Callers
from sources.base import Problem

EXIT_CODES = {"safe": 0, "not_safe": 1, "unknown": EXIT_UNAVAILABLE}
STYLES = {"safe": GOOD, "not_safe": BAD, "unknown": WARN}


def drain(
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    as_json: Json = False,
    source: Source = "",
) -> None:
    with open_context(config, demo, migration_name, source, as_json=as_json, exit_code=EXIT_UNAVAILABLE) as context:
        now = startup.now()
        context.poll_events()
        archive, metrics = context.archive, context.metrics
        window = drain_window(context.migration, now=now)
        filled = archive.metrics.fill(window, metrics, now=now, series_filter=is_request_count)
        if filled.archive_problem:
            raise filled.archive_problem.as_error()
        batches, problems = read_jobs(context.migration, Window.last(BATCH_HISTORY_MINUTES, now=now), now)
        state = read_drain(archive, context.migration, metrics.name, batches, now=now)
        callers = read_callers(context.sources.logs, archive, state)
        problems = (
            *filled.problems,
            *context.problems_where(lambda item: item.role == "traffic"),
            *problems,
            *(callers.problems if callers else ()),
        )
    migration = context.migration
    if as_json:
        echo(drain_json(migration, state, callers, problems, now=now))
    else:
        echo(drain_table(migration, state, callers, problems, now=now))
        echo_text(commands_text(state))
    raise typer.Exit(EXIT_CODES[state.verdict])


def drain_json(
    migration: Migration, state: Drain, callers: Callers | None, problems: tuple[Problem, ...], *, now: datetime
) -> dict[str, Any]:
    return {
        "ok": state.verdict == "safe",
        "exit_code": EXIT_CODES[state.verdict],
        **migration_json(migration),
        "verdict": state.verdict,
        "until": iso_time(state.until),
        "required_s": state.required_s,
        "quiet_s": state.quiet_s,
        "batches_checked": state.batches_checked,
        "obstacles": [_obstacle_json(item, migration, now) for item in state.obstacles],
        "groups": [_group_json(group) for group in state.groups],
        "rules": [
            {
                **pick(use, "target_group", "weight", "share"),
                **pick(use.rule, "arn", "listener", "priority"),
                "reachable": use.is_reachable,
            }
            for use in state.uses
        ],
        "callers": [asdict(caller) for caller in callers.callers] if callers else None,
        "commands": [pick(command, "purpose", "subject", "command") for command in state.commands],
        "problems": problems_json(problems),
    }


def _obstacle_json(item: Obstacle, migration: Migration, now: datetime) -> dict[str, Any]:
    return {
        **pick(item, "kind", "subject", "value"),
        "ts": None if item.ts is None else iso_time(item.ts),
        "rule": item.rule.arn if item.rule else None,
        "text": text.obstacle(item, migration, now=now),
    }


def _group_json(group: OldGroup) -> dict[str, Any]:
    return {
        **pick(group, "target_group", "recent", "has_reported"),
        "last_request": None if group.last_request is None else iso_time(group.last_request),
        "quiet_since": iso_time(group.quiet_since),
        "after_changes": [
            {
                "ts": iso_time(item.change.ts),
                **pick(item.change, "before", "after"),
                "requests": item.requests,
                "last_request": None if item.last_request is None else iso_time(item.last_request),
            }
            for item in group.after_changes
        ],
    }


def drain_table(
    migration: Migration, state: Drain, callers: Callers | None, problems: tuple[Problem, ...], *, now: datetime
) -> RenderableType:
    parts: list[RenderableType] = [title(migration, text.title(migration)), Text()]
    parts.append(plain(text.verdict(state, migration), STYLES[state.verdict]))
    parts += [plain(f"✘ {text.obstacle(item, migration, now=now)}") for item in state.obstacles]
    parts += [plain(text.required(state), FAINT), Text()]
    parts += [plain(text.last_request(group, state, migration, now=now)) for group in state.groups]
    parts.append(Text())
    parts.append(_grid(text.rules_head(), text.rule_rows(state.uses)) if state.uses else Text(str(text.NO_RULES)))
    if rows := text.change_rows(state.groups, migration, now=now):
        parts += [Text(), _grid(text.changes_head(), rows)]
    if callers and callers.callers:
        parts += [Text(), plain(str(text.CALLERS_TITLE), "bold")]
        parts.append(_grid(text.callers_head(), text.caller_rows(callers, migration, now=now)))
        parts.append(plain(text.callers_note(callers, migration, now=now), FAINT))
    parts += [Text(), plain(str(text.NOT_SEEN), FAINT)]
    if not state.batches_checked:
        parts.append(plain(str(text.NO_BATCHES), WARN))
    return Group(*parts, *problem_lines(problems))


def _grid(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> FittingTable:
    grid = FittingTable(*head)
    for row in rows:
        grid.add_row(*map(plain, row))
    return grid


def commands_text(state: Drain) -> str:
    """The commands with their purposes, not wrapped, so that they can be copied from any terminal."""
    if not state.commands:
        return ""
    lines = ["", str(deployments.NEVER_RUN)]
    for command in state.commands:
        lines += ["", f"# {text.purpose(command)}", command.command or f"# {deployments.COMMAND_NOT_AVAILABLE}"]
    return "\n".join(lines)
