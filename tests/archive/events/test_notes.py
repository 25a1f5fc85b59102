"""Notes: kept, listed with everything else that happened, removed; and nobody else's events touched."""

from pathlib import Path

import pytest

from archive import NOTES, Archive
from domain import Event, Window
from sources.base import Events
from tests.factories.archives import MIGRATION, open_archive
from tests.fakes.metric_source import EC2, NOON, FakeMetricSource, minute_time, minute_window

pytestmark = pytest.mark.usefixtures("both_engines")

HOUR = Window(NOON, NOON + 3600)


@pytest.fixture
def archive(tmp_path: Path):  # type: ignore[no-untyped-def]
    with open_archive(tmp_path) as archive:
        yield archive


def test_a_note_is_one_of_the_things_that_happened(archive: Archive) -> None:
    kept = archive.notes.add(NOON + 90, "  Sale\nbegins ", " Mika ")
    assert archive.events.read(HOUR) == (kept,)
    assert (kept.kind, kept.title, kept.detail, kept.source, kept.ts) == (
        "note",
        "Sale begins",
        "Mika",
        NOTES,
        NOON + 90,
    )


def test_two_notes_of_one_second_are_two(archive: Archive) -> None:
    archive.notes.add(NOON, "one")
    archive.notes.add(NOON, "one")
    assert len(archive.events.read(HOUR)) == 2


def test_a_removed_note_is_gone_and_may_be_removed_again(archive: Archive) -> None:
    kept = archive.notes.add(NOON, "wrong")
    assert archive.notes.remove(kept.key) is True
    assert archive.events.read(HOUR) == ()
    assert archive.notes.remove(kept.key) is False


def test_only_notes_can_be_removed_and_sources_forget_none(archive: Archive) -> None:
    told = Event(NOON, None, "alert", "5xx", "", "", "", "mackerel_events", "alert:1")
    kept = archive.notes.add(NOON + 60, "Sale begins")
    archive.events.save_events(Events(HOUR, NOON, (told,)), "mackerel_events")
    assert archive.notes.remove("alert:1") is False
    archive.events.save_events(Events(HOUR, NOON, ()), "mackerel_events")  # the alert was deleted over there
    assert archive.events.read(HOUR) == (kept,)


def test_pages_hear_of_it_and_no_source_appears(archive: Archive) -> None:
    before = archive.change_counter()
    kept = archive.notes.add(NOON, "Sale begins")
    after = archive.change_counter()
    archive.notes.remove(kept.key)
    assert before < after < archive.change_counter()
    assert archive.events.source_states() == ()


def test_a_note_without_words_is_none(archive: Archive) -> None:
    with pytest.raises(ValueError, match="words"):
        archive.notes.add(NOON, " \n ")


def test_a_note_is_one_line_of_five_hundred_characters(archive: Archive) -> None:
    kept = archive.notes.add(NOON, "x" * 900, "y" * 90)
    assert (len(kept.title), len(kept.detail)) == (500, 60)


def test_a_note_outlives_the_process(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        kept = archive.notes.add(NOON, "Sale begins")
    with open_archive(tmp_path) as archive:
        assert archive.events.read(HOUR) == (kept,)


def test_the_span_is_what_was_answered_and_wanted_what_was_asked_for(archive: Archive) -> None:
    assert (archive.metrics.covered_span("cloudwatch"), archive.metrics.configured_series("cloudwatch")) == (None, ())
    world = FakeMetricSource(now=minute_time(120))
    archive.metrics.fill(minute_window(0, 60), world, now=minute_time(120))
    archive.metrics.fill(minute_window(80, 90), world, now=minute_time(120))
    assert archive.metrics.covered_span("cloudwatch") == minute_window(0, 90)
    assert EC2 in archive.metrics.configured_series("cloudwatch") and MIGRATION.name == "Photo service"
