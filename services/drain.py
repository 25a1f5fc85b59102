"""Whether the old fleet is empty: its requests, rules, targets and batches, from the archive."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from analysis.batches.jobs import JobReport
from analysis.deployments.drain import (
    WEEK_S,
    Drain,
    DrainEvidence,
    KnownRequests,
    OldGroup,
    busiest_hour,
    judge_drain,
    old_group,
)
from archive import Archive, MetricsResult
from domain import FLEETS, Migration, Series, Window, epoch_s
from domain.series import is_request_count
from domain.window import HOUR_S, MINUTE_S, merge_windows
from services.batches import BatchView
from services.freshness import final_until
from sources.access_logs.base import LogSource
from sources.access_logs.callers import Callers, find_callers
from sources.access_logs.filenames import FILE_INTERVAL_S

MAX_RULES_AGE_S = 300  # they are read every 15 seconds, or every 75 with many migrations
CALLERS_S = 600  # before the last request, and a file has five minutes
BATCH_HISTORY_MINUTES = WEEK_S // MINUTE_S


def drain_window(migration: Migration, *, now: datetime) -> Window:
    """What is read: the required time, and at least a week for its busiest hour."""
    end = int(now.timestamp()) // MINUTE_S * MINUTE_S
    length_s = max(migration.drained_after_hours * HOUR_S, WEEK_S) + 2 * HOUR_S
    return Window(end - length_s, end)


def read_drain(
    archive: Archive, migration: Migration, source: str, batches: BatchView | None, *, now: datetime
) -> Drain:
    """The state of the baseline at `now`. `batches`: None without [batches]. Raises ArchiveError."""
    result = archive.metrics.read(drain_window(migration, now=now), source, series_filter=is_request_count)
    until = min(final_until(migration, result, now=now), result.window.end)
    window = Window(result.window.start, max(until, result.window.start + MINUTE_S))
    latest = archive.events.latest_traffic()
    is_read = latest is not None and now.timestamp() - latest[1] <= MAX_RULES_AGE_S
    jobs: Sequence[JobReport] | None = batches.jobs if batches else None
    return judge_drain(
        DrainEvidence(
            groups=tuple(_old_groups(archive, migration, source, result, window)),
            traffic=latest[0] if latest and is_read else None,
            busiest_hour=_busiest_hour(result, until),
            jobs=jobs,
            until=window.end,
            required_s=migration.drained_after_hours * HOUR_S,
            jobs_complete=batches is None or batches.complete,
        )
    )


@dataclass(frozen=True, slots=True)
class CallersQuery:
    """The target groups, the log files' window, and the last weight change (epoch seconds) of `find_callers`."""

    target_groups: tuple[str, ...]
    window: Window
    changed_at: int


def callers_query(archive: Archive, drain: Drain) -> CallersQuery | None:
    """The log files around the last request of the old fleet. None without requests in the required time, and while they are due:

    while a rule without a condition sends requests there. Raises ArchiveError.
    """
    late = [item for item in drain.obstacles if item.kind == "requests" and item.ts]
    is_due = any(item.kind == "forwards" and item.rule and not item.rule.is_conditional for item in drain.obstacles)
    if not late or is_due:
        return None
    last = max(item.ts or 0 for item in late)
    window = Window(last // MINUTE_S * MINUTE_S - CALLERS_S, last // MINUTE_S * MINUTE_S).aligned(FILE_INTERVAL_S)
    changed_at = max((change.ts for change in archive.events.weight_changes()), default=0)
    return CallersQuery(tuple(item.subject for item in late), window, changed_at)


def read_callers(source: LogSource | None, archive: Archive, drain: Drain) -> Callers | None:
    """Who called the old fleet last; None without logs and without `callers_query`. Raises ArchiveError."""
    query = callers_query(archive, drain)
    if source is None or query is None:
        return None
    return find_callers(source, query.target_groups, query.window, changed_at=query.changed_at)


class CallerLookups:
    """Finds callers for pages, which do not wait, in a thread of its own, one query at a time. Safe to share between threads."""

    def __init__(self, source: LogSource) -> None:
        self._source, self._lock = source, threading.Lock()
        self._newest: tuple[CallersQuery, Callers | None] | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_reading(self) -> bool:
        return self._thread is not None

    def result(self, query: CallersQuery) -> Callers | None:
        """What was found last, of this query or an earlier one; None without any. Reads log files once for each query. Returns at once."""
        with self._lock:
            if self._thread is None and (self._newest is None or self._newest[0] != query):
                self._thread = threading.Thread(target=self._run, args=(query,), name="callers", daemon=True)
                self._thread.start()
            return self._newest[1] if self._newest else None

    def wait(self) -> None:
        """Until nothing is being read."""
        if thread := self._thread:
            thread.join()

    def _run(self, query: CallersQuery) -> None:
        found: Callers | None = None
        try:
            found = find_callers(self._source, query.target_groups, query.window, changed_at=query.changed_at)
        finally:
            with self._lock:
                self._newest, self._thread = (query, found), None


def _old_groups(
    archive: Archive, migration: Migration, source: str, result: MetricsResult, window: Window
) -> list[OldGroup]:
    changes = archive.events.weight_changes()
    groups = list[OldGroup]()
    for name in migration.fleets.baseline.names:
        series = Series(source, "baseline", name, "requests", "sum", "count")
        coverage = result.requests.get(series)
        rows = _requests(result.frame[result.frame["target_group"] == name])
        groups.append(
            old_group(
                name,
                _known(rows, coverage.unanswered if coverage else (window,)),
                window,
                changes,
                required_s=migration.drained_after_hours * HOUR_S,
                has_reported=coverage is not None and coverage.ever_reported,
            )
        )
    return groups


def _busiest_hour(result: MetricsResult, until: int) -> int | None:
    """Of both fleets together."""
    if not result.requests:
        return None
    unanswered = merge_windows(gap for coverage in result.requests.values() for gap in coverage.unanswered)
    return busiest_hour(_known(_requests(result.frame), unanswered), until)


def _requests(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[(frame["metric"] == "requests") & np.isin(frame["fleet"], FLEETS)].sort_values("ts", kind="stable")


def _known(rows: pd.DataFrame, unanswered: tuple[Window, ...]) -> KnownRequests:
    return KnownRequests(epoch_s(rows), rows["period_s"].to_numpy(), rows["value"].to_numpy(), unanswered)
