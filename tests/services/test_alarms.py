"""Alarms of now from the archive, and their events: one for each stretch, however often and by how many processes it is written."""

from dataclasses import replace
from pathlib import Path

import pytest

from archive import Archive
from collector.collector import Collector, CollectorConfig
from domain import Event, Series
from messages.alarms import event_texts as alarm_texts
from messages.i18n import in_language
from services.alarms import ALARM_EVENTS, AlarmStatus, alarm_saver, alarm_window, read_alarms, save_alarms
from sources.base import TrafficSnapshot
from sources.registry import Sources
from tests.factories.archives import MIGRATION, open_archive
from tests.factories.events import weighted_traffic
from tests.fakes.metric_source import EC2, ECS, NOON, FakeMetricSource, minute_time

both_engines = pytest.mark.usefixtures("both_engines")
COUNTS = tuple(
    Series("cloudwatch", series.fleet, series.target_group, metric, "sum", "count")
    for series in (EC2, ECS)
    for metric in ("requests", "target_2xx", "target_3xx", "target_4xx", "target_5xx", "connection_errors")
)
ALB = Series("cloudwatch", "load_balancer", "", "alb_5xx", "sum", "count")


class Outages:
    """Both fleets have 1,000 requests a minute. In the minutes of `failing` (after noon) 900 of the canary's are answered with 5xx."""

    def __init__(self, *failing: int) -> None:
        self.failing = set(failing)
        self.source = FakeMetricSource(configured_series=(*COUNTS, ALB), value_at=self.value_at)

    def value_at(self, series: Series, ts: int, _asked_at: int) -> float | None:
        errors = 900.0 if series.fleet == "canary" and (ts - NOON) // 60 in self.failing else 0.0
        return {"requests": 1000.0, "target_5xx": errors, "target_2xx": 1000.0 - errors}.get(series.metric)

    def poll(self, archive: Archive, minute: float) -> AlarmStatus:
        """Fetches what is due, saves the alarms, and returns those that are open."""
        now = self.source.now = minute_time(minute)
        snapshot = TrafficSnapshot(int(now.timestamp()), weighted_traffic(50, 50))
        archive.events.save_snapshot(snapshot, "load_balancer")
        archive.metrics.get(alarm_window(now), self.source, now=now)
        save_alarms(archive, MIGRATION, "cloudwatch", now=now)
        return read_alarms(archive, MIGRATION, "cloudwatch", now=now)


def stored(archive: Archive) -> list[tuple[int, int | None, bool]]:
    """Start, end (minutes after noon) and whether it is open, of each event."""
    events = archive.events.of_source(ALARM_EVENTS)
    return [((e.ts - NOON) // 60, e.until and (e.until - NOON) // 60, e.open) for e in events]


@both_engines
def test_an_outage_from_the_first_minute_to_the_event_of_the_past(tmp_path: Path) -> None:
    outages = Outages(*range(10))
    with open_archive(tmp_path) as archive:
        assert outages.poll(archive, 2).alarms == () and stored(archive) == []
        (alarm,) = outages.poll(archive, 3).alarms
        assert (alarm.rule, alarm.fleet, alarm.start, alarm.raised_at) == ("error_rate", "canary", NOON, NOON + 180)
        assert stored(archive) == [(0, None, True)]
        outages.poll(archive, 10)
        assert stored(archive) == [(0, None, True)]
        assert outages.poll(archive, 12).alarms == ()
        assert stored(archive) == [(0, 10, False)]
        outages.poll(archive, 190)  # the outage has left the window of the rules
        assert stored(archive) == [(0, 10, False)]
        (event,) = archive.events.of_source(ALARM_EVENTS)
    assert (event.kind, event.fleet, event.title) == ("alarm", "canary", "ECS error_rate")
    assert alarm_texts(event) == (
        "ECS error rate 90.0%",
        "Alarm (not a verdict): error rate ECS 90.0% (9,000 of 10,000), EC2 0% (0 of 10,000).",
    )
    with in_language("ja"):
        assert alarm_texts(event)[0] == "ECS エラー率 90.0%"


@both_engines
def test_two_replicas_and_a_restart_write_one_event(tmp_path: Path) -> None:
    outages = Outages(*range(300))
    with open_archive(tmp_path) as first, open_archive(tmp_path) as second:
        for minute in (3, 4, 5):
            outages.poll(first, minute)
            save_alarms(second, MIGRATION, "cloudwatch", now=minute_time(minute))
        assert stored(first) == stored(second) == [(0, None, True)]
    with open_archive(tmp_path) as restarted:
        outages.poll(restarted, 280)  # longer than the rules look back
        assert stored(restarted) == [(0, None, True)]
        assert read_alarms(restarted, MIGRATION, "cloudwatch", now=minute_time(280)).alarms[0].start == NOON


def test_an_end_during_downtime_is_found_after_the_restart(tmp_path: Path) -> None:
    outages = Outages(*range(30))
    with open_archive(tmp_path) as archive:
        outages.poll(archive, 5)
        outages.poll(archive, 120)
        assert stored(archive) == [(0, 30, False)]


def test_revised_counts_move_the_event_and_add_none(tmp_path: Path) -> None:
    outages = Outages(1, 2, 3, 4)
    with open_archive(tmp_path) as archive:
        outages.poll(archive, 4)
        assert stored(archive) == [(1, None, True)]
        outages.failing = {0, 1, 2, 3, 4}  # the first minute failed, too
        outages.poll(archive, 5)
        assert stored(archive) == [(0, None, True)]


def test_an_alarm_that_was_revised_away_is_over(tmp_path: Path) -> None:
    outages = Outages(1, 2, 3)
    with open_archive(tmp_path) as archive:
        outages.poll(archive, 4)
        outages.failing = set()
        assert outages.poll(archive, 5).alarms == ()
        assert stored(archive) == [(1, 5, False)]


def test_data_that_is_too_old_is_neither_an_alarm_nor_none(tmp_path: Path) -> None:
    outages = Outages(*range(100))
    with open_archive(tmp_path) as archive:
        outages.poll(archive, 5)
        now = minute_time(30)
        status = read_alarms(archive, MIGRATION, "cloudwatch", now=now)
        assert status.alarms == () and not status.is_known and len(status.not_known) == 8
        save_alarms(archive, MIGRATION, "cloudwatch", now=now)
        assert stored(archive) == [(0, 5, False)]


def test_weights_of_long_ago_leave_a_fleet_without_requests_unknown(tmp_path: Path) -> None:
    outages = Outages()
    with open_archive(tmp_path) as archive:
        assert outages.poll(archive, 5).not_known == ()
        now = outages.source.now = minute_time(11)
        archive.metrics.get(alarm_window(now), outages.source, now=now)
        status = read_alarms(archive, MIGRATION, "cloudwatch", now=now)
        assert status.not_known == (("no_requests", "baseline"), ("no_requests", "canary"))


def test_the_collector_saves_alarms_of_its_first_source(tmp_path: Path) -> None:
    outages = Outages(*range(10))
    other = Outages(*range(10)).source
    other.name = "mackerel"
    other.configured_series = tuple(replace(series, source="mackerel") for series in other.configured_series)
    outages.source.now = other.now = minute_time(5)
    with open_archive(tmp_path) as archive:
        metrics = (outages.source, other)
        saver = alarm_saver(archive, MIGRATION, metrics)
        config = CollectorConfig(horizon_minutes=240)
        collector = Collector(archive, Sources(metrics), config, on_new_metrics=saver, clock=lambda: outages.source.now)
        collector.poll_metrics(other)
        assert stored(archive) == []
        collector.poll_metrics(outages.source)
        assert stored(archive) == [(0, None, True)]


def test_other_events_are_left_alone(tmp_path: Path) -> None:
    note = Event(NOON, None, "note", "Deployed", "", "", "", "by_hand", "1")
    with open_archive(tmp_path) as archive:
        archive.events.replace_events("by_hand", lambda _stored: (note,))
        outages = Outages(*range(10))
        outages.poll(archive, 5)
        archive.events.replace_events(ALARM_EVENTS, lambda _stored: ())
        assert archive.events.of_source("by_hand") == (note,) and stored(archive) == []
