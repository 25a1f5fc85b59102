"""Base of the deployment sources: deployments of a window as events, the current state, and one initial lookback over the retention."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from domain import Aws, Clock, FleetName, Window
from domain.deployments import Deployment, DeploymentState, EcsService, TrafficRoute, deployment_events
from domain.window import DAY_S, MINUTE_S
from sources.aws.calls import ApiSession, ClientProvider, Operation
from sources.base import Events, Health

LOOKBACK_S = 90 * DAY_S  # until a poll was complete; ECS retains no more
MAX_DEPLOYMENT_S = 4 * DAY_S  # up to two days of waiting for approval, two more until the old tasks are terminated
MAX_DETAILED = 5  # deployments read with their stages; of older ones the outcome is enough


@dataclass(slots=True)
class DeploymentTarget:
    """An ECS service ("cluster/service") or deployment group ("application/group"), and what was read of it (`deployments`: newest first).

    `listed`: they are CodeDeploy's, and none is missing.
    """

    fleet: FleetName
    name: str
    deployments: list[Deployment] = field(default_factory=list)
    service: EcsService | None = None
    route: TrafficRoute | None = None
    listed: bool = False


class DeploymentSource(ABC):
    """An EventSource of the deployments of `targets` (fleet → name; "": none). Thread-safe.

    `client`: a boto3 client to use instead of making one. `looks_back`: reads those of LOOKBACK_S first.
    """

    name: str
    operations: ClassVar[Mapping[str, Operation]]  # the first one reads the target itself
    required: ClassVar[frozenset[str]]  # without these the events are incomplete

    def __init__(
        self, aws: Aws, targets: Mapping[FleetName, str], clock: Clock, client: Any, *, looks_back: bool = True
    ) -> None:
        self._aws, self._targets, self._clock = aws, targets, clock
        self._client = ClientProvider(self.name, aws, client)
        self._lookback_done = not looks_back
        self._clear_cache()

    def events(self, window: Window) -> Events:
        """The deployments created or running in `window`, and the current state. Until a poll was complete, of the last 90 days as well.

        Faults are problems.
        """
        started, now = time.monotonic(), int(self._clock().timestamp())
        since = window.start if self._lookback_done else min(window.start, now - LOOKBACK_S)
        session, targets = self._fetch(Window(since // MINUTE_S * MINUTE_S, window.end))
        complete = not any(map(session.has_failed, self.required)) and "gone" not in {
            problem.kind for problem in session.problems
        }
        self._lookback_done = self._lookback_done or complete
        services = tuple(target.service for target in targets if target.service)
        newest = tuple(deployment for target in targets for deployment in target.deployments[:MAX_DETAILED])
        routes = tuple((target.fleet, target.route) for target in targets if target.route)
        listed_at = tuple((target.fleet, now) for target in targets if target.listed)
        has_state = services or newest or routes or listed_at
        return Events(
            window,
            now,
            tuple(
                event
                for target in targets
                for deployment in target.deployments
                if deployment.created < window.end and (deployment.ended or window.end) >= since
                for event in deployment_events(deployment, source=self.name)
            ),
            session.problems,
            complete=complete,
            took_s=time.monotonic() - started,
            deployment_state=DeploymentState(now, services, newest, routes, listed_at) if has_state else None,
            clock_ahead_s=session.clock_ahead_s,
            deployments=tuple(deployment for target in targets for deployment in target.deployments),
        )

    def check(self) -> tuple[Health, ...]:
        """Each permission that the targets need, and each target, by reading the last day."""
        self._clear_cache()
        session, targets = self._fetch(Window.last(DAY_S // MINUTE_S, now=self._clock()))
        names, reads_target = [target.name for target in targets], next(iter(self.operations))
        unreadable = session.has_failed(reads_target)
        actions = (action for action in self.operations if unreadable or session.was_called(action))
        return (
            *(session.check(action, resources=names) for action in actions),
            *(session.check_resource(reads_target, name, name) for name in dict.fromkeys(names)),
        )

    def _fetch(self, window: Window) -> tuple[ApiSession, list[DeploymentTarget]]:
        session = ApiSession(self.name, self.name, self.operations, self._client, per_resource=True)
        targets = [DeploymentTarget(fleet, name) for fleet, name in self._targets.items() if name]
        for target in targets:
            self._fetch_target(session, target, window)
        return session, targets

    @abstractmethod
    def _fetch_target(self, session: ApiSession, target: DeploymentTarget, window: Window) -> None: ...

    @abstractmethod
    def _clear_cache(self) -> None:
        """Forgets what was read and is immutable in AWS."""


def earliest_start(window: Window) -> datetime:
    """The earliest creation time of a deployment that may still have been running in `window`."""
    return datetime.fromtimestamp(max(window.start - MAX_DEPLOYMENT_S, 0), UTC)


def latest_start(window: Window, now: datetime) -> datetime:
    """The latest creation time of a deployment to list. A window that ends in the current minute excludes one that has just begun: a minute more."""
    is_newest = window.end >= now.timestamp() - MINUTE_S
    return now.replace(microsecond=0) + timedelta(seconds=MINUTE_S) if is_newest else window.ends_at


def epoch_seconds(at: datetime | None) -> int | None:
    return int(at.timestamp()) if at else None
