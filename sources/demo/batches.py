"""The demo's batches: seven jobs that moved from cron to EventBridge and Lambda one after the other, with what went wrong on the way.

Last night's clean-up failed, the rankings are slow just now, one run of the invoices never came, one of the digest died before it posted anything,
the newsletter's rule is disabled, and the export still runs by cron.
"""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from domain import FLEETS, Clock, Migration, Series, Window, assemble, utc_now
from domain.config.batches import RunMetric, SchedulerKind, series_of_runs
from domain.triggers import Trigger, Triggers
from sources.base import AnsweredRange, Health, Pull, Query
from sources.demo.scenario import Scenario, scenario_for
from sources.triggers import TriggerSnapshot

SOURCE = "demo_batches"
DAY_S = 86_400
POSTED_MEASURES: tuple[RunMetric, ...] = ("duration", "success")


@dataclass(frozen=True, slots=True)
class DemoJob:
    """A job that is due every `every_s` seconds from `at_s` after midnight UTC on, on weekdays alone if `weekdays`.

    It moved `moved` days before the program's start (0: not yet); `both` days long cron went on beside it. `takes_s`: how long it takes, by cron and now.
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


DEMO_JOBS = (
    DemoJob("thumbnails", 300, 0, 40, 1, (9.5, 7.0), "rate(5 minutes)"),
    DemoJob("rankings", 3_600, 300, 21, 3, (130, 96), "cron(5 * * * ? *)"),
    DemoJob("digest", DAY_S, 81_000, 30, 4, (260, 215), "cron(30 7 * * ? *)", "Asia/Tokyo"),
    DemoJob("cleanup", DAY_S, 64_800, 16, 2, (640, 700), "cron(0 18 * * ? *)"),
    DemoJob("invoices", DAY_S, 0, 26, 5, (420, 395), "cron(0 0 ? * MON-FRI *)", weekdays=True),
    DemoJob("newsletter", DAY_S, 36_000, 33, 0, (88, 61), "cron(0 10 * * ? *)"),
    DemoJob("export", DAY_S, 57_600, 0, 0, (1_500, 0)),
)
_PAUSED_DAYS = 4  # the newsletter's rule is disabled since


def demo_batches_config() -> dict[str, Any]:
    """The [batches] of the demo's configuration. The export is found by its metrics."""
    return {
        "duration": "batch.{job}.duration",
        "success": "batch.{job}.success",
        "cron_duration": "cron.{job}.duration",
        "cron_success": "cron.{job}.success",
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


class DemoBatches:
    """A sources.MetricSource: what every run of the story posted."""

    name = SOURCE

    def __init__(self, migration: Migration, *, anchor: datetime, clock: Clock = utc_now) -> None:
        self._scenario, self._clock = scenario_for(anchor), clock
        self._series = {
            series_of_runs(SOURCE, era, job.name, measure): (job, era, measure)
            for job in DEMO_JOBS
            for era in FLEETS
            for measure in POSTED_MEASURES
            if job.moved_days_ago or era == "baseline"
        }

    def series(self) -> tuple[Series, ...]:
        return tuple(self._series)

    def restore_series(self, known_series: Collection[Series]) -> None:
        """Nothing: it knows all its jobs."""

    def unsupported_metrics(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def finest_period_s(self, start: int, *, now: int) -> int:
        return 60 if start >= self._scenario.start else 0

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        """The runs that were posted in `window`; only of `series`, if given."""
        began, now = time.perf_counter(), int(self._clock().timestamp())
        asked = tuple(one for one in self._series if series is None or one in series)
        until = min(window.end, now // 60 * 60)
        rows: list[tuple[int, int, float]] = []
        for place, one in enumerate(asked):
            job, era, measure = self._series[one]
            for at, duration_s, success in posted_runs(self._scenario, job, era, window):
                if at < until:
                    rows.append((place, at, duration_s if measure == "duration" else success))
        code, ts, value = np.array(rows, dtype="float64").reshape(len(rows), 3).T
        past = window.overlap(Window(0, max(now // 60 * 60, 60)))
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


class DemoTriggers:
    """A sources.triggers.StarterSource: the story's rules and schedules."""

    name = "demo_starters"

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._clock = clock

    def snapshot(self) -> TriggerSnapshot:
        now = int(self._clock().timestamp())
        every = tuple(
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
        return TriggerSnapshot(now, Triggers(now, every))

    def check(self) -> tuple[Health, ...]:
        return (Health(self.name, "demo", "up", 0.0),)


@dataclass(frozen=True, slots=True)
class _DemoRun:
    """One run: seconds from its due time to its beginning, seconds it takes, 1 or 0, and whether it dies before it posts anything."""

    start_delay_s: float
    duration_s: float
    success: float
    silent: bool = False


def posted_runs(
    scenario: Scenario, job: DemoJob, era: SchedulerKind, window: Window
) -> Iterator[tuple[int, float, float]]:
    """The minute, the duration in seconds and the success of every run of one era that was posted in `window`, in order.

    A run is posted when it ends; its numbers depend on nothing but its due time.
    """
    for due, told in _simulated_runs(scenario, job, era, window):
        if not told.silent:
            at = int(due + told.start_delay_s + told.duration_s) // 60 * 60
            if window.start <= at < window.end:
                yield at, round(told.duration_s, 2), told.success


def function_runs(scenario: Scenario, job: DemoJob, window: Window) -> Iterator[tuple[float, float, bool, bool]]:
    """When each run of a function around `window` began (epoch seconds), the seconds it took, whether it failed, and whether it posted nothing."""
    for due, told in _simulated_runs(scenario, job, "canary", window):
        yield due + told.start_delay_s, told.duration_s, told.success == 0, told.silent


def _simulated_runs(
    story: Scenario, job: DemoJob, era: SchedulerKind, window: Window
) -> Iterator[tuple[int, _DemoRun]]:
    today = story.anchor // DAY_S * DAY_S
    moved, ended = today - job.moved_days_ago * DAY_S, today - (job.moved_days_ago - job.overlap_days) * DAY_S
    for due in _scheduled_times(story, job, Window(max(window.start - 7_200, 0), window.end)):
        runs = due >= moved if era == "canary" else due < ended or not job.moved_days_ago
        told = _simulate_run(story, job, era, due) if runs else None
        if told is not None:
            yield due, told


def _scheduled_times(story: Scenario, job: DemoJob, window: Window) -> Iterator[int]:
    first = max(window.start, story.start)
    for due in range(first + (job.offset_s - first) % job.interval_s, window.end, job.interval_s):
        if not (job.weekdays and (due // DAY_S + 3) % 7 >= 5):  # the epoch was a Thursday; 5 and 6 are the weekend
            yield due


def _simulate_run(story: Scenario, job: DemoJob, era: SchedulerKind, due: int) -> _DemoRun | None:
    """What the story says of one due time; None where nothing runs."""
    place = next(at for at, one in enumerate(DEMO_JOBS) if one.name == job.name)
    dice = np.random.default_rng((place, FLEETS.index(era), due))
    starts_s, factor = dice.uniform(1, 20), float(np.exp(dice.normal(0, 0.06)))
    takes_s, success = job.durations_s[FLEETS.index(era)] * factor, 1.0
    if era == "canary":
        before_s = story.anchor - due
        if job.name == "cleanup" and 0 < before_s <= DAY_S:
            takes_s, success = 41.0 * factor, 0.0
        elif job.name == "digest" and 2 * DAY_S < before_s <= 3 * DAY_S:
            return _DemoRun(starts_s, 12.0 * factor, 0.0, silent=True)
        elif job.name == "rankings" and -1_800 < before_s <= 5_400:
            takes_s *= 3.1
        elif job.name == "thumbnails" and 2_100 < before_s <= 2_400:
            success = 0.0
        elif (job.name == "invoices" and _is_third_last_weekday(story, due)) or (
            job.name == "newsletter" and before_s < _PAUSED_DAYS * DAY_S
        ):
            return None
    return _DemoRun(starts_s, takes_s, success)


def _is_third_last_weekday(story: Scenario, due: int) -> bool:
    """Whether so many weekdays lie between a due time and the program's start that it is the last but two."""
    days = range(due // DAY_S + 1, story.anchor // DAY_S + 1)
    return due < story.anchor and sum((day + 3) % 7 < 5 for day in days) == 2
