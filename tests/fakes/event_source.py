"""An event source with one alert."""

from domain import Window
from sources.base import Events
from tests.factories.events import make_alert
from tests.fakes.metric_source import NOON


class FakeAlerts:
    """Returns one alert for every window; `requested` are the windows."""

    name = "mackerel_events"

    def __init__(self) -> None:
        self.requested: list[Window] = []

    def events(self, window: Window) -> Events:
        self.requested.append(window)
        return Events(window, NOON, (make_alert("a", -10),))

    def check(self):
        return ()
