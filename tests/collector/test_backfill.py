"""The back-fill: what of the past is asked for, in which order, and how it gives way."""

from collections.abc import Hashable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from archive import Archive, ArchiveError
from collector.backfill import MAX_RETENTION_S
from collector.collector import Collector
from domain import Window, epoch_s
from sources.base import Events
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
    """As CloudWatch keeps periods, with a few days instead of months."""
    days = (now - start) / 86_400
    return 60 if days <= 2 else 300 if days <= 4 else 3600 if days <= 10 else 0


def collector_of(
    archive: Archive, source: FakeMetricSource, *, since_s: int | None = None, horizon_minutes: int = 60
) -> Collector:
    return Collector(
        archive,
        [source],
        None,
        [],
        horizon_minutes=horizon_minutes,
        backfill=True,
        since_s=since_s,
        clock=lambda: source.now,
    )


def poll_until_idle(collector: Collector, source: FakeMetricSource, *, max_polls: int = 200) -> list[float]:
    """Rounds until the keeper waits for something, and what each said."""
    told = []
    for _ in range(max_polls):
        told.append(collector.poll_metrics(source))
        if told[-1] >= 15:
            return told
    raise AssertionError("It never comes to rest.")


def test_it_fills_what_the_source_retains_newest_first_in_the_period_of_its_age(archive):
    world = FakeMetricSource(configured_series=(ECS,), finest_period=cloudwatch)
    keeper = collector_of(archive, world)
    poll_until_idle(keeper, world)
    asked = [((window.start - NOON) / 60, (window.end - NOON) / 60) for window, _ in world.pulls]
    assert asked[:4] == [(-60, 0), (-60 - 720, -60), (-60 - 1440, -60 - 720), (-60 - 2160, -60 - 1440)]
    assert [end for _, end in asked] == sorted((end for _, end in asked), reverse=True)
    assert all(newer[0] == older[1] for newer, older in pairwise(asked))
    brought = archive.metrics.read(minute_window(-11 * DAY, 0), "cloudwatch", now=minute_time(0))
    lengths = brought.frame.groupby("period_s")["ts"]
    spans = {period_s: ((ts.min() - minute_time(0)).total_seconds() / 86_400, len(ts)) for period_s, ts in lengths}
    assert spans == {60: (-2, 2 * DAY), 300: (-4, 2 * 288), 3600: (-10, 6 * 24)}
    backfilled = keeper.backfill_status("cloudwatch")
    assert (backfilled.state, backfilled.complete_since) == ("done", NOON - 10 * 86_400), (
        "before that the source keeps nothing"
    )
    assert len(brought.frame) == len(set(epoch_s(brought.frame))), "nothing is there twice"
    done = keeper.backfill_status("cloudwatch")
    assert done and (done.state, done.available) == ("done", done.total)


def test_progress_is_counted_in_periods_with_the_start_of_complete_data(archive):
    world = FakeMetricSource(configured_series=(ECS, HOURLY))
    keeper = collector_of(archive, world, since_s=NOON - 36 * 3600)
    told = []
    for _ in range(20):
        keeper.poll_metrics(world)
        if done := keeper.backfill_status("cloudwatch"):
            told.append((done.state, done.available, done.total, (NOON - done.complete_since) // 60))
    settled = 36 * 60 - 15
    assert list(dict.fromkeys(told)) == [
        ("filling", 45, settled, 60),
        ("filling", 45 + 720, settled, 60 + 720),
        ("filling", 45 + 1440, settled, 60 + 1440),
        ("done", settled, settled, 36 * 60),
    ]
    hours = archive.metrics.read(
        minute_window(-36 * 60, 0), "cloudwatch", now=minute_time(0), only=lambda one: one.hourly
    )
    assert sorted(values_by_minute(hours, HOURLY)) == list(range(-36 * 60, -60, 60))


def test_the_newest_minutes_come_before_the_backfill(archive):
    world = FakeMetricSource(configured_series=(ECS,))
    keeper = collector_of(archive, world)
    for minute in range(6):
        world.now = minute_time(minute)
        for _ in range(3):
            keeper.poll_metrics(world)
    live = [window for window, _ in world.pulls if window.end > NOON - 900]
    assert [(window.end - NOON) // 60 for window in live] == [0, 1, 2, 3, 4, 5]
    assert len(world.pulls) == 18


def test_requested_windows_come_before_the_backfill(archive):
    world = FakeMetricSource(configured_series=(ECS,))
    keeper = collector_of(archive, world)
    keeper.poll_metrics(world)
    keeper.poll_metrics(world)
    keeper.request_window(minute_window(-9000, -8990), "cloudwatch")
    keeper.poll_metrics(world)
    assert world.new_requests == [(-60, 0), (-780, -60), (-9000, -8990)]


def test_throttling_increases_the_backoff_and_the_newest_minutes_are_still_polled(archive):
    world = FakeMetricSource(configured_series=(ECS,))
    world.problem_kind = lambda series, window: "throttled" if window.end < NOON - 900 else None
    keeper = collector_of(archive, world)
    for second in range(0, 900, 5):
        world.now = minute_time(second / 60)
        keeper.poll_metrics(world)
    live = [window for window, _ in world.pulls if window.end > NOON - 900]
    past = len(world.pulls) - len(live)
    assert len(live) == 15
    assert 4 <= past <= 8, "without a pause it would be one a round"
    waiting = keeper.backfill_status("cloudwatch")
    assert waiting and waiting.state == "waiting"
    world.problem_kind = lambda series, window: None
    world.now = minute_time(40)
    assert keeper.poll_metrics(world) == 0.0
    keeper.poll_metrics(world)
    filling = keeper.backfill_status("cloudwatch")
    assert filling and filling.state == "filling"


def test_a_source_that_is_down_at_the_start_is_filled_when_it_comes_back(archive):
    world = FakeMetricSource(configured_series=(ECS,), problem_kind=lambda series, window: "unreachable")
    keeper = collector_of(archive, world, since_s=NOON - 86_400)
    for second in range(0, 600, 5):
        world.now = minute_time(second / 60)
        keeper.poll_metrics(world)
    assert len(world.pulls) <= 11, "once a minute"
    world.problem_kind = lambda series, window: None
    world.now = minute_time(40)
    poll_until_idle(keeper, world)
    assert sorted(
        values_by_minute(archive.metrics.read(minute_window(-DAY, 40), "cloudwatch", now=world.now), ECS)
    ) == list(range(-DAY, 40))


def test_one_forbidden_series_is_tried_once_at_a_time(archive):
    forbidden = replace(ECS, metric="target_5xx")
    world = FakeMetricSource(configured_series=(ECS, forbidden))
    world.problem_kind = lambda series, window: "forbidden_metric" if series == forbidden else None
    keeper = collector_of(archive, world, since_s=NOON - 20 * 86_400)
    poll_until_idle(keeper, world)
    assert sum(forbidden in series for _, series in world.pulls) == 1
    done = keeper.backfill_status("cloudwatch")
    assert done and (done.state, done.available) == ("waiting", done.total)


def test_it_stops_after_a_long_empty_stretch(archive):
    first = NOON - 3 * 86_400
    world = FakeMetricSource(
        configured_series=(ECS,), finest_period=lambda start, now: 60 if now - start < 5 * 86_400 else 3600
    )
    world.value_at = lambda series, ts, asked_at: rising_values(series, ts, asked_at) if ts >= first else None
    keeper = collector_of(archive, world)
    poll_until_idle(keeper, world)
    oldest = min(window.start for window, _ in world.pulls)
    assert NOON - MAX_RETENTION_S < oldest < first - 15 * 86_400
    done = keeper.backfill_status("cloudwatch")
    assert done and done.state == "done" and done.window.start <= first - 15 * 86_400
    world.pulls.clear()
    again = collector_of(archive, world)
    poll_until_idle(again, world)
    assert world.pulls == [], "another process finds the same"


def test_of_unlimited_retention_two_months_of_minutes_are_fetched(archive):
    world = FakeMetricSource(configured_series=(ECS,))
    keeper = collector_of(archive, world)
    for _ in range(4):
        keeper.poll_metrics(world)
    told = keeper.backfill_status("cloudwatch")
    assert told and told.window.start == NOON - 63 * 86_400


def test_a_clock_that_jumps_back_does_not_stop_it(archive):
    world = FakeMetricSource(configured_series=(ECS,), now=minute_time(3000))
    world.problem_kind = lambda series, window: "throttled" if window.end < minute_time(2900).timestamp() else None
    keeper = collector_of(archive, world, since_s=NOON - 86_400)
    while not (told := keeper.backfill_status("cloudwatch")) or told.state != "waiting":
        keeper.poll_metrics(world)
    world.problem_kind, world.now = lambda series, window: None, minute_time(0)
    poll_until_idle(keeper, world)
    assert sorted(
        values_by_minute(archive.metrics.read(minute_window(-DAY, 0), "cloudwatch", now=minute_time(0)), ECS)
    ) == list(range(-DAY, 0))


def test_while_the_archive_is_read_only_there_is_no_backfill(archive, monkeypatch):
    world = FakeMetricSource(configured_series=(ECS,))
    keeper = collector_of(archive, world)
    keeper.poll_metrics(world)
    keeper.poll_metrics(world)
    full = type(archive)._keeping

    def disk_full(self, name):
        held = self._held_of(name)
        error = ArchiveError("disk_full", "database or disk is full")
        held.problem = error.problem
        raise error

    monkeypatch.setattr(type(archive), "_keeping", disk_full)
    world.now = minute_time(1)
    keeper.poll_metrics(world)
    for _ in range(10):
        with pytest.raises(ArchiveError):
            keeper.poll_metrics(world)
    assert len(world.pulls) == 3, "the live edge once, and nothing else"
    waiting = keeper.backfill_status("cloudwatch")
    assert waiting and waiting.state == "waiting"
    monkeypatch.setattr(type(archive), "_keeping", full)
    world.now = minute_time(2)
    keeper.poll_metrics(world)
    keeper.poll_metrics(world)
    filling = keeper.backfill_status("cloudwatch")
    assert filling and filling.state == "filling"
    assert sorted(
        values_by_minute(archive.metrics.read(minute_window(-1500, 2), "cloudwatch", now=minute_time(2)), ECS)
    ) == list(range(-1500, 2))


def test_past_events_are_fetched_once_and_none_is_removed(archive):
    alerts, clock = FakeAlerts(), [minute_time(0)]
    world = FakeMetricSource(configured_series=(ECS,))

    def keeper() -> Collector:
        return Collector(
            archive, [world], None, [alerts], backfill=True, since_s=NOON - 70 * 86_400, clock=lambda: clock[0]
        )

    one = keeper()
    for second in range(0, 50, 2):
        clock[0] = minute_time(second / 60)
        one.poll_events(alerts)
    days = [((window.start - NOON) / 86_400, (window.end - NOON) / 86_400) for window in alerts.requested]
    assert days == [(-1, 0), (-31, -1), (-61, -31), (-70, -61)]
    assert [event.key for event in archive.events.read(minute_window(-100 * DAY, 0))] == ["a"]
    clock[0] = minute_time(1)
    another = keeper()
    another.poll_events(alerts)
    another.poll_events(alerts)
    assert len(alerts.requested) == 5, "the last day again, and nothing before it"
    clock[0] = minute_time(5 * DAY)
    another.poll_events(alerts)
    another.poll_events(alerts)
    assert days_of(alerts.requested[-1]) == (1 / 1440, 4), "an outage of five days leaves no gap"


def days_of(window: Window) -> tuple[float, float]:
    return (window.start - NOON) / 86_400, (window.end - NOON) / 86_400


def test_a_source_without_past_events_is_retried_later(archive):
    class Silent(FakeAlerts):
        def events(self, window: Window) -> Events:
            old = window.end < NOON - 3600
            return replace(super().events(window), complete=not old)

    alerts, clock = Silent(), [minute_time(0)]
    keeper = Collector(archive, [FakeMetricSource()], None, [alerts], backfill=True, clock=lambda: clock[0])
    for second in range(0, 58, 2):
        clock[0] = minute_time(second / 60)
        keeper.poll_events(alerts)
    assert len(alerts.requested) == 2
    assert not keeper.is_up_to_date(alerts.name)


def test_backfilled_data_does_not_change_the_cache_key_of_the_newest_hours(archive):
    """Every page would be drawn and judged anew with each piece of the past."""

    def version() -> Hashable:
        return archive.metrics.cache_key(minute_window(-60, 5), "cloudwatch", now=world.now)

    world = FakeMetricSource(configured_series=(ECS,))
    archive.metrics.fill(minute_window(-60, 0), world, now=world.now)
    newest, everything = version(), archive.change_counter("cloudwatch")
    archive.metrics.fill(minute_window(-720, -120), world, now=world.now)
    assert version() == newest
    assert archive.change_counter("cloudwatch") > everything
    world.now = minute_time(1)
    archive.metrics.fill(minute_window(-60, 1), world, now=world.now)
    answered = version()
    assert answered != newest  # the unsettled minutes were read again
    world.now, world.problem_kind = minute_time(2), lambda _series, _window: "denied"
    archive.metrics.fill(minute_window(-60, 2), world, now=world.now)
    assert version() != answered
