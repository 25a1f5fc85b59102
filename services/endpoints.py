"""Judges the counted access logs, route by route."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis import CriterionVerdict, Judgement, Verdict
from analysis.endpoints.endpoints import MAX_ROUTES, JudgedEndpoints, judge_endpoints
from analysis.endpoints.heatmap import HEATMAP_KEYS, LatencyHeatmap, all_routes_heatmap
from analysis.endpoints.route import RouteDetail, route_detail
from archive import Archive
from archive.access_logs.tables import LineCounts
from domain import FLEETS, FleetName, Migration, Window
from domain.log_counts import COUNTS, add_up
from domain.window import DAY_S, MINUTE_S
from sources.access_logs.filenames import FILE_INTERVAL_S

MAX_LOG_LINES = 20
MAX_JUDGED_MINUTES = 366 * DAY_S // MINUTE_S  # of a folder of logs; pages and options allow less
SUMMED = pa.schema([COUNTS.field(name) for name in ("minute", "host", "method", "target_group", "elb_status", "n")])
UNCOUNTED_STATUSES = (101, 460)  # in a target group's RequestCount, and in none of its response counts


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Selects requests; all by default. `status`: a class of status codes, 2 to 5."""

    method: str = ""
    host: str = ""
    status: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of counts that `filter_rows` needs."""
        chosen = {"method": self.method, "host": self.host, "elb_status": self.status}
        return tuple(name for name, value in chosen.items() if value)


@dataclass(frozen=True, slots=True)
class EndpointsView:
    """The judged access logs of `window`. `lines`: how many lines were read and parsed; `minutes`: how many have requests.

    `not_counted`: each fleet's requests by the UNCOUNTED_STATUSES, which explain requests without a counted response.
    `methods`, `hosts`: by requests, the most first; `target_groups`: by name. All three ignore the filter.
    """

    window: Window
    endpoints: JudgedEndpoints
    lines: LineCounts
    minutes: int
    methods: tuple[str, ...]
    hosts: tuple[str, ...]
    target_groups: tuple[str, ...] = ()
    not_counted: Mapping[FleetName, Mapping[int, int]] = field(default_factory=dict)

    @property
    def verdict_counts(self) -> Mapping[Verdict, int]:
        return Counter(endpoint.judgement.verdict for endpoint in self.endpoints.routes)


@dataclass(frozen=True, slots=True, eq=False)
class RouteView:
    """One route, with at most MAX_LOG_LINES of its slowest and of its newest failed requests (domain.log_counts.EXAMPLES)."""

    route: RouteDetail
    slowest: pa.Table
    failed: pa.Table


def judge_logs(
    archive: Archive,
    migration: Migration,
    window: Window,
    request_filter: RequestFilter = RequestFilter(),
    *,
    checkpoint: Callable[[], None] = lambda: None,
) -> EndpointsView | None:
    """Judges the routes of `window` by the criteria of the migration; None if no log of it was counted. Raises ArchiveError.

    `checkpoint` is called again and again, and may raise to give up.
    """
    counted, sums = counted_part(archive, window), [SUMMED.empty_table()]

    def hours(counted: Window) -> Iterator[pa.Table]:
        for hour in archive.access_logs.iter_counts(counted):
            checkpoint()
            sums.append(add_up(hour, SUMMED.names[:-1]).cast(SUMMED))
            yield filter_rows(hour, request_filter)

    if counted is None:
        return None
    endpoints = judge_endpoints(
        hours(counted),
        fleet_by_target_group(migration),
        counted,
        migration.criteria,
        max_routes=migration.access_logs.max_routes if migration.access_logs else MAX_ROUTES,
        status=request_filter.status,
        before_route=checkpoint,
    )
    counts = pa.concat_tables(sums)
    if not counts.num_rows:
        return None
    return EndpointsView(
        window,
        endpoints,
        archive.access_logs.line_counts(window),
        pc.count_distinct(counts["minute"]).as_py(),
        _by_requests(counts, "method"),
        _by_requests(counts, "host"),
        tuple(sorted(name for name in pc.unique(counts["target_group"]).to_pylist() if name)),
        _not_counted(counts, fleet_by_target_group(migration)),
    )


def counted_part(archive: Archive, window: Window) -> Window | None:
    """`window` without the hours before the first and after the last counted line: the memory for a window grows with its length."""
    extent = archive.access_logs.extent()
    return window.clip(extent, MAX_JUDGED_MINUTES) if extent else None


def _not_counted(counts: pa.Table, fleet_of_group: Mapping[str, FleetName]) -> dict[FleetName, Mapping[int, int]]:
    sums = add_up(counts, ["target_group", "elb_status"]).to_pylist()
    result: dict[FleetName, Counter[int]] = {fleet: Counter() for fleet in FLEETS}
    for row in sums:
        if row["elb_status"] in UNCOUNTED_STATUSES and row["target_group"] in fleet_of_group:
            result[fleet_of_group[row["target_group"]]][row["elb_status"]] += row["n"]
    return {fleet: dict(numbers) for fleet, numbers in result.items()}


def judge_route(
    archive: Archive,
    migration: Migration,
    window: Window,
    name: str,
    request_filter: RequestFilter = RequestFilter(),
    *,
    checkpoint: Callable[[], None] = lambda: None,
) -> RouteView:
    """The route `name` in `window`. Raises ArchiveError. `checkpoint` may raise to give up."""
    window = counted_part(archive, window) or Window(window.start, window.start + MINUTE_S)
    examples = filter_rows(archive.access_logs.examples(window), request_filter, by_status=True)
    lines = examples.filter(pc.equal(examples["route"], name))
    slow = np.argsort(-lines["latency_ms"].to_numpy(), kind="stable")
    slow = slow[lines["latency_ms"].to_numpy()[slow] >= 0][:MAX_LOG_LINES]
    failed = np.flatnonzero(lines["elb_status"].to_numpy() >= 500)
    failed = failed[np.argsort(-lines["ts"].to_numpy()[failed], kind="stable")][:MAX_LOG_LINES]
    counts, newest = [COUNTS.empty_table()], window.start
    for hour in archive.access_logs.iter_counts(window):
        checkpoint()
        rows = filter_rows(hour, request_filter)
        newest = max(newest, pc.max(rows["minute"]).as_py() or newest)
        counts.append(rows.filter(pc.equal(rows["route"], name)).cast(COUNTS))
    until = min(window.end, newest + MINUTE_S)
    route = route_detail(pa.concat_tables(counts), fleet_by_target_group(migration), window, name, until=until)
    return RouteView(route, lines.take(pa.array(slow)), lines.take(pa.array(failed)))


def latency_of_all_routes(
    archive: Archive,
    migration: Migration,
    window: Window,
    request_filter: RequestFilter = RequestFilter(),
    *,
    checkpoint: Callable[[], None] = lambda: None,
) -> LatencyHeatmap | None:
    """Both fleets' latency over time; None without answers. Raises ArchiveError. `checkpoint` may raise to give up."""
    counted = counted_part(archive, window)
    if counted is None:
        return None
    sums = [COUNTS.empty_table().select([*HEATMAP_KEYS, "n"])]
    for hour in archive.access_logs.iter_counts(counted, [*sums[0].column_names, *request_filter.columns]):
        checkpoint()
        sums.append(add_up(filter_rows(hour, request_filter, by_status=True), HEATMAP_KEYS).cast(sums[0].schema))
    return all_routes_heatmap(pa.concat_tables(sums), fleet_by_target_group(migration), counted)


def log_window(phase: Window) -> Window:
    """The last day of a phase, to the end of a log file: the logs of weeks take too long, and too much memory, for what is not about them."""
    end = max(phase.end // FILE_INTERVAL_S * FILE_INTERVAL_S, phase.start + FILE_INTERVAL_S)
    return Window(max(phase.start, end - DAY_S), end)


def criterion_of(judgement: Judgement, metric: str) -> CriterionVerdict | None:
    """The criterion of a metric; None if the migration, or the filter by status, does not judge it."""
    return next((result for result in judgement.criteria if result.metric == metric), None)


def fleet_by_target_group(migration: Migration) -> dict[str, FleetName]:
    """The fleet of each target group by its name: log lines have no other reference."""
    return {group: fleet for fleet in FLEETS for group in migration.fleets[fleet].names}


def filter_rows(rows: pa.Table, request_filter: RequestFilter, *, by_status: bool = False) -> pa.Table:
    """The rows of the filter's method and host, and `by_status` of its class of status codes."""
    for name, value in (("method", request_filter.method), ("host", request_filter.host)):
        if value:
            rows = rows.filter(pc.equal(rows[name], value))
    if by_status and request_filter.status is not None:
        rows = rows.filter(pa.array(rows["elb_status"].to_numpy() // 100 == request_filter.status))
    return rows


def _by_requests(counts: pa.Table, column: str) -> tuple[str, ...]:
    sums = add_up(counts, [column]).sort_by([("n", "descending"), (column, "ascending")])
    return tuple(sums[column].to_pylist())
