"""Timeline of a migration: requests, errors and latency of both fleets over weeks, in buckets of merged periods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from analysis.series.comparison import required_samples
from analysis.series.grid import STATUS_COUNTS, BoolArray, FloatArray, nan_ratio, nan_sum
from analysis.series.unanswered import ResponseCounts, failed_responses
from domain import FLEETS, FleetName, Series
from domain.series import hourly_stat, within_stat

RESET_S = 86_400  # requests in flight are counted as unanswered once a day at most
COUNT_METRICS = ("requests", *STATUS_COUNTS, "connection_errors", "alb_5xx", "alb_503")
NEIGHBOURS = 1  # a request without a response and the load balancer's 5xx for it may be in neighbouring buckets


class BucketLike(Protocol):
    """One series in buckets: `value` is the sum of counts or the median of other statistics, NaN if empty; `low` … `high`: minimum and maximum;
    `periods`: number of merged periods."""

    @property
    def value(self) -> FloatArray: ...
    @property
    def low(self) -> FloatArray: ...
    @property
    def high(self) -> FloatArray: ...
    @property
    def periods(self) -> npt.NDArray[Any]: ...


class BucketedWindow(Protocol):
    """A long window of the archive in buckets that start at `ts` (epoch seconds) and last `bucket_s`."""

    @property
    def ts(self) -> npt.NDArray[np.int64]: ...
    @property
    def bucket_s(self) -> int: ...
    @property
    def series(self) -> Mapping[Series, BucketLike]: ...


@dataclass(frozen=True, slots=True, eq=False)
class FleetTimeline:
    """One fleet: one value per bucket, NaN if there is none.

    `errors`: target 5xx and unanswered requests that failed (analysis/series/unanswered.py). `p95` (seconds) is the median of the p95s of
    `periods` periods, with their minimum and maximum; `is_sufficient`: these had enough answers on average. `slow`: share of answers above the
    threshold, median of the periods' shares.
    """

    requests: FloatArray
    errors: FloatArray
    p95: FloatArray
    p95_min: FloatArray
    p95_max: FloatArray
    periods: npt.NDArray[np.int64]
    is_sufficient: npt.NDArray[np.bool_]
    slow: FloatArray

    @property
    def error_rate(self) -> FloatArray:
        return nan_ratio(self.errors, self.requests)


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Both fleets in buckets of `bucket_s` seconds from `ts` (epoch seconds) on."""

    ts: npt.NDArray[np.int64]
    bucket_s: int
    fleets: Mapping[FleetName, FleetTimeline]

    @property
    def canary_share(self) -> FloatArray:
        """The canary's observed share of requests, 0–1."""
        canary = np.nan_to_num(self.fleets["canary"].requests)
        return nan_ratio(canary, nan_sum(self.fleets["baseline"].requests, self.fleets["canary"].requests))

    def part(self, buckets: slice, bucket_s: int) -> "Timeline":
        """Some buckets of it, which have `bucket_s`."""
        fleets = {
            fleet: FleetTimeline(*(getattr(series, field.name)[buckets] for field in fields(series)))
            for fleet, series in self.fleets.items()
        }
        return Timeline(self.ts[buckets], bucket_s, fleets)

    @property
    def empty(self) -> bool:
        return all(not np.nansum(self.fleets[fleet].requests) for fleet in FLEETS)

    @property
    def spacing_s(self) -> int:
        """The smallest distance between buckets with requests: more than `bucket_s` if the archive's periods are longer."""
        known = self.ts[~np.isnan(self.canary_share)]
        return int(np.diff(known).min()) if len(known) > 1 else self.bucket_s


@dataclass(frozen=True, slots=True, eq=False)
class _Buckets:
    value: FloatArray
    low: FloatArray
    high: FloatArray
    periods: npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class _AdjoiningWindows:
    ts: npt.NDArray[np.int64]
    bucket_s: int
    series: Mapping[Series, _Buckets]


def concat_buckets(parts: Sequence[BucketedWindow]) -> BucketedWindow:
    """Adjoining windows with the same series, one after the other; a bucket may be split between two of them. `bucket_s`: the longest."""

    def concat(key: Series) -> _Buckets:
        names = (field.name for field in fields(_Buckets))
        return _Buckets(*(np.concatenate([getattr(part.series[key], name) for part in parts]) for name in names))

    return _AdjoiningWindows(
        np.concatenate([part.ts for part in parts]),
        max(part.bucket_s for part in parts),
        {key: concat(key) for key in parts[0].series},
    )


def timeline_series(series: Sequence[Series], slow_s: float) -> tuple[Series, ...]:
    """Those of a source's `series` that a timeline needs."""
    latency_stats = ("p95", "sample_count", within_stat(slow_s), hourly_stat("p95"))
    return tuple(
        key
        for key in series
        if (key.metric in COUNT_METRICS and key.stat == "sum")
        or (key.metric == "latency" and key.stat in latency_stats)
    )


def timeline(
    buckets: BucketedWindow, slow_s: float, *, percentile: str = "p95", alb_known: BoolArray | None = None
) -> Timeline:
    """The timeline of both fleets: counts summed over target groups, percentiles of the group with most requests.

    A missing count is 0 if that group had requests, because sources omit zeros. `percentile`: the statistic to use as p95. `alb_known`: the
    buckets in which the load balancer's own 5xx were read (None: nowhere); in others every unanswered request is an error.
    """
    # Whether the source counts answers at all: a fleet that answers nothing has none either.
    counts_answers = any(
        (key.metric in STATUS_COUNTS[:3] or key.stat == "sample_count") and np.nansum(bucketed.value) > 0
        for key, bucketed in buckets.series.items()
    )
    responses = {fleet: _responses(buckets, fleet) for fleet in FLEETS}
    failed = _failed_unanswered(buckets, responses, alb_known)
    nothing = np.zeros(len(buckets.ts))
    fleets = {
        fleet: _fleet_timeline(buckets, fleet, slow_s, percentile, failed[fleet] if counts_answers else nothing)
        for fleet in FLEETS
    }
    return Timeline(buckets.ts, buckets.bucket_s, fleets)


def with_hourly_p95(timeline: Timeline, hours: Timeline | None) -> Timeline:
    """`timeline` (in hours) with the true p95 of each hour from `hours`, if known."""
    if hours is None or len(hours.ts) != len(timeline.ts):
        return timeline
    fleets = {}
    for fleet, series in timeline.fleets.items():
        hourly = hours.fleets[fleet].p95
        fleets[fleet] = replace(series, p95=np.where(np.isnan(hourly), series.p95, hourly))
    return replace(timeline, fleets=fleets)


def _responses(buckets: BucketedWindow, fleet: str) -> ResponseCounts:
    """One fleet's counts in each bucket."""

    def total(metric: str, stat: str = "sum") -> FloatArray:
        values = [
            np.asarray(bucketed.value, dtype=np.float64)
            for key, bucketed in buckets.series.items()
            if (key.fleet, key.metric, key.stat) == (fleet, metric, stat)
        ]
        return nan_sum(*values) if values else np.full(len(buckets.ts), np.nan)

    requests = total("requests")
    answers = sum((np.nan_to_num(total(name)) for name in STATUS_COUNTS), np.zeros(len(buckets.ts)))
    answers = np.maximum(answers, np.nan_to_num(total("latency", "sample_count")))
    lost = unanswered_by_bucket(requests, answers, buckets.ts, buckets.bucket_s)
    return ResponseCounts(np.nan_to_num(requests), answers, lost, lost, np.nan_to_num(total("connection_errors")))


def _failed_unanswered(
    buckets: BucketedWindow, responses: Mapping[FleetName, ResponseCounts], alb_known: BoolArray | None
) -> dict[FleetName, FloatArray]:
    """How many of the unanswered requests of each bucket are errors, by the counts of the bucket or of it and its neighbours."""
    known = np.zeros(len(buckets.ts), dtype=bool) if alb_known is None else alb_known
    alb = {
        metric: np.nan_to_num(np.asarray(bucketed.value, dtype=np.float64))
        for key, bucketed in buckets.series.items()
        if (metric := key.metric) in ("alb_5xx", "alb_503")
    }
    nothing = np.zeros(len(buckets.ts))
    alb_5xx = np.maximum(alb.get("alb_5xx", nothing) - alb.get("alb_503", nothing), 0.0)
    nearby = {
        fleet: ResponseCounts(*(_with_neighbours(getattr(counts, field.name)) for field in fields(counts)))
        for fleet, counts in responses.items()
    }
    of_bucket = failed_responses(responses, np.where(known, alb_5xx, np.nan))
    of_nearby = failed_responses(nearby, np.where(_with_neighbours(~known) > 0, np.nan, _with_neighbours(alb_5xx)))
    return {
        fleet: np.maximum(
            of_bucket[fleet],
            responses[fleet].unanswered * np.nan_to_num(nan_ratio(of_nearby[fleet], nearby[fleet].unanswered)),
        )
        for fleet in FLEETS
    }


def _with_neighbours(values: FloatArray | BoolArray) -> FloatArray:
    """For each bucket the sum of it and the NEIGHBOURS buckets on either side."""
    padded = np.pad(values.astype(np.float64), NEIGHBOURS)
    total: FloatArray = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1).sum(axis=-1)
    return total


def _fleet_timeline(
    buckets: BucketedWindow, fleet: FleetName, slow_s: float, percentile: str, unanswered: FloatArray
) -> FleetTimeline:
    by_key = {
        (key.target_group, key.metric, key.stat): bucketed
        for key, bucketed in buckets.series.items()
        if key.fleet == fleet
    }
    groups = sorted({group for group, _, _ in by_key})
    gap = np.full(len(buckets.ts), np.nan)
    if not groups:
        none = np.zeros(len(gap), dtype=np.int64)
        return FleetTimeline(gap, gap, gap, gap, gap, none, none > 0, gap)

    def values_of(group: str, metric: str, stat: str = "sum") -> FloatArray:
        bucketed = by_key.get((group, metric, stat))
        return gap if bucketed is None else np.asarray(bucketed.value, dtype=np.float64)

    requests_by_group = np.vstack([values_of(group, "requests") for group in groups])
    requests = nan_sum(*requests_by_group)
    failed = np.nan_to_num(nan_sum(*(values_of(group, "target_5xx") for group in groups))) + unanswered
    busiest = np.argmax(np.nan_to_num(requests_by_group, nan=-1.0), axis=0)

    def of_busiest(stat: str, attribute: str, fill: float = np.nan) -> Any:
        absent = np.full(len(gap), fill)
        by_group = [by_key.get((group, "latency", stat)) for group in groups]
        rows = [absent if bucketed is None else getattr(bucketed, attribute) for bucketed in by_group]
        return np.vstack(rows)[busiest, np.arange(len(gap))]

    periods = np.nan_to_num(of_busiest(percentile, "periods", 0.0)).astype(np.int64)
    requests_of_busiest = np.nan_to_num(requests_by_group[busiest, np.arange(len(gap))])
    return FleetTimeline(
        requests=requests,
        errors=np.where(np.isnan(requests), np.nan, np.minimum(failed, np.nan_to_num(requests))),
        p95=of_busiest(percentile, "value"),
        p95_min=of_busiest(percentile, "low"),
        p95_max=of_busiest(percentile, "high"),
        periods=periods,
        is_sufficient=requests_of_busiest >= required_samples("p95") * np.maximum(periods, 1),
        slow=1.0 - of_busiest(within_stat(slow_s), "value"),
    )


def unanswered_by_bucket(
    requests: FloatArray, answers: FloatArray, ts: npt.NDArray[np.int64], bucket_s: int
) -> FloatArray:
    """Unanswered requests of each bucket, in hindsight.

    Requests − answers so far holds unanswered requests, which stay, and those in flight, which do not: so the unanswered ones up to a time are
    at most the minimum over all later times. Its growth is counted, afresh every day and after every gap, so that requests in flight are
    counted once a day at most. (The judge cannot look ahead, see analysis.series.unanswered.unanswered_counts.)
    """
    result = np.zeros(len(requests))
    index = np.flatnonzero(~np.isnan(requests))
    if not len(index):
        return result
    is_break = (np.diff(index) > 1) | (np.diff(ts[index]) > bucket_s) | (np.diff(ts[index] // RESET_S) > 0)
    for run in np.split(index, np.flatnonzero(is_break) + 1):
        outstanding = np.cumsum(requests[run] - answers[run])
        min_after = np.minimum.accumulate(outstanding[::-1])[::-1]
        result[run] = np.diff(np.maximum(min_after, 0.0), prepend=0.0)
    return result
