"""SQL on the latency of whole windows as one period: one row a start, of the latest window that started there."""

import json
from dataclasses import asdict, dataclass, replace

from sqlalchemy import Connection, and_, select

from archive.db import schema
from archive.db.stored_json import read_stored
from archive.db.upsert import upsert
from archive.events.source_state import problems_from_json, problems_to_json
from domain import Window
from domain.latency import LatencySummary
from sources.window_latency import WindowLatency

REFRESH_AFTER_S = 300  # while the end of the window is provisional
RETRY_AFTER_S = 60  # after an incomplete answer


@dataclass(frozen=True, slots=True)
class LatencyBody:
    """The column `body`. `covered`: start and end in epoch seconds."""

    covered: tuple[int, int] | None
    complete: bool
    groups: tuple[LatencySummary, ...]


def is_current(stored: WindowLatency | None, window: Window, *, now: int, final_after_s: int) -> bool:
    """Whether `window` need not be fetched now. Each request is billed; a complete result for a final window never expires."""
    if stored is None or stored.window != window or stored.asked_at > now:
        return False
    if stored.complete and stored.asked_at >= window.end + final_after_s:
        return True
    return now - stored.asked_at < (REFRESH_AFTER_S if stored.complete else RETRY_AFTER_S)


def merge_result(before: WindowLatency | None, result: WindowLatency) -> WindowLatency:
    """What to store after `result`: without numbers, the numbers of `before` with the new problems."""
    if result.groups or result.complete or before is None:
        return result
    return replace(result, covered=before.covered, groups=before.groups)


def read(connection: Connection, migration_id: int, source_name: str, start: int) -> WindowLatency | None:
    table = schema.window_latency
    key = and_(table.c.migration_id == migration_id, table.c.source == source_name, table.c.start_s == start)
    row = connection.execute(select(table).where(key)).first()
    if row is None:
        return None
    body = read_stored(LatencyBody, row.body, f"window_latency {row.source} {row.start_s}")
    if body is None:
        return None
    return WindowLatency(
        window=Window(row.start_s, row.end_s),
        covered=Window(*body.covered) if body.covered else None,
        asked_at=row.asked_at,
        groups=body.groups,
        problems=problems_from_json(row.problems),
        complete=body.complete,
    )


def write(connection: Connection, migration_id: int, source_name: str, result: WindowLatency) -> None:
    covered = [result.covered.start, result.covered.end] if result.covered else None
    body = {"covered": covered, "complete": result.complete, "groups": [asdict(group) for group in result.groups]}
    row = {
        "migration_id": migration_id,
        "source": source_name,
        "start_s": result.window.start,
        "end_s": result.window.end,
        "asked_at": result.asked_at,
        "body": json.dumps(body),
        "problems": problems_to_json(result.problems),
    }
    upsert(connection, schema.window_latency, [row])
