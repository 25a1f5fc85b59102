"""A case: everything that an evidence file tells, as one value, so that whoever has an archive can make the file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

import analysis
from analysis import Phase
from archive import Brought
from commands.judge import Hearing, heard
from domain import Event, Migration, Window
from reports.evidence.data import settled_rows, unread_rows
from services.endpoints import LogsJudged
from services.parity import firm, trace_brought
from services.queries import resolved
from sources.base import Problem, Query
from sources.window_latency import Whole


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One judgement and what it rests on. `rows` are the settled rows of the window, in the file's order, `unread` the counts
    that could not be read; `trace`: analysis.TRACE_COLUMNS.

    `settled` is the judged part of the window; None where none of it is settled yet. `whole` is the latency of the window as one period, as the
    page shows it; None where nobody could tell it. `routes` is what its access logs say; None where none of them was counted.
    """

    migration: Migration
    hearing: Hearing
    rows: pd.DataFrame
    unread: pd.DataFrame
    trace: pd.DataFrame
    settled: Window | None
    grid: analysis.Minutes
    events: tuple[Event, ...]
    queries: tuple[Query, ...]
    whole: Whole | None
    routes: LogsJudged | None = None


def file_name(name: str, window: Window) -> str:
    """`name` in plain letters with the window in UTC: "evidence-photo-service-20261123T0900Z-20261123T1510Z.zip"."""
    letters = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in name.lower())
    slug = "-".join(letters.split())[:60] or "migration"
    return f"evidence-{slug}-{window.starts_at:%Y%m%dT%H%MZ}-{window.ends_at:%Y%m%dT%H%MZ}.zip"


def case(
    migration: Migration,
    source: str,
    brought: Brought,
    events: Sequence[Event],
    phase: Phase | None,
    others: tuple[Problem, ...] = (),
    *,
    number: int | None = None,
    whole: Whole | None = None,
    routes: LogsJudged | None = None,
    now: datetime,
) -> Case:
    """The case of a reading of the archive: judged here, by the same judge as on the page and in the terminal."""
    window, firm_until = brought.window, firm(migration, brought, now=now)
    rows = settled_rows(brought.frame, window, firm_until)
    settled = Window(window.start, min(window.end, firm_until)) if firm_until > window.start else None
    return Case(
        migration=migration,
        hearing=heard(migration, source, brought, phase, others, number=number, now=now),
        rows=rows,
        unread=unread_rows(rows, brought.unknown),
        trace=trace_brought(migration, brought, now=now),
        settled=settled,
        grid=analysis.minutes(rows, settled or window, brought.unknown),
        events=tuple(event for event in events if window.start <= event.ts < window.end),
        queries=tuple(resolved(migration, source, window, max(brought.resolutions, default=60))),
        whole=whole,
        routes=routes,
    )
