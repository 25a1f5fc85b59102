"""The split's history in the archive: what was looked at and what was logged, joined."""

from dataclasses import replace
from pathlib import Path

import pytest

from archive import Archive
from domain import WeightChange
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
        Events(minute_window(-60, 60), NOON, weight_changes=changes), "cloudtrail", keep_missing=True
    )


def test_a_record_that_comes_late_gives_a_change_its_second_and_its_author(archive: Archive) -> None:
    save_snapshot(archive, 10, 0)
    save_snapshot(archive, 25, 15)
    (seen,) = archive.events.weight_changes()
    assert (seen.since, seen.ts, seen.author) == (NOON, NOON + 15, "")
    save_changes(archive, logged_change(7, 0.25))
    (known,) = archive.events.weight_changes()
    assert (known.since, known.ts, known.author, known.title) == (NOON + 7, NOON + 7, "naoko", "10.0% → 25.0%")
    assert known.sources == ("cloudtrail", "load_balancer")
    (event,) = archive.events.read(minute_window(-10, 10))
    assert (event.kind, event.ts, event.change) == ("weight", NOON + 7, known)


def test_a_record_is_kept_once_however_often_it_is_told_and_stays_when_it_is_told_no_more(archive: Archive) -> None:
    save_changes(archive, logged_change(7, 0.25))
    save_changes(archive, logged_change(7, 0.25))
    save_changes(archive)
    assert [one.title for one in archive.events.weight_changes()] == ["? → 25.0%"]
    assert archive.events.covered("cloudtrail") == (minute_window(-60, 60),)


def test_changes_of_a_door_are_annotations_and_those_of_other_services_nothing(archive: Archive) -> None:
    save_snapshot(archive, 10, -600)
    door, stranger = logged_change(5, 1.0, "arn:door", "CreateRule"), logged_change(6, None, "arn:stranger")
    conditions = replace(logged_change(9, None), affects_weights=False)
    save_changes(archive, door, stranger, conditions)
    assert archive.events.weight_changes() == ()
    told = [(event.kind, event.title, event.ts - NOON) for event in archive.events.read(minute_window(-10, 10))]
    assert told == [("annotation", "CreateRule", 5), ("annotation", "ModifyRule", 9)]


def test_without_a_look_the_rule_that_was_told_a_share_for_both_sides_is_the_split(archive: Archive) -> None:
    save_changes(
        archive, logged_change(0, 0.1), logged_change(60, 0.5), logged_change(90, 1.0, "arn:door", "CreateRule")
    )
    assert [one.title for one in archive.events.weight_changes()] == ["? → 10.0%", "10.0% → 50.0%"]
    assert [event.kind for event in archive.events.read(minute_window(-10, 10))] == ["weight", "weight", "annotation"]


def test_the_first_look_tells_the_share_before_what_only_the_log_knows(archive: Archive) -> None:
    save_snapshot(archive, 10, -600)
    save_changes(archive, logged_change(0, 0.5), logged_change(4, 0.1))
    assert [one.title for one in archive.events.weight_changes()] == ["10.0% → 50.0%", "50.0% → 10.0%"]
