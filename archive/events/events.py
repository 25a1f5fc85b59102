"""SQL on events."""

from collections.abc import Iterable
from dataclasses import fields
from itertools import starmap

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select

from archive.db import schema
from archive.db.stored_json import warn_unreadable
from archive.db.upsert import upsert
from domain import Event, Window
from domain.events import EVENT_KINDS
from domain.window import LATEST_S

REMOVALS = "removals"  # the source of the events that archive/events/removals.py stores
_FIELDS = tuple(field.name for field in fields(Event) if field.name != "change")  # also the columns


def write_events(connection: Connection, migration_id: int, events: Iterable[Event]) -> None:
    rows = [{"migration_id": migration_id, **{name: getattr(event, name) for name in _FIELDS}} for event in events]
    upsert(connection, schema.event, rows)


def delete_missing_events(
    connection: Connection, migration_id: int, source_name: str, events: Iterable[Event], window: Window
) -> None:
    """Deletes the events of a source that started in `window` and are not among `events`: they were deleted upstream."""
    table = schema.event
    in_window = and_(
        table.c.migration_id == migration_id,
        table.c.source == source_name,
        table.c.ts >= window.start,
        table.c.ts < window.end,
    )
    missing = set(connection.scalars(select(table.c.key).where(in_window))) - {event.key for event in events}
    for key in missing:
        connection.execute(delete(table).where(in_window, table.c.key == key))


def read_events(connection: Connection, migration_id: int, window: Window) -> tuple[Event, ...]:
    """The events that overlap `window`, in order, but for removals."""
    table = schema.event
    not_before = or_(table.c.open, func.coalesce(table.c.until, table.c.ts) >= window.start)
    within = and_(table.c.migration_id == migration_id, table.c.ts < window.end, not_before, table.c.source != REMOVALS)
    return tuple(filter(_is_readable, _select_events(connection, within)))


def overlaps(event: Event, window: Window) -> bool:
    """The condition of `read_events`."""
    last = event.ts if event.until is None else event.until
    return event.ts < window.end and (event.open or last >= window.start)


def replace_events_of(connection: Connection, migration_id: int, source_name: str, events: Iterable[Event]) -> None:
    """Stores `events` as all that there are of one source."""
    table, events = schema.event, tuple(events)
    of_source = and_(table.c.migration_id == migration_id, table.c.source == source_name)
    keys = [event.key for event in events]
    connection.execute(delete(table).where(of_source, table.c.key.not_in(keys)))
    write_events(connection, migration_id, events)


def read_events_of(connection: Connection, migration_id: int, source_name: str) -> tuple[Event, ...]:
    """All events of one source, in order."""
    return tuple(filter(_is_readable, read_stored_events_of(connection, migration_id, source_name)))


def read_stored_events_of(connection: Connection, migration_id: int, source_name: str) -> tuple[Event, ...]:
    """`read_events_of` with those that cannot be shown."""
    table = schema.event
    return _select_events(connection, and_(table.c.migration_id == migration_id, table.c.source == source_name))


def _select_events(connection: Connection, condition: ColumnElement[bool]) -> tuple[Event, ...]:
    table = schema.event
    columns = (table.c[name] for name in _FIELDS)
    rows = connection.execute(select(*columns).where(condition).order_by(table.c.ts, table.c.source, table.c.key))
    return tuple(starmap(Event, rows))


def _is_readable(event: Event) -> bool:
    """Whether an event can be shown; one of another kind, or of a time that no calendar has, is skipped and named in the log."""
    times: list[object] = [event.ts] if event.until is None else [event.ts, event.until]
    if event.kind in EVENT_KINDS and all(isinstance(at, int) and 0 <= at <= LATEST_S for at in times):
        return True
    warn_unreadable(f"event {event.source} {event.key}")
    return False
