"""The ten-minute cells: kept with every write, whatever is revised, taken back or asked in another period; and never seen in an overview's numbers."""

from dataclasses import dataclass
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


def test_points_are_merged_as_they_are_written(tmp_path: Path):
    world = FakeMetricSource(
        configured_series=SERIES, value_at=lambda _series, ts, _asked_at: float((ts - NOON) // 60), now=minute_time(60)
    )
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(0, 15), world, now=world.now)
        archive.metrics.get(minute_window(15, 21), world, now=world.now)
    assert rollup_rows(tmp_path) == [
        ("latency", 0, 1, 4.5, 0, 9, 10),
        ("latency", 10, 1, 14.5, 10, 19, 10),
        ("latency", 20, 1, 20, 20, 20, 1),
        ("requests", 0, 1, 45, 0, 9, 10),
        ("requests", 10, 1, 145, 10, 19, 10),
        ("requests", 20, 1, 20, 20, 20, 1),
    ]


def test_what_is_revised_or_taken_back_is_merged_anew(tmp_path: Path):
    world = FakeMetricSource(
        configured_series=(ECS,),
        value_at=lambda _series, ts, _asked_at: None if ts < NOON else 1.0,
        now=minute_time(10),
    )
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(0, 10), world, now=world.now)
        world.now, world.value_at = minute_time(11), lambda _series, ts, _asked_at: None if ts < NOON + 540 else 2.0
        archive.metrics.get(minute_window(0, 11), world, now=world.now)
        assert rollup_rows(tmp_path) == [("requests", 0, 1, 2, 2, 2, 1), ("requests", 10, 1, 2, 2, 2, 1)]
        world.now, world.value_at = minute_time(12), lambda *_: None
        archive.metrics.get(minute_window(0, 12), world, now=world.now)
        assert rollup_rows(tmp_path) == []


def test_longer_periods_are_cells_of_their_own(tmp_path: Path):
    world = FakeMetricSource(
        configured_series=(ECS,), value_at=lambda *_: 5.0, finest_period=lambda start, now: 300, now=minute_time(240)
    )
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(0, 20), world, now=world.now)
        world.finest_period, world.value_at = lambda start, now: 3600, lambda *_: 60.0
        archive.metrics.get(minute_window(60, 180), world, now=world.now)
    assert rollup_rows(tmp_path) == [
        ("requests", 0, 5, 10, 5, 5, 2),
        ("requests", 10, 5, 10, 5, 5, 2),
        ("requests", 60, 60, 60, 60, 60, 1),
        ("requests", 120, 60, 60, 60, 60, 1),
    ]


def test_of_what_is_written_again_only_what_changed_is_written(tmp_path: Path):
    """Sixteen minutes are asked every minute; a database that keeps old rows until they are cleared away would fill with them."""
    world, written = FakeMetricSource(configured_series=SERIES), []
    with open_archive(tmp_path) as archive:
        archive.metrics.get(minute_window(-60, 0), world, now=world.now)

        def note(_connection, _cursor, statement: str, parameters, *_: object) -> None:
            if statement.startswith("INSERT INTO point"):
                written.append(str(parameters).count(str(NOON)))

        event.listen(archive.engine, "before_cursor_execute", note)
        world.now = minute_time(1)
        archive.metrics.get(minute_window(-60, 1), world, now=world.now)
    assert written == [2], "the new minute, of two series"


@dataclass(frozen=True)
class FetchStep:
    """One thing that happens: at `now` a window is asked in `period` minutes; `seed` makes its numbers, `written` whether they can be."""

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
    """A World that leaves rows out here and there, and of some tells without answering for them."""

    def pull(self, window, series=None) -> Pull:
        told = super().pull(window, series)
        return (
            told
            if self.complete
            else Pull(told.window, told.asked_at, told.frame, (), datapoints_requested=told.datapoints_requested)
        )

    complete = True


@given(happened=st.lists(fetch_steps, min_size=1, max_size=6), first=st.integers(0, 200), length=st.integers(20, 260))
@settings(max_examples=120)
def test_an_overview_is_the_same_with_and_without_cells(
    tmp_path_factory, happened: list[FetchStep], first: int, length: int
):
    folder, window = tmp_path_factory.mktemp("cells"), minute_window(first, first + length)
    with open_archive(folder) as archive:
        for step in happened:
            set_read_only(archive, read_only=not step.writable)
            world = PartialSource(
                configured_series=SERIES,
                value_at=values_for(step.seed),
                now=minute_time(step.now),
                finest_period=lambda *_, step=step: step.period * 60,
            )
            world.complete = step.seed != 9
            archive.metrics.get(minute_window(step.first, step.first + step.length), world, now=world.now)
        for buckets in (1, 3, 12):
            assert_same_overview(archive, window, buckets)
    assert rollup_rows(folder) == expected_rollup(folder)


def values_for(seed: int):
    """Eighths, so that sums are exact; a minute in seven is left out, with the last seed all."""

    def number(series, ts, _asked_at) -> float | None:
        told = (ts // 60 * 7919 + seed * 104_729 + len(series.metric)) % 1009
        return None if told % 7 == 0 or seed == 8 else told / 8

    return number


def assert_same_overview(archive: Archive, window: Window, buckets: int) -> None:
    archive.metrics._clock = lambda: minute_time(400)
    seen = archive.metrics.overview(window, "cloudwatch", max_buckets=buckets)
    series, found = rows.rows_from_frame(archive.metrics.read(window, "cloudwatch", now=minute_time(400)).frame)
    cut = min(seen.bucket_s, downsampling.ROLLUP_S)
    naive = downsampling.downsample(window, seen.bucket_s, series, downsampling.roll_up(found, cut, series))
    for one, line in seen.series.items():
        if one not in naive.series:
            assert not line.periods.any()
            continue
        for name in ("value", "low", "high", "periods"):
            np.testing.assert_array_equal(
                getattr(line, name), getattr(naive.series[one], name), err_msg=f"{one} {name}"
            )
