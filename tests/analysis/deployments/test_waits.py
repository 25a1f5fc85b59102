"""The commands that end a wait of ECS or CodeDeploy."""

import shlex
from dataclasses import replace

import pytest

from analysis.deployments.waits import WaitingDeployment, stop_command, waiting_deployments
from domain.deployments import Deployment, DeploymentState, Wait

NOW = 1_790_000_000
ARN = "arn:aws:ecs:ap-northeast-1:123456789012:service-deployment/photo/web/abc123"
PAUSED = Deployment("ecs", "abc123", "canary", "IN_PROGRESS", NOW, waits=(Wait("hook-1", NOW, "roll_back"),), arn=ARN)
READY = Deployment("codedeploy", "d-43", "canary", "Ready", NOW, waits=(Wait("READY_WAIT", None, "stop"),))


def waits(*deployments: Deployment, region: str = "") -> tuple[WaitingDeployment, ...]:
    return waiting_deployments(DeploymentState(NOW, deployments=deployments), region=region)


def commands(item: WaitingDeployment) -> list[tuple[str, list[str]]]:
    return [(command.end, shlex.split(command.command.replace("\\\n", ""))) for command in item.commands]


def test_a_hook_is_ended_with_its_action() -> None:
    (item,) = waits(PAUSED)
    hook = ["--region", "ap-northeast-1", "--service-deployment-arn", ARN, "--hook-id", "hook-1"]
    continue_ = ["aws", "ecs", "continue-service-deployment", *hook, "--action"]
    assert commands(item) == [("continue", [*continue_, "CONTINUE"]), ("roll_back", [*continue_, "ROLLBACK"])]


@pytest.mark.parametrize("deployment", [replace(PAUSED, waits=(Wait(""),)), replace(PAUSED, arn="")])
def test_without_the_hook_or_its_deployment_there_is_no_command(deployment: Deployment) -> None:
    (item,) = waits(deployment)
    assert item.commands == ()


def test_a_running_deployment_of_ecs_is_stopped_by_a_rollback() -> None:
    words = shlex.split(stop_command(PAUSED).replace("\\\n", ""))
    assert words[:3] == ["aws", "ecs", "stop-service-deployment"]
    assert words[-4:] == ["--service-deployment-arn", ARN, "--stop-type", "ROLLBACK"]
    assert stop_command(replace(PAUSED, arn="")) == ""


@pytest.mark.parametrize(("id_", "end"), [("READY_WAIT", "continue"), ("TERMINATION_WAIT", "terminate")])
def test_a_wait_of_codedeploy_is_ended_by_its_type(id_: str, end: str) -> None:
    (item,) = waits(replace(READY, waits=(Wait(id_),)), region="eu-west-1")
    of = ["--region", "eu-west-1", "--deployment-id", "d-43"]
    assert commands(item) == [
        (end, ["aws", "deploy", "continue-deployment", *of, "--deployment-wait-type", id_]),
        ("roll_back", ["aws", "deploy", "stop-deployment", *of, "--auto-rollback-enabled"]),
    ]
    (item,) = waits(READY)
    assert "--region" not in item.commands[0].command


def test_a_command_is_quoted_for_a_shell() -> None:
    (item,) = waits(replace(PAUSED, waits=(Wait("hook; reboot"),)))
    assert "hook; reboot" in commands(item)[0][1]


def test_an_ended_deployment_waits_for_nothing() -> None:
    assert [item.deployment.id for item in waits(PAUSED, replace(READY, status="Stopped"))] == ["abc123"]
    assert waiting_deployments(None) == ()
