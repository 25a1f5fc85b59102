"""One route from the counts of the access logs: how its times are distributed, with which codes it failed, and how both went over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.endpoints.endpoints import AnyArray
from analysis.series.grid import BoolArray, FloatArray
from analysis.series.quantiles import percentile
from domain import FLEETS, FleetName, Window
from domain.log_counts import NO_STATUS
from domain.window import MINUTE_S

MIN_ERROR_STATUS = 400
BLOCKS_S = (60, 300, 900, 3600, 3 * 3600, 86_400)
MAX_BLOCKS = 300
MIN_P95_ANSWERS = 20  # answers in a block: of fewer the p95 is the slowest


@dataclass(frozen=True, slots=True)
class StatusCount:
    """How requests ended: the code that the client saw, and the target's own (None where the load balancer answered in its place).

    `requests` of each fleet that ended so; `expected`: how many of the other fleet's would have, had they failed as often as this one's.
    """

    client: int
    target: int | None
    requests: Mapping[FleetName, int]
    expected: Mapping[FleetName, float]


@dataclass(frozen=True, slots=True, eq=False)
class LatencyDistribution:
    """Times in milliseconds, ascending, and the share (0–1) of the answers that took at most so long."""

    ms: AnyArray
    cumulative_share: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class RouteTimeline:
    """One fleet in blocks of `block_s`: the block's start (epoch seconds), requests, the share that ended in 5xx, p95 in seconds; NaN where nothing was."""

    block_s: int
    ts: AnyArray
    requests: FloatArray
    error_rate: FloatArray
    p95: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class RouteDetail:
    """What a route's own page shows. `codes`: all of 4xx and 5xx, the most frequent first."""

    codes: tuple[StatusCount, ...]
    distributions: Mapping[FleetName, LatencyDistribution]
    timelines: Mapping[FleetName, RouteTimeline]

    def only_on(self, fleet: FleetName) -> tuple[StatusCount, ...]:
        """Codes with which this fleet alone failed."""
        other: FleetName = "canary" if fleet == "baseline" else "baseline"
        return tuple(code for code in self.codes if code.requests[fleet] and not code.requests[other])

    @property
    def on_both(self) -> tuple[StatusCount, ...]:
        return tuple(code for code in self.codes if all(code.requests.values()))


def route_detail(counts: pa.Table, fleet_by_group: Mapping[str, FleetName], window: Window, route: str) -> RouteDetail:
    """Everything of the route `name` in `window`; of all of them together for ""."""
    # After the newest minute of any route nothing is known yet; a route that is silent before it had no requests.
    known = int(pc.max(counts["minute"]).as_py() or window.start) + MINUTE_S
    if route:
        counts = counts.filter(pc.equal(counts["route"], route))
    groups = np.array([fleet_by_group.get(group, "") for group in counts["target_group"].to_pylist()], dtype="U8")
    columns = {column: counts[column].to_numpy() for column in ("minute", "elb_status", "target_status")}
    minute, elb, target = (column.astype(np.int64) for column in columns.values())
    ms, n = counts["latency_ms"].to_numpy().astype(np.int64), counts["n"].to_numpy()
    inside = (minute >= window.start) & (minute < window.end)
    block_s = _block_s(window)
    distributions, courses = dict[FleetName, LatencyDistribution](), dict[FleetName, RouteTimeline]()
    for fleet in FLEETS:
        mine = inside & (groups == fleet)
        distributions[fleet] = _distribution(ms[mine & (ms >= 0)], n[mine & (ms >= 0)])
        courses[fleet] = _timeline(
            minute[mine], elb[mine], ms[mine], n[mine], Window(window.start, min(window.end, known)), block_s
        )
    here = inside & (groups != "")
    return RouteDetail(_codes(groups[here], elb[here], target[here], n[here]), distributions, courses)


def _codes(groups: FloatArray, elb: AnyArray, target: AnyArray, n: AnyArray) -> tuple[StatusCount, ...]:
    of: dict[FleetName, BoolArray] = {fleet: groups == fleet for fleet in FLEETS}
    whole = {fleet: int(n[of[fleet]].sum()) for fleet in FLEETS}
    found = []
    ends = sorted({(int(seen), int(own)) for seen, own in zip(elb, target, strict=True) if seen >= MIN_ERROR_STATUS})
    for seen, own in ends:
        alike = (elb == seen) & (target == own)
        requests: dict[FleetName, int] = {fleet: int(n[alike & of[fleet]].sum()) for fleet in FLEETS}
        expected: dict[FleetName, float] = {
            fleet: requests[other] / whole[other] * whole[fleet] if whole[other] else 0.0
            for fleet, other in zip(FLEETS, reversed(FLEETS), strict=True)
        }
        found.append(StatusCount(seen, None if own == NO_STATUS else own, requests, expected))
    return tuple(sorted(found, key=lambda code: (-sum(code.requests.values()), code.client, code.target or 0)))


def _distribution(ms: AnyArray, n: AnyArray) -> LatencyDistribution:
    times, place = np.unique(ms, return_inverse=True)
    upto = np.cumsum(np.bincount(place, weights=n, minlength=len(times)))
    return LatencyDistribution(times, upto / max(1, upto[-1:].sum()))


def _block_s(window: Window) -> int:
    return next((one for one in BLOCKS_S if (window.end - window.start) / one <= MAX_BLOCKS), BLOCKS_S[-1])


def _timeline(
    minute: AnyArray, elb: AnyArray, ms: AnyArray, n: AnyArray, window: Window, block_s: int
) -> RouteTimeline:
    # Blocks stand where the clock does, so that they stay the same while a window moves on.
    first = window.start // block_s * block_s
    ts = np.arange(first, window.end, block_s)
    block = (minute - first) // block_s
    requests = np.bincount(block, weights=n, minlength=len(ts))
    errors = np.bincount(block, weights=n * (elb >= 500), minlength=len(ts))
    p95 = np.full(len(ts), np.nan)
    order = np.lexsort((ms, block))
    order = order[ms[order] >= 0]
    edges = np.searchsorted(block[order], np.arange(len(ts) + 1))
    for place in np.flatnonzero(np.diff(edges)):
        mine = order[edges[place] : edges[place + 1]]
        found = percentile(ms[mine], n[mine], 0.95)
        if found and n[mine].sum() >= MIN_P95_ANSWERS:
            p95[place] = found.value_s
    minutes = (np.minimum(ts + block_s, window.end) - np.maximum(ts, window.start)) / MINUTE_S
    with np.errstate(invalid="ignore", divide="ignore"):
        error_rate = np.where(requests > 0, errors / requests, np.nan)
    return RouteTimeline(block_s, ts, requests / minutes, error_rate, p95)


def downsample(distribution: LatencyDistribution, max_points: int = 400) -> tuple[Sequence[float], Sequence[float]]:
    """A distribution's points for a line, at most about `most` of them, evenly along both its axes; the first and the last are there."""
    if len(distribution.ms) <= max_points:
        return distribution.ms.tolist(), distribution.cumulative_share.tolist()
    along = np.log(np.maximum(distribution.ms, 1)) / np.log(max(distribution.ms[-1], 2)) + distribution.cumulative_share
    kept = np.unique(np.searchsorted(along, np.linspace(along[0], along[-1], max_points)).clip(0, len(along) - 1))
    return distribution.ms[kept].tolist(), distribution.cumulative_share[kept].tolist()
