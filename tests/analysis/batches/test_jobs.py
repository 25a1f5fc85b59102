"""Status of scheduled runs and state of jobs, from short literal histories."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from analysis.batches.jobs import JobReport, job_reports, names_by_state, strip
from analysis.batches.runs import Run, count_overlaps, parse_runs, typical_duration
from domain import Window, assemble
from domain.config.batches import Batches, RunMetric, SchedulerKind, series_of_runs
from domain.triggers import Trigger

DAY = int(datetime(2026, 11, 16, tzinfo=UTC).timestamp())  # a Monday, 00:00 UTC
HOUR = 3600
DAILY = "cron(0 3 * * ? *)"


def reported(
    job: str, scheduler: SchedulerKind, points: Mapping[int, Mapping[RunMetric, float]]
) -> list[tuple[Any, int, float]]:
    """(series, ts, value) of metrics reported at minutes after DAY."""
    return [
        (series_of_runs("mackerel_batches", scheduler, job, measure), DAY + minute * 60, value)
        for minute, values in points.items()
        for measure, value in values.items()
    ]


def runs(*rows: tuple[Any, int, float], timestamp_is: str = "end") -> dict[tuple[str, SchedulerKind], tuple[Run, ...]]:
    series = [key for key, _, _ in rows]
    code = range(len(rows))
    frame = assemble(series, np.array(code), np.array([ts for _, ts, _ in rows]), np.array([v for *_, v in rows]), 60)
    return parse_runs(frame, timestamp_is=timestamp_is)  # type: ignore[arg-type]


def batches_config(schedule: str = DAILY, **options: Any) -> Batches:
    return Batches.model_validate(
        {"duration": "b.{job}.d", "success": "b.{job}.s", "jobs": [{"name": "a", "schedule": schedule} | options]}
    )


def daily_runs(*results: float | None, takes_s: float = 60, first_day: int = 0) -> list[tuple[Any, int, float]]:
    """One run a day at 03:00 with this success value; None: no run."""
    return reported(
        "a",
        "canary",
        {
            (first_day + day) * 1440 + 180 + int(takes_s // 60): {"duration": takes_s, "success": success}
            for day, success in enumerate(results)
            if success is not None
        },
    )


def report(
    rows: list[tuple[Any, int, float]],
    settings: Batches | None = None,
    *,
    now: int = DAY + 4 * 86_400,
    days: int = 14,
    unanswered: tuple[Window, ...] = (),
    trigger: Trigger | None = None,
) -> JobReport:
    reports = job_reports(
        settings or batches_config(),
        runs(*rows) if rows else {},
        window=Window(now - days * 86_400, now),
        now=now,
        unanswered=unanswered,
        triggers={"a": trigger} if trigger else {},
    )
    (job_report,) = reports
    return job_report


def statuses(job_report: JobReport) -> list[tuple[str, str]]:
    return [
        (f"{datetime.fromtimestamp(scheduled.scheduled_at, UTC):%d %H:%M}", scheduled.status)
        for scheduled in job_report.scheduled_runs
    ]


# Runs


def test_the_metrics_of_one_minute_are_one_run() -> None:
    parsed = runs(
        *reported("a", "canary", {180: {"duration": 90, "success": 1}, 240: {"success": 0}, 300: {"duration": 5}}),
        *reported("a", "baseline", {10: {"failure": 1}, 20: {"failure": 0}}),
    )
    assert [
        (run.reported_at - DAY, run.started_at - DAY, run.duration_s, run.result) for run in parsed["a", "canary"]
    ] == [
        (180 * 60, 180 * 60 - 90, 90.0, "ok"),
        (240 * 60, 240 * 60, None, "failed"),
        (300 * 60, 300 * 60 - 5, 5.0, "unknown"),
    ]
    assert [run.result for run in parsed["a", "baseline"]] == ["failed", "ok"]


def test_a_duration_and_a_result_in_adjacent_minutes_are_one_run() -> None:
    (run,) = runs(*reported("a", "canary", {180: {"duration": 90}, 181: {"success": 0}}))["a", "canary"]
    assert (run.duration_s, run.result) == (90, "failed")
    apart = runs(*reported("a", "canary", {180: {"duration": 90}, 182: {"success": 0}}))["a", "canary"]
    assert len(apart) == 2
    twice = {180: {"duration": 90.0, "success": 1.0}, 181: {"success": 0.0}}
    assert len(runs(*reported("a", "canary", twice))["a", "canary"]) == 2
    complete = {minute: {"duration": 5.0, "success": 1.0} for minute in range(180, 190)}
    assert len(runs(*reported("a", "canary", complete))["a", "canary"]) == 10


def test_a_timestamp_may_be_the_start() -> None:
    (run,) = runs(*reported("a", "canary", {180: {"duration": 90}}), timestamp_is="start")["a", "canary"]
    assert (run.started_at - DAY, run.ended_at - DAY) == (180 * 60, 180 * 60 + 90)


def test_the_typical_duration_needs_enough_successful_runs() -> None:
    parsed = runs(*daily_runs(*[1] * 7, 0))["a", "canary"]
    assert typical_duration(parsed) is None
    parsed = runs(*daily_runs(*[1] * 8))["a", "canary"]
    duration = typical_duration(parsed)
    assert duration and (duration.runs, duration.median_s, duration.p10_s, duration.p90_s) == (8, 60, 60, 60)


def test_slow_is_relative_to_earlier_successful_runs() -> None:
    takes = [60, 62, 58, 61, 59, 60, 63, 57, 74, 76, 60]
    points = {180 + day * 1440: {"duration": s, "success": 1.0} for day, s in enumerate(takes)}
    points[180 + 11 * 1440] = {"duration": 900.0, "success": 0.0}
    points[180 + 12 * 1440] = {"duration": 61.0, "success": 1.0}
    parsed = runs(*reported("a", "canary", points))["a", "canary"]
    assert [run.is_slow for run in parsed] == [None] * 8 + [False, True, False, True, False]


def test_runs_that_overlap_are_counted() -> None:
    def run(began: int, ended: int) -> Run:
        return Run(began, ended, ended, None, "ok")

    assert count_overlaps([run(0, 300), run(300, 600), run(480, 700), run(690, 800)]) == 1


# Scheduled times


def test_scheduled_times_after_the_first_run_have_a_run_or_are_missed() -> None:
    job = report(daily_runs(1, None, 0, 1))
    assert statuses(job) == [("16 03:00", "ok"), ("17 03:00", "missed"), ("18 03:00", "failed"), ("19 03:00", "ok")]
    assert (job.state, job.count("missed"), job.missed_since) == ("ok", 1, None)
    assert job.next_scheduled_at == DAY + 4 * 86_400 + 3 * HOUR


def test_a_run_is_missed_after_its_grace_and_typical_duration() -> None:
    rows = daily_runs(*[1] * 9, takes_s=600)
    last_due = DAY + 9 * 86_400 + 3 * HOUR
    for minutes, status in ((1, "waiting"), (19, "waiting"), (20, "missed")):
        job = report(rows, now=last_due + minutes * 60)
        assert statuses(job)[-1] == ("25 03:00", status), minutes
        assert job.state == ("missed" if status == "missed" else "ok")
    assert job.missed_since == last_due


def test_three_missed_runs_are_stopped() -> None:
    job = report(daily_runs(1, 1), now=DAY + 5 * 86_400)
    assert (job.state, job.missed_since) == ("stopped", DAY + 2 * 86_400 + 3 * HOUR)
    assert report(daily_runs(1, 1), now=DAY + 4 * 86_400).state == "missed"


def test_a_run_after_its_grace_is_late_and_the_last_repetition_counts() -> None:
    late = daily_runs(1) + reported("a", "canary", {1440 + 180 + 12: {"duration": 60, "success": 1}})
    assert statuses(report(late, now=DAY + 2 * 86_400))[1] == ("17 03:00", "late")
    assert statuses(report(late, batches_config(grace_minutes=15), now=DAY + 2 * 86_400))[1] == ("17 03:00", "ok")
    again = reported("a", "canary", {180: {"success": 0}, 210: {"success": 1}})
    job = report(again, now=DAY + 86_400)
    assert statuses(job) == [("16 03:00", "ok")] and [run.result for run in job.scheduled_runs[0].runs] == [
        "failed",
        "ok",
    ]


def test_a_run_before_the_first_scheduled_time_is_listed_alone() -> None:
    rows = reported("a", "canary", {100: {"success": 1}}) + daily_runs(1)
    assert statuses(report(rows, now=DAY + 86_400)) == [("16 01:40", "ok"), ("16 03:00", "ok")]


def test_a_short_run_belongs_to_the_scheduled_time_of_its_minute() -> None:
    # Ended at 03:00:50 after 20 s: its end is known as 03:00, so that it seems to have started at 02:59:40.
    job = report(reported("a", "canary", {180: {"duration": 20, "success": 1}}), now=DAY + 86_400)
    assert statuses(job) == [("16 03:00", "ok")]


def test_a_window_shows_a_part_of_the_history() -> None:
    job = report(daily_runs(*[1] * 9), now=DAY + 9 * 86_400, days=2)
    assert statuses(job) == [("23 03:00", "ok"), ("24 03:00", "ok")]
    assert job.typical_duration and job.schedulers["canary"].runs == 9


def test_unknown_runs_are_not_missed() -> None:
    gap = Window(DAY + 86_400, DAY + 2 * 86_400)
    assert statuses(report(daily_runs(1, None, 1), unanswered=(gap,), now=DAY + 3 * 86_400))[1] == (
        "17 03:00",
        "unknown",
    )
    blind = Window(DAY + 86_400, DAY + 4 * 86_400)
    assert report(daily_runs(1), unanswered=(blind,)).state == "unknown"


def test_a_job_whose_rule_is_disabled_misses_nothing() -> None:
    rule = Trigger("a", "rule", "photo-a", DAILY, "UTC", enabled=False)
    job = report(daily_runs(1, None, 1), trigger=rule)
    assert statuses(job) == [("16 03:00", "ok"), ("17 03:00", "missed"), ("18 03:00", "ok"), ("19 03:00", "paused")]
    assert (job.state, job.next_scheduled_at, job.schedule_differs) == ("paused", None, False)


@pytest.mark.parametrize("schedule", [DAILY, "rate(1 day)", ""])
def test_a_disabled_job_is_paused_before_its_next_scheduled_time(schedule: str) -> None:
    rule = Trigger("a", "rule", "photo-a", schedule, "UTC", enabled=False)
    at_once = DAY + 2 * 86_400 + 4 * HOUR  # an hour after the last run
    assert report(daily_runs(1, 1, 1), batches_config(schedule), trigger=rule, now=at_once).state == "paused"
    assert report(daily_runs(1, 1, 0), batches_config(schedule), trigger=rule, now=at_once).state == "failed"
    assert report([], batches_config(schedule), trigger=rule).state == "paused"


def test_a_job_that_cron_still_runs_is_not_paused_by_the_rule_that_will_replace_it() -> None:
    rule = Trigger("a", "rule", "photo-a", DAILY, "UTC", enabled=False)
    by_cron = [(replace(series, fleet="baseline"), ts, value) for series, ts, value in daily_runs(1, 1, 1)]
    assert report(by_cron, trigger=rule, now=DAY + 2 * 86_400 + 4 * HOUR).state == "ok"


def test_the_schedule_may_come_from_aws_or_differ_from_it() -> None:
    rule = Trigger("a", "rule", "photo-a", "cron(0 4 * * ? *)", "UTC", enabled=True)
    assert report(daily_runs(1), batches_config(""), trigger=rule).next_scheduled_at == DAY + 4 * 86_400 + 4 * HOUR
    assert report(daily_runs(1), batches_config(), trigger=rule).schedule_differs
    same = Trigger("a", "rule", "photo-a", "cron(0 03 * * ? *)", "UTC", enabled=True)
    assert not report(daily_runs(1), batches_config(), trigger=same).schedule_differs
    zone = Trigger("a", "scheduler", "default/a", DAILY, "Asia/Tokyo", enabled=True)
    assert report(daily_runs(1), batches_config(), trigger=zone).schedule_differs


def test_never_reported_requires_complete_data() -> None:
    assert report([]).state == "never"
    assert report([], unanswered=(Window(DAY, DAY + 60),)).state == "unknown"
    assert report([]).next_scheduled_at == DAY + 4 * 86_400 + 3 * HOUR


def test_a_rate_has_an_interval_but_no_phase() -> None:
    minutes = [7, 12, 17, 22, 37, 42]
    rows = reported("a", "canary", {minute: {"success": 1} for minute in minutes})
    job = report(rows, batches_config("rate(5 minutes)", grace_minutes=2), now=DAY + 43 * 60, days=1)
    assert [
        (scheduled.scheduled_at - DAY) // 60 for scheduled in job.scheduled_runs if scheduled.status == "missed"
    ] == [27, 32]
    assert (job.state, job.next_scheduled_at) == ("ok", DAY + 47 * 60)
    job = report(rows, batches_config("rate(5 minutes)", grace_minutes=2), now=DAY + 60 * 60, days=1)
    assert [(scheduled.scheduled_at - DAY) // 60 for scheduled in job.scheduled_runs[-3:]] == [47, 52, 57]
    assert job.state == "stopped" and job.missed_since == DAY + 47 * 60
    jitter = reported("a", "canary", {minute: {"success": 1} for minute in (7, 13, 17, 23, 27)})
    assert report(jitter, batches_config("rate(5 minutes)"), now=DAY + 28 * 60, days=1).count("missed") == 0


def test_both_schedulers_are_reported_and_the_newer_one_is_scheduled() -> None:
    by_cron = reported("a", "baseline", {day * 1440 + 182: {"duration": 120, "success": 1} for day in range(9)})
    job = report([*by_cron, *daily_runs(*[1] * 9, first_day=7)], now=DAY + 16 * 86_400, days=16)
    assert job.scheduler == "canary"
    assert [status for _, status in statuses(job)] == ["ok"] * 16
    for scheduler, median_s in (("baseline", 120.0), ("canary", 60.0)):
        by_scheduler = job.schedulers[scheduler]  # type: ignore[index]
        assert (by_scheduler.runs, by_scheduler.success_rate) == (9, 1.0)
        assert by_scheduler.typical_duration and by_scheduler.typical_duration.median_s == median_s
    assert job.both_active and (job.both_active.start - DAY, job.both_active.end - DAY) == (
        (7 * 1440 + 181) * 60,
        (8 * 1440 + 183) * 60,
    )


def test_a_job_without_a_schedule_shows_its_runs() -> None:
    (job,) = job_reports(
        Batches(duration="b.{job}.d"),
        runs(*reported("found", "canary", {5: {"duration": 1}, 9: {"duration": 1}})),
        window=Window(DAY, DAY + 3600),
        now=DAY + 3600,
    )
    assert (job.name, job.job, job.state, [status for _, status in statuses(job)]) == (
        "found",
        None,
        "ok",
        ["ok", "ok"],
    )


def test_the_worst_job_is_first() -> None:
    rows = [
        *reported("b", "canary", {5: {"success": 0}}),
        *reported("c", "canary", {5: {"success": 1}}),
        *daily_runs(1),
    ]
    parsed = job_reports(batches_config(), runs(*rows), window=Window(DAY, DAY + 5 * 86_400), now=DAY + 5 * 86_400)
    assert names_by_state(parsed) == {"failed": ["b"], "stopped": ["a"], "ok": ["c"]}


def test_a_strip_has_a_cell_per_run_or_per_interval() -> None:
    scheduled_runs = report(daily_runs(1, None, 0, 1)).scheduled_runs
    assert [cell.status for cell in strip(scheduled_runs, (), max_cells=4)] == ["ok", "missed", "failed", "ok"]
    edges = (DAY, DAY + 2 * 86_400, DAY + 4 * 86_400)
    cells = strip(scheduled_runs, edges, max_cells=3)
    assert [(cell.start, cell.end, cell.status, cell.counts) for cell in cells] == [
        (edges[0], edges[1], "missed", {"missed": 1, "ok": 1}),
        (edges[1], edges[2], "failed", {"failed": 1, "ok": 1}),
    ]


@pytest.mark.parametrize("day", [0, 1])
def test_a_repeated_hour_has_one_scheduled_run(day: int) -> None:
    new_york = batches_config("cron(30 1 * * ? *)", timezone="America/New_York")
    first = int(datetime(2026, 10, 31, 5, 30, tzinfo=UTC).timestamp())  # 01:30 EDT
    ends = (first, first + 86_400, first + 86_400 + 25 * HOUR)  # 1 November has 25 hours
    rows = reported("a", "canary", {(end - DAY) // 60 + 1: {"success": 1} for end in ends})
    job = report(rows, new_york, now=ends[-1] + 6 * HOUR, days=4 + day)
    assert [status for _, status in statuses(job)] == ["ok", "ok", "ok"]
