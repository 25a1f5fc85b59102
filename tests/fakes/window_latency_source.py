"""A metric source that also answers for whole windows."""

from dataclasses import dataclass, field, replace

from domain import Window
from domain.latency import LatencySummary
from sources.window_latency import WindowLatency
from tests.fakes.metric_source import FakeMetricSource

EC2 = LatencySummary("baseline", "photo-ec2", 870, 860, 0.12, {"p50": 0.1, "p99": 2.5}, {0.1: 0.99, 1.0: 1.0})
ECS = LatencySummary("canary", "photo-ecs", 9, None, None, {}, {})


@dataclass
class FakeWindowLatencySource(FakeMetricSource):
    """A metric source that also returns the latency of whole windows: that of EC2 and ECS, changed by `answer`."""

    overrides: dict[str, object] = field(default_factory=dict)
    requested: list[Window] = field(default_factory=list)

    def window_latency(self, window: Window) -> WindowLatency:
        self.requested.append(window)
        result = WindowLatency(window, Window(window.start, window.end - 60), int(self.now.timestamp()), (EC2, ECS))
        return replace(result, **self.overrides)  # type: ignore[arg-type]
