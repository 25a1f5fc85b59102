"""The percentiles of a route: which differences, margins and words are shown."""

from analysis.endpoints.endpoints import judge_endpoints
from analysis.endpoints.route import route_detail
from analysis.series.quantiles import RelativeDifference
from domain import Criterion
from domain.config.criteria import Margin
from tests.factories.log_counts import EC2, ECS, FLEET_OF, count_row, count_table, first_minutes
from ui.endpoints.latency import margin_bands, percentile_differences, percentiles_table

ROWS = [count_row(EC2, 500, ms=100), count_row(EC2, 500, ms=200), count_row(ECS, 8, ms=110)]
HEAD = ("latency", "EC2", "ECS", "difference")


def test_percentiles_with_too_few_responses_have_no_interval() -> None:
    route = route_detail(count_table(ROWS), FLEET_OF, first_minutes(1), "/")
    differences = percentile_differences(route)
    assert differences["p99"] == RelativeDifference(0.11 / 0.2 - 1, None, None)
    table = percentiles_table(route, differences, HEAD)
    assert table.rows[0] == ("p50", (("150 ms", ""), ("110 ms", ""), ("−26.7%", "95% CI −45.0 … +10.0%")))
    assert table.rows[-1] == ("p99", (("200 ms", ""), ("110 ms", ""), ("−45.0%", "too few responses for a CI")))


def test_a_fleet_without_answers_has_no_difference() -> None:
    route = route_detail(count_table(ROWS[:2]), FLEET_OF, first_minutes(1), "/")
    assert percentile_differences(route) == {}
    assert percentiles_table(route, {}, HEAD).rows[0] == ("p50", (("150 ms", ""), ("–", ""), ("–", "")))


def test_margins_are_relative_to_the_baseline() -> None:
    counts, window = count_table(ROWS), first_minutes(1)
    criteria = (
        Criterion(metric="latency_p50", margin=Margin(value=10, unit="%")),
        Criterion(metric="latency_p95", margin=Margin(value=50, unit="ms")),
        Criterion(metric="error_rate", margin=Margin(value=1, unit="pp")),
    )
    (endpoint,) = judge_endpoints(counts, FLEET_OF, window, criteria).routes
    bands = margin_bands(endpoint, route_detail(counts, FLEET_OF, window, "/"))
    assert bands == {"p50": (1 / 1.1 - 1, 0.1), "p95": (-0.25, 0.25)}
