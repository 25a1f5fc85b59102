"""A case: everything that an evidence file tells, as one value, so that whoever has an archive can make the file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

import analysis
from analysis import Phase
from archive import MetricsResult
from commands.judge import Evaluation, evaluate
from domain import Event, Migration, Window
from reports.evidence.data import final_rows, unread_rows
from services.endpoints import EndpointsView
from services.parity import final_until, trace_result
from services.queries import source_queries
from sources.base import Problem, Query
from sources.window_latency import WindowLatency


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceBundle:
    """One judgement and what it rests on. `rows` are the settled rows of the window, in the file's order, `unread` the counts
    that could not be read; `trace`: analysis.TRACE_COLUMNS.

    `settled` is the judged part of the window; None where none of it is settled yet. `whole` is the latency of the window as one period, as the
    page shows it; None where nobody could tell it. `routes` is what its access logs say; None where none of them was counted.
    """

    migration: Migration
    evaluation: Evaluation
    rows: pd.DataFrame
    unread: pd.DataFrame
    trace: pd.DataFrame
    final_window: Window | None
    grid: analysis.TimeGrid
    events: tuple[Event, ...]
    queries: tuple[Query, ...]
    window_latency: WindowLatency | None
    endpoints: EndpointsView | None = None


def evidence_file_name(name: str, window: Window) -> str:
    """`name` in plain letters with the window in UTC: "evidence-photo-service-20261123T0900Z-20261123T1510Z.zip"."""
    letters = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in name.lower())
    slug = "-".join(letters.split())[:60] or "migration"
    return f"evidence-{slug}-{window.starts_at:%Y%m%dT%H%MZ}-{window.ends_at:%Y%m%dT%H%MZ}.zip"


def build_bundle(
    migration: Migration,
    source: str,
    result: MetricsResult,
    events: Sequence[Event],
    phase: Phase | None,
    source_problems: tuple[Problem, ...] = (),
    *,
    phase_number: int | None = None,
    window_latency: WindowLatency | None = None,
    endpoints: EndpointsView | None = None,
    now: datetime,
) -> EvidenceBundle:
    """The case of a reading of the archive: judged here, by the same judge as on the page and in the terminal."""
    window, firm_until = result.window, final_until(migration, result, now=now)
    rows = final_rows(result.frame, window, firm_until)
    settled = Window(window.start, min(window.end, firm_until)) if firm_until > window.start else None
    return EvidenceBundle(
        migration=migration,
        evaluation=evaluate(migration, source, result, phase, source_problems, phase_number=phase_number, now=now),
        rows=rows,
        unread=unread_rows(rows, result.unknown),
        trace=trace_result(migration, result, now=now),
        final_window=settled,
        grid=analysis.time_grid(rows, settled or window, result.unknown),
        events=tuple(event for event in events if window.start <= event.ts < window.end),
        queries=tuple(source_queries(migration, source, window, max(result.resolutions, default=60))),
        window_latency=window_latency,
        endpoints=endpoints,
    )
