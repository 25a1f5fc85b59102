"""Mackerel's names of the load balancer's metrics, expressions that compare both fleets, and URLs of its web pages."""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args
from urllib.parse import quote, urlencode

from domain import FLEETS, FleetName, Migration, Series

SOURCE = "mackerel"
WEB_URL = "https://mackerel.io"

# (metric, stat) → host metric of the AWS integration, which identifies a target group by its name.
METRIC_NAMES: Mapping[tuple[str, str], str] = {
    ("requests", "sum"): "custom.alb.request_per_group.{group}.count",
    ("target_2xx", "sum"): "custom.alb.httpcode_count_per_group.{group}.target_2xx",
    ("target_3xx", "sum"): "custom.alb.httpcode_count_per_group.{group}.target_3xx",
    ("target_4xx", "sum"): "custom.alb.httpcode_count_per_group.{group}.target_4xx",
    ("target_5xx", "sum"): "custom.alb.httpcode_count_per_group.{group}.target_5xx",
    ("latency", "p90"): "custom.alb.response_per_group.{group}.time_p90",
    ("latency", "p95"): "custom.alb.response_per_group.{group}.time_p95",
    ("latency", "p99"): "custom.alb.response_per_group.{group}.time_p99",
    ("latency", "average"): "custom.alb.response_per_group.{group}.time",
    # The integration posts the average; the CloudWatch source reads the minimum.
    ("healthy_hosts", "average"): "custom.alb.host_count.{group}.healthy",
    ("unhealthy_hosts", "average"): "custom.alb.host_count.{group}.unhealthy",
}
ALB_METRIC_NAMES: Mapping[tuple[str, str], str] = {("alb_5xx", "sum"): "custom.alb.httpcode_count.alb_5xx"}

UNSUPPORTED_METRICS = (
    "latency.p50",
    "latency.within",
    "latency.sample_count",
    "connection_errors",
    "fail_open_requests",
    "alb_502",
    "alb_503",
    "alb_504",
)

Graph = Literal[
    "error_rate",
    "requests",
    "latency_p90",
    "latency_p95",
    "latency_p99",
    "latency_average",
    "healthy_hosts",
    "unhealthy_hosts",
    "alb_5xx",
]
GRAPHS: tuple[Graph, ...] = get_args(Graph)


def all_series(migration: Migration) -> tuple[Series, ...]:
    """Every series that Mackerel has: each target group of each fleet, then the load balancer."""
    of_groups = (
        Series(SOURCE, fleet, group, metric, stat, "s" if metric == "latency" else "count")
        for fleet in FLEETS
        for group in migration.fleets[fleet].names
        for metric, stat in METRIC_NAMES
    )
    of_load_balancer = (Series(SOURCE, "load_balancer", "", metric, stat, "count") for metric, stat in ALB_METRIC_NAMES)
    return (*of_groups, *of_load_balancer)


def metric_name(series: Series) -> str:
    """The name of the series as a metric of the load balancer's host."""
    if series.target_group:
        return METRIC_NAMES[series.metric, series.stat].format(group=series.target_group)
    return ALB_METRIC_NAMES[series.metric, series.stat]


def group_metric_names(group: str) -> tuple[str, ...]:
    """The names of a target group's metrics on the load balancer's host."""
    return tuple(name.format(group=group) for name in METRIC_NAMES.values())


def series_expression(host_id: str, series: Series) -> str:
    return _host(host_id, metric_name(series))


def graph_of(series: Series) -> Graph:
    """The comparison graph that shows the series."""
    name = f"latency_{series.stat}" if series.metric == "latency" else series.metric
    name = "error_rate" if name == "target_5xx" else name
    return next((graph for graph in GRAPHS if graph == name), "requests")


def comparison_expression(migration: Migration, host_id: str, graph: Graph) -> str:
    """A Mackerel expression that draws both fleets in one graph. `host_id`: the load balancer's host.

    The target groups of a fleet are summed, because blue/green deployments swap them. Percentiles must not be summed or averaged: latency has a
    line for each group.
    """
    if graph == "alb_5xx":
        return _alias(_host(host_id, ALB_METRIC_NAMES["alb_5xx", "sum"]), "ALB 5xx")
    lines = [line for fleet in FLEETS for line in _graph_lines(migration, host_id, graph, fleet)]
    return f"group({', '.join(lines)})"


def _graph_lines(migration: Migration, host_id: str, graph: Graph, fleet: FleetName) -> Iterable[str]:
    label, groups = migration.fleets[fleet].label, migration.fleets[fleet].names

    def metrics(metric: str, stat: str = "sum") -> list[str]:
        return [_host(host_id, METRIC_NAMES[metric, stat].format(group=group)) for group in groups]

    match graph:
        case "error_rate":
            rate = f"divide({_sum(metrics('target_5xx'))}, {_sum(metrics('requests'))})"
            yield _alias(f"scale({rate}, 100)", f"{label} 5xx %")
        case "requests":
            yield _alias(_sum(metrics("requests")), f"{label} requests")
        case "healthy_hosts" | "unhealthy_hosts":
            yield _alias(_sum(metrics(graph, "average")), f"{label} {graph.replace('_', ' ')}")
        case _:
            stat = graph.removeprefix("latency_")
            for group, line in zip(groups, metrics("latency", stat), strict=True):
                yield _alias(line, f"{label} {stat}" if len(groups) == 1 else f"{label} {stat} {group}")


def comparison_link(migration: Migration, organization: str, host_id: str, graph: Graph) -> str:
    """The URL of Mackerel's page that draws the comparison (requires sign-in)."""
    expression = comparison_expression(migration, host_id, graph)
    unit = "percentage" if graph == "error_rate" else "seconds" if graph.startswith("latency") else "float"
    query = urlencode({"query": expression, "unit": unit, "title": f"{migration.name} {graph}"}, quote_via=quote)
    return f"{WEB_URL}/orgs/{quote(organization, safe='')}/advanced-graph?{query}"


def dashboard_link(organization: str, dashboard_id: str) -> str:
    return f"{WEB_URL}/orgs/{quote(organization, safe='')}/dashboards/{quote(dashboard_id, safe='')}"


def alert_link(organization: str, alert_id: str) -> str:
    return f"{WEB_URL}/orgs/{quote(organization, safe='')}/alerts/{quote(alert_id, safe='')}"


def service_link(organization: str, service: str) -> str:
    """The URL of a service's page, which shows its annotations."""
    return f"{WEB_URL}/orgs/{quote(organization, safe='')}/services/{quote(service, safe='')}"


def _host(host_id: str, name: str) -> str:
    return f"host({host_id}, {name})"


def _sum(lines: list[str]) -> str:
    return lines[0] if len(lines) == 1 else f"sum(group({', '.join(lines)}))"


def _alias(line: str, name: str) -> str:
    escaped = name.replace("'", "’")  # quoted names have no escapes
    return f"alias({line}, '{escaped}')"
