"""Which routes the table shows, in which order, and its HTML and CSV."""

import csv
import io
import re
from dataclasses import replace

import pytest

from reports.endpoints_csv import routes_csv
from services.endpoints import EndpointsView
from tests.factories.archives import MIGRATION
from tests.factories.endpoints_view import judged, params
from tests.factories.log_counts import EC2, ECS, busy_route, count_row
from ui.endpoints.table import routes_table, shown_routes

NAMES = ("/写真/:id", "/صور/:id", "/<img src=x onerror=alert(1)>", "/" + "a" * 200, "=cmd|' /C calc'!A0")


def view_of(*routes: tuple[str, int, int]) -> EndpointsView:
    """Routes by name, requests of each fleet, and how many of ECS's failed."""
    rows = [count_row(EC2, n, route=name) for name, n, _ in routes]
    rows += [count_row(ECS, n - errors, route=name, ms=100) for name, n, errors in routes]
    rows += [count_row(ECS, errors, route=name, elb=500) for name, _, errors in routes if errors]
    return judged(rows, 1)  # type: ignore[arg-type]


def names(view: EndpointsView, **query: str) -> list[str]:
    return [endpoint.route for endpoint in shown_routes(view, params(**query)).routes]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("route", ["/A", "/b", "/c"]),
        ("-route", ["/c", "/b", "/A"]),
        ("-requests", ["/c", "/A", "/b"]),
        ("errors", ["/b", "/c", "/A"]),
        ("-difference", ["/A", "/c", "/b"]),
    ],
)
def test_order(sort: str, expected: list[str]) -> None:
    assert names(view_of(("/A", 200, 20), ("/b", 100, 0), ("/c", 900, 9)), sort=sort) == expected


def test_routes_without_a_value_are_last_in_both_directions() -> None:
    view = judged([count_row(ECS, 5, route="/a"), *busy_route(3, 60, route="/b")], 3)  # type: ignore[list-item]
    assert [names(view, sort=sort) for sort in ("p95", "-p95")] == [["/b", "/a"]] * 2


def test_search_ignores_case_and_width_and_the_verdict_counts_are_of_what_it_finds() -> None:
    view = view_of(("/V1/Photos", 200, 0), ("/ｖ1/photos", 200, 0), ("/写真", 200, 0))
    assert len(names(view, q="v1/PHOTOS")) == 2 and names(view, q="写真") == ["/写真"] and names(view, q=".*") == []
    assert shown_routes(view, params(q="写真", verdict="parity")).verdict_counts == {"not enough data": 1}
    assert names(view, verdict="regression") == []


def test_five_thousand_routes_come_in_pages_and_a_search_finds_any() -> None:
    view = view_of(*((f"/r/{index}", 5, 0) for index in range(500)))
    many = replace(view, endpoints=replace(view.endpoints, routes=view.endpoints.routes * 10))
    assert routes_table(MIGRATION, many, params(page="100"), {}).count("<tr") == 1 + 1 + 50
    assert routes_table(MIGRATION, many, params(q="/r/499"), {}).count("<tr") == 1 + 10


def test_foreign_names_are_escaped_isolated_and_no_formulas() -> None:
    view = view_of(*((name, 100, 0) for name in NAMES))
    html = routes_table(MIGRATION, view, params(), {})
    assert "<img src=x" not in html and "<bdi>/صور/:id</bdi>" in html and "/" + "a" * 200 in html
    rows = list(csv.DictReader(io.StringIO(routes_csv(view.endpoints.routes).decode())))
    assert {row["route"] for row in rows} == {*NAMES[:4], f"'{NAMES[4]}"}
    assert [(row["requests_canary"], row["p95_canary_s"], row["error_rate_lower"]) for row in rows[:1]] == [
        ("100", "0.1", "")
    ]


def test_the_sorted_column_says_so_and_each_row_has_a_trend_and_an_interval() -> None:
    view = judged(busy_route(240, 300, errors=0.002, canary_error_factor=8), 240)
    html = routes_table(MIGRATION, view, params(sort="-errors"), {"sort": "-errors"})
    assert re.findall(r"aria-sort='(\w+)'", html) == ["descending"]
    assert html.count("<img src='data:image/svg+xml,") == 2 and "alt='Highest error rate: EC2 " in html
    assert html.count("class='beyond right'") == 2 and " … +" in html
