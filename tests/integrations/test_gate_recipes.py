"""The recipes of docs/gate.md, as they are printed there, against the real gate."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from domain.decision import EXIT_CODES
from services.gate import MAX_CLOCK_OFFSET_S, MAX_RECORD_AGE_S
from tests.factories.dashboard_server import ROOT
from tests.factories.gate_server import GateReply, GateServer, run_gate
from ui.server.gate import STATUS_BY_DIALECT

DOCS = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
HOST = "https://dashboard.example.com"
TOKEN = "correct-horse"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


def recipe(heading: str) -> str:
    """The code of a section."""
    section = re.search(rf"(?ms)^## {heading}\n(.*?)(?=^## |\Z)", DOCS)
    code = re.search(r"(?s)```\w+\n(.*?)```", section[1] if section else "")
    assert code, heading
    return code[1]


def path_of(url: str) -> str:
    assert url.startswith(HOST)
    return url.removeprefix(HOST)


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateServer]:
    with run_gate(tmp_path_factory.mktemp("gate"), {"GATE_TOKEN": TOKEN}) as gate:
        yield gate


def run_shell(gate: GateServer, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    base = {"PATH": os.environ["PATH"], "GATE_URL": f"{gate.url}/api/v1/decision", "GATE_TOKEN": TOKEN}
    return subprocess.run(
        ["sh", "-c", script], cwd=ROOT, env=base | environment, capture_output=True, text=True, check=False, timeout=60
    )


# The fields of a metric and of its web provider: Argo Rollouts, docs/features/analysis.md and docs/analysis/web.md.
ARGO_METRIC = {
    "name",
    "interval",
    "initialDelay",
    "count",
    "successCondition",
    "failureCondition",
    "failureLimit",
    "inconclusiveLimit",
}
ARGO_METRIC |= {"consecutiveErrorLimit", "consecutiveSuccessLimit", "provider"}
ARGO_WEB = {"url", "jsonPath", "timeoutSeconds", "headers", "insecure", "method", "body", "jsonBody"}


def argo_phase(metric: dict[str, Any], reply: GateReply) -> str:
    """How Argo's web provider assesses one measurement: a status other than 2xx is an Error, and so is a path that finds nothing."""
    path = re.fullmatch(r"\{\$((?:\.\w+)+)\}", metric["provider"]["web"]["jsonPath"])
    if not path or not 200 <= reply.status < 300:
        return "Error"
    result: Any = reply.json
    for name in path[1].split(".")[1:]:
        result = result[name]
    # Both are expressions of expr-lang, which are the same in Python.
    if eval(metric["failureCondition"], {}, {"result": result}):
        return "Failed"
    return "Successful" if eval(metric["successCondition"], {}, {"result": result}) else "Inconclusive"


def test_argo_succeeds_fails_or_waits(gate: GateServer) -> None:
    template = yaml.safe_load(recipe("Argo Rollouts"))
    assert (template["apiVersion"], template["kind"]) == ("argoproj.io/v1alpha1", "AnalysisTemplate")
    (metric,) = template["spec"]["metrics"]
    web = metric["provider"]["web"]
    assert set(metric) <= ARGO_METRIC and set(web) <= ARGO_WEB
    assert web["headers"] == [{"key": "Authorization", "value": "Bearer {{args.token}}"}]
    path = path_of(web["url"]).replace("{{args.share}}", "10")
    expected = {"continue": "Successful", "roll_back": "Failed"}
    for decision in EXIT_CODES:
        gate.record(decision)
        assert argo_phase(metric, gate.ask(path, headers=AUTHORIZED)) == expected.get(decision, "Inconclusive")
    gate.record("continue", share=0.05)
    assert argo_phase(metric, gate.ask(path, headers=AUTHORIZED)) == "Inconclusive"
    assert argo_phase(metric, gate.ask(path, headers={"Authorization": "Bearer wrong"})) == "Error"
    # Argo aborts a rollout after more errors than this, and pauses it after more that are inconclusive.
    assert metric["consecutiveErrorLimit"] > metric["inconclusiveLimit"] and metric["failureLimit"] == 0


def test_flagger_goes_on_or_rolls_back(gate: GateServer) -> None:
    webhooks = yaml.safe_load(recipe("Flagger"))["analysis"]["webhooks"]
    assert all(set(webhook) == {"name", "type", "url"} for webhook in webhooks)
    hooks = [(webhook["type"], webhook["url"]) for webhook in webhooks]
    assert [kind for kind, _url in hooks] == ["confirm-traffic-increase", "confirm-promotion", "rollback"]
    body = b'{"name":"podinfo","namespace":"test","phase":"Progressing","checksum":"85d557f47b","metadata":{}}'
    headers = {**AUTHORIZED, "Content-Type": "application/json"}
    for decision in EXIT_CODES:
        gate.record(decision)
        for kind, url in hooks:
            reply = gate.ask(path_of(url), method="POST", headers=headers, body=body)
            assert (reply.status < 300) == (decision == ("roll_back" if kind == "rollback" else "continue")), kind


@pytest.mark.parametrize("heading", ["GitHub Actions", "PipeCD"])
def test_pipelines_go_by_the_exit_code(gate: GateServer, heading: str) -> None:
    (step,) = yaml.safe_load(recipe(heading))
    # PipeCD: ScriptRunStageOptions, in `with`. GitHub: a step, whose job fails with its exit code.
    options = step["with"] if heading == "PipeCD" else step
    assert set(options) <= {"env", "run", "timeout", "onRollback"} if heading == "PipeCD" else {"name", "env", "run"}
    environment: dict[str, str] = dict(options["env"])
    assert path_of(environment.pop("GATE_URL")) == "/api/v1/decision"
    assert environment.pop("GATE_WAIT_S") == "3600"  # here, it is asked once
    environment.pop("GATE_TOKEN", None)
    script = "cd integrations; " + options["run"].replace("$(cat /etc/piped/gate-token)", TOKEN)
    for decision, code in EXIT_CODES.items():
        gate.record(decision)
        result = run_shell(gate, script, **environment)
        assert (result.returncode, result.stdout) == (code, f"{decision.upper()} · as the test says\n")
    gate.record("continue", share=0.25)
    assert run_shell(gate, script, **environment).returncode == 3


def test_a_pause_is_ended_by_the_decision_with_its_action(gate: GateServer, tmp_path: Path) -> None:
    aws = tmp_path / "aws"
    aws.write_text('#!/bin/sh\nprintf "%s " "$@"\n', encoding="utf-8")
    aws.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    for decision in EXIT_CODES:
        gate.record(decision)
        result = run_shell(gate, recipe("ECS PAUSE"), PATH=path, DEPLOYMENT="arn", HOOK="hook-1")
        action = {"continue": "CONTINUE", "roll_back": "ROLLBACK"}.get(decision)
        command = f"ecs continue-service-deployment --service-deployment-arn arn --hook-id hook-1 --action {action} "
        assert result.stdout.splitlines()[1:] == ([command] if action else [])


@pytest.mark.parametrize("decision", EXIT_CODES)
def test_a_deployment_of_codedeploy_is_stopped_only_to_roll_back(
    gate: GateServer, tmp_path: Path, decision: Any
) -> None:
    """It is in progress at the first look, and not any more at the second."""
    (tmp_path / "aws").write_text(
        "#!/bin/sh\ncase $2 in\n"
        "  get-deployment) if [ -e seen ]; then echo Stopped; else touch seen; echo InProgress; fi ;;\n"
        '  *) printf "%s " "$@" >> stopped ;;\nesac\n',
        encoding="utf-8",
    )
    (tmp_path / "sleep").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    for name in ("aws", "sleep"):
        (tmp_path / name).chmod(0o755)
    (tmp_path / "integrations").symlink_to(ROOT / "integrations")
    gate.record(decision)
    run_shell(gate, f"cd {tmp_path}; {recipe('CodeDeploy')}", PATH=f"{tmp_path}:{os.environ['PATH']}", DEPLOYMENT="d-1")
    stopped = tmp_path / "stopped"
    assert (tmp_path / "seen").exists() and stopped.exists() == (decision == "roll_back")
    if stopped.exists():
        assert stopped.read_text() == "deploy stop-deployment --deployment-id d-1 --auto-rollback-enabled "


def test_the_script_asks_until_there_is_a_decision(gate: GateServer, tmp_path: Path) -> None:
    gate.record("wait")
    (tmp_path / "sleep").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    (tmp_path / "sleep").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    result = run_shell(gate, "integrations/ask_gate.sh", GATE_WAIT_S="60", GATE_INTERVAL_S="30", PATH=path)
    assert (result.returncode, len(result.stdout.splitlines())) == (2, 3)
    gate.record("roll_back")
    result = run_shell(gate, "integrations/ask_gate.sh", GATE_WAIT_S="60", PATH=path)
    assert (result.returncode, len(result.stdout.splitlines())) == (1, 1)


@pytest.mark.parametrize(
    ("environment", "error"),
    [
        ({"GATE_TOKEN": "wrong"}, "HTTP 401: see docs/gate.md"),
        ({"GATE_MIGRATION": "another"}, "HTTP 404: see docs/gate.md"),
        ({"GATE_SHARE": "ten"}, "HTTP 400: see docs/gate.md"),
        ({"GATE_URL": "http://127.0.0.1:9/api/v1/decision"}, "HTTP 000: no decision"),
    ],
)
def test_the_script_never_passes_by_mistake(gate: GateServer, environment: dict[str, str], error: str) -> None:
    gate.record("continue")
    assert run_shell(gate, "integrations/ask_gate.sh").returncode == 0
    result = run_shell(gate, "integrations/ask_gate.sh", **environment)
    assert (result.returncode, result.stderr.splitlines()[-1]) == (3, error)
    assert TOKEN not in result.stdout + result.stderr


def test_the_hook_of_the_recipe_is_the_one_that_is_there() -> None:
    text = recipe("ECS lifecycle hook")
    (path,) = re.findall(r"zip -j hook.zip (\S+)", text)
    assert (ROOT / path).exists() and "--handler handler.handler" in text
    assert 'lifecycleStages": ["PRE_PRODUCTION_TRAFFIC_SHIFT"]' in text


def test_the_table_of_statuses_is_the_real_one() -> None:
    rows: dict[str, list[str]] = {}
    for line in re.findall(r"(?m)^\| (`.+) \|$", DOCS):
        names, *cells = (cell.strip() for cell in line.split("|"))
        for name in re.findall(r"`(\w+)`", names):
            rows[name] = cells
    documented: dict[str, Any] = {
        "flagger": {decision: int(rows[decision][1]) for decision in EXIT_CODES},
        "strict": {decision: int(rows[decision][2]) for decision in EXIT_CODES},
    }
    assert documented == STATUS_BY_DIALECT
    assert {decision: rows[decision][3] for decision in EXIT_CODES} == {
        **dict.fromkeys(EXIT_CODES, "409"),
        "roll_back": "200",
    }


def test_the_limits_in_the_text_are_the_real_ones() -> None:
    assert f"older than {MAX_RECORD_AGE_S // 60} minutes" in DOCS
    assert f"more than {MAX_CLOCK_OFFSET_S} seconds in the future" in DOCS
    assert urlsplit(HOST).hostname in DOCS
