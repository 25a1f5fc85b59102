"""Both fleets' values of one measure and their difference, as the Live page's charts show them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from analysis.series.grid import STATUS_COUNTS, BoolArray, FloatArray, IntArray, TimeGrid, nan_ratio
from domain import FLEETS, FleetName
from domain.series import within_stat

Quantity = Literal["rate", "latency", "count"]
POOLED_S = 300
UNANSWERED_WINDOW_S = 300  # requests in flight across a minute's end distort one minute, but hardly five


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One measure of both fleets: arrays with one value per period, which starts at `ts` (epoch seconds) and lasts `lengths_s`; NaN is a gap.

    A rate is a fraction, latency is in seconds, a count per minute. `samples`: sample size of each value; `low_sample`: it is too small.
    `components` (same unit, by name and fleet) add up to the values. `unattributed`: errors of the load balancer that belong to neither fleet.
    """

    ts: IntArray
    lengths_s: IntArray
    quantity: Quantity
    values: Mapping[FleetName, FloatArray]
    samples: Mapping[FleetName, FloatArray]
    low_sample: Mapping[FleetName, BoolArray]
    components: Mapping[str, Mapping[FleetName, FloatArray]] = field(default_factory=dict)
    unattributed: FloatArray | None = None
    multi_group: BoolArray | None = None

    @property
    def ends(self) -> IntArray:
        ends: IntArray = self.ts + self.lengths_s
        return ends

    @property
    def difference(self) -> FloatArray:
        """Canary − baseline; NaN if either is missing."""
        return self.values["canary"] - self.values["baseline"]

    @property
    def empty(self) -> bool:
        return bool(all(np.isnan(self.values[fleet]).all() for fleet in FLEETS))


def required_samples(percentile: str) -> int:
    """Answers that a period needs for a percentile (p50 or higher): 10 / (1 − p), so 200 for p95.

    CloudWatch's own rule for alarms on percentiles ("evaluate low samples").
    """
    return round(10 / (1 - float(percentile.removeprefix("p")) / 100))


def error_rate(grid: TimeGrid) -> Comparison:
    """(Target 5xx + unanswered) / requests of each fleet; NaN if either is unknown.

    Components: target_5xx, unanswered (see `unanswered_rate`) and connection_errors, all per request. `unattributed`: the load balancer's own
    5xx per request of both fleets together.
    """
    fleets = grid.fleets
    target_5xx = {fleet: nan_ratio(fleets[fleet].counts["target_5xx"], fleets[fleet].requests) for fleet in FLEETS}
    unanswered = {fleet: unanswered_rate(grid, fleet) for fleet in FLEETS}
    connection_errors = {
        fleet: nan_ratio(fleets[fleet].counts["connection_errors"], fleets[fleet].requests) for fleet in FLEETS
    }
    return Comparison(
        grid.ts,
        grid.lengths_s,
        "rate",
        values={fleet: np.minimum(target_5xx[fleet] + unanswered[fleet], 1.0) for fleet in FLEETS},
        samples={fleet: fleets[fleet].requests for fleet in FLEETS},
        low_sample={fleet: np.zeros(len(grid.ts), dtype=bool) for fleet in FLEETS},
        components={"target_5xx": target_5xx, "unanswered": unanswered, "connection_errors": connection_errors},
        unattributed=nan_ratio(grid.alb["alb_5xx"], grid.requests),
    )


def unanswered_rate(grid: TimeGrid, fleet: FleetName) -> FloatArray:
    """Share of requests without an answer: max(0, requests − Σ 2xx…5xx) / requests, over a trailing window of five minutes.

    The window is needed because a request is counted when it is sent and an answer when it arrives. WebSocket upgrades (101) are included: no
    metric counts them. If more answers were timed than counted by status, the timed ones count, so that an unreadable status metric is no
    outage. NaN for a period without requests, and if the answers of any period in the window are unknown.
    """
    counts = grid.fleets[fleet].counts
    first = _first_index(grid.ts, grid.lengths_s, UNANSWERED_WINDOW_S)
    by_status = np.sum([counts[name] for name in STATUS_COUNTS], axis=0)
    unread = ~np.isnan(counts["requests"]) & np.isnan(by_status) & np.isnan(counts["sample_count"])
    requests = _trailing_sum(np.nan_to_num(counts["requests"]), first)
    answers = _trailing_sum(np.nan_to_num(np.fmax(by_status, counts["sample_count"])), first)
    rate = nan_ratio(np.maximum(requests - answers, 0.0), requests)
    return np.where(np.isnan(counts["requests"]) | (_trailing_sum(unread, first) > 0), np.nan, rate)


def latency(grid: TimeGrid, percentile: str) -> Comparison:
    """One percentile of the target response time in seconds. CloudWatch measures answered requests only."""
    fleets = grid.fleets
    required = required_samples(percentile)
    samples = {
        fleet: np.where(
            np.isnan(fleets[fleet].counts["sample_count"]), fleets[fleet].requests, fleets[fleet].counts["sample_count"]
        )
        for fleet in FLEETS
    }
    return Comparison(
        grid.ts,
        grid.lengths_s,
        "latency",
        values={fleet: fleets[fleet].latency[percentile] for fleet in FLEETS},
        samples=samples,
        low_sample={fleet: samples[fleet] < required for fleet in FLEETS},
        multi_group=fleets["baseline"].multi_group | fleets["canary"].multi_group,
    )


def slow_share(grid: TimeGrid, threshold_s: float) -> Comparison:
    """Share of answers slower than `threshold_s`: 1 − PR(:t), merged over target groups by their number of answers."""
    stat = within_stat(threshold_s)
    gap = np.full(len(grid.ts), np.nan)
    return Comparison(
        grid.ts,
        grid.lengths_s,
        "rate",
        values={fleet: 1.0 - grid.fleets[fleet].within.get(stat, gap) for fleet in FLEETS},
        samples={fleet: grid.fleets[fleet].counts["sample_count"] for fleet in FLEETS},
        low_sample={fleet: np.zeros(len(grid.ts), dtype=bool) for fleet in FLEETS},
    )


def requests(grid: TimeGrid) -> Comparison:
    """Requests per minute."""
    per_minute = 60 / grid.lengths_s
    rates = {fleet: grid.fleets[fleet].requests * per_minute for fleet in FLEETS}
    low_sample = np.zeros(len(grid.ts), dtype=bool)
    return Comparison(
        grid.ts, grid.lengths_s, "count", rates, samples=rates, low_sample=dict.fromkeys(FLEETS, low_sample)
    )


@dataclass(frozen=True, slots=True)
class LatestValues:
    """Both fleets' newest final value, over `start` … `end` (epoch seconds); None for a fleet without one.

    `low_sample`: fleets with too few samples for a difference.
    """

    start: int
    end: int
    baseline: float | None
    canary: float | None
    low_sample: frozenset[FleetName] = frozenset()

    @property
    def difference(self) -> float | None:
        return None if self.baseline is None or self.canary is None or self.low_sample else self.canary - self.baseline


def latest_values(comparison: Comparison, *, before: int, pooled_s: int = POOLED_S) -> LatestValues | None:
    """The newest values of a period that ended by `before` (epoch seconds); None if neither fleet has one.

    A rate is pooled over the last `pooled_s` seconds, weighted by requests: one minute of a small canary is too noisy. Percentiles cannot be
    pooled; they and counts are those of the newest period.
    """
    known = ~(np.isnan(comparison.values["baseline"]) & np.isnan(comparison.values["canary"])) & (
        comparison.ends <= before
    )
    if not known.any():
        return None
    newest = int(np.flatnonzero(known)[-1])
    first = (
        int(_first_index(comparison.ts, comparison.lengths_s, pooled_s)[newest])
        if comparison.quantity == "rate"
        else newest
    )
    pooled = slice(first, newest + 1)

    def value(fleet: FleetName) -> float | None:
        values, weights = comparison.values[fleet][pooled], np.nan_to_num(comparison.samples[fleet][pooled])
        present = ~np.isnan(values)
        if first == newest or not (weights[present] > 0).any():
            return None if np.isnan(values[-1]) else float(values[-1])
        return float(np.average(values[present], weights=weights[present]))

    low_sample = frozenset(
        fleet for fleet in FLEETS if comparison.low_sample[fleet][newest] and value(fleet) is not None
    )
    return LatestValues(
        int(comparison.ts[first]), int(comparison.ends[newest]), value("baseline"), value("canary"), low_sample
    )


def _first_index(ts: IntArray, lengths_s: IntArray, seconds: int) -> npt.NDArray[np.intp]:
    """For each period, the index of the first period of the trailing window of `seconds` that ends with it."""
    return np.clip(np.searchsorted(ts, ts + lengths_s - seconds, side="right") - 1, 0, np.arange(len(ts)))


def _trailing_sum(values: FloatArray, first: npt.NDArray[np.intp]) -> FloatArray:
    """For each index, the sum from `first` up to and including it."""
    total = np.cumsum(np.concatenate(([0.0], values)))
    trailing: FloatArray = total[1:] - total[first]
    return trailing


def component(comparison: Comparison, name: str) -> Comparison:
    """One component as a comparison of its own."""
    return replace(comparison, values=comparison.components[name], components={}, unattributed=None)
