"""One route in detail, from access log counts: percentiles, error status codes, and both fleets over time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.endpoints.endpoints import AnyArray, dictionary_encode, percentile_fraction
from analysis.endpoints.heatmap import LatencyHeatmap, latency_heatmap
from analysis.series.grid import BoolArray, FloatArray, nan_ratio
from analysis.series.quantiles import Percentile, block_percentiles, percentile
from domain import FLEETS, FleetName, Window
from domain.log_counts import NO_STATUS
from domain.window import MINUTE_S

PERCENTILES = ("p50", "p75", "p90", "p95", "p99")
MIN_ERROR_STATUS = 400
BLOCKS_S = (60, 300, 900, 3600, 3 * 3600, 86_400)
MAX_BLOCKS = 300
MIN_P95_ANSWERS = 20  # per block; of fewer, the p95 is the maximum


@dataclass(frozen=True, slots=True)
class StatusCount:
    """Requests with the status code `client` for the client and `target` from the target (None: the load balancer answered).

    `expected`: how many of each fleet's requests would have that status at the other fleet's rate.
    """

    client: int
    target: int | None
    requests: Mapping[FleetName, int]
    expected: Mapping[FleetName, float]


@dataclass(frozen=True, slots=True, eq=False)
class RouteTimeline:
    """One fleet in blocks of `block_s` from `ts` (epoch seconds): requests per minute, share of 5xx, p95 in seconds; NaN without data."""

    block_s: int
    ts: AnyArray
    requests: FloatArray
    error_rate: FloatArray
    p95: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class RouteDetail:
    """The data of a route's page. `codes`: all 4xx and 5xx, the most frequent first; `percentiles`: of all answers, by PERCENTILES;
    `heatmap`: None without answers."""

    codes: tuple[StatusCount, ...]
    percentiles: Mapping[FleetName, Mapping[str, Percentile | None]]
    timelines: Mapping[FleetName, RouteTimeline]
    heatmap: LatencyHeatmap | None

    def only_on(self, fleet: FleetName) -> tuple[StatusCount, ...]:
        """Codes of this fleet that the other does not have."""
        other: FleetName = "canary" if fleet == "baseline" else "baseline"
        return tuple(code for code in self.codes if code.requests[fleet] and not code.requests[other])

    @property
    def on_both(self) -> tuple[StatusCount, ...]:
        return tuple(code for code in self.codes if all(code.requests.values()))


def route_detail(
    counts: pa.Table, fleet_by_group: Mapping[str, FleetName], window: Window, route: str, *, until: int | None = None
) -> RouteDetail:
    """The details of `route` (ALL_ROUTES: the total) in `window`. `until`: the end of the newest minute of any route, by default of `counts`; before
    it, a route without rows had no requests."""
    until = until or min(window.end, int(pc.max(counts["minute"]).as_py() or window.start) + MINUTE_S)
    counted = Window(window.start, until)
    if route:
        counts = counts.filter(pc.equal(counts["route"], route))
    codes, names = dictionary_encode(counts["target_group"])
    groups = np.array([*(fleet_by_group.get(name, "") for name in names), ""], dtype="U8")[codes]
    columns = {column: counts[column].to_numpy() for column in ("minute", "elb_status", "target_status")}
    minute, elb, target = (column.astype(np.int64) for column in columns.values())
    ms, n = counts["latency_ms"].to_numpy().astype(np.int64), counts["n"].to_numpy()
    in_window = (minute >= window.start) & (minute < window.end)
    block_s = _block_s(window)
    percentiles, timelines = dict[FleetName, Mapping[str, Percentile | None]](), dict[FleetName, RouteTimeline]()
    for fleet in FLEETS:
        of_fleet = in_window & (groups == fleet)
        percentiles[fleet] = _percentiles(ms[of_fleet & (ms >= 0)], n[of_fleet & (ms >= 0)])
        timelines[fleet] = _timeline(
            minute[of_fleet],
            elb[of_fleet],
            ms[of_fleet],
            n[of_fleet],
            counted,
            block_s=block_s,
        )
    assigned = in_window & (groups != "")
    timed = assigned & (ms >= 0)
    return RouteDetail(
        _codes(groups[assigned], elb[assigned], target[assigned], n[assigned]),
        percentiles,
        timelines,
        latency_heatmap(groups[timed], minute[timed], ms[timed], n[timed], counted),
    )


def _codes(groups: FloatArray, elb: AnyArray, target: AnyArray, n: AnyArray) -> tuple[StatusCount, ...]:
    by_fleet: dict[FleetName, BoolArray] = {fleet: groups == fleet for fleet in FLEETS}
    totals = {fleet: int(n[by_fleet[fleet]].sum()) for fleet in FLEETS}
    result = []
    is_error = elb >= MIN_ERROR_STATUS
    for client, target_status in np.unique(np.column_stack([elb, target])[is_error], axis=0).tolist():
        same_status = (elb == client) & (target == target_status)
        requests: dict[FleetName, int] = {fleet: int(n[same_status & by_fleet[fleet]].sum()) for fleet in FLEETS}
        expected: dict[FleetName, float] = {
            fleet: requests[other] / totals[other] * totals[fleet] if totals[other] else 0.0
            for fleet, other in zip(FLEETS, reversed(FLEETS), strict=True)
        }
        result.append(StatusCount(client, None if target_status == NO_STATUS else target_status, requests, expected))
    return tuple(sorted(result, key=lambda code: (-sum(code.requests.values()), code.client, code.target or 0)))


def _percentiles(ms: AnyArray, n: AnyArray) -> dict[str, Percentile | None]:
    order = np.argsort(ms)
    return {name: percentile(ms[order], n[order], percentile_fraction(name)) for name in PERCENTILES}


def _block_s(window: Window) -> int:
    return next((block_s for block_s in BLOCKS_S if (window.end - window.start) / block_s <= MAX_BLOCKS), BLOCKS_S[-1])


def _timeline(
    minute: AnyArray, elb: AnyArray, ms: AnyArray, n: AnyArray, window: Window, *, block_s: int
) -> RouteTimeline:
    # Blocks are aligned to the clock, so that they stay the same while the window moves.
    first = window.start // block_s * block_s
    ts = np.arange(first, window.end, block_s)
    block = (minute - first) // block_s
    requests = np.bincount(block, weights=n, minlength=len(ts))
    errors = np.bincount(block, weights=n * (elb >= 500), minlength=len(ts))
    timed = ms >= 0
    p95 = block_percentiles(block[timed], ms[timed], n[timed], 0.95, len(ts), min_values=MIN_P95_ANSWERS)
    minutes = (np.minimum(ts + block_s, window.end) - np.maximum(ts, window.start)) / MINUTE_S
    return RouteTimeline(
        block_s, ts, requests / minutes, nan_ratio(errors.astype(np.float64), requests.astype(np.float64)), p95
    )
