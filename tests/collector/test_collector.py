"""The collector: the order of its polls, its waits, and its tolerance of failures."""

import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from archive import Archive, ArchiveError
from collector import polling
from collector.collector import Collector, CollectorConfig, requested_routes_state
from domain import Window
from sources.base import TrafficSnapshot
from sources.registry import Sources
from tests.factories.archives import open_archive
from tests.factories.events import TRAFFIC
from tests.fakes.event_source import FakeAlerts
from tests.fakes.metric_source import (
    ECS,
    NOON,
    FakeMetricSource,
    minute_ranges,
    minute_time,
    minute_window,
    values_by_minute,
)

pytestmark = pytest.mark.usefixtures("both_engines")

HOUR = CollectorConfig(horizon_minutes=60)


class FakeTraffic:
    """A TrafficSource with constant traffic."""

    name = "load_balancer"

    def __init__(self) -> None:
        self.n_snapshots = 0

    def snapshot(self) -> TrafficSnapshot:
        self.n_snapshots += 1
        return TrafficSnapshot(NOON + self.n_snapshots, TRAFFIC)

    def check(self):
        return ()


@pytest.fixture
def archive(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        yield archive


def collector_of(archive: Archive, source: FakeMetricSource, *, horizon_minutes: int = 600) -> Collector:
    config = CollectorConfig(horizon_minutes=horizon_minutes)
    return Collector(archive, Sources((source,)), config, clock=lambda: source.now)


def test_the_newest_hours_come_first_then_the_rest_in_chunks_each_saved_at_once(archive):
    source = FakeMetricSource()
    collector = collector_of(archive, source)
    polls = []
    for _ in range(5):
        wait_s = collector.poll_metrics(source)
        polls.append((source.new_requests, collector.progress("cloudwatch"), wait_s))
    assert polls == [
        ([(-180, 0)], (180, 600), 0.0),
        ([(-360, -180)], (360, 600), 0.0),
        ([(-540, -360)], (540, 600), 0.0),
        ([(-600, -540)], None, 0.0),
        ([], None, 60.0),
    ]
    assert (
        len(values_by_minute(archive.metrics.read(minute_window(-600, 0), "cloudwatch", now=minute_time(0)), ECS))
        == 600
    )


def test_in_steady_state_the_non_final_minutes_are_fetched_once_a_minute(archive):
    source = FakeMetricSource()
    collector = collector_of(archive, source, horizon_minutes=60)
    collector.poll_metrics(source)
    for second in range(0, 300, 5):
        source.now = minute_time(second / 60)
        collector.poll_metrics(source)
    assert source.new_requests == [(-60, 0), (-15, 1), (-14, 2), (-13, 3), (-12, 4)]


def test_requested_windows_come_before_the_horizon_the_newest_first(archive):
    source = FakeMetricSource()
    collector = collector_of(archive, source)
    collector.request_window(minute_window(-3000, -2990), "cloudwatch")
    collector.request_window(minute_window(-5000, -4990), "cloudwatch")
    collector.request_window(minute_window(-3000, -2990), "cloudwatch")
    collector.request_window(minute_window(-4000, -3600), "cloudwatch")
    for _ in range(6):
        collector.poll_metrics(source)
    assert source.new_requests == [
        (-180, 0),
        (-3780, -3600),
        (-3960, -3780),
        (-4000, -3960),
        (-3000, -2990),
        (-5000, -4990),
    ]


def test_only_the_newest_requests_are_queued(archive):
    source = FakeMetricSource()
    collector = collector_of(archive, source, horizon_minutes=60)
    for minute in range(100):
        collector.request_window(minute_window(-1000 - minute, -900 - minute), "cloudwatch")
    while collector.poll_metrics(source) == 0.0:
        pass
    assert min(first for first, _ in source.new_requests) == -1099
    assert len(archive.metrics.read(minute_window(-900, -800), "cloudwatch", now=minute_time(0)).frame) == 0


def test_a_source_that_is_down_is_retried_after_a_minute(archive):
    source = FakeMetricSource(problem_kind=lambda series, window: "unreachable")
    collector = collector_of(archive, source)
    assert [collector.poll_metrics(source) for _ in range(4)] == [60.0] * 4
    assert source.new_requests == [(-180, 0), (-360, -180)]
    source.now, source.problem_kind = minute_time(2), lambda series, window: None
    while collector.poll_metrics(source) == 0.0:
        pass
    assert (
        len(values_by_minute(archive.metrics.read(minute_window(-598, 2), "cloudwatch", now=minute_time(2)), ECS))
        == 600
    )


def test_collectors_of_several_processes_poll_as_often_as_one(archive, tmp_path):
    source, weights, alerts = FakeMetricSource(), FakeTraffic(), FakeAlerts()
    with open_archive(tmp_path) as second:
        collectors = [
            Collector(shared, Sources((source,), weights, (alerts,)), HOUR, clock=lambda: source.now)
            for shared in (archive, second)
        ]
        for tick in range(0, 120, 5):
            source.now = minute_time(tick / 60)
            for collector in collectors:
                collector.poll_metrics(source)
                collector.poll_traffic(weights)
                collector.poll_events(alerts)
    assert source.new_requests == [(-60, 0), (-15, 1)]
    assert weights.n_snapshots == 8
    assert minute_ranges(alerts.requested) == [(-60, 0), (-59, 1)]
    assert [event.key for event in archive.events.read(minute_window(-60, 0))] == ["a"]


def test_a_request_for_older_events_is_completed(archive):
    alerts = FakeAlerts()
    collector = Collector(archive, Sources(events=(alerts,)), HOUR, clock=lambda: minute_time(0))
    collector.poll_events(alerts)
    collector.request_window(minute_window(-500, -400), "mackerel_events")
    assert collector.poll_events(alerts) == 60.0
    collector.poll_events(alerts)
    assert minute_ranges(alerts.requested) == [(-60, 0), (-500, -400)]


def test_a_hanging_source_delays_neither_the_others_nor_stop(archive):
    entered, release = threading.Event(), threading.Event()

    class Hanging(FakeMetricSource):
        def pull(self, window, series=None):
            entered.set()
            release.wait(30)
            return super().pull(window, series)

    hanging = Hanging(name="mackerel", configured_series=(replace(ECS, source="mackerel"),))
    source, weights = FakeMetricSource(), FakeTraffic()
    collector = Collector(archive, Sources((hanging, source), weights, (FakeAlerts(),)), HOUR, clock=lambda: source.now)
    collector.start()
    assert entered.wait(10)
    assert collector.wait_until(
        lambda: len(archive.events.source_states()) == 3 and archive.events.latest_traffic() is not None, timeout_s=10
    )
    assert {state.source for state in archive.events.source_states()} == {
        "cloudwatch",
        "load_balancer",
        "mackerel_events",
    }
    collector.stop(timeout_s=0.05)
    release.set()
    collector.stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("collector of")]


def test_a_request_wakes_the_thread(archive):
    source = FakeMetricSource()
    collector = collector_of(archive, source, horizon_minutes=60)
    collector.start()
    assert collector.wait_until(lambda: archive.change_counter("cloudwatch") > 0, timeout_s=10)
    collector.request_window(minute_window(-500, -400), "cloudwatch")
    archived = lambda: not archive.metrics.read(minute_window(-500, -400), "cloudwatch", now=minute_time(0)).missing  # noqa: E731
    assert collector.wait_until(archived, timeout_s=10)
    checks: list[None] = []
    spins = collector.wait_until(lambda: checks.append(None) or len(checks) > 20, timeout_s=0.2)
    assert not spins, "after the request the thread waits again"
    collector.stop()


def test_an_archive_error_is_reported_and_retried(archive, monkeypatch):
    monkeypatch.setattr(polling, "ARCHIVE_RETRY_S", 0.01)
    save_snapshot = archive.events.save_snapshot
    errors = [ArchiveError("disk_full", "database or disk is full")] * 3

    def failing(snapshot: TrafficSnapshot, name: str) -> None:
        if errors:
            raise errors.pop()
        save_snapshot(snapshot, name)

    monkeypatch.setattr(archive.events, "save_snapshot", failing)
    problems = []
    config = CollectorConfig(traffic_interval_s=0)
    collector = Collector(archive, Sources((), FakeTraffic()), config, clock=lambda: minute_time(0))
    collector.start()
    assert collector.wait_until(
        lambda: problems.append(collector.problem) or archive.events.latest_traffic() is not None, timeout_s=10
    )
    collector.stop()
    assert collector.problem is None
    assert {problem.kind for problem in problems if problem} == {"disk_full"}


@pytest.mark.parametrize(
    ("request_logs", "ingested", "expected", "requested"),
    [(True, False, "judged", 1), (True, True, "judged", 1), (False, True, "judged", 0), (False, False, "pending", 0)],
)
def test_logs_that_nobody_has_counted_leave_the_routes_pending(
    request_logs: bool, ingested: bool, expected: str, requested: int
) -> None:
    windows: list[Window] = []
    collector = SimpleNamespace(
        config=CollectorConfig(ingest_logs=ingested),
        request_access_logs=windows.append,
        ingest_progress=lambda _window: None,
    )
    state = requested_routes_state(collector, Window(0, 60), True, request=request_logs)  # type: ignore[arg-type]
    assert (state, len(windows)) == (expected, requested)
