"""A deployment that waits in a hook, in `deployments` and `watch`, with boto3 against the fake of ECS."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from commands.shared import startup
from domain import Migration
from sources.registry import Sources, create_sources
from tests.cli.conftest import json_output, lines, run
from tests.factories.deployments import NOON
from tests.factories.inventory import group_arn
from tests.factories.releases import HOUR, ReleasedService, released_service, service_deployment
from tests.factories.small_config import small_toml
from tests.fakes.deployments import CLUSTER, ECS_ARN_PREFIX, ELB_ARN_PREFIX, REGION, SERVICE

AWS = f"""
[aws]
region = "{REGION}"
load_balancer = "{ELB_ARN_PREFIX}loadbalancer/app/photo/50dc6c495c0c9188"
cloudtrail = false
"""
CONFIG = small_toml(
    AWS,
    keys='timezone = "Asia/Tokyo"',
    groups=(group_arn("photo-ec2"), group_arn("photo-ecs-blue")),
    canary_keys='ecs_service = "photo/web"',
)
ARN = f"{ECS_ARN_PREFIX}service-deployment/{CLUSTER}/{SERVICE}/deploy-43"
SENTENCE = (
    "Deployment of web:43 waits at PRE_PRODUCTION_TRAFFIC_SHIFT for approval (hook hook-1). "
    "23h left: ECS rolls it back at 3 Jan 20:00 JST."
)
HOOK = {"hookId": "hook-1", "targetType": "PAUSE", "status": "AWAITING_ACTION", "timeoutAction": "ROLLBACK"}


@pytest.fixture
def paused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def open_sources(migration: Migration) -> Sources:
        return replace(create_sources(migration, clock=service.clock), traffic=None)

    monkeypatch.chdir(tmp_path)
    (tmp_path / "migration.toml").write_text(CONFIG, encoding="utf-8")
    with released_service(tmp_path, monkeypatch) as service:
        monkeypatch.setattr(startup, "now", lambda: service.clock())
        monkeypatch.setattr(startup, "open_sources", open_sources)
        set_hook(service, HOOK)
        yield service


def set_hook(service: ReleasedService, hook: dict[str, Any]) -> None:
    hooks = [{**hook, "expiresAt": NOON + 23 * HOUR}]
    stage = "PRE_PRODUCTION_TRAFFIC_SHIFT"
    deployment = service_deployment(43, "IN_PROGRESS", NOON - HOUR, lifecycleStage=stage, lifecycleHookDetails=hooks)
    service.set_deployments(deployment)


def test_deployments_has_the_countdown_and_the_commands(paused: ReleasedService) -> None:
    result = run("deployments")
    output = lines(result.stdout)
    assert result.exit_code == 1
    assert SENTENCE in output
    commands = result.stdout.partition("# Continue the deployment\n")[2]
    assert any(line.startswith("Keep `--action`: without it, the command continues the deployment.") for line in output)
    continue_, _, roll_back = commands.partition("\n\n# Roll the deployment back\n")
    expected = f"aws ecs continue-service-deployment --region ap-northeast-1 --service-deployment-arn {ARN} --hook-id hook-1 --action "
    assert " ".join(continue_.replace("\\\n", "").split()) == f"{expected}CONTINUE"
    assert " ".join(roll_back.replace("\\\n", "").split()).startswith(f"{expected}ROLLBACK")


def test_json_has_the_same(paused: ReleasedService) -> None:
    for command in (["deployments"], ["watch", "--once"]):
        (wait,) = json_output(run(*command, "--json"))["waits"]
        commands = wait.pop("commands")
        assert wait == {
            "deployment": "deploy-43",
            "system": "ecs",
            "stage": "PRE_PRODUCTION_TRAFFIC_SHIFT",
            "id": "hook-1",
            "expires_at": "2026-01-03T11:00:00Z",
            "left_s": 23 * HOUR,
            "on_timeout": "roll_back",
            "text": SENTENCE,
        }
        assert [item["end"] for item in commands] == ["continue", "roll_back"]
        assert commands[1]["command"].endswith("--action ROLLBACK")


def test_watch_has_the_countdown(paused: ReleasedService) -> None:
    assert SENTENCE in " ".join(lines(run("watch", "--once").stdout))


def test_a_hook_that_has_been_answered_waits_no_more(paused: ReleasedService) -> None:
    set_hook(paused, {**HOOK, "status": "SUCCEEDED"})
    output = json_output(run("deployments", "--json"))
    assert (output["waits"], output["issues"]) == ([], [])
