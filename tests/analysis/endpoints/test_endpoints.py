"""Parity route by route: who failed on which route, and how often it says so without a reason."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as some

from analysis.endpoints.endpoints import ALL_ROUTES, Endpoint, FleetStats, JudgedEndpoints, judge_endpoints
from analysis.series.quantiles import Percentile
from domain import Criterion, FleetName, Margin
from domain.log_counts import COUNTS, NO_STATUS, UNANSWERED_MS
from domain.route_templates import OTHER_ROUTE
from tests.factories.log_counts import EC2, ECS, FLEET_OF, START, busy_route, count_row, count_table, first_minutes

ERRORS = Criterion(metric="error_rate", margin=Margin(value=0.1, unit="pp"), critical=True)
P95 = Criterion(metric="latency_p95", margin=Margin(value=10, unit="%"))
SWAPPED: dict[str, FleetName] = {group: "canary" if fleet == "baseline" else "baseline" for group, fleet in FLEET_OF.items()}  # fmt: skip
MIRRORED = {"regression": "improvement", "improvement": "regression"}


def judged(rows: list[dict[str, Any]], minutes: int = 60, **how: Any) -> JudgedEndpoints:
    return judge_endpoints(count_table(rows), FLEET_OF, first_minutes(minutes), (ERRORS, P95), **how)


def endpoint_of(report: JudgedEndpoints, route: str) -> Endpoint:
    (one,) = (one for one in report.routes if one.route == route)
    return one


def test_a_small_table_by_hand() -> None:
    told = judged(
        [
            count_row(EC2, 90),
            count_row(EC2, 8, ms=200),
            count_row(EC2, 2, elb=500, ms=10),
            count_row(ECS, 40, ms=70),
            count_row(ECS, 1, elb=502, target=NO_STATUS, ms=UNANSWERED_MS),
            count_row(ECS, 1, elb=504, target=NO_STATUS, ms=UNANSWERED_MS),
            count_row(ECS, 3, route="/b", elb=404),
            count_row("", 5, elb=503, target=NO_STATUS, ms=UNANSWERED_MS),  # no target group was chosen: nobody's
        ]
    )
    one = endpoint_of(told, "/")
    assert one.fleets["baseline"] == FleetStats(100, 2, 0, one.fleets["baseline"].percentiles)
    # 502 and 504, which the load balancer made in their stead, are the target group's that the line names.
    assert one.fleets["canary"] == FleetStats(42, 2, 2, one.fleets["canary"].percentiles)
    assert one.error_difference == pytest.approx(2 / 42 - 2 / 100)
    assert one.fleets["baseline"].percentiles["p50"] == Percentile(0.05, 0.05, 0.05)
    assert one.fleets["canary"].percentiles["p95"] == Percentile(0.07, 0.07, None)
    assert endpoint_of(told, "/b").fleets["canary"].errors == 0
    assert (
        endpoint_of(told, "/b").fleets["baseline"].error_rate is None
        and endpoint_of(told, "/b").error_difference is None
    )
    assert told.total.route == ALL_ROUTES and told.total.requests == 145 and told.unassigned_requests == 5
    assert told.n_judged == 0  # a single minute is not enough to judge anything by


def test_all_target_groups_of_a_fleet_are_that_fleet() -> None:
    told = judged([count_row(ECS, 3), count_row("photo-ecs-green", 4), count_row("somebody-else", 9)])
    assert told.total.fleets["canary"].requests == 7 and told.unassigned_requests == 9


def test_one_broken_route_is_found_though_the_totals_agree() -> None:
    """Five times the errors on a route with a twentieth of the traffic; the others have a few less, so that in all there are as many."""
    many = 240
    rows = [
        one
        for place in range(4)
        for one in busy_route(many, 500, route=f"/fine/{place}", canary_error_factor=0.92, seed=place)
    ]
    told = judged([*rows, *busy_route(many, 80, route="/share", errors=0.004, canary_error_factor=5, seed=9)], many)
    assert [one.route for one in told.hidden_regressions] == ["/share"] and told.routes[0].route == "/share"
    assert told.total.judgement.verdict != "regression"
    assert endpoint_of(told, "/share").judgement["error_rate"].verdict == "regression"


def test_where_all_of_it_is_worse_nothing_is_hidden() -> None:
    told = judged(busy_route(120, 500, errors=0.01, canary_error_factor=5), 120)
    assert told.total.judgement.verdict == "regression" and told.hidden_regressions == ()
    assert told.routes[0].judgement.verdict == "regression"


def test_a_slow_route_is_found_by_its_percentile() -> None:
    rows = busy_route(120, 400, errors=0)
    for one in rows:
        one["latency_ms"] = one["latency_ms"] * 3 // 2 if one["target_group"] == ECS else one["latency_ms"]
    told = judged([*rows, *busy_route(120, 400, route="/fine", errors=0)], 120)
    assert endpoint_of(told, "/").judgement["latency_p95"].verdict == "regression"
    assert endpoint_of(told, "/fine").judgement["latency_p95"].verdict == "parity"


def test_swapped_fleets_mirror_the_verdicts() -> None:
    rows = [
        *busy_route(120, 300, route="/worse", errors=0.005, canary_error_factor=6),
        *busy_route(120, 300, route="/alike"),
    ]
    there = judge_endpoints(count_table(rows), FLEET_OF, first_minutes(120), (ERRORS, P95))
    back = judge_endpoints(count_table(rows), SWAPPED, first_minutes(120), (ERRORS, P95))
    assert endpoint_of(there, "/worse").judgement.verdict == "regression"
    for one in there.routes:
        other = endpoint_of(back, one.route)
        assert other.judgement.verdict == MIRRORED.get(one.judgement.verdict, one.judgement.verdict)
        assert other.fleets["canary"] == one.fleets["baseline"] and other.fleets["baseline"] == one.fleets["canary"]


ROWS = busy_route(30, 60, route="/a", errors=0.05, canary_error_factor=2) + busy_route(30, 20, route="/b", errors=0.02)


@given(seed=some.integers(0, 2**32 - 1), cut=some.floats(0.05, 0.95))
def test_the_order_of_rows_and_how_they_are_split_is_nothing(seed: int, cut: float) -> None:
    dice, rows = np.random.default_rng(seed), list[dict[str, Any]]()
    for place in dice.permutation(len(ROWS)):
        one = ROWS[place]
        part = int(one["n"] * cut)
        rows += [one | {"n": part}, one | {"n": one["n"] - part}] if part else [one]
    assert judged(rows, 30) == judged(ROWS, 30)


def test_what_is_out_of_the_window_does_not_count() -> None:
    told = judged(
        [
            count_row(EC2, 3, minute=-1),
            count_row(EC2, 4, minute=0),
            count_row(EC2, 5, minute=59),
            count_row(EC2, 6, minute=60),
        ]
    )
    assert told.total.requests == 9


def test_nothing_is_no_parity() -> None:
    told = judge_endpoints(COUNTS.empty_table(), FLEET_OF, first_minutes(60))
    assert told.routes == () and told.hidden_regressions == () and told.n_judged == 0
    assert told.total.requests == 0 and told.total.judgement.verdict == "not enough data"
    assert (
        judged([count_row(ECS, 10, minute=minute) for minute in range(60)]).routes[0].judgement.verdict
        == "not enough data"
    )


def test_routes_beyond_the_cap_stand_together() -> None:
    rows = [count_row(group, 100 - place, route=f"/r/{place}") for place in range(10) for group in (EC2, ECS)]
    told = judged(rows, max_routes=3)
    assert {one.route for one in told.routes} == {"/r/0", "/r/1", "/r/2", OTHER_ROUTE} and told.n_folded == 7
    assert endpoint_of(told, OTHER_ROUTE).requests == 2 * sum(range(91, 98))
    assert told.total == judged(rows).total


def test_of_one_class_of_codes_its_share_and_its_times() -> None:
    rows = [one | {"elb_status": 404, "target_status": 404} if one["elb_status"] == 500 else one for one in busy_route(120, 300, errors=0.01, canary_error_factor=5)]  # fmt: skip
    told = judged(rows, 120, status=4)
    assert told.total.judgement["error_rate"].verdict == "regression"
    assert told.total.fleets["canary"].percentiles["p50"] == Percentile(0.02, 0.02, 0.02)  # that of the 404s alone
    assert told.total.fleets["canary"].requests == 120 * 300
    assert judged(rows, 120).total.judgement["error_rate"].verdict == "not enough data"  # not one 5xx
    # Whether more of 2xx are better nobody can say: their times are judged, and no rate.
    assert metrics(judged(rows, 120, status=2)) == ["latency_p95"]
    rates_alone = judge_endpoints(count_table(rows), FLEET_OF, first_minutes(120), (ERRORS,), status=2)
    assert metrics(rates_alone) == ["latency_p50", "latency_p95", "latency_p99"]


def metrics(report: JudgedEndpoints) -> list[str]:
    return [one.metric for one in report.total.judgement.criteria]


def simulated_counts(seed: int, routes: int, minutes: int) -> pa.Table:
    """Routes on which nothing is wrong, from busy ones to rare ones, with a few errors each."""
    dice = np.random.default_rng(seed)
    columns: dict[str, list[Any]] = {name: [] for name in ("minute", "route", "target_group", "elb_status", "n")}
    often = 2000 / np.arange(1, routes + 1) ** 0.8
    errors = dice.choice([0.0, 0.001, 0.01, 0.05], routes)
    for group in (EC2, ECS):
        requests = dice.poisson(often[:, None], (routes, minutes))
        failed = dice.binomial(requests, errors[:, None])
        for status, n in ((200, requests - failed), (500, failed)):
            route, minute = np.nonzero(n)
            columns["minute"] += [START + 60 * minute]
            columns["route"] += [route]
            columns["target_group"] += [np.full(len(route), group, dtype=object)]
            columns["elb_status"] += [np.full(len(route), status)]
            columns["n"] += [n[route, minute]]
    flat = {name: np.concatenate(parts) for name, parts in columns.items()}
    flat["route"] = np.array([f"/r/{place}" for place in range(routes)], dtype=object)[flat["route"]]
    same = len(flat["n"])
    flat |= {"host": np.full(same, "h", dtype=object), "method": np.full(same, "GET", dtype=object)}
    flat |= {"target_status": flat["elb_status"], "latency_ms": np.full(same, 50)}
    return pa.table({name: flat[name] for name in COUNTS.names}, COUNTS)


def alarms(report: JudgedEndpoints) -> int:
    return sum(one.judgement.verdict in ("regression", "improvement") for one in report.routes)


def test_where_nothing_is_wrong_hundreds_of_routes_raise_no_alarm() -> None:
    """500 routes, half an hour, and a margin of next to nothing, so that every false alarm shows. A test of 5 % a route raises some in every world."""
    criterion = ERRORS.model_copy(update={"margin": Margin(value=0.0001, unit="pp")})
    for seed in range(3):
        told = judge_endpoints(simulated_counts(seed, 500, 30), FLEET_OF, first_minutes(30), (criterion,))
        assert told.n_judged >= 450
        assert alarms(told) == 0
        assert naive_alarms(told) >= 5


def naive_alarms(report: JudgedEndpoints) -> int:
    """What a test of two shares says at 5 %, a route at a time."""
    seen = 0
    for one in report.routes:
        b, c = one.fleets["baseline"], one.fleets["canary"]
        pooled = (b.errors + c.errors) / one.requests
        spread = (pooled * (1 - pooled) * (1 / b.requests + 1 / c.requests)) ** 0.5
        seen += spread > 0 and abs(one.error_difference or 0) > 1.96 * spread
    return seen
