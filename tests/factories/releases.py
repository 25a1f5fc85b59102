"""A service whose deployments shift the traffic between two target groups, in fakes of ECS and CloudWatch, and its collectors without threads."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from archive import Archive
from collector.collector import Collector, CollectorConfig
from collector.releases import OpenRelease, ReleaseCollection
from domain import Migration, Window
from domain.config.loader import parse_tables
from domain.releases import Release
from services.releases import collected_releases, read_releases
from sources.aws.ecs import Ecs
from sources.registry import create_sources
from tests.factories.config import CONFIG_PATH
from tests.factories.deployments import NOON, no_retry_client
from tests.fakes.cloudwatch import FakeCloudWatch
from tests.fakes.deployments import (
    BLUE,
    CLUSTER,
    ECS_ARN_PREFIX,
    ELB_ARN_PREFIX,
    GREEN,
    SERVICE,
    FakeDeployments,
    group_arn,
    service,
    task_definition,
)
from tests.fakes.traffic_model import SteadyTraffic, TrafficModel

HOUR = 3600
IMAGE = "123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/photo/web"


def release_tables(**releases: Any) -> dict[str, Any]:
    """A configuration of releases alone."""
    return {
        "migration": {"name": "Photo", "archive": "sqlite:///archive.db"},
        "aws": {
            "region": "ap-northeast-1",
            "load_balancer": f"{ELB_ARN_PREFIX}loadbalancer/app/photo/50dc6c495c0c9188",
            "cloudtrail": False,
        },
        "releases": {
            "service": f"{CLUSTER}/{SERVICE}",
            "target_groups": [group_arn(BLUE), group_arn(GREEN)],
            "commit_url": "https://github.com/example/photo/commit/{tag}",
            **releases,
        },
        "criteria": [{"metric": "error_rate", "margin": "0.5pp", "critical": True}],
    }


def release_config(**releases: Any) -> Migration:
    return parse_tables(release_tables(**releases), CONFIG_PATH)


def service_revision(number: int, group: str | None) -> dict[str, Any]:
    """Of web:N with the tag "sha-N"; without a load balancer if `group` is None."""
    balancers = [{"targetGroupArn": group_arn(group)}] if group else []
    return {
        "serviceRevisionArn": f"{ECS_ARN_PREFIX}service-revision/{CLUSTER}/{SERVICE}/{number}",
        "taskDefinition": task_definition(number),
        "containerImages": [
            {"containerName": "log", "image": "public.ecr.aws/fluent-bit@sha256:aa"},
            {"containerName": "web", "image": f"{IMAGE}:sha-{number}"},
        ],
        "resolvedConfiguration": {"loadBalancers": balancers},
    }


def service_deployment(
    number: int, status: str, created: int, *, weight: float = 10.0, **fields: Any
) -> dict[str, Any]:
    """From web:N-1 to web:N, with `weight` percent on the new one."""

    def revision(number: int, percent: float) -> dict[str, Any]:
        arn = f"{ECS_ARN_PREFIX}service-revision/{CLUSTER}/{SERVICE}/{number}"
        return {"arn": arn, "requestedTaskCount": 4, "runningTaskCount": 4, "requestedProductionTrafficWeight": percent}

    return {
        "serviceDeploymentArn": f"{ECS_ARN_PREFIX}service-deployment/{CLUSTER}/{SERVICE}/deploy-{number}",
        "createdAt": created,
        "startedAt": created + 5,
        "status": status,
        "deploymentConfiguration": {"strategy": "CANARY"},
        "targetServiceRevision": revision(number, weight),
        "sourceServiceRevisions": [revision(number - 1, 100 - weight)],
        **fields,
    }


@dataclass
class ReleasedService:
    """The fakes, at a time that the test sets. `groups`: of each revision of the service."""

    ecs: FakeDeployments
    cloudwatch: FakeCloudWatch
    migration: Migration
    archive: Archive
    groups: Mapping[int, str | None] = field(default_factory=lambda: {41: BLUE, 42: GREEN, 43: BLUE})
    now: int = NOON

    def clock(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    def set_deployments(self, *deployments: dict[str, Any]) -> None:
        """What ECS lists, the newest first."""
        self.ecs.service_deployments = list(deployments)
        self.ecs.service_revisions = [service_revision(number, group) for number, group in self.groups.items()]
        self.ecs.services = [service("ECS", taskDefinition=task_definition(43))]

    def poll_deployments(self) -> None:
        """As a process that has just been started does."""
        source = Ecs(self.migration, clock=self.clock, client=no_retry_client("ecs", self.ecs.url))
        window = Window(self.now - HOUR, self.now - self.now % 60)
        self.archive.events.save_events(source.events(window), "ecs")

    def releases(self) -> tuple[Release, ...]:
        return read_releases(self.archive, self.migration, now=self.clock())

    def open(self, migration: Migration) -> OpenRelease:
        sources, archive = create_sources(migration, clock=self.clock), self.archive.of(migration)
        sources = replace(sources, traffic=None, events=())
        config = CollectorConfig.from_migration(migration)
        collector = _SynchronousCollector(archive, sources, config, clock=self.clock)
        return OpenRelease(migration, archive, sources, collector)

    def collection(self) -> ReleaseCollection:
        def releases(now: datetime) -> Iterator[Migration]:
            return collected_releases(self.archive, self.migration, now=now)

        return ReleaseCollection(releases, self.open, self.clock)


class _SynchronousCollector(Collector):
    """Polls the metrics once when it is started, until nothing is missing."""

    def start(self, *, with_threads: bool = True) -> None:
        super().start(with_threads=False)
        for task in self.tasks:
            while task.role == "metrics" and self.run_task(task) == 0:
                pass


@contextmanager
def released_service(
    folder: Path,
    patch: pytest.MonkeyPatch,
    *,
    traffic: TrafficModel | None = None,
    migration: Migration | None = None,
) -> Iterator[ReleasedService]:
    """`traffic`: half of it on each target group by default."""
    migration = migration or release_config()
    traffic = traffic or SteadyTraffic(lambda _ts: {BLUE: 0.5, GREEN: 0.5})
    now = [lambda: NOON]
    with (
        FakeDeployments() as ecs,
        FakeCloudWatch(traffic, clock=lambda: datetime.fromtimestamp(now[0](), UTC)) as cloudwatch,
        Archive.open(f"sqlite:///{folder / 'archive.db'}", migration, clock=lambda: released.clock()) as archive,
    ):
        patch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", cloudwatch.url)
        patch.setenv("AWS_ENDPOINT_URL_ECS", ecs.url)
        released = ReleasedService(ecs, cloudwatch, migration, archive)
        now[0] = lambda: released.now
        yield released
