"""`weights`: the rules with what each is told, the doors past them, and the health of what they send to."""

from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from commands.shared.output import (
    BAD,
    BASELINE,
    CANARY,
    GOOD,
    WARN,
    iso_time,
    message_lines,
    plain,
    problem_json,
    table,
    title,
)
from domain import FleetName, Migration, Rule, Traffic
from domain import Group as TargetGroup
from domain.traffic import blue_green_blocked
from messages import cli as words
from messages import numbers
from messages import traffic as said
from messages.errors import sources
from sources.base import TrafficSnapshot, health_state

FLEET_STYLES: dict[FleetName | None, str] = {"baseline": BASELINE, "canary": CANARY, None: ""}


def is_complete(snapshot: TrafficSnapshot) -> bool:
    """Whether the split is known and nothing was refused."""
    return bool(
        snapshot.traffic
        and snapshot.traffic.split
        and health_state(snapshot.problems, snapshot.took_s) in ("up", "slow")
    )


def weights_json(migration: Migration, snapshot: TrafficSnapshot) -> dict[str, Any]:
    traffic = snapshot.traffic
    return {
        "ok": is_complete(snapshot),
        "migration": migration.name,
        "demo": migration.demo,
        "asked_at": iso_time(snapshot.asked_at),
        "told": {fleet: float(share) for fleet, share in traffic.configured_shares.items()} if traffic else {},
        "blue_green_blocked": blue_green_blocked(traffic).blocked if traffic else None,
        "rules": [_rule_json(traffic, rule) for rule in traffic.rules] if traffic else [],
        "groups": [_group_json(group) for group in traffic.groups] if traffic else [],
        "problems": [problem_json(problem) for problem in snapshot.problems],
    }


def _rule_json(traffic: Traffic, rule: Rule) -> dict[str, Any]:
    return {
        "arn": rule.arn,
        "listener": rule.listener,
        "priority": rule.priority,
        "action": rule.action,
        "role": _role(traffic, rule),
        "conditions": [
            {"field": one.field, "name": one.name, "patterns": list(one.patterns)} for one in rule.conditions
        ],
        "shares": [
            {"target_group": one.target_group, "fleet": one.fleet, "weight": one.weight, "share": part}
            for one, part in zip(rule.shares, _shares(rule), strict=True)
        ],
        "stickiness_s": rule.stickiness_s,
    }


def _group_json(group: TargetGroup) -> dict[str, Any]:
    return {
        "target_group": group.target_group,
        "fleet": group.fleet,
        "healthy": None if group.targets is None else group.healthy,
        "targets": None
        if group.targets is None
        else [
            {
                "id": one.id,
                "port": one.port,
                "zone": one.zone,
                "state": one.state,
                "reason": one.reason,
                "description": one.description,
            }
            for one in group.targets
        ],
    }


def weights_tables(migration: Migration, snapshot: TrafficSnapshot) -> RenderableType:
    parts: list[RenderableType] = [title(migration), Text()]
    if traffic := snapshot.traffic:
        parts += [
            *(_rule(migration, traffic, rule) for rule in traffic.rules),
            Text(),
            *map(_health, traffic.groups),
            Text(),
        ]
        if not traffic.split:
            parts.append(Text(words.NO_SPLIT(), BAD))
        blocked = blue_green_blocked(traffic)
        if blocked.blocked and (migration.fleets.canary.codedeploy or migration.fleets.canary.ecs_service):
            parts.append(plain(said.blue_green(blocked), WARN))
    parts += [message_lines(sources.format_problem(problem)) for problem in snapshot.problems]
    return Group(*parts)


def _rule(migration: Migration, traffic: Traffic, rule: Rule) -> RenderableType:
    """A rule's own line, and under it the groups it forwards to."""
    role = {"split": words.SPLIT(), "door": words.HEADER_RULE(), "": ""}[_role(traffic, rule)]
    head = plain(f"{rule.listener} {rule.priority}", "bold").append("  ").append_text(plain(_conditions(rule)))
    for fact in (role, said.stickiness(rule.stickiness_s) if rule.shares else ""):
        head.append(f"  ·  {fact}" if fact else "", GOOD if fact == role else "")
    if not rule.shares:
        return head.append("  ·  ").append_text(plain(words.not_forwarded(rule.action)))
    made = table()
    for share, part in zip(rule.shares, _shares(rule), strict=True):
        label = migration.fleets[share.fleet].label if share.fleet else "–"
        colour = FLEET_STYLES[share.fleet]
        made.add_row(plain(share.target_group, colour), plain(label, colour), str(share.weight), numbers.share(part))
    for column in made.columns[2:]:
        column.justify = "right"
    return Group(head, Padding(made, (0, 0, 0, 4)))


def _health(group: TargetGroup) -> Text:
    ill = group.targets is None or group.healthy < len(group.targets)
    return plain(said.target_health(group), BAD if ill else "")


def _role(traffic: Traffic, rule: Rule) -> str:
    return "split" if rule.arn == traffic.split_arn else "door" if rule in traffic.header_rules else ""


def _shares(rule: Rule) -> list[float | None]:
    total = sum(share.weight for share in rule.shares)
    return [share.weight / total if total else None for share in rule.shares]


def _conditions(rule: Rule) -> str:
    return ", ".join(said.rule_condition(one) for one in rule.conditions) or words.ALL_OTHER_REQUESTS()
