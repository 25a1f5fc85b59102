"""A dashboard that reads the fakes, and shares its archive with the test."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from archive import Archive
from domain import Migration, Window, load
from tests.factories.dashboard_server import DashboardServer, run_dashboard
from tests.fakes.services import FakeServices
from tests.fakes.traffic_model import SteadyTraffic

WARM_UP_TIMEOUT_S = 180.0
# A tenth of the traffic on ECS, 1 % of errors on both fleets.
TRAFFIC = SteadyTraffic(
    lambda _ts: {"photo-ec2": 0.9, "photo-ecs": 0.1},
    requests_per_minute=900,
    error_rates={"photo-ec2": 0.01, "photo-ecs": 0.01},
)


def write_config(services: FakeServices, folder: Path, *, name: str = "Photo service") -> Path:
    """Writes a migration.toml whose archive is in the same folder. Without back-fill: earlier time is requested when a page shows it."""
    path = folder / "migration.toml"
    text = services.config(str(folder / "archive.db"), name=name, with_latency=False, backfill=False)
    path.write_text(text, encoding="utf-8")
    return path


def server_environment(services: FakeServices, config: Path) -> dict[str, str]:
    return services.environment | {"MIGRATION_CONFIG": str(config)}


@dataclass(frozen=True, slots=True)
class RunningDashboard:
    services: FakeServices
    server: DashboardServer
    migration: Migration
    archive: Archive


@contextmanager
def dashboard_on_fakes(services: FakeServices, folder: Path) -> Iterator[RunningDashboard]:
    config = write_config(services, folder)
    migration = load(config)
    with (
        run_dashboard(folder, server_environment(services, config)) as server,
        Archive.open(migration.archive, migration) as archive,
    ):
        wait_until_archived(server, archive)
        yield RunningDashboard(services, server, migration, archive)


def wait_until_archived(server: DashboardServer, archive: Archive) -> None:
    """Waits for the newest hours of both metric sources and the weights, so that no test waits for them."""
    until = time.monotonic() + WARM_UP_TIMEOUT_S
    while time.monotonic() < until:
        window = Window.last(180, now=datetime.now(UTC))
        is_complete = not any(archive.metrics.read(window, name).missing for name in ("cloudwatch", "mackerel"))
        if is_complete and archive.events.latest_traffic():
            return
        time.sleep(0.1)  # another process writes it
    raise RuntimeError(f"The archive was not filled. The server's log:\n{server.log}")
