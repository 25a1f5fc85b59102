"""`deployments` on the command line: the demo's service, its preflight, and commands that survive a narrow terminal."""

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
    said = [" ".join(line.split()) for line in result.stdout.splitlines() if line.strip()]
    assert said[:6] == [
        "Photo service (demo) DEMO",
        "photo/web · desired 6 · running 6 · pending 0 · task definition web:42 (before web:41) · CodeDeploy blue/green",
        "(service web) has reached a steady state.",
        "last deployment: web:42 succeeded 4 d 15 h ago",
        "A blue/green deployment by CodeDeploy would fail now: photo-ec2 and photo-ecs-green carry weight in the production rule at once.",
        "✘ photo-ec2 and photo-ecs-green carry weight in the production rule at once",
    ]
    assert "# 1. Weighted routing off" in said
    assert "ecspresso deploy" in said


def test_a_command_is_not_wrapped_in_a_terminal_of_forty_columns() -> None:
    commands = run(columns=40).stdout.partition("# Take 100 % back to EC2\n")[2].strip()
    *words, action = shlex.split(commands.replace("\\\n", ""))
    assert words[:3] == ["aws", "elbv2", "modify-listener"]
    groups = json.loads(action)[0]["ForwardConfig"]["TargetGroups"]
    told = {one["TargetGroupArn"].split("/")[1]: one["Weight"] for one in groups}
    assert told == {"photo-ec2": 500, "photo-ecs-blue": 0, "photo-ecs-green": 0}


def test_json_has_the_same() -> None:
    result = run("--json")
    (line,) = result.stdout.splitlines()
    told = json.loads(line)
    assert (told["ok"], told["demo"], told["problems"], told["issues"]) == (True, True, [], [])
    assert told["services"][0]["name"] == "photo/web"
    assert [one["task_definition"] for one in told["deployments"]] == [
        "web:42",
        "web:41",
        "web:39",
        "web:40",
        "web:39",
        "web:38",
    ]
    assert told["deployments"][3]["outcome"] == "rolled_back"
    (preflight,) = told["preflights"]
    assert (preflight["verdict"], preflight["system"], preflight["interim_fleet"]) == (
        "blocked",
        "codedeploy",
        "baseline",
    )
    assert [step["purpose"] for step in preflight["steps"]] == [
        *("route_off", "deploy", "route_back", "route_back_unchanged")
    ]
    back = told["rollback"]
    assert (back["healthy"], back["registered"]) == (4, 4)
    assert back["expected_load"] > back["current_load"] > 0


def test_nothing_read_exits_with_1(
    monkeypatch: pytest.MonkeyPatch, demo: Migration, use_sources: Callable[[Sources], None]
) -> None:
    alone = Sources(
        metrics=(DemoMetrics(demo, anchor=ANCHOR, clock=lambda: NOW),),
        traffic=DemoTraffic(anchor=ANCHOR, clock=lambda: NOW),
        events=(),
    )
    use_sources(alone)
    result = run()
    assert result.exit_code == 1
    assert "No service and no deployment was read." in result.stdout
