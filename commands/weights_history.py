"""`weights --history`: every step of the split with how long it held, who made it and how."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from analysis import Step
from commands.shared.context import History
from commands.shared.output import FAINT, plain, problem_json, said_lines, stamp, table, title
from domain import Migration
from messages import cli as words
from messages import events as said
from messages import times
from messages.errors import sources


def history_json(migration: Migration, found: History) -> dict[str, Any]:
    return {
        "ok": not found.problems,
        "migration": migration.name,
        "demo": migration.demo,
        "now": stamp(found.now),
        "steps": [_step_json(step) for step in found.steps],
        "problems": [problem_json(problem) for problem in found.problems],
    }


def _step_json(step: Step) -> dict[str, Any]:
    change = step.change
    return {
        "ts": stamp(change.ts),
        "since": stamp(change.since),
        "before": change.before,
        "after": change.after,
        "dwell_s": step.dwell_s,
        "brief": step.brief,
        "current": step.current,
        "who": change.who,
        "how": change.how,
        "operation": change.operation,
        "rule": change.rule,
        "sources": list(change.sources),
    }


def history_table(migration: Migration, found: History) -> RenderableType:
    now = datetime.fromtimestamp(found.now, UTC)

    def clock(ts: int) -> str:
        return times.clock(datetime.fromtimestamp(ts, UTC), migration.zone, now=now)

    made = table(*words.history_head(migration.fleets.canary.label))
    for step in found.steps:
        change = step.change
        held = words.so_far(times.duration(step.dwell_s)) if step.current else times.duration(step.dwell_s)
        made.add_row(
            Text(said.between(change, clock)),
            Text(said.step(change)),
            Text(held, FAINT if step.brief else ""),
            plain(said.author(change)),
            style=FAINT if step.brief else "",
        )
    made.columns[1].justify = made.columns[2].justify = "right"
    for column in made.columns[:3]:
        column.no_wrap = True
    parts: list[RenderableType] = [title(migration), Text()]
    parts.append(made if found.steps else Text(words.no_steps()))
    if any(step.brief for step in found.steps):
        parts += [Text(), Text(words.brief_steps(), FAINT)]
    parts += [said_lines(sources.say(problem)) for problem in found.problems]
    return Group(*parts)
