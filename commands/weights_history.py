"""`weights --history`: every step of the split with how long it held, who made it and how."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from analysis import WeightStep
from commands.shared.context import WeightSteps
from commands.shared.output import FAINT, iso_time, message_lines, plain, problem_json, table, title
from domain import Migration
from messages import cli as words
from messages import events as said
from messages import times
from messages.errors import sources


def history_json(migration: Migration, history: WeightSteps) -> dict[str, Any]:
    return {
        "ok": not history.problems,
        "migration": migration.name,
        "demo": migration.demo,
        "now": iso_time(history.now),
        "steps": [_step_json(step) for step in history.steps],
        "problems": [problem_json(problem) for problem in history.problems],
    }


def _step_json(step: WeightStep) -> dict[str, Any]:
    change = step.change
    return {
        "ts": iso_time(change.ts),
        "since": iso_time(change.since),
        "before": change.before,
        "after": change.after,
        "dwell_s": step.bake_time_s,
        "brief": step.is_brief,
        "current": step.is_current,
        "who": change.author,
        "how": change.tool,
        "operation": change.operation,
        "rule": change.rule,
        "sources": list(change.sources),
    }


def history_table(migration: Migration, history: WeightSteps) -> RenderableType:
    now = datetime.fromtimestamp(history.now, UTC)

    def clock(ts: int) -> str:
        return times.clock(datetime.fromtimestamp(ts, UTC), migration.zone, now=now)

    made = table(*words.history_head(migration.fleets.canary.label))
    for step in history.steps:
        change = step.change
        held = words.so_far(times.duration(step.bake_time_s)) if step.is_current else times.duration(step.bake_time_s)
        made.add_row(
            Text(said.change_time(change, clock)),
            Text(said.step(change)),
            Text(held, FAINT if step.is_brief else ""),
            plain(said.author(change)),
            style=FAINT if step.is_brief else "",
        )
    made.columns[1].justify = made.columns[2].justify = "right"
    for column in made.columns[:3]:
        column.no_wrap = True
    parts: list[RenderableType] = [title(migration), Text()]
    parts.append(made if history.steps else Text(words.NO_WEIGHT_CHANGES()))
    if any(step.is_brief for step in history.steps):
        parts += [Text(), Text(words.SHORT_STEPS_NOTE(), FAINT)]
    parts += [message_lines(sources.format_problem(problem)) for problem in history.problems]
    return Group(*parts)
