"""MackerelMetrics against the loopback Mackerel."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from domain import Aws, Mackerel, Migration, Series, Window
from domain.config.models import Fleet, Fleets
from sources.base import Pull
from sources.mackerel.client import MackerelApi
from sources.mackerel.events import MackerelEvents
from sources.mackerel.metrics import MackerelMetrics
from sources.mackerel.points import MACKEREL_RETENTION_S
from sources.mackerel.queries import UNSUPPORTED_METRICS, all_series, metric_name
from tests.factories.mackerel import NOON, make_migration, noon, values_by_series
from tests.fakes.mackerel import ALB_HOST, API_KEY, FakeMackerel, alb_metric_names
from tests.fakes.traffic_model import ScriptedTraffic, SteadyTraffic, TargetGroupMinute

TEN_MINUTES = Window(NOON - 600, NOON)
TARGET_GROUPS = ("photo-ec2", "photo-ecs-blue", "photo-ecs-green")
MIGRATION = make_migration()
SERIES = all_series(MIGRATION)


def find_series(metric: str, stat: str = "sum", group: str = "photo-ec2") -> Series:
    group = "" if metric == "alb_5xx" else group
    return next(item for item in SERIES if (item.metric, item.stat, item.target_group) == (metric, stat, group))


@pytest.fixture
def metrics(api: MackerelApi) -> MackerelMetrics:
    return MackerelMetrics(MIGRATION, clock=noon, api=api)


@pytest.fixture
def events(api: MackerelApi) -> MackerelEvents:
    return MackerelEvents(MIGRATION, clock=noon, api=api)


def problem_keys(pull: Pull) -> list[tuple[str, str, str]]:
    return [(problem.kind, problem.about, problem.detail) for problem in pull.problems]


def test_metrics_are_read_from_the_load_balancers_host(metrics: MackerelMetrics) -> None:
    pull = metrics.pull(TEN_MINUTES)
    values = values_by_series(pull)
    assert values["baseline", "photo-ec2", "requests", "sum"] == {-2: 100, -1: 110}
    assert values["baseline", "photo-ec2", "target_2xx", "sum"] == {-2: 97, -1: 110}
    assert values["baseline", "photo-ec2", "target_3xx", "sum"] == {-2: 1}
    assert values["baseline", "photo-ec2", "target_5xx", "sum"] == {-2: 2}
    assert values["baseline", "photo-ec2", "latency", "average"] == {-2: pytest.approx(0.2), -1: 0.2}
    assert values["baseline", "photo-ec2", "latency", "p90"] == {-2: pytest.approx(0.28), -1: 0.2}
    assert values["baseline", "photo-ec2", "healthy_hosts", "average"] == {-2: 4, -1: 4}
    assert values["canary", "photo-ecs-blue", "requests", "sum"] == {-2: 10}
    assert values["canary", "photo-ecs-blue", "unhealthy_hosts", "average"] == {-2: 0, -1: 1}
    assert values["load_balancer", "", "alb_5xx", "sum"] == {-1: 3}
    assert ("baseline", "photo-ec2", "target_4xx", "sum") not in values
    assert set(pull.frame["fleet"]) == {"baseline", "canary", "load_balancer"}
    assert set(pull.frame["source"]) == {"mackerel"}
    assert (set(pull.frame["period_s"]), set(pull.frame["unit"])) == ({60}, {"count", "s"})
    assert pull.asked_at == NOON


def test_group_without_metrics_is_a_problem_and_unanswered(metrics: MackerelMetrics) -> None:
    """Green has no metrics. A configuration error would look the same, so it must not count as answered."""
    pull = metrics.pull(TEN_MINUTES)
    assert problem_keys(pull) == [("no_such_metric", "photo-ecs-green", "")]
    (answer,) = pull.answered_ranges
    assert (answer.window, answer.period_s) == (TEN_MINUTES, 60)
    assert answer.series == frozenset(item for item in SERIES if item.target_group != "photo-ecs-green")
    assert pull.datapoints_requested == len(answer.series) * 10


def test_count_of_errors_that_never_occurred_is_answered_with_no_points(
    fake_mackerel: FakeMackerel, metrics: MackerelMetrics
) -> None:
    """Mackerel has no metric then and would return 404: it is not requested."""
    errors = find_series("target_5xx")
    fake_mackerel.missing_metrics = {metric_name(errors), "custom.alb.httpcode_count.alb_5xx"}
    pull = metrics.pull(TEN_MINUTES, [errors, find_series("requests"), find_series("alb_5xx")])
    assert set(values_by_series(pull)) == {("baseline", "photo-ec2", "requests", "sum")}
    assert pull.answered_ranges[0].series == {errors, find_series("requests"), find_series("alb_5xx")}
    assert pull.problems == ()
    assert fake_mackerel.paths.count(f"/api/v0/hosts/{ALB_HOST}/metrics") == 1


def test_missing_metric_that_is_not_a_sparse_count_is_a_problem(
    fake_mackerel: FakeMackerel, metrics: MackerelMetrics
) -> None:
    fake_mackerel.missing_metrics = {metric_name(find_series("latency", "p99"))}
    pull = metrics.pull(TEN_MINUTES, [find_series("latency", "p99"), find_series("requests")])
    assert problem_keys(pull) == [("no_such_metric", "custom.alb.response_per_group.photo-ec2.time_p99", "")]
    assert pull.answered_ranges[0].series == {find_series("requests")}


def test_status_counts_omitted_by_the_integration_are_not_zero(
    fake_mackerel: FakeMackerel, metrics: MackerelMetrics
) -> None:
    """Responses were timed, so they had a status; taken for zero, every request would count as unanswered."""
    statuses = [find_series(f"target_{digit}xx") for digit in "2345"]
    fake_mackerel.missing_metrics = {metric_name(item) for item in statuses}
    pull = metrics.pull(TEN_MINUTES, [*statuses, find_series("requests")])
    assert pull.answered_ranges[0].series == {find_series("requests")}
    assert {problem.about for problem in pull.problems} == {metric_name(item) for item in statuses}


def test_host_of_another_load_balancer_answers_nothing(api: MackerelApi, fake_mackerel: FakeMackerel) -> None:
    """Its 5xx must not be shown as ours, nor their absence."""
    fake_mackerel.traffic_model = ScriptedTraffic(
        {("other", NOON - 60): TargetGroupMinute(5, 5)}, alb_errors={NOON - 60: {"alb_5xx": 9}}
    )
    pull = MackerelMetrics(MIGRATION, clock=noon, api=api).pull(TEN_MINUTES)
    assert pull.frame.empty and pull.answered_ranges == ()
    assert [problem.about for problem in pull.problems if problem.kind == "no_such_metric"] == list(TARGET_GROUPS)


def test_metric_that_appears_later_is_read(api: MackerelApi, fake_mackerel: FakeMackerel) -> None:
    """The canary receives its first request while the program runs."""
    now = [NOON]
    source = MackerelMetrics(MIGRATION, clock=lambda: datetime.fromtimestamp(now[0], UTC), api=api)
    canary = find_series("requests", group="photo-ecs-blue")
    fake_mackerel.missing_metrics = alb_metric_names(["photo-ecs-blue"])
    assert problem_keys(source.pull(TEN_MINUTES, [canary])) == [("no_such_metric", "photo-ecs-blue", "")]
    fake_mackerel.missing_metrics = set()
    assert source.pull(TEN_MINUTES, [canary]).answered_ranges == ()
    assert fake_mackerel.paths.count(f"/api/v0/hosts/{ALB_HOST}/metric-names") == 1
    now[0] += 300
    assert values_by_series(source.pull(TEN_MINUTES, [canary])) == {
        ("canary", "photo-ecs-blue", "requests", "sum"): {-2: 10}
    }


def test_metric_that_disappeared_is_a_problem_and_invalidates_the_cached_names(
    fake_mackerel: FakeMackerel, metrics: MackerelMetrics
) -> None:
    metrics.pull(TEN_MINUTES, [find_series("requests")])
    fake_mackerel.missing_metrics = {metric_name(find_series("requests"))}
    pull = metrics.pull(TEN_MINUTES, [find_series("requests")])
    assert [problem.kind for problem in pull.problems] == ["no_such_metric", "incomplete"]
    pull = metrics.pull(TEN_MINUTES, [find_series("requests")])
    assert (
        problem_keys(pull) == [("no_such_metric", metric_name(find_series("requests")), "")]
        and pull.datapoints_requested == 0
    )


@pytest.mark.parametrize("aws", [False, True])
def test_host_is_discovered_once(api: MackerelApi, fake_mackerel: FakeMackerel, *, aws: bool) -> None:
    other_hosts = [{"id": f"h{i}", "name": f"web{i}", "status": "working"} for i in range(30)]
    fake_mackerel.hosts = [*other_hosts, *fake_mackerel.hosts]
    migration = make_migration(Mackerel(service="photo"))
    if aws:
        arn = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:"
        migration = Migration(
            name="Photo service",
            aws=Aws(region="ap-northeast-1", load_balancer=f"{arn}loadbalancer/app/photo/50dc6c495c0c9188"),
            fleets=Fleets(
                baseline=Fleet(label="EC2", target_groups=(f"{arn}targetgroup/photo-ec2/73e2d6bc24d8a067",)),
                canary=Fleet(label="ECS", target_groups=(f"{arn}targetgroup/photo-ecs-blue/943f017f100becff",)),
            ),
        )
        fake_mackerel.hosts.insert(
            0, {"id": "other", "name": "x", "customIdentifier": "x-1.elb.amazonaws.com", "status": "working"}
        )
    source = MackerelMetrics(migration, clock=noon, api=api)
    assert source.pull(TEN_MINUTES, [find_series("requests")]).answered_ranges[0].series == {find_series("requests")}
    source.pull(TEN_MINUTES, [find_series("requests")])
    assert fake_mackerel.paths[:2] == ["/api/v0/hosts", f"/api/v0/hosts/{ALB_HOST}/metric-names"]
    assert fake_mackerel.paths.count("/api/v0/hosts") == 1


def test_no_host_has_the_target_groups(api: MackerelApi, fake_mackerel: FakeMackerel) -> None:
    fake_mackerel.traffic_model = None
    pull = MackerelMetrics(make_migration(Mackerel()), clock=noon, api=api).pull(TEN_MINUTES)
    assert problem_keys(pull) == [("not_found", "mackerel.alb_host", "photo, mydb001")]
    assert pull.answered_ranges == ()


def test_error_rate_from_minutes_is_exact_while_hourly_averages_inflate_it(
    api: MackerelApi, fake_mackerel: FakeMackerel
) -> None:
    """Five errors in one minute of an hour with 100 requests a minute: 0.083 %. Hourly averages over the existing points give 5 %."""
    hour = Window(NOON - 3_600, NOON)
    normal = {("photo-ec2", ts): TargetGroupMinute(100, 100) for ts in range(hour.start, hour.end, 60)}
    fake_mackerel.traffic_model = ScriptedTraffic(
        {**normal, ("photo-ec2", NOON - 1_800): TargetGroupMinute(100, 95, responses_5xx=5)}
    )
    requests, errors = find_series("requests"), find_series("target_5xx")
    values = values_by_series(MackerelMetrics(MIGRATION, clock=noon, api=api).pull(hour, [requests, errors]))
    n_errors = sum(values["baseline", "photo-ec2", "target_5xx", "sum"].values())
    assert (n_errors, sum(values["baseline", "photo-ec2", "requests", "sum"].values())) == (5, 6_000)
    assert n_errors / 6_000 == pytest.approx(0.000833, abs=1e-6)

    def hourly_average(name: str) -> float:
        query = {"name": [name], "from": [str(NOON - 20 * 86_400)], "to": [str(NOON - 60)]}
        _, _, body = fake_mackerel.handle(f"/api/v0/hosts/{ALB_HOST}/metrics", query, API_KEY)
        return next(float(point["value"]) for point in json.loads(body)["metrics"] if point["time"] == hour.start)

    assert hourly_average(metric_name(errors)) / hourly_average(metric_name(requests)) == pytest.approx(0.05)


def test_two_days_are_read_in_minutes(api: MackerelApi, fake_mackerel: FakeMackerel) -> None:
    """In three chunks, newest first, each with its own answered range."""
    days = Window(NOON - 2 * 86_400, NOON)
    fake_mackerel.traffic_model = SteadyTraffic(lambda ts: {"photo-ec2": 1.0}, requests_per_minute=30)
    pull = MackerelMetrics(MIGRATION, clock=noon, api=api).pull(days, [find_series("healthy_hosts", "average")])
    assert len(pull.frame) == 2 * 1_440 and set(pull.frame["period_s"]) == {60}
    assert [answer.window.minutes for answer in pull.answered_ranges] == [480, 1_200, 1_200]
    assert (pull.datapoints_requested, pull.problems) == (2_880, ())


def test_coarse_values_are_a_problem_and_dropped(fake_mackerel: FakeMackerel, metrics: MackerelMetrics) -> None:
    fake_mackerel.traffic_model = SteadyTraffic(lambda ts: {"photo-ec2": 1.0})
    fake_mackerel.forced_step_s = 300
    pull = metrics.pull(Window(NOON - 1_800, NOON), [find_series("requests"), find_series("healthy_hosts", "average")])
    assert pull.frame.empty and pull.answered_ranges == ()
    assert problem_keys(pull) == [("bad_reply", "2026-01-02 11:30 UTC", "300 s")]


def test_sparse_series_is_not_coarse_if_another_series_has_every_minute(
    fake_mackerel: FakeMackerel, metrics: MackerelMetrics
) -> None:
    """A service that is called every five minutes."""
    minutes = {("photo-ec2", ts): TargetGroupMinute(0) for ts in range(NOON - 1_800, NOON, 60)}
    calls = {("photo-ec2", ts): TargetGroupMinute(7, 7) for ts in range(NOON - 1_800, NOON, 300)}
    fake_mackerel.traffic_model = ScriptedTraffic({**minutes, **calls})
    pull = metrics.pull(Window(NOON - 1_800, NOON), [find_series("requests"), find_series("healthy_hosts", "average")])
    assert len(values_by_series(pull)["baseline", "photo-ec2", "requests", "sum"]) == 6
    assert pull.problems == ()


def test_two_points_may_be_on_a_coarse_grid_by_chance(fake_mackerel: FakeMackerel, metrics: MackerelMetrics) -> None:
    minutes = {("photo-ec2", ts): TargetGroupMinute(7, 7) for ts in (NOON - 600, NOON - 300)}
    fake_mackerel.traffic_model = ScriptedTraffic(minutes)
    pull = metrics.pull(Window(NOON - 1_800, NOON), [find_series("requests")])
    assert values_by_series(pull) == {("baseline", "photo-ec2", "requests", "sum"): {-10: 7, -5: 7}}
    assert pull.problems == ()


def test_late_minutes_come_with_the_next_pull(fake_mackerel: FakeMackerel, metrics: MackerelMetrics) -> None:
    fake_mackerel.lag_s = 60
    assert values_by_series(metrics.pull(TEN_MINUTES, [find_series("requests")])) == {
        ("baseline", "photo-ec2", "requests", "sum"): {-2: 100}
    }
    fake_mackerel.lag_s = 0
    assert values_by_series(metrics.pull(TEN_MINUTES, [find_series("requests")])) == {
        ("baseline", "photo-ec2", "requests", "sum"): {-2: 100, -1: 110}
    }


def test_minutes_are_retained_for_460_days(fake_mackerel: FakeMackerel, metrics: MackerelMetrics) -> None:
    edge = NOON - MACKEREL_RETENTION_S
    assert metrics.finest_period_s(edge, now=NOON) == 60
    assert metrics.finest_period_s(edge - 60, now=NOON) == 0
    too_old = metrics.pull(Window(edge - 600, edge))
    assert (too_old.answered_ranges, too_old.problems, too_old.datapoints_requested, fake_mackerel.requests) == (
        (),
        (),
        0,
        [],
    )
    partly_old = metrics.pull(Window(edge - 600, edge + 600), [find_series("requests")])
    assert partly_old.answered_ranges[0].window == Window(edge, edge + 600)


def test_unsupported_metrics_have_no_series(metrics: MackerelMetrics) -> None:
    assert metrics.unsupported_metrics() == UNSUPPORTED_METRICS
    assert metrics.series() == SERIES
    assert not {"connection_errors", "fail_open_requests", "alb_502"} & {item.metric for item in metrics.series()}
    assert {item.stat for item in metrics.series() if item.metric == "latency"} == {"p90", "p95", "p99", "average"}


# Errors


@pytest.mark.parametrize(
    ("inject", "kinds"),
    [
        (lambda fake: setattr(fake, "key", "another"), ["wrong_key"]),
        (lambda fake: setattr(fake, "has_read_permission", False), ["denied"]),
        (lambda fake: setattr(fake, "hosts", []), ["not_found"]),
        (lambda fake: fake.queue_error(429, times=9), ["throttled"]),
        (lambda fake: fake.queue_error(500, times=9, body=b"<h1>oops</h1>"), ["server_error"]),
        (lambda fake: fake.queue_error(200, body=b"<h1>sign in</h1>"), ["bad_reply"]),
        (lambda fake: setattr(fake, "clock_skew_s", 120), ["no_such_metric", "clock_skew"]),
    ],
)
def test_every_error_is_a_problem(
    fake_mackerel: FakeMackerel, metrics: MackerelMetrics, inject: Callable[[FakeMackerel], None], kinds: list[str]
) -> None:
    inject(fake_mackerel)
    pull = metrics.pull(TEN_MINUTES)
    assert [problem.kind for problem in pull.problems] == kinds
    assert all(problem.source == "mackerel" for problem in pull.problems)
    assert bool(pull.answered_ranges) == (kinds[-1] == "clock_skew")


def test_no_key_is_no_credentials(fake_mackerel: FakeMackerel) -> None:
    api = MackerelApi("", fake_mackerel.url)
    assert problem_keys(MackerelMetrics(MIGRATION, api=api).pull(TEN_MINUTES)) == [
        ("no_credentials", "MACKEREL_APIKEY", "")
    ]
    assert [problem.kind for problem in MackerelEvents(MIGRATION, api=api).events(TEN_MINUTES).problems] == [
        "no_credentials"
    ]
    api.close()


def test_fatal_error_ends_the_pull(fake_mackerel: FakeMackerel, metrics: MackerelMetrics) -> None:
    """No request is made after an error that all others would meet, and implied zeros do not count as answered."""
    fake_mackerel.missing_metrics = {metric_name(find_series("target_4xx"))}
    metrics.pull(TEN_MINUTES)  # discovers the host
    n_before = len(fake_mackerel.requests)
    fake_mackerel.queue_error(403, times=99, body=b'{"error": "source IP"}')
    pull = metrics.pull(TEN_MINUTES)
    assert pull.answered_ranges == () and len(fake_mackerel.requests) - n_before <= 4
    denied, incomplete = (problem for problem in pull.problems if problem.kind != "no_such_metric")
    assert (denied.kind, denied.operation, denied.detail) == (
        "denied",
        "GET /api/v0/hosts/<hostId>/metrics",
        "403 source IP",
    )
    assert (incomplete.kind, incomplete.about) == ("incomplete", "0 / 22")


def test_unreadable_metric_does_not_affect_the_others(fake_mackerel: FakeMackerel, metrics: MackerelMetrics) -> None:
    requested = [find_series("requests"), find_series("latency", "p95")]
    metrics.pull(TEN_MINUTES, requested[:1])
    fake_mackerel.queue_error(200, body=b"{}")
    pull = metrics.pull(TEN_MINUTES, requested)
    assert len(pull.answered_ranges[0].series) == 1
    assert [problem.kind for problem in pull.problems] == ["bad_reply", "incomplete"]


def test_hanging_server_is_a_timeout(fake_mackerel: FakeMackerel) -> None:
    fake_mackerel.hang = threading.Event()
    api = MackerelApi(API_KEY, fake_mackerel.url, timeout_s=(1, 0.05))
    assert [problem.kind for problem in MackerelMetrics(MIGRATION, api=api).pull(TEN_MINUTES).problems] == ["timeout"]
    api.close()


def test_concurrent_pulls_discover_the_host_once(fake_mackerel: FakeMackerel, api: MackerelApi) -> None:
    source = MackerelMetrics(make_migration(Mackerel()), clock=noon, api=api)
    with ThreadPoolExecutor(4) as pool:
        pulls = list(pool.map(lambda _: source.pull(TEN_MINUTES, [find_series("requests")]), range(4)))
    assert {len(pull.frame) for pull in pulls} == {2}
    assert fake_mackerel.paths.count("/api/v0/hosts") == 1


# Checks


def test_check_covers_each_permission(metrics: MackerelMetrics, events: MackerelEvents) -> None:
    lines = (*metrics.check(), *events.check())
    assert [(line.source, line.permission, line.subject, line.state) for line in lines] == [
        ("mackerel", "GET /api/v0/org", "", "up"),
        ("mackerel", "GET /api/v0/services", "", "up"),
        ("mackerel", "GET /api/v0/hosts/<hostId>/metric-names", "", "up"),
        ("mackerel", "GET /api/v0/hosts/<hostId>/metrics", "photo-ec2", "up"),
        ("mackerel", "GET /api/v0/hosts/<hostId>/metrics", "photo-ecs-blue", "up"),
        ("mackerel", "GET /api/v0/hosts/<hostId>/metrics", "photo-ecs-green", "never_reported"),
        ("mackerel_events", "GET /api/v0/alerts", "", "up"),
        ("mackerel_events", "GET /api/v0/monitors", "", "up"),
        ("mackerel_events", "GET /api/v0/graph-annotations", "", "up"),
    ]
    assert [line.newest_age_s for line in lines[3:6]] == [60, 60, None]


@pytest.mark.parametrize(
    ("age_s", "state"),
    [(3 * 3600, "up"), (4 * 3600, "stale"), (20 * 86_400, "stale"), (400 * 86_400, "stale")],
)
def test_check_has_the_age_of_an_old_datapoint(
    fake_mackerel: FakeMackerel, metrics: MackerelMetrics, age_s: int, state: str
) -> None:
    fake_mackerel.points[ALB_HOST] = {"custom.alb.request_per_group.photo-ecs-green.count": {NOON - age_s: 5.0}}
    green = metrics.check()[-1]
    assert (green.subject, green.state) == ("photo-ecs-green", state)
    assert green.newest_age_s is not None and age_s <= green.newest_age_s < age_s + 86_400


def test_check_stops_after_a_denied_key(fake_mackerel: FakeMackerel, metrics: MackerelMetrics) -> None:
    fake_mackerel.has_read_permission = False
    line, *others = metrics.check()
    assert line.state == "denied" and line.problem and line.problem.kind == "denied"
    assert {(other.state, other.problem) for other in others} == {("not_checked", line.problem)}
    assert len(fake_mackerel.requests) == 1


def test_check_names_what_another_organization_does_not_have(api: MackerelApi, fake_mackerel: FakeMackerel) -> None:
    fake_mackerel.services, fake_mackerel.hosts = fake_mackerel.services[:1], fake_mackerel.hosts[:1]
    org, service, names, *groups = MackerelMetrics(MIGRATION, clock=noon, api=api).check()
    assert org.problem is None
    assert service.problem and (service.state, service.problem.about, service.problem.detail) == (
        "failed",
        "photo",
        "hoge",
    )
    assert names.problem and (names.problem.kind, names.problem.about) == ("not_found", ALB_HOST)
    assert [(group.subject, group.state, group.problem) for group in groups] == [
        (group, "not_checked", names.problem) for group in TARGET_GROUPS
    ]


def test_check_of_a_host_without_our_metrics(fake_mackerel: FakeMackerel, metrics: MackerelMetrics) -> None:
    fake_mackerel.traffic_model = None
    groups = metrics.check()[3:]
    assert [(group.subject, group.state, group.problem and group.problem.about) for group in groups] == [
        (group, "never_reported", group) for group in TARGET_GROUPS
    ]
