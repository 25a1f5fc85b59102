"""What the deployment sources share: deployments of a window as events, and one initial lookback over the retention."""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime

from domain import Clock, Window
from domain.deployments import Deployment, DeploymentState, deployment_events
from domain.window import DAY_S, MINUTE_S
from sources.aws.calls import ApiSession
from sources.base import Events

LOOKBACK_S = 90 * DAY_S  # of the first complete poll; ECS retains no more
MAX_DEPLOYMENT_S = 4 * DAY_S  # up to two days of waiting for approval, two more until the old tasks are terminated
MAX_DETAILED = 5  # deployments read with their stages; of older ones the outcome is enough


@dataclass(frozen=True, slots=True)
class FetchedDeployments:
    """`state` is None if nothing of it could be read. `complete`: no call failed."""

    deployments: list[Deployment]
    state: DeploymentState | None
    complete: bool
    session: ApiSession


class DeploymentSource(ABC):
    """Base of an EventSource of deployments and their current state."""

    name: str

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lookback_done = False

    def events(self, window: Window) -> Events:
        """The deployments created or running in `window`, and the current state. Until a poll was complete, of the last 90 days as well.

        Faults are problems.
        """
        started, now = time.monotonic(), int(self._clock().timestamp())
        since = window.start if self._lookback_done else min(window.start, now - LOOKBACK_S)
        fetched = self._fetch(Window(since // MINUTE_S * MINUTE_S, window.end), now)
        self._lookback_done = self._lookback_done or fetched.complete
        events = tuple(
            event
            for deployment in fetched.deployments
            if deployment.created < window.end and (deployment.ended or window.end) >= since
            for event in deployment_events(deployment, source=self.name)
        )
        return Events(
            window,
            now,
            events,
            fetched.session.problems,
            complete=fetched.complete,
            took_s=time.monotonic() - started,
            deployment_state=fetched.state,
        )

    @abstractmethod
    def _fetch(self, window: Window, now: int) -> FetchedDeployments: ...


def earliest_start(window: Window) -> datetime:
    """The earliest creation time of a deployment that may still have been running in `window`."""
    return datetime.fromtimestamp(max(window.start - MAX_DEPLOYMENT_S, 0), UTC)


def newest_first(deployment: Deployment) -> tuple[int, str]:
    """A sort key."""
    return -deployment.created, deployment.id


def epoch_seconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp()) if moment else None
