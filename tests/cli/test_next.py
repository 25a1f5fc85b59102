"""`next`: no step while the demo holds; else the recommended one, its commands, and the same as JSON."""

from functools import partial

import pytest

from domain.decision import ReasonedDecision
from services import evaluation
from tests.cli.conftest import json_output, lines
from tests.cli.conftest import run as run_command
from tests.factories.traffic import parse_command

pytestmark = pytest.mark.usefixtures("demo")
run = partial(run_command, "next")


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's phase as if nothing argued against going on."""
    monkeypatch.setattr(evaluation.Evaluation, "decision", ReasonedDecision())


def test_no_step_while_the_decision_is_hold() -> None:
    result = run()
    assert result.exit_code == 1
    output = lines(result.stdout)
    assert output[:3] == [
        "Photo service (demo) DEMO",
        "■ HOLD · 1 route regressed",
        "No step: the decision is HOLD. Resolve its reasons first.",
    ]
    assert output[3].split()[:2] == ["ECS", "share"]
    assert [line.split()[0] for line in output[4:14]] == [
        *("0.1%", "0.5%", "1%", "2%", "5%", "10%", "25%", "50%", "75%", "100%")
    ]
    assert output[11].startswith("50% · now ~")
    assert "aws elbv2" not in result.stdout


@pytest.mark.usefixtures("decided")
def test_the_recommended_step_has_its_reason_and_commands() -> None:
    result = run(columns=200)
    assert result.exit_code == 0
    output = lines(result.stdout)
    assert output[2].startswith("Set ECS to 75%: the smallest larger weight that is decided within a day, in about ")
    assert any(line.startswith("At worst ") for line in output)
    assert "The commands leave other rules as they are: HTTPS:443 10 (X-Canary: ecs)." in output
    assert any(line.startswith("75% · recommended ~") for line in output)
    commands = result.stdout.partition("# Set ECS to 75%\n")[2].partition("\n\n# The same in Terraform")[0]
    words, (action,) = parse_command(commands.strip())
    assert words[:3] == ["aws", "elbv2", "modify-listener"]
    groups = action["ForwardConfig"]["TargetGroups"]
    assert {group["TargetGroupArn"].split("/")[1]: group["Weight"] for group in groups} == {
        "photo-ec2": 1,
        "photo-ecs-blue": 0,
        "photo-ecs-green": 3,
    }
    assert "forward {" in output


@pytest.mark.usefixtures("decided")
def test_json_has_the_same() -> None:
    result = run("--json")
    data = json_output(result)
    assert (data["ok"], data["decision"], data["reason"], data["current"], data["recommended"]) == (
        True, "continue", "next", 0.5, 0.75,
    )  # fmt: skip
    chosen = next(row for row in data["rows"] if row["share"] == 0.75)
    assert chosen["minutes"] == {"error_rate": chosen["dwell_minutes"]} == {"error_rate": data["minutes"]}
    assert chosen["useful"] is True
    assert chosen["extra_errors"] > 0
    # 75 % of both fleets' requests on the canary's six tasks.
    assert data["load"]["healthy"] == 6
    assert chosen["load"] == pytest.approx(data["load"]["total"] * 0.75 / 6)
    assert data["load"]["max_load"] > 0
    assert data["commands"].startswith("aws elbv2 modify-listener")
    assert [rule["priority"] for rule in data["unchanged_rules"]] == ["10"]
    assert data["rows"][-1]["minutes"] == {"error_rate": None}


@pytest.mark.usefixtures("decided")
def test_a_rule_that_no_command_can_set_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.next_step.step_commands", lambda _traffic, _share: ("", ""))
    assert "# This rule has actions besides forward" in run(columns=200).stdout
