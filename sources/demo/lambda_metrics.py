"""What AWS counted of the demo's functions: every run of the new era, and the morning on which the digest died before it could post anything."""

import time
from collections.abc import Collection, Iterator
from datetime import datetime

import numpy as np

from domain import Clock, Series, Window, assemble, utc_now
from domain.config.batches import series_of_function, series_of_rule
from sources.base import AnsweredRange, Health, Pull, Query
from sources.demo.batches import DEMO_JOBS, DemoJob, function_runs
from sources.demo.scenario import Scenario, scenario_for

SOURCE = "demo_lambda"
_RETRY_OFFSETS_S = (0, 60, 180)  # Lambda repeats what EventBridge started twice, after a minute and after two more


class DemoLambda:
    """A sources.MetricSource: invocations, errors, throttles and the longest duration of every minute in which a function was invoked."""

    name = SOURCE

    def __init__(self, *, anchor: datetime, clock: Clock = utc_now) -> None:
        self._scenario, self._clock = scenario_for(anchor), clock
        self._series = {
            one: job
            for job in DEMO_JOBS
            if job.expression
            for one in (*series_of_function(SOURCE, job.name), series_of_rule(SOURCE, job.name))
        }

    def series(self) -> tuple[Series, ...]:
        return tuple(self._series)

    def unsupported_metrics(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def finest_period_s(self, start: int, *, now: int) -> int:
        return 60 if start >= self._scenario.start else 0

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        """What was counted in `window`; only of `series`, if given."""
        began, now = time.perf_counter(), int(self._clock().timestamp())
        asked = tuple(one for one in self._series if series is None or one in series)
        past = window.overlap(Window(0, max(now // 60 * 60, 60)))
        told = {job.name: list(invocations(self._scenario, job, past)) if past else [] for job in self._series.values()}
        rows = [
            (place, at, counts[one.metric])
            for place, one in enumerate(asked)
            for at, counts in told[one.target_group]
            if one.metric in counts
        ]
        code, ts, value = np.array(rows, dtype="float64").reshape(len(rows), 3).T
        return Pull(
            window=window,
            asked_at=now,
            frame=assemble(asked, code.astype("int64"), ts.astype("int64"), value, 60),
            answered_ranges=(AnsweredRange(frozenset(asked), past, 60),) if past and asked else (),
            queries=tuple(Query(one, 60, f"demo {one.target_group} {one.metric}", "") for one in asked),
            datapoints_requested=window.minutes * len(asked),
            took_s=time.perf_counter() - began,
        )

    def check(self) -> tuple[Health, ...]:
        return (Health(self.name, "demo", "up", 0.0),)


def invocations(scenario: Scenario, job: DemoJob, window: Window) -> Iterator[tuple[int, dict[str, float]]]:
    """The minutes of `window` in which a job's function was invoked, in order, with what AWS counted in each, by metric."""
    for began_s, duration_s, failed, silent in function_runs(scenario, job, window):
        for again_s in _RETRY_OFFSETS_S if silent else (0,):
            at = int(began_s + again_s) // 60 * 60
            if window.start <= at < window.end:
                yield (
                    at,
                    {
                        "function_invocations": 1.0,
                        "function_errors": float(failed or silent),
                        "function_throttles": 0.0,
                        "function_duration": round(duration_s, 3),
                    },
                )
