"""Mackerel's names of metrics, expressions and URLs."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from domain.config.models import Fleet
from sources.mackerel.queries import (
    GRAPHS,
    METRIC_NAMES,
    UNSUPPORTED_METRICS,
    Graph,
    comparison_expression,
    comparison_link,
)
from tests.factories.mackerel import make_migration

MIGRATION = make_migration()


def test_comparison_expression_sums_the_groups_of_a_fleet() -> None:
    assert comparison_expression(MIGRATION, "h1", "requests") == (
        "group(alias(host(h1, custom.alb.request_per_group.photo-ec2.count), 'EC2 requests'), "
        "alias(sum(group(host(h1, custom.alb.request_per_group.photo-ecs-blue.count), "
        "host(h1, custom.alb.request_per_group.photo-ecs-green.count))), 'ECS requests'))"
    )
    assert comparison_expression(MIGRATION, "h1", "error_rate").startswith(
        "group(alias(scale(divide(host(h1, custom.alb.httpcode_count_per_group.photo-ec2.target_5xx), "
        "host(h1, custom.alb.request_per_group.photo-ec2.count)), 100), 'EC2 5xx %'), alias(scale(divide(sum(group("
    )


def test_percentiles_have_a_line_for_each_group() -> None:
    assert comparison_expression(MIGRATION, "h1", "latency_p95") == (
        "group(alias(host(h1, custom.alb.response_per_group.photo-ec2.time_p95), 'EC2 p95'), "
        "alias(host(h1, custom.alb.response_per_group.photo-ecs-blue.time_p95), 'ECS p95 photo-ecs-blue'), "
        "alias(host(h1, custom.alb.response_per_group.photo-ecs-green.time_p95), 'ECS p95 photo-ecs-green'))"
    )


@pytest.mark.parametrize("graph", GRAPHS)
def test_comparison_link_contains_the_whole_expression(graph: Graph) -> None:
    expression = comparison_expression(MIGRATION, "h1", graph)
    assert expression.count("(") == expression.count(")") and expression.count("'") % 2 == 0
    link = urlsplit(comparison_link(MIGRATION, "my org/x", "h1", graph))
    assert (link.scheme, link.netloc, link.path) == ("https", "mackerel.io", "/orgs/my%20org%2Fx/advanced-graph")
    query = parse_qs(link.query)
    assert query["query"] == [expression] and query["title"] == [f"Photo service {graph}"]
    assert query["unit"] == ["percentage" if graph == "error_rate" else "seconds" if "latency" in graph else "float"]


def test_quotes_in_a_label_are_escaped() -> None:
    fleets = MIGRATION.fleets.model_copy(update={"baseline": Fleet(label="old ', x", target_groups=("photo-ec2",))})
    assert "'old ’, x requests'" in comparison_expression(
        MIGRATION.model_copy(update={"fleets": fleets}), "h1", "requests"
    )


def test_documentation_names_every_metric_and_every_unsupported_one() -> None:
    page = (Path(__file__).parents[3] / "docs" / "mackerel.md").read_text(encoding="utf-8")
    for name in METRIC_NAMES.values():
        assert f"`{name.format(group='<TG>')}`" in page
    for name in UNSUPPORTED_METRICS:
        assert f"`{name}`" in page
