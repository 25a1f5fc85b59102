"""Services and deployments: a row only for a change, and several sources merged."""

from dataclasses import replace
from pathlib import Path

import pytest

from archive import Archive
from domain.deployments import (
    Deployment,
    DeploymentState,
    Stage,
    Wait,
)
from domain.serialization import from_json, to_json
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


def save_state(archive: Archive, source: str, second: int, state: DeploymentState | None, **fields: object) -> None:
    state = state and replace(state, asked_at=NOON + second)
    archive.events.save_events(Events(minute_window(-60, 0), NOON + second, deployment_state=state, **fields), source)


def stored_rows(folder: Path) -> list[tuple[str, int, int]]:
    rows = query_database(folder, "SELECT source, first_seen, last_seen FROM deployment_state ORDER BY id")
    return [(source, first - NOON, last - NOON) for source, first, last in rows]


def test_a_state_survives_json():
    state = DeploymentState(NOON, (SERVICE,), (NEW, OLD), (("canary", ROUTE),))
    assert from_json(DeploymentState, to_json(state)) == state


def test_a_row_is_added_only_for_a_change(archive: Archive, tmp_path: Path):
    assert archive.events.deployment_state() is None
    for second, running in ((0, 4), (60, 4), (120, 3), (180, 4)):
        save_state(archive, "ecs", second, DeploymentState(0, (replace(SERVICE, running=running),)))
    assert stored_rows(tmp_path) == [("ecs", 0, 60), ("ecs", 120, 120), ("ecs", 180, 180)]
    state = archive.events.deployment_state()
    assert state and (state.services[0].running, state.asked_at) == (4, NOON + 180)


def test_an_older_state_does_not_replace_a_newer_one(archive: Archive, tmp_path: Path):
    save_state(archive, "ecs", 60, DeploymentState(0, (SERVICE,)))
    save_state(archive, "ecs", 30, DeploymentState(0, (replace(SERVICE, running=0),)))
    assert stored_rows(tmp_path) == [("ecs", 60, 60)]


def test_several_sources_are_merged_and_the_oldest_gives_the_time(archive: Archive):
    save_state(archive, "codedeploy", 0, DeploymentState(0, (), (NEW, OLD), (("canary", ROUTE),)))
    save_state(archive, "ecs", 60, DeploymentState(0, (SERVICE,)))
    state = archive.events.deployment_state()
    assert state
    assert state.asked_at == NOON
    assert state.route("canary") == ROUTE
    assert state.latest("canary") == NEW
    service = state.service("canary")
    assert service and (service.previous_task_definition, service.primary) == ("web:41", PRIMARY)  # by the deployments
    assert state.service("baseline") is None and state.latest("baseline") is None


def test_a_failure_keeps_the_last_state(archive: Archive):
    save_state(archive, "ecs", 0, DeploymentState(0, (SERVICE,)))
    gone = Problem("gone", "ecs", "ecs:DescribeServices", "photo/web")
    save_state(archive, "ecs", 60, None, problems=(gone,), complete=False)
    state = archive.events.deployment_state()
    assert state and state.asked_at == NOON
    (source_state,) = archive.events.source_states()
    assert (source_state.state, source_state.problems, source_state.last_success_at) == ("up", (gone,), NOON)


def test_a_list_keeps_the_time_of_its_own_source(archive: Archive):
    save_state(archive, "codedeploy", 0, DeploymentState(0, (), (NEW, OLD), listed_at=(("canary", 0),)))
    save_state(archive, "ecs", 60, DeploymentState(0, (SERVICE,)))
    state = archive.events.deployment_state()
    assert state and state.listed_at == (("canary", NOON),)


def test_a_window_has_the_states_that_were_read_in_it(archive: Archive):
    waiting = replace(NEW, status="IN_PROGRESS", ended=None, waits=(Wait("hook-1", NOON + 86_400, "roll_back"),))
    for second, deployment in ((0, NEW), (60, waiting), (180, waiting), (240, OLD)):
        save_state(archive, "ecs", second, DeploymentState(0, deployments=(deployment,)))
    read = archive.events.deployment_states(minute_window(2, 3))
    assert [(item.first_seen - NOON, item.last_seen - NOON, item.state.deployments) for item in read] == [
        (60, 180, (waiting,))
    ]
    assert len(archive.events.deployment_states(minute_window(0, 5))) == 3
    assert archive.events.deployment_states(minute_window(-60, 0)) == ()


def test_a_state_of_an_earlier_version_is_read_without_what_it_waited_for(archive: Archive):
    body = to_json(DeploymentState(0, deployments=(NEW,))).replace('"waits":[]', '"waits_for":"Ready"')
    assert '"waits_for"' in body
    assert from_json(DeploymentState, body).deployments == (NEW,)
    assert from_json(DeploymentState, body.replace('"waits_for":"Ready",', "")).deployments == (NEW,)
