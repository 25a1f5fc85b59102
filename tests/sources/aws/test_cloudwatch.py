"""The CloudWatch source, over HTTP against the fake."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from domain import Aws, Series, Window, check_frame, epoch_s
from domain.series import within_stat
from domain.window import DAY_S
from messages.errors.sources import format_problem
from sources.aws import calls
from sources.aws.client import create_client
from sources.aws.cloudwatch import CloudWatch, MetricDataSource
from sources.aws.cloudwatch_queries import (
    METRICS,
    all_series,
    cloudwatch_metric,
    metric_stat,
    plan_requests,
    query_text,
    retention_starts,
    split_by_retention,
    statistic_kind,
)
from sources.base import AnsweredRange, Problem, Pull, health_state
from tests.factories.aws import aws_migration
from tests.fakes.cloudwatch import LOAD_BALANCER, FakeCloudWatch
from tests.fakes.traffic_model import ScriptedTraffic, SteadyTraffic, TargetGroupMinute, TrafficModel

NOON = 1_767_355_200  # 2026-01-02 12:00 UTC
EC2, ECS = "targetgroup/photo-ec2/73e2d6bc24d8a067", "targetgroup/photo-ecs/943f017f100becff"
PHOTO = aws_migration()
SERIES = tuple(series for series in all_series(PHOTO) if not series.hourly)
HOURLY = tuple(series for series in all_series(PHOTO) if series.hourly)


def series_of(metric: str, stat: str = "sum", group: str = "photo-ecs") -> Series:
    target_group = "" if metric.startswith("alb_") else group
    (series,) = (
        series for series in SERIES if (series.metric, series.stat, series.target_group) == (metric, stat, target_group)
    )
    return series


REQUESTS = series_of("requests")
BOTH_REQUESTS = (series_of("requests", group="photo-ec2"), REQUESTS)
WINDOW = Window(NOON - 600, NOON - 120)  # eight whole minutes
TRAFFIC = ScriptedTraffic(
    {
        (group, ts): TargetGroupMinute(
            requests=9,
            responses_2xx=4,
            responses_3xx=1,
            responses_4xx=1,
            responses_5xx=2,
            latencies=(0.05, 0.1, 0.1, 0.2, 0.3, 0.3, 0.4, 2.0),
            connection_errors=1,
            healthy=3,
            unhealthy=1,
            fail_open=2,
        )
        for group in ("photo-ec2", "photo-ecs")
        for ts in range(WINDOW.start, WINDOW.end, 60)
    },
    alb_errors={NOON - 300: {"alb_5xx": 6, "alb_502": 3, "alb_503": 2, "alb_504": 1}},
)


class Harness:
    """A fake server, a clock set by the test, and a source that reads that server without retries."""

    def __init__(self, server: FakeCloudWatch, clock: list[int]) -> None:
        self.server, self.clock = server, clock

    def client(self, *, read_timeout_s: float = 30) -> Any:
        assert PHOTO.aws
        return create_client("cloudwatch", PHOTO.aws, max_attempts=1, read_timeout_s=read_timeout_s)

    def source(self, *, read_timeout_s: float = 30) -> CloudWatch:
        return CloudWatch(PHOTO, clock=self.now, client=self.client(read_timeout_s=read_timeout_s))

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock[0], UTC)

    def pull(self, window: Window = WINDOW, series: tuple[Series, ...] | None = None) -> Pull:
        return self.source().pull(window, series)


StartServer = Callable[[TrafficModel], Harness]


@pytest.fixture
def start_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartServer]:
    servers = ExitStack()

    def start(traffic: TrafficModel) -> Harness:
        clock = [NOON]
        server = servers.enter_context(FakeCloudWatch(traffic, clock=lambda: datetime.fromtimestamp(clock[0], UTC)))
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", server.url)
        return Harness(server, clock)

    with servers:
        yield start


@pytest.fixture
def harness(start_server: StartServer) -> Harness:
    return start_server(TRAFFIC)


def points_of(pull: Pull, series: Series) -> dict[int, float]:
    """Epoch second → value of a series."""
    frame = check_frame(pull.frame)
    rows = frame.query("metric == @series.metric and stat == @series.stat and target_group == @series.target_group")
    return dict(zip(epoch_s(rows).tolist(), rows["value"], strict=True))


def answered_series(pull: Pull) -> set[Series]:
    return {series for answer in pull.answered_ranges for series in answer.series}


def problem_kinds(pull: Pull) -> list[str]:
    return [problem.kind for problem in pull.problems]


# Requests and values


def test_values_of_every_series(harness: Harness) -> None:
    pull = harness.pull()
    at = NOON - 300
    assert pull.problems == ()
    assert answered_series(pull) == set(SERIES)
    ecs = {
        f"{series.metric} {series.stat}": points_of(pull, series)[at]
        for series in SERIES
        if series.target_group == "photo-ecs"
    }
    assert ecs == pytest.approx(
        {
            "requests sum": 9,
            "target_2xx sum": 4,
            "target_3xx sum": 1,
            "target_4xx sum": 1,
            "target_5xx sum": 2,
            "connection_errors sum": 1,
            "fail_open_requests sum": 2,
            "latency p50": 0.25,
            "latency p90": 0.88,
            "latency p95": 1.44,
            "latency p99": 1.888,
            "latency average": 0.43125,
            "latency sample_count": 8,
            "latency within_0.1s": 3 / 8,  # 37.5 in CloudWatch
            "latency within_0.3s": 6 / 8,
            "latency within_1s": 7 / 8,
            "healthy_hosts minimum": 3,
            "unhealthy_hosts minimum": 1,
        }
    )
    load_balancer = {series.metric: points_of(pull, series) for series in SERIES if not series.target_group}
    assert load_balancer == {"alb_5xx": {at: 6}, "alb_502": {at: 3}, "alb_503": {at: 2}, "alb_504": {at: 1}}


def test_one_request_covers_all_series(harness: Harness) -> None:
    pull = harness.pull()
    assert (harness.server.calls, harness.server.metrics_requested, harness.server.datapoints_requested) == (1, 40, 320)
    assert pull.datapoints_requested == 320
    assert pull.asked_at == NOON
    (request,) = harness.server.requests
    assert (request["StartTime"], request["EndTime"], request["ScanBy"]) == (
        WINDOW.start,
        WINDOW.end,
        "TimestampAscending",
    )
    assert request["MetricDataQueries"][0] == {
        "Id": "q0",
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/ApplicationELB",
                "MetricName": "RequestCount",
                "Dimensions": [{"Name": "LoadBalancer", "Value": LOAD_BALANCER}, {"Name": "TargetGroup", "Value": EC2}],
            },
            "Period": 60,
            "Stat": "Sum",
        },
    }


def test_only_the_given_series_are_requested(harness: Harness) -> None:
    pull = harness.pull(series=(REQUESTS,))
    assert harness.server.metrics_requested == 1
    assert answered_series(pull) == {REQUESTS}


def test_missing_point_is_an_absent_row_and_zero_is_zero(start_server: StartServer) -> None:
    quiet = ScriptedTraffic(
        {("photo-ecs", NOON - 120): TargetGroupMinute(requests=5, responses_2xx=5, latencies=(0.1,) * 5)}
    )
    harness = start_server(quiet)
    errors = series_of("target_5xx")
    assert points_of(harness.pull(Window(NOON - 180, NOON - 60)), errors) == {}
    harness.server.sparse = False
    assert points_of(harness.pull(Window(NOON - 180, NOON - 60)), errors) == {NOON - 120: 0}


def test_newest_minutes_grow(start_server: StartServer) -> None:
    minute = TargetGroupMinute(requests=90, responses_2xx=90, latencies=(0.1,) * 90)
    harness = start_server(ScriptedTraffic({("photo-ecs", NOON - 60): minute}))
    harness.server.revision_minutes = 2
    observed = []
    for harness.clock[0] in (NOON, NOON + 60, NOON + 120, NOON + 180):
        observed.append(points_of(harness.pull(Window(NOON - 60, NOON)), REQUESTS))
    assert observed == [{NOON - 60: 30}, {NOON - 60: 60}, {NOON - 60: 90}, {NOON - 60: 90}]


# Retention


@pytest.mark.parametrize(
    ("age_s", "period_s"),
    [
        (0, 60),
        (14 * DAY_S, 60),
        (15 * DAY_S - 3_600, 60),
        (15 * DAY_S, 300),
        (62 * DAY_S, 300),
        (63 * DAY_S, 3_600),
        (454 * DAY_S, 3_600),
        (455 * DAY_S, 0),
    ],
)
def test_finest_retained_period(age_s: int, period_s: int) -> None:
    assert CloudWatch(PHOTO).finest_period_s(NOON - age_s, now=NOON) == period_s


def test_long_window_is_read_in_every_retained_period(start_server: StartServer) -> None:
    harness = start_server(SteadyTraffic(lambda ts: {"photo-ec2": 1, "photo-ecs": 0.5}, requests_per_minute=4))
    window = Window(NOON - 64 * DAY_S + 60, NOON - 14 * DAY_S)
    pull = harness.pull(window, (REQUESTS,))
    assert pull.problems == ()
    assert [answer.period_s for answer in pull.answered_ranges] == [60, 300, 3_600]
    fine, middle, coarse = (answer.window for answer in pull.answered_ranges)
    assert (coarse.end, middle.end, fine.end) == (middle.start, fine.start, window.end)
    assert coarse.start == window.start - 60  # the complete hour
    rows = pull.frame.groupby("period_s").size()
    assert rows[3_600] == (coarse.end - coarse.start) / 3_600
    assert rows[300] == (middle.end - middle.start) / 300
    assert rows[60] > 0.8 * (fine.end - fine.start) / 60  # with two requests per minute, some minutes have none
    assert pull.frame.loc[pull.frame["period_s"] == 3_600, "value"].mean() == pytest.approx(120, rel=0.1)
    assert pull.frame["ts"].is_monotonic_increasing  # although the newest are requested first
    assert pull.datapoints_requested == harness.server.datapoints_requested


def test_hourly_percentiles_cover_complete_hours_only(harness: Harness) -> None:
    p95 = next(series for series in HOURLY if (series.stat, series.target_group) == ("p95_hourly", "photo-ecs"))
    minute = series_of("latency", "p95")
    pull = harness.pull(Window(NOON - 2 * 3_600 - 60, NOON + 60), (p95, minute))
    (answer,) = (answer for answer in pull.answered_ranges if p95 in answer.series)
    assert answer == AnsweredRange(frozenset({p95}), Window(NOON - 2 * 3_600, NOON), 3_600)
    frame = pull.frame[pull.frame["stat"] == "p95_hourly"]
    assert [(int(ts.timestamp()), period_s) for ts, period_s in zip(frame["ts"], frame["period_s"], strict=True)] == [
        (NOON - 3_600, 3_600)
    ]
    # Eight responses in each of eight minutes: p95 is at 0.95 · 63 = 59.85 of the sorted latencies, among those of two seconds.
    assert list(frame["value"]) == [2.0]
    assert list(points_of(pull, minute).values()) == [pytest.approx(1.44)] * 8
    assert harness.pull(WINDOW, HOURLY).answered_ranges == ()


def test_fake_returns_nothing_for_an_expired_period(start_server: StartServer) -> None:
    harness = start_server(SteadyTraffic(lambda ts: {"photo-ecs": 1}))
    old = Window(NOON - 20 * DAY_S, NOON - 20 * DAY_S + 3_600)
    assert len(harness.pull(old, (REQUESTS,)).frame) == 12
    behind = CloudWatch(PHOTO, clock=lambda: old.ends_at, client=harness.client())
    pull = behind.pull(old, (REQUESTS,))
    assert (len(pull.frame), pull.problems, answered_series(pull)) == (0, (), {REQUESTS})


def test_no_request_beyond_the_retention(harness: Harness) -> None:
    pull = harness.pull(Window(NOON - 500 * DAY_S, NOON - 499 * DAY_S))
    assert (harness.server.calls, pull.datapoints_requested) == (0, 0)
    assert (pull.answered_ranges, pull.problems) == ((), ())


windows = st.builds(
    lambda start, minutes: Window(NOON - start * 60, NOON - start * 60 + minutes * 60),
    st.integers(0, 480 * 1_440),
    st.integers(1, 90 * 1_440),
)


@given(windows, st.integers(NOON, NOON + 7 * DAY_S))
def test_parts_of_a_window_are_adjacent_without_overlap(window: Window, now: int) -> None:
    parts = tuple(split_by_retention(window, now))
    for (newer, fine_s), (older, coarse_s) in pairwise(parts):
        assert older.end == newer.start
        assert fine_s < coarse_s
    for part, period_s in parts:
        assert part.start % period_s == part.end % period_s == 0
        assert part.start >= dict(retention_starts(now))[period_s]
    first_retained = retention_starts(now)[-1][1]
    if window.end <= first_retained:
        assert parts == ()
    else:
        assert parts[-1][0].start <= max(window.start, first_retained)
        assert parts[0][0].end >= window.end


@given(windows, st.integers(1, 1_300))
def test_requests_stay_within_limits_and_cover_everything(window: Window, n_series: int) -> None:
    many = tuple(Series("cloudwatch", "canary", f"group-{n}", "requests", "sum", "count") for n in range(n_series))
    calls = tuple(plan_requests(many, window, NOON + 7 * DAY_S))
    assert all(len(call.series) <= 500 and call.datapoints <= 100_800 for call in calls)
    parts = tuple(split_by_retention(window, NOON + 7 * DAY_S))
    assert sum(call.datapoints for call in calls) == sum(
        n_series * (part.end - part.start) // period_s for part, period_s in parts
    )


# Pages


def test_pages_are_merged(harness: Harness) -> None:
    unpaged = harness.pull()
    harness.server.page_datapoints = 7
    paged = harness.pull()
    assert harness.server.calls > 40
    assert paged.problems == ()
    assert paged.answered_ranges == unpaged.answered_ranges
    assert paged.frame.equals(unpaged.frame)
    assert harness.server.metrics_requested == 2 * len(SERIES)


def test_partial_data_without_next_token(harness: Harness) -> None:
    harness.server.partial_without_token = {"photo-ecs RequestCount"}
    pull = harness.pull(series=BOTH_REQUESTS)
    assert pull.problems == (
        Problem("partial_data", "cloudwatch", "cloudwatch:GetMetricData", "photo-ecs: RequestCount Sum"),
    )
    assert answered_series(pull) == {BOTH_REQUESTS[0]}
    assert len(points_of(pull, REQUESTS)) == 4  # the partial result is kept


@pytest.mark.parametrize("how", ["partial_without_end", "partial_with_new_tokens"])
def test_endless_partial_data(harness: Harness, how: str) -> None:
    setattr(harness.server, how, {"photo-ecs RequestCount"})
    pull = harness.pull(series=BOTH_REQUESTS)
    assert problem_kinds(pull) == ["partial_data"]
    assert answered_series(pull) == {BOTH_REQUESTS[0]}
    assert harness.server.calls <= 5


def test_rejected_token_is_a_bad_reply(harness: Harness) -> None:
    harness.server.page_datapoints, harness.server.invalid_token = 7, True
    pull = harness.pull(series=BOTH_REQUESTS)
    assert problem_kinds(pull) == ["bad_reply"]
    assert pull.problems[0].detail == "InvalidNextToken: The next token specified is invalid."
    assert (len(pull.frame), answered_series(pull)) == (7, set())


def test_failure_between_pages_keeps_rows_and_leaves_series_unanswered(harness: Harness) -> None:
    harness.server.page_datapoints, harness.server.fail_from_call = 7, 2
    pull = harness.pull(series=BOTH_REQUESTS)
    assert problem_kinds(pull) == ["server_error"]
    assert (len(pull.frame), answered_series(pull)) == (7, set())


def page(*timestamps: int, status: str = "PartialData", token: str = "next") -> dict[str, Any]:
    points = {"Timestamps": [datetime.fromtimestamp(ts, UTC) for ts in timestamps], "Values": [1.0] * len(timestamps)}
    return {"MetricDataResults": [{"Id": "q0", "StatusCode": status, **points}]} | (
        {"NextToken": token} if token else {}
    )


def test_two_pages_without_data_are_not_the_end() -> None:
    pages = [page(WINDOW.start), page(), page(), page(WINDOW.start + 60, status="Complete", token="")]
    client = SimpleNamespace(get_metric_data=lambda **params: pages.pop(0))
    pull = CloudWatch(PHOTO, clock=lambda: datetime.fromtimestamp(NOON, UTC), client=client).pull(WINDOW, (REQUESTS,))
    assert (pages, pull.problems, answered_series(pull)) == ([], (), {REQUESTS})
    assert points_of(pull, REQUESTS) == {WINDOW.start: 1, WINDOW.start + 60: 1}


def test_forbidden_series_is_reported_after_a_failure_between_pages(harness: Harness) -> None:
    harness.server.forbidden = {"photo-ec2"}
    harness.server.page_datapoints, harness.server.fail_from_call = 7, 2
    assert problem_kinds(harness.pull(series=BOTH_REQUESTS)) == ["server_error", "forbidden_metric"]


# Status of a series


def test_internal_error_is_retried_once(harness: Harness) -> None:
    harness.server.internal_errors = {"photo-ecs RequestCount": 1}
    pull = harness.pull(series=BOTH_REQUESTS)
    assert (pull.problems, answered_series(pull)) == ((), set(BOTH_REQUESTS))
    retried = harness.server.requests[1]["MetricDataQueries"]
    assert [query["Id"] for query in retried] == ["q1"]


def test_permanent_internal_error_affects_only_its_series(harness: Harness) -> None:
    harness.server.internal_errors = {"photo-ecs RequestCount": 99}
    pull = harness.pull(series=BOTH_REQUESTS)
    assert problem_kinds(pull) == ["internal_error"]
    assert answered_series(pull) == {BOTH_REQUESTS[0]}
    assert harness.server.calls == 2


def test_forbidden_target_group_affects_only_its_series(harness: Harness) -> None:
    harness.server.forbidden = {"photo-ecs"}
    harness.server.result_messages = {"photo-ecs": [("Forbidden", "No permission in this account")]}
    pull = harness.pull()
    assert pull.problems == (
        Problem(
            "forbidden_metric",
            "cloudwatch",
            "cloudwatch:GetMetricData",
            "photo-ecs: RequestCount Sum, HTTPCode_Target_2XX_Count Sum, HTTPCode_Target_3XX_Count Sum, +15",
            "Forbidden: No permission in this account",
        ),
    )
    assert answered_series(pull) == {series for series in SERIES if series.target_group != "photo-ecs"}


def test_messages_are_reported_once(harness: Harness) -> None:
    harness.server.messages = [("MaxMetricsExceeded", "Maximum number of allowed metrics exceeded")]
    harness.server.result_messages = {"photo-ecs RequestCount": [("ArithmeticError", "division by zero")]}
    harness.server.page_datapoints = 7
    pull = harness.pull()
    assert [(problem.kind, problem.about, problem.detail) for problem in pull.problems] == [
        ("message", "", "MaxMetricsExceeded: Maximum number of allowed metrics exceeded"),
        ("message", "photo-ecs: RequestCount Sum", "ArithmeticError: division by zero"),
    ]
    assert answered_series(pull) == set(SERIES)


@pytest.mark.parametrize("sent", ["NaN", float("nan"), float("inf"), None, True, 10**400])
def test_non_numeric_value_is_dropped_and_reported(harness: Harness, sent: object) -> None:
    harness.server.value_overrides = {"photo-ecs RequestCount": sent}
    pull = harness.pull(series=BOTH_REQUESTS)
    assert [(problem.kind, problem.about) for problem in pull.problems] == [
        ("bad_reply", "photo-ecs: RequestCount Sum")
    ]
    assert (len(points_of(pull, BOTH_REQUESTS[0])), points_of(pull, REQUESTS)) == (8, {})


@pytest.mark.parametrize("shift_s", [480, -480, 30])
def test_unrequested_point_is_dropped_and_reported(harness: Harness, shift_s: int) -> None:
    harness.server.timestamp_shift_s = {"photo-ecs RequestCount": shift_s}
    pull = harness.pull(series=BOTH_REQUESTS)
    assert problem_kinds(pull) == ["bad_reply"]
    assert (len(points_of(pull, BOTH_REQUESTS[0])), points_of(pull, REQUESTS)) == (8, {})


# Failed calls


@pytest.mark.parametrize(
    ("fault", "kind", "detail"),
    [
        ({"throttle_next": 1}, "throttled", "Throttling: Rate exceeded"),
        ({"fail_next": 1}, "server_error", "InternalServiceFault: An error occurred on the server side"),
        ({"token_expired": True}, "expired_token", "ExpiredToken: The security token included in the request is expired"),
        ({"access_keys": set()}, "wrong_key", "InvalidClientTokenId: The security token included in the request is invalid."),
        ({"region": "eu-west-1"}, "wrong_region", "SignatureDoesNotMatch: Credential should be scoped to a valid region, not 'ap-northeast-1'."),
        (
            {"denied": True},
            "denied",
            "AccessDenied: User: arn:aws:iam::123456789012:user/viewer is not authorized to perform: cloudwatch:GetMetricData",
        ),
        ({"raw_reply": b"<html>Please sign in</html>"}, "bad_reply", "no MetricDataResults"),
        ({"raw_reply": "<p>ログイン</p>".encode("shift_jis")}, "bad_reply", None),
        ({"raw_reply": b"[1]"}, "bad_reply", None),
    ],
)  # fmt: skip
def test_failed_call_is_a_problem(harness: Harness, fault: dict[str, Any], kind: str, detail: str | None) -> None:
    for name, value in fault.items():
        setattr(harness.server, name, value)
    pull = harness.pull(series=BOTH_REQUESTS)
    assert (problem_kinds(pull), pull.answered_ranges, len(pull.frame)) == ([kind], (), 0)
    assert detail is None or pull.problems[0].detail == detail
    assert pull.problems[0].operation == "cloudwatch:GetMetricData"


def test_hang_is_a_timeout(harness: Harness) -> None:
    harness.server.hang = threading.Event()
    pull = harness.source(read_timeout_s=0.2).pull(WINDOW)
    assert problem_kinds(pull) == ["timeout"]


def test_no_server_is_unreachable(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", "http://127.0.0.1:1")
    assert problem_kinds(harness.pull()) == ["unreachable"]


def test_one_transient_failure_does_not_stop_the_poll(start_server: StartServer) -> None:
    harness = start_server(SteadyTraffic(lambda ts: {"photo-ecs": 1}))
    harness.server.throttle_next = 1
    pull = harness.pull(Window(NOON - 16 * DAY_S, NOON - 14 * DAY_S), (REQUESTS,))
    assert problem_kinds(pull) == ["throttled"]
    assert [answer.period_s for answer in pull.answered_ranges] == [300]


def test_repeated_or_fatal_failures_stop_the_poll(harness: Harness) -> None:
    harness.server.fail_next = 99
    month = Window(NOON - 30 * DAY_S, NOON)
    pull = harness.pull(month, SERIES)
    assert harness.server.calls == 3  # all series, the counts alone, and the next request
    assert (problem_kinds(pull), pull.problems[-1].about) == (["server_error", "incomplete"], "2 / 11")
    harness.server.fail_next, harness.server.token_expired = 0, True
    assert [problem.about for problem in harness.pull(month, SERIES).problems] == ["ap-northeast-1", "1 / 11"]
    assert harness.server.calls == 4


@pytest.mark.parametrize(("skew_s", "about"), [(-90, "+90 s"), (90, "-90 s")])
def test_clock_skew_is_reported_and_data_kept(harness: Harness, skew_s: int, about: str) -> None:
    harness.server.clock_skew_s = skew_s
    pull = harness.pull()
    assert problem_kinds(pull) == ["clock_skew"]
    assert re.fullmatch(re.escape(about[:-4]) + r"(89|90|91) s", pull.problems[0].about)
    assert answered_series(pull) == set(SERIES)


def test_missing_profile_and_invalid_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", "nonsense")
    assert problem_kinds(CloudWatch(PHOTO).pull(WINDOW)) == ["bad_request"]
    monkeypatch.setenv("AWS_PROFILE", "missing")
    pull = CloudWatch(PHOTO).pull(WINDOW)
    assert (problem_kinds(pull), pull.problems[0].detail) == (
        ["no_credentials"],
        "The config profile (missing) could not be found",
    )


def test_new_credentials_are_used_after_old_ones_were_rejected(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.server.access_keys = {"AKIAI44QH8DHBEXAMPLE"}
    source = CloudWatch(PHOTO, clock=harness.now)
    assert problem_kinds(source.pull(WINDOW)) == ["wrong_key"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAI44QH8DHBEXAMPLE")
    assert problem_kinds(source.pull(WINDOW)) == []


def test_threads_share_one_client(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    created: list[str] = []

    def create(service: str, aws: Aws) -> Any:
        created.append(service)
        return create_client(service, aws)

    monkeypatch.setattr(calls, "create_client", create)
    source = CloudWatch(PHOTO, clock=harness.now)
    with ThreadPoolExecutor(8) as threads:
        pulls = list(threads.map(source.pull, [WINDOW] * 8))
    assert created == ["cloudwatch"]
    assert all(pull.problems == () and pull.frame.equals(pulls[0].frame) for pull in pulls)


def test_check_reports_the_permission(harness: Harness) -> None:
    health, *_ = harness.source().check()
    assert (health.source, health.permission, health.state, health.problem) == (
        "cloudwatch",
        "cloudwatch:GetMetricData",
        "up",
        None,
    )
    assert harness.server.metrics_requested == len(SERIES) + 4
    harness.server.denied = True
    health, *groups = harness.source().check()
    assert health.state == "denied"
    assert health.problem is not None
    assert health.problem.kind == "denied"
    assert [(group.subject, group.state, group.problem) for group in groups] == [
        ("photo-ec2", "not_checked", health.problem),
        ("photo-ecs", "not_checked", health.problem),
    ]


def test_check_fails_if_clock_skew_makes_the_call_fail(harness: Harness) -> None:
    harness.server.signature_expired = True
    health, *_ = harness.source().check()
    assert (health.state, health.problem and health.problem.kind) == ("failed", "clock_skew")


DAYS_5, DAYS_400 = NOON - 5 * DAY_S, NOON - 400 * DAY_S


@pytest.mark.parametrize(
    ("at", "state", "age_s"),
    [
        (NOON - 120, "up", 120),
        (NOON - 179 * 60, "up", 179 * 60),
        (DAYS_5 + 1740, "stale", 5 * DAY_S),  # the hour in which it lies
        (DAYS_400, "stale", 400 * DAY_S + 12 * 3600),  # the day
        (None, "never_reported", None),
    ],
)
def test_check_has_the_age_of_each_groups_newest_datapoint(
    start_server: StartServer, at: int | None, state: str, age_s: int | None
) -> None:
    minutes = {("photo-ec2", NOON - 120): TargetGroupMinute(requests=3, healthy=1)}
    if at:
        minutes["photo-ecs", at] = TargetGroupMinute(requests=0, healthy=2)  # targets alone are a datapoint, too
    _, baseline, canary = start_server(ScriptedTraffic(minutes)).source().check()
    assert (baseline.subject, baseline.state, baseline.newest_age_s) == ("photo-ec2", "up", 120)
    assert (canary.subject, canary.state, canary.newest_age_s) == ("photo-ecs", state, age_s)


def test_check_says_what_to_do_about_a_group_that_never_reported(start_server: StartServer) -> None:
    _, baseline, _ = start_server(ScriptedTraffic({})).source().check()
    assert baseline.problem
    message = format_problem(baseline.problem)
    assert (message.title, message.text, message.next_step) == (
        "Never reported",
        "CloudWatch has no datapoint of the target group photo-ec2 at this load balancer, in the last 454 days.",
        "No action needed if it never had a target. Otherwise compare `target_groups`, `load_balancer` and `region` "
        "in migration.toml with `aws elbv2 describe-target-groups`, and check that the credentials belong to the "
        "load balancer's account (`aws sts get-caller-identity`).",
    )


def test_a_group_that_could_not_be_read_is_not_one_that_never_reported(harness: Harness) -> None:
    harness.server.forbidden = {"photo-ecs"}
    health, baseline, canary = harness.source().check()
    assert (health.state, baseline.state, canary.state) == ("denied", "up", "denied")
    assert canary.problem and canary.problem.kind == "forbidden_metric"


def test_a_percentile_that_cannot_be_computed_is_a_failure(harness: Harness) -> None:
    harness.server.internal_errors = {"photo-ecs TargetResponseTime": 99}
    health, baseline, canary = harness.source().check()
    assert health.problem and (health.state, health.problem.kind) == ("failed", "internal_error")
    assert (baseline.state, canary.state, canary.newest_age_s) == ("up", "failed", 180)
    assert canary.problem == health.problem


# Series that CloudWatch rejects, and with them the whole call


def invalid_series(group: str = "photo-ecs", stat: str = "within_1e-05s") -> Series:
    return Series("cloudwatch", "canary", group, "latency", stat, "fraction")


def source_with(harness: Harness, *invalid: Series, first: bool = False) -> MetricDataSource:
    """A source of all series, and of others that CloudWatch rejects (first, last or in the middle)."""
    metrics = {series: cloudwatch_metric(PHOTO, series) for series in SERIES}
    others = {series: cloudwatch_metric(PHOTO, series) for series in invalid}
    assert PHOTO.aws
    return MetricDataSource(
        {**others, **metrics} if first else {**metrics, **others}, PHOTO.aws, clock=harness.now, client=harness.client()
    )


@pytest.mark.parametrize("first", [True, False])
def test_a_rejected_series_takes_no_other_with_it(harness: Harness, *, first: bool) -> None:
    source = source_with(harness, invalid_series(), first=first)
    pull = source.pull(WINDOW)
    assert answered_series(pull) == set(SERIES)
    assert all(points_of(pull, series) == points_of(harness.pull(), series) for series in SERIES[::7])
    (problem,) = pull.problems
    assert (problem.kind, problem.operation, problem.about) == (
        "refused_metric",
        "cloudwatch:GetMetricData",
        "photo-ecs: TargetResponseTime PR(:1e-05)",
    )
    assert "PR(:1e-05)" in problem.detail
    health, *_ = source.check()
    assert (health.state, health.problem and health.problem.kind) == ("failed", "refused_metric")


def test_many_rejected_series_are_all_found(harness: Harness) -> None:
    invalid = [invalid_series(group, f"within_{n}e-05s") for n in range(1, 5) for group in ("photo-ecs", "photo-ec2")]
    pull = source_with(harness, *invalid).pull(WINDOW)
    assert answered_series(pull) == set(SERIES)
    assert set(problem_kinds(pull)) == {"refused_metric"}


def test_a_rejected_series_is_asked_apart_from_then_on(harness: Harness) -> None:
    source = source_with(harness, invalid_series())
    source.pull(WINDOW)
    calls = harness.server.calls
    assert calls > 2
    pull = source.pull(WINDOW)
    assert harness.server.calls == calls + 2
    assert answered_series(pull) == set(SERIES) and problem_kinds(pull) == ["refused_metric"]


def test_a_call_that_is_rejected_whatever_its_series_is_one_problem(harness: Harness) -> None:
    class Server(SimpleNamespace):
        calls = 0

        def get_metric_data(self, **params: Any) -> Any:
            self.calls += 1
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "StartTime"}}, "GetMetricData")

    server = Server()
    pull = CloudWatch(PHOTO, clock=harness.now, client=server).pull(WINDOW)
    assert problem_kinds(pull) == ["bad_request"] and not pull.answered_ranges
    assert server.calls == 11
    pull = CloudWatch(PHOTO, clock=harness.now, client=server).pull(WINDOW, SERIES[:1])
    assert problem_kinds(pull) == ["bad_request"]


def test_a_failure_while_dividing_is_retried_later(harness: Harness) -> None:
    harness.server.fail_from_call = 3
    pull = source_with(harness, invalid_series()).pull(WINDOW)
    assert problem_kinds(pull) == ["server_error"]
    assert answered_series(pull) < set(SERIES)


# Statistics that the server cannot calculate


def is_of_kind(series: Series, *kinds: int) -> bool:
    return statistic_kind(metric_stat(series)[1]) in kinds


def unanswered_texts(pull: Pull) -> list[str]:
    assert {problem.kind for problem in pull.problems} <= {"unanswered_metric"}
    return [problem.about for problem in pull.problems]


@pytest.mark.parametrize(
    ("failing", "kinds", "first"),
    [
        (("p", "PR"), (1, 2), "photo-ec2: TargetResponseTime p50, TargetResponseTime p90, TargetResponseTime p95, +4"),
        (
            ("PR",),
            (2,),
            "photo-ec2: TargetResponseTime PR(:0.1), TargetResponseTime PR(:0.3), TargetResponseTime PR(:1)",
        ),
        (("p99",), (1,), "photo-ec2: TargetResponseTime p50, TargetResponseTime p90, TargetResponseTime p95, +1"),
    ],
)
def test_a_statistic_that_fails_takes_no_counts_with_it(
    harness: Harness, failing: tuple[str, ...], kinds: tuple[int, ...], first: str
) -> None:
    harness.server.failing_stats = failing
    pull = harness.pull()
    assert answered_series(pull) == {series for series in SERIES if not is_of_kind(series, *kinds)}
    assert all(points_of(pull, series) for series in (REQUESTS, series_of("latency", "average")))
    assert unanswered_texts(pull) == [first, first.replace("photo-ec2", "photo-ecs")]
    assert pull.problems[0].detail == "InternalFailure: float() argument must be a string or a real number"
    assert health_state(pull.problems, took_s=9.0) == "partial"


def test_a_failing_statistic_is_asked_apart_until_it_is_answered(harness: Harness) -> None:
    source, server = harness.source(), harness.server
    server.failing_stats = ("p", "PR")
    source.pull(WINDOW)
    assert server.calls == 4  # all, counts, percentiles, ranks
    source.pull(WINDOW)
    assert server.calls == 7  # without the first
    server.failing_stats = ()
    assert answered_series(source.pull(WINDOW)) == set(SERIES)
    assert server.calls == 10
    source.pull(WINDOW)
    assert server.calls == 11


def test_failing_statistics_alone_are_not_a_failing_source(harness: Harness) -> None:
    percentiles = tuple(series for series in SERIES if is_of_kind(series, 1))
    harness.server.failing_stats = ("p",)
    about = "photo-ec2: TargetResponseTime p50, TargetResponseTime p90, TargetResponseTime p95, +1"
    pull = harness.pull(WINDOW, percentiles)
    assert unanswered_texts(pull) == [about, about.replace("photo-ec2", "photo-ecs")]
    assert not pull.answered_ranges

    harness.server.fail_next = 99
    assert problem_kinds(harness.pull(WINDOW, percentiles)) == ["server_error"]


@pytest.mark.parametrize(
    ("threshold_s", "stat"),
    [
        (0.00001, "PR(:0.00001)"),
        (0.000001, "PR(:0.000001)"),
        (0.3, "PR(:0.3)"),
        (0.123457, "PR(:0.123457)"),
        (12.345678, "PR(:12.345678)"),
        (1, "PR(:1)"),
        (60, "PR(:60)"),
    ],
)
def test_thresholds_are_written_as_cloudwatch_reads_them(threshold_s: float, stat: str) -> None:
    series = Series("cloudwatch", "canary", "photo-ecs", "latency", within_stat(threshold_s), "fraction")
    assert metric_stat(series) == ("TargetResponseTime", stat)
    assert float(stat[4:-1]) == threshold_s


# The fake itself


def error_code_of(harness: Harness, **changes: Any) -> str:
    """The error code for a valid query with these changes."""
    stat = {"Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount"}, "Period": 60, "Stat": "Sum"}
    query = {"Id": "a", "MetricStat": stat | {name: value for name, value in changes.items() if name in stat}}
    queries = changes.get(
        "MetricDataQueries", [query | {name: value for name, value in changes.items() if name in query}]
    )
    with pytest.raises(ClientError) as caught:
        harness.client().get_metric_data(
            MetricDataQueries=queries, StartTime=WINDOW.starts_at, EndTime=changes.get("EndTime", WINDOW.ends_at)
        )
    return str(caught.value.response["Error"]["Code"])


def test_fake_rejects_what_cloudwatch_rejects(harness: Harness) -> None:
    stat = {"Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount"}, "Period": 60, "Stat": "Sum"}
    assert error_code_of(harness, Period=90) == "ValidationError"
    assert error_code_of(harness, Stat="p950") == "ValidationError"
    assert error_code_of(harness, Id="Upper") == "ValidationError"
    assert error_code_of(harness, EndTime=WINDOW.starts_at) == "ValidationError"
    assert error_code_of(harness, MetricDataQueries=[{"Id": "a", "MetricStat": stat}] * 2) == "ValidationError"
    many = [{"Id": f"q{n}", "MetricStat": stat} for n in range(501)]
    assert error_code_of(harness, MetricDataQueries=many) == "ValidationError"
    assert harness.server.metrics_requested == 0


def test_fake_is_descending_by_default(harness: Harness) -> None:
    metric = {
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "RequestCount",
        "Dimensions": [{"Name": "LoadBalancer", "Value": LOAD_BALANCER}],
    }
    response = harness.client().get_metric_data(
        MetricDataQueries=[{"Id": "a", "MetricStat": {"Metric": metric, "Period": 240, "Stat": "Sum"}}],
        StartTime=datetime.fromtimestamp(NOON - 480, UTC),
        EndTime=datetime.fromtimestamp(NOON, UTC),
    )
    (result,) = response["MetricDataResults"]
    # Both target groups; two minutes of the second period and all four of the first.
    assert [
        (int(ts.timestamp()) - NOON, value) for ts, value in zip(result["Timestamps"], result["Values"], strict=True)
    ] == [
        (-240, 36),
        (-480, 72),
    ]


def test_dead_fleet_has_no_target_errors(start_server: StartServer) -> None:
    traffic = SteadyTraffic(
        lambda ts: {"photo-ec2": 0.9, "photo-ecs": 0.1}, unresponsive=lambda ts: {"photo-ecs"}, seed=7
    )
    harness = start_server(traffic)
    at = NOON - 120
    pull = harness.pull(Window(at, at + 60))
    requests = points_of(pull, REQUESTS)[at]
    assert 30 < requests < 100
    assert points_of(pull, series_of("target_5xx")) == points_of(pull, series_of("latency", "p95")) == {}
    assert points_of(pull, series_of("alb_5xx"))[at] == requests
    assert points_of(pull, series_of("alb_502"))[at] == points_of(pull, series_of("connection_errors"))[at]
    assert points_of(pull, series_of("fail_open_requests"))[at] == requests
    assert points_of(pull, series_of("target_5xx", group="photo-ec2")) == {}


def test_traffic_model_is_deterministic() -> None:
    def errors(seed: int) -> list[int]:
        traffic = SteadyTraffic(lambda ts: {"photo-ecs": 1.0}, seed=seed, error_rates={"photo-ecs": 0.1})
        minutes = [traffic.minute("photo-ecs", ts) for ts in range(NOON, NOON + 600, 60)]
        return [minute.responses_5xx for minute in minutes if minute]

    assert errors(1) == errors(1) != errors(2)


def test_query_text() -> None:
    assert (
        query_text(PHOTO, series_of("latency", "within_0.3s"), 60)
        == f"AWS/ApplicationELB TargetResponseTime PR(:0.3) 60 s LoadBalancer={LOAD_BALANCER}, TargetGroup={ECS}"
    )


# Documentation


KINDS = (
    *(
        "partial_data",
        "internal_error",
        "forbidden_metric",
        "message",
        "bad_reply",
        "bad_request",
        "refused_metric",
        "unanswered_metric",
        "server_error",
        "not_supported",
    ),
    *("no_credentials", "expired_token", "wrong_key", "wrong_region", "denied", "throttled", "timeout", "unreachable"),
    *("clock_skew", "incomplete"),
)


def test_docs_name_every_metric_statistic_and_problem() -> None:
    page = (Path(__file__).parent.parents[2] / "docs" / "cloudwatch.md").read_text(encoding="utf-8")
    for series in (*SERIES, *HOURLY):
        metric, stat = metric_stat(series)
        assert f"`{metric}`" in page
        assert f"`{stat}`" in page or stat.startswith("PR")
        assert f"`{series.metric}`" in page
        assert f"`{series.stat}`" in page or series.stat.startswith("within")
    for kind in KINDS:
        assert f"`{kind}`" in page


def test_docs_have_the_right_price() -> None:
    page = (Path(__file__).parent.parents[2] / "docs" / "cloudwatch.md").read_text(encoding="utf-8")
    metrics_per_month = len(SERIES) * 60 * 24 * 30
    assert f"= {len(SERIES)} metrics." in page
    assert f"{metrics_per_month:,} metrics: ${metrics_per_month * 0.01 / 1000:.2f} per month" in page
    assert f"Every 5 minutes: ${metrics_per_month / 5 * 0.01 / 1000:.2f}." in page


def test_metric_table_matches_all_series() -> None:
    assert {series.metric for series in (*SERIES, *HOURLY)} == set(METRICS)
    stats = {metric_stat(series)[1] for series in (*SERIES, *HOURLY) if series.unit != "fraction"}
    assert stats == {"Sum", "Average", "SampleCount", "Minimum", "p50", "p90", "p95", "p99"}
