"""What a source that keeps a history was asked for, and what to ask it next: the newest time again and again, and once all that lies behind."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, select

from archive.db import schema
from archive.db.upsert import upsert
from domain import Window
from domain.window import MINUTE_S, merged
from sources.base import HistorySource

FIRST_S = 86_400  # the newest time, where nothing was heard yet
PIECE_S = 30 * 86_400  # of what lies behind, the newest first
REFUSED_S = 900  # a source that did not answer is asked again after so long: nothing waits for it


@dataclass(frozen=True, slots=True)
class ToHear:
    """`newest` is asked again and again; `behind` is the next piece of what was never heard, None once all was."""

    newest: Window
    behind: Window | None


def to_hear(heard: Sequence[Window], source: HistorySource, now: int) -> ToHear:
    """What to ask at `now` (epoch seconds), by the windows that were `heard`, in order."""
    end = now + -now % MINUTE_S
    first = (now - source.reach_s) // MINUTE_S * MINUTE_S
    known_until = min(heard[-1].end, end) - source.settle_s if heard else end - FIRST_S
    newest = Window(max(first, known_until // MINUTE_S * MINUTE_S), end)
    left = Window(first, newest.start).minus(heard) if first < newest.start else ()
    behind = Window(max(left[-1].start, left[-1].end - PIECE_S), left[-1].end) if left else None
    return ToHear(newest, behind)


def read_heard(connection: Connection, migration_id: int, source: str) -> tuple[Window, ...]:
    table = schema.heard
    mine = and_(table.c.migration_id == migration_id, table.c.source == source)
    told = connection.execute(select(table.c.start_s, table.c.end_s).where(mine).order_by(table.c.start_s))
    return tuple(Window(row.start_s, row.end_s) for row in told)


def write_heard(connection: Connection, migration_id: int, source: str, window: Window) -> None:
    """Adds a window to what was heard."""
    table = schema.heard
    every = merged((*read_heard(connection, migration_id, source), window))
    connection.execute(delete(table).where(table.c.migration_id == migration_id, table.c.source == source))
    lines = [{"migration_id": migration_id, "source": source, "start_s": one.start, "end_s": one.end} for one in every]
    upsert(connection, table, lines)
