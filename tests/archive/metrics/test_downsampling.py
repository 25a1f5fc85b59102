"""The overview of a long window: what is merged into a bucket, and that nothing gets lost in it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.metrics.downsampling import choose_bucket_s
from domain import Window
from tests.factories.archives import open_archive, set_read_only
from tests.fakes.metric_source import (
    EC2,
    ECS,
    LATENCY,
    NOON,
    FakeMetricSource,
    minute_time,
    minute_window,
    values_by_minute,
)

pytestmark = pytest.mark.usefixtures("both_engines")


def test_counts_add_up_and_percentiles_give_their_median_and_range(tmp_path: Path):
    """
    minute     0  1  2  3  4 | 5  6  7  8  9 | 10 …
    requests   0  1  2  3  4 | 5  6     8  9 |
    """
    world = FakeMetricSource(
        configured_series=(ECS, LATENCY),
        value_at=lambda series, ts, _: None if ts == NOON + 420 or ts >= NOON + 600 else float((ts - NOON) // 60),
        now=minute_time(60),
    )
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(0, 20), world, now=world.now)
        seen = archive.metrics.overview(minute_window(0, 20), "cloudwatch", max_buckets=4)
    assert (seen.window, seen.bucket_s) == (minute_window(0, 20), 300)
    assert ((seen.ts - NOON) // 60).tolist() == [0, 5, 10, 15]
    requests, latency = seen.series[ECS], seen.series[LATENCY]
    nan = np.nan
    np.testing.assert_array_equal(requests.value, [10, 28, nan, nan])
    np.testing.assert_array_equal(latency.value, [2, 7, nan, nan])
    for line in (requests, latency):
        np.testing.assert_array_equal(line.low, [0, 5, nan, nan])
        np.testing.assert_array_equal(line.high, [4, 9, nan, nan])
        np.testing.assert_array_equal(line.periods, [5, 4, 0, 0])


def test_a_long_buckets_median_is_that_of_its_ten_minute_medians(tmp_path: Path):
    def numbers(_series, ts, _asked_at) -> float:
        minute = (ts - NOON) // 60  # the first ten minutes 1, then 5 five times and 6 five times, the last ten 100
        return 1.0 if minute < 10 else 100.0 if minute >= 20 else 5.0 + minute % 2

    world = FakeMetricSource(configured_series=(LATENCY,), value_at=numbers, now=minute_time(60))
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(0, 30), world, now=world.now)
        seen = archive.metrics.overview(minute_window(0, 30), "cloudwatch", max_buckets=1)
    assert (seen.bucket_s, seen.series[LATENCY].value.tolist()) == (1800, [5.5])
    assert (seen.series[LATENCY].low.tolist(), seen.series[LATENCY].high.tolist()) == ([1.0], [100.0])


def test_buckets_begin_at_whole_lengths_and_hold_only_what_began_in_the_window(tmp_path: Path):
    world = FakeMetricSource(value_at=lambda *_: 1.0, now=minute_time(180))
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(0, 180), world, now=world.now)
        seen = archive.metrics.overview(minute_window(7, 125), "cloudwatch", max_buckets=5)
    assert (seen.bucket_s, ((seen.ts - NOON) // 60).tolist()) == (1800, [0, 30, 60, 90, 120])
    assert seen.series[EC2].value.tolist() == [23, 30, 30, 30, 5]


def test_where_minutes_lack_the_longer_period_counts_and_nothing_counts_twice(tmp_path: Path):
    world = FakeMetricSource(
        value_at=lambda _series, ts, _asked_at: 5.0, finest_period=lambda start, now: 300, now=minute_time(60)
    )
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(0, 30), world, now=world.now)
        world.finest_period, world.value_at = lambda start, now: 60, lambda *_: 1.0
        archive.metrics.get(minute_window(23, 40), world, now=world.now)
        window = minute_window(0, 40)
        for buckets in (1, 4, 8, 2000):
            line = archive.metrics.overview(window, "cloudwatch", max_buckets=buckets).series[EC2]
            assert (np.nansum(line.value), line.periods.sum()) == (5 * 5 + 15, 5 + 15)


def test_series_may_be_chosen_and_one_that_is_not_known_has_no_periods(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        assert archive.metrics.overview(minute_window(-60, 0), "cloudwatch").series == {}
        archive.metrics.get(minute_window(-60, 0), FakeMetricSource(), now=minute_time(0))
        assert set(archive.metrics.overview(minute_window(-60, 0), "cloudwatch").series) == {EC2, ECS}
        seen = archive.metrics.overview(minute_window(-60, 0), "cloudwatch", series=(LATENCY, ECS)).series
    assert list(seen[LATENCY].periods) == [0] * 60
    assert np.isnan(seen[LATENCY].value).all()
    assert seen[ECS].value.tolist() == list(range(-60, 0))


@pytest.mark.parametrize(
    ("days", "expected_s"),
    [(1, 60), (2, 120), (5, 300), (7, 600), (14, 1200), (60, 3600), (455, 21600), (4000, 172800)],
)
def test_a_bucket_is_of_a_usual_length(days: int, expected_s: int):
    midnight = NOON - 43_200
    assert choose_bucket_s(Window(midnight - days * 86_400, midnight), 2000) == expected_s


minutes = st.dictionaries(st.integers(0, 400), st.integers(0, 10**9), max_size=80)


@given(numbers=minutes, first=st.integers(0, 200), length=st.integers(1, 200), buckets=st.integers(1, 60))
@settings(max_examples=60)
def test_counts_summed_from_buckets_equal_counts_summed_from_minutes(
    tmp_path_factory, numbers, first: int, length: int, buckets: int
):
    def count(_series, ts, _asked_at) -> float | None:
        return numbers.get((ts - NOON) // 60)

    world, window = FakeMetricSource(value_at=count, now=minute_time(600)), minute_window(first, first + length)
    with open_archive(tmp_path_factory.mktemp("overview")) as archive:
        archive.metrics.get(minute_window(0, 400), world, now=world.now)
        seen = archive.metrics.overview(window, "cloudwatch", max_buckets=buckets)
        naive = values_by_minute(archive.metrics.read(window, "cloudwatch", now=world.now), EC2)
    assert len(seen.ts) <= max(buckets, 1)
    assert np.nansum(seen.series[EC2].value) == sum(naive.values())
    assert seen.series[EC2].periods.sum() == len(naive)


def test_what_could_not_be_written_is_seen_too(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(-60, 0), FakeMetricSource(), now=minute_time(0))
        set_read_only(archive)
        world = FakeMetricSource(value_at=lambda *_: 7.0, now=minute_time(1440))
        archive.metrics.get(minute_window(0, 1440), world, now=world.now)
        assert archive.problem is not None
        assert (
            np.nansum(archive.metrics.overview(minute_window(-60, 1440), "cloudwatch").series[EC2].value)
            == sum(range(-60, 0)) + 1440 * 7
        )
