"""Where the same graph, or a single query, can be seen in the system it comes from."""

from collections.abc import Iterator
from typing import cast

from domain import Migration, Series, Window
from domain.series import within_stat
from sources.aws.console import metrics_url
from sources.aws.cloudwatch_queries import all_series, metric_stat
from sources.mackerel.queries import Graph, comparison_link
from ui.live.view import PanelName

_ERROR_METRICS = ("requests", "target_5xx", "alb_5xx", "connection_errors")


def chart_link(
    migration: Migration, source: str, panel: PanelName, window: Window, *, percentile: str, slow_s: float
) -> str:
    """The address of the same graph in CloudWatch's console or in Mackerel; "" where there is none (the demo has no account)."""
    if migration.demo:
        return ""
    if source == "cloudwatch":
        stat = {"latency": percentile, "slow": within_stat(slow_s)}.get(panel, "sum")
        metrics = {
            "error_rate": _ERROR_METRICS,
            "latency": ("latency",),
            "slow": ("latency",),
            "requests": ("requests",),
        }[panel]
        chosen = [one for one in all_series(migration) if one.metric in metrics and one.stat == stat]
        return metrics_url(migration, chosen, window, 60)
    graphs: dict[PanelName, Graph] = {"error_rate": "error_rate", "requests": "requests"}
    if percentile != "p50":  # Mackerel has none
        graphs["latency"] = cast(Graph, f"latency_{percentile}")
    mackerel = migration.mackerel
    if source == "mackerel" and panel in graphs and mackerel and mackerel.organization and mackerel.alb_host:
        return comparison_link(migration, mackerel.organization, mackerel.alb_host, graphs[panel])
    return ""


def console_queries(migration: Migration, source: str, window: Window) -> Iterator[tuple[Series, str, str]]:
    """Every CloudWatch query behind the page, which shows no whole hours: its series, what is asked in CloudWatch's words, and its place in the console."""
    if source != "cloudwatch" or migration.demo:
        return
    for series in all_series(migration):
        if series.hourly:
            continue
        yield series, " ".join(metric_stat(series)), metrics_url(migration, [series], window, 60)
