"""Which migration is meant, and which sources it has: the ones its configuration names, or the demo's."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from domain import FLEETS, Clock, ConfigIssue, ConfigurationError, Migration, load, utc_now
from sources.access_logs.base import LocalLogs, LogSource
from sources.access_logs.cache import LogFileCache
from sources.aws.athena import AthenaLogs
from sources.aws.cloudtrail import CloudTrail
from sources.aws.cloudwatch import CloudWatch
from sources.aws.codedeploy import CodeDeploy
from sources.aws.ecs import Ecs
from sources.aws.eventbridge import EventBridge
from sources.aws.lambda_metrics import LambdaMetrics
from sources.aws.load_balancer import LoadBalancer
from sources.aws.s3_access_logs import S3Logs
from sources.base import EventSource, MetricSource, TrafficSource
from sources.demo.access_logs import DemoLogs
from sources.demo.audit_log import DemoAuditLog
from sources.demo.batches import DemoBatches, DemoTriggers
from sources.demo.deployments import DemoDeployments
from sources.demo.lambda_metrics import DemoLambda
from sources.demo.sources import DemoEvents, DemoMetrics, DemoTraffic, demo_migration, program_anchor
from sources.mackerel.batches import MackerelBatches
from sources.mackerel.client import MackerelApi
from sources.mackerel.metrics import MackerelEvents, MackerelMetrics
from sources.triggers import TriggerSource

DEFAULT_PATH = Path("migration.toml")


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that can be asked about one migration. The first of `metrics` is the one that is shown unless told otherwise."""

    metrics: tuple[MetricSource, ...]
    traffic: TrafficSource | None
    events: tuple[EventSource, ...]
    batches: tuple[
        MetricSource, ...
    ] = ()  # of jobs, not of fleets: no page of the traffic knows them; the first knows the runs
    triggers: TriggerSource | None = None
    logs: LogSource | None = None  # None where no [access_logs] is configured
    athena: AthenaLogs | None = None  # counts the same logs, only where a person asks for it: it costs

    @property
    def batch_source_names(self) -> frozenset[str]:
        """The names of the sources that tell of batches, and of nothing that the other pages show."""
        starters = (self.triggers,) if self.triggers else ()
        return frozenset(source.name for source in (*self.batches, *starters))


def load_migration(path: Path | None = None, *, demo: bool = False) -> Migration:
    """The migration of `path`, else of ./migration.toml; the demo where `demo`, and where neither is there.

    Raises ConfigurationError, also where `path` cannot be read: a typing error must not open the demo.
    """
    if demo or not (path or DEFAULT_PATH.exists()):
        return demo_migration()
    path = path or DEFAULT_PATH
    try:
        return load(path)
    except OSError as error:
        detail = error.strerror or str(error)
        raise ConfigurationError(path, (ConfigIssue("", "not_readable", {"detail": detail}),)) from error


def create_sources(migration: Migration, *, clock: Clock = utc_now, anchor: datetime | None = None) -> Sources:
    """The sources of a migration. `anchor` fixes the demo's script in time; left out, it is the hour in which the program started. Never talks."""
    if migration.demo:
        at = anchor or program_anchor()
        return Sources(
            metrics=(DemoMetrics(migration, anchor=at, clock=clock),),
            traffic=DemoTraffic(migration, anchor=at, clock=clock),
            events=(
                DemoEvents(migration, anchor=at, clock=clock),
                DemoAuditLog(anchor=at, clock=clock),
                DemoDeployments(anchor=at, clock=clock),
            ),
            batches=(DemoBatches(migration, anchor=at, clock=clock), DemoLambda(anchor=at, clock=clock)),
            triggers=DemoTriggers(clock=clock),
            logs=DemoLogs(anchor=at, clock=clock),
        )
    metrics: list[MetricSource] = []
    batches: list[MetricSource] = []
    events: list[EventSource] = []
    if migration.aws:
        metrics.append(CloudWatch(migration, clock=clock))
        fleets = [migration.fleets[fleet] for fleet in FLEETS]
        events += [Ecs(migration, clock=clock)] if any(fleet.ecs_service for fleet in fleets) else []
        events += [CodeDeploy(migration, clock=clock)] if any(fleet.codedeploy for fleet in fleets) else []
        if migration.aws.cloudtrail:
            events.append(CloudTrail(migration, clock=clock))
    api = MackerelApi.from_environment()
    if migration.batches:
        batches.append(MackerelBatches(migration, clock=clock, api=api))
        if migration.aws and any(job.function for job in migration.batches.jobs):
            batches.append(LambdaMetrics(migration, clock=clock))
    if migration.mackerel:
        metrics.append(MackerelMetrics(migration, clock=clock, api=api))
        events.append(MackerelEvents(migration, clock=clock, api=api))
    traffic = LoadBalancer(migration, clock=clock) if migration.aws else None
    started = migration.batches.jobs if migration.aws and migration.batches else ()
    starters = EventBridge(migration, clock=clock) if any(job.rule or job.scheduler for job in started) else None
    return Sources(
        tuple(metrics), traffic, tuple(events), tuple(batches), starters, *_create_log_sources(migration, clock)
    )


def _create_log_sources(migration: Migration, clock: Clock) -> tuple[LogSource | None, AthenaLogs | None]:
    """Where access logs lie, and Athena over the same place where it is configured."""
    wanted = migration.access_logs
    if wanted is None:
        return None, None
    if wanted.path:
        return LocalLogs(Path(wanted.path)), None
    assert migration.aws, "the configuration was checked"
    cache = LogFileCache(Path(wanted.cache), int(wanted.cache_gb * 1e9))
    logs = S3Logs(migration.aws, cache, bucket=wanted.bucket, prefix=wanted.prefix)
    return logs, AthenaLogs(migration.aws, wanted.athena, logs, wanted.routes, clock=clock) if wanted.athena else None
