"""The course of a migration: what both fleets served and failed in each stretch of weeks, from buckets in which periods are merged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from analysis.series.comparison import required_samples
from analysis.series.grid import STATUS_COUNTS, FloatArray, nan_sum
from domain import FLEETS, FleetName, Series
from domain.series import hourly_stat, within_stat

RESET_S = 86_400  # requests on their way are taken for lost once a day at most
COUNT_METRICS = ("requests", *STATUS_COUNTS)


class BucketLike(Protocol):
    """One series in buckets: `value` is a sum of counts, the median of everything else, NaN without any; `low` … `high` is what was merged."""

    @property
    def value(self) -> FloatArray: ...
    @property
    def low(self) -> FloatArray: ...
    @property
    def high(self) -> FloatArray: ...
    @property
    def periods(self) -> npt.NDArray[Any]: ...


class BucketedWindow(Protocol):
    """What the archive tells of a long window: buckets of `bucket_s` seconds from each of `ts` (epoch seconds) on."""

    @property
    def ts(self) -> npt.NDArray[np.int64]: ...
    @property
    def bucket_s(self) -> int: ...
    @property
    def series(self) -> Mapping[Series, BucketLike]: ...


@dataclass(frozen=True, slots=True, eq=False)
class FleetTimeline:
    """One fleet, one value a bucket, NaN where there is none.

    `errors`: target 5xx and requests that were never answered. `p95` in seconds is the median of `periods` merged percentiles and no percentile
    itself, except where one period fills the bucket; `low` … `high` are the smallest and the largest of them; `enough`: a period had answers
    enough for a p95. `slow`: the share of answers above the threshold, the median of the periods' shares.
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
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.requests > 0, self.errors / self.requests, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Both fleets in buckets of `bucket_s` seconds from `ts` (epoch seconds) on."""

    ts: npt.NDArray[np.int64]
    bucket_s: int
    fleets: Mapping[FleetName, FleetTimeline]

    @property
    def canary_share(self) -> FloatArray:
        """The canary's share of the requests that were seen, 0–1."""
        canary = np.nan_to_num(self.fleets["canary"].requests)
        total = nan_sum(self.fleets["baseline"].requests, self.fleets["canary"].requests)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(total > 0, canary / total, np.nan)

    @property
    def empty(self) -> bool:
        return all(not np.nansum(self.fleets[fleet].requests) for fleet in FLEETS)

    @property
    def spacing_s(self) -> int:
        """The least distance from one bucket with requests to the next: more than `bucket_s` where what was kept is in longer periods."""
        known = self.ts[~np.isnan(self.canary_share)]
        return int(np.diff(known).min()) if len(known) > 1 else self.bucket_s


def timeline_series(series: Sequence[Series], slow_s: float) -> tuple[Series, ...]:
    """Those of a source's `series` that a course is made of."""
    share = within_stat(slow_s)
    return tuple(
        one
        for one in series
        if (one.metric in COUNT_METRICS and one.stat == "sum")
        or (one.metric == "latency" and one.stat in ("p95", "sample_count", share, hourly_stat("p95")))
    )


def timeline(buckets: BucketedWindow, slow_s: float, *, percentile: str = "p95") -> Timeline:
    """`told` by fleet: counts of its target groups added, percentiles of the one with most requests.

    A count that is absent is 0 where that group had requests, as sources leave zeros out. `percentile`: the statistic that is told as p95.
    """
    # Whether anybody brought answers at all: a fleet that answers nobody has none either.
    answered = any(
        (one.metric in STATUS_COUNTS[:3] or one.stat == "sample_count") and np.nansum(line.value) > 0
        for one, line in buckets.series.items()
    )
    fleets = {fleet: _fleet_timeline(buckets, fleet, slow_s, percentile, answered=answered) for fleet in FLEETS}
    return Timeline(buckets.ts, buckets.bucket_s, fleets)


def with_hourly_p95(timeline: Timeline, hours: Timeline | None) -> Timeline:
    """`told`, in hours, with the p95 of all answers of each hour where `hours`, the same ones, have it."""
    if hours is None or len(hours.ts) != len(timeline.ts):
        return timeline
    fleets = {}
    for fleet in FLEETS:
        true = hours.fleets[fleet].p95
        fleets[fleet] = replace(timeline.fleets[fleet], p95=np.where(np.isnan(true), timeline.fleets[fleet].p95, true))
    return replace(timeline, fleets=fleets)


def _fleet_timeline(
    buckets: BucketedWindow, fleet: FleetName, slow_s: float, percentile: str, *, answered: bool
) -> FleetTimeline:
    mine = {
        (one.target_group, one.metric, one.stat): line for one, line in buckets.series.items() if one.fleet == fleet
    }
    groups = sorted({group for group, _, _ in mine})
    gap = np.full(len(buckets.ts), np.nan)
    if not groups:
        none = np.zeros(len(gap), dtype=np.int64)
        return FleetTimeline(gap, gap, gap, gap, gap, none, none > 0, gap)

    def line(group: str, metric: str, stat: str = "sum") -> FloatArray:
        found = mine.get((group, metric, stat))
        return gap if found is None else np.asarray(found.value, dtype=np.float64)

    each = np.vstack([line(group, "requests") for group in groups])
    requests = nan_sum(*each)
    failed = _total(line(group, "target_5xx") for group in groups)
    status = sum((_total(line(group, name) for group in groups) for name in STATUS_COUNTS), np.zeros(len(gap)))
    timed = _total(line(group, "latency", "sample_count") for group in groups)
    answers = np.maximum(status, timed)
    if answered:
        failed = failed + unanswered_by_bucket(requests, answers, buckets.ts, buckets.bucket_s)
    most = np.argmax(np.nan_to_num(each, nan=-1.0), axis=0)

    def of_busiest(stat: str, part: str, fill: float = np.nan) -> Any:
        absent = np.full(len(gap), fill)
        found = [mine.get((group, "latency", stat)) for group in groups]
        return np.vstack([absent if one is None else getattr(one, part) for one in found])[most, np.arange(len(gap))]

    periods = np.nan_to_num(of_busiest(percentile, "periods", 0.0)).astype(np.int64)
    busiest = np.nan_to_num(each[most, np.arange(len(gap))])
    return FleetTimeline(
        requests=requests,
        errors=np.where(np.isnan(requests), np.nan, np.minimum(failed, np.nan_to_num(requests))),
        p95=of_busiest(percentile, "value"),
        p95_min=of_busiest(percentile, "low"),
        p95_max=of_busiest(percentile, "high"),
        periods=periods,
        is_sufficient=busiest >= required_samples("p95") * np.maximum(periods, 1),
        slow=1.0 - of_busiest(within_stat(slow_s), "value"),
    )


def _total(lines: Any) -> FloatArray:
    total: FloatArray = np.nansum(np.vstack(list(lines)), axis=0)
    return total


def unanswered_by_bucket(
    requests: FloatArray, answers: FloatArray, ts: npt.NDArray[np.int64], bucket_s: int
) -> FloatArray:
    """How many requests of each bucket were never answered, said in hindsight.

    Requests − answers so far is what was lost, which stays, and what was on its way, which does not: so the lost ones by any time are at most
    the least that was outstanding at any time after it. Only its growth counts, and it starts anew every day and after every gap, so requests
    on their way are counted once a day at most. (The judge, who cannot look ahead, is up to five minutes late: analysis.parity.samples.never_answered.)
    """
    found = np.zeros(len(requests))
    there = ~np.isnan(requests)
    if not there.any():
        return found
    place = np.flatnonzero(there)
    apart = (np.diff(place) > 1) | (np.diff(ts[place]) > bucket_s) | (np.diff(ts[place] // RESET_S) > 0)
    for run in np.split(place, np.flatnonzero(apart) + 1):
        outstanding = np.cumsum(requests[run] - answers[run])
        least_after = np.minimum.accumulate(outstanding[::-1])[::-1]
        found[run] = np.diff(np.maximum(least_after, 0.0), prepend=0.0)
    return found
