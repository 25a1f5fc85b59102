"""/metrics of the real server: its formats, and that the pages' protection covers it."""

from collections.abc import Iterator

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from services.metrics import GAUGES, POLLS
from tests.factories.gate_server import GateServer, run_gate

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateServer]:
    with run_gate(tmp_path_factory.mktemp("metrics")) as server:
        yield server


def test_the_recorded_state_is_scraped(server: GateServer) -> None:
    server.record("roll_back", criteria=[{"metric": "error_rate", "verdict": "regression"}], observed={"canary": 0.1})
    reply = server.ask("/metrics")
    assert (reply.status, reply.headers["cache-control"]) == (200, "no-store")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family.samples for family in parse(reply.body.decode())}
    polled = {"migration_configured_share_ratio", "migration_data_until_timestamp_seconds"}  # by and by
    polled |= {name for name in GAUGES if name.startswith(("migration_source_", "migration_notification"))}
    assert {*GAUGES, POLLS, "process_resident_memory_bytes"} - polled <= set(families)
    decided = [sample.labels for sample in families["migration_decision"] if sample.value]
    assert decided == [{"migration": server.slug, "phase": "1", "decision": "roll_back"}]
    judged = [sample.labels["verdict"] for sample in families["migration_verdict"] if sample.value]
    assert judged == ["regression"]
    server.record("continue", age_s=3_600)
    stale = {family.name: family.samples for family in parse(server.ask("/metrics").body.decode())}
    assert [sample.labels["decision"] for sample in stale["migration_decision"] if sample.value] == ["no_data"]


def test_openmetrics_is_sent_to_those_who_ask_for_it(server: GateServer) -> None:
    reply = server.ask("/metrics", headers={"Accept": OPENMETRICS})
    assert reply.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert list(parse_openmetrics(reply.body.decode()))


def test_only_this_machine_is_answered(server: GateServer) -> None:
    assert server.ask("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status == 403
    assert server.ask("/metrics", headers={"Host": "evil.example"}).status == 403
    assert server.ask("/metrics", headers={"Origin": "http://evil.example"}).status == 403
    assert server.ask("/metrics", method="POST", body=b"{}").status == 405


def test_scrapes_are_not_in_the_log(server: GateServer) -> None:
    server.ask("/metrics")
    assert "path=/metrics status=200" not in server.server.log
    assert server.ask("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status == 403
    server.ask("/metrics")  # the line of a request is written after its response
    assert "path=/metrics status=403" in server.server.log
