"""Weight changes: snapshots and logged records, merged."""

from dataclasses import replace
from pathlib import Path

import pytest

from archive import Archive
from domain import WeightChange
from domain.weight_changes import InitialShare
from sources.base import Events, TrafficSnapshot
from tests.factories.archives import open_archive
from tests.factories.events import logged_change, weighted_traffic
from tests.fakes.metric_source import NOON, minute_window

pytestmark = pytest.mark.usefixtures("both_engines")


@pytest.fixture
def archive(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        yield archive


def save_snapshot(archive: Archive, canary: int, second: int) -> None:
    archive.events.save_snapshot(TrafficSnapshot(NOON + second, weighted_traffic(100 - canary, canary)))


def save_changes(archive: Archive, *changes: WeightChange) -> None:
    archive.events.save_events(
        Events(minute_window(-60, 60), NOON + 3600, weight_changes=changes), "cloudtrail", keep_missing=True
    )


def test_a_late_record_adds_the_exact_time_and_the_author(archive: Archive) -> None:
    save_snapshot(archive, 10, 0)
    save_snapshot(archive, 25, 15)
    (observed,) = archive.events.weight_changes()
    assert (observed.since, observed.ts, observed.author) == (NOON, NOON + 15, "")
    save_changes(archive, logged_change(7, 0.25))
    (merged,) = archive.events.weight_changes()
    assert (merged.since, merged.ts, merged.author, merged.title) == (NOON + 7, NOON + 7, "naoko", "10.0% → 25.0%")
    assert merged.sources == ("cloudtrail", "load_balancer")
    (event,) = archive.events.read(minute_window(-10, 10))
    assert (event.kind, event.ts, event.change) == ("weight", NOON + 7, merged)


def test_a_record_is_stored_once_and_stays_if_the_source_drops_it(archive: Archive) -> None:
    save_changes(archive, logged_change(7, 0.25))
    save_changes(archive, logged_change(7, 0.25))
    save_changes(archive)
    assert [change.title for change in archive.events.weight_changes()] == ["? → 25.0%"]
    assert archive.events.covered("cloudtrail") == (minute_window(-60, 60),)


def test_changes_of_header_rules_are_annotations_and_those_of_other_services_are_ignored(archive: Archive) -> None:
    save_snapshot(archive, 10, -600)
    header_rule, foreign = logged_change(5, 1.0, "arn:header", "CreateRule"), logged_change(6, None, "arn:foreign")
    conditions = replace(logged_change(9, None), affects_weights=False)
    save_changes(archive, header_rule, foreign, conditions)
    assert archive.events.weight_changes() == ()
    events = [(event.kind, event.title, event.ts - NOON) for event in archive.events.read(minute_window(-10, 10))]
    assert events == [("annotation", "CreateRule", 5), ("annotation", "ModifyRule", 9)]


def test_without_snapshots_the_rule_with_shares_of_both_fleets_is_the_split(archive: Archive) -> None:
    save_changes(
        archive, logged_change(0, 0.1), logged_change(60, 0.5), logged_change(90, 1.0, "arn:header", "CreateRule")
    )
    assert [change.title for change in archive.events.weight_changes()] == ["? → 10.0%", "10.0% → 50.0%"]
    assert [event.kind for event in archive.events.read(minute_window(-10, 10))] == ["weight", "weight", "annotation"]


def test_the_first_snapshot_gives_the_share_before_the_first_record(archive: Archive) -> None:
    save_snapshot(archive, 10, -600)
    save_changes(archive, logged_change(0, 0.5), logged_change(4, 0.1))
    assert [change.title for change in archive.events.weight_changes()] == ["10.0% → 50.0%", "50.0% → 10.0%"]


def test_a_change_in_snapshots_counts_after_another_rule_became_the_split(archive: Archive) -> None:
    save_snapshot(archive, 10, 0)
    save_snapshot(archive, 25, 15)
    traffic = weighted_traffic(75, 25)
    moved = replace(traffic, rules=(replace(traffic.rules[0], arn="arn:new"),), split_arn="arn:new")
    archive.events.save_snapshot(TrafficSnapshot(NOON + 30, moved))
    assert [change.title for change in archive.events.weight_changes()] == ["10.0% → 25.0%"]


def test_the_share_before_the_first_change_is_known_since_the_first_snapshot(archive: Archive) -> None:
    assert archive.events.initial_share() is None
    save_snapshot(archive, 10, 0)
    save_snapshot(archive, 10, 60)
    assert archive.events.initial_share() == InitialShare(0.1, NOON, NOON)
    save_snapshot(archive, 25, 120)
    assert archive.events.initial_share() == InitialShare(0.1, NOON, NOON)


def test_a_complete_audit_log_tells_how_long_the_first_share_had_been_configured(archive: Archive) -> None:
    save_snapshot(archive, 10, -600)
    save_changes(archive, logged_change(7, 0.25))
    assert archive.events.initial_share() == InitialShare(0.1, minute_window(-60, 60).start, NOON - 600)


def test_a_logged_change_before_the_first_snapshot_leaves_the_share_before_it_unknown(archive: Archive) -> None:
    save_changes(archive, logged_change(7, 0.25))
    save_snapshot(archive, 25, 60)
    assert archive.events.initial_share() is None
