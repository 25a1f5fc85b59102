"""The evidence of one evaluation: the judged data, how the judgement came about, and its context."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

import analysis
from analysis import Phase
from archive import Archive, ArchiveError
from domain import Event, FleetName, Migration, Series, Window, assemble, epoch_s
from domain.frame import LABEL_COLUMNS
from domain.sign_offs import Ledger
from services.batches import BatchView
from services.endpoints import EndpointsView
from services.evaluation import Evaluation, JudgementInput, evaluate
from services.freshness import final_until
from services.log_details import FAILED_ONLY, LogDetails, log_details, regressed_kinds
from services.parity import judge_result
from services.phases import judged_phase
from services.probing import ProbesWithResults, latest_results
from services.queries import Query, source_queries
from services.window_latency import phase_latency
from sources.base import MetricSource
from sources.window_latency import WindowLatency

SORT_COLUMNS = ["ts", "fleet", "target_group", "metric", "stat", "unit", "period_s", "source"]


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceBundle:
    """An evaluation and its data. `final_window`: the judged part of the window, None if nothing is final.

    `rows`: the final rows of the window, sorted by SORT_COLUMNS; `unread`: rows without a value, for counts that could not be read;
    `trace`: analysis.TRACE_COLUMNS; `grid`: the same data by minute. `window_latency`, `endpoints` and
    their `details` are None if unknown. `ledger`: all sign-offs of the migration. `probes`: each configured probe with its newest result at the end
    of the window, or now if it is not over; `batches`: their runs in the window, None without [batches].
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
    window_latency: WindowLatency | None = None
    endpoints: EndpointsView | None = None
    details: LogDetails | None = None
    ledger: Ledger = field(default_factory=Ledger)
    probes: ProbesWithResults = ()
    batches: BatchView | None = None


def collect_evidence(
    archive: Archive,
    migration: Migration,
    source: str,
    data: JudgementInput,
    *,
    batches: BatchView | None = None,
    fetch_from: MetricSource | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> EvidenceBundle:
    """The bundle with everything that the archive has about the window of `data`. `fetch_from`: fetches the latency of the window first.

    After an ArchiveError, events, latency, sign-offs and probes are left out; `data.result` has the problem.
    `checkpoint` may raise to give up.
    """
    window = data.result.window
    phase = judged_phase(data.phase) if data.phase else Phase(window, None, "window")
    bundle = build_bundle(migration, source, data, checkpoint=checkpoint)
    try:
        return replace(
            bundle,
            events=tuple(event for event in archive.events.read(window) if window.start <= event.ts < window.end),
            window_latency=phase_latency(archive, migration, phase, fetch_from or source, now=data.now),
            details=_details(archive, migration, data.endpoints),
            ledger=archive.sign_offs.read(),
            probes=latest_results(archive, migration, now=window.ends_at if bundle.evaluation.is_over else data.now),
            batches=batches,
        )
    except ArchiveError:
        return bundle


def _details(archive: Archive, migration: Migration, view: EndpointsView | None) -> LogDetails | None:
    if view is None:
        return None
    kinds = regressed_kinds(view.endpoints)
    worse: FleetName | None = "canary" if kinds else None
    return log_details(archive, migration, view.window, kinds=kinds or FAILED_ONLY, worse=worse)


def build_bundle(
    migration: Migration, source: str, data: JudgementInput, *, checkpoint: Callable[[], None] = lambda: None
) -> EvidenceBundle:
    """The bundle of data that was read already, without events, latency and sign-offs. `checkpoint` may raise to give up."""
    result, window = data.result, data.result.window
    end = final_until(migration, result, now=data.now)
    rows = final_rows(result.frame, window, end)
    final_window = Window(window.start, min(window.end, end)) if end > window.start else None
    judged = judge_result(migration, source, result, now=data.now, context=data.context, trace_checkpoint=checkpoint)
    assert judged.trace is not None
    return EvidenceBundle(
        migration=migration,
        evaluation=evaluate(migration, source, data),
        rows=rows,
        unread=unread_rows(rows, result.unknown),
        trace=judged.trace,
        final_window=final_window,
        grid=analysis.time_grid(rows, final_window or window, result.unknown),
        events=(),
        queries=tuple(source_queries(migration, source, window, max(result.resolutions, default=60))),
        endpoints=data.endpoints,
    )


def final_rows(frame: pd.DataFrame, window: Window, final_until: int) -> pd.DataFrame:
    """The judged rows: whole periods in `window` that end by `final_until`, sorted. Labels become plain strings."""
    ts, period_s = epoch_s(frame), frame["period_s"].to_numpy()
    rows: pd.DataFrame = frame[(ts >= window.start) & (ts + period_s <= min(window.end, final_until))]
    return rows.astype(dict.fromkeys(LABEL_COLUMNS, "str")).sort_values(SORT_COLUMNS, ignore_index=True)


def unread_rows(rows: pd.DataFrame, unknown: Mapping[Series, Sequence[Window]]) -> pd.DataFrame:
    """A row without a value for each unknown count (see MetricsResult.unknown) of a target group that had requests then, or of the load
    balancer if any had.

    Without them a missing count would read as 0. `rows`: the final rows.
    """
    requests = rows[(rows["metric"] == "requests") & (rows["stat"] == "sum")]
    starts, periods = epoch_s(requests), requests["period_s"].to_numpy()
    present = set(zip(rows["target_group"], rows["metric"], rows["stat"], epoch_s(rows), strict=True))
    served = set(zip(requests["target_group"], starts.tolist(), periods.tolist(), strict=True))
    periods_of_groups = sorted(served | {("", start, period_s) for _group, start, period_s in served})
    missing = [
        (series, start, period_s)
        for series, windows in unknown.items()
        for group, start, period_s in periods_of_groups
        if group == series.target_group
        and any(window.start < start + period_s and start < window.end for window in windows)
        and (group, series.metric, series.stat, start) not in present
    ]
    if not missing:
        return rows[:0]
    series, ts, period_s = zip(*missing, strict=True)
    distinct = tuple(dict.fromkeys(series))
    code = np.array([distinct.index(item) for item in series])
    return assemble(distinct, code, np.array(ts), np.full(len(ts), np.nan), np.array(period_s)).astype(
        dict.fromkeys(LABEL_COLUMNS, "str")
    )
