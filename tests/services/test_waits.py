"""Waits of deployments, now and in the past."""

from dataclasses import replace

import pytest

from archive.events.deployment_state import PastState
from domain.deployments import Deployment, DeploymentState, Wait
from domain.releases import Release, Revision
from messages.deployments import rollback_command_title
from services.deployments import deployments_view, past_waits, waits_now
from sources.demo.sources import demo_migration
from tests.factories.traffic import make_rule, make_traffic

HOOK = Wait("hook-1", 9_000, "roll_back")
PAUSED = Deployment("ecs", "abc", "canary", "IN_PROGRESS", 0, waits=(HOOK,))
READY = Deployment("codedeploy", "d-1", "canary", "Ready", 0, waits=(Wait("READY_WAIT"),))


def state(first: int, last: int, *deployments: Deployment) -> PastState:
    return PastState(first, last, DeploymentState(last, deployments=deployments))


def test_a_wait_of_the_past_is_one_over_all_states_that_have_it() -> None:
    later = replace(PAUSED, stage="PRE_PRODUCTION_TRAFFIC_SHIFT")
    waits = past_waits((state(60, 120, PAUSED), state(180, 240, later), state(300, 300, replace(PAUSED, waits=()))))
    assert [(item.waiting.deployment, item.waiting.wait, item.since, item.until) for item in waits] == [
        (later, HOOK, 60, 240)
    ]
    assert past_waits((state(60, 60, replace(PAUSED, status="SUCCESSFUL")),)) == ()


def test_two_waits_are_two() -> None:
    second = replace(PAUSED, waits=(HOOK, Wait("hook-2")))
    assert [item.waiting.wait.id for item in past_waits((state(0, 60, second),))] == ["hook-1", "hook-2"]


def test_the_region_of_codedeploy_is_that_of_the_configuration() -> None:
    now = DeploymentState(0, deployments=(READY,))
    (item,) = waits_now(demo_migration(), now)
    assert "--region ap-northeast-1" in item.commands[0].command
    assert waits_now(demo_migration(), None) == ()


@pytest.mark.parametrize(
    ("release", "deployment", "start"),
    [
        ("abc", replace(PAUSED, arn="arn:aws:ecs:eu-west-1:1:d/abc"), "aws ecs stop-service-deployment"),
        ("d-1", READY, "aws deploy stop-deployment"),
        ("abc", replace(PAUSED, status="SUCCESSFUL"), "aws elbv2 "),
        ("another", PAUSED, "aws elbv2 "),
        ("", PAUSED, "aws elbv2 "),
    ],
)
def test_a_release_is_rolled_back_by_its_deployment(release: str, deployment: Deployment, start: str) -> None:
    """Weights that are set by hand are those of a migration: a deployment that runs would set its own again."""
    revision = Revision("web:43", "photo-ecs-green")
    of = Release(release, "s", "c/s", "canary", "ecs", 0, None, "running", revision, revision) if release else None
    migration = demo_migration().model_copy(update={"release": of})
    traffic = make_traffic(make_rule(ec2=500, blue=0, green=500))
    view = deployments_view(migration, DeploymentState(0, deployments=(deployment,)), traffic, None, now=0)
    assert view.rollback and view.rollback.command.startswith(start)
    of_deployment = not start.startswith("aws elbv2")
    assert view.rollback.of_deployment == of_deployment
    assert (rollback_command_title(view.rollback, migration) == "Roll the deployment back") == of_deployment
