"""CloudWatch as a source, by unpatched boto3 over HTTP against the loopback CloudWatch of tests/worlds."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from domain import Aws, Migration, Series, Window, check_frame, epoch_s
from domain.config.models import Fleet, Fleets
from sources.aws import client as aws
from sources.aws.cloudwatch import CloudWatch, console_url
from sources.aws.cloudwatch_queries import (
    METRIC_STATS,
    all_series,
    metric_stat,
    plan_requests,
    retention_starts,
    split_by_retention,
)
from sources.base import AnsweredRange, Problem, Pull
from tests.fakes.cloudwatch import LOAD_BALANCER, FakeCloudWatch
from tests.fakes.traffic_model import ScriptedTraffic, SteadyTraffic, TargetGroupMinute, TrafficModel

DAY_S = 86_400
NOON = 1_767_355_200  # 2026-01-02 12:00 UTC
EC2, ECS = "targetgroup/photo-ec2/73e2d6bc24d8a067", "targetgroup/photo-ecs/943f017f100becff"


def migration_in_partition(partition: str = "aws", region: str = "ap-northeast-1") -> Migration:
    elb = f"arn:{partition}:elasticloadbalancing:{region}:123456789012"
    return Migration(
        name="Photo service",
        aws=Aws(region=region, load_balancer=f"{elb}:loadbalancer/{LOAD_BALANCER}"),
        fleets=Fleets(
            baseline=Fleet(label="EC2", target_groups=(f"{elb}:{EC2}",)),
            canary=Fleet(label="ECS", target_groups=(f"{elb}:{ECS}",)),
        ),
    )


PHOTO = migration_in_partition()
SERIES = tuple(one for one in all_series(PHOTO) if not one.hourly)
HOURLY = tuple(one for one in all_series(PHOTO) if one.hourly)


def series(metric: str, stat: str = "sum", group: str = "photo-ecs") -> Series:
    (found,) = (
        one
        for one in SERIES
        if (one.metric, one.stat) == (metric, stat) and one.target_group == ("" if metric.startswith("alb_") else group)
    )
    return found


REQUESTS = series("requests")
BOTH_REQUESTS = (series("requests", group="photo-ec2"), REQUESTS)
WINDOW = Window(NOON - 600, NOON - 120)  # eight whole minutes
SCENARIO = ScriptedTraffic(
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
    """A world, a clock that the test moves, and a source that talks to that world."""

    def __init__(self, world: FakeCloudWatch, clock: list[int]) -> None:
        self.server, self.clock = world, clock

    def source(self, *, attempts: int = 1, read_timeout_s: float = 5) -> CloudWatch:
        assert PHOTO.aws
        client = aws.create_client("cloudwatch", PHOTO.aws, max_attempts=attempts, read_timeout_s=read_timeout_s)
        return CloudWatch(PHOTO, clock=self.now, client=client)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock[0], UTC)

    def pull(self, window: Window = WINDOW, series: tuple[Series, ...] | None = None) -> Pull:
        return self.source().pull(window, series)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def open_world(keys: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[TrafficModel], Harness]]:
    worlds: list[FakeCloudWatch] = []

    def start(story: TrafficModel) -> Harness:
        clock = [NOON]
        world = FakeCloudWatch(story, clock=lambda: datetime.fromtimestamp(clock[0], UTC))
        worlds.append(world.__enter__())
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", world.url)
        return Harness(world, clock)

    yield start
    for world in worlds:
        world.__exit__(None, None, None)


@pytest.fixture
def bench(open_world: Callable[[TrafficModel], Harness]) -> Harness:
    return open_world(SCENARIO)


def points_of(pull: Pull, one: Series) -> dict[int, float]:
    """Epoch second → value, of one series."""
    frame = check_frame(pull.frame)
    rows = frame[
        (frame["metric"] == one.metric) & (frame["stat"] == one.stat) & (frame["target_group"] == one.target_group)
    ]
    return dict(zip(epoch_s(rows).tolist(), rows["value"], strict=True))


def answered_series(pull: Pull) -> set[Series]:
    return {one for answer in pull.answered_ranges for one in answer.series}


def problem_kinds(pull: Pull) -> list[str]:
    return [problem.kind for problem in pull.problems]


# What is asked and answered


def test_every_series_means_what_its_name_says(bench: Harness) -> None:
    pull = bench.pull()
    at = NOON - 300
    assert pull.problems == ()
    assert answered_series(pull) == set(SERIES)
    ecs = {f"{one.metric} {one.stat}": points_of(pull, one)[at] for one in SERIES if one.target_group == "photo-ecs"}
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
            "latency within_0.1s": 3 / 8,  # CloudWatch says 37.5
            "latency within_0.3s": 6 / 8,
            "latency within_1s": 7 / 8,
            "healthy_hosts minimum": 3,
            "unhealthy_hosts minimum": 1,
        }
    )
    own = {one.metric: points_of(pull, one) for one in SERIES if not one.target_group}
    assert own == {"alb_5xx": {at: 6}, "alb_502": {at: 3}, "alb_503": {at: 2}, "alb_504": {at: 1}}


def test_one_call_asks_for_everything(bench: Harness) -> None:
    pull = bench.pull()
    assert (bench.server.calls, bench.server.metrics_requested, bench.server.datapoints_requested) == (1, 40, 320)
    assert pull.datapoints_requested == 320
    assert pull.asked_at == NOON
    (request,) = bench.server.requests
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


def test_only_what_is_wanted_is_asked(bench: Harness) -> None:
    pull = bench.pull(series=(REQUESTS,))
    assert bench.server.metrics_requested == 1
    assert answered_series(pull) == {REQUESTS}
    assert [query.series for query in pull.queries] == [REQUESTS]


def test_a_missing_point_is_an_absent_row_and_a_zero_is_a_zero(open_world: Callable[[TrafficModel], Harness]) -> None:
    quiet = ScriptedTraffic(
        {("photo-ecs", NOON - 120): TargetGroupMinute(requests=5, responses_2xx=5, latencies=(0.1,) * 5)}
    )
    bench = open_world(quiet)
    errors = series("target_5xx")
    assert points_of(bench.pull(Window(NOON - 180, NOON - 60)), errors) == {}
    bench.server.sparse = False
    assert points_of(bench.pull(Window(NOON - 180, NOON - 60)), errors) == {NOON - 120: 0}


def test_the_newest_minutes_grow(open_world: Callable[[TrafficModel], Harness]) -> None:
    minute = TargetGroupMinute(requests=90, responses_2xx=90, latencies=(0.1,) * 90)
    bench = open_world(ScriptedTraffic({("photo-ecs", NOON - 60): minute}))
    bench.server.revision_minutes = 2
    seen = []
    for bench.clock[0] in (NOON, NOON + 60, NOON + 120, NOON + 180):
        seen.append(points_of(bench.pull(Window(NOON - 60, NOON)), REQUESTS))
    assert seen == [{NOON - 60: 30}, {NOON - 60: 60}, {NOON - 60: 90}, {NOON - 60: 90}]


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
def test_the_finest_period_that_is_still_kept(keys: None, age_s: int, period_s: int) -> None:
    assert CloudWatch(PHOTO).finest_period_s(NOON - age_s, now=NOON) == period_s


def test_a_long_window_is_read_in_every_period_that_is_kept(open_world: Callable[[TrafficModel], Harness]) -> None:
    bench = open_world(SteadyTraffic(lambda ts: {"photo-ec2": 1, "photo-ecs": 0.5}, requests_per_minute=4))
    window = Window(NOON - 64 * DAY_S + 60, NOON - 14 * DAY_S)
    pull = bench.pull(window, (REQUESTS,))
    assert pull.problems == ()
    assert [answer.period_s for answer in pull.answered_ranges] == [60, 300, 3_600]
    fine, middle, coarse = (answer.window for answer in pull.answered_ranges)
    assert (coarse.end, middle.end, fine.end) == (middle.start, fine.start, window.end)
    assert coarse.start == window.start - 60  # the whole hour, not a part of it
    rows = pull.frame.groupby("period_s").size()
    assert rows[3_600] == (coarse.end - coarse.start) / 3_600
    assert rows[300] == (middle.end - middle.start) / 300
    assert rows[60] > 0.8 * (fine.end - fine.start) / 60  # at two requests a minute some minutes have none
    assert pull.frame.loc[pull.frame["period_s"] == 3_600, "value"].mean() == pytest.approx(120, rel=0.1)
    assert {query.period_s for query in pull.queries} == {3_600}
    assert pull.frame["ts"].is_monotonic_increasing  # though the newest were asked for first
    assert pull.datapoints_requested == bench.server.datapoints_requested


def test_hourly_percentiles_are_of_all_answers_of_the_hour_and_of_whole_hours_alone(bench: Harness) -> None:
    p95 = next(one for one in HOURLY if one.stat == "p95_hourly" and one.target_group == "photo-ecs")
    minute = series("latency", "p95")
    pull = bench.pull(Window(NOON - 2 * 3_600 - 60, NOON + 60), (p95, minute))
    (answer,) = (answer for answer in pull.answered_ranges if p95 in answer.series)
    assert answer == AnsweredRange(frozenset({p95}), Window(NOON - 2 * 3_600, NOON), 3_600)
    frame = pull.frame[pull.frame["stat"] == "p95_hourly"]
    assert [(int(ts.timestamp()), period_s) for ts, period_s in zip(frame["ts"], frame["period_s"], strict=True)] == [
        (NOON - 3_600, 3_600)
    ]
    # Eight answers in each of eight minutes: the 95th of a hundred lies at 0.95 · 63 = 59.85, among those of two seconds.
    assert list(frame["value"]) == [2.0]
    assert list(points_of(pull, minute).values()) == [pytest.approx(1.44)] * 8
    assert {query.series.stat: (query.period_s, query.text.split()[2:4]) for query in pull.queries} == {
        "p95_hourly": (3_600, ["p95", "3600"]),
        "p95": (60, ["p95", "60"]),
    }
    assert bench.pull(WINDOW, HOURLY).answered_ranges == ()


def test_asked_too_finely_the_world_is_as_silent_as_cloudwatch(open_world: Callable[[TrafficModel], Harness]) -> None:
    bench = open_world(SteadyTraffic(lambda ts: {"photo-ecs": 1}))
    old = Window(NOON - 20 * DAY_S, NOON - 20 * DAY_S + 3_600)
    assert len(bench.pull(old, (REQUESTS,)).frame) == 12
    unaware = CloudWatch(PHOTO, clock=lambda: old.ends_at, client=bench.source()._client)
    pull = unaware.pull(old, (REQUESTS,))
    assert (len(pull.frame), pull.problems, answered_series(pull)) == (0, (), {REQUESTS})


def test_nothing_is_asked_of_a_time_that_nobody_keeps(bench: Harness) -> None:
    pull = bench.pull(Window(NOON - 500 * DAY_S, NOON - 499 * DAY_S))
    assert (bench.server.calls, pull.datapoints_requested, pull.answered_ranges, pull.queries, pull.problems) == (
        0,
        0,
        (),
        (),
        (),
    )


windows = st.builds(
    lambda start, minutes: Window(NOON - start * 60, NOON - start * 60 + minutes * 60),
    st.integers(0, 480 * 1_440),
    st.integers(1, 90 * 1_440),
)


@given(windows, st.integers(NOON, NOON + 7 * DAY_S))
def test_the_parts_of_a_window_meet_without_overlap(window: Window, now: int) -> None:
    cut = tuple(split_by_retention(window, now))
    for (newer, fine_s), (older, coarse_s) in pairwise(cut):
        assert older.end == newer.start
        assert fine_s < coarse_s
    for part, period_s in cut:
        assert part.start % period_s == part.end % period_s == 0
        assert part.start >= dict(retention_starts(now))[period_s]
    first_kept = retention_starts(now)[-1][1]
    if window.end <= first_kept:
        assert cut == ()
    else:
        assert cut[-1][0].start <= max(window.start, first_kept)
        assert cut[0][0].end >= window.end


@given(windows, st.integers(1, 1_300))
def test_no_call_asks_for_too_much_and_together_they_ask_for_all(window: Window, how_many: int) -> None:
    many = tuple(Series("cloudwatch", "canary", f"group-{n}", "requests", "sum", "count") for n in range(how_many))
    calls = tuple(plan_requests(many, window, NOON + 7 * DAY_S))
    assert all(len(call.series) <= 500 and call.datapoints <= 100_800 for call in calls)
    cut = tuple(split_by_retention(window, NOON + 7 * DAY_S))
    assert sum(call.datapoints for call in calls) == sum(
        how_many * (part.end - part.start) // period_s for part, period_s in cut
    )


# Pages


def test_pages_are_put_together(bench: Harness) -> None:
    whole = bench.pull()
    bench.server.page_datapoints = 7
    paged = bench.pull()
    assert bench.server.calls > 40
    assert paged.problems == ()
    assert paged.answered_ranges == whole.answered_ranges
    assert paged.frame.equals(whole.frame)
    assert bench.server.metrics_requested == 2 * len(SERIES)


def test_partial_data_without_a_way_on(bench: Harness) -> None:
    bench.server.partial_without_token = {"photo-ecs RequestCount"}
    pull = bench.pull(series=BOTH_REQUESTS)
    assert pull.problems == (
        Problem("partial_data", "cloudwatch", "cloudwatch:GetMetricData", "photo-ecs: RequestCount Sum"),
    )
    assert answered_series(pull) == {BOTH_REQUESTS[0]}
    assert len(points_of(pull, REQUESTS)) == 4  # what came is kept


@pytest.mark.parametrize("how", ["partial_without_end", "partial_with_new_tokens"])
def test_partial_data_without_end(bench: Harness, how: str) -> None:
    setattr(bench.server, how, {"photo-ecs RequestCount"})
    pull = bench.pull(series=BOTH_REQUESTS)
    assert problem_kinds(pull) == ["partial_data"]
    assert answered_series(pull) == {BOTH_REQUESTS[0]}
    assert bench.server.calls <= 5


def test_a_refused_token_is_a_bad_reply(bench: Harness) -> None:
    bench.server.page_datapoints, bench.server.invalid_token = 7, True
    pull = bench.pull(series=BOTH_REQUESTS)
    assert problem_kinds(pull) == ["bad_reply"]
    assert pull.problems[0].detail == "InvalidNextToken: The next token specified is invalid."
    assert (len(pull.frame), answered_series(pull)) == (7, set())


def test_a_call_that_fails_between_pages_keeps_its_rows_and_is_asked_again(bench: Harness) -> None:
    bench.server.page_datapoints, bench.server.fail_from_call = 7, 2
    pull = bench.pull(series=BOTH_REQUESTS)
    assert problem_kinds(pull) == ["server_error"]
    assert (len(pull.frame), answered_series(pull)) == (7, set())


# What CloudWatch says of a series


def test_an_internal_error_is_asked_for_once_more(bench: Harness) -> None:
    bench.server.internal_errors = {"photo-ecs RequestCount": 1}
    pull = bench.pull(series=BOTH_REQUESTS)
    assert (pull.problems, answered_series(pull)) == ((), set(BOTH_REQUESTS))
    again = bench.server.requests[1]["MetricDataQueries"]
    assert [query["Id"] for query in again] == ["q1"]


def test_an_internal_error_that_stays_leaves_the_others_alone(bench: Harness) -> None:
    bench.server.internal_errors = {"photo-ecs RequestCount": 99}
    pull = bench.pull(series=BOTH_REQUESTS)
    assert problem_kinds(pull) == ["internal_error"]
    assert answered_series(pull) == {BOTH_REQUESTS[0]}
    assert bench.server.calls == 2


def test_a_forbidden_group_leaves_the_others_alone(bench: Harness) -> None:
    bench.server.forbidden = {"photo-ecs"}
    bench.server.result_messages = {"photo-ecs": [("Forbidden", "No permission in this account")]}
    pull = bench.pull()
    assert pull.problems == (
        Problem(
            "forbidden_metric",
            "cloudwatch",
            "cloudwatch:GetMetricData",
            "photo-ecs: RequestCount Sum, HTTPCode_Target_2XX_Count Sum, HTTPCode_Target_3XX_Count Sum, +15",
            "Forbidden: No permission in this account",
        ),
    )
    assert answered_series(pull) == {one for one in SERIES if one.target_group != "photo-ecs"}


def test_what_cloudwatch_remarks_is_told_once(bench: Harness) -> None:
    bench.server.messages = [("MaxMetricsExceeded", "Maximum number of allowed metrics exceeded")]
    bench.server.result_messages = {"photo-ecs RequestCount": [("ArithmeticError", "division by zero")]}
    bench.server.page_datapoints = 7
    pull = bench.pull()
    assert [(problem.kind, problem.about, problem.detail) for problem in pull.problems] == [
        ("message", "", "MaxMetricsExceeded: Maximum number of allowed metrics exceeded"),
        ("message", "photo-ecs: RequestCount Sum", "ArithmeticError: division by zero"),
    ]
    assert answered_series(pull) == set(SERIES)


@pytest.mark.parametrize("sent", ["NaN", float("nan"), float("inf"), None])
def test_a_value_that_is_no_number_is_dropped_and_reported(bench: Harness, sent: object) -> None:
    bench.server.value_overrides = {"photo-ecs RequestCount": sent}
    pull = bench.pull(series=BOTH_REQUESTS)
    assert [(problem.kind, problem.about) for problem in pull.problems] == [
        ("bad_reply", "photo-ecs: RequestCount Sum")
    ]
    assert (len(points_of(pull, BOTH_REQUESTS[0])), points_of(pull, REQUESTS)) == (8, {})


@pytest.mark.parametrize("shift_s", [480, -480, 30])
def test_a_point_that_was_not_asked_for_is_dropped_and_reported(bench: Harness, shift_s: int) -> None:
    bench.server.timestamp_shift_s = {"photo-ecs RequestCount": shift_s}
    pull = bench.pull(series=BOTH_REQUESTS)
    assert problem_kinds(pull) == ["bad_reply"]
    assert (len(points_of(pull, BOTH_REQUESTS[0])), points_of(pull, REQUESTS)) == (8, {})


# What can go wrong with a call


@pytest.mark.parametrize(
    ("fault", "kind", "detail"),
    [
        ({"throttle_next": 1}, "throttled", "Throttling: Rate exceeded"),
        ({"fail_next": 1}, "server_error", "InternalServiceFault: An error occurred on the server side"),
        ({"expired": True}, "expired_token", "ExpiredToken: The security token included in the request is expired"),
        ({"access_keys": set()}, "wrong_key", "InvalidClientTokenId: The security token included in the request is invalid."),
        ({"region": "eu-west-1"}, "wrong_region", "SignatureDoesNotMatch: Credential should be scoped to a valid region, not 'ap-northeast-1'."),
        (
            {"denied": True},
            "denied",
            "AccessDenied: User: arn:aws:iam::123456789012:user/viewer is not authorized to perform: cloudwatch:GetMetricData",
        ),
        ({"garbage": b"<html>Please sign in</html>"}, "bad_reply", "no MetricDataResults"),
        ({"garbage": "<p>ログイン</p>".encode("shift_jis")}, "bad_reply", None),
        ({"garbage": b"[1]"}, "bad_reply", None),
    ],
)  # fmt: skip
def test_a_refused_call_is_a_problem(bench: Harness, fault: dict[str, Any], kind: str, detail: str | None) -> None:
    for name, value in fault.items():
        setattr(bench.server, name, value)
    pull = bench.pull(series=BOTH_REQUESTS)
    assert (problem_kinds(pull), pull.answered_ranges, len(pull.frame)) == ([kind], (), 0)
    assert detail is None or pull.problems[0].detail == detail
    assert pull.problems[0].operation == "cloudwatch:GetMetricData"


def test_a_hang_is_a_timeout(bench: Harness) -> None:
    bench.server.hang = threading.Event()
    pull = bench.source(read_timeout_s=0.2).pull(WINDOW)
    assert problem_kinds(pull) == ["timeout"]


def test_nobody_there_is_unreachable(bench: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", "http://127.0.0.1:1")
    assert problem_kinds(bench.pull()) == ["unreachable"]


def test_one_failing_call_does_not_take_the_others_along(open_world: Callable[[TrafficModel], Harness]) -> None:
    bench = open_world(SteadyTraffic(lambda ts: {"photo-ecs": 1}))
    bench.server.throttle_next = 1
    pull = bench.pull(Window(NOON - 16 * DAY_S, NOON - 14 * DAY_S), (REQUESTS,))
    assert problem_kinds(pull) == ["throttled"]
    assert [answer.period_s for answer in pull.answered_ranges] == [300]


def test_a_source_that_is_down_is_not_asked_for_ever(bench: Harness) -> None:
    bench.server.fail_next = 99
    month = Window(NOON - 30 * DAY_S, NOON)
    pull = bench.pull(month, SERIES)
    assert bench.server.calls == 2
    assert (problem_kinds(pull), pull.problems[-1].about) == (["server_error", "incomplete"], "2 / 11")
    bench.server.fail_next, bench.server.token_expired = 0, True
    assert [problem.about for problem in bench.pull(month, SERIES).problems] == ["ap-northeast-1", "1 / 11"]
    assert bench.server.calls == 3


@pytest.mark.parametrize(("skew_s", "about"), [(-90, "+90 s"), (90, "-90 s")])
def test_a_clock_that_is_off_is_said_and_the_numbers_stay(bench: Harness, skew_s: int, about: str) -> None:
    bench.server.clock_skew_s = skew_s
    pull = bench.pull()
    assert problem_kinds(pull) == ["clock_skew"]
    assert re.fullmatch(re.escape(about[:-4]) + r"(89|90|91) s", pull.problems[0].about)
    assert answered_series(pull) == set(SERIES)


def test_a_missing_profile_and_a_nonsense_endpoint(keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", "nonsense")
    assert problem_kinds(CloudWatch(PHOTO).pull(WINDOW)) == ["bad_request"]
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    pull = CloudWatch(PHOTO).pull(WINDOW)
    assert (problem_kinds(pull), pull.problems[0].detail) == (
        ["no_credentials"],
        "The config profile (nobody) could not be found",
    )


def test_new_credentials_are_found_after_old_ones_were_refused(bench: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.server.access_keys = {"AKIAI44QH8DHBEXAMPLE"}
    source = CloudWatch(PHOTO, clock=bench.now)
    assert problem_kinds(source.pull(WINDOW)) == ["wrong_key"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAI44QH8DHBEXAMPLE")
    assert problem_kinds(source.pull(WINDOW)) == []


def test_many_threads_share_one_client(bench: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    real = aws.create_client

    def make(service: str, where: Aws) -> Any:
        made.append(service)
        return real(service, where)

    monkeypatch.setattr(aws, "client", make)
    source = CloudWatch(PHOTO, clock=bench.now)
    with ThreadPoolExecutor(8) as threads:
        pulls = list(threads.map(source.pull, [WINDOW] * 8))
    assert made == ["cloudwatch"]
    assert all(pull.problems == () and pull.frame.equals(pulls[0].frame) for pull in pulls)


def test_check_tells_the_permission(bench: Harness) -> None:
    (health,) = bench.source().check()
    assert (health.source, health.permission, health.state, health.problem) == (
        "cloudwatch",
        "cloudwatch:GetMetricData",
        "up",
        None,
    )
    assert bench.server.metrics_requested == 1
    bench.server.denied = True
    (health,) = bench.source().check()
    assert health.state == "denied"
    assert health.problem is not None
    assert health.problem.kind == "denied"


def test_check_is_down_where_the_clock_gets_it_refused(bench: Harness) -> None:
    bench.server.signature_expired = True
    (health,) = bench.source().check()
    assert (health.state, health.problem and health.problem.kind) == ("down", "clock_skew")


# The world itself


def error_code_of(bench: Harness, **changes: Any) -> str:
    """The code with which the world refuses one plain query so changed."""
    stat = {"Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount"}, "Period": 60, "Stat": "Sum"}
    query = {"Id": "a", "MetricStat": stat | {name: value for name, value in changes.items() if name in stat}}
    queries = changes.get(
        "MetricDataQueries", [query | {name: value for name, value in changes.items() if name in query}]
    )
    with pytest.raises(ClientError) as caught:
        bench.source()._talker().get_metric_data(
            MetricDataQueries=queries, StartTime=WINDOW.starts_at, EndTime=changes.get("EndTime", WINDOW.ends_at)
        )
    return str(caught.value.response["Error"]["Code"])


def test_the_world_refuses_what_cloudwatch_refuses(bench: Harness) -> None:
    stat = {"Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount"}, "Period": 60, "Stat": "Sum"}
    assert error_code_of(bench, Period=90) == "ValidationError"
    assert error_code_of(bench, Stat="p950") == "ValidationError"
    assert error_code_of(bench, Id="Upper") == "ValidationError"
    assert error_code_of(bench, EndTime=WINDOW.starts_at) == "ValidationError"
    assert error_code_of(bench, MetricDataQueries=[{"Id": "a", "MetricStat": stat}] * 2) == "ValidationError"
    many = [{"Id": f"q{n}", "MetricStat": stat} for n in range(501)]
    assert error_code_of(bench, MetricDataQueries=many) == "ValidationError"
    assert bench.server.metrics_requested == 0


def test_the_world_is_descending_unless_asked(bench: Harness) -> None:
    metric = {
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "RequestCount",
        "Dimensions": [{"Name": "LoadBalancer", "Value": LOAD_BALANCER}],
    }
    reply = (
        bench.source()
        ._talker()
        .get_metric_data(
            MetricDataQueries=[{"Id": "a", "MetricStat": {"Metric": metric, "Period": 240, "Stat": "Sum"}}],
            StartTime=datetime.fromtimestamp(NOON - 480, UTC),
            EndTime=datetime.fromtimestamp(NOON, UTC),
        )
    )
    (result,) = reply["MetricDataResults"]
    # Both groups, two minutes of the second period and all four of the first.
    assert [
        (int(ts.timestamp()) - NOON, value) for ts, value in zip(result["Timestamps"], result["Values"], strict=True)
    ] == [
        (-240, 36),
        (-480, 72),
    ]


def test_a_dead_fleet_shows_no_errors_of_its_own(open_world: Callable[[TrafficModel], Harness]) -> None:
    story = SteadyTraffic(
        lambda ts: {"photo-ec2": 0.9, "photo-ecs": 0.1}, unresponsive=lambda ts: {"photo-ecs"}, seed=7
    )
    bench = open_world(story)
    at = NOON - 120
    pull = bench.pull(Window(at, at + 60))
    requests = points_of(pull, REQUESTS)[at]
    assert 30 < requests < 100
    assert points_of(pull, series("target_5xx")) == points_of(pull, series("latency", "p95")) == {}
    assert points_of(pull, series("alb_5xx"))[at] == requests
    assert points_of(pull, series("alb_502"))[at] == points_of(pull, series("connection_errors"))[at]
    assert points_of(pull, series("fail_open_requests"))[at] == requests
    assert points_of(pull, series("target_5xx", group="photo-ec2")) == {}


def test_a_story_is_the_same_every_time_it_is_told() -> None:
    def told(seed: int) -> list[int]:
        story = SteadyTraffic(lambda ts: {"photo-ecs": 1.0}, seed=seed, error_rates={"photo-ecs": 0.1})
        minutes = [story.minute("photo-ecs", ts) for ts in range(NOON, NOON + 600, 60)]
        return [minute.responses_5xx for minute in minutes if minute]

    assert told(1) == told(1) != told(2)


# Links


def unescape_url(link: str) -> str:
    return re.sub(r"\*([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), link.replace("**2192", "→"))


def test_one_link_shows_both_fleets_in_one_graph() -> None:
    both = (series("latency", "p95", "photo-ec2"), series("latency", "p95"))
    link = console_url(PHOTO, both, WINDOW, 60)
    assert re.fullmatch(r"https://[A-Za-z0-9~'()*!?=:#/._-]+", link)  # nothing that an address cannot hold
    assert unescape_url(link) == (
        "https://console.aws.amazon.com/cloudwatch/home?region=ap-northeast-1#metricsV2:graph=~(metrics~("
        "~(~'AWS/ApplicationELB~'TargetResponseTime~'LoadBalancer~'app/photo/50dc6c495c0c9188"
        "~'TargetGroup~'targetgroup/photo-ec2/73e2d6bc24d8a067~(stat~'p95~label~'EC2 photo-ec2 TargetResponseTime p95))"
        "~(~'AWS/ApplicationELB~'TargetResponseTime~'LoadBalancer~'app/photo/50dc6c495c0c9188"
        "~'TargetGroup~'targetgroup/photo-ecs/943f017f100becff~(stat~'p95~label~'ECS photo-ecs TargetResponseTime p95)))"
        "~view~'timeSeries~stacked~false~region~'ap-northeast-1~period~60"
        "~start~'2026-01-02T11:50:00.000Z~end~'2026-01-02T11:58:00.000Z)"
    )


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_each_partition_has_its_console(partition: str, region: str, host: str) -> None:
    there = migration_in_partition(partition, region)
    assert console_url(there, all_series(there)[:1], WINDOW, 60).startswith(
        f"https://{host}/cloudwatch/home?region={region}#"
    )


def test_a_label_in_any_script_fits_in_a_link() -> None:
    named = PHOTO.model_copy(
        update={
            "fleets": Fleets(
                baseline=Fleet(label="旧 $1 😀", target_groups=PHOTO.fleets.baseline.target_groups),
                canary=PHOTO.fleets.canary,
            )
        }
    )
    assert "label~'**65e7*20!1*20**d83d**de00*20photo-ec2" in console_url(named, all_series(named)[:1], WINDOW, 60)


def test_each_query_can_be_read_and_opened(bench: Harness) -> None:
    (query,) = bench.pull(series=(series("latency", "within_0.3s"),)).queries
    assert (
        query.text
        == f"AWS/ApplicationELB TargetResponseTime PR(:0.3) 60 s LoadBalancer={LOAD_BALANCER}, TargetGroup={ECS}"
    )
    assert "~(stat~'PR*28*3a0.3*29~" in query.link


# The documentation


KINDS = (
    *("partial_data", "internal_error", "forbidden_metric", "message", "bad_reply", "bad_request", "server_error"),
    *("no_credentials", "expired_token", "wrong_key", "wrong_region", "denied", "throttled", "timeout", "unreachable"),
    *("clock_skew", "incomplete"),
)


def test_the_documentation_names_every_metric_statistic_and_problem() -> None:
    page = (Path(__file__).parent.parents[2] / "docs" / "cloudwatch.md").read_text(encoding="utf-8")
    for one in (*SERIES, *HOURLY):
        metric, stat = metric_stat(one)
        assert f"`{metric}`" in page
        assert f"`{stat}`" in page or stat.startswith("PR")
        assert f"`{one.metric}`" in page
        assert f"`{one.stat}`" in page or one.stat.startswith("within")
    for kind in KINDS:
        assert f"`{kind}`" in page


def test_the_documentation_has_the_right_price() -> None:
    page = (Path(__file__).parent.parents[2] / "docs" / "cloudwatch.md").read_text(encoding="utf-8")
    a_month = len(SERIES) * 60 * 24 * 30
    assert f"= {len(SERIES)} metrics." in page
    assert f"{a_month:,} metrics: ${a_month * 0.01 / 1000:.2f} a month" in page
    assert f"Every 5 minutes: ${a_month / 5 * 0.01 / 1000:.2f}." in page


def test_the_table_holds_every_series_and_nothing_else() -> None:
    known = {(one.metric, one.stat) for one in (*SERIES, *HOURLY) if one.unit != "fraction"}
    assert known == set(METRIC_STATS)
