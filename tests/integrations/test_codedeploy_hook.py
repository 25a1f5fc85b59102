"""The CodeDeploy hook: the real gate and a fake CodeDeploy on loopback, with boto3."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from domain.decision import EXIT_CODES
from integrations.codedeploy_hook import handler as hook
from tests.factories.deployments import NOON
from tests.factories.gate_server import GateServer, run_gate
from tests.fakes.deployments import FakeDeployments, deployment_payload

# Of the CodeDeploy User Guide, "AppSpec 'hooks' section", "Sample Lambda 'hooks' function": event.DeploymentId, event.LifecycleEventHookExecutionId.
EVENT = {"DeploymentId": "d-43", "LifecycleEventHookExecutionId": "hook-execution-1"}
DENIED = (400, "AccessDeniedException", "User: arn:aws:sts::123456789012:assumed-role/hook/x is not authorized")


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateServer]:
    with run_gate(tmp_path_factory.mktemp("gate"), {"GATE_TOKEN": "correct-horse"}) as gate:
        yield gate


@pytest.fixture
def codedeploy(gate: GateServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDeployments]:
    with FakeDeployments() as fake:
        fake.deployments = [deployment_payload("d-43", "InProgress", NOON, 43, before=42)]
        environment = {
            "AWS_ENDPOINT_URL_CODEDEPLOY": fake.url,
            "AWS_DEFAULT_REGION": "ap-northeast-1",
            "AWS_ACCESS_KEY_ID": "example",
            "AWS_SECRET_ACCESS_KEY": "example",
            "GATE_URL": f"{gate.url}/api/v1/decision",
            "GATE_TOKEN": "correct-horse",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield fake


class Lambda:
    """A function's context, whose time passes only while it sleeps. `pauses`: in seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, left_s: float = 900.0) -> None:
        self.left_s, self.pauses = left_s, list[float]()
        monkeypatch.setattr(hook.time, "sleep", self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.left_s -= seconds

    def get_remaining_time_in_millis(self) -> float:
        return 1000 * self.left_s


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Lambda:
    return Lambda(monkeypatch)


def reported(codedeploy: FakeDeployments) -> list[dict[str, Any]]:
    return [request for operation, request in codedeploy.requests if operation.startswith("PutLifecycle")]


def as_reported(status: str) -> list[dict[str, Any]]:
    ids = {"deploymentId": "d-43", "lifecycleEventHookExecutionId": "hook-execution-1"}
    return [{**ids, "status": status}]


def about(capsys: pytest.CaptureFixture[str]) -> str:
    text: str = json.loads(capsys.readouterr().out.splitlines()[-1])["about"]
    return text


@pytest.mark.parametrize("decision", EXIT_CODES)
def test_the_decision_is_the_status_and_an_open_one_is_failed_in_the_end(
    gate: GateServer, codedeploy: FakeDeployments, function: Lambda, decision: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    gate.record(decision)
    status = "Succeeded" if decision == "continue" else "Failed"
    assert hook.handler(EVENT, function) == {"status": status}
    assert reported(codedeploy) == as_reported(status)
    is_open = decision not in ("continue", "roll_back")
    headline = f"{decision.upper()} · as the test says"
    assert about(capsys) == (f"not decided in time: {headline}" if is_open else headline)
    assert bool(function.pauses) == is_open
    assert function.left_s >= hook.REPORT_S
    assert sum(function.pauses) == pytest.approx(900 - 1 - hook.REPORT_S - hook.TIMEOUT_S) or not is_open


def test_it_is_asked_again_when_a_decision_is_expected(
    gate: GateServer, codedeploy: FakeDeployments, function: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(seconds: float) -> None:
        function._sleep(seconds)
        gate.record("continue" if len(function.pauses) == 2 else "wait", minutes=4)

    gate.record("wait", minutes=2)
    monkeypatch.setattr(hook.time, "sleep", sleep)
    assert hook.handler(EVENT, function) == {"status": "Succeeded"}
    assert function.pauses == [120, 240]


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"GATE_TOKEN": "wrong"}, "ValueError: HTTP 401: "),
        ({"GATE_URL": "http://127.0.0.1:9/api/v1/decision"}, "ConnectionError: no way to the gate ("),
        ({"GATE_MIGRATION": "another"}, "ValueError: HTTP 404: "),
        ({"GATE_URL": "dashboard"}, "ValueError: GATE_URL must be "),
    ],
)
def test_without_a_decision_nothing_passes(
    gate: GateServer,
    codedeploy: FakeDeployments,
    function: Lambda,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environment: dict[str, str],
    reason: str,
) -> None:
    gate.record("continue")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert hook.handler(EVENT, function) == {"status": "Failed"}
    assert about(capsys).startswith(f"not decided in time: {reason}")
    assert len(function.pauses) > 5


def test_an_answer_of_another_shape_does_not_pass(
    gate: GateServer, codedeploy: FakeDeployments, function: Lambda, capsys: pytest.CaptureFixture[str]
) -> None:
    gate.record("continue", reasons=5)
    assert hook.handler(EVENT, function) == {"status": "Failed"}
    assert about(capsys).startswith("not decided in time: TypeError: ")


def test_an_old_decision_does_not_pass(gate: GateServer, codedeploy: FakeDeployments, function: Lambda) -> None:
    for age_s in (600, -600):
        gate.record("continue", age_s=age_s)
        assert hook.handler(EVENT, function) == {"status": "Failed"}


def test_what_is_undecided_passes_only_if_that_is_configured(
    gate: GateServer, codedeploy: FakeDeployments, function: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATE_UNDECIDED", "Succeeded")
    gate.record("wait")
    assert hook.handler(EVENT, function) == {"status": "Succeeded"}
    gate.record("roll_back")
    assert hook.handler(EVENT, function) == {"status": "Failed"}


def test_it_is_never_in_the_way_of_a_rollback(
    gate: GateServer, codedeploy: FakeDeployments, function: Lambda, capsys: pytest.CaptureFixture[str]
) -> None:
    gate.record("roll_back")
    codedeploy.deployments[0]["creator"] = hook.ROLLBACK_CREATOR
    assert hook.handler(EVENT, function) == {"status": "Succeeded"}
    assert about(capsys) == "rolling back"


def test_without_permission_to_read_the_deployment_the_gate_decides(
    gate: GateServer, codedeploy: FakeDeployments, function: Lambda
) -> None:
    codedeploy.errors["GetDeployment"] = DENIED
    gate.record("roll_back")
    assert hook.handler(EVENT, function) == {"status": "Failed"}
    assert reported(codedeploy) == as_reported("Failed")


def test_a_dry_run_never_refuses_and_never_waits(
    gate: GateServer,
    codedeploy: FakeDeployments,
    function: Lambda,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GATE_DRY_RUN", "1")
    for decision, status in (("roll_back", "Failed"), ("wait", "asked again")):
        gate.record(decision)  # type: ignore[arg-type]
        assert hook.handler(EVENT, function) == {"status": "Succeeded"}
        assert about(capsys).startswith(f"dry run, would be {status}: {decision.upper()}")
    assert function.pauses == []


def test_an_answer_that_codedeploy_does_not_take_is_an_error_of_the_function(
    gate: GateServer, codedeploy: FakeDeployments, function: Lambda
) -> None:
    codedeploy.errors["PutLifecycleEventHookExecutionStatus"] = DENIED
    gate.record("continue")
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        hook.handler(EVENT, function)


def test_a_function_without_time_reports_all_the_same(
    gate: GateServer, codedeploy: FakeDeployments, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gate.record("continue")
    assert hook.handler(EVENT, Lambda(monkeypatch, left_s=3)) == {"status": "Failed"}
    assert about(capsys) == "not decided in time: TimeoutError: no time left"


def test_its_package_has_all_that_it_imports(tmp_path: Path) -> None:
    """As Lambda imports it: from the unpacked package, and boto3."""
    recipe = re.search(
        r"zip (\S+\.zip) (.*/codedeploy_hook/handler.py.*)", Path("docs/gate.md").read_text(encoding="utf-8")
    )
    assert recipe
    for name in recipe[2].split():
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(name, tmp_path / name)
    code = "import integrations.codedeploy_hook.handler as hook; print(hook.__file__, callable(hook.handler))"
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout == f"{tmp_path}/integrations/codedeploy_hook/handler.py True\n"
