"""Both fleets' lines and their difference, as every chart on the Live page shows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from analysis.series.grid import STATUS_COUNTS, BoolArray, FloatArray, IntArray, TimeGrid
from domain import FLEETS, FleetName
from domain.series import within_stat

Quantity = Literal["rate", "latency", "count"]
POOLED_S = 300
UNANSWERED_WINDOW_S = 300  # requests in flight cross the border of a minute; over five minutes they hardly matter


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One measure of both fleets over time. Arrays have one value a period, which starts at `ts` (epoch seconds) and lasts `lengths` seconds;
    NaN is a gap.

    `unit`: a rate is a fraction, latency is in seconds, a count is per period. `difference` is canary − baseline, NaN where either is missing.
    `parts` are what the lines are made of (same unit), by name and fleet; `samples` what each value stands on; `low` where that is too little.
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
        return self.values["canary"] - self.values["baseline"]

    @property
    def empty(self) -> bool:
        return bool(all(np.isnan(self.values[fleet]).all() for fleet in FLEETS))


def required_samples(percentile: str) -> float:
    """How many answers a percentile needs in its period to mean anything: 10 / (1 − p); p95 200, p99 1,000.

    CloudWatch's own rule for alarms on percentiles ("evaluate low samples").
    """
    p = float(percentile.removeprefix("p")) / 100
    return round(10 / (1 - p)) if p >= 0.5 else round(10 / p)


def error_rate(grid: TimeGrid) -> Comparison:
    """Target 5xx + unanswered, per request: what a user of each fleet saw fail. NaN where either could not be read.

    `parts`: target_5xx (per minute), unanswered (see `unanswered_rate`), connection_errors (per request). `unattributed`: the load balancer's own
    5xx per request of both fleets together: an upper bound for neither, and of whom nobody can say.
    """
    fleets = grid.fleets
    target_5xx = {fleet: _ratio(fleets[fleet].counts["target_5xx"], fleets[fleet].requests) for fleet in FLEETS}
    unanswered = {fleet: unanswered_rate(grid, fleet) for fleet in FLEETS}
    refused = {fleet: _ratio(fleets[fleet].counts["connection_errors"], fleets[fleet].requests) for fleet in FLEETS}
    return Comparison(
        grid.ts,
        grid.lengths_s,
        "rate",
        values={fleet: np.minimum(target_5xx[fleet] + unanswered[fleet], 1.0) for fleet in FLEETS},
        samples={fleet: fleets[fleet].requests for fleet in FLEETS},
        low_sample={fleet: np.zeros(len(grid.ts), dtype=bool) for fleet in FLEETS},
        components={"target_5xx": target_5xx, "unanswered": unanswered, "connection_errors": refused},
        unattributed=_ratio(grid.alb["alb_5xx"], grid.requests),
    )


def unanswered_rate(grid: TimeGrid, fleet: FleetName) -> FloatArray:
    """The share of requests that a fleet took and never answered: (requests − Σ 2xx…5xx) / requests, never below 0.

    That of the last five minutes, or of a little more where periods are longer, because a request is counted when it is sent to a target and an
    answer when it comes. WebSocket upgrades (101), which no metric counts, are in it. Answers that were timed count too, so that a status metric
    that could not be read does not look like an outage. NaN where the fleet had no requests in the minute itself, and where no answers could be
    read of any of the five.
    """
    counts = grid.fleets[fleet].counts
    first = _first_index(grid.ts, grid.lengths_s, UNANSWERED_WINDOW_S)
    by_status = np.sum([counts[answer] for answer in STATUS_COUNTS], axis=0)
    unread = ~np.isnan(counts["requests"]) & np.isnan(by_status) & np.isnan(counts["sample_count"])
    requests = _trailing_sum(np.nan_to_num(counts["requests"]), first)
    answers = _trailing_sum(np.nan_to_num(np.fmax(by_status, counts["sample_count"])), first)
    rate = _ratio(np.maximum(requests - answers, 0.0), requests)
    return np.where(np.isnan(counts["requests"]) | (_trailing_sum(unread, first) > 0), np.nan, rate)


def latency(grid: TimeGrid, percentile: str) -> Comparison:
    """One percentile of the target response time in seconds. Answered requests alone: a request that was never answered is not in it."""
    fleets = grid.fleets
    enough = required_samples(percentile)
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
        low_sample={fleet: samples[fleet] < enough for fleet in FLEETS},
        multi_group=fleets["baseline"].multi_group | fleets["canary"].multi_group,
    )


def slow_share(grid: TimeGrid, threshold_s: float) -> Comparison:
    """The share of answers slower than `threshold_s` seconds: 1 − PR(:t), merged over target groups by their number of answers."""
    name = within_stat(threshold_s)
    gap = np.full(len(grid.ts), np.nan)
    return Comparison(
        grid.ts,
        grid.lengths_s,
        "rate",
        values={fleet: 1.0 - grid.fleets[fleet].within.get(name, gap) for fleet in FLEETS},
        samples={fleet: grid.fleets[fleet].counts["sample_count"] for fleet in FLEETS},
        low_sample={fleet: np.zeros(len(grid.ts), dtype=bool) for fleet in FLEETS},
    )


def requests(grid: TimeGrid) -> Comparison:
    """Requests per minute, whatever the period."""
    per_minute = 60 / grid.lengths_s
    lines = {fleet: grid.fleets[fleet].requests * per_minute for fleet in FLEETS}
    none = np.zeros(len(grid.ts), dtype=bool)
    return Comparison(grid.ts, grid.lengths_s, "count", lines, samples=lines, low_sample=dict.fromkeys(FLEETS, none))


@dataclass(frozen=True, slots=True)
class LatestValues:
    """Both fleets' newest value that is no longer provisional, from `at` to `until` (epoch seconds); None where a fleet has none.

    `low`: the fleets whose value stands on too few samples; there is no difference to speak of then.
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
    """The newest reading that ended by `before` (epoch seconds) and in which at least one fleet has a value; None without any.

    A rate is that of the last `pooled_s` seconds, each period weighted by its requests: in a single minute of a canary it would jump between
    nothing and much. A percentile, which cannot be pooled, and a count are those of the newest period.
    """
    known = ~(np.isnan(comparison.values["baseline"]) & np.isnan(comparison.values["canary"])) & (
        comparison.ends <= before
    )
    if not known.any():
        return None
    at = int(np.flatnonzero(known)[-1])

    until = int(comparison.ends[at])
    first = (
        int(_first_index(comparison.ts, comparison.lengths_s, pooled_s)[at]) if comparison.quantity == "rate" else at
    )
    pooled = slice(first, at + 1)

    def value(fleet: FleetName) -> float | None:
        values, weights = comparison.values[fleet][pooled], np.nan_to_num(comparison.samples[fleet][pooled])
        there = ~np.isnan(values)
        if first == at or not (weights[there] > 0).any():
            return None if np.isnan(values[-1]) else float(values[-1])
        return float(np.average(values[there], weights=weights[there]))

    low = frozenset(fleet for fleet in FLEETS if comparison.low_sample[fleet][at] and value(fleet) is not None)
    return LatestValues(int(comparison.ts[pooled][0]), until, value("baseline"), value("canary"), low)


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


def _first_index(ts: IntArray, lengths_s: IntArray, seconds: int) -> npt.NDArray[np.intp]:
    """For each period the first of those that make up `seconds` with it, or more where periods are longer."""
    return np.clip(np.searchsorted(ts, ts + lengths_s - seconds, side="right") - 1, 0, np.arange(len(ts)))


def _trailing_sum(values: FloatArray, first: npt.NDArray[np.intp]) -> FloatArray:
    """The sum of the values from `first` on to each."""
    total = np.cumsum(np.concatenate(([0.0], values)))
    trailing: FloatArray = total[1:] - total[first]
    return trailing


def component(comparison: Comparison, name: str) -> Comparison:
    """One of the parts of an overlay, as an overlay of its own."""
    return replace(comparison, values=comparison.components[name], components={}, unattributed=None)
