"""Latency of whole windows: fetched on request, by one process, and stored."""

from datetime import datetime
from pathlib import Path

import pytest

from archive import Archive, ArchiveError
from collector.collector import Collector, CollectorConfig
from domain import Window
from sources.base import Problem
from sources.registry import Sources
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


def test_a_result_is_read_as_it_was_stored(archive, tmp_path: Path):
    source, window = (
        FakeWindowLatencySource(overrides={"problems": (DENIED,), "complete": False}),
        minute_window(-70, -10),
    )
    result = fetch(archive, source, window, minute_time(0))
    assert result == WindowLatency(
        window, minute_window(-70, -11), int(minute_time(0).timestamp()), (EC2, ECS), (DENIED,), complete=False
    )
    with open_archive(tmp_path) as other:
        assert other.metrics.window_latency(window, "cloudwatch") == result
        assert other.metrics.window_latency(window, "demo") is None
        assert other.metrics.window_latency(minute_window(-60, -10), "cloudwatch") is None


def test_a_window_is_fetched_until_it_is_final(archive):
    source, window, fetched_at = FakeWindowLatencySource(), minute_window(-60, -5), []
    for minute in range(40):
        fetch(archive, source, window, minute_time(minute))
        if len(source.requested) > len(fetched_at):
            fetched_at.append(minute)
    assert fetched_at == [0, 5, 10], "every five minutes, until a fetch after its end was final"


def test_a_longer_window_replaces_the_one_with_the_same_start(archive):
    source = FakeWindowLatencySource()
    fetch(archive, source, minute_window(-60, -5), minute_time(0))
    longer = minute_window(-60, 0)
    before = archive.metrics.window_latency(longer, "cloudwatch")
    assert before and before.window == minute_window(-60, -5), "returned until the longer one is fetched"
    after = fetch(archive, source, longer, minute_time(1))
    assert after and after.window == longer
    assert source.requested == [minute_window(-60, -5), longer]


def test_a_failure_keeps_the_last_numbers_and_is_retried_after_a_minute(archive):
    source = FakeWindowLatencySource()
    fetch(archive, source, minute_window(-60, -5), minute_time(0))
    source.overrides = {"groups": (), "covered": None, "problems": (DENIED,), "complete": False}
    result = fetch(archive, source, minute_window(-60, 0), minute_time(3))
    assert result and (result.groups, result.covered, result.problems) == (
        (EC2, ECS),
        minute_window(-60, -6),
        (DENIED,),
    )
    fetch(archive, source, minute_window(-60, 0), minute_time(3.9))
    assert len(source.requested) == 2
    source.overrides = {}
    result = fetch(archive, source, minute_window(-60, 0), minute_time(4))
    assert result and (result.covered, result.problems) == (minute_window(-60, -1), ())


def test_a_second_process_does_not_fetch_meanwhile(archive, tmp_path: Path):
    window, fetched = minute_window(-60, -5), []

    class SlowSource(FakeWindowLatencySource):
        def window_latency(self, window: Window) -> WindowLatency:
            with open_archive(tmp_path) as other:
                fetched.append(
                    other.metrics.fetch_window_latency(window, FakeWindowLatencySource(), now=minute_time(0))
                )
            return super().window_latency(window)

    slow = SlowSource()
    assert archive.metrics.fetch_window_latency(window, slow, now=minute_time(0))
    assert (fetched, slow.requested) == ([False], [window])


def test_a_result_that_cannot_be_written_is_returned_and_not_fetched_again(archive, monkeypatch):
    source, window = FakeWindowLatencySource(), minute_window(-60, -5)

    def fail(*_: object) -> None:
        raise ArchiveError("disk_full", "database or disk is full")

    monkeypatch.setattr("archive.metrics.window_latency.write", fail)
    with pytest.raises(ArchiveError):
        archive.metrics.fetch_window_latency(window, source, now=minute_time(0))
    assert archive.problem and archive.problem.kind == "disk_full"
    result = fetch(archive, source, window, minute_time(1))
    assert result and result.groups == (EC2, ECS)
    assert len(source.requested) == 1


def test_the_collector_fetches_only_requested_windows(archive):
    source, window = FakeWindowLatencySource(), minute_window(-60, -5)
    collector = Collector(
        archive, Sources((source,)), CollectorConfig(horizon_minutes=60), clock=lambda: minute_time(0)
    )
    collector.start()
    assert collector.wait_until(lambda: archive.change_counter("cloudwatch") > 0, timeout_s=10)
    assert source.requested == []
    for _ in range(3):
        collector.request_window_latency(window, "cloudwatch")
    assert collector.wait_until(lambda: archive.metrics.window_latency(window, "cloudwatch") is not None, timeout_s=10)
    collector.request_window_latency(window, "mackerel")  # does not support it
    collector.stop()
    assert source.requested == [window]


def test_a_result_from_the_future_is_fetched_again(archive):
    """A clock that ran ahead stored it."""
    source, window = FakeWindowLatencySource(), minute_window(-60, -30)
    fetch(archive, source, window, minute_time(60))
    fetch(archive, source, window, minute_time(0))
    assert len(source.requested) == 2
