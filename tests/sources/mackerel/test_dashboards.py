"""Pairs of the two fleets on dashboards, and the criteria that they become."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import Criterion
from domain.config.criteria import Margin
from sources.mackerel.client import MackerelApi
from sources.mackerel.criteria import expression_issues
from sources.mackerel.dashboards import Discovery, Pair, discover, find_pairs, to_toml
from sources.mackerel.models import Dashboard, Monitor
from sources.mackerel.protocol import MackerelError
from sources.mackerel.queries import GRAPHS, comparison_expression
from tests.factories.mackerel import make_migration
from tests.fakes.mackerel import FakeMackerel

MIGRATION = make_migration()
RATE = "scale(divide(service(photo, {0}.5xx), service(photo, {0}.all)), 100)"


def overlay(*lines: tuple[str, str]) -> str:
    return f"group({', '.join(f'alias({expression}, {name!r})' for name, expression in lines)})"


def dashboard(*graphs: tuple[str, str], kind: str = "expression") -> Dashboard:
    widgets = [{"type": "graph", "title": title, "graph": {"type": kind, kind: text}} for title, text in graphs]
    return Dashboard.model_validate({"id": "d1", "title": "Canary", "widgets": widgets})


def found(*graphs: tuple[str, str], monitors: Any = (), kind: str = "expression") -> Discovery:
    return find_pairs([dashboard(*graphs, kind=kind)], map(Monitor.model_validate, monitors), MIGRATION, "example")


def test_two_aliases_that_name_the_fleets_are_a_pair() -> None:
    (pair,) = found(("5xx %", overlay(("EC2 5xx", RATE.format("ec2")), ("ecs 5xx", RATE.format("ecs"))))).pairs
    assert (pair.name, pair.kind, pair.better, str(pair.margin)) == ("5xx %", "rate", "lower", "10%")
    assert (pair.baseline, pair.canary) == (RATE.format("ec2"), RATE.format("ecs"))
    assert (pair.dashboard, pair.link) == ("Canary", "https://mackerel.io/orgs/example/dashboards/d1")


def test_a_graph_with_several_measures_has_a_pair_of_each() -> None:
    series = ("ec2.p95", "ec2.p99", "ecs.p95", "ecs.p99")
    lines = [(f"{name[:3].upper()} {name[4:]}", f"service(photo, {name})") for name in series]
    result = found(("latency", overlay(*lines, ("both", "service(photo, all)"))))
    assert [(pair.name, pair.canary) for pair in result.pairs] == [
        ("latency p95", "service(photo, ecs.p95)"),
        ("latency p99", "service(photo, ecs.p99)"),
    ]
    assert {pair.kind for pair in result.pairs} == {"value"} and {pair.better for pair in result.pairs} == {"equal"}


@pytest.mark.parametrize("graph", [graph for graph in GRAPHS if graph != "alb_5xx"])
def test_the_comparisons_of_this_program_are_found(graph: Any) -> None:
    (first, *_others) = found((graph, comparison_expression(MIGRATION, "h1", graph))).pairs or (None,)
    assert first is None or first.name.startswith(graph)
    assert first or graph.startswith("latency")  # the canary has a line for each of its two groups


def test_a_monitor_of_the_same_expression_has_the_first_margin() -> None:
    graph = ("5xx", overlay(("EC2", RATE.format("ec2")), ("ECS", RATE.format("ecs"))))
    text = f"alias({RATE.format('ecs')}, x)".replace(", ", ",\n")
    monitor = {
        "id": "m",
        "type": "expression",
        "name": "5xx of ECS",
        "expression": text,
        "operator": ">",
        "warning": 0.5,
        "critical": 2,
    }
    (pair,) = found(graph, monitors=[monitor]).pairs
    assert (str(pair.margin), pair.monitor, pair.better) == ("0.5 pp", "5xx of ECS", "lower")
    shares = [RATE.format(name).removeprefix("scale(").removesuffix(", 100)") for name in ("ec2", "ecs")]
    share_monitor = {
        "id": "m",
        "type": "expression",
        "name": "x",
        "expression": shares[0],
        "operator": ">",
        "critical": 0.02,
    }
    (pair,) = found(("5xx", overlay(("EC2", shares[0]), ("ECS", shares[1]))), monitors=[share_monitor]).pairs
    assert str(pair.margin) == "2 pp"
    success = share_monitor | {"operator": "<", "critical": 0.99}
    (pair,) = found(("2xx", overlay(("EC2", shares[0]), ("ECS", shares[1]))), monitors=[success]).pairs
    assert (str(pair.margin), pair.better) == ("1 pp", "higher")
    beyond = success | {"critical": 1.5}
    (pair,) = found(("2xx", overlay(("EC2", shares[0]), ("ECS", shares[1]))), monitors=[beyond]).pairs
    assert str(pair.margin) == "10%"
    values = ("up", overlay(("EC2", "service(photo, a)"), ("ECS", "service(photo, b)")))
    low = {
        "id": "m",
        "type": "expression",
        "name": "few",
        "expression": "service(photo, a)",
        "operator": "<",
        "critical": 20,
    }
    (pair,) = found(values, monitors=[low, {"id": "n", "type": "expression", "expression": "sum(", "warning": 1}]).pairs
    assert (str(pair.margin), pair.better) == ("20", "higher")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sum(", "invalid"),
        ("host(h1, loadavg5)", "no_pair"),
        (overlay(("EC2", "service(photo, a)"), ("old", "service(photo, b)")), "no_pair"),
        (overlay(("EC2 and ECS", "service(photo, a)"), ("ECS", "service(photo, b)")), "no_pair"),
        (overlay(("EC2", "roleSlots(photo:web, a)"), ("ECS", "service(photo, b)")), "role_slots"),
    ],
)
def test_other_graphs_are_listed_with_their_reason(text: str, reason: str) -> None:
    result = found(("graph", text))
    assert result.pairs == () and [(graph.title, graph.reason) for graph in result.unread] == [("graph", reason)]


def test_a_query_cannot_be_read_and_is_linked() -> None:
    (graph,) = found(("labelled", 'sum(http_requests{fleet="ecs"})'), kind="query").unread
    assert (graph.reason, graph.link) == ("query", "https://mackerel.io/orgs/example/dashboards/d1")


def test_500_widgets_have_names_of_their_own() -> None:
    graph = ('5xx, "all"', overlay(("EC2", "service(photo, a)"), ("ECS", "service(photo, b)")))
    result = found(*[graph] * 500)
    names = [pair.name for pair in result.pairs]
    assert len(set(names)) == 500 and names[:2] == ["5xx all", "5xx all 2"]


def test_dashboards_are_read_one_by_one(api: MackerelApi, fake_mackerel: FakeMackerel) -> None:
    graph = {"type": "expression", "expression": overlay(("EC2", "service(photo, a)"), ("ECS", "service(photo, b)"))}
    fake_mackerel.dashboards.append(
        {"id": "own", "title": "移行", "widgets": [{"type": "graph", "title": "アップロード", "graph": graph}]}
    )
    result = discover(api, MIGRATION)
    assert [(pair.name, pair.dashboard) for pair in result.pairs] == [("アップロード", "移行")]
    assert [(item.title, item.n_pairs) for item in result.dashboards][1:] == [("移行", 1)]
    assert fake_mackerel.paths == [
        "/api/v0/dashboards",
        "/api/v0/dashboards/2c5bLca8e",
        "/api/v0/dashboards/own",
        "/api/v0/monitors",
    ]
    fake_mackerel.has_read_permission = False
    with pytest.raises(MackerelError, match="denied"):
        discover(api, MIGRATION)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(TEXT, TEXT, TEXT)
def test_what_is_written_is_read_as_a_criterion(title: str, board: str, monitor: str) -> None:
    graph = (title, overlay(("EC2", "service(photo, a)"), ("ECS", "service(photo, b)")))
    (pair,) = find_pairs([dashboard(graph)], [], MIGRATION, "example").pairs
    changed = Pair(
        pair.name, pair.baseline, pair.canary, "value", "equal", Margin(value=2.5, unit=""), monitor, board, ""
    )
    for item in (pair, changed):
        (table,) = tomllib.loads(to_toml(item))["criteria"]
        criterion = Criterion.model_validate(table)
        assert (criterion.name, criterion.baseline, criterion.margin) == (item.name, item.baseline, item.margin)
        assert not list(expression_issues([criterion]))
