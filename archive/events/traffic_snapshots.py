"""SQL on snapshots of the load balancer: one row for as long as nothing but the time changes."""

from dataclasses import replace
from functools import lru_cache

from sqlalchemy import Connection, select

from archive.db import schema
from archive.db.stored_json import read_stored
from archive.events.history_rows import append_if_changed
from domain import Traffic
from domain.serialization import to_json


def save_snapshot(connection: Connection, migration_id: int, traffic: Traffic) -> Traffic | None:
    """Stores a snapshot. Returns the one before it if they differ."""
    body, key = to_json(replace(traffic, asked_at=0)), {"migration_id": migration_id}
    last = append_if_changed(connection, schema.traffic_snapshot, key, body, traffic.asked_at)
    before = decode_snapshot(last.body) if last else None
    return replace(before, asked_at=last.last_seen) if before else None


def read_latest_snapshot(connection: Connection, migration_id: int) -> tuple[Traffic, int] | None:
    """The newest snapshot, and when it was last seen (epoch seconds)."""
    table = schema.traffic_snapshot
    query = select(table).where(table.c.migration_id == migration_id).order_by(table.c.id.desc()).limit(1)
    last = connection.execute(query).first()
    traffic = decode_snapshot(last.body) if last else None
    return (replace(traffic, asked_at=last.last_seen), last.last_seen) if last and traffic else None


@lru_cache(maxsize=8)
def decode_snapshot(body: str) -> Traffic | None:
    """A stored snapshot; None if it cannot be read. Cached, because the newest one is read for every page and every change."""
    return read_stored(Traffic, body, f"traffic_snapshot {body[:80]}")
