"""The backfill: what it fetches, in which order, and when it backs off."""

from collections.abc import Hashable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from archive import Archive, ArchiveError
from archive.db.database import Database
from collector.backfill import MAX_RETENTION_S
from collector.collector import Collector, CollectorConfig
from domain import Window, epoch_s
from sources.base import Events
from sources.registry import Sources
from tests.factories.archives import open_archive
from tests.fakes.event_source import FakeAlerts
from tests.fakes.metric_source import (
    ECS,
    HOURLY,
    NOON,
    FakeMetricSource,
    minute_time,
    minute_window,
    rising_values,
    values_by_minute,
)

pytestmark = pytest.mark.usefixtures("both_engines")

DAY = 1440


@pytest.fixture
def archive(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        yield archive


def cloudwatch(start: int, now: int) -> int:
    """The retention of CloudWatch, with days instead of months."""
    days = (now - start) / 86_400
    return 60 if days <= 2 else 300 if days <= 4 else 3600 if days <= 10 else 0


def collector_of(
    archive: Archive, source: FakeMetricSource, *, since_s: int | None = None, horizon_minutes: int = 60
) -> Collector:
    config = CollectorConfig(horizon_minutes=horizon_minutes, backfill=True, since_s=since_s)
    return Collector(archive, Sources((source,)), config, clock=lambda: source.now)


def poll_until_idle(collector: Collector, source: FakeMetricSource, *, max_polls: int = 200) -> list[float]:
    """Polls until the collector waits for at least 15 s. Returns all waits."""
    waits = []
    for _ in range(max_polls):
        waits.append(collector.poll_metrics(source))
        if waits[-1] >= 15:
            return waits
    raise AssertionError("The collector never waits.")


def test_it_fills_what_the_source_retains_newest_first_in_the_period_of_its_age(archive):
    source = FakeMetricSource(configured_series=(ECS,), finest_period=cloudwatch)
    collector = collector_of(archive, source)
    poll_until_idle(collector, source)
    asked = [((window.start - NOON) / 60, (window.end - NOON) / 60) for window, _ in source.pulls]
    assert asked[:4] == [(-60, 0), (-60 - 720, -60), (-60 - 1440, -60 - 720), (-60 - 2160, -60 - 1440)]
    assert [end for _, end in asked] == sorted((end for _, end in asked), reverse=True)
    assert all(newer[0] == older[1] for newer, older in pairwise(asked))
    result = archive.metrics.read(minute_window(-11 * DAY, 0), "cloudwatch", now=minute_time(0))
    lengths = result.frame.groupby("period_s")["ts"]
    spans = {period_s: ((ts.min() - minute_time(0)).total_seconds() / 86_400, len(ts)) for period_s, ts in lengths}
    assert spans == {60: (-2, 2 * DAY), 300: (-4, 2 * 288), 3600: (-10, 6 * 24)}
    backfilled = collector.backfill_status("cloudwatch")
    assert (backfilled.state, backfilled.complete_since) == ("done", NOON - 10 * 86_400), (
        "before that the source keeps nothing"
    )
    assert len(result.frame) == len(set(epoch_s(result.frame))), "there are no duplicates"
    done = collector.backfill_status("cloudwatch")
    assert done and (done.state, done.available) == ("done", done.total)


def test_progress_is_counted_in_periods_with_the_start_of_complete_data(archive):
    source = FakeMetricSource(configured_series=(ECS, HOURLY))
    collector = collector_of(archive, source, since_s=NOON - 36 * 3600)
    statuses = []
    for _ in range(20):
        collector.poll_metrics(source)
        if done := collector.backfill_status("cloudwatch"):
            statuses.append((done.state, done.available, done.total, (NOON - done.complete_since) // 60))
    settled = 36 * 60 - 15
    assert list(dict.fromkeys(statuses)) == [
        ("filling", 45, settled, 60),
        ("filling", 45 + 720, settled, 60 + 720),
        ("filling", 45 + 1440, settled, 60 + 1440),
        ("done", settled, settled, 36 * 60),
    ]
    hours = archive.metrics.read(
        minute_window(-36 * 60, 0), "cloudwatch", now=minute_time(0), series_filter=lambda series: series.hourly
    )
    assert sorted(values_by_minute(hours, HOURLY)) == list(range(-36 * 60, -60, 60))


def test_the_newest_minutes_come_before_the_backfill(archive):
    source = FakeMetricSource(configured_series=(ECS,))
    collector = collector_of(archive, source)
    for minute in range(6):
        source.now = minute_time(minute)
        for _ in range(3):
            collector.poll_metrics(source)
    live = [window for window, _ in source.pulls if window.end > NOON - 900]
    assert [(window.end - NOON) // 60 for window in live] == [0, 1, 2, 3, 4, 5]
    assert len(source.pulls) == 18


def test_requested_windows_come_before_the_backfill(archive):
    source = FakeMetricSource(configured_series=(ECS,))
    collector = collector_of(archive, source)
    collector.poll_metrics(source)
    collector.poll_metrics(source)
    collector.request_window(minute_window(-9000, -8990), "cloudwatch")
    collector.poll_metrics(source)
    assert source.new_requests == [(-60, 0), (-780, -60), (-9000, -8990)]


def test_throttling_increases_the_backoff_and_the_newest_minutes_are_still_polled(archive):
    source = FakeMetricSource(configured_series=(ECS,))
    source.problem_kind = lambda series, window: "throttled" if window.end < NOON - 900 else None
    collector = collector_of(archive, source)
    for second in range(0, 900, 5):
        source.now = minute_time(second / 60)
        collector.poll_metrics(source)
    live = [window for window, _ in source.pulls if window.end > NOON - 900]
    past = len(source.pulls) - len(live)
    assert len(live) == 15
    assert 4 <= past <= 8, "without back-off it would be one per poll"
    waiting = collector.backfill_status("cloudwatch")
    assert waiting and waiting.state == "waiting"
    source.problem_kind = lambda series, window: None
    source.now = minute_time(40)
    assert collector.poll_metrics(source) == 0.0
    collector.poll_metrics(source)
    filling = collector.backfill_status("cloudwatch")
    assert filling and filling.state == "filling"


def test_a_source_that_is_down_at_the_start_is_filled_when_it_comes_back(archive):
    source = FakeMetricSource(configured_series=(ECS,), problem_kind=lambda series, window: "unreachable")
    collector = collector_of(archive, source, since_s=NOON - 86_400)
    for second in range(0, 600, 5):
        source.now = minute_time(second / 60)
        collector.poll_metrics(source)
    assert len(source.pulls) <= 11, "once a minute"
    source.problem_kind = lambda series, window: None
    source.now = minute_time(40)
    poll_until_idle(collector, source)
    assert sorted(
        values_by_minute(archive.metrics.read(minute_window(-DAY, 40), "cloudwatch", now=source.now), ECS)
    ) == list(range(-DAY, 40))


def test_one_forbidden_series_is_tried_once_at_a_time(archive):
    forbidden = replace(ECS, metric="target_5xx")
    source = FakeMetricSource(configured_series=(ECS, forbidden))
    source.problem_kind = lambda series, window: "forbidden_metric" if series == forbidden else None
    collector = collector_of(archive, source, since_s=NOON - 20 * 86_400)
    poll_until_idle(collector, source)
    assert sum(forbidden in series for _, series in source.pulls) == 1
    done = collector.backfill_status("cloudwatch")
    assert done and (done.state, done.available) == ("waiting", done.total)


def test_it_stops_after_a_long_empty_stretch(archive):
    first = NOON - 3 * 86_400
    source = FakeMetricSource(
        configured_series=(ECS,), finest_period=lambda start, now: 60 if now - start < 5 * 86_400 else 3600
    )
    source.value_at = lambda series, ts, asked_at: rising_values(series, ts, asked_at) if ts >= first else None
    collector = collector_of(archive, source)
    poll_until_idle(collector, source)
    oldest = min(window.start for window, _ in source.pulls)
    assert NOON - MAX_RETENTION_S < oldest < first - 15 * 86_400
    done = collector.backfill_status("cloudwatch")
    assert done and done.state == "done" and done.window.start <= first - 15 * 86_400
    source.pulls.clear()
    again = collector_of(archive, source)
    poll_until_idle(again, source)
    assert source.pulls == [], "another process finds the same"


def test_of_unlimited_retention_two_months_of_minutes_are_fetched(archive):
    source = FakeMetricSource(configured_series=(ECS,))
    collector = collector_of(archive, source)
    for _ in range(4):
        collector.poll_metrics(source)
    status = collector.backfill_status("cloudwatch")
    assert status and status.window.start == NOON - 63 * 86_400


def test_a_clock_that_jumps_back_does_not_stop_it(archive):
    source = FakeMetricSource(configured_series=(ECS,), now=minute_time(3000))
    source.problem_kind = lambda series, window: "throttled" if window.end < minute_time(2900).timestamp() else None
    collector = collector_of(archive, source, since_s=NOON - 86_400)
    while not (status := collector.backfill_status("cloudwatch")) or status.state != "waiting":
        collector.poll_metrics(source)
    source.problem_kind, source.now = lambda series, window: None, minute_time(0)
    poll_until_idle(collector, source)
    assert sorted(
        values_by_minute(archive.metrics.read(minute_window(-DAY, 0), "cloudwatch", now=minute_time(0)), ECS)
    ) == list(range(-DAY, 0))


def test_while_the_archive_is_read_only_there_is_no_backfill(archive, monkeypatch):
    source = FakeMetricSource(configured_series=(ECS,))
    collector = collector_of(archive, source)
    collector.poll_metrics(source)
    collector.poll_metrics(source)
    writing = Database.writing

    def disk_full(self, source_name=None):
        error = ArchiveError("disk_full", "database or disk is full")
        self.set_problem(source_name, error.problem)
        raise error

    monkeypatch.setattr(Database, "writing", disk_full)
    source.now = minute_time(1)
    collector.poll_metrics(source)
    for _ in range(10):
        with pytest.raises(ArchiveError):
            collector.poll_metrics(source)
    assert len(source.pulls) == 3, "only the newest minutes, once"
    waiting = collector.backfill_status("cloudwatch")
    assert waiting and waiting.state == "waiting"
    monkeypatch.setattr(Database, "writing", writing)
    source.now = minute_time(2)
    collector.poll_metrics(source)
    collector.poll_metrics(source)
    filling = collector.backfill_status("cloudwatch")
    assert filling and filling.state == "filling"
    assert sorted(
        values_by_minute(archive.metrics.read(minute_window(-1500, 2), "cloudwatch", now=minute_time(2)), ECS)
    ) == list(range(-1500, 2))


def test_past_events_are_fetched_once_and_none_is_removed(archive):
    alerts, clock = FakeAlerts(), [minute_time(0)]
    source = FakeMetricSource(configured_series=(ECS,))

    def make_collector() -> Collector:
        config = CollectorConfig(backfill=True, since_s=NOON - 70 * 86_400)
        return Collector(archive, Sources((source,), events=(alerts,)), config, clock=lambda: clock[0])

    first = make_collector()
    for second in range(0, 50, 2):
        clock[0] = minute_time(second / 60)
        first.poll_events(alerts)
    days = [((window.start - NOON) / 86_400, (window.end - NOON) / 86_400) for window in alerts.requested]
    assert days == [(-1, 0), (-31, -1), (-61, -31), (-70, -61)]
    assert [event.key for event in archive.events.read(minute_window(-100 * DAY, 0))] == ["a"]
    clock[0] = minute_time(1)
    second = make_collector()
    second.poll_events(alerts)
    second.poll_events(alerts)
    assert len(alerts.requested) == 5, "the last day again, and nothing before it"
    clock[0] = minute_time(5 * DAY)
    second.poll_events(alerts)
    second.poll_events(alerts)
    gap, newest = alerts.requested[-1], alerts.requested[-2]
    assert days_of(gap)[0] <= 1 / 1440 and gap.end >= newest.start, "an outage of five days leaves no gap"


def days_of(window: Window) -> tuple[float, float]:
    return (window.start - NOON) / 86_400, (window.end - NOON) / 86_400


def test_a_source_without_past_events_is_retried_later(archive):
    class Silent(FakeAlerts):
        def events(self, window: Window) -> Events:
            is_past = window.end < NOON - 3600
            return replace(super().events(window), complete=not is_past)

    alerts, clock = Silent(), [minute_time(0)]
    collector = Collector(
        archive,
        Sources((FakeMetricSource(),), events=(alerts,)),
        CollectorConfig(backfill=True),
        clock=lambda: clock[0],
    )
    for second in range(0, 58, 2):
        clock[0] = minute_time(second / 60)
        collector.poll_events(alerts)
    assert len(alerts.requested) == 2
    assert not collector.is_up_to_date(alerts.name)


def test_without_any_final_time_since_the_start_it_is_done(archive):
    source = FakeMetricSource(configured_series=(ECS,))
    collector = collector_of(archive, source, since_s=int(source.now.timestamp()))
    assert not collector.is_up_to_date("cloudwatch")
    poll_until_idle(collector, source)
    status = collector.backfill_status("cloudwatch")
    assert status and (status.state, status.total) == ("done", 0)
    assert collector.is_up_to_date("cloudwatch")


def test_backfilled_data_does_not_change_the_cache_key_of_the_newest_hours(archive):
    """Else every page would be redrawn and judged again with each chunk."""

    def version() -> Hashable:
        return archive.metrics.cache_key(minute_window(-60, 5), "cloudwatch", now=source.now)

    source = FakeMetricSource(configured_series=(ECS,))
    archive.metrics.fill(minute_window(-60, 0), source, now=source.now)
    newest, everything = version(), archive.change_counter("cloudwatch")
    archive.metrics.fill(minute_window(-720, -120), source, now=source.now)
    assert version() == newest
    assert archive.change_counter("cloudwatch") > everything
    source.now = minute_time(1)
    archive.metrics.fill(minute_window(-60, 1), source, now=source.now)
    answered = version()
    assert answered != newest  # the unsettled minutes were read again
    source.now, source.problem_kind = minute_time(2), lambda _series, _window: "denied"
    archive.metrics.fill(minute_window(-60, 2), source, now=source.now)
    assert version() != answered
