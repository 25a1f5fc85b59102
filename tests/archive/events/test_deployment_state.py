"""How services and deployments stand, kept: a row only where something else is said, and what several sources tell as one."""

from dataclasses import replace
from pathlib import Path

import pytest

from archive import Archive
from domain.deployments import (
    Deployment,
    DeploymentState,
    Stage,
    deployment_state_from_json,
    deployment_state_to_json,
)
from sources.base import Events, Problem
from tests.factories.archives import open_archive, query_database
from tests.factories.events import PRIMARY, ROUTE, SERVICE
from tests.fakes.metric_source import NOON, minute_window

pytestmark = pytest.mark.usefixtures("both_engines")

NEW = Deployment("codedeploy", "d-42", "canary", "Succeeded", NOON - 600, ended=NOON - 300, task_definition="web:42",
                 stages=(Stage("Install", "Succeeded", NOON - 590, NOON - 580),), task_sets=(replace(PRIMARY, weight=100.0),))  # fmt: skip
OLD = Deployment("codedeploy", "d-41", "canary", "Succeeded", NOON - 6000, ended=NOON - 5500, task_definition="web:41")


@pytest.fixture
def archive(tmp_path: Path):
    with open_archive(tmp_path) as archive:
        yield archive


def save_state(archive: Archive, source: str, second: int, standing: DeploymentState | None, **more: object) -> None:
    told = standing and replace(standing, asked_at=NOON + second)
    archive.events.save_events(Events(minute_window(-60, 0), NOON + second, deployment_state=told, **more), source)


def stored_rows(folder: Path) -> list[tuple[str, int, int]]:
    found = query_database(folder, "SELECT source, first_seen, last_seen FROM deployment_state ORDER BY id")
    return [(source, first - NOON, last - NOON) for source, first, last in found]


def test_it_survives_json():
    standing = DeploymentState(NOON, (SERVICE,), (NEW, OLD), (("canary", ROUTE),))
    assert deployment_state_from_json(deployment_state_to_json(standing)) == standing


def test_a_row_is_written_only_where_something_else_is_said(archive: Archive, tmp_path: Path):
    assert archive.events.deployment_state() is None
    for second, running in ((0, 4), (60, 4), (120, 3), (180, 4)):
        save_state(archive, "ecs", second, DeploymentState(0, (replace(SERVICE, running=running),)))
    assert stored_rows(tmp_path) == [("ecs", 0, 60), ("ecs", 120, 120), ("ecs", 180, 180)]
    standing = archive.events.deployment_state()
    assert standing and (standing.services[0].running, standing.asked_at) == (4, NOON + 180)


def test_what_comes_late_does_not_overtake_what_is_newer(archive: Archive, tmp_path: Path):
    save_state(archive, "ecs", 60, DeploymentState(0, (SERVICE,)))
    save_state(archive, "ecs", 30, DeploymentState(0, (replace(SERVICE, running=0),)))
    assert stored_rows(tmp_path) == [("ecs", 60, 60)]


def test_several_sources_are_one_standing_as_old_as_its_oldest_part(archive: Archive):
    save_state(archive, "codedeploy", 0, DeploymentState(0, (), (NEW, OLD), (("canary", ROUTE),)))
    save_state(archive, "ecs", 60, DeploymentState(0, (SERVICE,)))
    standing = archive.events.deployment_state()
    assert standing
    assert standing.asked_at == NOON
    assert standing.route("canary") == ROUTE
    assert standing.latest("canary") == NEW
    service = standing.service("canary")
    assert service and (service.previous_task_definition, service.primary) == ("web:41", PRIMARY)  # by the deployments
    assert standing.service("baseline") is None and standing.latest("baseline") is None


def test_a_source_that_is_refused_leaves_what_was_known(archive: Archive):
    save_state(archive, "ecs", 0, DeploymentState(0, (SERVICE,)))
    gone = Problem("gone", "ecs", "ecs:DescribeServices", "photo/web")
    save_state(archive, "ecs", 60, None, problems=(gone,), complete=False)
    standing = archive.events.deployment_state()
    assert standing and standing.asked_at == NOON
    (state,) = archive.events.source_states()
    assert (state.state, state.problems, state.last_success_at) == ("up", (gone,), NOON)
