"""`next`: the candidate weights with their times and risks, and the recommended one with its commands."""

from dataclasses import asdict
from typing import Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from analysis.deployments.next_step import NextStep, is_same
from commands.shared import startup
from commands.shared.context import open_context
from commands.shared.decision import decision_lines
from commands.shared.fitting_table import FittingTable
from commands.shared.options import Config, Demo, Json, MigrationName, Source
from commands.shared.output import echo, echo_text, plain, problem_lines, title
from commands.shared.styles import FAINT, GOOD
from domain import Migration
from messages import deployments
from messages import next_step as text
from reports.judgement_json import migration_json, pick, problems_json
from services.evaluation import Evaluation
from services.next_step import gate
from services.next_step import next_step as read_next_step


def next_step(
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    as_json: Json = False,
    source: Source = "",
) -> None:
    with open_context(config, demo, migration_name, source, as_json=as_json) as context:
        evaluation = context.evaluate(None, "")
        latest = context.archive.events.latest_traffic()
        state = context.archive.events.deployment_state()
        traffic = latest[0] if latest else None
        step = read_next_step(context.archive, context.migration, evaluation, traffic, state, now=startup.now())
    migration = context.migration
    if as_json:
        echo(next_step_json(migration, evaluation, step))
    else:
        echo(next_step_table(migration, evaluation, step))
        echo_text(_commands(migration, step))
    raise typer.Exit(0 if step.is_advised else 1)


def next_step_json(migration: Migration, evaluation: Evaluation, step: NextStep) -> dict[str, Any]:
    return {
        "ok": step.is_advised,
        **migration_json(migration),
        "decision": evaluation.decision.decision,
        **pick(step, "reason", "subject", "current", "recommended", "minutes", "commands", "terraform", "ecspresso"),
        "sentences": list(text.sentences(step, migration)),
        "load": asdict(step.load),
        "rows": [
            {
                **pick(row, "share", "dwell_minutes", "extra_errors", "budget_burned", "load"),
                "minutes": dict(row.minutes),
                "useful": row.is_useful,
            }
            for row in step.rows
        ],
        "unchanged_rules": [pick(rule, "arn", "listener", "priority") for rule in step.unchanged_rules],
        "problems": problems_json(evaluation.problems, evaluation.archive_problem),
    }


def next_step_table(migration: Migration, evaluation: Evaluation, step: NextStep) -> RenderableType:
    first, *others = text.sentences(step, migration)
    parts: list[RenderableType] = [title(migration), Text(), *decision_lines(evaluation)[:1], Text()]
    parts += [plain(first, "bold"), *map(plain, others)]
    if step.rows:
        grid = FittingTable(*text.head(migration, gate(migration)))
        for row in step.rows:
            style = GOOD if is_same(row.share, step.recommended) else ""
            grid.add_row(*map(plain, text.cells(step, row, migration)), style=style)
        for column in grid.columns[1:]:
            column.justify = "right"
        parts += [Text(), grid, Text(), plain(str(text.ASSUMPTION), FAINT)]
    return Group(*parts, *problem_lines(evaluation.problems))


def _commands(migration: Migration, step: NextStep) -> str:
    """The commands with their purposes, not wrapped, so that they can be copied from any terminal."""
    if not step.is_change:
        return ""
    command = step.commands or f"# {deployments.COMMAND_NOT_AVAILABLE}"
    lines = ["", str(deployments.NEVER_RUN), "", f"# {text.command_title(step, migration)}", command]
    if step.terraform:
        lines += ["", f"# {text.TERRAFORM}", step.terraform]
    if step.ecspresso:
        lines += ["", f"# {text.ECSPRESSO}", step.ecspresso]
    return "\n".join(lines)
