"""Issues of a deployment or a service."""

from dataclasses import replace

import pytest

from analysis.deployments.health import deployment_issues
from domain.deployments import Deployment, EcsService, Stage, TaskSet, Wait, deployment_events, traffic_shift

NOW = 1_790_000_000
HEALTHY = EcsService("canary", "photo/web", "ACTIVE", "CODE_DEPLOY", "codedeploy", 4, 4, 0, "web:42")
SUCCEEDED = Deployment("codedeploy", "d-42", "canary", "Succeeded", NOW - 900, ended=NOW - 600)
IN_PROGRESS = Deployment(
    "codedeploy", "d-43", "canary", "InProgress", NOW - 1800, stage="Install",
    stages=(Stage("BeforeInstall", "Succeeded", NOW - 1790, NOW - 1780), Stage("Install", "InProgress", NOW - 901)),
)  # fmt: skip


def test_no_issues() -> None:
    assert deployment_issues(HEALTHY, SUCCEEDED, now=NOW) == ()
    assert deployment_issues(None, None, now=NOW) == ()
    assert deployment_issues(replace(HEALTHY, status=""), None, now=NOW) == ()  # unknown


def test_a_deployment_whose_tasks_do_not_start_is_stuck() -> None:
    assert deployment_issues(HEALTHY, IN_PROGRESS, now=NOW) == ("stuck",)
    assert deployment_issues(HEALTHY, IN_PROGRESS, now=NOW - 1) == ()


@pytest.mark.parametrize(
    "stage", ["AllowTraffic", "BAKE_TIME", "PRODUCTION_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT"]
)
def test_a_configured_wait_is_not_stuck(stage: str) -> None:
    in_configured_wait = replace(IN_PROGRESS, stage=stage, stages=(Stage(stage, "InProgress", NOW - 7200),))
    assert deployment_issues(HEALTHY, in_configured_wait, now=NOW) == ()


def test_a_deployment_that_waits_for_approval_is_not_stuck() -> None:
    assert deployment_issues(
        HEALTHY, replace(IN_PROGRESS, waits=(Wait("READY_WAIT", on_timeout="stop"),)), now=NOW
    ) == ("waits",)


@pytest.mark.parametrize("status", ["Failed", "Stopped", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"])
def test_a_failure_is_reported_for_a_day(status: str) -> None:
    failed = replace(SUCCEEDED, status=status, ended=NOW - 86_399)
    assert deployment_issues(HEALTHY, failed, now=NOW) == ("failed",)
    assert deployment_issues(HEALTHY, failed, now=NOW + 1) == ()


def test_tasks_are_missing_only_without_a_deployment() -> None:
    short = replace(HEALTHY, running=3)
    assert deployment_issues(short, SUCCEEDED, now=NOW) == ("short_of_tasks",)
    assert deployment_issues(short, replace(IN_PROGRESS, stage=""), now=NOW) == ()


def test_a_failed_rollout_and_a_draining_service() -> None:
    assert deployment_issues(replace(HEALTHY, rollout="FAILED"), None, now=NOW) == ("rollout_failed",)
    assert deployment_issues(replace(HEALTHY, status="DRAINING", running=2), None, now=NOW) == (
        "inactive",
        "short_of_tasks",
    )


def test_a_shift_has_the_tasks_before_first_and_their_definitions() -> None:
    sets = (
        TaskSet("ecs-svc/2", "ACTIVE", "", "photo-ecs-green", 4, 4, 0, weight=30.0, label="Green"),
        TaskSet("ecs-svc/1", "PRIMARY", "", "photo-ecs-blue", 4, 4, 0, weight=70.0, label="Blue"),
    )
    known = tuple(TaskSet(f"ecs-svc/{at}", "", f"web:{40 + at}", "", 4, 4, 0) for at in (1, 2))
    old, new = traffic_shift(replace(HEALTHY, task_sets=known), replace(IN_PROGRESS, task_sets=sets))
    assert (old.task_definition, old.target_group, old.percent, old.new) == ("web:41", "photo-ecs-blue", 70.0, False)
    assert (new.task_definition, new.percent, new.new) == ("web:42", 30.0, True)
    assert traffic_shift(HEALTHY, IN_PROGRESS) == ()


def test_an_end_before_the_start_is_a_moment() -> None:
    (event,) = deployment_events(replace(SUCCEEDED, ended=NOW - 901), source="codedeploy")
    assert (event.ts, event.until) == (NOW - 900, NOW - 900)
