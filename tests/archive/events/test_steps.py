"""Steps that users enter: used where nothing reads the weights, and removable."""

from pathlib import Path

import pytest

from archive import Archive
from sources.base import Events, TrafficSnapshot
from tests.factories.archives import open_archive
from tests.factories.events import logged_change, weighted_traffic
from tests.fakes.metric_source import NOON, minute_window

pytestmark = pytest.mark.usefixtures("both_engines")

HOUR = 3600


@pytest.fixture
def archive(tmp_path: Path):  # type: ignore[no-untyped-def]
    with open_archive(tmp_path) as archive:
        yield archive


def titles(archive: Archive) -> list[tuple[int, str, str]]:
    """The minute, shares and origin of every weight change in use."""
    return [((change.ts - NOON) // 60, change.title, change.origin) for change in archive.events.weight_changes()]


def save_snapshot(archive: Archive, canary: int, second: int) -> None:
    archive.events.save_snapshot(TrafficSnapshot(NOON + second, weighted_traffic(100 - canary, canary)))


def test_steps_are_weight_changes_in_order(archive: Archive) -> None:
    later = archive.steps.add(NOON + HOUR, 0.25, " Mika ")
    archive.steps.add(NOON, 0.1)
    assert titles(archive) == [(0, "? → 10.0%", "entered"), (60, "10.0% → 25.0%", "entered")]
    events = archive.events.read(minute_window(-1, 61))
    assert [(event.kind, event.source) for event in events] == [("weight", "entered"), ("weight", "entered")]
    assert (later.author, [step.after for step in archive.steps.read()]) == ("Mika", [0.1, 0.25])


def test_a_removed_step_is_gone_at_once(archive: Archive) -> None:
    step = archive.steps.add(NOON, 0.1)
    assert titles(archive) == [(0, "? → 10.0%", "entered")]
    assert archive.steps.remove(step.key)
    archive.steps.add(NOON, 0.2)
    assert titles(archive) == [(0, "? → 20.0%", "entered")]
    assert not archive.steps.remove(step.key)


def test_steps_are_not_used_once_the_weights_are_read(archive: Archive) -> None:
    archive.steps.add(NOON, 0.1)
    save_snapshot(archive, 10, HOUR)
    archive.steps.add(NOON + HOUR, 0.5)
    save_snapshot(archive, 25, 2 * HOUR)
    assert titles(archive) == [(0, "? → 10.0%", "entered"), (120, "10.0% → 25.0%", "read")]
    assert len(archive.steps.read()) == 2


def test_a_first_look_at_another_share_is_a_change_since_the_last_step(archive: Archive) -> None:
    archive.steps.add(NOON, 0.1)
    save_snapshot(archive, 50, HOUR)
    assert titles(archive) == [(0, "? → 10.0%", "entered"), (60, "10.0% → 50.0%", "read")]
    assert archive.events.weight_changes()[1].since == NOON
    assert archive.events.initial_share() is None


def test_a_logged_change_has_the_share_of_the_step_before_it(archive: Archive) -> None:
    archive.steps.add(NOON - HOUR // 2, 0.1)
    changes = (logged_change(7, 0.25),)
    archive.events.save_events(Events(minute_window(-60, 60), NOON + 3600, weight_changes=changes), "cloudtrail")
    assert titles(archive) == [(-30, "? → 10.0%", "entered"), (0, "10.0% → 25.0%", "read")]


def test_a_step_to_the_same_share_changes_nothing(archive: Archive) -> None:
    archive.steps.add(NOON, 0.1)
    archive.steps.add(NOON + HOUR, 0.1)
    assert titles(archive) == [(0, "? → 10.0%", "entered")]


def test_a_share_outside_0_and_1_is_rejected(archive: Archive) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        archive.steps.add(NOON, 1.1)
