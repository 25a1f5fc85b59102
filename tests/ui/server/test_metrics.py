"""/metrics of the dashboard: what cannot be read is no answer, not an old one."""

import asyncio
import logging
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric

from ui.server.metrics import MetricsEndpoint


class Failing:
    """Has a metric until it is broken."""

    is_broken = False

    def collect(self) -> Iterator[Metric]:
        if self.is_broken:
            raise ValueError("a recorded decision of another shape")
        yield GaugeMetricFamily("migration_viewers", "Open pages.", 3)


def test_metrics_that_cannot_be_read_are_no_answer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ui.server.recent_read.MAX_AGE_S", 0.0)
    registry, collector = CollectorRegistry(), Failing()
    registry.register(collector)  # type: ignore[arg-type]

    async def scrape() -> list[tuple[bytes, str] | None]:
        endpoint = MetricsEndpoint(registry)
        answers = [await endpoint.respond("")]
        collector.is_broken = True
        return [*answers, await endpoint.respond("")]

    with caplog.at_level(logging.ERROR, "ui.server.metrics"):
        first, second = asyncio.run(scrape())
    assert first and b"migration_viewers 3.0" in first[0]
    assert second is None
    assert "another shape" in caplog.text
