"""The state of services and deployments, whether a deployment could start, and whether the baseline could take all traffic."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from analysis.deployments.health import DeploymentIssue, deployment_issues, stage_started_at
from analysis.deployments.preflight import Preflight, preflights
from analysis.deployments.rollback import FleetLoad, RollbackReadiness, rollback_readiness
from analysis.deployments.waits import WaitingDeployment, stop_command, waiting_deployments
from archive.events.deployment_state import PastState
from domain import FLEETS, FleetName, Migration, Traffic
from domain.deployments import Deployment, DeploymentState, EcsService


@dataclass(frozen=True, slots=True)
class FleetDeployment:
    """The service and the newest deployment of a fleet, their issues, and how long the current stage has taken (0 without a deployment)."""

    fleet: FleetName
    service: EcsService | None
    deployment: Deployment | None
    issues: tuple[DeploymentIssue, ...]
    stage_s: int


@dataclass(frozen=True, slots=True)
class DeploymentsView:
    """The state (None if it was never read) and what follows from it and from the weights."""

    state: DeploymentState | None
    preflights: tuple[Preflight, ...]
    rollback: RollbackReadiness | None


def deployments_view(
    migration: Migration, state: DeploymentState | None, traffic: Traffic | None, load: FleetLoad | None, *, now: int
) -> DeploymentsView:
    """The view at `now` (epoch seconds). `load` (services.rollback.fleet_load) is used only with `traffic`."""
    if traffic is None:
        return DeploymentsView(state, (), None)
    readiness = rollback_readiness(traffic, load or FleetLoad(None, None, None))
    release = _running_release(migration, state)
    if readiness and readiness.command and release:
        command = stop_command(release, region=_region(migration))
        readiness = replace(readiness, command=command, of_deployment=True, unchanged_rules=())
    return DeploymentsView(state, preflights(traffic, state, now=now), readiness)


def fleet_deployment(state: DeploymentState, fleet: FleetName, *, now: int) -> FleetDeployment | None:
    """One fleet at `now` (epoch seconds); None if neither a service nor a deployment is known."""
    service, deployment = state.service(fleet), state.latest(fleet)
    if service is None and deployment is None:
        return None
    issues = deployment_issues(service, deployment, now=now)
    return FleetDeployment(fleet, service, deployment, issues, now - stage_started_at(deployment) if deployment else 0)


def fleet_deployments(state: DeploymentState | None, *, now: int) -> tuple[FleetDeployment, ...]:
    """Every fleet of which a service or a deployment is known."""
    known = (fleet_deployment(state, fleet, now=now) for fleet in FLEETS) if state else ()
    return tuple(item for item in known if item)


def configured_fleets(migration: Migration) -> tuple[FleetName, ...]:
    """The fleets with a configured service or deployment group that can be read: in the demo, or with AWS."""
    if not (migration.demo or migration.aws):
        return ()
    return tuple(fleet for fleet in FLEETS if migration.fleets[fleet].ecs_service or migration.fleets[fleet].codedeploy)


def waits_now(migration: Migration, state: DeploymentState | None) -> tuple[WaitingDeployment, ...]:
    """Every wait of the running deployments, with its commands."""
    return waiting_deployments(state, region=_region(migration))


def _region(migration: Migration) -> str:
    return migration.aws.region if migration.aws else ""


def _running_release(migration: Migration, state: DeploymentState | None) -> Deployment | None:
    """The deployment that is the release, while it runs."""
    id_ = migration.release.id if migration.release else ""
    deployments = state.deployments if state else ()
    return next((deployment for deployment in deployments if deployment.running and deployment.id == id_), None)


@dataclass(frozen=True, slots=True)
class PastWait:
    """A wait of the past, read from `since` to `until` (epoch seconds)."""

    waiting: WaitingDeployment
    since: int
    until: int


def past_waits(states: Iterable[PastState]) -> tuple[PastWait, ...]:
    """Every wait in `states`, each once."""
    waits: dict[tuple[str, str], PastWait] = {}
    for item in states:
        for waiting in waiting_deployments(item.state):
            key = waiting.deployment.id, waiting.wait.id
            since = waits[key].since if key in waits else item.first_seen
            waits[key] = PastWait(waiting, since, item.last_seen)
    return tuple(waits.values())
