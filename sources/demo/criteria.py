"""The demo's criteria of one's own: uploads per request, as a service would post them to Mackerel, and CPU, as CloudWatch has it."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np

from domain import FLEETS, Clock, Migration, Series, Window, utc_now
from domain.config.criteria import CriterionSource
from domain.window import MINUTE_S
from sources.demo.base import DemoJobMetrics
from sources.demo.metrics import Floats, Ints, poisson, request_outcomes, smooth_noise
from sources.demo.scenario import FLEET_OF

_UPLOAD_SHARE = 0.03
_IDLE_CPU, _CPU_PER_REQUEST = 11.0, 0.0042  # percent; of requests a minute
_UPLOADS, _CPU = 400, 410  # random streams, one for each fleet

UPLOADS: dict[str, object] = {
    "name": "Uploads per request",
    "source": "mackerel",
    "baseline": "divide(service(photo, upload.ec2), service(photo, requests.ec2))",
    "canary": "divide(service(photo, upload.ecs), service(photo, requests.ecs))",
    "kind": "rate",
    "better": "equal",
    "margin": "0.3pp",
}
# The load of a fleet follows its weight: shown, and never counted.
CPU: dict[str, object] = {
    "name": "CPU %",
    "source": "cloudwatch",
    "baseline": {"namespace": "AWS/EC2", "name": "CPUUtilization", "dimensions": {"AutoScalingGroupName": "photo"}},
    "canary": {
        "namespace": "AWS/ECS",
        "name": "CPUUtilization",
        "dimensions": {"ClusterName": "photo", "ServiceName": "web"},
    },
    "margin": 15,
    "watch_only": True,
}


class DemoCriteria(DemoJobMetrics):
    """A MetricSource of the demo's criteria whose source is `source`."""

    def __init__(
        self, migration: Migration, source: CriterionSource, *, anchor: datetime, clock: Clock = utc_now
    ) -> None:
        super().__init__(anchor=anchor, clock=clock)
        criteria = [criterion for criterion in migration.own_criteria if criterion.source == source]
        self.name = f"{source}_criteria"
        self._series = tuple(
            series for criterion in criteria for fleet in FLEETS for series in criterion.series(fleet).values()
        )

    def _rows(self, requested: Sequence[Series], window: Window) -> Iterable[tuple[int, int, float]]:
        start = max(window.start, self._scenario.start)
        ts = np.arange(start, max(window.end, start), MINUTE_S, dtype=np.int64)
        answered = self._answered(ts)
        for code, series in enumerate(requested):
            values = _values(series, answered[series.fleet], ts)
            yield from zip([code] * len(ts), ts.tolist(), values.tolist(), strict=True)

    def _answered(self, ts: Ints) -> dict[str, Floats]:
        """The answered requests of each fleet in each minute."""
        answered: dict[str, Floats] = {fleet: np.zeros(len(ts)) for fleet in FLEETS}
        for group, (counts, _latency) in request_outcomes(self._scenario, ts, now=self._now()).items():
            answered[FLEET_OF[group]] += counts["answered"]
        return answered


def _values(series: Series, answered: Floats, ts: Ints) -> Floats:
    fleet, minute = int(series.fleet == "canary"), ts // MINUTE_S
    match series.stat:
        case "events":
            return np.minimum(poisson(answered * _UPLOAD_SHARE, minute, _UPLOADS + fleet), answered)
        case "total":
            return answered
    noise = 1.2 * smooth_noise(minute, _CPU + fleet, 1)
    cpu: Floats = np.clip(_IDLE_CPU + _CPU_PER_REQUEST * answered + noise, 1, 100)
    return cpu.round(2)
