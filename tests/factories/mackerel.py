"""A migration that is observed through Mackerel."""

from datetime import UTC, datetime

from domain import Mackerel, Migration, check_frame, epoch_s
from domain.config.models import Fleet, Fleets
from sources.base import Pull
from tests.fakes.mackerel import ALB_HOST
from tests.fakes.traffic_model import ScriptedTraffic, TargetGroupMinute

NOON = 1_767_355_200  # 2026-01-02 12:00 UTC
TRAFFIC = ScriptedTraffic(
    {
        ("photo-ec2", NOON - 120): TargetGroupMinute(100, 97, 1, 0, 2, latencies=(0.1, 0.2, 0.3), healthy=4),
        ("photo-ec2", NOON - 60): TargetGroupMinute(110, 110, latencies=(0.2,), healthy=4),
        ("photo-ecs-blue", NOON - 120): TargetGroupMinute(10, 10, latencies=(0.5,)),
        ("photo-ecs-blue", NOON - 60): TargetGroupMinute(0, healthy=1, unhealthy=1),
    },
    alb_errors={NOON - 60: {"alb_5xx": 3, "alb_502": 3}},
)


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


def values_by_series(pull: Pull) -> dict[tuple[str, str, str, str], dict[int, float]]:
    """(fleet, target group, metric, stat) → minutes after NOON → value."""
    values: dict[tuple[str, str, str, str], dict[int, float]] = {}
    for row, ts in zip(check_frame(pull.frame).itertuples(), epoch_s(pull.frame), strict=True):
        key = (row.fleet, row.target_group, row.metric, row.stat)
        values.setdefault(key, {})[(int(ts) - NOON) // 60] = row.value
    return values
