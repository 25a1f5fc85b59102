"""The archive's SQL for what happened: how each source is, whose turn it is to ask, what the load balancer said, and events."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from archive.db import schema
from archive.db.upsert import upsert
from archive.events.weight_changes import write_changes
from archive.metrics.coverage import problems_from_json, problems_to_json
from archive.metrics.fetch_plan import MAX_ARCHIVE_CLOCK_SKEW_S
from domain import Event, Traffic, Window
from domain.traffic import detect_weight_change, traffic_from_json, traffic_to_json
from sources.base import HealthState, Problem

Role = Literal["metrics", "traffic", "events", "whole", "starters", "past", "logs"]


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source is, as the last asking of any process found it. Times are epoch seconds; `last_good_at` is None where it never answered."""

    source: str
    role: Role
    state: HealthState
    checked_at: int
    last_success_at: int | None
    took_s: float
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class SourceRow:
    """The line of one source in one role: every statement about it starts here."""

    migration_id: int
    name: str
    role: Role

    @property
    def key(self) -> dict[str, object]:
        return {"migration_id": self.migration_id, "name": self.name, "role": self.role}

    def insert_if_missing(self, connection: Connection) -> None:
        fresh = {"problems": "[]", "claimed_until": 0, "claimed_by": "", "revision": 0}
        upsert(connection, schema.source_state, [{**self.key, **fresh}], ignore_existing=True)

    def update(self, connection: Connection, *conditions: object, **values: object) -> bool:
        """Whether there was such a line to change."""
        columns = schema.source_state.c
        mine = and_(*(columns[name] == value for name, value in self.key.items()), *conditions)  # type: ignore[arg-type]
        return connection.execute(update(schema.source_state).where(mine).values(**values)).rowcount == 1

    def acquire_lease(self, connection: Connection, token: str, *, now: int, lease_s: int) -> bool:
        """Whether the source is ours to ask for `lease_s` seconds. A claim from the future was made by a wrong clock and does not count."""
        self.insert_if_missing(connection)
        until = schema.source_state.c.claimed_until
        free = or_(until <= now, until > now + lease_s, schema.source_state.c.claimed_by == token)
        return self.update(connection, free, claimed_until=now + lease_s, claimed_by=token)

    def release_lease(self, connection: Connection, token: str) -> None:
        self.update(connection, schema.source_state.c.claimed_by == token, claimed_until=0)

    def try_acquire_slot(self, connection: Connection, *, now: int, interval_s: int) -> int:
        """0 where the last turn of anybody is `every_s` seconds ago or more, and then this is the next; else the seconds to wait."""
        self.insert_if_missing(connection)
        last = schema.source_state.c.turn_at
        if self.update(connection, or_(last.is_(None), last <= now - interval_s, last > now), turn_at=now):
            return 0
        mine = and_(*(schema.source_state.c[name] == value for name, value in self.key.items()))
        taken_at: int = connection.execute(select(last).where(mine)).scalar_one()
        return taken_at + interval_s - now

    def increment_change_counter(self, connection: Connection) -> None:
        """Says that something of the source has changed."""
        self.insert_if_missing(connection)
        self.update(connection, revision=schema.source_state.c.revision + 1)

    def state(self, connection: Connection) -> SourceState | None:
        return next((state for state in read_states(connection, self.migration_id) if self._matches(state)), None)

    def _matches(self, state: SourceState) -> bool:
        return (state.source, state.role) == (self.name, self.role)

    def save_state(self, connection: Connection, state: SourceState, *, success: bool) -> None:
        """Writes down how the source is, and that something of it has changed."""
        self.insert_if_missing(connection)
        values: dict[str, object] = {
            "state": state.state,
            "checked_at": state.checked_at,
            "took_s": state.took_s,
            "problems": problems_to_json(state.problems),
            "revision": schema.source_state.c.revision + 1,
        }
        if success:
            values["last_good_at"] = state.checked_at
        self.update(connection, **values)


def read_states(connection: Connection, migration_id: int) -> tuple[SourceState, ...]:
    table = schema.source_state
    told = and_(table.c.migration_id == migration_id, table.c.state.is_not(None))
    return tuple(
        SourceState(
            row.name,
            row.role,
            row.state,
            row.checked_at,
            row.last_good_at,
            row.took_s,
            problems_from_json(row.problems),
        )
        for row in connection.execute(select(table).where(told).order_by(table.c.role.desc(), table.c.name))
    )


def read_change_counter(connection: Connection, migration_id: int, source: str | None) -> int:
    table = schema.source_state
    mine = and_(table.c.migration_id == migration_id, *(() if source is None else (table.c.name == source,)))
    return int(connection.scalar(select(func.coalesce(func.sum(table.c.revision), 0)).where(mine)) or 0)


def save_snapshot(connection: Connection, migration_id: int, source: str, traffic: Traffic) -> None:
    """A new snapshot where anything but the time differs from the last one, and the change of the split with it, if there was one."""
    table = schema.traffic_snapshot
    body = traffic_to_json(replace(traffic, asked_at=0))
    last = connection.execute(_latest_snapshot(migration_id)).first()
    if last and traffic.asked_at < last.last_seen < traffic.asked_at + MAX_ARCHIVE_CLOCK_SKEW_S:
        return  # a slow look, overtaken by a later one; much older than the last, it is the clock that was set back
    if last and last.body == body:
        connection.execute(update(table).where(table.c.id == last.id).values(last_seen=traffic.asked_at))
        return
    seen = {"first_seen": traffic.asked_at, "last_seen": traffic.asked_at}
    connection.execute(insert(table).values(migration_id=migration_id, body=body, **seen))
    if last:
        before = replace(traffic_from_json(last.body), asked_at=last.last_seen)
        if change := detect_weight_change(before, traffic, source):
            write_changes(connection, migration_id, source, (change,))


def read_latest_snapshot(connection: Connection, migration_id: int) -> tuple[Traffic, int] | None:
    """What the load balancer last said, and when it was last seen saying so (epoch seconds)."""
    last = connection.execute(_latest_snapshot(migration_id)).first()
    return (replace(traffic_from_json(last.body), asked_at=last.last_seen), last.last_seen) if last else None


def _latest_snapshot(migration_id: int):  # type: ignore[no-untyped-def]
    table = schema.traffic_snapshot
    return select(table).where(table.c.migration_id == migration_id).order_by(table.c.id.desc()).limit(1)


def write_events(connection: Connection, migration_id: int, events: Iterable[Event]) -> None:
    columns = [column.name for column in schema.event.columns if column.name != "migration_id"]
    lines = [{"migration_id": migration_id, **{name: getattr(event, name) for name in columns}} for event in events]
    upsert(connection, schema.event, lines)


def delete_missing_events(
    connection: Connection, migration_id: int, source: str, events: Iterable[Event], window: Window
) -> None:
    """Removes the events of a source that began in `window` and are not among those that it tells of now: somebody deleted them."""
    table = schema.event
    there = and_(
        table.c.migration_id == migration_id,
        table.c.source == source,
        table.c.ts >= window.start,
        table.c.ts < window.end,
    )
    gone = set(connection.scalars(select(table.c.key).where(there))) - {event.key for event in events}
    for key in gone:
        connection.execute(delete(table).where(there, table.c.key == key))


def read_events(connection: Connection, migration_id: int, window: Window) -> tuple[Event, ...]:
    """Everything that happened, or went on, at some time of `window`, in order."""
    table = schema.event
    touches = or_(table.c.open, func.coalesce(table.c.until, table.c.ts) >= window.start)
    within = and_(table.c.migration_id == migration_id, table.c.ts < window.end, touches)
    return tuple(
        Event(
            row.ts,
            row.until,
            row.kind,
            row.title,
            row.detail,
            row.fleet,
            row.link,
            row.source,
            row.key,
            row.open,
        )
        for row in connection.execute(select(table).where(within).order_by(table.c.ts, table.c.source, table.c.key))
    )
