"""What is judged of a release: its time until one revision has all of the traffic, which is how each ends."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain import Migration, WeightChange, Window
from domain.config.releases import ReleaseSpan
from services.phases import read_phases
from tests.factories.archived_migration import NOW, archived_migration, make_migration, make_weight_changes, time_of

START, ROLLED_BACK, END = time_of(8, 9), time_of(9, 15, 20), time_of(9, 16)


def release_migration(end: int | None = END) -> Migration:
    span = ReleaseSpan(id="1", slug="web-42", key="web @ 1", start=START, end=end)
    return make_migration().model_copy(update={"release": span})


@pytest.mark.parametrize("end", [END, None], ids=["over", "running"])
def test_the_change_to_one_revision_ends_what_is_judged(tmp_path: Path, end: int | None) -> None:
    changes = make_weight_changes()[:3]  # the canary has nothing from ROLLED_BACK on
    with archived_migration(tmp_path, release_migration(end), weight_changes=changes) as archive:
        (phase,) = read_phases(archive, "mackerel", now=NOW)
    assert phase.judged == Window(START, ROLLED_BACK)
    assert phase.window.start == START and (end is None or phase.window.end == end)


def test_a_change_between_two_looks_is_left_out(tmp_path: Path) -> None:
    seen = WeightChange(ROLLED_BACK + 40, ROLLED_BACK - 20, 0.25, 0.0, key="seen")
    with archived_migration(tmp_path, release_migration(), weight_changes=(seen,)) as archive:
        (phase,) = read_phases(archive, "mackerel", now=NOW)
    assert phase.judged == Window(START, ROLLED_BACK - 60)


def test_without_weights_a_release_that_is_over_is_judged_before_the_last_requests_of_both(tmp_path: Path) -> None:
    with archived_migration(tmp_path, release_migration(), weight_changes=()) as archive:
        (phase,) = read_phases(archive, "mackerel", now=NOW)
    assert phase.judged == Window(START, ROLLED_BACK - 300)  # the last five minutes may be a part only


def test_without_weights_a_revision_that_stops_is_a_part_of_a_running_release(tmp_path: Path) -> None:
    with archived_migration(tmp_path, release_migration(end=None), weight_changes=()) as archive:
        (phase,) = read_phases(archive, "mackerel", now=datetime.fromtimestamp(time_of(9, 18), UTC))
    assert phase.judged == phase.window


def test_all_of_the_traffic_on_the_new_revision_ends_what_is_judged(tmp_path: Path) -> None:
    finished = WeightChange(time_of(9, 12), time_of(9, 12), 0.25, 1.0, key="finished")
    with archived_migration(tmp_path, release_migration(), weight_changes=(finished,)) as archive:
        (phase,) = read_phases(archive, "mackerel", now=NOW)
    assert phase.judged == Window(START, time_of(9, 12))


def test_a_change_to_another_share_is_judged(tmp_path: Path) -> None:
    changes = make_weight_changes()[:2]  # to 10% and 25%
    with archived_migration(tmp_path, release_migration(time_of(9, 12)), weight_changes=changes) as archive:
        (phase,) = read_phases(archive, "mackerel", now=NOW)
    assert phase.judged == phase.window == Window(START, time_of(9, 12))
