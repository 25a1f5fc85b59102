"""Notes: added, listed with other events, and removed; events of other sources are not touched."""

from pathlib import Path

import pytest
from sqlalchemy import update

from archive import NOTES, Archive
from archive.db import schema
from archive.events.notes import acknowledged_incident
from domain import Event, Removal, Window
from sources.base import Events
from tests.factories import archives
from tests.factories.archives import MIGRATION, open_archive
from tests.fakes.metric_source import EC2, NOON, FakeMetricSource, minute_time, minute_window

pytestmark = pytest.mark.usefixtures("both_engines")

HOUR = Window(NOON, NOON + 3600)


@pytest.fixture
def archive(tmp_path: Path):  # type: ignore[no-untyped-def]
    with open_archive(tmp_path) as archive:
        yield archive


def test_a_note_is_an_event(archive: Archive) -> None:
    note = archive.notes.add(NOON + 90, "  Sale\nbegins ", " Mika ")
    assert archive.events.read(HOUR) == (note,)
    assert (note.kind, note.title, note.detail, note.source, note.ts) == (
        "note",
        "Sale begins",
        "Mika",
        NOTES,
        NOON + 90,
    )


def test_two_equal_notes_of_one_second_are_both_stored(archive: Archive) -> None:
    archive.notes.add(NOON, "one")
    archive.notes.add(NOON, "one")
    assert len(archive.events.read(HOUR)) == 2


def test_a_note_is_removed_once(archive: Archive) -> None:
    note = archive.notes.add(NOON, "wrong")
    assert archive.notes.remove(note.key) is True
    assert archive.events.read(HOUR) == ()
    assert archive.notes.remove(note.key) is False


def test_a_removal_leaves_a_trace_that_no_chart_draws(tmp_path: Path) -> None:
    with Archive.open(archives.archive_url(tmp_path), MIGRATION, clock=lambda: minute_time(30)) as archive:
        note, step = archive.notes.add(NOON, "wrong", "Mika"), archive.steps.add(NOON + 60, 0.25)
        archive.notes.remove(note.key, " Taro\n")
        archive.notes.remove(note.key, "Eve")
        archive.steps.remove(step.key)
    with open_archive(tmp_path) as archive:
        assert archive.notes.removals() == (Removal(note.key, NOON, "Mika", NOON + 1800, "Taro", "wrong"),)
        assert archive.steps.removals() == (Removal(step.key, NOON + 60, "", NOON + 1800, "", share=0.25),)
        assert archive.events.read(HOUR) == archive.notes.read() == ()


@pytest.mark.parametrize("ts", [253_402_300_799, -62_135_596_800, 2**62])
def test_a_note_of_an_impossible_time_is_listed_and_removed(archive: Archive, ts: int) -> None:
    """Versions before 1.1 stored notes of the year 9999."""
    note = archive.notes.add(NOON, "Sale begins")
    with archive.engine.begin() as connection:
        connection.execute(update(schema.event).values(ts=ts))
    assert [item.ts for item in archive.notes.read()] == [ts]
    assert archive.events.read(HOUR) == ()
    assert archive.notes.remove(note.key)
    assert (archive.notes.read(), [item.ts for item in archive.notes.removals()]) == ((), [ts])


def test_only_notes_can_be_removed_and_sources_delete_none(archive: Archive) -> None:
    alert = Event(NOON, None, "alert", "5xx", "", "", "", "mackerel_events", "alert:1")
    note = archive.notes.add(NOON + 60, "Sale begins")
    archive.events.save_events(Events(HOUR, NOON, (alert,)), "mackerel_events")
    assert archive.notes.remove("alert:1") is False
    archive.events.save_events(Events(HOUR, NOON, ()), "mackerel_events")  # the alert was deleted upstream
    assert archive.events.read(HOUR) == (note,)


def test_notes_change_the_counter_but_are_not_a_source(archive: Archive) -> None:
    before = archive.change_counter()
    note = archive.notes.add(NOON, "Sale begins")
    after = archive.change_counter()
    archive.notes.remove(note.key)
    assert before < after < archive.change_counter()
    assert archive.events.source_states() == ()


def test_an_empty_note_is_an_error(archive: Archive) -> None:
    with pytest.raises(ValueError, match="words"):
        archive.notes.add(NOON, " \n ")


def test_a_note_is_one_line_of_five_hundred_characters(archive: Archive) -> None:
    note = archive.notes.add(NOON, "x" * 900, "y" * 90)
    assert (len(note.title), len(note.detail)) == (500, 60)


def test_a_note_is_stored(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        note = archive.notes.add(NOON, "Sale begins")
    with open_archive(tmp_path) as archive:
        assert archive.events.read(HOUR) == (note,)


def test_the_covered_span_and_the_configured_series(archive: Archive) -> None:
    assert (archive.metrics.covered_span("cloudwatch"), archive.metrics.configured_series("cloudwatch")) == (None, ())
    source = FakeMetricSource(now=minute_time(120))
    archive.metrics.fill(minute_window(0, 60), source, now=minute_time(120))
    archive.metrics.fill(minute_window(80, 90), source, now=minute_time(120))
    assert archive.metrics.covered_span("cloudwatch") == minute_window(0, 90)
    assert EC2 in archive.metrics.configured_series("cloudwatch") and MIGRATION.name == "Photo service"


def test_a_note_names_the_incident_that_it_acknowledges(archive: Archive) -> None:
    about = archive.notes.add(NOON, "A broken release", incident="2026-11-10T15:19Z")
    plain = archive.notes.add(NOON, "Sale begins")
    assert [acknowledged_incident(note) for note in (about, plain)] == ["2026-11-10T15:19Z", ""]
    assert archive.notes.remove(about.key) and archive.notes.read() == (plain,)
