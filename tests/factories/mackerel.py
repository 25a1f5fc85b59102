"""A migration that is observed through Mackerel."""

from datetime import UTC, datetime

from domain import Mackerel, Migration
from domain.config.models import Fleet, Fleets
from tests.fakes.mackerel import ALB_HOST

NOON = 1_767_355_200  # 2026-01-02 12:00 UTC


def make_migration(settings: Mackerel | None = None, **overrides: object) -> Migration:
    given = settings or Mackerel(service="photo", alb_host=ALB_HOST, organization="example")
    return Migration(
        name="Photo service",
        mackerel=given,
        fleets=Fleets(
            baseline=Fleet(label="EC2", target_groups=("photo-ec2",)),
            canary=Fleet(label="ECS", target_groups=("photo-ecs-blue", "photo-ecs-green")),
        ),
        **overrides,
    )


def noon() -> datetime:
    return datetime.fromtimestamp(NOON, UTC)
