"""The demo's batch jobs: seven jobs moved from cron to EventBridge and Lambda one after the other, with typical failures.

Last night's cleanup failed, the rankings are slow now, one run of the invoices is missing, one of the digest died before posting metrics,
the newsletter's rule is disabled, and the export still runs by cron. Cron also still runs the digest, and on the day before EventBridge ran the
cleanup, cron did not run it any more.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from domain import FLEETS, Clock, Series, Window, utc_now
from domain.config.batches import RunMetric, SchedulerKind, series_of_runs
from domain.triggers import Trigger, Triggers
from domain.window import DAY_S, MINUTE_S
from sources.demo.base import DemoJobMetrics, DemoSource
from sources.demo.scenario import Scenario
from sources.triggers import TriggerSnapshot

SOURCE = "demo_batches"
POSTED_METRICS: tuple[RunMetric, ...] = ("duration", "success")


@dataclass(frozen=True, slots=True)
class DemoJob:
    """A job that runs every `interval_s` seconds from `offset_s` after midnight UTC on.

    It moved `moved_days_ago` days before the program's start (0: not yet); cron continued for `overlap_days` more, or ended
    `-overlap_days` before. `durations_s`: by cron, and now.
    """

    name: str
    interval_s: int
    offset_s: int
    moved_days_ago: int
    overlap_days: int
    durations_s: tuple[float, float]
    expression: str = ""
    timezone: str = "UTC"
    weekdays: bool = False


_NEVER_ENDED = 10_000
DEMO_JOBS = (
    DemoJob("thumbnails", 300, 0, 40, 1, (9.5, 7.0), "rate(5 minutes)"),
    DemoJob("rankings", 3_600, 300, 21, 3, (130, 96), "cron(5 * * * ? *)"),
    DemoJob("digest", DAY_S, 81_000, 30, _NEVER_ENDED, (260, 215), "cron(30 7 * * ? *)", "Asia/Tokyo"),
    DemoJob("cleanup", DAY_S, 64_800, 10, -1, (640, 700), "cron(0 18 * * ? *)"),
    DemoJob("invoices", DAY_S, 0, 26, 5, (420, 395), "cron(0 0 ? * MON-FRI *)", weekdays=True),
    DemoJob("newsletter", DAY_S, 36_000, 33, 0, (88, 61), "cron(0 10 * * ? *)"),
    DemoJob("export", DAY_S, 57_600, 0, 0, (1_500, 0)),
)
_PAUSED_DAYS = 4  # for which the newsletter's rule has been disabled


def demo_batches_config() -> dict[str, Any]:
    """The [batches] table of the demo's configuration. The export is discovered by its metrics."""
    return {
        "duration": "batch.{job}.duration",
        "success": "batch.{job}.success",
        "cron_duration": "cron.{job}.duration",
        "cron_success": "cron.{job}.success",
        "log": {
            "sql": "$.sql",
            "rows": "$.rows",
            "seconds": "$.seconds",
            "success": "$.success",
            "event_id": "$.event",
        },
        "jobs": [
            {
                "name": job.name,
                "schedule": job.expression,
                "timezone": job.timezone,
                "scheduler" if job.timezone != "UTC" else "rule": f"photo-{job.name}",
                "function": f"photo-{job.name}",
            }
            for job in DEMO_JOBS
            if job.expression
        ],
    }


class DemoBatches(DemoJobMetrics):
    """A MetricSource: the metrics that each run posted."""

    name = SOURCE

    def __init__(self, *, anchor: datetime, clock: Clock = utc_now) -> None:
        super().__init__(anchor=anchor, clock=clock)
        self._series: dict[Series, tuple[DemoJob, SchedulerKind, RunMetric]] = {
            series_of_runs(SOURCE, scheduler_kind, job.name, metric): (job, scheduler_kind, metric)
            for job in DEMO_JOBS
            for scheduler_kind in FLEETS
            for metric in POSTED_METRICS
            if job.moved_days_ago or scheduler_kind == "baseline"
        }

    def _rows(self, requested: Sequence[Series], window: Window) -> Iterable[tuple[int, int, float]]:
        for code, series in enumerate(requested):
            job, scheduler_kind, metric = self._series[series]
            for ts, duration_s, success in posted_runs(self._scenario, job, scheduler_kind, window):
                yield code, ts, duration_s if metric == "duration" else success


class DemoTriggers(DemoSource):
    """A TriggerSource: the scenario's rules and schedules."""

    name = "demo_triggers"

    def snapshot(self) -> TriggerSnapshot:
        now = self._now()
        triggers = tuple(
            Trigger(
                job.name,
                "rule" if job.timezone == "UTC" else "scheduler",
                f"photo-{job.name}",
                job.expression,
                job.timezone,
                job.name != "newsletter",
            )
            for job in DEMO_JOBS
            if job.expression
        )
        return TriggerSnapshot(now, Triggers(now, triggers))


@dataclass(frozen=True, slots=True)
class DemoRun:
    """`starts_s`: epoch seconds. `silent`: died before posting metrics."""

    starts_s: float
    duration_s: float
    success: float
    silent: bool = False


def posted_runs(
    scenario: Scenario, job: DemoJob, scheduler_kind: SchedulerKind, window: Window
) -> Iterator[tuple[int, float, float]]:
    """Minute, duration in seconds and success of each run posted in `window`, in order. A run is posted when it ends."""
    for run in simulate_runs(scenario, job, scheduler_kind, window):
        ts = int(run.starts_s + run.duration_s) // MINUTE_S * MINUTE_S
        if not run.silent and window.start <= ts < window.end:
            yield ts, round(run.duration_s, 2), run.success


def simulate_runs(scenario: Scenario, job: DemoJob, scheduler_kind: SchedulerKind, window: Window) -> Iterator[DemoRun]:
    """The runs around `window` by one scheduler. They depend on their scheduled times only."""
    today = scenario.anchor // DAY_S * DAY_S
    moved, ended = today - job.moved_days_ago * DAY_S, today - (job.moved_days_ago - job.overlap_days) * DAY_S
    for scheduled in _scheduled_times(scenario, job, Window(max(window.start - 7_200, 0), window.end)):
        runs = scheduled >= moved if scheduler_kind == "canary" else scheduled < ended or not job.moved_days_ago
        if runs and (run := _simulate_run(scenario, job, scheduler_kind, scheduled)):
            yield run


def _scheduled_times(scenario: Scenario, job: DemoJob, window: Window) -> Iterator[int]:
    first = max(window.start, scenario.start)
    for scheduled in range(first + (job.offset_s - first) % job.interval_s, window.end, job.interval_s):
        # The epoch was a Thursday; 5 and 6 are the weekend.
        if not (job.weekdays and (scheduled // DAY_S + 3) % 7 >= 5):
            yield scheduled


def _simulate_run(scenario: Scenario, job: DemoJob, scheduler_kind: SchedulerKind, scheduled: int) -> DemoRun | None:
    """The run of one scheduled time, None if it is missing."""
    scheduler = FLEETS.index(scheduler_kind)
    rng = np.random.default_rng((DEMO_JOBS.index(job), scheduler, scheduled))
    starts_s, factor = scheduled + rng.uniform(1, 20), float(np.exp(rng.normal(0, 0.06)))
    duration_s, success = job.durations_s[scheduler] * factor, 1.0
    if scheduler_kind == "canary":
        age_s = scenario.anchor - scheduled
        if job.name == "cleanup" and 0 <= age_s <= DAY_S:
            duration_s, success = 41.0 * factor, 0.0
        elif job.name == "digest" and 2 * DAY_S < age_s <= 3 * DAY_S:
            return DemoRun(starts_s, 12.0 * factor, 0.0, silent=True)
        elif job.name == "rankings" and -1_800 < age_s <= 5_400:
            duration_s *= 3.1
        elif job.name == "thumbnails" and 2_100 < age_s <= 2_400:
            success = 0.0
        elif (job.name == "invoices" and _is_third_last_weekday(scenario, scheduled)) or (
            job.name == "newsletter" and age_s < _PAUSED_DAYS * DAY_S
        ):
            return None
    return DemoRun(starts_s, duration_s, success)


def _is_third_last_weekday(scenario: Scenario, scheduled: int) -> bool:
    """Whether exactly two weekdays are between `scheduled` and the program's start."""
    days = range(scheduled // DAY_S + 1, scenario.anchor // DAY_S + 1)
    return scheduled < scenario.anchor and sum((day + 3) % 7 < 5 for day in days) == 2
