"""Judging the access logs that were counted: the one way from the archive to routes, for pages, reports and commands."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.endpoints.endpoints import MOST_ROUTES, Endpoints, endpoints
from analysis.endpoints.route import Route, route_of
from archive.access_logs.tables import Lines
from archive.archive import Archive
from domain import FLEETS, FleetName, Migration, Window
from domain.window import MINUTE_S

LOGS = "access_logs"  # the name under which the archive's revision counts what was kept of logs
MOST_LINES = 20
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which requests are looked at: all, where nothing is chosen. `status` is a class of status codes, 2 to 5; see analysis.endpoints.endpoints."""

    method: str = ""
    host: str = ""
    status: int | None = None


@dataclass(frozen=True, slots=True)
class LogsJudged:
    """What the access logs of `window` say. `lines`: how the reading of them went; `minutes`: of how many minutes there are requests at all.

    `methods` and `hosts` are all that there are, the busiest first, whatever is chosen.
    """

    window: Window
    endpoints: Endpoints
    lines: Lines
    minutes: int
    methods: tuple[str, ...]
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RouteJudged:
    """A route's own page: the route, and lines of it that were slow or failed (domain.log_counts.EXAMPLES), at most MOST_LINES of each."""

    route: Route
    slowest: pa.Table
    failed: pa.Table


def judge_logs(archive: Archive, migration: Migration, window: Window, chosen: Chosen = Chosen()) -> LogsJudged | None:
    """The routes of `window`, judged by the migration's criteria; None where no log of it was counted. Raises ArchiveError."""
    counts = archive.log_counts(window)
    if not counts.num_rows:
        return None
    methods, hosts = (_busiest(counts, name) for name in ("method", "host"))
    minutes = len(np.unique(counts["minute"].to_numpy() // MINUTE_S))
    most = migration.access_logs.most_routes if migration.access_logs else MOST_ROUTES
    found = endpoints(
        _of(counts, chosen), fleet_of(migration), window, migration.criteria, most=most, status=chosen.status
    )
    return LogsJudged(window, found, archive.log_lines(window), minutes, methods, hosts)


def judge_route(
    archive: Archive, migration: Migration, window: Window, name: str, chosen: Chosen = Chosen()
) -> RouteJudged:
    """Everything that is known of the route `name` in `window`. Raises ArchiveError."""
    examples = _of(archive.log_examples(window), chosen)
    mine = examples.filter(pc.equal(examples["route"], name))
    if chosen.status is not None:
        mine = mine.filter(pa.array(mine["elb_status"].to_numpy() // 100 == chosen.status))
    slow = np.argsort(-mine["latency_ms"].to_numpy(), kind="stable")
    slow = slow[mine["latency_ms"].to_numpy()[slow] >= 0][:MOST_LINES]
    failed = np.flatnonzero(mine["elb_status"].to_numpy() >= 500)
    failed = failed[np.argsort(-mine["ts"].to_numpy()[failed], kind="stable")][:MOST_LINES]
    route = route_of(_of(archive.log_counts(window), chosen), fleet_of(migration), window, name)
    return RouteJudged(route, mine.take(pa.array(slow)), mine.take(pa.array(failed)))


def last_day(window: Window) -> Window:
    """What of a phase its logs are judged by where the page is about something else: weeks of them may be more than a page can wait for, or hold."""
    return Window(max(window.start, window.end - DAY_S), window.end)


def fleet_of(migration: Migration) -> dict[str, FleetName]:
    """The fleet of each target group by its name, which is all that a log line says of it."""
    return {group: fleet for fleet in FLEETS for group in migration.fleets[fleet].names}


def _of(rows: pa.Table, chosen: Chosen) -> pa.Table:
    for name, value in (("method", chosen.method), ("host", chosen.host)):
        if value:
            rows = rows.filter(pc.equal(rows[name], value))
    return rows


def _busiest(counts: pa.Table, name: str) -> tuple[str, ...]:
    sums = counts.group_by(name).aggregate([("n", "sum")]).sort_by([("n_sum", "descending"), (name, "ascending")])
    return tuple(sums[name].to_pylist())
