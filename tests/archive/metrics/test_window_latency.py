"""Whole windows: asked when somebody looks, once for everybody, and kept."""

from datetime import datetime
from pathlib import Path

import pytest

from archive import Archive, ArchiveError
from collector.collector import Collector
from domain import Window
from sources.base import Problem
from sources.window_latency import WindowLatency
from tests.factories.archives import open_archive
from tests.fakes.metric_source import minute_time, minute_window
from tests.fakes.window_latency_source import EC2, ECS, FakeWindowLatencySource

pytestmark = pytest.mark.usefixtures("both_engines")

DENIED = Problem("denied", "cloudwatch", "cloudwatch:GetMetricData")


@pytest.fixture
def archive(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        yield archive


def fetch(archive: Archive, source: FakeWindowLatencySource, window: Window, now: datetime) -> WindowLatency | None:
    source.now = now
    assert archive.metrics.fetch_window_latency(window, source, now=now)
    return archive.metrics.window_latency(window, source.name)


def test_what_was_said_comes_back_as_it_was(archive, tmp_path: Path):
    source, window = (
        FakeWindowLatencySource(overrides={"problems": (DENIED,), "complete": False}),
        minute_window(-70, -10),
    )
    told = fetch(archive, source, window, minute_time(0))
    assert told == WindowLatency(
        window, minute_window(-70, -11), int(minute_time(0).timestamp()), (EC2, ECS), (DENIED,), complete=False
    )
    with open_archive(tmp_path) as other:
        assert other.metrics.window_latency(window, "cloudwatch") == told
        assert other.metrics.window_latency(window, "demo") is None
        assert other.metrics.window_latency(minute_window(-60, -10), "cloudwatch") is None


def test_a_window_is_asked_again_until_it_is_settled_and_then_never(archive):
    source, window, asked = FakeWindowLatencySource(), minute_window(-60, -5), []
    for minute in range(40):
        fetch(archive, source, window, minute_time(minute))
        if len(source.requested) > len(asked):
            asked.append(minute)
    assert asked == [0, 5, 10], "every five minutes, until its end is fifteen minutes old or was when it was asked"


def test_a_longer_window_takes_the_place_of_the_one_that_began_with_it(archive):
    source = FakeWindowLatencySource()
    fetch(archive, source, minute_window(-60, -5), minute_time(0))
    longer = minute_window(-60, 0)
    before = archive.metrics.window_latency(longer, "cloudwatch")
    assert before and before.window == minute_window(-60, -5), "shown until the longer one is answered"
    after = fetch(archive, source, longer, minute_time(1))
    assert after and after.window == longer
    assert source.requested == [minute_window(-60, -5), longer]


def test_a_refusal_leaves_the_last_numbers_and_is_tried_again_after_a_minute(archive):
    source = FakeWindowLatencySource()
    fetch(archive, source, minute_window(-60, -5), minute_time(0))
    source.overrides = {"groups": (), "covered": None, "problems": (DENIED,), "complete": False}
    told = fetch(archive, source, minute_window(-60, 0), minute_time(3))
    assert told and (told.groups, told.covered, told.problems) == ((EC2, ECS), minute_window(-60, -6), (DENIED,))
    fetch(archive, source, minute_window(-60, 0), minute_time(3.9))
    assert len(source.requested) == 2
    source.overrides = {}
    told = fetch(archive, source, minute_window(-60, 0), minute_time(4))
    assert told and (told.covered, told.problems) == (minute_window(-60, -1), ())


def test_who_finds_somebody_asking_waits(archive, tmp_path: Path):
    window, seen = minute_window(-60, -5), []

    class Slow(FakeWindowLatencySource):
        def window_latency(self, window: Window) -> WindowLatency:
            with open_archive(tmp_path) as other:
                seen.append(other.metrics.fetch_window_latency(window, FakeWindowLatencySource(), now=minute_time(0)))
            return super().window_latency(window)

    slow = Slow()
    assert archive.metrics.fetch_window_latency(window, slow, now=minute_time(0))
    assert (seen, slow.requested) == ([False], [window])


def test_what_cannot_be_written_is_shown_and_not_asked_again(archive, monkeypatch):
    source, window = FakeWindowLatencySource(), minute_window(-60, -5)

    def full(*_: object) -> None:
        raise ArchiveError("disk_full", "database or disk is full")

    monkeypatch.setattr("archive.metrics.window_latency.write", full)
    with pytest.raises(ArchiveError):
        archive.metrics.fetch_window_latency(window, source, now=minute_time(0))
    assert archive.problem and archive.problem.kind == "disk_full"
    told = fetch(archive, source, window, minute_time(1))
    assert told and told.groups == (EC2, ECS)
    assert len(source.requested) == 1


def test_the_keeper_asks_what_a_page_wants_and_nothing_by_itself(archive):
    source, window = FakeWindowLatencySource(), minute_window(-60, -5)
    keeper = Collector(archive, [source], None, [], horizon_minutes=60, clock=lambda: minute_time(0))
    keeper.start()
    assert keeper.wait_until(lambda: archive.change_counter("cloudwatch") > 0, timeout_s=10)
    assert source.requested == []
    for _ in range(3):
        keeper.request_window_latency(window, "cloudwatch")
    assert keeper.wait_until(lambda: archive.metrics.window_latency(window, "cloudwatch") is not None, timeout_s=10)
    keeper.request_window_latency(window, "mackerel")  # which cannot, and nothing comes of it
    keeper.stop()
    assert source.requested == [window]
