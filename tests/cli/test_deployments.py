"""`deployments`: the service of the demo, its preflight, and commands that are not wrapped in a narrow terminal."""

import json
import shlex
from collections.abc import Callable
from functools import partial

import pytest

from domain import Migration
from sources.demo.sources import DemoMetrics, DemoTraffic
from sources.registry import Sources
from tests.cli.conftest import ANCHOR, NOW
from tests.cli.conftest import run as run_command

pytestmark = pytest.mark.usefixtures("demo")
run = partial(run_command, "deployments")


def test_the_demo_at_half_and_half_could_not_deploy() -> None:
    result = run()
    assert result.exit_code == 0
    output = [" ".join(line.split()) for line in result.stdout.splitlines() if line.strip()]
    assert output[:6] == [
        "Photo service (demo) DEMO",
        "photo/web · desired 6 · running 6 · pending 0 · task definition web:42 (previous web:41) · CodeDeploy blue/green",
        "(service web) has reached a steady state.",
        "last deployment: web:42 succeeded 4d 15h ago",
        "CodeDeploy blue/green is blocked: photo-ec2 and photo-ecs-green are both weighted in the production rule.",
        "✘ photo-ec2 and photo-ecs-green are both weighted in the production rule",
    ]
    assert "# 1. Route 100% to the other fleet" in output
    assert "ecspresso deploy" in output


def test_a_command_is_not_wrapped_in_a_terminal_of_forty_columns() -> None:
    commands = run(columns=40).stdout.partition(
        "# Route 100% to EC2, except HTTPS:443 10 (X-Canary: ecs), which stays on ECS\n"
    )[2]
    *args, action = shlex.split(commands.strip().replace("\\\n", ""))
    assert args[:3] == ["aws", "elbv2", "modify-listener"]
    groups = json.loads(action)[0]["ForwardConfig"]["TargetGroups"]
    weights = {item["TargetGroupArn"].split("/")[1]: item["Weight"] for item in groups}
    assert weights == {"photo-ec2": 500, "photo-ecs-blue": 0, "photo-ecs-green": 0}


def test_json_has_the_same() -> None:
    result = run("--json")
    (line,) = result.stdout.splitlines()
    data = json.loads(line)
    assert [rule["priority"] for rule in data["rollback"]["unchanged_rules"]] == ["10"]
    assert (data["ok"], data["demo"], data["problems"], data["issues"]) == (True, True, [], [])
    assert data["services"][0]["name"] == "photo/web"
    assert [item["task_definition"] for item in data["deployments"]] == [
        "web:42",
        "web:41",
        "web:39",
        "web:40",
        "web:39",
        "web:38",
    ]
    assert data["deployments"][3]["outcome"] == "rolled_back"
    (preflight,) = data["preflights"]
    assert (preflight["verdict"], preflight["system"], preflight["interim_fleet"]) == (
        "blocked",
        "codedeploy",
        "baseline",
    )
    assert [step["purpose"] for step in preflight["steps"]] == [
        *("route_off", "deploy", "route_back", "route_back_unchanged")
    ]
    back = data["rollback"]
    assert (back["healthy"], back["registered"]) == (4, 4)
    assert back["expected_load"] > back["current_load"] > 0


def test_nothing_read_exits_with_1(
    monkeypatch: pytest.MonkeyPatch, demo: Migration, use_sources: Callable[[Sources], None]
) -> None:
    sources = Sources(
        metrics=(DemoMetrics(demo, anchor=ANCHOR, clock=lambda: NOW),),
        traffic=DemoTraffic(anchor=ANCHOR, clock=lambda: NOW),
        events=(),
    )
    use_sources(sources)
    result = run()
    assert result.exit_code == 1
    assert "No service and no deployment was read." in result.stdout
