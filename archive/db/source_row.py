"""SQL on one row of `source_state`: the lease and the slot that decide which process polls a source, and its counter of changes."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, and_, func, or_, select, update

from archive.db import schema
from archive.db.upsert import upsert

# What a source is polled for.
Role = Literal[
    "metrics",
    "traffic",
    "events",
    "window_latency",
    "triggers",
    "run_logs",
    "event_backlog",
    "logs",
    "check",
    "prune",
    "decision",
]


@dataclass(frozen=True, slots=True)
class SourceRow:
    """The row of one source in one role."""

    migration_id: int
    name: str
    role: Role

    @property
    def key(self) -> dict[str, object]:
        return {"migration_id": self.migration_id, "name": self.name, "role": self.role}

    def insert_if_missing(self, connection: Connection) -> None:
        defaults = {"problems": "[]", "lease_until": 0, "lease_owner": "", "change_counter": 0}
        upsert(connection, schema.source_state, [{**self.key, **defaults}], ignore_existing=True)

    def update(self, connection: Connection, *conditions: object, **values: object) -> bool:
        """Sets columns if the row exists and meets the conditions; returns whether it did."""
        columns = schema.source_state.c
        matches = and_(*(columns[name] == value for name, value in self.key.items()), *conditions)  # type: ignore[arg-type]
        return connection.execute(update(schema.source_state).where(matches).values(**values)).rowcount == 1

    def acquire_lease(self, connection: Connection, token: str, *, now: int, lease_s: int) -> bool:
        """Takes or renews the lease for `lease_s` seconds. A lease from the future comes from a wrong clock and is ignored."""
        self.insert_if_missing(connection)
        columns = schema.source_state.c
        free = or_(columns.lease_until <= now, columns.lease_until > now + lease_s, columns.lease_owner == token)
        return self.update(connection, free, lease_until=now + lease_s, lease_owner=token)

    def release_lease(self, connection: Connection, token: str) -> None:
        self.update(connection, schema.source_state.c.lease_owner == token, lease_until=0)

    def try_acquire_slot(self, connection: Connection, *, now: int, interval_s: int) -> int:
        """Takes the next slot if the last one is `interval_s` seconds old, and returns 0; else returns the seconds to wait."""
        self.insert_if_missing(connection)
        taken_at = schema.source_state.c.slot_taken_at
        free = or_(taken_at.is_(None), taken_at <= now - interval_s, taken_at > now)
        if self.update(connection, free, slot_taken_at=now):
            return 0
        matches = and_(*(schema.source_state.c[name] == value for name, value in self.key.items()))
        last: int = connection.execute(select(taken_at).where(matches)).scalar_one()
        return last + interval_s - now

    def increment_change_counter(self, connection: Connection) -> None:
        self.insert_if_missing(connection)
        self.update(connection, change_counter=schema.source_state.c.change_counter + 1)


def read_change_counter(connection: Connection, migration_id: int, source_name: str | None) -> int:
    """The sum of the change counters of a source's roles; of all sources for None."""
    table = schema.source_state
    of_source = () if source_name is None else (table.c.name == source_name,)
    matches = and_(table.c.migration_id == migration_id, *of_source)
    return int(connection.scalar(select(func.coalesce(func.sum(table.c.change_counter), 0)).where(matches)) or 0)
