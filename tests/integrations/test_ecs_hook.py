"""The ECS hook: the events of ECS's documentation, against the real gate and against everything that may be in its place."""

import ast
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from domain.decision import EXIT_CODES
from integrations.ecs_hook import handler as hook
from tests.factories.gate_server import GateServer, run_gate

SAMPLES = Path("tests/samples/ecs")
SUCCEEDED, FAILED = {"hookStatus": "SUCCEEDED"}, {"hookStatus": "FAILED"}
WAITING = {"hookStatus": "IN_PROGRESS", "callBackDelay": 60}


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return event


def step(weight: float = 10, stage: str = "PRE_PRODUCTION_TRAFFIC_SHIFT", **keys: Any) -> dict[str, Any]:
    """Before a step of a linear or canary deployment, with the new revision at `weight` percent."""
    event = sample("pre_production_traffic_shift")
    green, blue = event["executionDetails"]["productionTrafficWeights"]
    event["executionDetails"]["productionTrafficWeights"] = {green: weight, blue: 100 - weight}
    return event | {"lifecycleStage": stage} | keys


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateServer]:
    with run_gate(tmp_path_factory.mktemp("gate"), {"GATE_TOKEN": "correct-horse"}) as gate:
        yield gate


@pytest.fixture
def asked(gate: GateServer, monkeypatch: pytest.MonkeyPatch) -> GateServer:
    monkeypatch.setenv("GATE_URL", f"{gate.url}/api/v1/decision")
    monkeypatch.setenv("GATE_TOKEN", "correct-horse")
    monkeypatch.setattr(hook, "TIMEOUT_S", 60.0)
    return gate


@pytest.mark.parametrize("decision", EXIT_CODES)
def test_the_decision_is_the_status(asked: GateServer, decision: Any) -> None:
    asked.record(decision)
    expected = {"continue": SUCCEEDED, "roll_back": FAILED}.get(decision, WAITING)
    assert hook.handler(step(10)) == expected
    assert hook.handler(step(10, "PRODUCTION_TRAFFIC_SHIFT")) == expected
    assert hook.handler(step(10, "A_STAGE_OF_2027")) == expected
    assert hook.handler(sample("post_production_traffic_shift")) == expected


@pytest.mark.parametrize(("minutes", "delay_s"), [(0, 30), (0.2, 30), (2, 120), (25, 300), (None, 60)])
def test_it_is_called_back_when_a_decision_is_expected(asked: GateServer, minutes: int | None, delay_s: int) -> None:
    asked.record("wait", minutes=minutes)
    assert hook.handler(step()) == {"hookStatus": "IN_PROGRESS", "callBackDelay": delay_s}


def test_it_is_called_back_when_the_last_criterion_is_expected_to_be_decided() -> None:
    def reply(*minutes: float | None) -> dict[str, Any]:
        return {
            "reasons": [{"code": "undecided", "minutes": number} for number in minutes]
            + [{"code": "alarm", "minutes": None}]
        }

    assert hook.minutes_to_decision(reply(2, 3, 1)) == 3
    assert hook.minutes_to_decision(reply(2, None)) is None
    assert hook.minutes_to_decision(reply()) is None


@pytest.mark.parametrize(
    "name",
    [
        "pre_scale_up",
        "post_scale_up",
        "test_traffic_shift",
        "post_test_traffic_shift",
        "pre_production_traffic_shift",
        "rollback",
    ],
)
def test_without_production_traffic_there_is_nothing_to_judge(asked: GateServer, name: str) -> None:
    asked.record("roll_back")
    assert hook.handler(sample(name)) == SUCCEEDED


def test_it_is_never_in_the_way_of_a_rollback(asked: GateServer) -> None:
    asked.record("roll_back")
    assert hook.handler(step(0, "PRODUCTION_TRAFFIC_SHIFT")) == SUCCEEDED
    assert hook.handler(step(90, "PRODUCTION_TRAFFIC_SHIFT", status="ROLLBACK_IN_PROGRESS")) == SUCCEEDED
    assert hook.handler(step(90, "PRODUCTION_TRAFFIC_SHIFT")) == WAITING, "the decision is of 10%"


def test_a_decision_of_another_share_is_none(asked: GateServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for decision in ("continue", "roll_back"):
        asked.record(decision, share=0.25)  # type: ignore[arg-type]
        assert hook.handler(step(10)) == WAITING
        assert hook.handler(step(25)) == (SUCCEEDED if decision == "continue" else FAILED)
    monkeypatch.setenv("GATE_MATCH_SHARE", "0")
    assert hook.handler(step(10)) == FAILED


def test_an_old_decision_is_none(asked: GateServer) -> None:
    for decision in ("continue", "roll_back"):
        asked.record(decision, age_s=600)  # type: ignore[arg-type]
        assert hook.handler(step(10)) == WAITING


def test_one_function_serves_several_migrations(asked: GateServer) -> None:
    asked.record("continue")
    assert hook.handler(step(hookDetails={"migration": asked.slug})) == SUCCEEDED
    assert hook.handler(step(hookDetails={"migration": "another"})) == WAITING


def test_a_dry_run_never_refuses(
    asked: GateServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked.record("roll_back")
    monkeypatch.setenv("GATE_DRY_RUN", "1")
    assert hook.handler(step()) == SUCCEEDED
    assert json.loads(capsys.readouterr().out)["about"].startswith("dry run, would be FAILED: ROLL_BACK")


@pytest.mark.parametrize(
    "event",
    [{}, {"executionDetails": None}, {"executionDetails": []}, step(executionDetails={}), step(hookDetails=[1])],
)
def test_an_event_of_another_shape_waits(asked: GateServer, event: dict[str, Any]) -> None:
    asked.record("roll_back", share=0.5)
    event = event or {"lifecycleStage": "PRODUCTION_TRAFFIC_SHIFT"}
    assert hook.handler(event)["hookStatus"] == "IN_PROGRESS"


def test_the_details_may_be_at_the_top(asked: GateServer) -> None:
    asked.record("roll_back")
    event = step(10)
    assert hook.handler({"lifecycleStage": "PRE_PRODUCTION_TRAFFIC_SHIFT", **event["executionDetails"]}) == FAILED


@pytest.mark.parametrize("token", ["", "wrong"])
def test_without_the_token_it_waits(asked: GateServer, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    asked.record("roll_back")
    monkeypatch.setenv("GATE_TOKEN", token)
    assert hook.handler(step()) == WAITING


def test_without_a_gate_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_URL", "http://127.0.0.1:9/api/v1/decision")
    assert hook.handler(step()) == WAITING


@pytest.mark.parametrize(
    "url", ["", "dashboard.example.com/api", "file://localhost/etc/hostname", "https:///api/v1/decision"]
)
def test_an_address_that_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    monkeypatch.setenv("GATE_URL", url)
    assert hook.handler(step()) == WAITING
    about = "ValueError: GATE_URL must be the http(s) URL of the gate, ending in /api/v1/decision"
    assert json.loads(capsys.readouterr().out) == {"hookStatus": "IN_PROGRESS", "about": about}


def test_a_clock_that_is_off_is_no_decision(asked: GateServer, capsys: pytest.CaptureFixture[str]) -> None:
    for decision in ("continue", "roll_back"):
        for age_s, sentence in ((-3600, "check the clocks"), (10**9, "11574d 1h old")):
            asked.record(decision, age_s=age_s)  # type: ignore[arg-type]
            assert hook.handler(step(10)) == WAITING
            assert sentence in json.loads(capsys.readouterr().out)["about"]


def test_a_phase_that_does_not_exist_is_no_decision(
    asked: GateServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked.record("roll_back", phase=1)
    monkeypatch.setenv("GATE_URL", f"{asked.url}/api/v1/decision/99")
    assert hook.handler(step(10)) == WAITING
    assert json.loads(capsys.readouterr().out)["about"].startswith("ValueError: HTTP 404: ")


def test_a_vpc_without_a_way_out_waits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A connection attempt that nothing answers."""

    def no_answer(*_args: object, **_options: object) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setenv("GATE_URL", "https://dashboard.example.com/api/v1/decision")
    monkeypatch.setattr("socket.create_connection", no_answer)
    assert hook.handler(step(10)) == WAITING
    about = "ConnectionError: no way to the gate (timed out): check GATE_URL, and in a VPC its route out"
    assert json.loads(capsys.readouterr().out) == {"hookStatus": "IN_PROGRESS", "about": about}


Respond = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def impostor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Respond], list[str]]]:
    """Starts a server in place of the gate; returns the list of its requests."""
    servers = []

    def start(respond: Respond) -> list[str]:
        paths: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                paths.append(self.path)
                respond(self)

            def log_message(self, *_args: object) -> None:
                """No lines in the output of tests."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        monkeypatch.setenv("GATE_URL", f"http://127.0.0.1:{server.server_port}/api/v1/decision?migration=photo-service")
        return paths

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def reply_with(status: int, body: bytes, **headers: str) -> Respond:
    def respond(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return respond


ROLL_BACK = b'{"schema":1,"decision":"roll_back"}'


@pytest.mark.parametrize(
    "respond",
    [
        reply_with(500, ROLL_BACK),
        reply_with(404, ROLL_BACK),
        reply_with(302, ROLL_BACK, Location="/other"),
        reply_with(200, b"<html>Sign in</html>"),
        reply_with(200, b""),
        reply_with(200, b"[]"),
        reply_with(200, b'{"schema":2,"decision":"roll_back"}'),
        reply_with(200, b'{"schema":1,"decision":"FAILED"}'),
        reply_with(200, b'{"schema":1,"decision":["roll_back"]}'),
        reply_with(200, b'{"schema":1,"decision":"roll_back","reasons":[1]}'),
        reply_with(200, ROLL_BACK + b" " * hook.MAX_REPLY_BYTES),
        reply_with(200, ROLL_BACK[:-3]),
        reply_with(200, b"\xff\xfe"),
    ],
)
def test_a_bad_reply_waits(impostor: Callable[[Respond], list[str]], respond: Respond) -> None:
    paths = impostor(respond)
    assert hook.handler(step()) == WAITING
    assert paths == ["/api/v1/decision?migration=photo-service&gate=argo&share=10"]


def test_a_good_reply_of_the_impostor_is_believed(
    impostor: Callable[[Respond], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    impostor(reply_with(200, ROLL_BACK))
    assert hook.handler(step()) == FAILED
    assert hook.handler(step(hookDetails={"migration": "photo-service"})) == WAITING, "it names no migration"
    capsys.readouterr()
    impostor(reply_with(200, b'{"schema":1,"decision":"roll_back","migration":"other"}'))
    assert hook.handler(step(hookDetails={"migration": "photo-service"})) == WAITING
    about = "ValueError: a decision of 'other', not of 'photo-service'"
    assert json.loads(capsys.readouterr().out) == {"hookStatus": "IN_PROGRESS", "about": about}
    strange = b'{"schema":1,"decision":"wait","headline":"\\ud800","reasons":[{"code":"undecided","minutes":NaN}]}'
    impostor(reply_with(200, strange))
    assert hook.handler(step()) == WAITING
    assert capsys.readouterr().out.isascii()


def test_a_gate_that_sends_a_byte_a_second_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    released, joined = threading.Event(), list[float | None]()

    class Thread(threading.Thread):
        def join(self, timeout: float | None = None) -> None:
            joined.append(timeout)
            super().join(0.01)

    monkeypatch.setenv("GATE_URL", "http://127.0.0.1:9/api/v1/decision")
    monkeypatch.setattr(hook.threading, "Thread", Thread)
    monkeypatch.setattr(hook, "_fetch", lambda _request, _timeout_s: released.wait(60) and b"")
    assert hook.handler(step(), SimpleNamespace(get_remaining_time_in_millis=lambda: 6_000)) == WAITING
    assert hook.handler(step()) == WAITING
    assert joined == [5.0, hook.TIMEOUT_S]
    released.set()


def test_a_gate_that_never_answers_is_given_up_before_the_function_ends(
    impostor: Callable[[Respond], list[str]],
) -> None:
    released = threading.Event()
    impostor(lambda _request: released.wait(60) and None)
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 1_100)
    try:
        assert hook.handler(step(), context) == WAITING
        context.get_remaining_time_in_millis = lambda: 500
        assert hook.handler(step(), context) == WAITING
    finally:
        released.set()


def test_it_imports_the_standard_library_alone() -> None:
    tree = ast.parse(Path(hook.__file__).read_text(encoding="utf-8"))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names
