"""One stored row that cannot be read is skipped and named; everything else is still returned."""

import logging
from pathlib import Path

import pytest
from sqlalchemy import update

from archive.db import schema
from archive.db.stored_json import warn_unreadable
from domain import Window
from domain.deployments import DeploymentState
from domain.triggers import Triggers
from sources.base import Events, TrafficSnapshot
from sources.triggers import TriggerSnapshot
from tests.factories.archives import open_archive
from tests.factories.events import logged_change, make_alert, weighted_traffic
from tests.fakes.metric_source import NOON, minute_window

pytestmark = pytest.mark.usefixtures("both_engines")


def test_unreadable_rows_are_skipped_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    warn_unreadable.cache_clear()
    alerts = (make_alert("good", -10), make_alert("of a strange kind", -5), make_alert("of another age", -5))
    changes = (logged_change(-30, 0.1), logged_change(-20, 0.5), logged_change(-10, 0.75))
    with open_archive(tmp_path) as archive:
        events = archive.events
        events.save_events(Events(minute_window(-60, 0), NOON, alerts), "mackerel_events")
        events.save_events(Events(minute_window(-60, 0), NOON, weight_changes=changes), "cloudtrail")
        state = DeploymentState(NOON, (), (), ())
        events.save_events(Events(minute_window(-60, 0), NOON, deployment_state=state), "ecs")
        events.save_triggers(TriggerSnapshot(NOON, Triggers(NOON, ())), "eventbridge")
        events.save_snapshot(TrafficSnapshot(NOON, weighted_traffic(25, 75)))
        event, change = schema.event, schema.weight_change
        with archive.engine.begin() as connection:
            connection.execute(update(event).where(event.c.key == "of a strange kind").values(kind="attack"))
            connection.execute(update(event).where(event.c.key == "of another age").values(until=253_402_300_800))
            connection.execute(update(change).where(change.c.key == changes[1].key).values(body='{"ts":"x"}'))
            for table in (schema.traffic_snapshot, schema.deployment_state, schema.trigger):
                connection.execute(update(table).values(body="[" * 5_000))
        with caplog.at_level(logging.WARNING):
            assert [item.key for item in events.read(Window(NOON - 3600, NOON)) if item.kind == "alert"] == ["good"]
            assert [item.after for item in events.weight_changes()] == [0.1, 0.75]
            assert (events.latest_traffic(), events.deployment_state(), events.triggers()) == (None, None, None)
    for name in ("event mackerel_events of a strange kind", f"weight_change cloudtrail {changes[1].key}"):
        assert f"Skipped an unreadable row of the archive: {name!r}" in caplog.messages


def test_a_note_or_step_of_another_age_is_refused_and_a_removal_leaves_a_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_archive(tmp_path) as archive:
        for ts in (-1, 0, 253_402_300_799):
            with pytest.raises(ValueError, match="between 2010 and 2100"):
                archive.notes.add(ts, "Sale")
            with pytest.raises(ValueError, match="between 2010 and 2100"):
                archive.steps.add(ts, 0.5)
        note, step = archive.notes.add(NOON, "Sale\x1b[2J", "Mika"), archive.steps.add(NOON, 0.5)
        with caplog.at_level(logging.WARNING):
            archive.notes.remove(note.key)
            archive.steps.remove(step.key)
            archive.steps.remove(step.key)
    assert caplog.messages == [
        f"Removed the note '{note.key}': time {NOON}, text 'Sale\\x1b[2J', author 'Mika'",
        f"Removed the entered step '{step.key}'",
    ]
