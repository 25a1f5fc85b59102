"""Timeline of a migration: buckets by fleet, and unanswered requests in hindsight."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from analysis.retrospective.timeline import concat_buckets, timeline, timeline_series, unanswered_by_bucket
from domain import Series, series_of_load_balancer, series_of_target_group
from tests.factories.timelines import NAN, START

BLUE, GREEN = "photo-ecs-blue", "photo-ecs-green"


@dataclass
class FakeBuckets:
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    periods: np.ndarray


@dataclass
class FakeWindow:
    ts: np.ndarray
    bucket_s: int
    series: dict[Series, FakeBuckets]


def buckets(
    rows: dict[tuple[str, str, str, str], list[float]], *, periods: int = 10, bucket_s: int = 600
) -> FakeWindow:
    """Buckets whose percentiles range 10 ms to each side of their median."""
    series = {}
    for (fleet, group, metric, stat), values in rows.items():
        value = np.array(values, dtype=float)
        merged = np.where(np.isnan(value), 0, periods)
        series[Series("test", fleet, group, metric, stat, "")] = FakeBuckets(value, value - 0.01, value + 0.01, merged)
    length = len(next(iter(rows.values())))
    return FakeWindow(START + np.arange(length) * bucket_s, bucket_s, series)


def test_target_groups_are_summed_and_the_busier_one_has_the_p95() -> None:
    result = timeline(
        buckets(
            {
                ("canary", BLUE, "requests", "sum"): [4000, 3000, NAN],
                ("canary", GREEN, "requests", "sum"): [NAN, 1000, 4000],
                ("canary", BLUE, "target_2xx", "sum"): [3990, 3000, NAN],
                ("canary", GREEN, "target_2xx", "sum"): [NAN, 990, 4000],
                ("canary", BLUE, "target_5xx", "sum"): [10, NAN, NAN],
                ("canary", GREEN, "target_5xx", "sum"): [NAN, 10, NAN],
                ("canary", BLUE, "latency", "p95"): [0.2, 0.21, NAN],
                ("canary", GREEN, "latency", "p95"): [NAN, 0.5, 0.3],
                ("canary", BLUE, "latency", "within_0.3s"): [0.96, 0.95, NAN],
                ("canary", GREEN, "latency", "within_0.3s"): [NAN, 0.5, 0.94],
            }
        ),
        0.3,
    )
    canary = result.fleets["canary"]
    assert_array_equal(canary.requests, [4000, 4000, 4000])
    assert_array_equal(canary.errors, [10, 10, 0])
    assert_allclose(canary.error_rate, [0.0025, 0.0025, 0])
    assert_allclose(canary.p95, [0.2, 0.21, 0.3])
    assert_allclose(canary.p95_min, [0.19, 0.2, 0.29])
    assert_allclose(canary.p95_max, [0.21, 0.22, 0.31])
    assert_allclose(canary.slow, [0.04, 0.05, 0.06])
    assert list(canary.periods) == [10, 10, 10]
    assert list(canary.is_sufficient) == [True, True, True]
    assert np.isnan(result.fleets["baseline"].requests).all()
    assert_array_equal(result.canary_share, [1, 1, 1])


def test_a_fleet_without_answers_has_only_errors() -> None:
    result = timeline(
        buckets(
            {
                ("canary", BLUE, "requests", "sum"): [1000, 1000, 1000],
                ("canary", BLUE, "target_2xx", "sum"): [1000, NAN, 1000],
                ("baseline", "photo-ec2", "requests", "sum"): [3000, 3000, 3000],
                ("baseline", "photo-ec2", "target_2xx", "sum"): [3000, 3000, 3000],
            }
        ),
        0.3,
    )
    assert_array_equal(result.fleets["canary"].errors, [0, 1000, 0])
    assert_array_equal(result.fleets["baseline"].errors, [0, 0, 0])
    assert_array_equal(result.canary_share, [0.25, 0.25, 0.25])


def test_without_answer_counts_only_5xx_are_errors() -> None:
    result = timeline(
        buckets(
            {
                ("canary", BLUE, "requests", "sum"): [1000, 1000],
                ("canary", BLUE, "target_5xx", "sum"): [NAN, 3],
            }
        ),
        0.3,
    )
    assert_array_equal(result.fleets["canary"].errors, [0, 3])


def test_a_bucket_without_requests_is_a_gap_and_few_answers_make_no_percentile() -> None:
    result = timeline(
        buckets(
            {
                ("canary", BLUE, "requests", "sum"): [1999, NAN, 2000],
                ("canary", BLUE, "latency", "p95"): [0.2, NAN, 0.2],
            }
        ),
        0.3,
    )
    canary = result.fleets["canary"]
    assert np.isnan(canary.error_rate[1]) and np.isnan(canary.errors[1])
    assert list(canary.is_sufficient) == [False, False, True]


@pytest.mark.parametrize(
    ("requests", "answers", "expected"),
    [
        ([100, 100, 100], [100, 100, 100], [0, 0, 0]),
        ([100, 100, 100], [100, 60, 100], [0, 40, 0]),  # counted in their own bucket, not a bucket later
        ([100, 100, 100], [95, 105, 100], [0, 0, 0]),  # in flight at a bucket's end
        ([100, 100, 100], [95, 65, 100], [5, 35, 0]),
        ([100, NAN, 100], [90, 0, 100], [10, 0, 0]),  # starts afresh after a gap
        ([100, 100], [110, 90], [0, 0]),  # answers to earlier requests
    ],
)
def test_unanswered_requests_stay_unanswered(
    requests: list[float], answers: list[float], expected: list[float]
) -> None:
    ts = START + np.arange(len(requests)) * 600
    assert_array_equal(
        unanswered_by_bucket(np.array(requests, dtype=float), np.array(answers, dtype=float), ts, 600), expected
    )


def test_a_missing_bucket_is_a_gap() -> None:
    ts = np.array([START, START + 1200])
    assert_array_equal(unanswered_by_bucket(np.array([100.0, 100.0]), np.array([90.0, 110.0]), ts, 600), [10, 0])


def test_each_day_starts_afresh() -> None:
    ts = START + 86_400 - 600 + np.arange(2) * 600
    assert_array_equal(unanswered_by_bucket(np.array([100.0, 100.0]), np.array([95.0, 105.0]), ts, 600), [5, 0])


def test_the_spacing_of_hourly_data_is_an_hour() -> None:
    hours = [100.0, *[NAN] * 5, 100.0, *[NAN] * 5]
    result = timeline(buckets({("canary", BLUE, "requests", "sum"): hours}), 0.3)
    assert (result.bucket_s, result.spacing_s) == (600, 3600)


def test_a_timeline_needs_few_series() -> None:
    available = (*series_of_target_group("test", "canary", BLUE, (0.1, 0.3, 1.0)), *series_of_load_balancer("test"))
    chosen = [(key.metric, key.stat) for key in timeline_series(available, 0.3)]
    assert chosen == [
        ("requests", "sum"),
        ("target_2xx", "sum"),
        ("target_3xx", "sum"),
        ("target_4xx", "sum"),
        ("target_5xx", "sum"),
        ("connection_errors", "sum"),
        ("latency", "p95"),
        ("latency", "sample_count"),
        ("latency", "within_0.3s"),
        ("latency", "p95_hourly"),
        ("alb_5xx", "sum"),
        ("alb_503", "sum"),
    ]


def canary_errors(lost: list[float], alb_5xx: list[float], known: list[bool] | None = None) -> list[float]:
    """The canary's errors in buckets of 1,000 requests a fleet, of which the canary does not respond to `lost`."""
    n = len(lost)
    rows = {
        ("canary", BLUE, "requests", "sum"): [1000.0] * n,
        ("canary", BLUE, "target_2xx", "sum"): [1000.0 - count for count in lost],
        ("baseline", "photo-ec2", "requests", "sum"): [1000.0] * n,
        ("baseline", "photo-ec2", "target_2xx", "sum"): [1000.0] * n,
        ("load_balancer", "", "alb_5xx", "sum"): alb_5xx,
    }
    result = timeline(buckets(rows), 0.3, alb_known=None if known is None else np.array(known))
    return [round(count) for count in result.fleets["canary"].errors]


def test_websockets_are_no_errors_where_the_balancer_made_no_5xx() -> None:
    assert canary_errors([100, 100, 100], [NAN, NAN, NAN], [True] * 3) == [0, 0, 0]
    assert canary_errors([100, 100, 100], [NAN, NAN, NAN]) == [100, 100, 100], "unless that is unknown"
    assert canary_errors([100] * 5, [NAN] * 5, [True, True, True, True, False]) == [0, 0, 0, 100, 100]


def test_lost_requests_are_errors_if_the_balancer_made_a_5xx_in_the_bucket_or_the_next() -> None:
    assert canary_errors([0, 0, 300, 0, 0], [NAN, NAN, 200, 100, NAN], [True] * 5) == [0, 0, 300, 0, 0]


def test_a_request_in_flight_at_the_end_of_a_phase_is_no_error_of_it() -> None:
    """Ten requests of the first window are answered in the next one, which only both together show."""

    def window(requests: list[float], answers: list[float]) -> FakeWindow:
        rows = {("canary", BLUE, "requests", "sum"): requests, ("canary", BLUE, "target_2xx", "sum"): answers}
        return buckets(rows)

    first, second = window([100, 100], [90, 100]), window([100], [110])
    second.ts = first.ts[-1:] + 600
    assert_array_equal(timeline(first, 0.3).fleets["canary"].errors, [10, 0])
    both = timeline(concat_buckets([first, second]), 0.3)
    assert_array_equal(both.part(slice(0, 2), 600).fleets["canary"].errors, [0, 0])
    assert_array_equal(both.part(slice(2, 3), 600).fleets["canary"].requests, [100])
