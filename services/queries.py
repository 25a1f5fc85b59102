"""What a source was asked, in its own words, and where a person who may sign in there sees the same graph."""

from collections.abc import Iterator

from domain import Migration, Window
from sources.aws import cloudwatch_queries as cloudwatch
from sources.base import Query
from sources.mackerel import queries as mackerel


def source_queries(migration: Migration, source: str, window: Window, period_s: int) -> Iterator[Query]:
    """Every query behind the numbers of `source` in `window`; none of the demo, which asks nobody."""
    if migration.demo:
        return
    if source == cloudwatch.SOURCE and migration.aws:
        place = cloudwatch.LoadBalancerNaming.from_migration(migration)
        for one in (each for each in cloudwatch.all_series(migration) if not each.hourly):
            text = cloudwatch.query_text(place, one, period_s)
            yield Query(one, period_s, text, cloudwatch.graph_url(place, (one,), window, period_s))
    if source == mackerel.SOURCE and migration.mackerel:
        host, organization = migration.mackerel.alb_host, migration.mackerel.organization
        for one in mackerel.all_series(migration):
            # Without a host in the configuration it was found by the target groups' metrics: then the metric's name must do.
            text = mackerel.series_expression(host, one) if host else mackerel.metric_name(one)
            graph = mackerel.graph_of(one)
            linked = mackerel.comparison_link(migration, organization, host, graph) if host and organization else ""
            yield Query(one, period_s, text, linked)
