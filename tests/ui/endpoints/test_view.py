"""The query parameters and the HTML of the Endpoints page."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import DEFAULT_CRITERIA
from analysis.endpoints.endpoints import judge_endpoints
from domain import Window
from messages import endpoints as messages
from services.endpoints import RequestFilter
from tests.factories.archives import MIGRATION
from tests.factories.endpoints_view import NOW, judged, params
from tests.factories.log_counts import EC2, ECS, FLEET_OF, START, busy_route, count_row, count_table, first_minutes
from ui.endpoints import table
from ui.endpoints import view as parts
from ui.endpoints.url import parse_endpoints_params, route_link
from ui.sorting import Sort

ERROR_RATE = next(criterion for criterion in DEFAULT_CRITERIA if criterion.metric == "error_rate")
HOSTILE = "/search/<script>alert(1)</script>\"'"


def test_default_window_is_the_current_phase_up_to_the_newest_complete_file() -> None:
    end = START + 3600
    assert params().window(Window(START, START + 60), now=NOW) == Window(START, end)
    assert params().window(Window(START - 10 * 86_400, end), now=NOW) == Window(end - 86_400, end)
    assert params().window(Window(end + 60, end + 120), now=NOW) == Window(end - 300, end)  # it has just started
    assert params(window="1h").window(Window(START + 60, end), now=NOW) == Window(START, end)
    fixed = params(from_="2026-09-21T10:00Z", to="2026-09-21T11:30Z")
    assert fixed.window(Window(START, end), now=NOW) == Window(START - 7200, START - 1800)


def test_filters_and_invalid_params() -> None:
    parsed = params(method="POST", host="api.example.com", status="4xx", map="p95", page="3", route="/a")
    assert parsed.filters == RequestFilter("POST", "api.example.com", 4) and not parsed.has_invalid_params
    assert (parsed.route, parsed.map, parsed.page) == ("/a", "p95", 3)
    for name, value in (("window", "7d"), ("status", "9xx"), ("map", "x"), ("from_", "never"), ("sort", "-")):
        assert params(**{name: value}).has_invalid_params
    assert params(status="9xx").filters == RequestFilter()
    assert params(verdict="<b>").has_invalid_params and params(verdict="<b>").verdict is None
    assert params(q="  photos  ", verdict="regression", sort="-p95").sort == Sort("p95", descending=True)
    assert len(params(q="x" * 10**6).search) == 300 and params(sort="x" * 10**6).sort is None
    assert [params(page=page).page for page in ("0", "-1", "x", "²", "9" * 5000)] == [1] * 5


def test_a_range_is_cut_to_its_last_14_days_and_to_the_past() -> None:
    parsed = params(from_="2010-01-02T00:00Z", to="2099-12-30T00:00Z")
    end = START + 3600 + 300
    assert parsed.fixed_window == Window(end - 14 * 86_400, end) and parsed.range_clipped
    assert not parsed.has_invalid_params
    past = params(from_="2026-09-01T00:00Z", to="2026-09-15T00:00Z")
    assert past.fixed_window and past.fixed_window.minutes == 14 * 1440 and not past.range_clipped
    future = params(from_="2099-01-01T00:00Z", to="2099-12-30T00:00Z")
    assert future.fixed_window is None and future.has_invalid_params and not future.range_clipped


@given(
    st.dictionaries(
        st.sampled_from(["window", "from", "to", "page", "route", "status", "q", "verdict", "sort"]),
        st.text(max_size=30) | st.datetimes().map(lambda time: f"{time.isoformat()}Z") | st.integers().map(str),
    )
)
def test_any_query_string_has_a_bounded_window_and_page(query: dict[str, str]) -> None:
    parsed = parse_endpoints_params(query, zone=MIGRATION.zone, now=NOW)
    window = parsed.window(Window(START - 90 * 86_400, START + 3600), now=NOW)
    assert window.minutes <= 14 * 1440 and window.start >= 0 and window.end <= NOW.timestamp() + 300
    for n_routes in (0, 1, 50, 51, 5000):
        assert 0 <= table.first_row(n_routes, parsed.page) <= max(n_routes - 1, 0)


def test_route_link_keeps_window_and_filters() -> None:
    query_params = {"window": "1h", "method": "POST", "route": "/b", "all": "1"}
    assert route_link(query_params, "/a?x&y") == "?route=%2Fa%3Fx%26y&window=1h&method=POST"


def test_untrusted_text_is_escaped() -> None:
    view = judged(busy_route(120, 60, route=HOSTILE, errors=0.02, canary_error_factor=8))
    html = table.routes_table(MIGRATION, view, params(), {"method": HOSTILE}) + parts.headline(MIGRATION, view, HOSTILE)
    html += parts.hidden_routes_banner(MIGRATION, view, {})
    assert "<script" not in html and "&lt;script&gt;" in html


def test_banner_names_a_route_that_the_total_hides() -> None:
    rows = [
        row
        for index in range(4)
        for row in busy_route(240, 500, route=f"/fine/{index}", canary_error_factor=0.92, seed=index)
    ]
    view = judged([*rows, *busy_route(240, 80, route="/share", errors=0.004, canary_error_factor=5, seed=9)], 240)
    html = parts.hidden_routes_banner(MIGRATION, view, {})
    assert "but 1 route regressed:" in html and "?route=%2Fshare" in html and "ECS" in html
    assert "1 of 5 routes regressed" in parts.headline(MIGRATION, view, "in the last 4h")
    visible = judged(busy_route(120, 500, errors=0.01, canary_error_factor=5))
    assert parts.hidden_routes_banner(MIGRATION, visible, {}) == ""


def test_routes_are_shown_in_pages() -> None:
    rows = [count_row(group, 5, route=f"/r/{index}") for index in range(70) for group in (EC2, ECS)]
    view = judged(rows, 1)  # type: ignore[arg-type]
    assert table.routes_table(MIGRATION, view, params(), {}).count("<tr") == 1 + 1 + 50
    assert table.routes_table(MIGRATION, view, params(page="2"), {}).count("<tr") == 1 + 1 + 20

    assert table.routes_table(MIGRATION, view, params(page="9"), {}).count("<tr") == 1 + 1 + 20
    assert messages.routes_shown(51, 70, 70) == "Routes 51–70 of 70, worst first"
    assert messages.map_limited(500, 5000) == "Worst 500 of 5,000 routes shown."


def test_ingest_summary() -> None:
    text = parts.ingest_summary(judged(busy_route(20, 60), 20))
    assert "100 lines read, 98 parsed, 2 not parsable; 3 files, 20 min." in text
    assert "1 file truncated" in text and "routes judged" not in text


@pytest.mark.parametrize(("axis", "difference"), [("errors", 0.5), ("p95", 100.0)])
def test_map_point_has_its_difference_in_the_unit_of_the_axis(axis: str, difference: float) -> None:
    rows = [count_row(EC2, 1000, ms=50), count_row(ECS, 995, ms=100), count_row(ECS, 5, elb=500, ms=100)]
    (point,) = parts.map_points(judged(rows, 1), axis)  # type: ignore[arg-type]
    assert point.difference == pytest.approx(difference) and point.traffic == 2000.0
    assert point.verdict == "not enough data"
    canary_only = judged([count_row(ECS, 5)], 1)  # type: ignore[list-item]
    assert parts.map_points(canary_only, axis) == []


def test_the_map_shows_the_verdict_on_its_own_metric() -> None:
    """An error regression is no mark on the map of p95; a metric without a criterion is not judged."""
    view = judged(busy_route(240, 300, errors=0.002, canary_error_factor=8), 240)
    (errors,), (p95,) = (parts.map_points(view, axis) for axis in ("errors", "p95"))
    assert view.endpoints.routes[0].judgement.verdict == errors.verdict == "regression"
    assert p95.verdict not in ("regression", None) and "regression" not in p95.hover
    only_errors = judge_endpoints(count_table(busy_route(240, 300)), FLEET_OF, first_minutes(240), [ERROR_RATE])
    (unjudged,) = parts.map_points(replace(view, endpoints=only_errors), "p95")
    assert unjudged.verdict is None and "not judged" in unjudged.hover
