"""What is judged of a release: its time until one revision has all of the traffic, which is how each ends."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain import Migration, WeightChange, Window
from domain.config.releases import ReleaseSpan
from domain.deployments import Outcome, PlannedShift
from reports.retrospective.summary import opening
from services.phases import read_phases, settled_end
from services.retrospective import build_retrospective, read_outline
from tests.factories.archived_migration import NOW, archived_migration, make_migration, make_weight_changes, time_of

START, ROLLED_BACK, END = time_of(8, 9), time_of(9, 15, 20), time_of(9, 16)


def release_migration(end: int | None = END, outcome: Outcome = "succeeded") -> Migration:
    outcome = "running" if end is None else outcome
    span = ReleaseSpan(id="1", slug="web-42", key="web @ 1", start=START, end=end, outcome=outcome)
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


@pytest.mark.parametrize(
    ("outcome", "of_phase", "rollbacks"),
    [("succeeded", "advanced", 0), ("rolled_back", "rolled_back", 1), ("failed", None, 0)],
)
def test_how_a_release_ended_is_in_its_retrospective(
    tmp_path: Path, outcome: Outcome, of_phase: str | None, rollbacks: int
) -> None:
    migration = release_migration(outcome=outcome)
    with archived_migration(tmp_path, migration, weight_changes=()) as archive:
        outline = read_outline(archive, migration, "mackerel", now=NOW)
        assert outline
        retrospective = build_retrospective(archive, migration, outline)
    assert (outline.phases[-1].outcome, len(retrospective.rollbacks)) == (of_phase, rollbacks)
    assert [(item.ts, item.share_before) for item in retrospective.rollbacks] == [(END, None)] * rollbacks
    assert outline.window.end == END, "not now: nothing of later is the release's own"
    assert str(outcome).replace("_", " ") in opening(migration, outline, now=NOW)


@pytest.mark.parametrize(("changes", "known"), [((), False), (make_weight_changes()[:2], True)])
def test_of_a_release_without_weights_its_retrospective_has_the_plan(
    tmp_path: Path, changes: tuple[WeightChange, ...], known: bool
) -> None:
    migration = release_migration()
    shift = {"shift": PlannedShift("linear", 12.5, 3)}
    migration = migration.model_copy(
        update={"release": migration.release and migration.release.model_copy(update=shift)}
    )
    with archived_migration(tmp_path, migration, weight_changes=changes) as archive:
        outline = read_outline(archive, migration, "mackerel", now=NOW)
        assert outline
    text = opening(migration, outline, now=NOW)
    assert text.endswith("planned: 12.5% more every 3 min" + ("" if known else " · weights not recorded"))


def test_a_release_that_runs_is_final_up_to_a_while_ago() -> None:
    assert settled_end(release_migration(end=None), NOW) > END
