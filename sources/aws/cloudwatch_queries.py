"""Builds GetMetricData requests: CloudWatch's names of each series, retention, and the split into requests. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain import FLEETS, Migration, Series, Window, series_of_load_balancer, series_of_target_group
from domain.window import DAY_S, HOUR_S
from sources.aws.client import aws_of

SOURCE = "cloudwatch"
NAMESPACE = "AWS/ApplicationELB"
MAX_QUERIES = 500  # in one request
MAX_DATAPOINTS = 100_800  # on one page; larger requests are also throttled by the datapoints-per-second quota

# (period_s, retention_s). Requested a little before it expires: requests queue, clocks differ, and an expired period is not an error
# but an empty result.
_RETENTION_S = ((60, 15 * DAY_S), (300, 63 * DAY_S), (3_600, 455 * DAY_S))
_RETENTION_MARGIN_S = 300

METRICS: Mapping[str, str] = {
    "requests": "RequestCount",
    "target_2xx": "HTTPCode_Target_2XX_Count",
    "target_3xx": "HTTPCode_Target_3XX_Count",
    "target_4xx": "HTTPCode_Target_4XX_Count",
    "target_5xx": "HTTPCode_Target_5XX_Count",
    "connection_errors": "TargetConnectionErrorCount",
    "fail_open_requests": "UnhealthyRoutingRequestCount",
    "latency": "TargetResponseTime",
    "healthy_hosts": "HealthyHostCount",
    "unhealthy_hosts": "UnHealthyHostCount",
    "alb_5xx": "HTTPCode_ELB_5XX_Count",
    "alb_502": "HTTPCode_ELB_502_Count",
    "alb_503": "HTTPCode_ELB_503_Count",
    "alb_504": "HTTPCode_ELB_504_Count",
}
# Minimum: also over load balancer nodes, so targets that every node considers healthy or unhealthy.
_STATS = {"sum": "Sum", "average": "Average", "sample_count": "SampleCount", "minimum": "Minimum"}


def metric_stat(series: Series) -> tuple[str, str]:
    """CloudWatch's metric and statistic: ("TargetResponseTime", "p95") for p95 and p95_hourly, "PR(:0.3)" for within_0.3s."""
    stat = _STATS.get(series.stat) or series.stat.removesuffix("_hourly")
    if series.unit == "fraction":
        stat = f"PR(:{series.stat.removeprefix('within_').removesuffix('s')})"
    return METRICS[series.metric], stat


def all_series(migration: Migration) -> tuple[Series, ...]:
    """All series: each target group of each fleet, then the load balancer."""
    groups = ((fleet, name) for fleet in FLEETS for name in migration.fleets[fleet].names)
    return (
        *(series for group in groups for series in series_of_target_group(SOURCE, *group, migration.slow_thresholds_s)),
        *series_of_load_balancer(SOURCE),
    )


def retention_starts(now: int) -> tuple[tuple[int, int], ...]:
    """(period_s, start) for each period, finest first: the epoch second from which on the period is requested at `now`.

    `start` is a multiple of the next coarser period, so that coarse periods are complete.
    """
    coarser = (*(period_s for period_s, _ in _RETENTION_S[1:]), _RETENTION_S[-1][0])
    return tuple(
        (period_s, -(-(now - retention_s + _RETENTION_MARGIN_S) // step_s) * step_s)
        for (period_s, retention_s), step_s in zip(_RETENTION_S, coarser, strict=True)
    )


@dataclass(frozen=True, slots=True)
class MetricDataRequest:
    """One GetMetricData request: series over `window`, whose ends are multiples of `period_s`."""

    series: tuple[Series, ...]
    window: Window
    period_s: int

    @property
    def datapoints(self) -> int:
        return len(self.series) * ((self.window.end - self.window.start) // self.period_s)


def split_by_retention(window: Window, now: int) -> Iterator[tuple[Window, int]]:
    """The parts of `window` and their finest retained periods, newest first. Parts are extended to complete periods, so may exceed `window`."""
    end = window.end
    for period_s, first in retention_starts(now):
        start = max(window.start, first)
        if start < end:
            yield Window(start, end).aligned(period_s), period_s
            end = start


def plan_requests(selected: Sequence[Series], window: Window, now: int) -> Iterator[MetricDataRequest]:
    """The requests for `window`, newest first, each within MAX_QUERIES and MAX_DATAPOINTS.

    Hourly series come last, and only for the complete hours of the window.
    """
    yield from _plan([series for series in selected if not series.hourly], split_by_retention(window, now))
    yield from _plan([series for series in selected if series.hourly], _complete_hours(window, now))


def _plan(series: Sequence[Series], parts: Iterable[tuple[Window, int]]) -> Iterator[MetricDataRequest]:
    for part, period_s in parts:
        for first in range(0, len(series), MAX_QUERIES):
            batch = tuple(series[first : first + MAX_QUERIES])
            max_s = MAX_DATAPOINTS // len(batch) * period_s
            for chunk in reversed(tuple(part.chunks(max_s))):
                yield MetricDataRequest(batch, chunk, period_s)


def _complete_hours(window: Window, now: int) -> Iterator[tuple[Window, int]]:
    """The complete hours of `window` that are still retained."""
    first = max(window.start, retention_starts(now)[-1][1])
    start, end = -(-first // HOUR_S) * HOUR_S, window.end // HOUR_S * HOUR_S
    if start < end:
        yield Window(start, end), HOUR_S


@dataclass(frozen=True, slots=True)
class CloudWatchMetric:
    """A series in CloudWatch's terms. CloudWatch does not aggregate over dimensions, so they must be exactly the published ones.

    `factor` converts CloudWatch's values to our unit.
    """

    namespace: str
    name: str
    stat: str
    dimensions: Mapping[str, str]
    factor: float = 1.0

    def metric_stat(self, period_s: int) -> dict[str, Any]:
        """The MetricStat structure of GetMetricData."""
        dimensions = [{"Name": name, "Value": value} for name, value in self.dimensions.items()]
        metric = {"Namespace": self.namespace, "MetricName": self.name, "Dimensions": dimensions}
        return {"Metric": metric, "Period": period_s, "Stat": self.stat}

    def queries(self, query_id: str, period_s: int) -> list[dict[str, Any]]:
        """The MetricDataQueries whose result has the Id `query_id`."""
        return [{"Id": query_id, "MetricStat": self.metric_stat(period_s)}]


@dataclass(frozen=True, slots=True)
class CloudWatchMath:
    """Metric math over `metrics`, by the names in its expression. CloudWatch calculates it."""

    name: str  # the expression
    metrics: Mapping[str, CloudWatchMetric]
    stat: str = ""
    factor: float = 1.0

    def queries(self, query_id: str, period_s: int) -> list[dict[str, Any]]:
        """The MetricDataQueries whose result has the Id `query_id`; those of the metrics return no data. Names are unique in the request."""
        expression = re.sub(
            r"\b[a-z]\w*\b",
            lambda match: f"{query_id}_{match[0]}" if match[0] in self.metrics else match[0],
            self.name,
        )
        parts = [
            {"Id": f"{query_id}_{name}", "MetricStat": metric.metric_stat(period_s), "ReturnData": False}
            for name, metric in self.metrics.items()
        ]
        return [{"Id": query_id, "Expression": expression, "Period": period_s}, *parts]


CloudWatchQuantity = CloudWatchMetric | CloudWatchMath


def cloudwatch_metric(migration: Migration, series: Series) -> CloudWatchMetric:
    """The metric of a series of the load balancer or one of its target groups. Raises ValueError if the migration has no [aws]."""
    dimensions = {"LoadBalancer": aws_of(migration, "CloudWatch").load_balancer_arn.dimension}
    if series.target_group:
        arns = (arn for fleet in FLEETS for arn in migration.fleets[fleet].arns)
        dimensions["TargetGroup"] = next(arn.dimension for arn in arns if arn.name == series.target_group)
    factor = 0.01 if series.unit == "fraction" else 1.0  # percentile ranks are percentages in CloudWatch
    return CloudWatchMetric(NAMESPACE, *metric_stat(series), dimensions, factor)


def statistic_kind(stat: str) -> int:
    """What a server must be able to calculate for a statistic: 0 sums and averages, 1 percentiles ("p95"), 2 percentile ranks ("PR(:0.3)")."""
    return 2 if stat.startswith("PR(") else 1 if re.match(r"p\d", stat) else 0


def query_id(position: int) -> str:
    """The Id (it must begin with a small letter) of the series at `position` of a request."""
    return f"q{position}"


def get_metric_data_params(
    metrics: Mapping[Series, CloudWatchQuantity], request: MetricDataRequest, positions: Iterable[int]
) -> dict[str, Any]:
    """The parameters of GetMetricData for the series at `positions` of `request`.

    Without Unit (a wrong one silently returns nothing), and without metric math but for criteria that have it (with math, PartialData comes
    without NextToken).
    """
    return {
        "MetricDataQueries": [
            query
            for position in positions
            for query in metrics[request.series[position]].queries(query_id(position), request.period_s)
        ],
        "StartTime": request.window.starts_at,
        "EndTime": request.window.ends_at,
        "ScanBy": "TimestampAscending",
    }


def query_text(migration: Migration, series: Series, period_s: int) -> str:
    """A query as one line: namespace, metric, statistic, period and dimensions."""
    metric = cloudwatch_metric(migration, series)
    dimensions = ", ".join(f"{name}={value}" for name, value in metric.dimensions.items())
    return f"{metric.namespace} {metric.name} {metric.stat} {period_s} s {dimensions}"
