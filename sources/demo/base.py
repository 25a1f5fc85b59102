"""Base classes of the demo's sources."""

import time
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import numpy as np

from domain import Clock, Series, Window, assemble, utc_now
from domain.window import MINUTE_S
from sources.base import AnsweredRange, Health, Pull
from sources.demo.scenario import Scenario, scenario_for


class DemoSource:
    """A source that replays the scenario of `anchor`, or another one. Its check always succeeds."""

    name: str

    def __init__(self, *, anchor: datetime, clock: Clock = utc_now, scenario: Scenario | None = None) -> None:
        self._scenario, self._clock = scenario or scenario_for(anchor), clock

    def _now(self) -> int:
        return int(self._clock().timestamp())

    def check(self) -> tuple[Health, ...]:
        return (Health(self.name, "demo", "up", 0.0),)


class DemoJobMetrics(DemoSource):
    """A MetricSource whose target groups are jobs."""

    _series: Collection[Series]

    def series(self) -> tuple[Series, ...]:
        return tuple(self._series)

    def unsupported_metrics(self) -> tuple[str, ...]:
        return ()

    def finest_period_s(self, start: int, *, now: int) -> int:
        return MINUTE_S if start >= self._scenario.start else 0

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        """The points in `window` up to now; only of `series`, if given."""
        started_s, now = time.perf_counter(), self._now()
        requested = tuple(item for item in self._series if series is None or item in series)
        past = window.overlap(Window(0, max(now // MINUTE_S * MINUTE_S, MINUTE_S)))
        rows = list(self._rows(requested, past)) if past else []
        code, ts, value = np.array(rows, dtype="float64").reshape(len(rows), 3).T
        return Pull(
            window=window,
            asked_at=now,
            frame=assemble(requested, code.astype("int64"), ts.astype("int64"), value, MINUTE_S),
            answered_ranges=(AnsweredRange(frozenset(requested), past, MINUTE_S),) if past and requested else (),
            datapoints_requested=window.minutes * len(requested),
            took_s=time.perf_counter() - started_s,
        )

    def _rows(self, requested: Sequence[Series], window: Window) -> Iterable[tuple[int, int, float]]:
        """(index in `requested`, start of the minute, value) of each point in `window`."""
        raise NotImplementedError
