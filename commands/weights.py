"""`weights`: the listener rules with their weights and the health of their targets; with --history every change of the weights."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

import analysis
from analysis import WeightStep
from commands.shared import startup
from commands.shared.context import CommandContext, open_context
from commands.shared.fitting_table import FittingTable
from commands.shared.options import Config, Demo, Json, MigrationName
from commands.shared.output import echo, echo_text, plain, problem_lines, title
from commands.shared.styles import BAD, BASELINE, CANARY, FAINT, GOOD, WARN
from domain import FleetName, Migration, Rule, Traffic
from domain import Group as TargetGroup
from domain.traffic import blue_green_blocked
from messages import cli as text
from messages import events, numbers, times
from messages import traffic as traffic_text
from messages.releases import WEIGHTS_OF_THE_PAST
from reports.judgement_json import iso_time, migration_json, pick, problems_json
from sources.base import HistorySource, Problem, TrafficSnapshot, health_state

ROLES = {
    "split": text.SPLIT,
    "other_split": text.OTHER_SPLIT,
    "header_rule": text.HEADER_RULE,
    "unreachable": text.UNREACHABLE,
    "": "",
}
FLEET_STYLES: dict[FleetName | None, str] = {"baseline": BASELINE, "canary": CANARY, None: ""}


def weights(
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    as_json: Json = False,
    history: Annotated[bool, typer.Option("--history", help=str(text.HISTORY))] = False,
) -> None:
    if history:
        with open_context(config, demo, migration_name, as_json=as_json) as context:
            steps, problems, now = read_history(context)
        render = history_json if as_json else history_table
        echo(render(context.migration, steps, problems, now))
        raise typer.Exit(0)
    migration = startup.load_or_exit(config, demo, migration_name, as_json=as_json)
    source = startup.open_sources(migration).traffic
    if source is None:
        echo_text(str(WEIGHTS_OF_THE_PAST if migration.release else text.WEIGHTS_WITHOUT_AWS), err=True)
    snapshot = source.snapshot() if source else TrafficSnapshot(startup.now_s(), None)
    echo(weights_json(migration, snapshot) if as_json else weights_tables(migration, snapshot))
    raise typer.Exit(0 if is_complete(snapshot) else 1)


def is_complete(snapshot: TrafficSnapshot) -> bool:
    """Whether the split is known and no request was denied."""
    health = health_state(snapshot.problems, snapshot.took_s)
    return bool(snapshot.traffic and snapshot.traffic.split and health in ("up", "slow"))


def weights_json(migration: Migration, snapshot: TrafficSnapshot) -> dict[str, Any]:
    traffic = snapshot.traffic
    shares = traffic.configured_shares.items() if traffic else ()
    return {
        "ok": is_complete(snapshot),
        **migration_json(migration),
        "asked_at": iso_time(snapshot.asked_at),
        "configured": {fleet: float(share) for fleet, share in shares},
        "blue_green_blocked": blue_green_blocked(traffic).blocked if traffic else None,
        "rules": [_rule_json(traffic, rule) for rule in traffic.rules] if traffic else [],
        "groups": [_group_json(group) for group in traffic.groups] if traffic else [],
        "problems": problems_json(snapshot.problems),
    }


def _rule_json(traffic: Traffic, rule: Rule) -> dict[str, Any]:
    return {
        **pick(rule, "arn", "listener", "priority", "action", "stickiness_s"),
        "role": _role(traffic, rule),
        "conditions": [pick(condition, "field", "name", "patterns") for condition in rule.conditions],
        "shares": [
            {**pick(group, "target_group", "fleet", "weight"), "share": share}
            for group, share in zip(rule.shares, _shares(rule), strict=True)
        ],
    }


def _group_json(group: TargetGroup) -> dict[str, Any]:
    return {
        **pick(group, "target_group", "fleet"),
        "healthy": None if group.targets is None else group.healthy,
        "targets": None if group.targets is None else [asdict(target) for target in group.targets],
    }


def weights_tables(migration: Migration, snapshot: TrafficSnapshot) -> RenderableType:
    parts: list[RenderableType] = [title(migration), Text()]
    if traffic := snapshot.traffic:
        parts += [_rule(migration, traffic, rule) for rule in traffic.rules]
        parts += [Text(), *map(_health, traffic.groups), Text()]
        if not traffic.split:
            parts.append(Text(str(text.NO_SPLIT), BAD))
        if traffic.split and traffic.other_splits:
            parts.append(plain(traffic_text.other_splits(traffic.other_splits, traffic.split, migration), WARN))
        if traffic.unreachable_splits:
            parts.append(plain(traffic_text.unreachable_rules(traffic.unreachable_splits), WARN))
        blocked, canary = blue_green_blocked(traffic), migration.fleets.canary
        if blocked.blocked and (canary.codedeploy or canary.ecs_service):
            parts.append(plain(traffic_text.blue_green(blocked), WARN))
    return Group(*parts, *problem_lines(snapshot.problems))


def _rule(migration: Migration, traffic: Traffic, rule: Rule) -> RenderableType:
    """The rule, and below it the target groups that it forwards to."""
    role = ROLES[_role(traffic, rule)]
    conditions = ", ".join(map(traffic_text.rule_condition, rule.conditions)) or text.ALL_OTHER_REQUESTS
    head = plain(f"{rule.listener} {rule.priority}", "bold").append("  ").append_text(plain(str(conditions)))
    for fact in (role, traffic_text.stickiness(rule.stickiness_s) if rule.shares else ""):
        head.append(f"  ·  {fact}" if fact else "", GOOD if fact == role else "")
    if not rule.shares:
        return head.append("  ·  ").append_text(plain(text.not_forwarded(rule.action)))
    grid = FittingTable()
    for group, share in zip(rule.shares, _shares(rule), strict=True):
        label = migration.fleets[group.fleet].label if group.fleet else "–"
        style = FLEET_STYLES[group.fleet]
        grid.add_row(plain(group.target_group, style), plain(label, style), str(group.weight), numbers.share(share))
    for column in grid.columns[2:]:
        column.justify = "right"
    return Group(head, Padding(grid, (0, 0, 0, 4)))


def _health(group: TargetGroup) -> Text:
    unhealthy = group.targets is None or group.healthy < len(group.targets)
    return plain(traffic_text.target_health(group), BAD if unhealthy else "")


def _role(traffic: Traffic, rule: Rule) -> str:
    if rule.arn == traffic.split_arn:
        return "split"
    if rule.arn in traffic.unreachable:
        return "unreachable"
    if rule in traffic.other_splits:
        return "other_split"
    return "header_rule" if rule in traffic.header_rules else ""


def _shares(rule: Rule) -> list[float | None]:
    total = sum(group.weight for group in rule.shares)
    return [group.weight / total if total else None for group in rule.shares]


def read_history(context: CommandContext) -> tuple[tuple[WeightStep, ...], tuple[Problem, ...], int]:
    """Every known step of the split, the problems of their sources, and the time (epoch seconds), after fetching what is missing.

    Raises ArchiveError.
    """
    context.poll_events()
    if problem := context.collector.problem:
        raise problem.as_error()
    sources, now = context.sources, startup.now_s()
    names = {source.name for source in sources.events if isinstance(source, HistorySource)}
    names |= {sources.traffic.name} if sources.traffic else set()
    steps = analysis.weight_steps(context.archive.events.weight_changes(), now)
    return steps, context.problems_where(lambda state: state.source in names), now


def history_json(
    migration: Migration, steps: Sequence[WeightStep], problems: Sequence[Problem], now: int
) -> dict[str, Any]:
    return {
        "ok": not problems,
        **migration_json(migration),
        "now": iso_time(now),
        "steps": [_step_json(step) for step in steps],
        "problems": problems_json(problems),
    }


def _step_json(step: WeightStep) -> dict[str, Any]:
    change = step.change
    return {
        "ts": iso_time(change.ts),
        "since": iso_time(change.since),
        **pick(change, "before", "after", "author", "tool", "operation", "rule", "sources", "origin"),
        "bake_time_s": step.bake_time_s,
        "brief": step.is_brief,
        "current": step.is_current,
    }


def history_table(
    migration: Migration, steps: Sequence[WeightStep], problems: Sequence[Problem], now: int
) -> RenderableType:
    def clock(ts: int) -> str:
        return times.clock(datetime.fromtimestamp(ts, UTC), migration.zone, now=datetime.fromtimestamp(now, UTC))

    grid = FittingTable(*text.history_head(migration.fleets.canary.label))
    for step in steps:
        bake_time, style = times.duration(step.bake_time_s), FAINT if step.is_brief else ""
        grid.add_row(
            Text(events.change_time(step.change, clock)),
            Text(events.step(step.change)),
            Text(text.so_far(bake_time) if step.is_current else bake_time, style),
            plain(events.author(step.change)),
            style=style,
        )
    grid.columns[1].justify = grid.columns[2].justify = "right"
    for column in grid.columns[1:3]:
        column.no_wrap = True
    parts: list[RenderableType] = [title(migration), Text()]
    parts.append(grid if steps else Text(str(text.NO_WEIGHT_CHANGES)))
    if any(step.is_brief for step in steps):
        parts += [Text(), Text(str(text.SHORT_STEPS_NOTE), FAINT)]
    return Group(*parts, *problem_lines(problems))
