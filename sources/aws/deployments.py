"""What the sources of deployments share: what a window's events are, and the one long look back."""

import time
from abc import ABC, abstractmethod

from domain import Clock, Window
from domain.deployments import Deployment, Standing, events_of
from sources.aws.calls import Talk
from sources.base import Events

REACH_S = 90 * 86_400  # looked back so far once, for what happened before anybody looked; ECS tells of no more
LONGEST_S = 4 * 86_400  # a deployment may wait two days for its go-ahead and two more before it ends the old tasks
NEWEST = 5  # so many are told whole, with their stages; of older ones the outcome is enough


class DeploymentSource(ABC):
    """The part of a sources.EventSource that tells deployments as events, and how the newest stand."""

    name: str

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looked_back = False

    def events(self, window: Window) -> Events:
        """Every deployment that was made or still ran in `window`, and how the newest and their services stand. Never raises for the outside's faults.

        The first time that everything is answered, all of the last 90 days is told.
        """
        began, asked_at = time.monotonic(), int(self._clock().timestamp())
        since = window.start if self._looked_back else min(window.start, asked_at - REACH_S)
        told, standing, whole, talk = self._read(Window(since // 60 * 60, window.end), asked_at)
        self._looked_back = self._looked_back or whole
        within = (one for one in told if one.created < window.end and (one.ended or window.end) >= since)
        return Events(
            window,
            asked_at,
            tuple(event for one in within for event in events_of(one, source=self.name)),
            talk.problems,
            complete=whole,
            took_s=time.monotonic() - began,
            standing=standing,
        )

    @abstractmethod
    def _read(self, window: Window, asked_at: int) -> tuple[list[Deployment], Standing | None, bool, Talk]:
        """The deployments, the standing (None where nothing of it could be read), and whether nothing was kept back."""
