"""CloudWatch: the latency of a window as one period, over HTTP against the fake."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from domain import Window
from domain.latency import LatencySummary
from sources.aws.client import create_client
from sources.aws.cloudwatch import CloudWatch
from tests.factories.aws import aws_migration
from tests.factories.config import ELB_ARN_PREFIX
from tests.fakes.cloudwatch import FakeCloudWatch
from tests.fakes.traffic_model import ScriptedTraffic, TargetGroupMinute

NOON = 1_767_355_200  # 2026-01-02 12:00 UTC
CANARY_GROUPS = ("photo-blue/943f017f100becff", "photo-green/0a1b2c3d4e5f6071")
PHOTO = aws_migration(canary={"target_groups": [f"{ELB_ARN_PREFIX}:targetgroup/{group}" for group in CANARY_GROUPS]})


def minute(*latencies: float) -> TargetGroupMinute:
    return TargetGroupMinute(len(latencies) + 1, responses_2xx=len(latencies), latencies=tuple(sorted(latencies)))


# EC2: minutes with many fast responses, then one with few slow ones. After five minutes green replaces blue.
FAST, SLOW = [0.1] * 95, [2.0, 3.0, 4.0, 5.0, 6.0]
WINDOW = Window(NOON - 1200, NOON - 600)
TRAFFIC = ScriptedTraffic(
    {("photo-ec2", ts): minute(*FAST) for ts in range(WINDOW.start, WINDOW.end - 60, 60)}
    | {("photo-ec2", WINDOW.end - 60): minute(*SLOW)}
    | {("photo-blue", ts): minute(0.2, 0.4) for ts in range(WINDOW.start, WINDOW.start + 300, 60)}
    | {("photo-green", ts): minute(0.3) for ts in range(WINDOW.start + 300, WINDOW.end, 60)}
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloudWatch]:
    with FakeCloudWatch(TRAFFIC, clock=lambda: datetime.fromtimestamp(NOON, UTC)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", server.url)
        yield server


@pytest.fixture
def source(server: FakeCloudWatch) -> CloudWatch:
    assert PHOTO.aws
    client = create_client("cloudwatch", PHOTO.aws, max_attempts=1)
    return CloudWatch(PHOTO, clock=lambda: datetime.fromtimestamp(NOON, UTC), client=client)


def latency_of(groups: tuple[LatencySummary, ...], name: str) -> LatencySummary:
    (summary,) = (summary for summary in groups if summary.target_group == name)
    return summary


def test_percentile_is_of_all_responses_not_a_mean_of_minutes(source: CloudWatch) -> None:
    result = source.window_latency(WINDOW)
    assert (result.covered, result.complete, result.problems, result.asked_at) == (WINDOW, True, (), NOON)
    ec2 = latency_of(result.groups, "photo-ec2")
    latencies = [*FAST * 9, *SLOW]
    assert ec2.percentiles == {f"p{p}": pytest.approx(np.percentile(latencies, p)) for p in (50, 90, 95, 99)}
    assert ec2.percentiles["p95"] == pytest.approx(0.1)
    minutes = [np.percentile(FAST, 95)] * 9 + [np.percentile(SLOW, 95)]
    assert np.mean(minutes) == pytest.approx(0.67), "a mean of minutes would be wrong"
    assert (ec2.requests, ec2.answers, ec2.average_s) == (870, 860, pytest.approx(np.mean(latencies)))
    assert ec2.within[0.1] == pytest.approx(855 / 860)
    assert ec2.within[5.0] == pytest.approx(859 / 860)


def test_target_groups_of_one_fleet_are_separate(source: CloudWatch) -> None:
    groups = source.window_latency(WINDOW).groups
    assert [(summary.fleet, summary.target_group, summary.answers) for summary in groups] == [
        ("baseline", "photo-ec2", 860),
        ("canary", "photo-blue", 10),
        ("canary", "photo-green", 5),
    ]
    assert latency_of(groups, "photo-green").percentiles["p99"] == pytest.approx(0.3)


def test_one_request_with_one_period_and_one_datapoint_per_series(source: CloudWatch, server: FakeCloudWatch) -> None:
    source.window_latency(WINDOW)
    (request,) = server.requests
    assert {query["MetricStat"]["Period"] for query in request["MetricDataQueries"]} == {600}
    assert (request["StartTime"], request["EndTime"]) == (WINDOW.start, WINDOW.end)
    assert server.metrics_requested == server.datapoints_requested == 3 * 18


def test_longest_part_that_fits_one_period(source: CloudWatch) -> None:
    result = source.window_latency(Window(WINDOW.start + 60, WINDOW.end))
    assert result.window == Window(WINDOW.start + 60, WINDOW.end)
    assert result.covered == Window(WINDOW.start + 120, WINDOW.end - 60), (
        "seven minutes, at a multiple of seven minutes"
    )
    assert result.covered.start % 420 == 0
    assert latency_of(result.groups, "photo-ec2").answers == 7 * 95


def test_denied_is_a_problem_without_data(source: CloudWatch, server: FakeCloudWatch) -> None:
    server.denied = True
    result = source.window_latency(WINDOW)
    assert (result.groups, result.complete) == ((), False)
    assert [problem.kind for problem in result.problems] == ["denied"]


def test_forbidden_metric_is_missing_alone(source: CloudWatch, server: FakeCloudWatch) -> None:
    server.forbidden = {"TargetResponseTime p99"}
    result = source.window_latency(WINDOW)
    assert not result.complete
    assert list(latency_of(result.groups, "photo-ec2").percentiles) == ["p50", "p90", "p95"]
    assert {problem.kind for problem in result.problems} == {"forbidden_metric"}


def test_point_outside_the_window_is_ignored(source: CloudWatch, server: FakeCloudWatch) -> None:
    server.timestamp_shift_s = {"TargetResponseTime": -60}
    result = source.window_latency(WINDOW)
    assert latency_of(result.groups, "photo-ec2").percentiles == {}
    assert {problem.kind for problem in result.problems} == {"bad_reply"}


@pytest.mark.parametrize(
    ("days", "length_s", "step_s"), [(1, 86_400, 60), (20, 86_400, 300), (70, 86_400, 3600), (1, 3660, 60)]
)
def test_old_windows_use_retained_periods(
    source: CloudWatch, server: FakeCloudWatch, days: int, length_s: int, step_s: int
) -> None:
    start = NOON - days * 86_400
    result = source.window_latency(Window(start, start + length_s))
    assert result.covered
    period_s = server.requests[0]["MetricDataQueries"][0]["MetricStat"]["Period"]
    assert period_s == result.covered.end - result.covered.start
    assert period_s % step_s == 0


def test_no_request_without_a_retained_period(source: CloudWatch, server: FakeCloudWatch) -> None:
    old, short = NOON - 500 * 86_400, NOON - 70 * 86_400
    assert source.window_latency(Window(old, old + 3600)).covered is None
    assert source.window_latency(Window(short, short + 1800)).covered is None
    assert server.requests == []
