"""How CloudWatch is asked: which metric and statistic a series is there, in which periods, in which calls, and where a person sees the same graph."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, Self

from domain import FLEETS, Migration, Series, Window, series_of_load_balancer, series_of_target_group
from domain.arn import console_host
from domain.series import HOUR_S

SOURCE = "cloudwatch"
NAMESPACE = "AWS/ApplicationELB"
MAX_QUERIES = 500  # in one call
MAX_DATAPOINTS = 100_800  # on one page; a call that estimates more is also what the datapoints-a-second quota throttles

_DAY_S = 86_400
# How long each period is kept. Asked a little before it runs out: a call may wait in line, clocks differ, and what is
# asked for too late is not an error there but an empty answer.
_RETENTION_S = ((60, 15 * _DAY_S), (300, 63 * _DAY_S), (3_600, 455 * _DAY_S))
_RETENTION_MARGIN_S = 300

# (our metric, our stat) -> (CloudWatch's metric, CloudWatch's stat). Missing here: within_…s, which carries its threshold.
METRIC_STATS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("requests", "sum"): ("RequestCount", "Sum"),
    ("target_2xx", "sum"): ("HTTPCode_Target_2XX_Count", "Sum"),
    ("target_3xx", "sum"): ("HTTPCode_Target_3XX_Count", "Sum"),
    ("target_4xx", "sum"): ("HTTPCode_Target_4XX_Count", "Sum"),
    ("target_5xx", "sum"): ("HTTPCode_Target_5XX_Count", "Sum"),
    ("connection_errors", "sum"): ("TargetConnectionErrorCount", "Sum"),
    ("fail_open_requests", "sum"): ("UnhealthyRoutingRequestCount", "Sum"),
    ("latency", "p50"): ("TargetResponseTime", "p50"),
    ("latency", "p90"): ("TargetResponseTime", "p90"),
    ("latency", "p95"): ("TargetResponseTime", "p95"),
    ("latency", "p99"): ("TargetResponseTime", "p99"),
    ("latency", "average"): ("TargetResponseTime", "Average"),
    ("latency", "sample_count"): ("TargetResponseTime", "SampleCount"),
    ("latency", "p50_hourly"): ("TargetResponseTime", "p50"),
    ("latency", "p90_hourly"): ("TargetResponseTime", "p90"),
    ("latency", "p95_hourly"): ("TargetResponseTime", "p95"),
    ("latency", "p99_hourly"): ("TargetResponseTime", "p99"),
    # The minimum is over load balancer nodes too: so many targets are (un)healthy in the eyes of every node.
    ("healthy_hosts", "minimum"): ("HealthyHostCount", "Minimum"),
    ("unhealthy_hosts", "minimum"): ("UnHealthyHostCount", "Minimum"),
    ("alb_5xx", "sum"): ("HTTPCode_ELB_5XX_Count", "Sum"),
    ("alb_502", "sum"): ("HTTPCode_ELB_502_Count", "Sum"),
    ("alb_503", "sum"): ("HTTPCode_ELB_503_Count", "Sum"),
    ("alb_504", "sum"): ("HTTPCode_ELB_504_Count", "Sum"),
}


def metric_stat(series: Series) -> tuple[str, str]:
    """What CloudWatch calls a series: its metric and its statistic, ("TargetResponseTime", "PR(:0.3)") for within_0.3s."""
    if series.unit == "fraction":
        return "TargetResponseTime", f"PR(:{series.stat.removeprefix('within_').removesuffix('s')})"
    return METRIC_STATS[series.metric, series.stat]


def unit_factor(series: Series) -> float:
    """What CloudWatch's number is multiplied by: it gives percentile ranks in percent, the tidy frame holds fractions."""
    return 0.01 if series.unit == "fraction" else 1.0


def all_series(migration: Migration) -> tuple[Series, ...]:
    """Everything CloudWatch is asked for: each target group of each fleet, then the load balancer."""
    groups = ((fleet, name) for fleet in FLEETS for name in migration.fleets[fleet].names)
    return (
        *(one for group in groups for one in series_of_target_group(SOURCE, *group, migration.slow_thresholds_s)),
        *series_of_load_balancer(SOURCE),
    )


def retention_starts(now: int) -> tuple[tuple[int, int], ...]:
    """(period_s, first): for each period, finest first, the epoch second from which on it is asked for, as seen at `now`.

    `first` is a multiple of the next coarser period, so that a coarse period is never asked for in part.
    """
    coarser = (*(period_s for period_s, _ in _RETENTION_S[1:]), _RETENTION_S[-1][0])
    return tuple(
        (period_s, -(-(now - kept_s + _RETENTION_MARGIN_S) // step_s) * step_s)
        for (period_s, kept_s), step_s in zip(_RETENTION_S, coarser, strict=True)
    )


@dataclass(frozen=True, slots=True)
class MetricDataRequest:
    """One call: these series over `window`, whose ends are multiples of `period_s`."""

    series: tuple[Series, ...]
    window: Window
    period_s: int

    @property
    def datapoints(self) -> int:
        return len(self.series) * ((self.window.end - self.window.start) // self.period_s)


def split_by_retention(window: Window, now: int) -> Iterator[tuple[Window, int]]:
    """`window` cut by what is still kept, newest first, each part with its period; grown to whole periods, so it may begin or end outside."""
    end = window.end
    for period_s, first in retention_starts(now):
        start = max(window.start, first)
        if start < end:
            yield Window(start, end).aligned(period_s), period_s
            end = start


def plan_requests(series: Sequence[Series], window: Window, now: int) -> Iterator[MetricDataRequest]:
    """The calls that `window` takes, newest first: at most 500 queries and 100,800 datapoints each, one period each.

    Hourly series are asked for the hours that lie wholly inside the window, and come last.
    """
    yield from _plan_requests([one for one in series if not one.hourly], split_by_retention(window, now))
    yield from _plan_requests([one for one in series if one.hourly], _complete_hours(window, now))


def _plan_requests(series: Sequence[Series], every: Iterable[tuple[Window, int]]) -> Iterator[MetricDataRequest]:
    for part, period_s in every:
        for first in range(0, len(series), MAX_QUERIES):
            batch = tuple(series[first : first + MAX_QUERIES])
            longest_s = MAX_DATAPOINTS // len(batch) * period_s
            for piece in reversed(tuple(part.chunks(longest_s))):
                yield MetricDataRequest(batch, piece, period_s)


def _complete_hours(window: Window, now: int) -> Iterator[tuple[Window, int]]:
    """The whole hours of `window` that are still kept in any period."""
    first = max(window.start, retention_starts(now)[-1][1])
    start, end = -(-first // HOUR_S) * HOUR_S, window.end // HOUR_S * HOUR_S
    if start < end:
        yield Window(start, end), HOUR_S


@dataclass(frozen=True, slots=True)
class CloudWatchMetric:
    """What CloudWatch calls a series: under the one set of dimensions under which it is published, because CloudWatch rolls nothing up.

    `factor`: what CloudWatch's number is multiplied by.
    """

    namespace: str
    name: str
    stat: str
    dimensions: Mapping[str, str]
    factor: float = 1.0


class MetricNaming(Protocol):
    """Knows where series are in CloudWatch: the region, and what each is called there. `labels` are those of fleets, for graphs."""

    @property
    def partition(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    def metric(self, series: Series) -> CloudWatchMetric: ...


@dataclass(frozen=True, slots=True)
class LoadBalancerNaming:
    """The Names of a load balancer and its target groups: the dimensions' values are the tails of ARNs."""

    partition: str
    region: str
    load_balancer: str
    target_groups: Mapping[str, str]
    labels: Mapping[str, str]

    @classmethod
    def from_migration(cls, migration: Migration) -> Self:
        """Raises ValueError where the migration has no [aws]."""
        if migration.aws is None:
            raise ValueError("CloudWatch needs the [aws] table.")
        arn = migration.aws.load_balancer_arn
        return cls(
            partition=arn.partition,
            region=migration.aws.region,
            load_balancer=arn.dimension,
            target_groups={group.name: group.dimension for fleet in FLEETS for group in migration.fleets[fleet].arns},
            labels={fleet: migration.fleets[fleet].label for fleet in FLEETS},
        )

    def metric(self, series: Series) -> CloudWatchMetric:
        of_group = {"TargetGroup": self.target_groups[series.target_group]} if series.target_group else {}
        name, stat = metric_stat(series)
        return CloudWatchMetric(
            NAMESPACE, name, stat, {"LoadBalancer": self.load_balancer, **of_group}, unit_factor(series)
        )


def query_id(position: int) -> str:
    """An Id as CloudWatch wants it (a small letter first) for the series at `position` of an Ask."""
    return f"q{position}"


def get_metric_data_params(naming: MetricNaming, ask: MetricDataRequest, positions: Iterable[int]) -> dict[str, Any]:
    """The parameters of GetMetricData for the series at `positions` of `ask`.

    Without Unit (a wrong one returns nothing, silently) and without math (which takes NextToken away from PartialData).
    """
    return {
        "MetricDataQueries": [
            {"Id": query_id(position), "MetricStat": _metric_stat(naming, ask.series[position], ask.period_s)}
            for position in positions
        ],
        "StartTime": ask.window.starts_at,
        "EndTime": ask.window.ends_at,
        "ScanBy": "TimestampAscending",
    }


def _metric_stat(naming: MetricNaming, series: Series, period_s: int) -> dict[str, Any]:
    metric = naming.metric(series)
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions.items()]
    return {
        "Metric": {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions},
        "Period": period_s,
        "Stat": metric.stat,
    }


def query_text(naming: MetricNaming, series: Series, period_s: int) -> str:
    """A query as a person reads it: namespace, metric, statistic, period and dimensions in CloudWatch's own words."""
    metric = naming.metric(series)
    dimensions = ", ".join(f"{name}={value}" for name, value in metric.dimensions.items())
    return f"{metric.namespace} {metric.name} {metric.stat} {period_s} s {dimensions}"


def console_url(migration: Migration, series: Iterable[Series], window: Window, period_s: int) -> str:
    """The CloudWatch console's page with these series in one graph, over `window` in periods of `period_s` seconds."""
    return graph_url(LoadBalancerNaming.from_migration(migration), series, window, period_s)


def graph_url(naming: MetricNaming, series: Iterable[Series], window: Window, period_s: int) -> str:
    lines = []
    for one in series:
        metric = naming.metric(one)
        dimensions = [text for pair in metric.dimensions.items() for text in pair]
        label = " ".join(filter(None, (naming.labels.get(one.fleet), one.target_group, metric.name, metric.stat)))
        lines.append([metric.namespace, metric.name, *dimensions, {"stat": metric.stat, "label": label}])
    graph = {
        "metrics": lines,
        "view": "timeSeries",
        "stacked": False,
        "region": naming.region,
        "period": period_s,
        "start": _format_utc(window.starts_at),
        "end": _format_utc(window.ends_at),
    }
    return f"https://{console_host(naming.partition)}/cloudwatch/home?region={naming.region}#metricsV2:graph={_jsurl(graph)}"


def _format_utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def _jsurl(value: object) -> str:
    """A value as the console writes it behind `graph=`: JSON with ~ for commas and colons, ~'text, and *2f for a byte that an address cannot hold."""
    match value:
        case bool():
            return "~true" if value else "~false"
        case int():
            return f"~{value}"
        case str():
            return "~'" + "".join(_escape(letter) for letter in value)
        case dict():
            return "~(" + "~".join(f"{key}{_jsurl(one)}" for key, one in value.items()) + ")"
        case list():
            return "~(" + "".join(_jsurl(one) for one in value) + ")"
    raise TypeError(f"{value!r} has no place in a link")


def _escape(letter: str) -> str:
    if letter.isascii() and (letter.isalnum() or letter in "-_."):
        return letter
    if letter == "$":
        return "!"
    if ord(letter) > 0xFFFF:  # JavaScript's letters are UTF-16: this one is two
        high, low = divmod(ord(letter) - 0x10000, 0x400)
        return f"**{0xD800 + high:04x}**{0xDC00 + low:04x}"
    return f"*{ord(letter):02x}" if ord(letter) < 0x100 else f"**{ord(letter):04x}"
