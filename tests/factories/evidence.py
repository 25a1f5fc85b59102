"""The evidence of a small migration at parity."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from analysis import Phase
from analysis.parity.context import JudgeContext
from archive import MetricsResult
from domain import Event, Migration
from services.evaluation import JudgementInput
from services.evidence import EvidenceBundle, build_bundle
from tests.factories.config import make_migration
from tests.factories.frames import START, tidy_frame, window

MINUTES = 60
WINDOW = window(MINUTES)
NOW = datetime.fromtimestamp(WINDOW.end + 20).astimezone()
EVENT = Event(START + 600, None, "annotation", "Deployed admin pages", "", "", "", "test", "1")
MALICIOUS_TEXT = "<script>alert(1)</script>\"'&{{ 7 * 7 }}=1+1"


def sample_rows(
    *, ec2: str = "photo-ec2", ecs: str = "photo-ecs-blue"
) -> dict[tuple[str, str, str, str], list[float | None]]:
    """An hour in which both fleets answered 1,000 requests a minute, three or four of them with an error, p95 at 200 to 220 ms."""
    rows: dict[tuple[str, str, str, str], list[float | None]] = {}
    for fleet, group in (("baseline", ec2), ("canary", ecs)):
        errors = [3.0 + minute % 2 for minute in range(MINUTES)]
        rows[fleet, group, "requests", "sum"] = [1000.0] * MINUTES
        rows[fleet, group, "target_5xx", "sum"] = [*errors]
        rows[fleet, group, "target_2xx", "sum"] = [1000.0 - count for count in errors]
        rows[fleet, group, "latency", "p95"] = [0.2 + minute % 3 / 100 for minute in range(MINUTES)]
        rows[fleet, group, "latency", "sample_count"] = [1000.0] * MINUTES
    return rows


def rows_with_websockets() -> dict[tuple[str, str, str, str], list[float | None]]:
    """The same hour; 100 of the canary's 1,000 requests a minute have no counted response."""
    rows = sample_rows()
    rows["canary", "photo-ecs-blue", "target_2xx", "sum"] = [890.0] * MINUTES
    rows["canary", "photo-ecs-blue", "latency", "sample_count"] = [900.0] * MINUTES
    return rows


def make_evidence(
    config: Migration | None = None,
    rows: Mapping[tuple[str, str, str, str], Any] | None = None,
    *,
    events: tuple[Event, ...] = (EVENT,),
    context: JudgeContext | None = None,
    **overrides: Any,
) -> EvidenceBundle:
    """The evidence of `rows`, read from CloudWatch just after the hour; three minutes of it are provisional. `overrides`: of MetricsResult."""
    fields = {"data_until": WINDOW.end, "last_asked_at": WINDOW.end, "periods": ((WINDOW, 60),)} | overrides
    result = replace(MetricsResult(tidy_frame(sample_rows() if rows is None else rows), WINDOW), **fields)
    data = JudgementInput(result, Phase(WINDOW, 0.5, "weight"), None, (), NOW, context=context or JudgeContext())
    return replace(build_bundle(config or make_migration(), "cloudwatch", data), events=events)


MADE_AT = datetime(2026, 9, 21, 15, 20, 7, tzinfo=UTC)
