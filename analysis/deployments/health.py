"""What is the matter with a deployment or a service: stuck, failed, waiting for a person, or short of tasks."""

from typing import Literal

from domain.deployments import Deployment, EcsService

DeploymentIssue = Literal["failed", "waits", "stuck", "short_of_tasks", "rollout_failed", "inactive"]

STUCK_S = 15 * 60  # tasks come up, or a health check gives up on them, within minutes
RECENT_S = 86_400  # what failed before that is history
# Stages that last as long as they were configured to.
CONFIGURED_WAITS = frozenset(
    {"AllowTestTraffic", "AllowTraffic", "TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME"}
)


def deployment_issues(
    service: EcsService | None, latest: Deployment | None, *, now: int
) -> tuple[DeploymentIssue, ...]:
    """Everything that is the matter at `now` (epoch seconds), the worst first. Empty: all is well, as far as is known."""
    found: list[DeploymentIssue] = []
    running = latest is not None and latest.running
    if service and service.status not in ("ACTIVE", ""):
        found.append("inactive")
    if service and service.rollout == "FAILED":
        found.append("rollout_failed")
    if (
        latest
        and latest.outcome in ("failed", "rolled_back", "stopped")
        and now - (latest.ended or latest.created) < RECENT_S
    ):
        found.append("failed")
    if latest and latest.running and is_stuck(latest, now=now):
        found.append("stuck")
    if latest and latest.running and latest.waits_for:
        found.append("waits")
    if service and not running and service.running < service.desired:
        found.append("short_of_tasks")
    return tuple(found)


def is_stuck(deployment: Deployment, *, now: int) -> bool:
    """Whether it has been at one stage for longer than tasks take to come up. Waits that somebody configured do not count."""
    if not deployment.stage or deployment.stage in CONFIGURED_WAITS or deployment.waits_for:
        return False
    return now - stage_started_at(deployment) > STUCK_S


def stage_started_at(deployment: Deployment) -> int:
    """Since when it has been at its stage; where nobody tells, since when it has run."""
    began = next((stage.began for stage in deployment.stages if stage.name == deployment.stage), None)
    return began or deployment.started or deployment.created
