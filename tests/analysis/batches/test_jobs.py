"""What became of every due time, from runs as short literal stories."""

from collections.abc import Mapping
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
    """(series, ts, value) of what was posted at minutes after DAY."""
    return [
        (series_of_runs("mackerel_batches", scheduler, job, measure), DAY + minute * 60, value)
        for minute, told in points.items()
        for measure, value in told.items()
    ]


def runs(*rows: tuple[Any, int, float], timestamp_is: str = "end") -> dict[tuple[str, SchedulerKind], tuple[Run, ...]]:
    series = [one for one, _, _ in rows]
    code = range(len(rows))
    frame = assemble(series, np.array(code), np.array([ts for _, ts, _ in rows]), np.array([v for *_, v in rows]), 60)
    return parse_runs(frame, timestamp_is=timestamp_is)  # type: ignore[arg-type]


def batches_config(schedule: str = DAILY, **more: Any) -> Batches:
    return Batches.model_validate(
        {"duration": "b.{job}.d", "success": "b.{job}.s", "jobs": [{"name": "a", "schedule": schedule} | more]}
    )


def daily_runs(*results: float | None, takes_s: float = 60, first_day: int = 0) -> list[tuple[Any, int, float]]:
    """A run a day at 03:00, each with its success; None: it did not come."""
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
    found = job_reports(
        settings or batches_config(),
        runs(*rows) if rows else {},
        window=Window(now - days * 86_400, now),
        now=now,
        unanswered=unanswered,
        triggers={"a": trigger} if trigger else {},
    )
    (one,) = found
    return one


def statuses(job_report: JobReport) -> list[tuple[str, str]]:
    return [
        (f"{datetime.fromtimestamp(slot.scheduled_at, UTC):%d %H:%M}", slot.status)
        for slot in job_report.scheduled_runs
    ]


# Runs


def test_a_run_is_what_was_posted_for_one_minute() -> None:
    found = runs(
        *reported("a", "canary", {180: {"duration": 90, "success": 1}, 240: {"success": 0}, 300: {"duration": 5}}),
        *reported("a", "baseline", {10: {"failure": 1}, 20: {"failure": 0}}),
    )
    assert [
        (run.reported_at - DAY, run.started_at - DAY, run.duration_s, run.result) for run in found["a", "canary"]
    ] == [
        (180 * 60, 180 * 60 - 90, 90.0, "ok"),
        (240 * 60, 240 * 60, None, "failed"),
        (300 * 60, 300 * 60 - 5, 5.0, "unknown"),
    ]
    assert [run.result for run in found["a", "baseline"]] == ["failed", "ok"]


def test_a_duration_and_a_result_across_the_turn_of_a_minute_are_one_run() -> None:
    (run,) = runs(*reported("a", "canary", {180: {"duration": 90}, 181: {"success": 0}}))["a", "canary"]
    assert (run.duration_s, run.result) == (90, "failed")
    apart = runs(*reported("a", "canary", {180: {"duration": 90}, 182: {"success": 0}}))["a", "canary"]
    assert len(apart) == 2
    every = {minute: {"duration": 5.0, "success": 1.0} for minute in range(180, 190)}
    assert len(runs(*reported("a", "canary", every))["a", "canary"]) == 10


def test_a_point_may_carry_the_beginning() -> None:
    (run,) = runs(*reported("a", "canary", {180: {"duration": 90}}), timestamp_is="start")["a", "canary"]
    assert (run.started_at - DAY, run.ended_at - DAY) == (180 * 60, 180 * 60 + 90)


def test_usual_needs_enough_successful_runs() -> None:
    found = runs(*daily_runs(*[1] * 7, 0))["a", "canary"]
    assert typical_duration(found) is None
    found = runs(*daily_runs(*[1] * 8))["a", "canary"]
    told = typical_duration(found)
    assert told and (told.runs, told.median_s, told.p10_s, told.p90_s) == (8, 60, 60, 60)


def test_slow_is_far_above_the_runs_before_and_failures_do_not_count() -> None:
    takes = [60, 62, 58, 61, 59, 60, 63, 57, 74, 76, 60]
    points = {180 + day * 1440: {"duration": s, "success": 1.0} for day, s in enumerate(takes)}
    points[180 + 11 * 1440] = {"duration": 900.0, "success": 0.0}
    points[180 + 12 * 1440] = {"duration": 61.0, "success": 1.0}
    found = runs(*reported("a", "canary", points))["a", "canary"]
    assert [run.is_slow for run in found] == [None] * 8 + [False, True, False, True, False]


def test_runs_that_overlap_are_counted() -> None:
    def run(began: int, ended: int) -> Run:
        return Run(began, ended, ended, None, "ok")

    assert count_overlaps([run(0, 300), run(300, 600), run(480, 700), run(690, 800)]) == 1


# Due times


def test_every_due_time_from_the_first_run_on_has_its_run_or_is_missed() -> None:
    one = report(daily_runs(1, None, 0, 1))
    assert statuses(one) == [("16 03:00", "ok"), ("17 03:00", "missed"), ("18 03:00", "failed"), ("19 03:00", "ok")]
    assert (one.state, one.count("missed"), one.missed_since) == ("ok", 1, None)
    assert one.next_scheduled_at == DAY + 4 * 86_400 + 3 * HOUR


def test_a_run_that_does_not_come_is_waited_for_as_long_as_its_grace_and_its_usual_length() -> None:
    three = daily_runs(*[1] * 9, takes_s=600)
    last_due = DAY + 9 * 86_400 + 3 * HOUR
    for minutes, mark in ((1, "waiting"), (19, "waiting"), (20, "missed")):
        one = report(three, now=last_due + minutes * 60)
        assert statuses(one)[-1] == ("25 03:00", mark), minutes
        assert one.state == ("missed" if mark == "missed" else "ok")
    assert one.missed_since == last_due


def test_after_three_missed_runs_it_has_stopped() -> None:
    one = report(daily_runs(1, 1), now=DAY + 5 * 86_400)
    assert (one.state, one.missed_since) == ("stopped", DAY + 2 * 86_400 + 3 * HOUR)
    assert report(daily_runs(1, 1), now=DAY + 4 * 86_400).state == "missed"


def test_a_run_beyond_its_grace_is_late_and_a_repeated_one_counts_as_it_ended() -> None:
    late = daily_runs(1) + reported("a", "canary", {1440 + 180 + 12: {"duration": 60, "success": 1}})
    assert statuses(report(late, now=DAY + 2 * 86_400))[1] == ("17 03:00", "late")
    assert statuses(report(late, batches_config(grace_minutes=15), now=DAY + 2 * 86_400))[1] == ("17 03:00", "ok")
    again = reported("a", "canary", {180: {"success": 0}, 210: {"success": 1}})
    one = report(again, now=DAY + 86_400)
    assert statuses(one) == [("16 03:00", "ok")] and [run.result for run in one.scheduled_runs[0].runs] == [
        "failed",
        "ok",
    ]


def test_a_run_before_the_first_due_time_stands_alone() -> None:
    rows = reported("a", "canary", {100: {"success": 1}}) + daily_runs(1)
    assert statuses(report(rows, now=DAY + 86_400)) == [("16 01:40", "ok"), ("16 03:00", "ok")]


def test_a_run_that_ends_in_the_minute_it_began_is_not_the_one_before() -> None:
    # Ended 03:00:50 after 20 s: known as 03:00, so that it seems to have begun at 02:59:40.
    one = report(reported("a", "canary", {180: {"duration": 20, "success": 1}}), now=DAY + 86_400)
    assert statuses(one) == [("16 03:00", "ok")]


def test_a_window_begins_in_the_middle_of_a_history() -> None:
    one = report(daily_runs(*[1] * 9), now=DAY + 9 * 86_400, days=2)
    assert statuses(one) == [("23 03:00", "ok"), ("24 03:00", "ok")]
    assert one.typical_duration and one.schedulers["canary"].runs == 9


def test_what_was_not_read_is_not_missed() -> None:
    gap = Window(DAY + 86_400, DAY + 2 * 86_400)
    assert statuses(report(daily_runs(1, None, 1), unanswered=(gap,), now=DAY + 3 * 86_400))[1] == (
        "17 03:00",
        "unknown",
    )
    blind = Window(DAY + 86_400, DAY + 4 * 86_400)
    assert report(daily_runs(1), unanswered=(blind,)).state == "unknown"


def test_a_job_whose_rule_is_disabled_misses_nothing() -> None:
    rule = Trigger("a", "rule", "photo-a", DAILY, "UTC", enabled=False)
    one = report(daily_runs(1, None, 1), trigger=rule)
    assert statuses(one) == [("16 03:00", "ok"), ("17 03:00", "missed"), ("18 03:00", "ok"), ("19 03:00", "paused")]
    assert (one.state, one.next_scheduled_at, one.schedule_differs) == ("paused", None, False)


def test_the_schedule_may_be_known_from_aws_alone_or_differ_from_it() -> None:
    rule = Trigger("a", "rule", "photo-a", "cron(0 4 * * ? *)", "UTC", enabled=True)
    assert report(daily_runs(1), batches_config(""), trigger=rule).next_scheduled_at == DAY + 4 * 86_400 + 4 * HOUR
    assert report(daily_runs(1), batches_config(), trigger=rule).schedule_differs
    same = Trigger("a", "rule", "photo-a", "cron(0 03 * * ? *)", "UTC", enabled=True)
    assert not report(daily_runs(1), batches_config(), trigger=same).schedule_differs
    zone = Trigger("a", "scheduler", "default/a", DAILY, "Asia/Tokyo", enabled=True)
    assert report(daily_runs(1), batches_config(), trigger=zone).schedule_differs


def test_a_job_that_never_reported_is_only_that_once_everything_was_read() -> None:
    assert report([]).state == "never"
    assert report([], unanswered=(Window(DAY, DAY + 60),)).state == "unknown"
    assert report([]).next_scheduled_at == DAY + 4 * 86_400 + 3 * HOUR


def test_a_rate_has_no_phase_only_a_pace() -> None:
    minutes = [7, 12, 17, 22, 37, 42]
    rows = reported("a", "canary", {minute: {"success": 1} for minute in minutes})
    one = report(rows, batches_config("rate(5 minutes)", grace_minutes=2), now=DAY + 43 * 60, days=1)
    assert [(slot.scheduled_at - DAY) // 60 for slot in one.scheduled_runs if slot.status == "missed"] == [27, 32]
    assert (one.state, one.next_scheduled_at) == ("ok", DAY + 47 * 60)
    one = report(rows, batches_config("rate(5 minutes)", grace_minutes=2), now=DAY + 60 * 60, days=1)
    assert [(slot.scheduled_at - DAY) // 60 for slot in one.scheduled_runs[-3:]] == [47, 52, 57]
    assert one.state == "stopped" and one.missed_since == DAY + 47 * 60
    jitter = reported("a", "canary", {minute: {"success": 1} for minute in (7, 13, 17, 23, 27)})
    assert report(jitter, batches_config("rate(5 minutes)"), now=DAY + 28 * 60, days=1).count("missed") == 0


def test_both_eras_stand_side_by_side_and_only_the_new_one_is_due() -> None:
    old = reported("a", "baseline", {day * 1440 + 182: {"duration": 120, "success": 1} for day in range(9)})
    one = report([*old, *daily_runs(*[1] * 9, first_day=7)], now=DAY + 16 * 86_400, days=16)
    assert one.scheduler == "canary"
    assert [mark for _, mark in statuses(one)] == ["ok"] * 16
    assert {era: (told.runs, told.success_rate, told.typical_duration and told.typical_duration.median_s) for era, told in one.schedulers.items()} == {
        "baseline": (9, 1.0, 120.0),
        "canary": (9, 1.0, 60.0),
    }  # fmt: skip
    assert one.both_active and (one.both_active.start - DAY, one.both_active.end - DAY) == (
        (7 * 1440 + 181) * 60,
        (8 * 1440 + 183) * 60,
    )


def test_a_job_without_a_schedule_shows_its_runs() -> None:
    (one,) = job_reports(
        Batches(duration="b.{job}.d"),
        runs(*reported("found", "canary", {5: {"duration": 1}, 9: {"duration": 1}})),
        window=Window(DAY, DAY + 3600),
        now=DAY + 3600,
    )
    assert (one.name, one.job, one.state, [mark for _, mark in statuses(one)]) == ("found", None, "ok", ["ok", "ok"])


def test_the_worst_come_first() -> None:
    rows = [
        *reported("b", "canary", {5: {"success": 0}}),
        *reported("c", "canary", {5: {"success": 1}}),
        *daily_runs(1),
    ]
    found = job_reports(batches_config(), runs(*rows), window=Window(DAY, DAY + 5 * 86_400), now=DAY + 5 * 86_400)
    assert names_by_state(found) == {"failed": ["b"], "stopped": ["a"], "ok": ["c"]}


def test_a_strip_has_a_cell_a_due_time_or_one_for_each_stretch() -> None:
    slots = report(daily_runs(1, None, 0, 1)).scheduled_runs
    assert [cell.status for cell in strip(slots, (), max_cells=4)] == ["ok", "missed", "failed", "ok"]
    edges = (DAY, DAY + 2 * 86_400, DAY + 4 * 86_400)
    cells = strip(slots, edges, max_cells=3)
    assert [(cell.start, cell.end, cell.status, cell.counts) for cell in cells] == [
        (edges[0], edges[1], "missed", {"missed": 1, "ok": 1}),
        (edges[1], edges[2], "failed", {"failed": 1, "ok": 1}),
    ]


@pytest.mark.parametrize("day", [0, 1])
def test_an_hour_that_comes_twice_is_due_once(day: int) -> None:
    new_york = batches_config("cron(30 1 * * ? *)", timezone="America/New_York")
    first = int(datetime(2026, 10, 31, 5, 30, tzinfo=UTC).timestamp())  # 01:30 EDT
    ends = (first, first + 86_400, first + 86_400 + 25 * HOUR)  # 1 November has 25 hours
    rows = reported("a", "canary", {(end - DAY) // 60 + 1: {"success": 1} for end in ends})
    one = report(rows, new_york, now=ends[-1] + 6 * HOUR, days=4 + day)
    assert [mark for _, mark in statuses(one)] == ["ok", "ok", "ok"]
