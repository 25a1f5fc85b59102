"""Traces of polls for OpenTelemetry, if it is installed (requirements-otel.txt) and OTEL_EXPORTER_OTLP_ENDPOINT is set; otherwise nothing.

Spans have names and kinds only: no address, parameter or error text, which may contain a secret.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

SERVICE_NAME = "migration-dashboard"  # OTEL_SERVICE_NAME names another
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

logger = logging.getLogger(__name__)
_tracer: Any = None


class Span:
    """A span, or nothing while there is no tracer."""

    def __init__(self, span: Any = None) -> None:
        self._span = span

    def set(self, **attributes: str | Sequence[str]) -> None:
        if self._span is not None:
            self._span.set_attributes({f"migration.{name}": value for name, value in attributes.items()})

    def fail(self, kind: str) -> None:
        """Marks it as an error of this kind."""
        if self._span is not None:
            from opentelemetry.trace import Status, StatusCode

            self._span.set_status(Status(StatusCode.ERROR, kind))


def configure_tracing(environment: Mapping[str, str]) -> bool:
    """Sends spans to the endpoint that the environment names, in a thread; whether it does. The other OTEL_… variables are OpenTelemetry's own."""
    if not any(environment.get(name) for name in ENDPOINTS):
        return False
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logger.warning(
            "%s is set, but OpenTelemetry is not installed: pip install -r requirements-otel.txt", ENDPOINTS[0]
        )
        return False
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # one line, not one for each retry
    resource = Resource.create({"service.name": environment.get("OTEL_SERVICE_NAME") or SERVICE_NAME})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    use_tracer(provider.get_tracer(SERVICE_NAME))
    return True


def use_tracer(tracer: Any) -> None:
    """From now on spans are those of an OpenTelemetry tracer; None: there are none."""
    global _tracer
    _tracer = tracer


@contextmanager
def span(name: str, /, **attributes: str) -> Iterator[Span]:
    """The time of the block, below the span that is open in this thread."""
    if _tracer is None:
        yield Span()
        return
    # Without OpenTelemetry's own record of an exception, which has its text.
    with _tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as opened:
        current = Span(opened)
        current.set(**attributes)
        try:
            yield current
        except BaseException as error:
            current.fail(type(error).__name__)
            raise
