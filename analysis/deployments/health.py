"""Issues of a deployment or a service: stuck, failed, waiting for approval, or short of tasks."""

from typing import Literal

from domain.deployments import Deployment, EcsService, Wait

DeploymentIssue = Literal["failed", "waits", "stuck", "short_of_tasks", "rollout_failed", "inactive"]

STUCK_S = 15 * 60  # tasks start, or fail their health checks, within minutes
RECENT_S = 86_400  # older failures are not reported
# Stages of a configured duration, and those in which only hooks run.
CONFIGURED_WAITS = frozenset(
    {
        "AllowTestTraffic",
        "AllowTraffic",
        "TEST_TRAFFIC_SHIFT",
        "POST_TEST_TRAFFIC_SHIFT",
        "PRE_PRODUCTION_TRAFFIC_SHIFT",
        "PRODUCTION_TRAFFIC_SHIFT",
        "POST_PRODUCTION_TRAFFIC_SHIFT",
        "BAKE_TIME",
    }
)


def deployment_issues(
    service: EcsService | None, latest: Deployment | None, *, now: int
) -> tuple[DeploymentIssue, ...]:
    """All issues known at `now` (epoch seconds), the worst first."""
    issues: list[DeploymentIssue] = []
    running = latest is not None and latest.running
    if service and service.status not in ("ACTIVE", ""):
        issues.append("inactive")
    if service and service.rollout == "FAILED":
        issues.append("rollout_failed")
    if (
        latest
        and latest.outcome in ("failed", "rolled_back", "stopped")
        and now - (latest.ended or latest.created) < RECENT_S
    ):
        issues.append("failed")
    if latest and latest.running and is_stuck(latest, now=now):
        issues.append("stuck")
    if latest and latest.running and any(needs_action(wait) for wait in latest.waits):
        issues.append("waits")
    if service and not running and service.running < service.desired:
        issues.append("short_of_tasks")
    return tuple(issues)


def needs_action(wait: Wait) -> bool:
    """Whether the deployment does not end well by itself: the termination of old tasks only waits for its time."""
    return wait.on_timeout not in ("terminate", "continue")


def is_stuck(deployment: Deployment, *, now: int) -> bool:
    """Whether it has been at one stage for longer than STUCK_S. Configured waits do not count."""
    if not deployment.stage or deployment.stage in CONFIGURED_WAITS or deployment.waits:
        return False
    return now - stage_started_at(deployment) > STUCK_S


def stage_started_at(deployment: Deployment) -> int:
    """When its current stage started; if unknown, when the deployment started."""
    started_at = next((stage.began for stage in deployment.stages if stage.name == deployment.stage), None)
    return started_at or deployment.started or deployment.created
