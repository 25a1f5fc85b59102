"""The archive's SQL for the split's history: what each source knows of a change, and all of it joined."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from archive.db import schema
from archive.db.upsert import upsert
from domain import Event, WeightChange, Window
from domain.events import rule_event, weight_event
from domain.traffic import rule_or_listener_arn, traffic_from_json
from domain.weight_changes import ObservedShare, change_from_json, change_to_json, merge_weight_changes


@dataclass(frozen=True, slots=True)
class WeightHistory:
    """`of_split`: what happened to the split. `others`: changes of other rules, and of something else than weights."""

    changes: tuple[WeightChange, ...]
    other_changes: tuple[WeightChange, ...]

    def events(self, window: Window) -> Iterator[Event]:
        for changes, event in ((self.changes, weight_event), (self.other_changes, rule_event)):
            yield from (event(change) for change in changes if window.start <= change.ts < window.end)


def write_changes(connection: Connection, migration_id: int, source: str, changes: Iterable[WeightChange]) -> None:
    upsert(
        connection,
        schema.weight_change,
        [
            {"migration_id": migration_id, "source": source, "key": change.key, "ts": change.ts}
            | {"body": change_to_json(change), "raw": change.raw}
            for change in changes
        ],
    )


def cache_key(connection: Connection, migration_id: int) -> tuple[int, int]:
    """Another one wherever `read_changes` would find more: what is known of one change by one source stays as it is."""
    changes, looks = schema.weight_change, schema.traffic_snapshot
    known = select(func.count()).select_from(changes).where(changes.c.migration_id == migration_id)
    newest = select(func.max(looks.c.id)).where(looks.c.migration_id == migration_id)
    return connection.scalar(known) or 0, connection.scalar(newest) or 0


def read_weight_history(connection: Connection, migration_id: int, configured_rule: str) -> WeightHistory:
    """Everything that is known of changes, joined. `configured_rule`: the split's ARN, where the configuration names it."""
    table = schema.weight_change
    mine = select(table.c.body).where(table.c.migration_id == migration_id)
    observed = [change_from_json(body) for body in connection.scalars(mine)]
    if not observed:
        return WeightHistory((), ())
    rules, beside, first = _read_seen_rules(connection, migration_id)
    rules |= {configured_rule} - {""}
    # A look only ever tells of the split, which may have been another rule in its time.
    rules |= {change.rule for change in observed if not change.logged}
    of_split = merge_weight_changes(observed, rules, first)
    rules = rules or {change.rule for change in of_split}
    # A load balancer has rules of other services too: those that never sent anything to a fleet are nobody's business here.
    ours = rules | beside | {change.rule for change in observed if change.after is not None}
    others = (
        change
        for change in observed
        if change.logged and change.rule in ours and not (change.affects_weights and change.rule in rules)
    )
    return WeightHistory(of_split, tuple(sorted(others, key=lambda change: (change.ts, change.key))))


def _read_seen_rules(connection: Connection, migration_id: int) -> tuple[set[str], set[str], ObservedShare | None]:
    """The ARN of the split that was seen last, those of the other rules that send to a fleet, and the share that the first look found."""
    table = schema.traffic_snapshot
    mine = select(table.c.first_seen, table.c.body).where(table.c.migration_id == migration_id)
    last = connection.execute(mine.order_by(table.c.id.desc()).limit(1)).first()
    first = connection.execute(mine.order_by(table.c.id).limit(1)).first()
    if last is None or first is None:
        return set(), set(), None
    traffic, told = traffic_from_json(last.body), traffic_from_json(first.body).configured_shares
    split = {rule_or_listener_arn(traffic.split)} if traffic.split else set()
    beside = {rule_or_listener_arn(rule) for rule in traffic.rules if any(share.fleet for share in rule.shares)}
    return split, beside - split, (first.first_seen, float(told["canary"])) if "canary" in told else None
