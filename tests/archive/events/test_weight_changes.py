"""The split's history in the archive: what was looked at and what was logged, joined."""

from dataclasses import replace
from pathlib import Path

import pytest

from archive import Archive
from domain import SplitChange
from sources.base import Events, Look
from tests.archive.events.test_store import RULE, weights
from tests.fakes.metric_source import NOON, open_archive, span

pytestmark = pytest.mark.usefixtures("both_engines")


@pytest.fixture
def archive(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        yield archive


def look(archive: Archive, canary: int, second: int) -> None:
    archive.keep_look(Look(NOON + second, weights(100 - canary, canary)))


def logged(second: int, after: float | None, rule: str = RULE, operation: str = "ModifyRule") -> SplitChange:
    at = NOON + second
    return SplitChange(
        at, at, None, after, rule, operation, "naoko", "console", ("cloudtrail",), f"{second}{rule}", raw="{}"
    )


def keep(archive: Archive, *changes: SplitChange) -> None:
    archive.keep_events(Events(span(-60, 60), NOON, changes=changes), "cloudtrail", history=True)


def test_a_record_that_comes_late_gives_a_change_its_second_and_its_author(archive: Archive) -> None:
    look(archive, 10, 0)
    look(archive, 25, 15)
    (seen,) = archive.split_changes()
    assert (seen.since, seen.ts, seen.who) == (NOON, NOON + 15, "")
    keep(archive, logged(7, 0.25))
    (known,) = archive.split_changes()
    assert (known.since, known.ts, known.who, known.title) == (NOON + 7, NOON + 7, "naoko", "10.0% → 25.0%")
    assert known.sources == ("cloudtrail", "load_balancer")
    (event,) = archive.events(span(-10, 10))
    assert (event.kind, event.ts, event.change) == ("weight", NOON + 7, known)


def test_a_record_is_kept_once_however_often_it_is_told_and_stays_when_it_is_told_no_more(archive: Archive) -> None:
    keep(archive, logged(7, 0.25))
    keep(archive, logged(7, 0.25))
    keep(archive)
    assert [one.title for one in archive.split_changes()] == ["? → 25.0%"]
    assert archive.heard("cloudtrail") == (span(-60, 60),)


def test_changes_of_a_door_are_annotations_and_those_of_other_services_nothing(archive: Archive) -> None:
    look(archive, 10, -600)
    door, stranger = logged(5, 1.0, "arn:door", "CreateRule"), logged(6, None, "arn:stranger")
    conditions = replace(logged(9, None), told=False)
    keep(archive, door, stranger, conditions)
    assert archive.split_changes() == ()
    told = [(event.kind, event.title, event.ts - NOON) for event in archive.events(span(-10, 10))]
    assert told == [("annotation", "CreateRule", 5), ("annotation", "ModifyRule", 9)]


def test_without_a_look_the_rule_that_was_told_a_share_for_both_sides_is_the_split(archive: Archive) -> None:
    keep(archive, logged(0, 0.1), logged(60, 0.5), logged(90, 1.0, "arn:door", "CreateRule"))
    assert [one.title for one in archive.split_changes()] == ["? → 10.0%", "10.0% → 50.0%"]
    assert [event.kind for event in archive.events(span(-10, 10))] == ["weight", "weight", "annotation"]


def test_the_first_look_tells_the_share_before_what_only_the_log_knows(archive: Archive) -> None:
    look(archive, 10, -600)
    keep(archive, logged(0, 0.5), logged(4, 0.1))
    assert [one.title for one in archive.split_changes()] == ["10.0% → 50.0%", "50.0% → 10.0%"]
