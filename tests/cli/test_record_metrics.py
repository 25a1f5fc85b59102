"""`record --metrics-port`: the metrics of a recorder without pages, on loopback or behind the token."""

import socket
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families as parse

from commands import record
from commands.shared.metrics_server import serve_metrics
from services.metrics import RecordedState, metrics_registry
from sources.registry import Sources
from tests.cli.conftest import run
from tests.fakes.metric_source import FakeMetricSource

TOKEN = "correct-horse"


def ask(port: int, path: str = "/metrics", **headers: str) -> tuple[int, str]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urlopen(Request(f"http://127.0.0.1:{port}{path}", headers=sent), timeout=20) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_metrics_are_served_while_it_records(
    monkeypatch: pytest.MonkeyPatch, use_sources: Callable[[Sources], None], demo: Any
) -> None:
    replies, port = list[tuple[int, str]](), free_port()

    def scrape_once(_action: object, _interval_s: float) -> None:
        replies.append(ask(port))
        raise KeyboardInterrupt

    use_sources(Sources((FakeMetricSource(),)))
    monkeypatch.setattr(record.GateThread, "start", lambda thread: thread.record_all())
    monkeypatch.setattr(record, "repeat", scrape_once)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert run("record", "--demo", "--json", "--metrics-port", str(port)).exit_code == 0
    ((status, body),) = replies
    assert status == 200
    families = {family.name: family.samples for family in parse(body)}
    assert {sample.labels["migration"] for sample in families["migration_decision"]} == {demo.slug}
    assert families["migration_poll_duration_seconds"]
    assert "migration_viewers" not in families
    with pytest.raises(OSError, match="refused"):
        ask(port)


def test_other_machines_need_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATE_TOKEN", raising=False)
    result = run("record", "--demo", "--metrics-port", "9464", "--metrics-host", "0.0.0.0")
    assert result.exit_code == 2
    assert "To serve /metrics to other machines, set GATE_TOKEN." in " ".join(result.output.split())


def test_a_port_in_use_is_an_error() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        result = run("record", "--demo", "--metrics-port", str(other.getsockname()[1]))
    assert result.exit_code == 2
    assert "Address already in use" in result.output


@pytest.fixture
def registry() -> CollectorRegistry:
    return metrics_registry(RecordedState(tuple))


def test_without_a_token_other_names_are_refused(registry: CollectorRegistry) -> None:
    """DNS rebinding: the attacker's name, resolved to this machine."""
    with serve_metrics(registry, "127.0.0.1", 0, "") as port:
        assert ask(port)[0] == ask(port, Host=f"localhost:{port}")[0] == 200
        assert ask(port, Host="evil.example")[0] == ask(port, Host="")[0] == 403
        assert ask(port, "/")[0] == ask(port, "/metrics/x")[0] == 404


def test_with_a_token_it_must_be_sent(registry: CollectorRegistry) -> None:
    with serve_metrics(registry, "127.0.0.1", 0, TOKEN) as port:
        assert ask(port)[0] == ask(port, Authorization="Bearer wrong")[0] == ask(port, "/")[0] == 401
        assert ask(port, Authorization=f"Bearer {TOKEN}", Host="recorder.example")[0] == 200


def test_what_cannot_be_read_is_an_error(registry: CollectorRegistry) -> None:
    class Broken:
        def collect(self) -> Any:
            raise ValueError("a recorded decision of another shape")

    registry.register(Broken())  # type: ignore[arg-type]
    with serve_metrics(registry, "127.0.0.1", 0, "") as port:
        assert ask(port) == (500, "")
