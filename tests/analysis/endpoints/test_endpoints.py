"""Parity per route: counts by route and fleet, detection of single routes, and false alarms."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as some

from analysis.endpoints.endpoints import (
    ALL_ROUTES,
    UNDECIDED_COMPARISONS,
    Endpoint,
    FleetStats,
    JudgedEndpoints,
    judge_endpoints,
    route_comparisons,
)
from analysis.series.quantiles import Percentile
from domain import Criterion, FleetName, Margin
from domain.log_counts import COUNTS, NO_STATUS, UNANSWERED_MS
from domain.route_templates import OTHER_ROUTE
from tests.factories.config_issues import own_table
from tests.factories.log_counts import EC2, ECS, FLEET_OF, START, busy_route, count_row, count_table, first_minutes

ERRORS = Criterion(metric="error_rate", margin=Margin(value=0.1, unit="pp"), critical=True)
P95 = Criterion(metric="latency_p95", margin=Margin(value=10, unit="%"))
SWAPPED: dict[str, FleetName] = {group: "canary" if fleet == "baseline" else "baseline" for group, fleet in FLEET_OF.items()}  # fmt: skip
MIRRORED = {"regression": "improvement", "improvement": "regression"}


def judged(rows: list[dict[str, Any]], minutes: int = 60, **options: Any) -> JudgedEndpoints:
    return judge_endpoints(count_table(rows), FLEET_OF, first_minutes(minutes), (ERRORS, P95), **options)


def endpoint_of(report: JudgedEndpoints, route: str) -> Endpoint:
    (endpoint,) = (endpoint for endpoint in report.routes if endpoint.route == route)
    return endpoint


def test_a_small_table_by_hand() -> None:
    report = judged(
        [
            count_row(EC2, 90),
            count_row(EC2, 8, ms=200),
            count_row(EC2, 2, elb=500, ms=10),
            count_row(ECS, 40, ms=70),
            count_row(ECS, 1, elb=502, target=NO_STATUS, ms=UNANSWERED_MS),
            count_row(ECS, 1, elb=504, target=NO_STATUS, ms=UNANSWERED_MS),
            count_row(ECS, 3, route="/b", elb=404),
            count_row("", 5, elb=503, target=NO_STATUS, ms=UNANSWERED_MS),  # no target group was chosen
        ]
    )
    endpoint = endpoint_of(report, "/")
    assert endpoint.fleets["baseline"] == FleetStats(100, 2, 0, endpoint.fleets["baseline"].percentiles)
    # 502 and 504 made by the load balancer belong to the target group that the log line names.
    assert endpoint.fleets["canary"] == FleetStats(42, 2, 2, endpoint.fleets["canary"].percentiles)
    assert endpoint.error_difference == pytest.approx(2 / 42 - 2 / 100)
    assert endpoint.fleets["baseline"].percentiles["p50"] == Percentile(0.05, 0.05, 0.05)
    assert endpoint.fleets["canary"].percentiles["p95"] == Percentile(0.07, 0.07, None)
    assert endpoint_of(report, "/b").fleets["canary"].errors == 0
    assert (
        endpoint_of(report, "/b").fleets["baseline"].error_rate is None
        and endpoint_of(report, "/b").error_difference is None
    )
    assert report.total.route == ALL_ROUTES and report.total.requests == 145 and report.unassigned_requests == 5
    assert report.n_judged == 0  # a single minute is not enough


def test_routes_are_judged_without_criteria_of_ones_own() -> None:
    own = Criterion.model_validate(own_table())
    rows = busy_route(60, 100)
    for status in (None, 5):
        reports = [
            judge_endpoints(count_table(rows), FLEET_OF, first_minutes(60), criteria, status=status)
            for criteria in ((ERRORS, own, P95), (ERRORS, P95), (own,), ())
        ]
        judgements = [report.total.judgement for report in reports]
        assert judgements[0] == judgements[1] and judgements[2] == judgements[3]
        assert [judgement.default_criteria for judgement in judgements] == [False, False, True, True]


def test_route_with_one_request_comes_after_those_with_thousands() -> None:
    report = judged(
        [
            count_row(ECS, 1, route="/a", elb=500),
            count_row(EC2, 2, route="/b"),
            *(count_row(fleet, 5000, minute=minute, route="/busy") for minute in range(60) for fleet in (EC2, ECS)),
            *(count_row(fleet, 100, minute=minute, route="/z") for minute in range(3) for fleet in (EC2, ECS)),
        ]
    )
    assert [endpoint.route for endpoint in report.routes] == ["/busy", "/z", "/a", "/b"]


def test_all_target_groups_of_a_fleet_are_summed() -> None:
    report = judged([count_row(ECS, 3), count_row("photo-ecs-green", 4), count_row("another-service", 9)])
    assert report.total.fleets["canary"].requests == 7 and report.unassigned_requests == 9


def test_one_broken_route_is_detected_if_the_totals_are_equal() -> None:
    """Five times the errors on a route with a twentieth of the traffic; the others have fewer, so that the totals are equal."""
    many = 240
    rows = [
        row
        for place in range(4)
        for row in busy_route(many, 500, route=f"/fine/{place}", canary_error_factor=0.92, seed=place)
    ]
    report = judged([*rows, *busy_route(many, 80, route="/share", errors=0.004, canary_error_factor=5, seed=9)], many)
    assert [row.route for row in report.hidden_regressions] == ["/share"] and report.routes[0].route == "/share"
    assert report.total.judgement.verdict != "regression"
    assert endpoint_of(report, "/share").judgement["error_rate"].verdict == "regression"


def test_no_regression_is_hidden_if_the_total_is_worse() -> None:
    report = judged(busy_route(120, 500, errors=0.01, canary_error_factor=5), 120)
    assert report.total.judgement.verdict == "regression" and report.hidden_regressions == ()
    assert report.routes[0].judgement.verdict == "regression"


def test_a_slow_route_is_detected_by_its_percentile() -> None:
    rows = busy_route(120, 400, errors=0)
    for row in rows:
        row["latency_ms"] = row["latency_ms"] * 3 // 2 if row["target_group"] == ECS else row["latency_ms"]
    report = judged([*rows, *busy_route(120, 400, route="/fine", errors=0)], 120)
    assert endpoint_of(report, "/").judgement["latency_p95"].verdict == "regression"
    assert endpoint_of(report, "/fine").judgement["latency_p95"].verdict == "parity"


def test_percentiles_of_rare_routes_are_judged_in_longer_blocks() -> None:
    """Ten answers per minute: a p95 needs 200, so that 60 minutes are the shortest block."""
    rows = [count_row(group, 10, minute=minute, ms=50 + minute % 3) for minute in range(720) for group in (EC2, ECS)]
    verdict = endpoint_of(judged(rows, 720), "/").judgement["latency_p95"]
    assert (verdict.minutes, verdict.baseline, verdict.canary) == (720, 0.052, 0.052)
    paused = [row for row in rows if not START + 120 * 60 <= row["minute"] < START + 180 * 60]
    verdict = endpoint_of(judged(paused, 750), "/").judgement["latency_p95"]
    assert (verdict.minutes, verdict.excluded["no_traffic"], verdict.excluded["low_samples"]) == (660, 120, 0)


def test_a_slow_share_is_one_of_answers() -> None:
    unanswered = {"elb": 504, "target": NO_STATUS, "ms": UNANSWERED_MS}
    rows = [
        row
        for minute in range(30)
        for group in (EC2, ECS)
        for row in (
            count_row(group, 90, minute=minute),
            count_row(group, 10, minute=minute, ms=400),
            count_row(group, 50, minute=minute, **unanswered),  # type: ignore[arg-type]
        )
    ]
    slow = Criterion.model_validate({"metric": "slow_0.3s", "margin": "1pp"})
    report = judge_endpoints(count_table(rows), FLEET_OF, first_minutes(30), (slow,))
    (verdict,) = endpoint_of(report, "/").judgement.criteria
    assert (verdict.canary_events, verdict.canary_requests, verdict.canary) == (300, 3000, pytest.approx(0.1))


def test_swapped_fleets_mirror_the_verdicts() -> None:
    rows = [
        *busy_route(120, 300, route="/worse", errors=0.005, canary_error_factor=6),
        *busy_route(120, 300, route="/alike"),
    ]
    original = judge_endpoints(count_table(rows), FLEET_OF, first_minutes(120), (ERRORS, P95))
    swapped = judge_endpoints(count_table(rows), SWAPPED, first_minutes(120), (ERRORS, P95))
    assert endpoint_of(original, "/worse").judgement.verdict == "regression"
    for endpoint in original.routes:
        mirrored = endpoint_of(swapped, endpoint.route)
        assert mirrored.judgement.verdict == MIRRORED.get(endpoint.judgement.verdict, endpoint.judgement.verdict)
        assert (
            mirrored.fleets["canary"] == endpoint.fleets["baseline"]
            and mirrored.fleets["baseline"] == endpoint.fleets["canary"]
        )


ROWS = busy_route(30, 60, route="/a", errors=0.05, canary_error_factor=2) + busy_route(30, 20, route="/b", errors=0.02)


@given(seed=some.integers(0, 2**32 - 1), cut=some.floats(0.05, 0.95))
@pytest.mark.slow
def test_the_order_and_split_of_rows_is_irrelevant(seed: int, cut: float) -> None:
    rng, rows = np.random.default_rng(seed), list[dict[str, Any]]()
    for place in rng.permutation(len(ROWS)):
        row = ROWS[place]
        n = int(row["n"] * cut)
        rows += [row | {"n": n}, row | {"n": row["n"] - n}] if n else [row]
    assert judged(rows, 30) == judged(ROWS, 30)


def test_rows_outside_the_window_do_not_count() -> None:
    report = judged(
        [
            count_row(EC2, 3, minute=-1),
            count_row(EC2, 4, minute=0),
            count_row(EC2, 5, minute=59),
            count_row(EC2, 6, minute=60),
        ]
    )
    assert report.total.requests == 9


def test_no_data_is_no_parity() -> None:
    report = judge_endpoints(COUNTS.empty_table(), FLEET_OF, first_minutes(60))
    assert report.routes == () and report.hidden_regressions == () and report.n_judged == 0
    assert report.total.requests == 0 and report.total.judgement.verdict == "not enough data"
    assert (
        judged([count_row(ECS, 10, minute=minute) for minute in range(60)]).routes[0].judgement.verdict
        == "not enough data"
    )


def test_routes_beyond_the_cap_are_merged() -> None:
    rows = [count_row(group, 100 - place, route=f"/r/{place}") for place in range(10) for group in (EC2, ECS)]
    report = judged(rows, max_routes=3)
    assert {endpoint.route for endpoint in report.routes} == {
        "/r/0",
        "/r/1",
        "/r/2",
        OTHER_ROUTE,
    } and report.n_folded == 7
    assert endpoint_of(report, OTHER_ROUTE).requests == 2 * sum(range(91, 98))
    assert report.total == judged(rows).total


@pytest.mark.parametrize("max_routes", [254, 255, 256, 257])
def test_routes_are_numbered_in_as_few_bytes_as_fit(max_routes: int) -> None:
    """Around a limit of their type no route has the requests of another."""
    rows = [count_row(EC2, 1000 - place, route=f"/r/{place}") for place in range(max_routes + 2)]
    report = judged(rows, max_routes=max_routes)
    expected = {f"/r/{place}": 1000 - place for place in range(max_routes)}
    expected[OTHER_ROUTE] = 2000 - 2 * max_routes - 1
    assert {endpoint.route: endpoint.requests for endpoint in report.routes} == expected


def test_a_status_class_is_judged_by_its_share_and_latency() -> None:
    rows = busy_route(120, 300, errors=0.01, canary_error_factor=5)
    rows = [row | {"elb_status": 404, "target_status": 404} if row["elb_status"] == 500 else row for row in rows]
    report = judged(rows, 120, status=4)
    assert report.total.judgement["error_rate"].verdict == "regression"
    assert report.total.fleets["canary"].percentiles["p50"] == Percentile(0.02, 0.02, 0.02)  # that of the 404s alone
    assert report.total.fleets["canary"].requests == 120 * 300
    assert judged(rows, 120).total.judgement["error_rate"].verdict == "not enough data"  # not one 5xx
    # More 2xx are neither better nor worse: only their latency is judged.
    assert metrics(judged(rows, 120, status=2)) == ["latency_p95"]
    rates_alone = judge_endpoints(count_table(rows), FLEET_OF, first_minutes(120), (ERRORS,), status=2)
    assert metrics(rates_alone) == ["latency_p50", "latency_p95", "latency_p99"]


def metrics(report: JudgedEndpoints) -> list[str]:
    return [endpoint.metric for endpoint in report.total.judgement.criteria]


def simulated_counts(seed: int, routes: int, minutes: int) -> pa.Table:
    """Routes with equal fleets, from busy to rare ones, with a few errors each."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list[Any]] = {name: [] for name in ("minute", "route", "target_group", "elb_status", "n")}
    per_minute = 2000 / np.arange(1, routes + 1) ** 0.8
    errors = rng.choice([0.0, 0.001, 0.01, 0.05], routes)
    for group in (EC2, ECS):
        requests = rng.poisson(per_minute[:, None], (routes, minutes))
        failed = rng.binomial(requests, errors[:, None])
        for status, n in ((200, requests - failed), (500, failed)):
            route, minute = np.nonzero(n)
            columns["minute"] += [START + 60 * minute]
            columns["route"] += [route]
            columns["target_group"] += [np.full(len(route), group, dtype=object)]
            columns["elb_status"] += [np.full(len(route), status)]
            columns["n"] += [n[route, minute]]
    arrays = {name: np.concatenate(parts) for name, parts in columns.items()}
    arrays["route"] = np.array([f"/r/{place}" for place in range(routes)], dtype=object)[arrays["route"]]
    length = len(arrays["n"])
    arrays |= {"host": np.full(length, "h", dtype=object), "method": np.full(length, "GET", dtype=object)}
    arrays |= {"target_status": arrays["elb_status"], "latency_ms": np.full(length, 50)}
    return pa.table({name: arrays[name] for name in COUNTS.names}, COUNTS)


def alarms(report: JudgedEndpoints) -> int:
    return sum(endpoint.judgement.verdict in ("regression", "improvement") for endpoint in report.routes)


@pytest.mark.slow
def test_hundreds_of_equal_routes_raise_no_alarm() -> None:
    """500 routes, half an hour, and a tiny margin, so that every false alarm shows. A test at 5% per route raises several in every simulation."""
    criterion = ERRORS.model_copy(update={"margin": Margin(value=0.0001, unit="pp")})
    for seed in range(3):
        report = judge_endpoints(simulated_counts(seed, 500, 30), FLEET_OF, first_minutes(30), (criterion,))
        assert report.n_judged >= 450
        assert alarms(report) == 0
        assert naive_alarms(report) >= 5


def test_alarms_are_corrected_for_routes_times_criteria() -> None:
    """Two routes with two criteria have the alarm bounds of four routes with one criterion, and wider ones than two routes with one."""
    rows = {
        name: busy_route(60, 300, route=name, errors=0.01, canary_error_factor=2) for name in ("/a", "/b", "/c", "/d")
    }

    def alarm_lower(routes: str, *criteria: Criterion) -> tuple[float | None, float | None]:
        table = count_table([row for name in routes for row in rows[f"/{name}"]])
        report = judge_endpoints(table, FLEET_OF, first_minutes(60), criteria)
        assert report.n_judged == len(routes)
        return endpoint_of(report, "/a").judgement["error_rate"].alarm_lower, report.total.judgement[
            "error_rate"
        ].alarm_lower

    (two, total_two), (four, _), (one, total_one) = (
        alarm_lower("ab", ERRORS, P95),
        alarm_lower("abcd", ERRORS),
        alarm_lower("ab", ERRORS),
    )
    assert two == four and two is not None and one is not None and two < one
    assert total_two is not None and total_one is not None and total_two < total_one  # the total is one route


def test_the_share_of_a_route_by_hand() -> None:
    """Two routes in the first ten minutes share 6/π² of α; one each until the 20th and the 40th minute; one whose block lasts until the 80th."""
    judgeable_after = np.array([10, 10, 15, 40, 50, 61])
    assert list(route_comparisons(judgeable_after, 60, 1)) == [
        4,
        4,
        7,
        15,
        UNDECIDED_COMPARISONS,
        UNDECIDED_COMPARISONS,
    ]
    assert list(route_comparisons(judgeable_after, 80, 2)) == [7, 7, 14, 30, 106, 106]
    assert route_comparisons(np.array([], dtype=np.int64), 60, 1).size == 0


@given(
    judgeable_after=some.lists(some.integers(10, 3000), min_size=1, max_size=60),
    looks=some.tuples(some.integers(10, 3000), some.integers(10, 3000)),
    n_criteria=some.integers(1, 8),
)
def test_all_routes_share_alpha_and_no_later_route_takes_any_away(
    judgeable_after: list[int], looks: tuple[int, int], n_criteria: int
) -> None:
    def comparisons(minutes: int) -> np.ndarray:
        """As known after `minutes`."""
        return route_comparisons(np.minimum(judgeable_after, minutes + 1), minutes, n_criteria)

    earlier, later = (comparisons(minutes) for minutes in sorted(looks))
    assert n_criteria * (1 / later).sum() <= 1 + 1e-6
    decided = earlier < UNDECIDED_COMPARISONS
    assert (earlier[decided] == later[decided]).all()


def test_a_route_that_begins_later_takes_nothing_from_earlier_ones() -> None:
    early = busy_route(60, 300, route="/a", errors=0.01, canary_error_factor=2)
    late = [row | {"minute": row["minute"] + 1800} for row in busy_route(30, 300, route="/late", errors=0.01)]

    def alarm_lower(rows: list[dict[str, Any]], route: str) -> float | None:
        report = judge_endpoints(count_table(rows), FLEET_OF, first_minutes(60), (ERRORS,))
        return endpoint_of(report, route).judgement["error_rate"].alarm_lower

    alone = alarm_lower(early, "/a")
    assert alone is not None and alarm_lower([*early, *late], "/a") == alone
    both = judge_endpoints(count_table([*early, *late]), FLEET_OF, first_minutes(60), (ERRORS,))
    assert both.n_judged == 2
    # Judgeable after 40 minutes, so one of the block that ends then: α is divided by ⌈(3π)²/6⌉ = 15.
    late_alarm = endpoint_of(both, "/late").judgement["error_rate"]
    assert (
        late_alarm.alarm_lower is not None
        and late_alarm.lower is not None
        and late_alarm.alarm_lower < late_alarm.lower
    )


def naive_alarms(report: JudgedEndpoints) -> int:
    """Alarms of a two-proportion z-test at 5% per route."""
    count = 0
    for endpoint in report.routes:
        b, c = endpoint.fleets["baseline"], endpoint.fleets["canary"]
        pooled = (b.errors + c.errors) / endpoint.requests
        standard_error = (pooled * (1 - pooled) * (1 / b.requests + 1 / c.requests)) ** 0.5
        count += standard_error > 0 and abs(endpoint.error_difference or 0) > 1.96 * standard_error
    return count


def test_judging_can_be_given_up_before_each_route() -> None:
    rows = [count_row(group, 5, route=f"/r/{index}") for index in range(3) for group in (EC2, ECS)]
    calls = []

    def give_up() -> None:
        calls.append(None)
        if len(calls) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        judge_endpoints(count_table(rows), FLEET_OF, first_minutes(1), before_route=give_up)
    assert len(calls) == 2


def test_hours_one_by_one_are_judged_as_together() -> None:
    """The tables of hours name their routes in orders of their own."""
    rows = [*busy_route(60, 20, route="/b"), *busy_route(60, 30, route="/a", canary_error_factor=20, seed=2)]
    rows.append(count_row("other", 7))
    hours = [[row for row in rows if (row["minute"] - START) // 60 // 20 == number] for number in range(3)]
    tables = (count_table(hour[::-1] if number else hour) for number, hour in enumerate(hours))
    together = judge_endpoints(count_table(rows), FLEET_OF, first_minutes(60), (ERRORS, P95))
    assert judge_endpoints(tables, FLEET_OF, first_minutes(60), (ERRORS, P95)) == together
    assert {endpoint.route for endpoint in together.routes} == {"/a", "/b"}
    assert together.unassigned_requests == 7
    assert judge_endpoints([], FLEET_OF, first_minutes(60)).routes == ()
