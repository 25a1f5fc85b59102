"""The demo's access logs: every minute's requests shared out over the routes of a photo service, so that they add up to the demo's numbers.

Since the step to 50:50 one route is broken on ECS: it has most of that fleet's errors, and all the others have fewer, so that the totals agree.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from domain import Clock, Window, utc_now
from domain.log_counts import COUNTS, EXAMPLES, LOG_BUCKET_RATIO, LOG_BUCKETS_FROM_MS, NO_STATUS, UNANSWERED_MS
from domain.window import MINUTE_S
from sources.access_logs.base import LogListing
from sources.access_logs.counter import FileStats, LogCounts
from sources.access_logs.filenames import FILE_INTERVAL_S, LogFile
from sources.base import Health, Problem
from sources.demo.metrics import Floats, Ints, LatencyDistributions, quantile, request_outcomes, uniform
from sources.demo.scenario import EC2, Scenario, scenario_for

DELIVERY_DELAY_S = 300  # a file comes so long after its last line
COMPRESSED_LINE_BYTES = 60  # of a packed line
EXAMPLES_PER_MINUTE = 12


@dataclass(frozen=True, slots=True)
class DemoRoute:
    """`often` of 1000 requests. `tilt`: above 0 more of the slow answers than of the quick ones are its. `fails`: how prone to errors it is."""

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
_BROKEN_ERROR_SHARE = 0.2  # of the errors of ECS, since the last step: ten times its share of the requests

_ROUTE_WEIGHTS = np.array([one.weight for one in DEMO_ROUTES])
_WEIGHTS_BY_OUTCOME = {
    "target_2xx": _ROUTE_WEIGHTS,
    "target_3xx": _ROUTE_WEIGHTS * [one.route in ("/", "/photos/:id", "/users/:id/albums") for one in DEMO_ROUTES],
    "target_4xx": _ROUTE_WEIGHTS
    * [one.route in ("/photos/:id", "/v1/items/:id") or "<" in one.route for one in DEMO_ROUTES],
    "target_5xx": _ROUTE_WEIGHTS * [one.error_weight for one in DEMO_ROUTES],
    "unanswered": _ROUTE_WEIGHTS,
}
_STATUS_BY_OUTCOME = {"target_3xx": 304, "target_4xx": 404, "target_5xx": 500}
_SUCCESS_STATUS = np.array([201 if one.method == "POST" else 200 for one in DEMO_ROUTES])
_IS_BROKEN_ROUTE = np.array([one.route == BROKEN_ROUTE for one in DEMO_ROUTES])
# Where a minute's answers are cut into parts of like latency: more finely where they are slow.
_QUANTILE_EDGES = np.array(
    [0, *np.linspace(0.05, 0.85, 9), 0.9, 0.93, 0.95, 0.965, 0.98, 0.987, 0.993, 0.997, 0.999, 1.0]
)
_N_PARTS = len(_QUANTILE_EDGES) - 1
_RANDOM_STREAM = 4000  # of randomness; demo_numbers has those below


class DemoLogs:
    """A sources.access_logs.base.CountedElsewhere: a file every five minutes, counted from the story."""

    name = "demo_logs"

    def __init__(self, *, anchor: datetime, clock: Clock = utc_now) -> None:
        self._scenario, self._clock = scenario_for(anchor), clock

    def files(self, window: Window) -> LogListing:
        """The files of `window` that have come by now."""
        end = (int(self._clock().timestamp()) - DELIVERY_DELAY_S) // FILE_INTERVAL_S * FILE_INTERVAL_S
        inside = window.aligned(FILE_INTERVAL_S).overlap(
            Window(self._scenario.start, max(end, self._scenario.start + FILE_INTERVAL_S))
        )
        starts = range(inside.start, inside.end, FILE_INTERVAL_S) if inside else ()
        return LogListing(tuple(_file(Window(start, start + FILE_INTERVAL_S)) for start in starts))

    def download(self, file: LogFile) -> Problem:
        """There are no such files."""
        return Problem("not_found", self.name, "read", file.key)

    def count(self, files: Sequence[LogFile]) -> LogCounts:
        windows = [file.window for file in files if file.window]
        minutes = np.concatenate([np.arange(one.start, one.end, MINUTE_S, dtype=np.int64) for one in windows])
        counts, examples = _simulate_requests(self._scenario, minutes)
        minute, n = counts["minute"].to_numpy(), counts["n"].to_numpy()
        lines = [int(n[(minute >= one.start) & (minute < one.end)].sum()) for one in windows]
        return LogCounts(
            counts, examples, tuple(FileStats(file.key, many, many) for file, many in zip(files, lines, strict=True))
        )

    def check(self) -> tuple[Health, ...]:
        return (Health(self.name, "demo", "up", 0.0),)


def _file(window: Window) -> LogFile:
    name = f"123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_{window.ends_at:%Y%m%dT%H%MZ}_10.0.1.10_demo.log"
    return LogFile(name, 5 * 12_000 * COMPRESSED_LINE_BYTES, window)


def _simulate_requests(story: Scenario, minutes: Ints) -> tuple[pa.Table, pa.Table]:
    """Counts and examples of some minutes, once all of their requests have come."""
    blocks = [
        block
        for group, (counts, mixture) in request_outcomes(story, minutes, now=int(minutes.max()) + 3600).items()
        if mixture.requests.any()
        for block in _outcome_blocks(story, group, minutes, counts, mixture)
    ]
    columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    route = columns.pop("route")
    for name in ("host", "method", "route"):
        columns[name] = np.array([getattr(one, name) for one in DEMO_ROUTES], dtype=object)[route]
    counts = pa.table({name: columns[name] for name in COUNTS.names}, schema=COUNTS)
    return counts, _examples(counts, route)


def _outcome_blocks(
    story: Scenario, group: str, minutes: Ints, counts: Mapping[str, Floats], mixture: LatencyDistributions
) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """One target group's requests, a block for each way in which they end. What the blocks hold adds up to its counts."""
    latency_ms = _part_latencies_ms(minutes, mixture, _RANDOM_STREAM + 100 * (group != EC2))
    broken = (minutes >= story.steps[-1].ts) & (group != EC2)
    for number, (what, among) in enumerate(_WEIGHTS_BY_OUTCOME.items()):
        stream = _RANDOM_STREAM + 10 + number + 100 * (group != EC2)
        share = np.broadcast_to(among / among.sum(), (len(minutes), len(DEMO_ROUTES)))
        if what == "unanswered":
            for code, by in (("alb_502", group), ("alb_504", group), ("alb_503", "")):
                n = _distribute(counts[code], share, minutes, stream + int(code[-1]) * 10).sum(axis=1)
                minute, route = np.nonzero(n)
                nothing = np.full(len(minute), NO_STATUS)
                ends = (np.full(len(minute), int(code[-3:])), nothing, np.full(len(minute), UNANSWERED_MS))
                yield _block(minutes[minute], route, by, *ends, n[minute, route])
            continue
        if what == "target_5xx":
            share = np.where(
                broken[:, None], _BROKEN_ERROR_SHARE * _IS_BROKEN_ROUTE + (1 - _BROKEN_ERROR_SHARE) * share, share
            )
        n = _distribute(counts[what], share, minutes, stream)
        minute, part, route = np.nonzero(n)
        status = (
            np.full(len(minute), _STATUS_BY_OUTCOME[what]) if what in _STATUS_BY_OUTCOME else _SUCCESS_STATUS[route]
        )
        yield _block(minutes[minute], route, group, status, status, latency_ms[minute, part], n[minute, part, route])


def _block(
    minute: Ints, route: Ints, group: str, elb: Ints, target: Ints, latency_ms: Ints, n: Ints
) -> dict[str, npt.NDArray[Any]]:
    return {
        "minute": minute,
        "route": route,
        "target_group": np.full(len(minute), group, dtype=object),
        "elb_status": elb.astype(np.int16),
        "target_status": target.astype(np.int16),
        "latency_ms": latency_ms.astype(np.int32),
        "n": n,
    }


def _part_latencies_ms(minutes: Ints, mixture: LatencyDistributions, stream: int) -> Ints:
    """A latency in milliseconds for each (minute, part), somewhere inside the part, as domain.log_counts writes it."""
    u = uniform(minutes[:, None] // MINUTE_S * 64 + np.arange(_N_PARTS), stream)
    p = np.clip(_QUANTILE_EDGES[:-1] + u * np.diff(_QUANTILE_EDGES), 0.002, 0.9999)
    ms = np.rint(1000 * quantile(mixture.median[:, None], mixture.stretch[:, None], np.log(p / (1 - p))))
    steps = np.rint(np.log(np.maximum(ms, LOG_BUCKETS_FROM_MS) / LOG_BUCKETS_FROM_MS) / np.log(LOG_BUCKET_RATIO))
    slow = np.rint(LOG_BUCKETS_FROM_MS * LOG_BUCKET_RATIO**steps)
    found: Ints = np.where(ms < LOG_BUCKETS_FROM_MS, ms, slow).astype(np.int64)
    return found


def _distribute(total: Floats, share: Floats, minutes: Ints, stream: int) -> Ints:
    """`total` requests of every minute over (minute, part, route): whole numbers that add up to it, by systematic sampling."""
    flat = (share[:, None, :] * _route_part_weights()[None]).reshape(len(total), -1)
    upto = np.cumsum(flat, axis=1)
    upto *= (total / upto[:, -1])[:, None]
    upto[:, -1] = total
    whole = np.floor(upto + uniform(minutes // MINUTE_S, stream)[:, None]).astype(np.int64)
    return np.diff(whole, axis=1, prepend=0).reshape(len(total), _N_PARTS, len(DEMO_ROUTES))


@cache
def _route_part_weights() -> Floats:
    """(part, route): which part of a route's answers is how slow. Over all routes the parts have the size that they have in the whole."""
    sizes, share = np.diff(_QUANTILE_EDGES), _ROUTE_WEIGHTS / _ROUTE_WEIGHTS.sum()
    middle = np.clip((_QUANTILE_EDGES[:-1] + _QUANTILE_EDGES[1:]) / 2, 0.01, 0.9995)
    found: Floats = np.exp(
        0.5 * np.array([one.latency_tilt for one in DEMO_ROUTES]) * np.log(middle / (1 - middle))[:, None]
    )
    for _ in range(200):  # fits both margins in turn (Deming and Stephan 1940)
        found *= (sizes / found.sum(axis=1))[:, None]
        found *= share / found.sum(axis=0)
    shares: Floats = found / share
    return shares


def _examples(counts: pa.Table, route: Ints) -> pa.Table:
    """Some lines of every minute that failed or were slow."""
    minute, status, ms = (counts[name].to_numpy() for name in ("minute", "elb_status", "latency_ms"))
    odd = np.flatnonzero((status >= 500) | (ms >= LOG_BUCKETS_FROM_MS))
    dice = uniform(minute * 31 + ms * 7 + status * 64 + route, _RANDOM_STREAM)
    odd = odd[np.lexsort((dice[odd], minute[odd]))]
    nth = np.arange(len(odd)) - np.searchsorted(minute[odd], minute[odd])
    odd = odd[nth < EXAMPLES_PER_MINUTE]
    chance = uniform((dice[odd] * 2**40).astype(np.int64), _RANDOM_STREAM + 1)
    some = counts.take(pa.array(odd))
    paths = [
        DEMO_ROUTES[place].path.format(n=int(1e6 * u), hex=f"{int(2**52 * u):016x}")
        for place, u in zip(route[odd], chance, strict=True)
    ]
    targets = [
        f"10.0.{10 if group == EC2 else 11}.{20 + 7 * int(4 * u)}:8080" if group else "-"
        for group, u in zip(some["target_group"].to_pylist(), chance, strict=True)
    ]
    columns = {name: some[name] for name in EXAMPLES.names if name in some.column_names}
    columns |= {"ts": pa.array(minute[odd] + 60 * chance), "path": pa.array(paths), "target": pa.array(targets)}
    return pa.table({name: columns[name] for name in EXAMPLES.names}, schema=EXAMPLES)
