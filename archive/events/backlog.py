"""What a source that keeps a history was asked for, and what to ask it next: the newest time again and again, and once all that lies behind."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, select

from archive.db import schema
from archive.db.upsert import upsert
from domain import Window
from domain.window import MINUTE_S, merge_windows
from sources.base import HistorySource

INITIAL_WINDOW_S = 86_400  # the newest time, where nothing was heard yet
BACKLOG_CHUNK_S = 30 * 86_400  # of what lies behind, the newest first
EVENTS_RETRY_AFTER_S = 900  # a source that did not answer is asked again after so long: nothing waits for it


@dataclass(frozen=True, slots=True)
class NextFetch:
    """`newest` is asked again and again; `behind` is the next piece of what was never heard, None once all was."""

    newest: Window
    backlog: Window | None


def next_fetch(covered: Sequence[Window], source: HistorySource, now: int) -> NextFetch:
    """What to ask at `now` (epoch seconds), by the windows that were `heard`, in order."""
    end = now + -now % MINUTE_S
    first = (now - source.retention_s) // MINUTE_S * MINUTE_S
    known_until = min(covered[-1].end, end) - source.delivery_delay_s if covered else end - INITIAL_WINDOW_S
    newest = Window(max(first, known_until // MINUTE_S * MINUTE_S), end)
    left = Window(first, newest.start).subtract(covered) if first < newest.start else ()
    behind = Window(max(left[-1].start, left[-1].end - BACKLOG_CHUNK_S), left[-1].end) if left else None
    return NextFetch(newest, behind)


def read_event_coverage(connection: Connection, migration_id: int, source: str) -> tuple[Window, ...]:
    table = schema.event_coverage
    mine = and_(table.c.migration_id == migration_id, table.c.source == source)
    told = connection.execute(select(table.c.start_s, table.c.end_s).where(mine).order_by(table.c.start_s))
    return tuple(Window(row.start_s, row.end_s) for row in told)


def add_event_coverage(connection: Connection, migration_id: int, source: str, window: Window) -> None:
    """Adds a window to what was heard."""
    table = schema.event_coverage
    every = merge_windows((*read_event_coverage(connection, migration_id, source), window))
    connection.execute(delete(table).where(table.c.migration_id == migration_id, table.c.source == source))
    lines = [{"migration_id": migration_id, "source": source, "start_s": one.start, "end_s": one.end} for one in every]
    upsert(connection, table, lines)
