"""The vocabulary of the numbers: every metric and statistic that a source may bring, by the names the tidy frame uses."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

FleetName = Literal["baseline", "canary"]
FLEETS: tuple[FleetName, FleetName] = ("baseline", "canary")
# Who a row belongs to: a fleet, or the load balancer where the number cannot be attributed to either.
Owner = Literal["baseline", "canary", "load_balancer"]
OWNERS: tuple[Owner, ...] = ("baseline", "canary", "load_balancer")

PERCENTILES = ("p50", "p90", "p95", "p99")
HOUR_S = 3600
DEFAULT_SLOW_THRESHOLDS_S = (0.1, 0.3, 1.0)

_HOURLY = "_hourly"

# Counts that a source leaves out when they are zero: an absent row may be read as 0 where that group's `requests` has one.
SPARSE_COUNTS = ("target_2xx", "target_3xx", "target_4xx", "target_5xx", "connection_errors", "fail_open_requests")
ALB_COUNTS = ("alb_5xx", "alb_502", "alb_503", "alb_504")


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """One line of numbers: everything a row of the tidy frame says but when, how much, and over how long.

    `fleet` is "baseline", "canary", or "load_balancer" for what cannot be attributed; `target_group` is the group's name, "" for the load balancer's own.
    """

    source: str
    fleet: str
    target_group: str
    metric: str
    stat: str
    unit: str

    @property
    def hourly(self) -> bool:
        """Whether it is of whole hours only, as `p95_hourly` is: the percentile of an hour's answers together, never one of minutes."""
        return self.stat.endswith(_HOURLY)

    @property
    def shortest_period_s(self) -> int:
        """It has no point of a period shorter than this."""
        return HOUR_S if self.hourly else 60


def any_series(_series: Series) -> bool:
    """Every series, whatever its periods."""
    return True


def is_not_hourly(series: Series) -> bool:
    """Whether it is one of the series that a page of minutes shows: not hourly."""
    return not series.hourly


def is_request_count(series: Series) -> bool:
    """Whether it counts the requests of a target group, minute by minute."""
    return series.metric == "requests" and not series.hourly


def hourly_stat(percentile: str) -> str:
    """The statistic "percentile of all answers of an hour", as in `p95_hourly`. It is a series of its own: percentiles of minutes cannot be merged."""
    return f"{percentile}{_HOURLY}"


def within_stat(threshold_s: float) -> str:
    """The statistic "share of answers within so many seconds", as in `within_0.3s`; CloudWatch calls it PR(:0.3)."""
    return f"within_{threshold_s:g}s"


def series_of_target_group(
    source: str, fleet: FleetName, target_group: str, slow_thresholds_s: Iterable[float]
) -> Iterator[Series]:
    """Everything that can be known of one target group. Counts are per period; latency is in seconds; shares are fractions 0–1.

    | metric | stat | unit |
    |---|---|---|
    | requests, target_2xx … target_5xx, connection_errors, fail_open_requests | sum | count |
    | latency | p50, p90, p95, p99, average | s |
    | latency | sample_count | count |
    | latency | within_0.1s … (one a threshold) | fraction |
    | latency | p50_hourly, p90_hourly, p95_hourly, p99_hourly | s |
    | healthy_hosts, unhealthy_hosts | minimum | count |
    """

    def one(metric: str, stat: str, unit: str) -> Series:
        return Series(source, fleet, target_group, metric, stat, unit)

    yield one("requests", "sum", "count")
    for count in SPARSE_COUNTS:
        yield one(count, "sum", "count")
    for percentile in PERCENTILES:
        yield one("latency", percentile, "s")
    yield one("latency", "average", "s")
    yield one("latency", "sample_count", "count")
    for threshold_s in slow_thresholds_s:
        yield one("latency", within_stat(threshold_s), "fraction")
    for percentile in PERCENTILES:
        yield one("latency", hourly_stat(percentile), "s")
    yield one("healthy_hosts", "minimum", "count")
    yield one("unhealthy_hosts", "minimum", "count")


def series_of_load_balancer(source: str) -> Iterator[Series]:
    """The 5xx that the load balancer made itself, which no source attributes to a target group: alb_5xx, alb_502, alb_503, alb_504 (sum, count)."""
    for count in ALB_COUNTS:
        yield Series(source, "load_balancer", "", count, "sum", "count")
