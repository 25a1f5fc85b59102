"""Traffic snapshots, events, change counters and slots."""

from dataclasses import replace
from pathlib import Path

import pytest

from archive import Archive, ArchiveError
from domain import Traffic
from sources.base import Events, Problem, TrafficSnapshot
from tests.factories.archives import open_archive, set_read_only
from tests.factories.events import RULE, TRAFFIC, make_alert, weighted_traffic
from tests.fakes.metric_source import NOON, minute_time, minute_window

pytestmark = pytest.mark.usefixtures("both_engines")


@pytest.fixture
def archive(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        yield archive


def save_snapshot(archive: Archive, traffic: Traffic | None, second: int) -> None:
    archive.events.save_snapshot(TrafficSnapshot(NOON + second, traffic))


def test_equal_snapshots_are_one_row(archive):
    assert archive.events.latest_traffic() is None
    for second in (0, 15, 30):
        save_snapshot(archive, TRAFFIC, second)
    assert archive.events.latest_traffic() == (replace(TRAFFIC, asked_at=NOON + 30), NOON + 30)
    assert archive.events.weight_changes() == archive.events.read(minute_window(-10, 10)) == ()


def test_a_weight_change_is_an_event_with_the_time_of_the_snapshot_before(archive):
    for second, canary in ((0, 10), (15, 10), (30, 50), (45, 50), (60, 10)):
        save_snapshot(archive, weighted_traffic(100 - canary, canary), second)
    first, second = archive.events.read(minute_window(0, 10))
    assert (first.kind, first.ts, first.title) == ("weight", NOON + 30, "10.0% → 50.0%")
    assert (second.kind, second.ts, second.title) == ("weight", NOON + 60, "50.0% → 10.0%")
    assert [(change.since, change.ts, change.rule) for change in archive.events.weight_changes()] == [
        (NOON + 15, NOON + 30, RULE),
        (NOON + 45, NOON + 60, RULE),
    ]
    assert archive.events.latest_traffic() == (replace(weighted_traffic(90, 10), asked_at=NOON + 60), NOON + 60)


def test_a_failed_snapshot_keeps_the_last_weights_and_stores_the_problem(archive):
    save_snapshot(archive, TRAFFIC, 0)
    denied = Problem("denied", "load_balancer", "elasticloadbalancing:DescribeRules")
    archive.events.save_snapshot(TrafficSnapshot(NOON + 15, None, (denied,), 0.2))
    assert archive.events.latest_traffic() == (replace(TRAFFIC, asked_at=NOON), NOON)
    (state,) = archive.events.source_states()
    assert (state.source, state.state, state.problems) == ("load_balancer", "denied", (denied,))
    assert (state.checked_at, state.last_success_at) == (NOON + 15, NOON)


def test_an_older_snapshot_is_ignored_unless_a_clock_was_set_back(archive):
    save_snapshot(archive, weighted_traffic(50, 50), 30)
    save_snapshot(archive, weighted_traffic(90, 10), 29)
    assert archive.events.latest_traffic() == (replace(weighted_traffic(50, 50), asked_at=NOON + 30), NOON + 30)
    save_snapshot(archive, weighted_traffic(90, 10), -3600)
    assert archive.events.latest_traffic() == (replace(weighted_traffic(90, 10), asked_at=NOON - 3600), NOON - 3600)


def test_an_event_is_stored_once_in_its_newest_version(archive):
    archive.events.save_events(
        Events(minute_window(-60, 0), NOON, (make_alert("a", -10, open=True),)), "mackerel_events"
    )
    archive.events.save_events(Events(minute_window(-60, 1), NOON + 60, (make_alert("a", -10, 1),)), "mackerel_events")
    assert archive.events.read(minute_window(-60, 10)) == (make_alert("a", -10, 1),)


def test_events_overlap_the_window(archive):
    alerts = (
        make_alert("long", -50, -5),
        make_alert("over", -50, -40),
        make_alert("open", -45, open=True),
        make_alert("moment", -20),
    )
    archive.events.save_events(Events(minute_window(-60, 0), NOON, alerts), "mackerel_events")
    assert [event.key for event in archive.events.read(minute_window(-30, 0))] == ["long", "open", "moment"]
    assert [event.key for event in archive.events.read(minute_window(-60, -48))] == ["long", "over"]
    assert [event.key for event in archive.events.read(minute_window(100, 200))] == ["open"]


def test_an_event_is_deleted_only_by_a_complete_answer_of_its_source(archive):
    alerts = (make_alert("a", -10), make_alert("b", -5), make_alert("older", -90))
    archive.events.save_events(Events(minute_window(-100, 0), NOON, alerts), "mackerel_events")
    save_snapshot(archive, weighted_traffic(90, 10), -300)
    save_snapshot(archive, weighted_traffic(50, 50), -280)

    archive.events.save_events(
        Events(minute_window(-60, 0), NOON, (make_alert("a", -10),), complete=False), "mackerel_events"
    )
    assert len(archive.events.read(minute_window(-100, 0))) == 4
    archive.events.save_events(Events(minute_window(-60, 0), NOON), "deployments")
    assert len(archive.events.read(minute_window(-100, 0))) == 4
    archive.events.save_events(Events(minute_window(-60, 0), NOON, (make_alert("a", -10),)), "mackerel_events")
    assert [event.key for event in archive.events.read(minute_window(-100, 0)) if event.kind == "alert"] == [
        "older",
        "a",
    ]
    assert len(archive.events.weight_changes(minute_window(-100, 0))) == 1


@pytest.mark.parametrize(
    ("asked_at_s", "clock_ahead_s", "covered"),
    [
        (0, 0.0, [minute_window(-60, 0)]),
        (59, 0.0, [minute_window(-60, 0)]),
        (-1, 0.0, [minute_window(-60, -1)]),  # the local clock has not reached the end
        (30, 30.0, [minute_window(-60, 0)]),
        (30, 30.2, [minute_window(-60, -1)]),
        (0, 1800.0, [minute_window(-60, -30)]),
        (0, 3 * 3600.0, []),
    ],
)
def test_events_cover_what_is_over_by_both_clocks(archive, asked_at_s, clock_ahead_s, covered):
    events = Events(minute_window(-60, 0), NOON + asked_at_s, clock_ahead_s=clock_ahead_s)
    archive.events.save_events(events, "cloudtrail")
    assert archive.events.covered("cloudtrail") == tuple(covered)


def test_a_write_changes_only_the_counter_of_its_source(archive):
    save_snapshot(archive, TRAFFIC, 0)
    before = (
        archive.change_counter("load_balancer"),
        archive.change_counter("mackerel_events"),
        archive.change_counter(),
    )
    archive.events.save_events(Events(minute_window(-60, 0), NOON), "mackerel_events")
    assert archive.change_counter("load_balancer") == before[0]
    assert archive.change_counter("mackerel_events") > before[1]
    assert archive.change_counter() > before[2]


def test_one_process_acquires_the_slot(archive, tmp_path):
    with open_archive(tmp_path) as other:
        assert archive.try_acquire_slot("load_balancer", "traffic", now=minute_time(0), interval_s=15) == 0
        assert other.try_acquire_slot("load_balancer", "traffic", now=minute_time(0.1), interval_s=15) == 9
        assert other.try_acquire_slot("load_balancer", "traffic", now=minute_time(0.25), interval_s=15) == 0
        assert archive.try_acquire_slot("mackerel_events", "events", now=minute_time(0.25), interval_s=15) == 0
        assert archive.try_acquire_slot("load_balancer", "traffic", now=minute_time(-60), interval_s=15) == 0, (
            "a clock was set back"
        )


def test_of_equal_snapshots_that_cannot_be_written_the_first_and_the_last_are_buffered(archive):
    set_read_only(archive)
    for second in range(0, 15 * 200, 15):
        with pytest.raises(ArchiveError):
            save_snapshot(archive, weighted_traffic(90, 10) if second < 30 else weighted_traffic(50, 50), second)
    set_read_only(archive, read_only=False)
    save_snapshot(archive, weighted_traffic(50, 50), 3000)
    (change,) = archive.events.weight_changes()
    assert (change.since, change.ts) == (NOON + 15, NOON + 30)
    assert archive.events.latest_traffic() == (replace(weighted_traffic(50, 50), asked_at=NOON + 3000), NOON + 3000)
