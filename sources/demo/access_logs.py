"""The demo's access logs: each minute's requests distributed over the routes of a photo service, so that they add up to the demo's metrics.

Since the step to 50:50 one route is broken on ECS: it has most of that fleet's errors, and the others have fewer, so that the totals agree.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain import Window
from domain.log_counts import COUNTS, EXAMPLES, LOG_BUCKET_RATIO, LOG_BUCKETS_FROM_MS, NO_STATUS, UNANSWERED_MS
from domain.trace_ids import TraceId
from domain.window import HOUR_S, MINUTE_S
from sources.access_logs.base import LogListing
from sources.access_logs.counter import FileStats, LogCounts
from sources.access_logs.filenames import FILE_INTERVAL_S, LogFile
from sources.access_logs.log_line import LogLine
from sources.base import Problem
from sources.demo.base import DemoSource
from sources.demo.log_details import demo_sizes, demo_traits
from sources.demo.metrics import Floats, Ints, LatencyDistributions, request_outcomes, uniform
from sources.demo.scenario import EC2, Scenario

DELIVERY_DELAY_S = 300
COMPRESSED_LINE_BYTES = 60
EXAMPLES_PER_MINUTE = 12


@dataclass(frozen=True, slots=True)
class DemoRoute:
    """`weight`: of 1000 requests. `latency_tilt`: above 0, the route has more of the slow answers. `error_weight`: relative frequency of errors."""

    host: str
    method: str
    route: str
    path: str
    weight: float
    latency_tilt: float = 0.0
    error_weight: float = 1.0


_WEB, _API = "photo.example.com", "api.photo.example.com"
BROKEN_ROUTE = "/v1/albums/:id/share"
DEMO_ROUTES = (
    DemoRoute(_WEB, "GET", "/", "/", 60, -0.2),
    DemoRoute(_WEB, "GET", "/photos/:id", "/photos/{n}", 210),
    DemoRoute(_WEB, "GET", "/photos/:id/comments", "/photos/{n}/comments", 90, 0.2),
    DemoRoute(_WEB, "POST", "/photos/:id/comments", "/photos/{n}/comments", 18, 0.4, 2),
    DemoRoute(_WEB, "GET", "/img/:id.jpg", "/img/{hex}.jpg", 290, -0.7, 0.2),
    DemoRoute(_WEB, "GET", "/users/:id/albums", "/users/{n}/albums", 80, 0.1),
    DemoRoute(_WEB, "GET", "/search", "/search", 40, 0.9),
    DemoRoute(_WEB, "POST", "/upload", "/upload", 22, 2.2, 3),
    DemoRoute(_WEB, "GET", "/static/app.css", "/static/app.css", 60, -1.4, 0.05),
    DemoRoute(_API, "GET", "/v1/items/:id", "/v1/items/{hex}", 75, -0.1),
    DemoRoute(_API, "GET", "/v1/feed", "/v1/feed", 34, 0.5),
    DemoRoute(_API, "POST", BROKEN_ROUTE, "/v1/albums/{n}/share", 19, 0.2),
    DemoRoute(_WEB, "GET", "/search/<script>alert(1)</script>", "/search/<script>alert(1)</script>", 0.6, 0.9),
    DemoRoute(_WEB, "GET", "/healthz", "/healthz", 1.4, -2.0, 0),
)
_BROKEN_ERROR_SHARE = 0.2  # of the errors of ECS since the last step: ten times its share of the requests

_ROUTE_WEIGHTS = np.array([route.weight for route in DEMO_ROUTES])
_WEIGHTS_BY_OUTCOME = {
    "target_2xx": _ROUTE_WEIGHTS,
    "target_3xx": _ROUTE_WEIGHTS * [route.route in ("/", "/photos/:id", "/users/:id/albums") for route in DEMO_ROUTES],
    "target_4xx": _ROUTE_WEIGHTS
    * [route.route in ("/photos/:id", "/v1/items/:id") or "<" in route.route for route in DEMO_ROUTES],
    "target_5xx": _ROUTE_WEIGHTS * [route.error_weight for route in DEMO_ROUTES],
    "unanswered": _ROUTE_WEIGHTS,
}
_STATUS_BY_OUTCOME = {"target_3xx": 304, "target_4xx": 404, "target_5xx": 500}
_SUCCESS_STATUS = np.array([201 if route.method == "POST" else 200 for route in DEMO_ROUTES])
_IS_BROKEN_ROUTE = np.array([route.route == BROKEN_ROUTE for route in DEMO_ROUTES])
# Quantiles that divide a minute's answers into parts of similar latency, more finely for slow ones.
_QUANTILE_EDGES = np.array(
    [0, *np.linspace(0.05, 0.85, 9), 0.9, 0.93, 0.95, 0.965, 0.98, 0.987, 0.993, 0.997, 0.999, 1.0]
)
_N_PARTS = len(_QUANTILE_EDGES) - 1
_RANDOM_STREAM = 4000  # above those of metrics.py


class DemoLogs(DemoSource):
    """A RemoteCounter and LineFinder: a file every five minutes, counted from the scenario."""

    name = "demo_logs"

    def files(self, window: Window) -> LogListing:
        """The files of `window` that have been delivered by now."""
        start = self._scenario.start
        end = (self._now() - DELIVERY_DELAY_S) // FILE_INTERVAL_S * FILE_INTERVAL_S
        available = window.aligned(FILE_INTERVAL_S).overlap(Window(start, max(end, start + FILE_INTERVAL_S)))
        return LogListing(tuple(map(_file, available.chunks(FILE_INTERVAL_S) if available else ())))

    def download(self, file: LogFile) -> Problem:
        """Not supported."""
        return Problem("not_found", self.name, "read", file.key)

    def find_lines(self, file: LogFile, trace_id: TraceId) -> tuple[LogLine, ...]:
        """A request that was sent at the time of the id. The random part decides all about it; if it begins with 0, the line was not delivered.

        If it begins with 1, it was sent to HTTP:80 first, which redirects.
        """
        if file.window is None or not file.window.start <= trace_id.ts < file.window.end:
            return ()
        return tuple(_requests_of_id(self._scenario, trace_id))

    def count(self, files: Sequence[LogFile]) -> LogCounts:
        windows = [file.window for file in files if file.window]
        starts = [np.arange(window.start, window.end, MINUTE_S, dtype=np.int64) for window in windows]
        counts, examples = _simulate_requests(self._scenario, np.concatenate(starts))
        minute, n = counts["minute"].to_numpy(), counts["n"].to_numpy()
        lines = [int(n[(minute >= window.start) & (minute < window.end)].sum()) for window in windows]
        stats = (FileStats(file.key, n_lines, n_lines) for file, n_lines in zip(files, lines, strict=True))
        last_step = self._scenario.steps[-1].ts
        return LogCounts(counts, examples, tuple(stats), demo_sizes(counts, last_step), demo_traits(counts, last_step))


def _requests_of_id(scenario: Scenario, trace_id: TraceId) -> Iterator[LogLine]:
    digits = trace_id.text.rpartition("-")[2]
    if digits.startswith("0"):
        return
    counts, _ = _simulate_requests(scenario, np.array([trace_id.ts // MINUTE_S * MINUTE_S]))
    position = int(int(digits[1:13], 16) / 2**48 * pc.sum(counts["n"]).as_py())
    row = int(np.searchsorted(np.cumsum(counts["n"].to_numpy()), position, side="right"))
    request = counts.slice(row, 1).to_pylist()[0]
    u = int(digits[13:], 16) / 2**44
    route = next(item for item in DEMO_ROUTES if (item.host, item.route) == (request["host"], request["route"]))
    path = _example_path(route, u)
    if digits.startswith("1"):
        at = trace_id.ts + 0.1
        yield LogLine(
            at, at, "http", route.method, route.host, path, route.route, "", "", 301, None, None, None, None, "redirect"
        )
    created = trace_id.ts + 0.2
    target_s = request["latency_ms"] / 1000 if request["latency_ms"] >= 0 else None
    yield LogLine(
        ts=created + (target_s or 0.0) + 0.001,
        created=created,
        type="h2",
        method=request["method"],
        host=request["host"],
        path=path,
        route=request["route"],
        target_group=request["target_group"],
        target=_example_target(request["target_group"], u),
        elb_status=request["elb_status"],
        target_status=None if request["target_status"] == NO_STATUS else request["target_status"],
        request_s=0.001 if request["target_group"] else None,
        target_s=target_s,
        response_s=None if target_s is None else 0.0,
        actions="forward",
    )


def _example_path(route: DemoRoute, u: float) -> str:
    return route.path.format(n=int(1e6 * u), hex=f"{int(2**52 * u):016x}")


def _example_target(group: str, u: float) -> str:
    return f"10.0.{10 if group == EC2 else 11}.{20 + 7 * int(4 * u)}:8080" if group else ""


def _file(window: Window) -> LogFile:
    name = f"123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_{window.ends_at:%Y%m%dT%H%MZ}_10.0.1.10_demo.log"
    return LogFile(name, 5 * 12_000 * COMPRESSED_LINE_BYTES, window)


def _simulate_requests(scenario: Scenario, minutes: Ints) -> tuple[pa.Table, pa.Table]:
    """The final counts of some minutes, and examples."""
    outcomes = request_outcomes(scenario, minutes, now=int(minutes.max()) + HOUR_S)
    blocks = [
        block
        for group, (counts, latency) in outcomes.items()
        if latency.requests.any()
        for block in _outcome_blocks(scenario, group, minutes, counts, latency)
    ]
    columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    route = columns.pop("route")
    for name in ("host", "method", "route"):
        columns[name] = pa.array([getattr(item, name) for item in DEMO_ROUTES]).take(pa.array(route))
    counts = pa.table({name: columns[name] for name in COUNTS.names}, schema=COUNTS)
    return counts, _examples(counts, route)


def _outcome_blocks(
    scenario: Scenario, group: str, minutes: Ints, counts: Mapping[str, Floats], latency: LatencyDistributions
) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """A target group's requests as columns, one block for each outcome. The blocks add up to `counts`."""
    offset = _RANDOM_STREAM + 100 * (group != EC2)
    latency_ms = _part_latencies_ms(minutes, latency, offset)
    broken = (minutes >= scenario.steps[-1].ts) & (group != EC2)
    for number, (outcome, weights) in enumerate(_WEIGHTS_BY_OUTCOME.items()):
        stream = offset + 10 + number
        share = np.broadcast_to(weights / weights.sum(), (len(minutes), len(DEMO_ROUTES)))
        if outcome == "unanswered":
            for code, target_group in (("alb_502", group), ("alb_504", group), ("alb_503", "")):
                n = _distribute(counts[code], share, minutes, stream + int(code[-1]) * 10).sum(axis=1)
                minute, route = np.nonzero(n)
                status = np.full(len(minute), int(code[-3:]))
                no_status, no_latency = np.full_like(status, NO_STATUS), np.full_like(status, UNANSWERED_MS)
                columns = (minutes[minute], route, status, no_status, no_latency, n[minute, route])
                yield _block(target_group, *columns)
            continue
        if outcome == "target_5xx":
            with_broken = _BROKEN_ERROR_SHARE * _IS_BROKEN_ROUTE + (1 - _BROKEN_ERROR_SHARE) * share
            share = np.where(broken[:, None], with_broken, share)
        n = _distribute(counts[outcome], share, minutes, stream)
        minute, part, route = np.nonzero(n)
        status = (
            np.full(len(minute), _STATUS_BY_OUTCOME[outcome])
            if outcome in _STATUS_BY_OUTCOME
            else _SUCCESS_STATUS[route]
        )
        columns = (minutes[minute], route, status, status, latency_ms[minute, part], n[minute, part, route])
        yield _block(group, *columns)


def _block(target_group: str, *columns: Ints) -> dict[str, npt.NDArray[Any]]:
    names = ("minute", "route", "elb_status", "target_status", "latency_ms", "n")
    groups = np.full(len(columns[0]), target_group, dtype=object)
    return {"target_group": groups, **dict(zip(names, columns, strict=True))}


def _part_latencies_ms(minutes: Ints, latency: LatencyDistributions, stream: int) -> Ints:
    """A latency in milliseconds for each (minute, part), inside the part, rounded as in domain.log_counts."""
    u = uniform(minutes[:, None] // MINUTE_S * 64 + np.arange(_N_PARTS), stream)
    p = np.clip(_QUANTILE_EDGES[:-1] + u * np.diff(_QUANTILE_EDGES), 0.002, 0.9999)
    ms = np.rint(1000 * latency.reshape(1).quantile(np.log(p / (1 - p))))
    buckets = np.rint(np.log(np.maximum(ms, LOG_BUCKETS_FROM_MS) / LOG_BUCKETS_FROM_MS) / np.log(LOG_BUCKET_RATIO))
    slow_ms = np.rint(LOG_BUCKETS_FROM_MS * LOG_BUCKET_RATIO**buckets)
    rounded_ms: Ints = np.where(ms < LOG_BUCKETS_FROM_MS, ms, slow_ms).astype(np.int64)
    return rounded_ms


def _distribute(total: Floats, share: Floats, minutes: Ints, stream: int) -> Ints:
    """Distributes `total` requests of each minute over (minute, part, route): integers that add up to it, by systematic sampling."""
    weights = (share[:, None, :] * _route_part_weights()[None]).reshape(len(total), -1)
    cumulative = np.cumsum(weights, axis=1)
    cumulative *= (total / cumulative[:, -1])[:, None]
    cumulative[:, -1] = total
    rounded = np.floor(cumulative + uniform(minutes // MINUTE_S, stream)[:, None]).astype(np.int64)
    return np.diff(rounded, axis=1, prepend=0).reshape(len(total), _N_PARTS, len(DEMO_ROUTES))


@cache
def _route_part_weights() -> Floats:
    """(part, route): the share of a route's answers in each part. Over all routes the parts have their overall size."""
    sizes, share = np.diff(_QUANTILE_EDGES), _ROUTE_WEIGHTS / _ROUTE_WEIGHTS.sum()
    middle = np.clip((_QUANTILE_EDGES[:-1] + _QUANTILE_EDGES[1:]) / 2, 0.01, 0.9995)
    tilts = np.array([route.latency_tilt for route in DEMO_ROUTES])
    joint: Floats = np.exp(0.5 * tilts * np.log(middle / (1 - middle))[:, None])
    for _ in range(200):  # iterative proportional fitting (Deming and Stephan 1940)
        joint *= (sizes / joint.sum(axis=1))[:, None]
        joint *= share / joint.sum(axis=0)
    weights: Floats = joint / share
    return weights


def _examples(counts: pa.Table, route: Ints) -> pa.Table:
    """Up to EXAMPLES_PER_MINUTE failed or slow requests of each minute."""
    minute, status, ms = (counts[name].to_numpy() for name in ("minute", "elb_status", "latency_ms"))
    rows = np.flatnonzero((status >= 500) | (ms >= LOG_BUCKETS_FROM_MS))
    u = uniform(minute * 31 + ms * 7 + status * 64 + route, _RANDOM_STREAM)
    rows = rows[np.lexsort((u[rows], minute[rows]))]
    rank = np.arange(len(rows)) - np.searchsorted(minute[rows], minute[rows])
    rows = rows[rank < EXAMPLES_PER_MINUTE]
    u = uniform((u[rows] * 2**40).astype(np.int64), _RANDOM_STREAM + 1)
    examples = counts.take(pa.array(rows))
    paths = [_example_path(DEMO_ROUTES[index], x) for index, x in zip(route[rows], u, strict=True)]
    targets = [
        _example_target(group, x) or "-" for group, x in zip(examples["target_group"].to_pylist(), u, strict=True)
    ]
    columns = {name: examples[name] for name in EXAMPLES.names if name in examples.column_names}
    columns |= {"ts": pa.array(minute[rows] + 60 * u), "path": pa.array(paths), "target": pa.array(targets)}
    return pa.table({name: columns[name] for name in EXAMPLES.names}, schema=EXAMPLES)
