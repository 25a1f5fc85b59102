"""Judging the access logs that were counted: the one way from the archive to routes, for pages, reports and commands."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.endpoints.endpoints import MAX_ROUTES, JudgedEndpoints, judge_endpoints
from analysis.endpoints.route import RouteDetail, route_detail
from archive.access_logs.tables import LineCounts
from archive.archive import Archive
from domain import FLEETS, FleetName, Migration, Window
from domain.window import MINUTE_S

ACCESS_LOGS = "access_logs"  # the name under which the archive's revision counts what was kept of logs
MAX_LOG_LINES = 20
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Which requests are looked at: all, where nothing is chosen. `status` is a class of status codes, 2 to 5; see analysis.endpoints.endpoints."""

    method: str = ""
    host: str = ""
    status: int | None = None


@dataclass(frozen=True, slots=True)
class EndpointsView:
    """What the access logs of `window` say. `lines`: how the reading of them went; `minutes`: of how many minutes there are requests at all.

    `methods` and `hosts` are all that there are, the busiest first, whatever is chosen.
    """

    window: Window
    endpoints: JudgedEndpoints
    lines: LineCounts
    minutes: int
    methods: tuple[str, ...]
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RouteView:
    """A route's own page: the route, and lines of it that were slow or failed (domain.log_counts.EXAMPLES), at most MOST_LINES of each."""

    route: RouteDetail
    slowest: pa.Table
    failed: pa.Table


def judge_logs(
    archive: Archive, migration: Migration, window: Window, request_filter: RequestFilter = RequestFilter()
) -> EndpointsView | None:
    """The routes of `window`, judged by the migration's criteria; None where no log of it was counted. Raises ArchiveError."""
    counts = archive.access_logs.counts(window)
    if not counts.num_rows:
        return None
    methods, hosts = (_by_requests(counts, name) for name in ("method", "host"))
    minutes = len(np.unique(counts["minute"].to_numpy() // MINUTE_S))
    most = migration.access_logs.max_routes if migration.access_logs else MAX_ROUTES
    found = judge_endpoints(
        _filter_rows(counts, request_filter),
        fleet_by_target_group(migration),
        window,
        migration.criteria,
        max_routes=most,
        status=request_filter.status,
    )
    return EndpointsView(window, found, archive.access_logs.line_counts(window), minutes, methods, hosts)


def judge_route(
    archive: Archive, migration: Migration, window: Window, name: str, request_filter: RequestFilter = RequestFilter()
) -> RouteView:
    """Everything that is known of the route `name` in `window`. Raises ArchiveError."""
    examples = _filter_rows(archive.access_logs.examples(window), request_filter)
    mine = examples.filter(pc.equal(examples["route"], name))
    if request_filter.status is not None:
        mine = mine.filter(pa.array(mine["elb_status"].to_numpy() // 100 == request_filter.status))
    slow = np.argsort(-mine["latency_ms"].to_numpy(), kind="stable")
    slow = slow[mine["latency_ms"].to_numpy()[slow] >= 0][:MAX_LOG_LINES]
    failed = np.flatnonzero(mine["elb_status"].to_numpy() >= 500)
    failed = failed[np.argsort(-mine["ts"].to_numpy()[failed], kind="stable")][:MAX_LOG_LINES]
    route = route_detail(
        _filter_rows(archive.access_logs.counts(window), request_filter), fleet_by_target_group(migration), window, name
    )
    return RouteView(route, mine.take(pa.array(slow)), mine.take(pa.array(failed)))


def last_day(window: Window) -> Window:
    """What of a phase its logs are judged by where the page is about something else: weeks of them may be more than a page can wait for, or hold."""
    return Window(max(window.start, window.end - DAY_S), window.end)


def fleet_by_target_group(migration: Migration) -> dict[str, FleetName]:
    """The fleet of each target group by its name, which is all that a log line says of it."""
    return {group: fleet for fleet in FLEETS for group in migration.fleets[fleet].names}


def _filter_rows(rows: pa.Table, request_filter: RequestFilter) -> pa.Table:
    for name, value in (("method", request_filter.method), ("host", request_filter.host)):
        if value:
            rows = rows.filter(pc.equal(rows[name], value))
    return rows


def _by_requests(counts: pa.Table, column: str) -> tuple[str, ...]:
    sums = counts.group_by(column).aggregate([("n", "sum")]).sort_by([("n_sum", "descending"), (column, "ascending")])
    return tuple(sums[column].to_pylist())
