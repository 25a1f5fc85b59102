"""Ten-minute rollups: updated with every write of points, and without effect on the numbers of an overview."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from archive import Archive
from archive.metrics import downsampling, rows
from domain import Window
from sources.base import Pull
from tests.factories.archives import open_archive, set_read_only
from tests.factories.rollups import expected_rollup, rollup_rows
from tests.fakes.metric_source import ECS, LATENCY, NOON, FakeMetricSource, minute_time, minute_window

pytestmark = pytest.mark.usefixtures("both_engines")

SERIES = (ECS, LATENCY)


def test_points_are_rolled_up_when_they_are_written(tmp_path: Path):
    source = FakeMetricSource(
        configured_series=SERIES, value_at=lambda _series, ts, _asked_at: float((ts - NOON) // 60), now=minute_time(60)
    )
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(0, 15), source, now=source.now)
        archive.metrics.get(minute_window(15, 21), source, now=source.now)
    assert rollup_rows(tmp_path) == [
        ("latency", 0, 1, 4.5, 0, 9, 10),
        ("latency", 10, 1, 14.5, 10, 19, 10),
        ("latency", 20, 1, 20, 20, 20, 1),
        ("requests", 0, 1, 45, 0, 9, 10),
        ("requests", 10, 1, 145, 10, 19, 10),
        ("requests", 20, 1, 20, 20, 20, 1),
    ]


def test_revised_and_deleted_points_update_the_rollup(tmp_path: Path):
    source = FakeMetricSource(
        configured_series=(ECS,),
        value_at=lambda _series, ts, _asked_at: None if ts < NOON else 1.0,
        now=minute_time(10),
    )
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(0, 10), source, now=source.now)
        source.now, source.value_at = minute_time(11), lambda _series, ts, _asked_at: None if ts < NOON + 540 else 2.0
        archive.metrics.get(minute_window(0, 11), source, now=source.now)
        assert rollup_rows(tmp_path) == [("requests", 0, 1, 2, 2, 2, 1), ("requests", 10, 1, 2, 2, 2, 1)]
        source.now, source.value_at = minute_time(12), lambda *_: None
        archive.metrics.get(minute_window(0, 12), source, now=source.now)
        assert rollup_rows(tmp_path) == []


def test_each_period_has_its_own_rollup(tmp_path: Path):
    source = FakeMetricSource(
        configured_series=(ECS,), value_at=lambda *_: 5.0, finest_period=lambda start, now: 300, now=minute_time(240)
    )
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(0, 20), source, now=source.now)
        source.finest_period, source.value_at = lambda start, now: 3600, lambda *_: 60.0
        archive.metrics.get(minute_window(60, 180), source, now=source.now)
    assert rollup_rows(tmp_path) == [
        ("requests", 0, 5, 10, 5, 5, 2),
        ("requests", 10, 5, 10, 5, 5, 2),
        ("requests", 60, 60, 60, 60, 60, 1),
        ("requests", 120, 60, 60, 60, 60, 1),
    ]


def test_only_changed_points_are_written(tmp_path: Path):
    """Sixteen minutes are fetched every minute; PostgreSQL would fill with old row versions."""
    source, written = FakeMetricSource(configured_series=SERIES), []
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(-60, 0), source, now=source.now)

        def count_rows(_connection, _cursor, statement: str, parameters, *_: object) -> None:
            if statement.startswith("INSERT INTO point"):
                written.append(str(parameters).count(str(NOON)))

        event.listen(archive.engine, "before_cursor_execute", count_rows)
        source.now = minute_time(1)
        archive.metrics.get(minute_window(-60, 1), source, now=source.now)
    assert written == [2], "the new minute, of two series"


@dataclass(frozen=True)
class FetchStep:
    """At `now`, a window is fetched in `period` minutes. `seed` determines the values; `writable`: whether they can be written."""

    now: int
    first: int
    length: int
    period: int
    seed: int
    writable: bool


fetch_steps = st.builds(
    FetchStep,
    now=st.integers(100, 400),
    first=st.integers(0, 300),
    length=st.integers(1, 130),
    period=st.sampled_from((1, 1, 5, 15, 60)),
    seed=st.integers(0, 9),
    writable=st.sampled_from((True, True, True, False)),
)


class PartialSource(FakeMetricSource):
    """Unless `complete`, its pulls have rows without an answered range."""

    def pull(self, window, series=None) -> Pull:
        pull = super().pull(window, series)
        return pull if self.complete else replace(pull, answered_ranges=())

    complete = True


@given(fetches=st.lists(fetch_steps, min_size=1, max_size=6), first=st.integers(0, 200), length=st.integers(20, 260))
@settings(max_examples=50)
@pytest.mark.slow
def test_an_overview_of_rollups_equals_one_of_points(
    tmp_path_factory, fetches: list[FetchStep], first: int, length: int
):
    folder, window = tmp_path_factory.mktemp("rollup"), minute_window(first, first + length)
    with open_archive(folder) as archive:
        for step in fetches:
            set_read_only(archive, read_only=not step.writable)
            source = PartialSource(
                configured_series=SERIES,
                value_at=values_for(step.seed),
                now=minute_time(step.now),
                finest_period=lambda *_, step=step: step.period * 60,
            )
            source.complete = step.seed != 9
            archive.metrics.get(minute_window(step.first, step.first + step.length), source, now=source.now)
        for max_buckets in (1, 3, 12):
            assert_same_overview(archive, window, max_buckets)
    assert rollup_rows(folder) == expected_rollup(folder)


def values_for(seed: int):
    """Eighths, so that sums are exact. One minute in seven has no value; with seed 8 none has."""

    def value_at(series, ts, _asked_at) -> float | None:
        number = (ts // 60 * 7919 + seed * 104_729 + len(series.metric)) % 1009
        return None if number % 7 == 0 or seed == 8 else number / 8

    return value_at


def assert_same_overview(archive: Archive, window: Window, max_buckets: int) -> None:
    archive.metrics._clock = lambda: minute_time(400)
    overview = archive.metrics.overview(window, "cloudwatch", max_buckets=max_buckets)
    series, points = rows.rows_from_frame(archive.metrics.read(window, "cloudwatch", now=minute_time(400)).frame)
    length_s = min(overview.bucket_s, downsampling.ROLLUP_S)
    expected = downsampling.downsample(
        window, overview.bucket_s, series, downsampling.roll_up(points, length_s, series)
    )
    for item, bucketed in overview.series.items():
        if item not in expected.series:
            assert not bucketed.periods.any()
            continue
        for name in ("value", "low", "high", "periods"):
            np.testing.assert_array_equal(
                getattr(bucketed, name), getattr(expected.series[item], name), err_msg=f"{item} {name}"
            )
