"""Creates the sources of a migration."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from domain import FLEETS, Clock, Migration, utc_now
from sources.access_logs.base import LocalLogs, LogSource
from sources.access_logs.cache import LogFileCache
from sources.aws.athena import AthenaLogs
from sources.aws.client import aws_of
from sources.aws.cloudtrail import CloudTrail
from sources.aws.cloudwatch import CloudWatch
from sources.aws.cloudwatch_criteria import CloudWatchCriteria
from sources.aws.codedeploy import CodeDeploy
from sources.aws.ecs import Ecs
from sources.aws.eventbridge import EventBridge
from sources.aws.function_logs import FunctionLogs
from sources.aws.lambda_metrics import LambdaMetrics
from sources.aws.load_balancer import LoadBalancer
from sources.aws.s3_access_logs import S3Logs
from sources.base import EventSource, MetricSource, TrafficSource
from sources.border import guard
from sources.demo.access_logs import DemoLogs
from sources.demo.audit_log import DemoAuditLog
from sources.demo.batches import DemoBatches, DemoTriggers
from sources.demo.criteria import DemoCriteria
from sources.demo.deployments import DemoDeployments
from sources.demo.lambda_metrics import DemoLambda
from sources.demo.release_sources import DemoReleaseAuditLog, DemoReleaseDeployments, DemoReleaseTraffic
from sources.demo.releases import release_scenario
from sources.demo.run_logs import DemoRunLogs
from sources.demo.sources import DemoEvents, DemoMetrics, DemoTraffic, program_anchor
from sources.mackerel.batches import MackerelBatches
from sources.mackerel.client import MackerelApi
from sources.mackerel.criteria import MackerelCriteria
from sources.mackerel.events import MackerelEvents
from sources.mackerel.metrics import MackerelMetrics
from sources.run_logs import RunLogSource
from sources.triggers import TriggerSnapshot, TriggerSource


@dataclass(frozen=True, slots=True)
class Sources:
    """All sources of one migration. The first of `metrics` is the default."""

    metrics: tuple[MetricSource, ...] = ()
    traffic: TrafficSource | None = None
    events: tuple[EventSource, ...] = ()
    criteria: tuple[MetricSource, ...] = ()  # metrics of criteria of one's own
    batches: tuple[MetricSource, ...] = ()  # metrics of batch jobs; the first source has the runs
    triggers: TriggerSource | None = None
    run_logs: RunLogSource | None = None  # None without [batches.log]
    logs: LogSource | None = None  # None without [access_logs]
    athena: AthenaLogs | None = None  # counts the same logs remotely, on demand only: queries are billed

    @property
    def batch_source_names(self) -> frozenset[str]:
        """The names of the sources that only the batches page uses."""
        triggers = (self.triggers,) if self.triggers else ()
        run_logs = (self.run_logs,) if self.run_logs else ()
        return frozenset(source.name for source in (*self.batches, *triggers, *run_logs))


def create_sources(migration: Migration, *, clock: Clock = utc_now, anchor: datetime | None = None) -> Sources:
    """The sources of a migration, guarded (sources/border.py). Sends no request.

    `anchor`: the time of the demo's scenario, by default the hour in which the program started.
    """
    sources = (
        _create_demo_sources(migration, clock, anchor or program_anchor())
        if migration.demo
        else _create_configured_sources(migration, clock)
    )
    if migration.is_over:
        sources = replace(sources, traffic=None, events=())  # those of now are of a later release
    return guard_all(sources, clock)


def guard_all(sources: Sources, clock: Clock) -> Sources:
    """The same sources, each behind the border."""
    return Sources(
        metrics=tuple(guard(source, clock=clock) for source in sources.metrics),
        traffic=sources.traffic and guard(sources.traffic, clock=clock),
        events=tuple(guard(source, clock=clock) for source in sources.events),
        criteria=tuple(guard(source, clock=clock) for source in sources.criteria),
        batches=tuple(guard(source, clock=clock) for source in sources.batches),
        triggers=sources.triggers and guard(sources.triggers, clock=clock, snapshot=TriggerSnapshot),
        run_logs=sources.run_logs and guard(sources.run_logs, clock=clock),
        logs=sources.logs and guard(sources.logs, clock=clock),
        athena=sources.athena and guard(sources.athena, clock=clock),
    )


def _create_configured_sources(migration: Migration, clock: Clock) -> Sources:
    api = MackerelApi.from_environment()
    metrics: list[MetricSource] = []
    events: list[EventSource] = []
    if migration.aws:
        metrics.append(CloudWatch(migration, clock=clock))
        events += _create_aws_event_sources(migration, clock)
    if migration.mackerel:
        metrics.append(MackerelMetrics(migration, clock=clock, api=api))
        events.append(MackerelEvents(migration, clock=clock, api=api))
    batches: list[MetricSource] = []
    jobs = migration.batches.jobs if migration.batches else ()
    if migration.batches:
        batches.append(MackerelBatches(migration, clock=clock, api=api))
    if migration.aws and any(job.function for job in jobs):
        batches.append(LambdaMetrics(migration, clock=clock))
    has_triggers = migration.aws and any(job.rule or job.scheduler for job in jobs)
    has_run_logs = migration.aws and migration.batches and migration.batches.log
    logs, athena = _create_log_sources(migration, clock)
    return Sources(
        metrics=tuple(metrics),
        criteria=tuple(_create_criteria_sources(migration, clock, api)),
        traffic=LoadBalancer(migration, clock=clock) if migration.aws else None,
        events=tuple(events),
        batches=tuple(batches),
        triggers=EventBridge(migration, clock=clock) if has_triggers else None,
        run_logs=FunctionLogs(migration, clock=clock) if has_run_logs else None,
        logs=logs,
        athena=athena,
    )


def _create_demo_sources(migration: Migration, clock: Clock, anchor: datetime) -> Sources:
    if migration.releases or migration.release:
        return Sources(
            metrics=(DemoMetrics(migration, anchor=anchor, clock=clock, scenario=release_scenario(anchor)),),
            traffic=DemoReleaseTraffic(migration, anchor=anchor, clock=clock),
            events=(
                DemoReleaseAuditLog(migration, anchor=anchor, clock=clock),
                DemoReleaseDeployments(migration, anchor=anchor, clock=clock),
            ),
        )
    return Sources(
        metrics=(DemoMetrics(migration, anchor=anchor, clock=clock),),
        criteria=tuple(
            DemoCriteria(migration, source, anchor=anchor, clock=clock)
            for source in dict.fromkeys(criterion.source for criterion in migration.own_criteria)
            if source
        ),
        traffic=DemoTraffic(anchor=anchor, clock=clock),
        events=(
            DemoEvents(anchor=anchor, clock=clock),
            DemoAuditLog(anchor=anchor, clock=clock),
            DemoDeployments(anchor=anchor, clock=clock),
        ),
        batches=(DemoBatches(anchor=anchor, clock=clock), DemoLambda(anchor=anchor, clock=clock)),
        triggers=DemoTriggers(anchor=anchor, clock=clock),
        run_logs=DemoRunLogs(anchor=anchor, clock=clock),
        logs=DemoLogs(anchor=anchor, clock=clock),
    )


def _create_criteria_sources(migration: Migration, clock: Clock, api: MackerelApi) -> Iterator[MetricSource]:
    sources = {criterion.source for criterion in migration.own_criteria}
    if "mackerel" in sources:
        yield MackerelCriteria(migration, clock=clock, api=api)
    if "cloudwatch" in sources:
        yield CloudWatchCriteria(migration, clock=clock)


def _create_aws_event_sources(migration: Migration, clock: Clock) -> Iterator[EventSource]:
    fleets = [migration.fleets[fleet] for fleet in FLEETS]
    if any(fleet.ecs_service for fleet in fleets):
        yield Ecs(migration, clock=clock)
    if any(fleet.codedeploy for fleet in fleets):
        yield CodeDeploy(migration, clock=clock)
    if migration.aws and migration.aws.cloudtrail:
        yield CloudTrail(migration, clock=clock)


def _create_log_sources(migration: Migration, clock: Clock) -> tuple[LogSource | None, AthenaLogs | None]:
    settings = migration.access_logs
    if settings is None:
        return None, None
    if settings.path:
        return LocalLogs(Path(settings.path), migration.aws.load_balancer_arn if migration.aws else None), None
    aws = aws_of(migration, "S3")
    cache = LogFileCache(Path(settings.cache), int(settings.cache_gb * 1e9))
    logs = S3Logs(aws, cache, bucket=settings.bucket, prefix=settings.prefix)
    athena = AthenaLogs(aws, settings.athena, logs, settings.routes, clock=clock) if settings.athena else None
    return logs, athena
