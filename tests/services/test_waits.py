"""Waits of deployments, now and in the past."""

from dataclasses import replace

from archive.events.deployment_state import PastState
from domain.deployments import Deployment, DeploymentState, Wait
from services.deployments import past_waits, waits_now
from sources.demo.sources import demo_migration

HOOK = Wait("hook-1", 9_000, "roll_back", "arn")
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
