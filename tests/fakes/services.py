"""Everything outside on loopback at once: five services of AWS and Mackerel that tell one story, and a server that reads them."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from archive import Archive
from domain import Arn, Migration, Window, load
from tests.factories.dashboard_server import EXAMPLE_CREDENTIALS, Server, serving
from tests.factories.loopback_config import document
from tests.fakes.cloudtrail import CloudTrailWorld, cloudtrail_world
from tests.fakes.cloudwatch import CloudWatchWorld
from tests.fakes.deployments import APPLICATION, CLUSTER, GROUP, DeploymentsWorld, deployed
from tests.fakes.deployments import SERVICE as ECS_SERVICE
from tests.fakes.elbv2 import Elbv2World
from tests.fakes.mackerel import ALB_HOST, KEY, SERVICE, MackerelWorld
from tests.fakes.traffic_model import SteadyStory

WARM_WITHIN_S = 60.0
MACKEREL_TABLE = f'[mackerel]\nservice = "{SERVICE}"\nalb_host = "{ALB_HOST}"\n'


def steady() -> SteadyStory:
    """A tenth of the traffic on ECS, 1 % of errors on both sides."""
    return SteadyStory(
        lambda _ts: {"photo-ec2": 0.9, "photo-ecs": 0.1},
        requests_per_minute=900,
        error_rates={"photo-ec2": 0.01, "photo-ecs": 0.01},
    )


@dataclass(frozen=True, slots=True)
class World:
    """All of the outside, and the migration that is read from them."""

    cloudwatch: CloudWatchWorld
    balancer: Elbv2World
    mackerel: MackerelWorld
    cloudtrail: CloudTrailWorld
    deployments: DeploymentsWorld

    def configure(self, room: Path, *, name: str = "Photo service", archive: str = "archive.db") -> Path:
        """A migration.toml in `room`, whose archive is there too. The past is asked for only where a test looks at it: then it is asked at once."""
        path = room / "migration.toml"
        path.write_text(
            document(
                self.balancer.load_balancer,
                self.balancer.groups,
                archive=str(room / archive),
                name=name,
                canary=f'ecs_service = "{CLUSTER}/{ECS_SERVICE}"\ncodedeploy = "{APPLICATION}/{GROUP}"',
                tables=MACKEREL_TABLE,
                latency=False,
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
            "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": self.balancer.url,
            "MACKEREL_APIBASE": self.mackerel.url,
            "MACKEREL_APIKEY": KEY,
        }


@contextmanager
def a_world() -> Iterator[World]:
    story = steady()
    with ExitStack() as stack:
        balancer = stack.enter_context(Elbv2World())
        home = Arn.parse(balancer.load_balancer)
        assert home
        cloudwatch = stack.enter_context(CloudWatchWorld(story, load_balancer=home.dimension))
        mackerel = stack.enter_context(MackerelWorld(story))
        cloudtrail = stack.enter_context(cloudtrail_world())
        deployments = stack.enter_context(deployed(balancer.groups["photo-ecs"], balancer.listener))
        yield World(cloudwatch, balancer, mackerel, cloudtrail, deployments)


@dataclass(frozen=True, slots=True)
class Watched:
    """A world with a server that watches it, and the archive they share with the test."""

    world: World
    server: Server
    migration: Migration
    archive: Archive


@contextmanager
def watched(world: World, room: Path) -> Iterator[Watched]:
    path = world.configure(room)
    migration = load(path)
    with (
        serving(room, world.environment(path)) as server,
        Archive.open(migration.archive, migration) as archive,
    ):
        _wait_until_warm(server, archive)
        yield Watched(world, server, migration, archive)


def _wait_until_warm(server: Server, archive: Archive) -> None:
    """Waits until the newest hours of both sources and the weights are there, so that no test hangs on what another one has waited for."""
    until = time.monotonic() + WARM_WITHIN_S
    while time.monotonic() < until:
        window = Window.last(180, now=datetime.now(UTC))
        if archive.traffic() and not any(archive.read(window, name).missing for name in ("cloudwatch", "mackerel")):
            return
        time.sleep(0.1)  # another process writes it: nobody tells
    raise RuntimeError(f"The archive did not become warm. The server said:\n{server.log}")
