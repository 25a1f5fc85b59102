"""Which time of an event source with a history was fetched, and which to fetch next: recent time repeatedly, older time once."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, select

from archive.db import schema
from archive.db.upsert import upsert
from domain import Window
from domain.window import MINUTE_S, merge_windows
from sources.base import HistorySource

INITIAL_WINDOW_S = 86_400  # the first fetch
BACKLOG_CHUNK_S = 30 * 86_400  # older time is fetched in chunks, newest first
EVENTS_RETRY_AFTER_S = 900  # after an incomplete answer


@dataclass(frozen=True, slots=True)
class NextFetch:
    """`newest` is fetched repeatedly; `backlog` is the next chunk of time that was never fetched, None if there is none."""

    newest: Window
    backlog: Window | None


def next_fetch(covered: Sequence[Window], source: HistorySource, now: int) -> NextFetch:
    """What to fetch at `now` (epoch seconds), given the windows that are covered, in order."""
    end = now + -now % MINUTE_S
    first = (now - source.retention_s) // MINUTE_S * MINUTE_S
    complete_until = min(covered[-1].end, end) - source.delivery_delay_s if covered else end - INITIAL_WINDOW_S
    newest = Window(max(first, complete_until // MINUTE_S * MINUTE_S), end)
    gaps = Window(first, newest.start).subtract(covered) if first < newest.start else ()
    backlog = Window(max(gaps[-1].start, gaps[-1].end - BACKLOG_CHUNK_S), gaps[-1].end) if gaps else None
    return NextFetch(newest, backlog)


def read_event_coverage(connection: Connection, migration_id: int, source_name: str) -> tuple[Window, ...]:
    table = schema.event_coverage
    of_source = and_(table.c.migration_id == migration_id, table.c.source == source_name)
    rows = connection.execute(select(table.c.start_s, table.c.end_s).where(of_source).order_by(table.c.start_s))
    return tuple(Window(row.start_s, row.end_s) for row in rows)


def add_event_coverage(connection: Connection, migration_id: int, source_name: str, window: Window) -> None:
    table = schema.event_coverage
    covered = merge_windows((*read_event_coverage(connection, migration_id, source_name), window))
    connection.execute(delete(table).where(table.c.migration_id == migration_id, table.c.source == source_name))
    key = {"migration_id": migration_id, "source": source_name}
    upsert(connection, table, [{**key, "start_s": part.start, "end_s": part.end} for part in covered])
