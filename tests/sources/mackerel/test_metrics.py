"""Mackerel as a source of numbers and of events, against the loopback Mackerel."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from domain import Aws, Event, Mackerel, Migration, Series, Window, check_frame, epoch_s
from domain.config.models import Fleet, Fleets
from sources.base import Pull
from sources.mackerel.client import MackerelApi
from sources.mackerel.events import ALERT_LOOKBACK_S, MAX_ALERT_PAGES
from sources.mackerel.metrics import MACKEREL_RETENTION_S, MackerelEvents, MackerelMetrics
from sources.mackerel.queries import (
    GRAPHS,
    METRIC_NAMES,
    UNSUPPORTED_METRICS,
    all_series,
    comparison_expression,
    comparison_link,
    metric_name,
)
from tests.factories.mackerel import NOON, make_migration, noon
from tests.fakes.mackerel import ALB_HOST, API_KEY, FakeMackerel, alb_metric_names
from tests.fakes.traffic_model import ScriptedTraffic, SteadyTraffic, TargetGroupMinute

TEN_MINUTES = Window(NOON - 600, NOON)
TARGET_GROUPS = ("photo-ec2", "photo-ecs-blue", "photo-ecs-green")


MIGRATION = make_migration()
SERIES = all_series(MIGRATION)
STORY = ScriptedTraffic(
    {
        ("photo-ec2", NOON - 120): TargetGroupMinute(100, 97, 1, 0, 2, latencies=(0.1, 0.2, 0.3), healthy=4),
        ("photo-ec2", NOON - 60): TargetGroupMinute(110, 110, latencies=(0.2,), healthy=4),
        ("photo-ecs-blue", NOON - 120): TargetGroupMinute(10, 10, latencies=(0.5,)),
        ("photo-ecs-blue", NOON - 60): TargetGroupMinute(0, healthy=1, unhealthy=1),
    },
    alb_errors={NOON - 60: {"alb_5xx": 3, "alb_502": 3}},
)


def series(metric: str, stat: str = "sum", group: str = "photo-ec2") -> Series:
    (found,) = (
        one
        for one in SERIES
        if (one.metric, one.stat) == (metric, stat)
        and one.target_group in (group, "" if metric == "alb_5xx" else group)
    )
    return found


@pytest.fixture
def world() -> Iterator[FakeMackerel]:
    with FakeMackerel(STORY, clock=noon) as running:
        yield running


@pytest.fixture
def api(world: FakeMackerel) -> Iterator[MackerelApi]:
    client = MackerelApi(API_KEY, world.url, sleep=lambda s: None)
    yield client
    client.close()


@pytest.fixture
def metrics(api: MackerelApi) -> MackerelMetrics:
    return MackerelMetrics(MIGRATION, clock=noon, api=api)


@pytest.fixture
def events(api: MackerelApi) -> MackerelEvents:
    return MackerelEvents(MIGRATION, clock=noon, api=api)


def values_by_series(pull: Pull) -> dict[tuple[str, str, str], dict[int, float]]:
    """(group, metric, stat) → minutes after NOON → value."""
    told: dict[tuple[str, str, str], dict[int, float]] = {}
    for row, ts in zip(check_frame(pull.frame).itertuples(), epoch_s(pull.frame), strict=True):
        told.setdefault((row.target_group, row.metric, row.stat), {})[(int(ts) - NOON) // 60] = row.value
    return told


def problem_keys(pull: Pull) -> list[tuple[str, str, str]]:
    return [(problem.kind, problem.about, problem.detail) for problem in pull.problems]


# Numbers


def test_the_overlay_comes_from_the_load_balancers_host(metrics: MackerelMetrics) -> None:
    pull = metrics.pull(TEN_MINUTES)
    told = values_by_series(pull)
    assert told["photo-ec2", "requests", "sum"] == {-2: 100, -1: 110}
    assert told["photo-ec2", "target_2xx", "sum"] == {-2: 97, -1: 110}
    assert told["photo-ec2", "target_3xx", "sum"] == {-2: 1}
    assert told["photo-ec2", "target_5xx", "sum"] == {-2: 2}
    assert told["photo-ec2", "latency", "average"] == {-2: pytest.approx(0.2), -1: 0.2}
    assert told["photo-ec2", "latency", "p90"] == {-2: pytest.approx(0.28), -1: 0.2}
    assert told["photo-ec2", "healthy_hosts", "average"] == {-2: 4, -1: 4}
    assert told["photo-ecs-blue", "requests", "sum"] == {-2: 10}
    assert told["photo-ecs-blue", "unhealthy_hosts", "average"] == {-2: 0, -1: 1}
    assert told["", "alb_5xx", "sum"] == {-1: 3}
    assert ("photo-ec2", "target_4xx", "sum") not in told
    assert set(pull.frame["fleet"]) == {"baseline", "canary", "load_balancer"}
    assert set(pull.frame["source"]) == {"mackerel"}
    assert (set(pull.frame["period_s"]), set(pull.frame["unit"])) == ({60}, {"count", "s"})
    assert pull.asked_at == NOON


def test_a_group_that_never_served_is_a_state_and_stays_unanswered(metrics: MackerelMetrics) -> None:
    """Green has no metrics: a configuration mistake would look the same, so nothing is taken for an answer."""
    pull = metrics.pull(TEN_MINUTES)
    assert problem_keys(pull) == [("no_such_metric", "photo-ecs-green", "")]
    (answer,) = pull.answered_ranges
    assert (answer.window, answer.period_s) == (TEN_MINUTES, 60)
    assert answer.series == frozenset(one for one in SERIES if one.target_group != "photo-ecs-green")
    assert pull.datapoints_requested == len(answer.series) * 10


def test_an_error_that_never_happened_is_answered_with_nothing(world: FakeMackerel, metrics: MackerelMetrics) -> None:
    """Mackerel has no metric of it then, and answers 404: nobody is asked."""
    errors = series("target_5xx")
    world.missing_metrics = {metric_name(errors), "custom.alb.httpcode_count.alb_5xx"}
    pull = metrics.pull(TEN_MINUTES, [errors, series("requests"), series("alb_5xx")])
    assert set(values_by_series(pull)) == {("photo-ec2", "requests", "sum")}
    assert pull.answered_ranges[0].series == {errors, series("requests"), series("alb_5xx")}
    assert pull.problems == ()
    assert world.paths.count(f"/api/v0/hosts/{ALB_HOST}/metrics") == 1


def test_a_missing_metric_that_is_no_count_of_rare_things_is_told(
    world: FakeMackerel, metrics: MackerelMetrics
) -> None:
    world.missing_metrics = {metric_name(series("latency", "p99"))}
    pull = metrics.pull(TEN_MINUTES, [series("latency", "p99"), series("requests")])
    assert problem_keys(pull) == [("no_such_metric", "custom.alb.response_per_group.photo-ec2.time_p99", "")]
    assert pull.answered_ranges[0].series == {series("requests")}


def test_statuses_that_the_integration_leaves_out_are_not_zero(world: FakeMackerel, metrics: MackerelMetrics) -> None:
    """Answers were timed, so they had a status; taken for zero, every request would look unanswered."""
    statuses = [series(f"target_{digit}xx") for digit in "2345"]
    world.missing_metrics = {metric_name(one) for one in statuses}
    pull = metrics.pull(TEN_MINUTES, [*statuses, series("requests")])
    assert pull.answered_ranges[0].series == {series("requests")}
    assert {problem.about for problem in pull.problems} == {metric_name(one) for one in statuses}


def test_another_load_balancers_host_answers_nothing(api: MackerelApi, world: FakeMackerel) -> None:
    """Its own 5xx would be drawn as ours, and its silence would be taken for ours."""
    world.traffic_model = ScriptedTraffic(
        {("other", NOON - 60): TargetGroupMinute(5, 5)}, alb_errors={NOON - 60: {"alb_5xx": 9}}
    )
    pull = MackerelMetrics(MIGRATION, clock=noon, api=api).pull(TEN_MINUTES)
    assert pull.frame.empty and pull.answered_ranges == ()
    assert [problem.about for problem in pull.problems if problem.kind == "no_such_metric"] == list(TARGET_GROUPS)


def test_a_metric_that_appears_later_is_noticed(api: MackerelApi, world: FakeMackerel) -> None:
    """The canary's first request comes while the dashboard runs."""
    now = [NOON]
    source = MackerelMetrics(MIGRATION, clock=lambda: datetime.fromtimestamp(now[0], UTC), api=api)
    canary = series("requests", group="photo-ecs-blue")
    world.missing_metrics = alb_metric_names(["photo-ecs-blue"])
    assert problem_keys(source.pull(TEN_MINUTES, [canary])) == [("no_such_metric", "photo-ecs-blue", "")]
    world.missing_metrics = set()
    assert source.pull(TEN_MINUTES, [canary]).answered_ranges == ()
    assert world.paths.count(f"/api/v0/hosts/{ALB_HOST}/metric-names") == 1
    now[0] += 300
    assert values_by_series(source.pull(TEN_MINUTES, [canary])) == {("photo-ecs-blue", "requests", "sum"): {-2: 10}}


def test_a_metric_that_vanished_since_is_told_and_its_name_forgotten(
    world: FakeMackerel, metrics: MackerelMetrics
) -> None:
    metrics.pull(TEN_MINUTES, [series("requests")])
    world.missing_metrics = {metric_name(series("requests"))}
    pull = metrics.pull(TEN_MINUTES, [series("requests")])
    assert [problem.kind for problem in pull.problems] == ["no_such_metric", "incomplete"]
    pull = metrics.pull(TEN_MINUTES, [series("requests")])
    assert (
        problem_keys(pull) == [("no_such_metric", metric_name(series("requests")), "")]
        and pull.datapoints_requested == 0
    )


@pytest.mark.parametrize("aws", [False, True])
def test_the_load_balancers_host_is_found_and_remembered(api: MackerelApi, world: FakeMackerel, *, aws: bool) -> None:
    strangers = [{"id": f"h{at}", "name": f"web{at}", "status": "working"} for at in range(30)]
    world.hosts = [*strangers, *world.hosts]
    found = make_migration(Mackerel(service="photo"))
    if aws:
        arn = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:"
        found = Migration(
            name="Photo service",
            aws=Aws(region="ap-northeast-1", load_balancer=f"{arn}loadbalancer/app/photo/50dc6c495c0c9188"),
            fleets=Fleets(
                baseline=Fleet(label="EC2", target_groups=(f"{arn}targetgroup/photo-ec2/73e2d6bc24d8a067",)),
                canary=Fleet(label="ECS", target_groups=(f"{arn}targetgroup/photo-ecs-blue/943f017f100becff",)),
            ),
        )
        world.hosts.insert(
            0, {"id": "other", "name": "x", "customIdentifier": "x-1.elb.amazonaws.com", "status": "working"}
        )
    source = MackerelMetrics(found, clock=noon, api=api)
    assert source.pull(TEN_MINUTES, [series("requests")]).answered_ranges[0].series == {series("requests")}
    source.pull(TEN_MINUTES, [series("requests")])
    assert world.paths[:2] == ["/api/v0/hosts", f"/api/v0/hosts/{ALB_HOST}/metric-names"]
    assert world.paths.count("/api/v0/hosts") == 1


def test_no_host_tells_of_our_groups(api: MackerelApi, world: FakeMackerel) -> None:
    world.traffic_model = None
    pull = MackerelMetrics(make_migration(Mackerel()), clock=noon, api=api).pull(TEN_MINUTES)
    assert problem_keys(pull) == [("not_found", "mackerel.alb_host", "photo, mydb001")]
    assert pull.answered_ranges == ()


def test_the_true_ratio_survives_where_the_hour_step_inflates_it(api: MackerelApi, world: FakeMackerel) -> None:
    """Five errors in one minute of an hour with 100 requests each minute: 0.083 %. Rolled up, an average over the points that there are: 5 %."""
    hour = Window(NOON - 3_600, NOON)
    calm = {("photo-ec2", ts): TargetGroupMinute(100, 100) for ts in range(hour.start, hour.end, 60)}
    world.traffic_model = ScriptedTraffic(
        {**calm, ("photo-ec2", NOON - 1_800): TargetGroupMinute(100, 95, responses_5xx=5)}
    )
    requests, errors = series("requests"), series("target_5xx")
    told = values_by_series(MackerelMetrics(MIGRATION, clock=noon, api=api).pull(hour, [requests, errors]))
    wrong = sum(told["photo-ec2", "target_5xx", "sum"].values())
    assert (wrong, sum(told["photo-ec2", "requests", "sum"].values())) == (5, 6_000)
    assert wrong / 6_000 == pytest.approx(0.000833, abs=1e-6)

    def in_hours(name: str) -> float:
        query = {"name": [name], "from": [str(NOON - 20 * 86_400)], "to": [str(NOON - 60)]}
        _, _, body = world.handle(f"/api/v0/hosts/{ALB_HOST}/metrics", query, API_KEY)
        return next(float(point["value"]) for point in json.loads(body)["metrics"] if point["time"] == hour.start)

    assert in_hours(metric_name(errors)) / in_hours(metric_name(requests)) == pytest.approx(0.05)


def test_two_days_are_still_minutes(api: MackerelApi, world: FakeMackerel) -> None:
    """The window is cut into pieces; the newest is asked first, and each is an answer of its own."""
    days = Window(NOON - 2 * 86_400, NOON)
    world.traffic_model = SteadyTraffic(lambda ts: {"photo-ec2": 1.0}, requests_per_minute=30)
    pull = MackerelMetrics(MIGRATION, clock=noon, api=api).pull(days, [series("healthy_hosts", "average")])
    assert len(pull.frame) == 2 * 1_440 and set(pull.frame["period_s"]) == {60}
    assert [answer.window.minutes for answer in pull.answered_ranges] == [480, 1_200, 1_200]
    assert (pull.datapoints_requested, pull.problems) == (2_880, ())


def test_values_that_are_no_minutes_are_not_drawn_as_minutes(world: FakeMackerel, metrics: MackerelMetrics) -> None:
    world.traffic_model = SteadyTraffic(lambda ts: {"photo-ec2": 1.0})
    world.forced_step_s = 300
    pull = metrics.pull(Window(NOON - 1_800, NOON), [series("requests"), series("healthy_hosts", "average")])
    assert pull.frame.empty and pull.answered_ranges == ()
    assert problem_keys(pull) == [("bad_reply", "2026-01-02 11:30 UTC", "300 s")]


def test_one_series_may_be_sparse_as_long_as_another_shows_the_minutes(
    world: FakeMackerel, metrics: MackerelMetrics
) -> None:
    """A service that is called every five minutes."""
    minutes = {("photo-ec2", ts): TargetGroupMinute(0) for ts in range(NOON - 1_800, NOON, 60)}
    calls = {("photo-ec2", ts): TargetGroupMinute(7, 7) for ts in range(NOON - 1_800, NOON, 300)}
    world.traffic_model = ScriptedTraffic({**minutes, **calls})
    pull = metrics.pull(Window(NOON - 1_800, NOON), [series("requests"), series("healthy_hosts", "average")])
    assert len(values_by_series(pull)["photo-ec2", "requests", "sum"]) == 6
    assert pull.problems == ()


def test_the_integration_lags_and_late_minutes_come_with_the_next_pull(
    world: FakeMackerel, metrics: MackerelMetrics
) -> None:
    world.lag_s = 60
    assert values_by_series(metrics.pull(TEN_MINUTES, [series("requests")])) == {
        ("photo-ec2", "requests", "sum"): {-2: 100}
    }
    world.lag_s = 0
    assert values_by_series(metrics.pull(TEN_MINUTES, [series("requests")])) == {
        ("photo-ec2", "requests", "sum"): {-2: 100, -1: 110}
    }


def test_minutes_are_kept_for_460_days(world: FakeMackerel, metrics: MackerelMetrics) -> None:
    edge = NOON - MACKEREL_RETENTION_S
    assert metrics.finest_period_s(edge, now=NOON) == 60
    assert metrics.finest_period_s(edge - 60, now=NOON) == 0
    old = metrics.pull(Window(edge - 600, edge))
    assert (old.answered_ranges, old.problems, old.datapoints_requested, world.requests) == ((), (), 0, [])
    half = metrics.pull(Window(edge - 600, edge + 600), [series("requests")])
    assert half.answered_ranges[0].window == Window(edge, edge + 600)


def test_what_mackerel_has_not_is_said_and_not_faked(metrics: MackerelMetrics) -> None:
    assert metrics.unsupported_metrics() == UNSUPPORTED_METRICS
    assert metrics.series() == SERIES
    assert not {"connection_errors", "fail_open_requests", "alb_502"} & {one.metric for one in metrics.series()}
    assert {one.stat for one in metrics.series() if one.metric == "latency"} == {"p90", "p95", "p99", "average"}


# Faults: each a problem, and nothing raised


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda world: setattr(world, "key", "another"), ["wrong_key"]),
        (lambda world: setattr(world, "readable", False), ["denied"]),
        (lambda world: setattr(world, "hosts", []), ["not_found"]),
        (lambda world: world.refuse(429, times=9), ["throttled"]),
        (lambda world: world.refuse(500, times=9, body=b"<h1>oops</h1>"), ["server_error"]),
        (lambda world: world.refuse(200, body=b"<h1>sign in</h1>"), ["bad_reply"]),
        (lambda world: setattr(world, "skew_s", 120), ["no_such_metric", "clock_skew"]),
    ],
)
def test_every_fault_is_a_problem(
    world: FakeMackerel, metrics: MackerelMetrics, break_it: Callable[[FakeMackerel], None], told: list[str]
) -> None:
    break_it(world)
    pull = metrics.pull(TEN_MINUTES)
    assert [problem.kind for problem in pull.problems] == told
    assert all(problem.source == "mackerel" for problem in pull.problems)
    assert bool(pull.answered_ranges) == (told[-1] == "clock_skew")


def test_no_key_is_no_credentials(world: FakeMackerel) -> None:
    api = MackerelApi("", world.url)
    assert problem_keys(MackerelMetrics(MIGRATION, api=api).pull(TEN_MINUTES)) == [
        ("no_credentials", "MACKEREL_APIKEY", "")
    ]
    assert [problem.kind for problem in MackerelEvents(MIGRATION, api=api).events(TEN_MINUTES).problems] == [
        "no_credentials"
    ]
    api.close()


def test_what_answered_before_the_fault_is_kept_and_the_rest_is_not_asked(
    world: FakeMackerel, metrics: MackerelMetrics
) -> None:
    """A fault that every request would meet ends the pull; silence is no answer then."""
    world.missing_metrics = {metric_name(series("target_4xx"))}
    metrics.pull(TEN_MINUTES)  # finds the host
    before = len(world.requests)
    world.queue_error(403, times=99, body=b'{"error": "source IP"}')
    pull = metrics.pull(TEN_MINUTES)
    assert pull.answered_ranges == () and len(world.requests) - before <= 4
    denied, incomplete = (problem for problem in pull.problems if problem.kind != "no_such_metric")
    assert (denied.kind, denied.operation, denied.detail) == (
        "denied",
        "GET /api/v0/hosts/<hostId>/metrics",
        "403 source IP",
    )
    assert (incomplete.kind, incomplete.about) == ("incomplete", "0 / 22")


def test_one_metric_that_cannot_be_read_leaves_the_others_alone(world: FakeMackerel, metrics: MackerelMetrics) -> None:
    asked = [series("requests"), series("latency", "p95")]
    metrics.pull(TEN_MINUTES, asked[:1])
    world.queue_error(200, body=b"{}")
    pull = metrics.pull(TEN_MINUTES, asked)
    assert len(pull.answered_ranges[0].series) == 1
    assert [problem.kind for problem in pull.problems] == ["bad_reply", "incomplete"]


def test_a_mackerel_that_hangs_is_a_timeout(world: FakeMackerel) -> None:
    world.hang = threading.Event()
    api = MackerelApi(API_KEY, world.url, timeout_s=(1, 0.05))
    assert [problem.kind for problem in MackerelMetrics(MIGRATION, api=api).pull(TEN_MINUTES).problems] == ["timeout"]
    api.close()


def test_many_may_pull_at_once_and_the_host_is_looked_for_once(world: FakeMackerel, api: MackerelApi) -> None:
    source = MackerelMetrics(make_migration(Mackerel()), clock=noon, api=api)
    with ThreadPoolExecutor(4) as pool:
        pulls = list(pool.map(lambda _: source.pull(TEN_MINUTES, [series("requests")]), range(4)))
    assert {len(pull.frame) for pull in pulls} == {2}
    assert world.paths.count("/api/v0/hosts") == 1


# The same graph in Mackerel


def test_the_overlay_as_an_expression_sums_blue_and_green() -> None:
    assert comparison_expression(MIGRATION, "h1", "requests") == (
        "group(alias(host(h1, custom.alb.request_per_group.photo-ec2.count), 'EC2 requests'), "
        "alias(sum(group(host(h1, custom.alb.request_per_group.photo-ecs-blue.count), "
        "host(h1, custom.alb.request_per_group.photo-ecs-green.count))), 'ECS requests'))"
    )
    assert comparison_expression(MIGRATION, "h1", "error_rate").startswith(
        "group(alias(scale(divide(host(h1, custom.alb.httpcode_count_per_group.photo-ec2.target_5xx), "
        "host(h1, custom.alb.request_per_group.photo-ec2.count)), 100), 'EC2 5xx %'), alias(scale(divide(sum(group("
    )


def test_percentiles_of_two_groups_are_two_lines_and_never_one() -> None:
    assert comparison_expression(MIGRATION, "h1", "latency_p95") == (
        "group(alias(host(h1, custom.alb.response_per_group.photo-ec2.time_p95), 'EC2 p95'), "
        "alias(host(h1, custom.alb.response_per_group.photo-ecs-blue.time_p95), 'ECS p95 photo-ecs-blue'), "
        "alias(host(h1, custom.alb.response_per_group.photo-ecs-green.time_p95), 'ECS p95 photo-ecs-green'))"
    )


@pytest.mark.parametrize("graph", GRAPHS)
def test_every_overlay_is_well_formed_and_its_link_carries_it_whole(graph: str) -> None:
    (given,) = (one for one in GRAPHS if one == graph)
    expression = comparison_expression(MIGRATION, "h1", given)
    assert expression.count("(") == expression.count(")") and expression.count("'") % 2 == 0
    link = urlsplit(comparison_link(MIGRATION, "my org/x", "h1", given))
    assert (link.scheme, link.netloc, link.path) == ("https", "mackerel.io", "/orgs/my%20org%2Fx/advanced-graph")
    query = parse_qs(link.query)
    assert query["query"] == [expression] and query["title"] == [f"Photo service {graph}"]
    assert query["unit"] == ["percentage" if graph == "error_rate" else "seconds" if "latency" in graph else "float"]


def test_a_label_cannot_break_out_of_its_quotes() -> None:
    fleets = MIGRATION.fleets.model_copy(update={"baseline": Fleet(label="old ', x", target_groups=("photo-ec2",))})
    assert "'old ’, x requests'" in comparison_expression(
        MIGRATION.model_copy(update={"fleets": fleets}), "h1", "requests"
    )


def test_each_query_says_what_was_asked_and_where_to_see_it(world: FakeMackerel, api: MackerelApi) -> None:
    settings = Mackerel(service="photo", alb_host=ALB_HOST)
    source = MackerelMetrics(make_migration(settings), clock=noon, api=api)
    (query,) = source.pull(TEN_MINUTES, [series("latency", "p95")]).queries
    assert query.text == f"host({ALB_HOST}, custom.alb.response_per_group.photo-ec2.time_p95)"
    assert query.link == comparison_link(MIGRATION, "hoge", ALB_HOST, "latency_p95")
    world.failing_paths = {"/api/v0/org"}
    fresh = MackerelApi(API_KEY, world.url, sleep=lambda s: None)
    pull = MackerelMetrics(make_migration(settings), clock=noon, api=fresh).pull(TEN_MINUTES, [series("requests")])
    assert (pull.queries[0].link, len(pull.frame), pull.problems) == ("", 2, ())
    fresh.close()


# Checks


def test_a_check_has_a_line_for_each_permission(metrics: MackerelMetrics, events: MackerelEvents) -> None:
    lines = (*metrics.check(), *events.check())
    assert [(line.source, line.permission, line.state) for line in lines] == [
        ("mackerel", "GET /api/v0/org", "up"),
        ("mackerel", "GET /api/v0/services", "up"),
        ("mackerel", "GET /api/v0/hosts/<hostId>/metric-names", "up"),
        ("mackerel", "GET /api/v0/hosts/<hostId>/metrics", "up"),
        ("mackerel_events", "GET /api/v0/alerts", "up"),
        ("mackerel_events", "GET /api/v0/monitors", "up"),
        ("mackerel_events", "GET /api/v0/graph-annotations", "up"),
    ]


def test_a_check_with_a_refused_key_is_one_line(world: FakeMackerel, metrics: MackerelMetrics) -> None:
    world.has_read_permission = False
    (line,) = metrics.check()
    assert line.state == "denied" and line.problem and line.problem.kind == "denied"


def test_a_check_of_another_organization_names_what_is_not_there(api: MackerelApi, world: FakeMackerel) -> None:
    world.services, world.hosts = world.services[:1], world.hosts[:1]
    org, service, names, numbers = MackerelMetrics(MIGRATION, clock=noon, api=api).check()
    assert org.problem is None
    assert service.problem and (service.state, service.problem.about, service.problem.detail) == (
        "down",
        "photo",
        "hoge",
    )
    assert names.problem and (names.problem.kind, names.problem.about) == ("not_found", ALB_HOST)
    assert numbers.problem and numbers.problem.kind == "not_found"


def test_a_check_says_where_a_host_has_no_numbers_of_ours(world: FakeMackerel, metrics: MackerelMetrics) -> None:
    world.traffic_model = None
    *_, numbers = metrics.check()
    assert numbers.problem and (numbers.state, numbers.problem.kind) == ("up", "no_such_metric")
    assert numbers.problem.about == ", ".join(TARGET_GROUPS)


# Events


def make_alert(key: str, opened_min: int, closed_min: int | None = None, **overrides: object) -> dict[str, object]:
    """An alert as Mackerel says it; times in minutes after NOON."""
    ended = {} if closed_min is None else {"closedAt": NOON + closed_min * 60}
    status = "CRITICAL" if closed_min is None else "OK"
    return {"id": key, "status": status, "type": "service", "openedAt": NOON + opened_min * 60, **ended, **overrides}


def test_alerts_that_were_open_in_the_window_are_events(world: FakeMackerel, events: MackerelEvents) -> None:
    world.monitors = [{"id": "m1", "type": "service", "name": "photo - 5xx", "service": "photo"}]
    world.alerts = [
        make_alert("over", -30, -20, monitorId="m1"),
        make_alert("closed-inside", -60, -5, monitorId="m1", message="5xx 7 > 5", memo="<b>rolled back</b>"),
        make_alert("open-since-long", -10_000, monitorId="m1"),
        make_alert("later", 1, 2, monitorId="m1"),
    ]
    told = events.events(TEN_MINUTES)
    assert told.events == (
        Event(
            ts=NOON - 600_000,
            until=None,
            kind="alert",
            title="photo - 5xx",
            detail="CRITICAL",
            fleet="",
            link="https://mackerel.io/orgs/example/alerts/open-since-long",
            source="mackerel_events",
            key="open-since-long",
            open=True,
        ),
        Event(
            ts=NOON - 3_600,
            until=NOON - 300,
            kind="alert",
            title="photo - 5xx",
            detail="OK\n5xx 7 > 5\n<b>rolled back</b>",
            fleet="",
            link="https://mackerel.io/orgs/example/alerts/closed-inside",
            source="mackerel_events",
            key="closed-inside",
        ),
    )
    assert (told.problems, told.complete, told.asked_at) == ((), True, NOON)


def test_alerts_of_another_service_are_left_out(world: FakeMackerel, events: MackerelEvents) -> None:
    """By the roles of its host, else by its monitor; where neither says, it is shown."""
    world.hosts += [
        {"id": "web1", "name": "web1", "status": "maintenance", "roles": {"photo": ["web"]}},
        {"id": "db1", "name": "db1", "status": "working", "roles": {"blog": ["db"]}},
    ]
    world.monitors = [
        {"id": "ours", "type": "service", "service": "photo"},
        {"id": "theirs", "type": "external", "service": "blog"},
        {"id": "role", "type": "host", "scopes": ["photo: web", "blog"]},
        {"id": "all", "type": "connectivity", "scopes": []},
        {"id": "expression", "type": "expression", "expression": "…"},
        {"id": "blogs", "type": "host", "scopes": ["blog"]},
    ]
    cases = [
        ("ours", ""),
        ("theirs", ""),
        ("role", "web1"),
        ("role", "db1"),
        ("all", "web1"),
        ("all", "db1"),
        ("all", "retired"),
        ("expression", ""),
        ("blogs", ALB_HOST),
        ("deleted", ""),
    ]
    world.alerts = [make_alert(f"{m} {host}".strip(), -5, monitorId=m, hostId=host) for m, host in cases]
    assert {event.key for event in events.events(TEN_MINUTES).events} == {
        "ours",
        "role web1",
        "all web1",
        "all retired",
        "expression",
        f"blogs {ALB_HOST}",
        "deleted",
    }


def test_a_closed_alert_is_looked_for_a_day_before_the_window(world: FakeMackerel, events: MackerelEvents) -> None:
    """A whole page opened and closed before the window; the next one holds an alert that closed inside it."""
    world.alerts = [*(make_alert(f"n{at}", -30, -20) for at in range(100)), make_alert("long", -60, -5)]
    assert [event.key for event in events.events(TEN_MINUTES).events] == ["long"]


def test_alerts_are_paged_back_to_the_window_and_no_further(world: FakeMackerel, events: MackerelEvents) -> None:
    back = ALERT_LOOKBACK_S // 60 + 20  # minutes: behind it nothing is looked for
    near = [make_alert(f"n{at}", -9, -8) for at in range(150)]
    far = [make_alert(f"f{at}", -back - at, -back) for at in range(400)]
    world.alerts = [*near, *far]
    told = events.events(TEN_MINUTES)
    assert len(told.events) == 150
    pages = [query for path, query in world.requests if path == "/api/v0/alerts"]
    assert [(query.get("withClosed"), query.get("nextId")) for query in pages] == [
        (None, None),
        (["true"], None),
        (["true"], ["100"]),
        (["true"], ["200"]),
    ]
    assert told.complete


def test_too_many_alerts_are_said_to_be_incomplete(world: FakeMackerel, events: MackerelEvents) -> None:
    world.alerts = [make_alert(f"n{at}", -9, -8) for at in range(MAX_ALERT_PAGES * 100 + 1)]
    told = events.events(TEN_MINUTES)
    assert len(told.events) == MAX_ALERT_PAGES * 100
    assert [(problem.kind, problem.about) for problem in told.problems] == [("incomplete", "20 pages")]
    assert not told.complete


def test_an_alert_that_comes_twice_is_one_event_and_the_closed_one_is_the_news(
    world: FakeMackerel, events: MackerelEvents
) -> None:
    """As in the recorded reply: the same id as CRITICAL and as OK."""
    world.alerts = [make_alert("a", -5), make_alert("a", -5, -2)]
    (event,) = events.events(TEN_MINUTES).events
    assert (event.open, event.until) == (False, NOON - 120)


def test_the_recorded_alerts_and_annotations_are_events(world: FakeMackerel, api: MackerelApi) -> None:
    settings = Mackerel(service="ExampleService", organization="example")
    world.alerts = []
    told = MackerelEvents(make_migration(settings), clock=noon, api=api).events(Window(1484020440, 1484021280))
    assert [(event.kind, event.ts, event.until, event.title, event.detail, event.open) for event in told.events] == [
        ("annotation", 1484020459, 1484020759, "Deploy application", "Deploy description", False),
        ("annotation", 1484021239, None, "Release application", "Release description", False),
    ]
    assert told.events[0].link == "https://mackerel.io/orgs/example/services/ExampleService"


def test_without_a_service_every_alert_and_no_annotation_and_no_problem(world: FakeMackerel, api: MackerelApi) -> None:
    world.monitors = [{"id": "theirs", "type": "service", "service": "blog"}]
    world.alerts = [make_alert("theirs", -5, monitorId="theirs")]
    source = MackerelEvents(make_migration(Mackerel()), clock=noon, api=api)
    told = source.events(TEN_MINUTES)
    assert ([event.title for event in told.events], told.problems, told.complete) == (["service"], (), True)
    assert "/api/v0/graph-annotations" not in world.paths
    assert [line.permission for line in source.check()] == ["GET /api/v0/alerts", "GET /api/v0/monitors"]


def test_a_service_of_another_organization_keeps_the_alerts(world: FakeMackerel, events: MackerelEvents) -> None:
    world.services = world.services[:1]
    world.alerts = [make_alert("a", -5)]
    told = events.events(TEN_MINUTES)
    assert [event.key for event in told.events] == ["a"]
    (problem,) = told.problems
    assert (problem.kind, problem.about, problem.detail) == ("not_found", "photo", "hoge")
    assert not told.complete


def test_a_fault_of_the_events_is_a_problem_and_not_met_twice(world: FakeMackerel, events: MackerelEvents) -> None:
    world.has_read_permission = False
    told = events.events(TEN_MINUTES)
    assert [(problem.kind, problem.source) for problem in told.problems] == [("denied", "mackerel_events")]
    assert (told.events, told.complete, len(world.requests)) == ((), False, 1)


# The documentation


def test_the_page_names_every_metric_and_everything_that_is_lacking() -> None:
    page = (Path(__file__).parent.parents[2] / "docs" / "mackerel.md").read_text(encoding="utf-8")
    for name in METRIC_NAMES.values():
        assert f"`{name.format(group='<TG>')}`" in page
    for lacking in UNSUPPORTED_METRICS:
        assert f"`{lacking}`" in page
