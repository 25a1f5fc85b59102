"""Both fleets' values of one measure and their difference, as the Live page's charts show them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from analysis.series.grid import STATUS_COUNTS, BoolArray, FloatArray, IntArray, TimeGrid, nan_ratio, nan_sum
from analysis.series.unanswered import ResponseCounts, alb_errors, failed_responses, trailing_sum
from domain import FLEETS, FleetName
from domain.series import within_stat

Quantity = Literal["rate", "latency", "count", "value"]
POOLED_S = 300
ERROR_WINDOW_S = 300  # requests in flight across a minute's end distort one minute, but hardly five


@dataclass(frozen=True, slots=True, eq=False)
class EarlierLine:
    """Both fleets together at an earlier time, on the time of the comparison that it is drawn behind: `ts` and `lengths_s` as there; NaN is a gap."""

    ts: IntArray
    lengths_s: IntArray
    values: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One measure of both fleets: arrays with one value per period, which starts at `ts` (epoch seconds) and lasts `lengths_s`; NaN is a gap.

    A rate is a fraction, latency is in seconds, a count per minute, a value of one's own in its unit.
    `samples`: sample size of each value; `low_sample`: it is too small.
    `window_s`: the trailing window over which each value is counted (0: its period). `components` have the same unit, by name and fleet.
    `alb_5xx`: 5xx that the load balancer made itself, a minute, for all of its target groups, not only for these fleets'.
    `percentile`: of latency; `others`: more percentiles, to be drawn with it; `last_week`: to be drawn behind it.
    """

    ts: IntArray
    lengths_s: IntArray
    quantity: Quantity
    values: Mapping[FleetName, FloatArray]
    samples: Mapping[FleetName, FloatArray]
    low_sample: Mapping[FleetName, BoolArray]
    components: Mapping[str, Mapping[FleetName, FloatArray]] = field(default_factory=dict)
    window_s: int = 0
    alb_5xx: FloatArray | None = None
    multi_group: BoolArray | None = None
    percentile: str = ""
    others: tuple["Comparison", ...] = ()
    last_week: EarlierLine | None = None

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
    """(Target 5xx + unanswered) / requests of each fleet, all counted over the trailing ERROR_WINDOW_S: a request is counted when it is sent and
    its response when it arrives, so a single minute is distorted. NaN for a period without requests, and if a count of the window is unknown.

    Components, per request: target_5xx and unanswered, which add up to the value; connection_errors; and unexplained, requests without a
    counted response that are no errors (see analysis.series.unanswered). `samples`: the requests of the window.
    """
    first = _first_index(grid.ts, grid.lengths_s, ERROR_WINDOW_S)
    served = ~np.isnan(grid.requests)
    alb_5xx = alb_errors(grid)
    alb_unread = trailing_sum(served & np.isnan(alb_5xx), first) > 0
    target_5xx: dict[FleetName, FloatArray] = {}
    responses: dict[FleetName, ResponseCounts] = {}
    for fleet in FLEETS:
        counts = grid.fleets[fleet].counts
        requests = _trailing_count(counts["requests"], counts, first)
        by_status = np.sum([counts[name] for name in STATUS_COUNTS], axis=0)
        # If more answers were timed than counted by status, the timed ones count, so that an unreadable status metric is no outage.
        answers = _trailing_count(np.fmax(by_status, counts["sample_count"]), counts, first)
        connection_errors = _trailing_count(counts["connection_errors"], counts, first)
        unanswered = np.maximum(requests - answers, 0.0)
        responses[fleet] = ResponseCounts(requests, answers, unanswered, unanswered, connection_errors)
        target_5xx[fleet] = np.minimum(_trailing_count(counts["target_5xx"], counts, first), requests)
    failed = failed_responses(responses, np.where(alb_unread, np.nan, trailing_sum(np.nan_to_num(alb_5xx), first)))

    def per_request(counts: Mapping[FleetName, FloatArray]) -> dict[FleetName, FloatArray]:
        return {fleet: nan_ratio(counts[fleet], responses[fleet].requests) for fleet in FLEETS}

    return Comparison(
        grid.ts,
        grid.lengths_s,
        "rate",
        values=per_request({fleet: target_5xx[fleet] + failed[fleet] for fleet in FLEETS}),
        samples={fleet: responses[fleet].requests for fleet in FLEETS},
        low_sample={fleet: np.zeros(len(grid.ts), dtype=bool) for fleet in FLEETS},
        components={
            "target_5xx": per_request(target_5xx),
            "unanswered": per_request(failed),
            "connection_errors": per_request({fleet: responses[fleet].connection_errors for fleet in FLEETS}),
            "unexplained": per_request({fleet: responses[fleet].unanswered - failed[fleet] for fleet in FLEETS}),
        },
        window_s=ERROR_WINDOW_S,
        alb_5xx=grid.alb["alb_5xx"] * 60 / grid.lengths_s,
    )


def own_metric(grid: TimeGrid, metric: str, *, is_rate: bool) -> Comparison:
    """A criterion of one's own: its value, or events / total of each period. `samples`: the total, or 1."""
    gaps, none = np.full(len(grid.ts), np.nan), np.zeros(len(grid.ts), dtype=bool)
    values, samples = dict[FleetName, FloatArray](), dict[FleetName, FloatArray]()
    for fleet in FLEETS:
        own = grid.fleets[fleet].own
        total = own.get((metric, "total"), gaps)
        values[fleet] = (
            nan_ratio(own.get((metric, "events"), gaps), total) if is_rate else own.get((metric, "value"), gaps)
        )
        samples[fleet] = total if is_rate else np.where(np.isnan(values[fleet]), np.nan, 1.0)
    quantity: Quantity = "rate" if is_rate else "value"
    return Comparison(grid.ts, grid.lengths_s, quantity, values, samples, dict.fromkeys(FLEETS, none))


def _trailing_count(values: FloatArray, counts: Mapping[str, FloatArray], first: npt.NDArray[np.intp]) -> FloatArray:
    """A count over the trailing window; NaN for a period without requests, and if a period with requests in the window has no value."""
    served = ~np.isnan(counts["requests"])
    unread = trailing_sum(served & np.isnan(values), first) > 0
    return np.where(served & ~unread, trailing_sum(np.nan_to_num(values), first), np.nan)


def latency(grid: TimeGrid, percentile: str, *others: str) -> Comparison:
    """A percentile of the target response time in seconds, with others. CloudWatch measures answered requests only."""
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
        percentile=percentile,
        others=tuple(latency(grid, other) for other in others),
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


def latest_values(comparison: Comparison, *, before: int) -> LatestValues | None:
    """The newest values of a period that ended by `before` (epoch seconds); None if neither fleet has one.

    A rate is of at least POOLED_S seconds: one minute of a small canary is too noisy. It is either counted over a trailing window already, or
    pooled over the last periods, weighted by samples. Percentiles cannot be pooled; they and counts are those of the newest period.
    """
    known = ~(np.isnan(comparison.values["baseline"]) & np.isnan(comparison.values["canary"])) & (
        comparison.ends <= before
    )
    if not known.any():
        return None
    newest = int(np.flatnonzero(known)[-1])
    first = newest
    if comparison.quantity == "rate":
        first = int(_first_index(comparison.ts, comparison.lengths_s, comparison.window_s or POOLED_S)[newest])
    pooled = slice(newest if comparison.window_s else first, newest + 1)

    def value(fleet: FleetName) -> float | None:
        values, weights = comparison.values[fleet][pooled], np.nan_to_num(comparison.samples[fleet][pooled])
        present = ~np.isnan(values)
        if len(values) == 1 or not (weights[present] > 0).any():
            return None if np.isnan(values[-1]) else float(values[-1])
        return float(np.average(values[present], weights=weights[present]))

    low_sample = frozenset(
        fleet for fleet in FLEETS if comparison.low_sample[fleet][newest] and value(fleet) is not None
    )
    return LatestValues(
        int(comparison.ts[first]), int(comparison.ends[newest]), value("baseline"), value("canary"), low_sample
    )


def earlier_line(earlier: Comparison, *, shift_s: int) -> EarlierLine | None:
    """`earlier`, both fleets together, moved by `shift_s` to later time; None without values.

    Counts are summed, rates weighted by their samples. Percentiles cannot be merged: the one of the fleet with more samples. NaN in a period in
    which the value of a fleet with samples is unknown.
    """
    both = tuple(earlier.values[fleet] for fleet in FLEETS)
    if earlier.quantity == "count":
        values = nan_sum(*both)
    else:
        weights = np.nan_to_num(np.vstack([earlier.samples[fleet] for fleet in FLEETS]))
        if earlier.quantity == "latency":
            weights = weights * (weights == weights.max(axis=0))
        values = nan_ratio(np.where(weights > 0, np.vstack(both) * weights, 0.0).sum(axis=0), weights.sum(axis=0))
    return None if np.isnan(values).all() else EarlierLine(earlier.ts + shift_s, earlier.lengths_s, values)


def _first_index(ts: IntArray, lengths_s: IntArray, seconds: int) -> npt.NDArray[np.intp]:
    """For each period, the index of the first period of the trailing window of `seconds` that ends with it."""
    return np.clip(np.searchsorted(ts, ts + lengths_s - seconds, side="right") - 1, 0, np.arange(len(ts)))


def component(comparison: Comparison, name: str) -> Comparison:
    """One component as a comparison of its own."""
    return replace(comparison, values=comparison.components[name], components={}, alb_5xx=None)
