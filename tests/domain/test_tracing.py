"""Spans of OpenTelemetry, collected in memory: what they have, and that no text of an error is among it."""

import logging
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from collector.polling import PollTask
from domain import Window, tracing
from domain.tracing import configure_tracing, span
from sources.base import Events, Problem
from sources.tracing import traced

SECRET = "hunter2"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use_tracer(provider.get_tracer("test"))
    yield exporter
    tracing.use_tracer(None)
    provider.shutdown()


def make_events(*problems: Problem) -> Events:
    return Events(Window(0, 60), 0, problems=problems)


def finished(exporter: InMemorySpanExporter) -> tuple[ReadableSpan, ...]:
    found = exporter.get_finished_spans()
    assert SECRET not in "".join(item.to_json() for item in found)
    return found


def test_a_poll_has_a_span_for_each_time_its_source_is_asked(spans: InMemorySpanExporter) -> None:
    problem = Problem("denied", "alb", "elasticloadbalancing:DescribeRules", f"token {SECRET}", f"detail {SECRET}")

    def poll() -> float:
        traced("alb", "events", make_events)
        traced("alb", "events", lambda: make_events(problem, problem))
        return 60.0

    PollTask("alb", "events", poll, 60).run("Photo service")
    first, second, whole = finished(spans)
    assert (first.name, second.name, whole.name) == ("fetch", "fetch", "poll")
    assert first.attributes == {"migration.source": "alb", "migration.role": "events"}
    assert second.attributes == {**first.attributes, "migration.problems": ("denied",)}
    assert whole.attributes and len(str(whole.attributes["migration.log_reference"])) == 6
    assert {name: value for name, value in whole.attributes.items() if name != "migration.log_reference"} == {
        "migration.source": "alb",
        "migration.role": "events",
        "migration.name": "Photo service",
    }
    assert whole.context and all(
        item.parent and item.parent.span_id == whole.context.span_id for item in (first, second)
    )
    assert whole.status.status_code == StatusCode.UNSET


def test_a_poll_that_fails_has_the_kind_of_the_error_alone(spans: InMemorySpanExporter) -> None:
    def fail() -> Events:
        raise OSError(f"https://user:{SECRET}@proxy.example refused")

    def poll() -> float:
        traced("alb", "traffic", fail)
        return 15.0

    PollTask("alb", "traffic", poll, 15).run("Photo service")
    fetch, whole = finished(spans)
    for item in (fetch, whole):
        assert (item.status.status_code, item.status.description, item.events) == (StatusCode.ERROR, "OSError", ())


def test_without_a_tracer_nothing_is_recorded() -> None:
    with span("poll", source="alb") as current:
        current.set(role="metrics")
        current.fail("OSError")
    assert traced("alb", "events", make_events) == make_events()


def test_without_an_endpoint_opentelemetry_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    assert not configure_tracing({"OTEL_SERVICE_NAME": "photo"})


def test_without_the_packages_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with caplog.at_level(logging.WARNING, "domain.tracing"):
        assert not configure_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
    assert caplog.messages == [
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed: pip install -r requirements-otel.txt"
    ]
