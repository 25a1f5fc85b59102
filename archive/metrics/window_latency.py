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
from domain.latency import Latencies
from sources.window_latency import Whole

AGAIN_S = 300  # the same window, while its newest minutes may still change
AFTER_TROUBLE_S = 60


def stands(whole: Whole | None, window: Window, *, now: int, settle_s: int) -> bool:
    """Whether `window` need not be asked (again) now: every answer is paid. One that was complete and settled stands for ever."""
    if whole is None or whole.window != window or whole.asked_at > now:
        return False
    if whole.complete and whole.asked_at >= window.end + settle_s:
        return True
    return now - whole.asked_at < (AGAIN_S if whole.complete else AFTER_TROUBLE_S)


def after(before: Whole | None, told: Whole) -> Whole:
    """What is kept once `told` was answered: where it has no numbers, those of before with the new problems."""
    if told.groups or told.complete or before is None:
        return told
    return replace(told, covered=before.covered, groups=before.groups)


def read(connection: Connection, migration_id: int, source: str, start: int) -> Whole | None:
    table = schema.whole
    mine = and_(table.c.migration_id == migration_id, table.c.source == source, table.c.start_s == start)
    row = connection.execute(select(table).where(mine)).first()
    if row is None:
        return None
    body = json.loads(row.body)
    return Whole(
        window=Window(row.start_s, row.end_s),
        covered=Window(*body["covered"]) if body["covered"] else None,
        asked_at=row.asked_at,
        groups=tuple(_latencies(one) for one in body["groups"]),
        problems=problems_from_json(row.problems),
        complete=body["complete"],
    )


def write(connection: Connection, migration_id: int, source: str, whole: Whole) -> None:
    covered = [whole.covered.start, whole.covered.end] if whole.covered else None
    body = {"covered": covered, "complete": whole.complete, "groups": [asdict(one) for one in whole.groups]}
    line = {
        "migration_id": migration_id,
        "source": source,
        "start_s": whole.window.start,
        "end_s": whole.window.end,
        "asked_at": whole.asked_at,
        "body": json.dumps(body),
        "problems": problems_to_json(whole.problems),
    }
    upsert(connection, schema.whole, [line])


def _latencies(body: Mapping[str, Any]) -> Latencies:
    # JSON's names are texts: thresholds are read back as numbers.
    return Latencies(**{**body, "within": {float(threshold): share for threshold, share in body["within"].items()}})
