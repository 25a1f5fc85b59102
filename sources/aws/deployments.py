"""What the sources of deployments share: what a window's events are, and the one long look back."""

import time
from abc import ABC, abstractmethod

from domain import Clock, Window
from domain.deployments import Deployment, DeploymentState, deployment_events
from sources.aws.calls import ApiSession
from sources.base import Events

LOOKBACK_S = 90 * 86_400  # looked back so far once, for what happened before anybody looked; ECS tells of no more
MAX_DEPLOYMENT_S = (
    4 * 86_400
)  # a deployment may wait two days for its go-ahead and two more before it ends the old tasks
MAX_DETAILED = 5  # so many are told whole, with their stages; of older ones the outcome is enough


class DeploymentSource(ABC):
    """The part of a sources.EventSource that tells deployments as events, and how the newest stand."""

    name: str

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lookback_done = False

    def events(self, window: Window) -> Events:
        """Every deployment that was made or still ran in `window`, and how the newest and their services stand. Never raises for the outside's faults.

        The first time that everything is answered, all of the last 90 days is told.
        """
        began, asked_at = time.monotonic(), int(self._clock().timestamp())
        since = window.start if self._lookback_done else min(window.start, asked_at - LOOKBACK_S)
        told, standing, whole, talk = self._read(Window(since // 60 * 60, window.end), asked_at)
        self._lookback_done = self._lookback_done or whole
        within = (one for one in told if one.created < window.end and (one.ended or window.end) >= since)
        return Events(
            window,
            asked_at,
            tuple(event for one in within for event in deployment_events(one, source=self.name)),
            talk.problems,
            complete=whole,
            took_s=time.monotonic() - began,
            deployment_state=standing,
        )

    @abstractmethod
    def _read(self, window: Window, asked_at: int) -> tuple[list[Deployment], DeploymentState | None, bool, ApiSession]:
        """The deployments, the standing (None where nothing of it could be read), and whether nothing was kept back."""
