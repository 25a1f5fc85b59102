"""Whether the old fleet is empty: its requests, rules, targets and batches, from the archive."""

from collections.abc import Sequence
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


def read_callers(source: LogSource | None, archive: Archive, drain: Drain) -> Callers | None:
    """Who called the old fleet last, from the log files around the last request. None without logs, without such requests, and while they are due:

    while a rule without a condition sends requests there. Raises ArchiveError.
    """
    late = [item for item in drain.obstacles if item.kind == "requests" and item.ts]
    is_due = any(item.kind == "forwards" and item.rule and not item.rule.is_conditional for item in drain.obstacles)
    if source is None or not late or is_due:
        return None
    last = max(item.ts or 0 for item in late)
    window = Window(last // MINUTE_S * MINUTE_S - CALLERS_S, last // MINUTE_S * MINUTE_S).aligned(FILE_INTERVAL_S)
    changed_at = max((change.ts for change in archive.events.weight_changes()), default=0)
    return find_callers(source, tuple(item.subject for item in late), window, changed_at=changed_at)


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
