"""SQL on weight changes: what each source recorded, and all of it merged."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, func, select

from archive.db import schema
from archive.db.source_row import read_change_counter
from archive.db.stored_json import read_stored
from archive.db.upsert import upsert
from archive.events.backlog import read_event_coverage
from archive.events.traffic_snapshots import decode_snapshot
from domain import Event, WeightChange, Window
from domain.events import rule_event, weight_event
from domain.serialization import to_json
from domain.traffic import rule_or_listener_arn
from domain.weight_changes import InitialShare, ObservedShare, merge_weight_changes, with_entered_steps

ENTERED = "entered"  # the source of the steps that users enter


@dataclass(frozen=True, slots=True)
class WeightHistory:
    """`changes` of the split's weights, and the share before them; `other_changes`: of other rules, and of conditions or priorities."""

    changes: tuple[WeightChange, ...]
    other_changes: tuple[WeightChange, ...]
    initial: InitialShare | None = None

    def events(self, window: Window) -> Iterator[Event]:
        for changes, event in ((self.changes, weight_event), (self.other_changes, rule_event)):
            yield from (event(change) for change in changes if window.start <= change.ts < window.end)


def write_changes(connection: Connection, migration_id: int, source_name: str, changes: Iterable[WeightChange]) -> None:
    upsert(
        connection,
        schema.weight_change,
        [
            {"migration_id": migration_id, "source": source_name, "key": change.key, "ts": change.ts}
            | {"body": to_json(replace(change, raw="")), "raw": change.raw}
            for change in changes
        ],
    )


def cache_key(connection: Connection, migration_id: int) -> Hashable:
    """A value that changes whenever `read_weight_history` may return more. Stored records do not change."""
    changes, snapshots, covered = schema.weight_change, schema.traffic_snapshot, schema.event_coverage
    count = select(func.count()).select_from(changes).where(changes.c.migration_id == migration_id)
    latest = select(func.max(snapshots.c.id)).where(snapshots.c.migration_id == migration_id)
    starts = select(covered.c.source, covered.c.start_s).where(covered.c.migration_id == migration_id)
    coverage = tuple(map(tuple, connection.execute(starts.order_by(covered.c.source, covered.c.start_s))))
    # Entered steps can be removed again.
    entered = read_change_counter(connection, migration_id, ENTERED)
    return connection.scalar(count), connection.scalar(latest), coverage, entered


def read_weight_history(connection: Connection, migration_id: int, configured_rule: str) -> WeightHistory:
    """All recorded changes, merged. `configured_rule`: the split's ARN, "" if the configuration does not name it."""
    table = schema.weight_change
    of_migration = select(table.c.source, table.c.key, table.c.body).where(table.c.migration_id == migration_id)
    stored = [
        (row.source, change)
        for row in connection.execute(of_migration)
        if (change := read_stored(WeightChange, row.body, f"weight_change {row.source} {row.key}"))
    ]
    entered = [change for source, change in stored if source == ENTERED]
    recorded = [change for source, change in stored if source != ENTERED]
    rules, others, first_seen = _read_seen_rules(connection, migration_id)
    rules |= {configured_rule} - {""}
    # Changes seen in snapshots are always of the split, which may have been another rule then.
    rules |= {change.rule for change in recorded if not change.logged}
    changes = merge_weight_changes(recorded, rules, first_seen)
    source_of = {change.key: source for source, change in stored if source != ENTERED}
    covered = read_event_coverage(connection, migration_id, source_of[changes[0].key]) if changes else ()
    rules = rules or {change.rule for change in changes}
    # The load balancer may have rules of other services; only rules that ever forwarded to a fleet count.
    relevant = rules | others | {change.rule for change in recorded if change.after is not None}
    other_changes = (
        change
        for change in recorded
        if change.logged and change.rule in relevant and not (change.affects_weights and change.rule in rules)
    )
    with_steps = with_entered_steps(changes, entered, first_seen)
    return WeightHistory(
        with_steps,
        tuple(sorted(other_changes, key=lambda change: (change.ts, change.key))),
        _initial_share(changes, first_seen, covered) if with_steps == changes else None,
    )


def _initial_share(
    changes: Sequence[WeightChange], first_seen: ObservedShare | None, covered: Iterable[Window]
) -> InitialShare | None:
    """The share before the first of `changes`. `covered`: the time for which the source of that change is complete."""
    first = changes[0] if changes else None
    seen_at, share = first_seen or (None, None)
    if share is None or seen_at is None or (first and seen_at >= first.ts):
        seen_at, share = None, first.before if first else None
    if share is None:
        return None
    known_since = [seen_at] if seen_at is not None else []
    if first:
        known_since.append(first.since)
    if first and first.logged:
        known_since += [window.start for window in covered if window.start <= first.ts < window.end]
    return InitialShare(share, min(known_since), seen_at)


def _read_seen_rules(connection: Connection, migration_id: int) -> tuple[set[str], set[str], ObservedShare | None]:
    """The ARN of the split in the newest snapshot, the other rules there that forward to a fleet, and the share in the first snapshot."""
    table = schema.traffic_snapshot
    snapshots = select(table.c.first_seen, table.c.body).where(table.c.migration_id == migration_id)
    last = connection.execute(snapshots.order_by(table.c.id.desc()).limit(1)).first()
    first = connection.execute(snapshots.order_by(table.c.id).limit(1)).first()
    if last is None or first is None:
        return set(), set(), None
    traffic, first_traffic = decode_snapshot(last.body), decode_snapshot(first.body)
    if traffic is None or first_traffic is None:
        return set(), set(), None
    shares = first_traffic.configured_shares
    split = {rule_or_listener_arn(traffic.split)} if traffic.split else set()
    others = {rule_or_listener_arn(rule) for rule in traffic.rules if any(share.fleet for share in rule.shares)}
    return split, others - split, (first.first_seen, float(shares["canary"])) if "canary" in shares else None
