"""The gate of the real server: its answers against its OpenAPI document, through everything that protects the pages."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from domain.decision import EXIT_CODES
from tests.factories.dashboard_server import run_dashboard
from tests.factories.gate_server import GateReply, GateServer, run_gate
from ui.server.openapi import OPENAPI

DECISION = "/api/v1/decision"


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateServer]:
    with run_gate(tmp_path_factory.mktemp("gate")) as gate:
        yield gate


def check_documented(path: str, reply: GateReply, *, method: str = "get") -> None:
    """Fails unless the document has this status of this path, with a schema that the body has."""
    response = OPENAPI["paths"][path][method]["responses"][str(reply.status)]
    schema = response["content"]["application/json"]["schema"] | {"components": OPENAPI["components"]}
    assert reply.headers["content-type"] == "application/json"
    Draft202012Validator(schema).validate(reply.json)


def test_the_document_is_openapi_and_the_one_that_is_served(gate: GateServer) -> None:
    validate(OPENAPI)
    reply = gate.ask("/api/v1/openapi.json")
    assert (reply.status, reply.json) == (200, json.loads(json.dumps(OPENAPI)))


@pytest.mark.parametrize("decision", EXIT_CODES)
def test_answers_are_as_documented(gate: GateServer, decision: Any) -> None:
    gate.record(decision, incidents=[], criteria=[])
    for query in ("", "?gate=argo", "?gate=strict", "?gate=flagger", "?gate=strict&dry_run=1", "?share=10"):
        reply = gate.ask(f"{DECISION}{query}")
        check_documented(DECISION, reply)
        assert (reply.json["decision"], reply.json["exit_code"]) == (decision, EXIT_CODES[decision])
        assert reply.headers["cache-control"] == "no-store"
        check_documented(f"{DECISION}/{{phase}}", gate.ask(f"{DECISION}/1{query}"))
    for query in ("?gate=flagger", "?gate=flagger&dry_run=1"):
        check_documented(DECISION, gate.ask(f"{DECISION}{query}", method="POST", body=b"{}"), method="post")
    for path in ("/api/v1/rollback", "/api/v1/rollback/{phase}"):
        reply = gate.ask(path.replace("{phase}", "1"), method="POST", body=b"{}")
        check_documented(path, reply, method="post")
        assert (reply.status == 200) == (decision == "roll_back")


def test_errors_are_as_documented(gate: GateServer) -> None:
    gate.record("continue", age_s=3_600)
    for path, status in (
        (f"{DECISION}?gate=strict", 503),
        (f"{DECISION}?gate=nonsense", 400),
        (f"{DECISION}?migration=another", 404),
        (f"{DECISION}/7", 404),
        (f"{DECISION}/7%20%C2%B7%2010%25", 404),
    ):
        reply = gate.ask(path)
        assert (reply.status, reply.json["decision"], reply.headers["cache-control"]) == (status, "no_data", "no-store")
        documented = f"{DECISION}/{{phase}}" if f"{DECISION}/" in path else DECISION
        check_documented(documented, reply)
    reply = gate.ask(DECISION, method="POST", body=b"{}")
    assert reply.status == 405
    check_documented(DECISION, reply, method="post")
    reply = gate.ask(f"{DECISION}?gate=flagger", method="POST", body=b"x" * 70_000)
    assert reply.status == 413
    check_documented(DECISION, reply, method="post")


@pytest.mark.parametrize(
    "path", ["/api/v1/decison", "/api/v2/decision", "/api/", "/api/v1/decision_", "/api/v1/decision/1/2"]
)
def test_an_unknown_address_never_passes(gate: GateServer, path: str) -> None:
    """Streamlit's page would, with 200."""
    gate.record("continue")
    reply = gate.ask(f"{path}?gate=strict")
    assert (reply.status, reply.json["decision"]) == (404, "no_data")


def test_a_head_request_has_the_status_alone(gate: GateServer) -> None:
    gate.record("hold")
    reply = gate.ask(f"{DECISION}?gate=strict", method="HEAD")
    assert (reply.status, reply.body) == (409, b"")


def test_a_version_is_not_sent_twice(gate: GateServer) -> None:
    gate.record("hold")
    etag = gate.ask().headers["etag"]
    reply = gate.ask(headers={"If-None-Match": etag})
    assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", etag)
    assert gate.ask(headers={"If-None-Match": etag, "Accept-Encoding": "gzip"}).status == 304


def test_other_hosts_and_other_sites_are_refused_before_the_gate(gate: GateServer) -> None:
    gate.record("continue")
    assert gate.ask(headers={"Host": "evil.example"}).status == 403
    assert gate.ask(headers={"Origin": "http://evil.example"}).status == 403


def test_a_proxy_of_this_machine_is_not_this_machine(gate: GateServer) -> None:
    gate.record("continue")
    reply = gate.ask(headers={"X-Forwarded-For": "127.0.0.1"})
    assert (reply.status, reply.json["decision"]) == (403, "no_data")
    check_documented(DECISION, reply)


def test_with_a_token_only_who_has_it_is_answered(tmp_path_factory: pytest.TempPathFactory) -> None:
    with run_gate(tmp_path_factory.mktemp("token"), {"GATE_TOKEN": "correct-horse"}) as gate:
        gate.record("continue")
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"Authorization": "Bearer correct-horse"}, 200),
        ):
            reply = gate.ask(headers=headers)
            assert (reply.status, reply.json["ok"]) == (status, status == 200)
            check_documented(DECISION, reply)
        assert "correct-horse" not in gate.server.log


def test_the_server_records_decisions_itself(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("recording")
    with run_dashboard(folder, {"MIGRATION_DEMO": "1"}) as server:
        gate, deadline = GateServer(server, None), time.monotonic() + 60  # type: ignore[arg-type]
        while (reply := gate.ask()).status != 200 and time.monotonic() < deadline:
            check_documented(DECISION, reply)
            time.sleep(0.2)
        assert reply.status == 200
        check_documented(DECISION, reply)
        assert reply.json["criteria"] and reply.json["recorded"]["decision"] == reply.json["decision"]
        assert set(reply.json["configured"]) <= {"baseline", "canary"}
