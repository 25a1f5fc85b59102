"""Which sources a migration has: the ones its configuration names, or the demo's."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from migration import Migration
from sources import EventSource, MetricSource, TrafficSource
from sources.cloudwatch import CloudWatch
from sources.demo import DemoEvents, DemoMetrics, DemoTraffic, anchor_of_program
from sources.mackerel import MackerelEvents, MackerelMetrics
from sources.mackerel_api import MackerelApi


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that can be asked about one migration. The first of `metrics` is the one a page shows unless told otherwise."""

    metrics: tuple[MetricSource, ...]
    traffic: TrafficSource | None
    events: tuple[EventSource, ...]


def _now() -> datetime:
    return datetime.now(UTC)


def sources_of(
    migration: Migration, *, clock: Callable[[], datetime] = _now, anchor: datetime | None = None
) -> Sources:
    """The sources of a migration. `anchor` fixes the demo's script in time; left out, it is the hour in which the program started. Never talks."""
    if migration.demo:
        at = anchor or anchor_of_program()
        return Sources(
            metrics=(DemoMetrics(migration, anchor=at, clock=clock),),
            traffic=DemoTraffic(migration, anchor=at, clock=clock),
            events=(DemoEvents(migration, anchor=at, clock=clock),),
        )
    metrics: list[MetricSource] = []
    events: list[EventSource] = []
    if migration.aws:
        metrics.append(CloudWatch(migration, clock=clock))
    if migration.mackerel:
        api = MackerelApi.from_environment()
        metrics.append(MackerelMetrics(migration, clock=clock, api=api))
        events.append(MackerelEvents(migration, clock=clock, api=api))
    return Sources(tuple(metrics), None, tuple(events))
