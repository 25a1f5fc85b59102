"""The archive's SQL for windows that were asked as one period: one row a beginning, the latest window that began there."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, and_, select

from archive.db import schema
from archive.db.upsert import upsert
from archive.metrics.coverage import problems_from_json, problems_to_json
from domain import Window
from domain.latency import LatencySummary
from sources.window_latency import WindowLatency

REFRESH_AFTER_S = 300  # the same window, while its newest minutes may still change
RETRY_AFTER_S = 60


def is_current(stored: WindowLatency | None, window: Window, *, now: int, final_after_s: int) -> bool:
    """Whether `window` need not be asked (again) now: every answer is paid. One that was complete and settled stands for ever."""
    if stored is None or stored.window != window or stored.asked_at > now:
        return False
    if stored.complete and stored.asked_at >= window.end + final_after_s:
        return True
    return now - stored.asked_at < (REFRESH_AFTER_S if stored.complete else RETRY_AFTER_S)


def merge_result(stored: WindowLatency | None, result: WindowLatency) -> WindowLatency:
    """What is kept once `told` was answered: where it has no numbers, those of before with the new problems."""
    if result.groups or result.complete or stored is None:
        return result
    return replace(result, covered=stored.covered, groups=stored.groups)


def read(connection: Connection, migration_id: int, source: str, start: int) -> WindowLatency | None:
    table = schema.window_latency
    mine = and_(table.c.migration_id == migration_id, table.c.source == source, table.c.start_s == start)
    row = connection.execute(select(table).where(mine)).first()
    if row is None:
        return None
    body = json.loads(row.body)
    return WindowLatency(
        window=Window(row.start_s, row.end_s),
        covered=Window(*body["covered"]) if body["covered"] else None,
        asked_at=row.asked_at,
        groups=tuple(_latencies(one) for one in body["groups"]),
        problems=problems_from_json(row.problems),
        complete=body["complete"],
    )


def write(connection: Connection, migration_id: int, source: str, result: WindowLatency) -> None:
    covered = [result.covered.start, result.covered.end] if result.covered else None
    body = {"covered": covered, "complete": result.complete, "groups": [asdict(one) for one in result.groups]}
    line = {
        "migration_id": migration_id,
        "source": source,
        "start_s": result.window.start,
        "end_s": result.window.end,
        "asked_at": result.asked_at,
        "body": json.dumps(body),
        "problems": problems_to_json(result.problems),
    }
    upsert(connection, schema.window_latency, [line])


def _latencies(body: Mapping[str, Any]) -> LatencySummary:
    # JSON's names are texts: thresholds are read back as numbers.
    return LatencySummary(
        **{**body, "within": {float(threshold): share for threshold, share in body["within"].items()}}
    )
