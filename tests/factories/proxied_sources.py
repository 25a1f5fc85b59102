"""Every source that a migration can configure, behind proxies that damage the replies of its service."""

import gzip
import json
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from domain import Clock, Migration, Window, utc_now
from domain.config.loader import load
from domain.window import DAY_S, MINUTE_S
from sources import registry
from sources.aws import calls, cloudtrail
from sources.aws.client import create_client
from sources.base import CheckableSource
from sources.mackerel.client import MackerelApi
from sources.registry import Sources
from tests.factories.access_log_lines import access_log_line
from tests.fakes.athena import BUCKET, FakeAthena
from tests.fakes.cloudwatch_logs import FakeCloudWatchLogs
from tests.fakes.elbv2 import REGION, FakeElbv2
from tests.fakes.mackerel import ALB_HOST, SERVICE
from tests.fakes.mutating_proxy import MutatingProxy, Reply, mutate, mutating_proxies
from tests.fakes.services import FakeServices, fake_services
from tests.fakes.traffic_model import SteadyTraffic

_TABLES = f"""
[access_logs]
cache = "{{folder}}/cache"
ingest = true

[access_logs.athena]

[[criteria]]
name = "requests of Mackerel"
source = "mackerel"
baseline = "host({ALB_HOST}, custom.alb.request_per_group.photo-ec2.count)"
canary = "sum(host({ALB_HOST}, custom.alb.request_per_group.photo-*.count))"
margin = 5

[[criteria]]
name = "requests of CloudWatch"
source = "cloudwatch"
baseline = {{{{ namespace = "AWS/ApplicationELB", name = "RequestCount", statistic = "Sum" }}}}
canary = {{{{ namespace = "AWS/ApplicationELB", name = "RequestCount", statistic = "Sum" }}}}
margin = 5

[batches]
service = "{SERVICE}"
duration = "batch.{{{{job}}}}.duration"
success = "batch.{{{{job}}}}.success"

[batches.log]
rows = "$.rows"

[[batches.jobs]]
name = "thumbnails"
rule = "photo-thumbnails"
function = "photo-thumbnails"

[[batches.jobs]]
name = "digest"
scheduler = "photo/digest"
function = "photo-digest"
"""
_SAMPLE_LOAD_BALANCER = "app/photo/50dc6c495c0c9188"
_RECORDS = Path(__file__).parent.parent / "samples" / "cloudtrail"


@dataclass(frozen=True, slots=True)
class ProxiedSources:
    """`environment`: of a program that asks through the proxies. `log_window`: of a day whose access logs exist."""

    migration: Migration
    environment: dict[str, str]
    proxies: tuple[MutatingProxy, ...]
    log_window: Window
    cache: Path

    def create(self, clock: Clock = utc_now) -> tuple[CheckableSource, ...]:
        """New sources, which remember no replies."""
        return all_sources(registry.create_sources(self.migration, clock=clock))

    def set_change(self, change: Callable[[Reply], Reply]) -> None:
        for proxy in self.proxies:
            proxy.change = change

    def damage(self, mutations: random.Random, share: float = 1.0) -> None:
        """Has this share of all replies mutated from now on."""
        self.set_change(lambda reply: mutate(reply, mutations) if mutations.random() < share else reply)

    def end_damage(self) -> None:
        self.set_change(lambda reply: reply)

    def requests_of(self, source: Any) -> dict[str, Callable[[], Any]]:
        """Each request of the source's protocols, by its name. Listings that later requests need are read here, undamaged."""
        newest = Window.last(5, now=utc_now())
        self.end_damage()
        files = source.files(self.log_window).files if hasattr(source, "files") else ()

        def download_all() -> tuple[Any, ...]:
            shutil.rmtree(self.cache, ignore_errors=True)
            return tuple(source.download(file) for file in files if not file.parts)

        requests: dict[str, Callable[[], Any]] = {
            "pull": lambda: source.pull(newest),
            "events": lambda: source.events(newest),
            "window_latency": lambda: source.window_latency(newest),
            "snapshot": lambda: source.snapshot(),
            "check": lambda: source.check(),
            "files": lambda: source.files(self.log_window),
            "download": download_all,
            "read_steps": lambda: source.read_steps({}),
            "check_limits": lambda: source.check_limits(files),
            "count_day": lambda: source.count_day(files[0], on_progress=lambda _: None, should_stop=lambda: False),
        }
        return {name: request for name, request in requests.items() if hasattr(source, name)}


def all_sources(sources: Sources) -> tuple[CheckableSource, ...]:
    """The sources of every field."""
    values = [getattr(sources, field.name) for field in fields(sources)]
    return tuple(item for value in values for item in (value if isinstance(value, tuple) else (value,)) if item)


@contextmanager
def proxied_sources(folder: Path) -> Iterator[ProxiedSources]:
    """Runs all services, and proxies before them. Sources that are created meanwhile ask these, without pauses between requests."""
    now = utc_now()
    log_window = Window(*(int(now.timestamp()) // DAY_S * DAY_S - days * DAY_S for days in (2, 1)))
    with (
        fake_services(SteadyTraffic(lambda _: {"photo-ec2": 0.9, "photo-ecs": 0.1})) as services,
        FakeAthena() as athena,
        FakeCloudWatchLogs() as logs,
    ):
        athena.polls_until_final = 0
        _add_access_logs(services.elbv2, athena, log_window, now)
        _add_jobs(services, now)
        line = (int(now.timestamp()) * 1000 - 60_000, '{"rows": 12}')
        logs.groups = {f"/aws/lambda/photo-{job}": [line] for job in ("thumbnails", "digest")}
        services.cloudtrail.records = list(_audit_records(services.elbv2, now))
        config = folder / "migration.toml"
        tables = _TABLES.format(folder=folder)
        config.write_text(services.config(str(folder / "archive.db")) + tables, encoding="utf-8")
        aws = {
            "ATHENA": athena.url,
            "S3": athena.url,
            "EVENTBRIDGE": services.elbv2.url,
            "SCHEDULER": services.elbv2.url,
            "CLOUDWATCH_LOGS": logs.url,
        }
        urls = services.environment | {f"AWS_ENDPOINT_URL_{name}": url for name, url in aws.items()}
        with mutating_proxies(urls) as (environment, proxies), _without_pauses(environment):
            yield ProxiedSources(load(config), environment, proxies, log_window, folder / "cache")


@contextmanager
def _without_pauses(environment: dict[str, str]) -> Iterator[None]:
    clients: dict[str, Any] = {}  # creating one takes longer than a request

    def cached_client(service: str, aws: Any) -> Any:
        if service not in clients:
            clients[service] = create_client(service, aws, max_attempts=1)
        return clients[service]

    api = MackerelApi(environment["MACKEREL_APIKEY"], environment["MACKEREL_APIBASE"], backoff_s=0)
    with (
        mock.patch.dict("os.environ", environment),
        mock.patch.object(calls, "create_client", cached_client),
        mock.patch.object(cloudtrail, "_RATE_LIMITER", cloudtrail.RateLimiter(0)),
        mock.patch.object(MackerelApi, "from_environment", lambda: api),
    ):
        yield


def _add_access_logs(elbv2: FakeElbv2, athena: FakeAthena, window: Window, now: datetime) -> None:
    """Two files of `window`, and one of the last hour."""
    attributes = {"enabled": "true", "bucket": BUCKET, "prefix": "alb"}
    elbv2.elbv2.modify_load_balancer_attributes(
        LoadBalancerArn=elbv2.load_balancer,
        Attributes=[{"Key": f"access_logs.s3.{key}", "Value": value} for key, value in attributes.items()],
    )
    balancer = _dimension(elbv2)
    recent = now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0) - timedelta(minutes=20)
    for end in (window.starts_at + timedelta(hours=8), window.starts_at + timedelta(hours=9), recent):
        time = f"{end - timedelta(minutes=2):%Y-%m-%dT%H:%M:%S}.186641Z"
        key = (
            f"alb/AWSLogs/123456789012/elasticloadbalancing/{REGION}/{end:%Y/%m/%d}/"
            f"123456789012_elasticloadbalancing_{REGION}_{balancer.replace('/', '.')}_{end:%Y%m%dT%H%MZ}_10.0.1.10_3c8d6a1b.log.gz"
        )
        line = access_log_line(time=time).replace(_SAMPLE_LOAD_BALANCER, balancer)
        athena.objects[key] = gzip.compress((line * 3).encode())


def _add_jobs(services: FakeServices, now: datetime) -> None:
    """A rule, a schedule, and three runs of each job."""
    services.elbv2.client("events").put_rule(Name="photo-thumbnails", ScheduleExpression="rate(5 minutes)")
    scheduler = services.elbv2.client("scheduler")
    scheduler.create_schedule_group(Name="photo")
    target = {"Arn": f"arn:aws:lambda:{REGION}:123456789012:function:photo-digest", "RoleArn": "arn:aws:iam::1:role/r"}
    scheduler.create_schedule(
        GroupName="photo",
        Name="digest",
        ScheduleExpression="cron(30 7 * * ? *)",
        ScheduleExpressionTimezone="Asia/Tokyo",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=target,
    )
    newest = int(now.timestamp()) // MINUTE_S * MINUTE_S
    minutes = [newest - ago * MINUTE_S for ago in (2, 3, 4)]
    services.mackerel.points[SERVICE] = {
        f"batch.{job}.{metric}": dict.fromkeys(minutes, 1.5)
        for job in ("thumbnails", "found")
        for metric in ("duration", "success")
    }


def _audit_records(elbv2: FakeElbv2, now: datetime) -> Iterator[dict[str, Any]]:
    """The recorded events as of the last minutes, about this load balancer."""
    for number, sample in enumerate(sorted(_RECORDS.glob("*.json"))):
        text = sample.read_text(encoding="utf-8").replace(_SAMPLE_LOAD_BALANCER, _dimension(elbv2))
        record = json.loads(text)
        if "eventName" in record:
            yield record | {"eventTime": f"{now - timedelta(seconds=30 + number):%Y-%m-%dT%H:%M:%SZ}"}


def _dimension(elbv2: FakeElbv2) -> str:
    """app/photo/…"""
    return elbv2.load_balancer.partition("/")[2]
