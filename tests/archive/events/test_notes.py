"""Notes: kept, listed with everything else that happened, removed; and nobody else's events touched."""

from pathlib import Path

import pytest

from archive import NOTES, Archive
from domain import Event, Window
from sources.base import Events
from tests.fakes.metric_source import EC2, MIGRATION, NOON, World, at, open_archive, span

pytestmark = pytest.mark.usefixtures("both_engines")

HOUR = Window(NOON, NOON + 3600)


@pytest.fixture
def archive(tmp_path: Path):  # type: ignore[no-untyped-def]
    with open_archive(tmp_path) as archive:
        yield archive


def test_a_note_is_one_of_the_things_that_happened(archive: Archive) -> None:
    kept = archive.keep_note(NOON + 90, "  Sale\nbegins ", " Mika ")
    assert archive.events(HOUR) == (kept,)
    assert (kept.kind, kept.title, kept.detail, kept.source, kept.ts) == (
        "note",
        "Sale begins",
        "Mika",
        NOTES,
        NOON + 90,
    )


def test_two_notes_of_one_second_are_two(archive: Archive) -> None:
    archive.keep_note(NOON, "one")
    archive.keep_note(NOON, "one")
    assert len(archive.events(HOUR)) == 2


def test_a_removed_note_is_gone_and_may_be_removed_again(archive: Archive) -> None:
    kept = archive.keep_note(NOON, "wrong")
    assert archive.remove_note(kept.key) is True
    assert archive.events(HOUR) == ()
    assert archive.remove_note(kept.key) is False


def test_only_notes_can_be_removed_and_sources_forget_none(archive: Archive) -> None:
    told = Event(NOON, None, "alert", "5xx", "", "", "", "mackerel_events", "alert:1")
    kept = archive.keep_note(NOON + 60, "Sale begins")
    archive.keep_events(Events(HOUR, NOON, (told,)), "mackerel_events")
    assert archive.remove_note("alert:1") is False
    archive.keep_events(Events(HOUR, NOON, ()), "mackerel_events")  # the alert was deleted over there
    assert archive.events(HOUR) == (kept,)


def test_pages_hear_of_it_and_no_source_appears(archive: Archive) -> None:
    before = archive.revision_of_all()
    kept = archive.keep_note(NOON, "Sale begins")
    after = archive.revision_of_all()
    archive.remove_note(kept.key)
    assert before < after < archive.revision_of_all()
    assert archive.states() == ()


def test_a_note_without_words_is_none(archive: Archive) -> None:
    with pytest.raises(ValueError, match="words"):
        archive.keep_note(NOON, " \n ")


def test_a_note_is_one_line_of_five_hundred_characters(archive: Archive) -> None:
    kept = archive.keep_note(NOON, "x" * 900, "y" * 90)
    assert (len(kept.title), len(kept.detail)) == (500, 60)


def test_a_note_outlives_the_process(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        kept = archive.keep_note(NOON, "Sale begins")
    with open_archive(tmp_path) as archive:
        assert archive.events(HOUR) == (kept,)


def test_the_span_is_what_was_answered_and_wanted_what_was_asked_for(archive: Archive) -> None:
    assert (archive.span("cloudwatch"), archive.wanted("cloudwatch")) == (None, ())
    world = World(now=at(120))
    archive.fill(span(0, 60), world, now=at(120))
    archive.fill(span(80, 90), world, now=at(120))
    assert archive.span("cloudwatch") == span(0, 90)
    assert EC2 in archive.wanted("cloudwatch") and MIGRATION.name == "Photo service"
