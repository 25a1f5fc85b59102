"""Everything outside on loopback at once: five services of AWS and Mackerel that tell one story, and a server that reads them."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from archive import Archive
from domain import Arn, Migration, Window, load
from tests.factories.dashboard_server import EXAMPLE_CREDENTIALS, DashboardServer, run_dashboard
from tests.factories.loopback_config import config_toml
from tests.fakes.cloudtrail import FakeCloudTrail, fake_cloudtrail
from tests.fakes.cloudwatch import FakeCloudWatch
from tests.fakes.deployments import APPLICATION, CLUSTER, DEPLOYMENT_GROUP, FakeDeployments, deployed_service
from tests.fakes.deployments import SERVICE as ECS_SERVICE
from tests.fakes.elbv2 import FakeElbv2
from tests.fakes.mackerel import ALB_HOST, API_KEY, SERVICE, FakeMackerel
from tests.fakes.traffic_model import SteadyTraffic

WARM_UP_TIMEOUT_S = 60.0
MACKEREL_TABLE = f'[mackerel]\nservice = "{SERVICE}"\nalb_host = "{ALB_HOST}"\n'


def steady_traffic() -> SteadyTraffic:
    """A tenth of the traffic on ECS, 1 % of errors on both sides."""
    return SteadyTraffic(
        lambda _ts: {"photo-ec2": 0.9, "photo-ecs": 0.1},
        requests_per_minute=900,
        error_rates={"photo-ec2": 0.01, "photo-ecs": 0.01},
    )


@dataclass(frozen=True, slots=True)
class FakeServices:
    """All of the outside, and the migration that is read from them."""

    cloudwatch: FakeCloudWatch
    elbv2: FakeElbv2
    mackerel: FakeMackerel
    cloudtrail: FakeCloudTrail
    deployments: FakeDeployments

    def write_config(self, folder: Path, *, name: str = "Photo service", archive: str = "archive.db") -> Path:
        """A migration.toml in `room`, whose archive is there too. The past is asked for only where a test looks at it: then it is asked at once."""
        path = folder / "migration.toml"
        path.write_text(
            config_toml(
                self.elbv2.load_balancer,
                self.elbv2.groups,
                archive=str(folder / archive),
                name=name,
                canary_lines=f'ecs_service = "{CLUSTER}/{ECS_SERVICE}"\ncodedeploy = "{APPLICATION}/{DEPLOYMENT_GROUP}"',
                extra_tables=MACKEREL_TABLE,
                with_latency=False,
                backfill=False,
            ),
            encoding="utf-8",
        )
        return path

    def environment(self, configuration: Path) -> dict[str, str]:
        """What a server needs to know to read this world."""
        return EXAMPLE_CREDENTIALS | {
            "MIGRATION_CONFIG": str(configuration),
            "AWS_ENDPOINT_URL_CLOUDWATCH": self.cloudwatch.url,
            "AWS_ENDPOINT_URL_CLOUDTRAIL": self.cloudtrail.url,
            "AWS_ENDPOINT_URL_ECS": self.deployments.url,
            "AWS_ENDPOINT_URL_CODEDEPLOY": self.deployments.url,
            "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": self.elbv2.url,
            "MACKEREL_APIBASE": self.mackerel.url,
            "MACKEREL_APIKEY": API_KEY,
        }


@contextmanager
def fake_services() -> Iterator[FakeServices]:
    story = steady_traffic()
    with ExitStack() as stack:
        balancer = stack.enter_context(FakeElbv2())
        home = Arn.parse(balancer.load_balancer)
        assert home
        cloudwatch = stack.enter_context(FakeCloudWatch(story, load_balancer=home.dimension))
        mackerel = stack.enter_context(FakeMackerel(story))
        cloudtrail = stack.enter_context(fake_cloudtrail())
        deployments = stack.enter_context(deployed_service(balancer.groups["photo-ecs"], balancer.listener))
        yield FakeServices(cloudwatch, balancer, mackerel, cloudtrail, deployments)


@dataclass(frozen=True, slots=True)
class RunningDashboard:
    """A world with a server that watches it, and the archive they share with the test."""

    services: FakeServices
    server: DashboardServer
    migration: Migration
    archive: Archive


@contextmanager
def dashboard_on_fakes(world: FakeServices, room: Path) -> Iterator[RunningDashboard]:
    path = world.write_config(room)
    migration = load(path)
    with (
        run_dashboard(room, world.environment(path)) as server,
        Archive.open(migration.archive, migration) as archive,
    ):
        _wait_until_archived(server, archive)
        yield RunningDashboard(world, server, migration, archive)


def _wait_until_archived(server: DashboardServer, archive: Archive) -> None:
    """Waits until the newest hours of both sources and the weights are there, so that no test hangs on what another one has waited for."""
    until = time.monotonic() + WARM_UP_TIMEOUT_S
    while time.monotonic() < until:
        window = Window.last(180, now=datetime.now(UTC))
        if archive.events.latest_traffic() and not any(
            archive.metrics.read(window, name).missing for name in ("cloudwatch", "mackerel")
        ):
            return
        time.sleep(0.1)  # another process writes it: nobody tells
    raise RuntimeError(f"The archive did not become warm. The server said:\n{server.log}")
