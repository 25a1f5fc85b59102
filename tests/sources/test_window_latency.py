"""A window as one period: the percentiles of all its answers together, from a loopback CloudWatch and from the demo."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import Aws, Migration, Window
from domain.config.models import Fleet, Fleets
from domain.latency import LatencySummary
from sources.aws import client as aws
from sources.aws.cloudwatch import CloudWatch
from sources.demo.scenario import EC2, GREEN, scenario_for
from sources.demo.sources import DemoMetrics, demo_migration
from sources.window_latency import WindowLatencySource, longest_aligned_period
from tests.fakes.cloudwatch import LOAD_BALANCER, FakeCloudWatch
from tests.fakes.traffic_model import ScriptedTraffic, TargetGroupMinute

NOON = 1_767_355_200  # 2026-01-02 12:00 UTC
ELB = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012"
PHOTO = Migration(
    name="Photo service",
    aws=Aws(region="ap-northeast-1", load_balancer=f"{ELB}:loadbalancer/{LOAD_BALANCER}"),
    fleets=Fleets(
        baseline=Fleet(label="EC2", target_groups=(f"{ELB}:targetgroup/photo-ec2/73e2d6bc24d8a067",)),
        canary=Fleet(
            label="ECS",
            target_groups=(
                f"{ELB}:targetgroup/photo-blue/943f017f100becff",
                f"{ELB}:targetgroup/photo-green/0a1b2c3d4e5f6071",
            ),
        ),
    ),
)


def minute(*latencies: float) -> TargetGroupMinute:
    return TargetGroupMinute(len(latencies) + 1, responses_2xx=len(latencies), latencies=tuple(sorted(latencies)))


# EC2: many quick answers, then a minute of few and slow ones. Blue hands over to green after five minutes.
QUICK, SLOW = [0.1] * 95, [2.0, 3.0, 4.0, 5.0, 6.0]
WINDOW = Window(NOON - 1200, NOON - 600)
STORY = ScriptedTraffic(
    {("photo-ec2", ts): minute(*QUICK) for ts in range(WINDOW.start, WINDOW.end - 60, 60)}
    | {("photo-ec2", WINDOW.end - 60): minute(*SLOW)}
    | {("photo-blue", ts): minute(0.2, 0.4) for ts in range(WINDOW.start, WINDOW.start + 300, 60)}
    | {("photo-green", ts): minute(0.3) for ts in range(WINDOW.start + 300, WINDOW.end, 60)}
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeCloudWatch]:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with FakeCloudWatch(STORY, clock=lambda: datetime.fromtimestamp(NOON, UTC)) as world:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", world.url)
        yield world


@pytest.fixture
def source(world: FakeCloudWatch) -> CloudWatch:
    assert PHOTO.aws
    client = aws.create_client("cloudwatch", PHOTO.aws, max_attempts=1)
    return CloudWatch(PHOTO, clock=lambda: datetime.fromtimestamp(NOON, UTC), client=client)


def latency_of(groups: tuple[LatencySummary, ...], name: str) -> LatencySummary:
    (found,) = (one for one in groups if one.target_group == name)
    return found


def test_the_percentile_of_a_window_is_that_of_all_its_answers_and_no_mean_of_minutes(source: CloudWatch) -> None:
    whole = source.window_latency(WINDOW)
    assert (whole.covered, whole.complete, whole.problems, whole.asked_at) == (WINDOW, True, (), NOON)
    ec2 = latency_of(whole.groups, "photo-ec2")
    every = [*QUICK * 9, *SLOW]
    assert ec2.percentiles == {f"p{p}": pytest.approx(np.percentile(every, p)) for p in (50, 90, 95, 99)}
    assert ec2.percentiles["p95"] == pytest.approx(0.1)
    minutes = [np.percentile(QUICK, 95)] * 9 + [np.percentile(SLOW, 95)]
    assert np.mean(minutes) == pytest.approx(0.67), "which is what an average of minutes would have said"
    assert (ec2.requests, ec2.answers, ec2.average_s) == (870, 860, pytest.approx(np.mean(every)))
    assert ec2.within[0.1] == pytest.approx(855 / 860)
    assert ec2.within[5.0] == pytest.approx(859 / 860)


def test_target_groups_of_one_fleet_stay_apart(source: CloudWatch) -> None:
    groups = source.window_latency(WINDOW).groups
    assert [(one.fleet, one.target_group, one.answers) for one in groups] == [
        ("baseline", "photo-ec2", 860),
        ("canary", "photo-blue", 10),
        ("canary", "photo-green", 5),
    ]
    assert latency_of(groups, "photo-green").percentiles["p99"] == pytest.approx(0.3)


def test_it_is_one_call_with_one_period_and_one_datapoint_a_series(source: CloudWatch, world: FakeCloudWatch) -> None:
    source.window_latency(WINDOW)
    (asked,) = world.requests
    assert {query["MetricStat"]["Period"] for query in asked["MetricDataQueries"]} == {600}
    assert (asked["StartTime"], asked["EndTime"]) == (WINDOW.start, WINDOW.end)
    assert world.metrics_requested == world.datapoints_requested == 3 * 18


def test_a_window_that_no_period_fits_gives_its_longest_part_that_one_does(source: CloudWatch) -> None:
    whole = source.window_latency(Window(WINDOW.start + 60, WINDOW.end))
    assert whole.window == Window(WINDOW.start + 60, WINDOW.end)
    assert whole.covered == Window(WINDOW.start + 120, WINDOW.end - 60), "seven minutes, at a multiple of seven minutes"
    assert whole.covered.start % 420 == 0
    assert latency_of(whole.groups, "photo-ec2").answers == 7 * 95


def test_a_refusal_is_a_problem_and_nothing_else(source: CloudWatch, world: FakeCloudWatch) -> None:
    world.denied = True
    whole = source.window_latency(WINDOW)
    assert (whole.groups, whole.complete) == ((), False)
    assert [problem.kind for problem in whole.problems] == ["denied"]


def test_what_is_refused_alone_is_missing_alone(source: CloudWatch, world: FakeCloudWatch) -> None:
    world.forbidden = {"TargetResponseTime p99"}
    whole = source.window_latency(WINDOW)
    assert not whole.complete
    assert list(latency_of(whole.groups, "photo-ec2").percentiles) == ["p50", "p90", "p95"]
    assert {problem.kind for problem in whole.problems} == {"forbidden_metric"}


def test_a_point_from_elsewhere_is_not_taken_for_the_window(source: CloudWatch, world: FakeCloudWatch) -> None:
    world.timestamp_shift_s = {"TargetResponseTime": -60}
    whole = source.window_latency(WINDOW)
    assert latency_of(whole.groups, "photo-ec2").percentiles == {}
    assert {problem.kind for problem in whole.problems} == {"bad_reply"}


@pytest.mark.parametrize(
    ("days", "length_s", "step_s"), [(1, 86_400, 60), (20, 86_400, 300), (70, 86_400, 3600), (1, 3660, 60)]
)
def test_old_windows_are_asked_in_periods_that_are_still_kept(
    source: CloudWatch, world: FakeCloudWatch, days: int, length_s: int, step_s: int
) -> None:
    start = NOON - days * 86_400
    whole = source.window_latency(Window(start, start + length_s))
    assert whole.covered
    period_s = world.requests[0]["MetricDataQueries"][0]["MetricStat"]["Period"]
    assert period_s == whole.covered.end - whole.covered.start
    assert period_s % step_s == 0


def test_what_is_kept_no_more_in_one_piece_is_not_asked(source: CloudWatch, world: FakeCloudWatch) -> None:
    old, short = NOON - 500 * 86_400, NOON - 70 * 86_400
    assert source.window_latency(Window(old, old + 3600)).covered is None
    assert source.window_latency(Window(short, short + 1800)).covered is None
    assert world.requests == []


@given(st.integers(0, 50_000_000), st.integers(1, 3000), st.sampled_from([1, 5, 60]))
def test_a_period_is_the_same_cut_by_the_clock_or_from_its_start(first: int, minutes: int, step: int) -> None:
    window = Window(first * 60, (first + minutes) * 60)
    found = longest_aligned_period(window, step * 60)
    if found is None:
        assert minutes < 2 * step
        return
    length_s = found.end - found.start
    assert window.start <= found.start < found.end <= window.end
    assert found.start % length_s == 0
    assert length_s % (step * 60) == 0
    assert length_s <= 86_400


def test_of_a_phase_little_is_lost() -> None:
    lost = [
        370 - longest_aligned_period(Window(60 * at, 60 * (at + 370)), 60).minutes
        for at in range(29_000_000, 29_000_400)
    ]  # type: ignore[union-attr]
    assert np.mean(lost) < 30
    assert max(lost) < 100


def test_the_points_of_a_distribution_end_where_nothing_more_is_said() -> None:
    told = LatencySummary(
        "canary", "photo-ecs", 9, 8, 0.1, {"p50": 0.08, "p99": 0.9}, {0.01: 0, 0.02: 0, 0.1: 0.6, 1.0: 1, 2.0: 1}
    )
    assert told.points() == ((0.02, 0), (0.08, 0.5), (0.1, 0.6), (0.9, 0.99), (1.0, 1))


ANCHOR = datetime(2026, 11, 23, 20, tzinfo=UTC)
LAST_STEP = scenario_for(ANCHOR).steps[-1].ts


def demo_metrics() -> DemoMetrics:
    return DemoMetrics(demo_migration(ANCHOR), anchor=ANCHOR, clock=lambda: ANCHOR)


def test_the_demo_mixes_its_minutes() -> None:
    window = Window(LAST_STEP, LAST_STEP + 6 * 3600)
    whole = demo_metrics().window_latency(window)
    assert isinstance(demo_metrics(), WindowLatencySource)
    assert [(one.fleet, one.target_group) for one in whole.groups] == [("baseline", EC2), ("canary", GREEN)]
    assert whole.covered
    frame = demo_metrics().pull(whole.covered).frame
    mine = frame[frame["target_group"] == EC2].pivot_table(
        index="ts", columns=["metric", "stat"], values="value", observed=True
    )
    answers, told = mine["latency", "sample_count"], latency_of(whole.groups, EC2)
    assert told.answers == answers.sum()
    assert told.requests == mine["requests", "sum"].sum()
    for stat, share in (("within_0.1s", told.within[0.1]), ("average", told.average_s)):
        assert share == pytest.approx((mine["latency", stat] * answers).sum() / answers.sum(), abs=2e-6)


def test_a_minute_alone_is_the_same_in_the_demo_mixed_or_not() -> None:
    minute = Window(LAST_STEP + 3600, LAST_STEP + 3660)
    frame = demo_metrics().pull(minute).frame
    alone = latency_of(demo_metrics().window_latency(minute).groups, EC2)
    mine = frame[(frame["target_group"] == EC2) & (frame["metric"] == "latency")]
    said = dict(zip(mine["stat"].astype(str), mine["value"], strict=True))
    assert alone.percentiles == {name: pytest.approx(said[name], abs=2e-6) for name in ("p50", "p90", "p95", "p99")}


def test_the_demo_knows_nothing_of_before_its_story() -> None:
    begin = scenario_for(ANCHOR).start
    assert demo_metrics().window_latency(Window(begin - 7200, begin - 3600)).covered is None
