"""AWS's metrics of the demo's functions: all runs by EventBridge, including the digest that died before posting metrics."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from domain import Clock, Series, Window, utc_now
from domain.config.batches import series_of_function, series_of_rule
from domain.window import MINUTE_S
from sources.demo.base import DemoJobMetrics
from sources.demo.batches import DEMO_JOBS, DemoJob, simulate_runs
from sources.demo.scenario import Scenario

SOURCE = "demo_lambda"
_RETRY_OFFSETS_S = (0, 60, 180)  # Lambda retries asynchronous invocations after one minute, and after two more


class DemoLambda(DemoJobMetrics):
    """A MetricSource: invocations, errors, throttles and maximum duration of each minute with an invocation."""

    name = SOURCE

    def __init__(self, *, anchor: datetime, clock: Clock = utc_now) -> None:
        super().__init__(anchor=anchor, clock=clock)
        self._series: dict[Series, DemoJob] = {
            series: job
            for job in DEMO_JOBS
            if job.expression
            for series in (*series_of_function(SOURCE, job.name), series_of_rule(SOURCE, job.name))
        }

    def _rows(self, requested: Sequence[Series], window: Window) -> Iterable[tuple[int, int, float]]:
        jobs = dict.fromkeys(self._series[series] for series in requested)
        metrics_by_job = {job: list(invocations(self._scenario, job, window)) for job in jobs}
        for code, series in enumerate(requested):
            for ts, metrics in metrics_by_job[self._series[series]]:
                if series.metric in metrics:
                    yield code, ts, metrics[series.metric]


def invocations(scenario: Scenario, job: DemoJob, window: Window) -> Iterator[tuple[int, dict[str, float]]]:
    """The minutes of `window` in which a job's function was invoked, in order, with their metrics."""
    for run in simulate_runs(scenario, job, "canary", window):
        for offset_s in _RETRY_OFFSETS_S if run.silent else (0,):
            ts = int(run.starts_s + offset_s) // MINUTE_S * MINUTE_S
            if window.start <= ts < window.end:
                metrics = {
                    "function_invocations": 1.0,
                    "function_errors": float(run.silent or run.success == 0),
                    "function_throttles": 0.0,
                    "function_duration": round(run.duration_s, 3),
                }
                yield ts, metrics
