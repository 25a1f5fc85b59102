"""The queries behind the data of a source, in the terms of its service, with links to the same graphs."""

from collections.abc import Iterator
from dataclasses import dataclass

from domain import Migration, Series, Window
from sources.aws import cloudwatch_queries as cloudwatch
from sources.aws.console import metrics_url
from sources.mackerel import queries as mackerel


@dataclass(frozen=True, slots=True)
class Query:
    """The query of one series in the service's own terms, and the URL of its graph ("" if there is none)."""

    series: Series
    period_s: int
    text: str
    link: str


def source_queries(migration: Migration, source: str, window: Window, period_s: int) -> Iterator[Query]:
    """Every query behind the data of `source` in `window`; none in the demo."""
    if migration.demo:
        return
    if source == cloudwatch.SOURCE and migration.aws:
        for series in cloudwatch.all_series(migration):
            if not series.hourly:
                text = cloudwatch.query_text(migration, series, period_s)
                yield Query(series, period_s, text, metrics_url(migration, (series,), window, period_s))
    if source == mackerel.SOURCE and migration.mackerel:
        host, organization = migration.mackerel.alb_host, migration.mackerel.organization
        for series in mackerel.all_series(migration):
            # Without a configured host the host was discovered by its metric names.
            text = mackerel.series_expression(host, series) if host else mackerel.metric_name(series)
            graph = mackerel.graph_of(series)
            link = mackerel.comparison_link(migration, organization, host, graph) if host and organization else ""
            yield Query(series, period_s, text, link)
