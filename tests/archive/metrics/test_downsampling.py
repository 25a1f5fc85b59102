"""Overviews of long windows: how periods are merged into buckets, and that counts stay exact."""

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


def test_counts_are_summed_and_percentiles_have_a_median_and_range(tmp_path: Path):
    """
    minute     0  1  2  3  4 | 5  6  7  8  9 | 10 …
    requests   0  1  2  3  4 | 5  6     8  9 |
    """
    source = FakeMetricSource(
        configured_series=(ECS, LATENCY),
        value_at=lambda series, ts, _: None if ts == NOON + 420 or ts >= NOON + 600 else float((ts - NOON) // 60),
        now=minute_time(60),
    )
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(0, 20), source, now=source.now)
        overview = archive.metrics.overview(minute_window(0, 20), "cloudwatch", max_buckets=4)
    assert (overview.window, overview.bucket_s) == (minute_window(0, 20), 300)
    assert ((overview.ts - NOON) // 60).tolist() == [0, 5, 10, 15]
    requests, latency = overview.series[ECS], overview.series[LATENCY]
    nan = np.nan
    np.testing.assert_array_equal(requests.value, [10, 28, nan, nan])
    np.testing.assert_array_equal(latency.value, [2, 7, nan, nan])
    for bucketed in (requests, latency):
        np.testing.assert_array_equal(bucketed.low, [0, 5, nan, nan])
        np.testing.assert_array_equal(bucketed.high, [4, 9, nan, nan])
        np.testing.assert_array_equal(bucketed.periods, [5, 4, 0, 0])


def test_a_long_bucket_has_the_median_of_its_ten_minute_medians(tmp_path: Path):
    def value_at(_series, ts, _asked_at) -> float:
        minute = (ts - NOON) // 60  # the first ten minutes 1, then 5 five times and 6 five times, the last ten 100
        return 1.0 if minute < 10 else 100.0 if minute >= 20 else 5.0 + minute % 2

    source = FakeMetricSource(configured_series=(LATENCY,), value_at=value_at, now=minute_time(60))
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(0, 30), source, now=source.now)
        overview = archive.metrics.overview(minute_window(0, 30), "cloudwatch", max_buckets=1)
    assert (overview.bucket_s, overview.series[LATENCY].value.tolist()) == (1800, [5.5])
    assert (overview.series[LATENCY].low.tolist(), overview.series[LATENCY].high.tolist()) == ([1.0], [100.0])


def test_buckets_start_at_multiples_of_their_length_and_hold_only_periods_of_the_window(tmp_path: Path):
    source = FakeMetricSource(value_at=lambda *_: 1.0, now=minute_time(180))
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(0, 180), source, now=source.now)
        overview = archive.metrics.overview(minute_window(7, 125), "cloudwatch", max_buckets=5)
    assert (overview.bucket_s, ((overview.ts - NOON) // 60).tolist()) == (1800, [0, 30, 60, 90, 120])
    assert overview.series[EC2].value.tolist() == [23, 30, 30, 30, 5]


def test_without_minutes_the_longer_period_counts_and_nothing_counts_twice(tmp_path: Path):
    source = FakeMetricSource(
        value_at=lambda _series, ts, _asked_at: 5.0, finest_period=lambda start, now: 300, now=minute_time(60)
    )
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(0, 30), source, now=source.now)
        source.finest_period, source.value_at = lambda start, now: 60, lambda *_: 1.0
        archive.metrics.get(minute_window(23, 40), source, now=source.now)
        window = minute_window(0, 40)
        for max_buckets in (1, 4, 8, 2000):
            bucketed = archive.metrics.overview(window, "cloudwatch", max_buckets=max_buckets).series[EC2]
            assert (np.nansum(bucketed.value), bucketed.periods.sum()) == (5 * 5 + 15, 5 + 15)


def test_an_unknown_series_has_no_periods(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        assert archive.metrics.overview(minute_window(-60, 0), "cloudwatch").series == {}
        archive.metrics.get(minute_window(-60, 0), FakeMetricSource(), now=minute_time(0))
        assert set(archive.metrics.overview(minute_window(-60, 0), "cloudwatch").series) == {EC2, ECS}
        overview = archive.metrics.overview(minute_window(-60, 0), "cloudwatch", series=(LATENCY, ECS)).series
    assert list(overview[LATENCY].periods) == [0] * 60
    assert np.isnan(overview[LATENCY].value).all()
    assert overview[ECS].value.tolist() == list(range(-60, 0))


@pytest.mark.parametrize(
    ("days", "expected_s"),
    [(1, 60), (2, 120), (5, 300), (7, 600), (14, 1200), (60, 3600), (455, 21600), (4000, 172800)],
)
def test_a_bucket_has_a_usual_length(days: int, expected_s: int):
    midnight = NOON - 43_200
    assert choose_bucket_s(Window(midnight - days * 86_400, midnight), 2000) == expected_s


counts_by_minute = st.dictionaries(st.integers(0, 400), st.integers(0, 10**9), max_size=80)


@given(counts=counts_by_minute, first=st.integers(0, 200), length=st.integers(1, 200), max_buckets=st.integers(1, 60))
@settings(max_examples=60)
@pytest.mark.slow
def test_counts_summed_from_buckets_equal_counts_summed_from_minutes(
    tmp_path_factory, counts, first: int, length: int, max_buckets: int
):
    def value_at(_series, ts, _asked_at) -> float | None:
        return counts.get((ts - NOON) // 60)

    source, window = FakeMetricSource(value_at=value_at, now=minute_time(600)), minute_window(first, first + length)
    with open_archive(tmp_path_factory.mktemp("overview")) as archive:
        archive.metrics.get(minute_window(0, 400), source, now=source.now)
        overview = archive.metrics.overview(window, "cloudwatch", max_buckets=max_buckets)
        values = values_by_minute(archive.metrics.read(window, "cloudwatch", now=source.now), EC2)
    assert len(overview.ts) <= max(max_buckets, 1)
    assert np.nansum(overview.series[EC2].value) == sum(values.values())
    assert overview.series[EC2].periods.sum() == len(values)


def test_an_overview_has_pending_writes(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(-60, 0), FakeMetricSource(), now=minute_time(0))
        set_read_only(archive)
        source = FakeMetricSource(value_at=lambda *_: 7.0, now=minute_time(1440))
        archive.metrics.get(minute_window(0, 1440), source, now=source.now)
        assert archive.problem is not None
        assert (
            np.nansum(archive.metrics.overview(minute_window(-60, 1440), "cloudwatch").series[EC2].value)
            == sum(range(-60, 0)) + 1440 * 7
        )
