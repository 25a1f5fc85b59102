"""Links to the same graph, or to a single query, in the console of its source."""

from collections.abc import Iterator, Sequence
from typing import cast

from domain import Migration, Series, Window
from domain.series import within_stat
from domain.window import MINUTE_S
from services.live import PanelName
from sources.aws.cloudwatch_queries import all_series, metric_stat
from sources.aws.console import metrics_url
from sources.mackerel.queries import Graph, comparison_link

_METRICS: dict[PanelName, tuple[str, ...]] = {
    "error_rate": ("requests", "target_5xx", "alb_5xx", "connection_errors"),
    "latency": ("latency",),
    "slow": ("latency",),
    "requests": ("requests",),
}


def chart_link(
    migration: Migration, source: str, panel: PanelName, window: Window, *, percentiles: Sequence[str], slow_s: float
) -> str:
    """The URL of the same graph in CloudWatch's console or in Mackerel, whose graphs have one percentile; "" if there is none, as in the demo."""
    if migration.demo:
        return ""
    if source == "cloudwatch":
        stats = {"latency": percentiles, "slow": (within_stat(slow_s),)}.get(panel, ("sum",))
        series = [item for item in all_series(migration) if item.metric in _METRICS[panel] and item.stat in stats]
        return metrics_url(migration, series, window, MINUTE_S)
    graphs: dict[PanelName, Graph] = {"error_rate": "error_rate", "requests": "requests"}
    if percentiles[0] != "p50":  # Mackerel has none
        graphs["latency"] = cast(Graph, f"latency_{percentiles[0]}")
    mackerel = migration.mackerel
    if source == "mackerel" and panel in graphs and mackerel and mackerel.organization and mackerel.alb_host:
        return comparison_link(migration, mackerel.organization, mackerel.alb_host, graphs[panel])
    return ""


def console_queries(migration: Migration, window: Window) -> Iterator[tuple[Series, str, str]]:
    """Each CloudWatch query behind the Live page: its series, the metric and statistic, and its URL in the console ("" if that is not known)."""
    for series in all_series(migration):
        if not series.hourly:
            yield series, " ".join(metric_stat(series)), metrics_url(migration, [series], window, MINUTE_S)
