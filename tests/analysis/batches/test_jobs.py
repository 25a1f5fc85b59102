"""What became of every due time, from runs as short literal stories."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from analysis.batches.jobs import JobReport, batches, by_state, strip
from analysis.batches.runs import Run, overlapping, runs_of, usual
from domain import Window, assemble
from domain.config.batches import Batches, Era, Measure, series_of_runs
from domain.triggers import Starter

DAY = int(datetime(2026, 11, 16, tzinfo=UTC).timestamp())  # a Monday, 00:00 UTC
HOUR = 3600
DAILY = "cron(0 3 * * ? *)"


def posted(job: str, era: Era, points: Mapping[int, Mapping[Measure, float]]) -> list[tuple[Any, int, float]]:
    """(series, ts, value) of what was posted at minutes after DAY."""
    return [
        (series_of_runs("mackerel_batches", era, job, measure), DAY + minute * 60, value)
        for minute, told in points.items()
        for measure, value in told.items()
    ]


def runs(*rows: tuple[Any, int, float], stamped: str = "end") -> dict[tuple[str, Era], tuple[Run, ...]]:
    series = [one for one, _, _ in rows]
    code = range(len(rows))
    frame = assemble(series, np.array(code), np.array([ts for _, ts, _ in rows]), np.array([v for *_, v in rows]), 60)
    return runs_of(frame, stamped=stamped)  # type: ignore[arg-type]


def job(schedule: str = DAILY, **more: Any) -> Batches:
    return Batches.model_validate(
        {"duration": "b.{job}.d", "success": "b.{job}.s", "jobs": [{"name": "a", "schedule": schedule} | more]}
    )


def at_three(*results: float | None, takes_s: float = 60, first_day: int = 0) -> list[tuple[Any, int, float]]:
    """A run a day at 03:00, each with its success; None: it did not come."""
    return posted(
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
    starter: Starter | None = None,
) -> JobReport:
    found = batches(
        settings or job(),
        runs(*rows) if rows else {},
        window=Window(now - days * 86_400, now),
        now=now,
        unanswered=unanswered,
        starters={"a": starter} if starter else {},
    )
    (one,) = found
    return one


def marks(one: JobReport) -> list[tuple[str, str]]:
    return [(f"{datetime.fromtimestamp(slot.due, UTC):%d %H:%M}", slot.mark) for slot in one.slots]


# Runs


def test_a_run_is_what_was_posted_for_one_minute() -> None:
    found = runs(
        *posted("a", "canary", {180: {"duration": 90, "success": 1}, 240: {"success": 0}, 300: {"duration": 5}}),
        *posted("a", "baseline", {10: {"failure": 1}, 20: {"failure": 0}}),
    )
    assert [(run.at - DAY, run.began - DAY, run.duration_s, run.result) for run in found["a", "canary"]] == [
        (180 * 60, 180 * 60 - 90, 90.0, "ok"),
        (240 * 60, 240 * 60, None, "failed"),
        (300 * 60, 300 * 60 - 5, 5.0, "unknown"),
    ]
    assert [run.result for run in found["a", "baseline"]] == ["failed", "ok"]


def test_a_duration_and_a_result_across_the_turn_of_a_minute_are_one_run() -> None:
    (run,) = runs(*posted("a", "canary", {180: {"duration": 90}, 181: {"success": 0}}))["a", "canary"]
    assert (run.duration_s, run.result) == (90, "failed")
    apart = runs(*posted("a", "canary", {180: {"duration": 90}, 182: {"success": 0}}))["a", "canary"]
    assert len(apart) == 2
    every = {minute: {"duration": 5.0, "success": 1.0} for minute in range(180, 190)}
    assert len(runs(*posted("a", "canary", every))["a", "canary"]) == 10


def test_a_point_may_carry_the_beginning() -> None:
    (run,) = runs(*posted("a", "canary", {180: {"duration": 90}}), stamped="start")["a", "canary"]
    assert (run.began - DAY, run.ended - DAY) == (180 * 60, 180 * 60 + 90)


def test_usual_needs_enough_successful_runs() -> None:
    found = runs(*at_three(*[1] * 7, 0))["a", "canary"]
    assert usual(found) is None
    found = runs(*at_three(*[1] * 8))["a", "canary"]
    told = usual(found)
    assert told and (told.runs, told.median_s, told.low_s, told.high_s) == (8, 60, 60, 60)


def test_slow_is_far_above_the_runs_before_and_failures_do_not_count() -> None:
    takes = [60, 62, 58, 61, 59, 60, 63, 57, 74, 76, 60]
    points = {180 + day * 1440: {"duration": s, "success": 1.0} for day, s in enumerate(takes)}
    points[180 + 11 * 1440] = {"duration": 900.0, "success": 0.0}
    points[180 + 12 * 1440] = {"duration": 61.0, "success": 1.0}
    found = runs(*posted("a", "canary", points))["a", "canary"]
    assert [run.slow for run in found] == [None] * 8 + [False, True, False, True, False]


def test_runs_that_overlap_are_counted() -> None:
    def run(began: int, ended: int) -> Run:
        return Run(began, ended, ended, None, "ok")

    assert overlapping([run(0, 300), run(300, 600), run(480, 700), run(690, 800)]) == 1


# Due times


def test_every_due_time_from_the_first_run_on_has_its_run_or_is_missed() -> None:
    one = report(at_three(1, None, 0, 1))
    assert marks(one) == [("16 03:00", "ok"), ("17 03:00", "missed"), ("18 03:00", "failed"), ("19 03:00", "ok")]
    assert (one.state, one.count("missed"), one.since) == ("ok", 1, None)
    assert one.next_due == DAY + 4 * 86_400 + 3 * HOUR


def test_a_run_that_does_not_come_is_waited_for_as_long_as_its_grace_and_its_usual_length() -> None:
    three = at_three(*[1] * 9, takes_s=600)
    last_due = DAY + 9 * 86_400 + 3 * HOUR
    for minutes, mark in ((1, "waiting"), (19, "waiting"), (20, "missed")):
        one = report(three, now=last_due + minutes * 60)
        assert marks(one)[-1] == ("25 03:00", mark), minutes
        assert one.state == ("missed" if mark == "missed" else "ok")
    assert one.since == last_due


def test_after_three_missed_runs_it_has_stopped() -> None:
    one = report(at_three(1, 1), now=DAY + 5 * 86_400)
    assert (one.state, one.since) == ("stopped", DAY + 2 * 86_400 + 3 * HOUR)
    assert report(at_three(1, 1), now=DAY + 4 * 86_400).state == "missed"


def test_a_run_beyond_its_grace_is_late_and_a_repeated_one_counts_as_it_ended() -> None:
    late = at_three(1) + posted("a", "canary", {1440 + 180 + 12: {"duration": 60, "success": 1}})
    assert marks(report(late, now=DAY + 2 * 86_400))[1] == ("17 03:00", "late")
    assert marks(report(late, job(grace_minutes=15), now=DAY + 2 * 86_400))[1] == ("17 03:00", "ok")
    again = posted("a", "canary", {180: {"success": 0}, 210: {"success": 1}})
    one = report(again, now=DAY + 86_400)
    assert marks(one) == [("16 03:00", "ok")] and [run.result for run in one.slots[0].runs] == ["failed", "ok"]


def test_a_run_before_the_first_due_time_stands_alone() -> None:
    rows = posted("a", "canary", {100: {"success": 1}}) + at_three(1)
    assert marks(report(rows, now=DAY + 86_400)) == [("16 01:40", "ok"), ("16 03:00", "ok")]


def test_a_run_that_ends_in_the_minute_it_began_is_not_the_one_before() -> None:
    # Ended 03:00:50 after 20 s: known as 03:00, so that it seems to have begun at 02:59:40.
    one = report(posted("a", "canary", {180: {"duration": 20, "success": 1}}), now=DAY + 86_400)
    assert marks(one) == [("16 03:00", "ok")]


def test_a_window_begins_in_the_middle_of_a_history() -> None:
    one = report(at_three(*[1] * 9), now=DAY + 9 * 86_400, days=2)
    assert marks(one) == [("23 03:00", "ok"), ("24 03:00", "ok")]
    assert one.usual and one.eras["canary"].runs == 9


def test_what_was_not_read_is_not_missed() -> None:
    gap = Window(DAY + 86_400, DAY + 2 * 86_400)
    assert marks(report(at_three(1, None, 1), unanswered=(gap,), now=DAY + 3 * 86_400))[1] == ("17 03:00", "unknown")
    blind = Window(DAY + 86_400, DAY + 4 * 86_400)
    assert report(at_three(1), unanswered=(blind,)).state == "unknown"


def test_a_job_whose_rule_is_disabled_misses_nothing() -> None:
    rule = Starter("a", "rule", "photo-a", DAILY, "UTC", enabled=False)
    one = report(at_three(1, None, 1), starter=rule)
    assert marks(one) == [("16 03:00", "ok"), ("17 03:00", "missed"), ("18 03:00", "ok"), ("19 03:00", "paused")]
    assert (one.state, one.next_due, one.differs) == ("paused", None, False)


def test_the_schedule_may_be_known_from_aws_alone_or_differ_from_it() -> None:
    rule = Starter("a", "rule", "photo-a", "cron(0 4 * * ? *)", "UTC", enabled=True)
    assert report(at_three(1), job(""), starter=rule).next_due == DAY + 4 * 86_400 + 4 * HOUR
    assert report(at_three(1), job(), starter=rule).differs
    same = Starter("a", "rule", "photo-a", "cron(0 03 * * ? *)", "UTC", enabled=True)
    assert not report(at_three(1), job(), starter=same).differs
    zone = Starter("a", "scheduler", "default/a", DAILY, "Asia/Tokyo", enabled=True)
    assert report(at_three(1), job(), starter=zone).differs


def test_a_job_that_never_reported_is_only_that_once_everything_was_read() -> None:
    assert report([]).state == "never"
    assert report([], unanswered=(Window(DAY, DAY + 60),)).state == "unknown"
    assert report([]).next_due == DAY + 4 * 86_400 + 3 * HOUR


def test_a_rate_has_no_phase_only_a_pace() -> None:
    minutes = [7, 12, 17, 22, 37, 42]
    rows = posted("a", "canary", {minute: {"success": 1} for minute in minutes})
    one = report(rows, job("rate(5 minutes)", grace_minutes=2), now=DAY + 43 * 60, days=1)
    assert [(slot.due - DAY) // 60 for slot in one.slots if slot.mark == "missed"] == [27, 32]
    assert (one.state, one.next_due) == ("ok", DAY + 47 * 60)
    one = report(rows, job("rate(5 minutes)", grace_minutes=2), now=DAY + 60 * 60, days=1)
    assert [(slot.due - DAY) // 60 for slot in one.slots[-3:]] == [47, 52, 57]
    assert one.state == "stopped" and one.since == DAY + 47 * 60
    jitter = posted("a", "canary", {minute: {"success": 1} for minute in (7, 13, 17, 23, 27)})
    assert report(jitter, job("rate(5 minutes)"), now=DAY + 28 * 60, days=1).count("missed") == 0


def test_both_eras_stand_side_by_side_and_only_the_new_one_is_due() -> None:
    old = posted("a", "baseline", {day * 1440 + 182: {"duration": 120, "success": 1} for day in range(9)})
    one = report([*old, *at_three(*[1] * 9, first_day=7)], now=DAY + 16 * 86_400, days=16)
    assert one.era == "canary"
    assert [mark for _, mark in marks(one)] == ["ok"] * 16
    assert {era: (told.runs, told.success_rate, told.usual and told.usual.median_s) for era, told in one.eras.items()} == {
        "baseline": (9, 1.0, 120.0),
        "canary": (9, 1.0, 60.0),
    }  # fmt: skip
    assert one.both and (one.both.start - DAY, one.both.end - DAY) == ((7 * 1440 + 181) * 60, (8 * 1440 + 183) * 60)


def test_a_job_without_a_schedule_shows_its_runs() -> None:
    (one,) = batches(
        Batches(duration="b.{job}.d"),
        runs(*posted("found", "canary", {5: {"duration": 1}, 9: {"duration": 1}})),
        window=Window(DAY, DAY + 3600),
        now=DAY + 3600,
    )
    assert (one.name, one.job, one.state, [mark for _, mark in marks(one)]) == ("found", None, "ok", ["ok", "ok"])


def test_the_worst_come_first() -> None:
    rows = [*posted("b", "canary", {5: {"success": 0}}), *posted("c", "canary", {5: {"success": 1}}), *at_three(1)]
    found = batches(job(), runs(*rows), window=Window(DAY, DAY + 5 * 86_400), now=DAY + 5 * 86_400)
    assert by_state(found) == {"failed": ["b"], "stopped": ["a"], "ok": ["c"]}


def test_a_strip_has_a_cell_a_due_time_or_one_for_each_stretch() -> None:
    slots = report(at_three(1, None, 0, 1)).slots
    assert [cell.mark for cell in strip(slots, (), most=4)] == ["ok", "missed", "failed", "ok"]
    edges = (DAY, DAY + 2 * 86_400, DAY + 4 * 86_400)
    cells = strip(slots, edges, most=3)
    assert [(cell.start, cell.end, cell.mark, cell.counts) for cell in cells] == [
        (edges[0], edges[1], "missed", {"missed": 1, "ok": 1}),
        (edges[1], edges[2], "failed", {"failed": 1, "ok": 1}),
    ]


@pytest.mark.parametrize("day", [0, 1])
def test_an_hour_that_comes_twice_is_due_once(day: int) -> None:
    new_york = job("cron(30 1 * * ? *)", timezone="America/New_York")
    first = int(datetime(2026, 10, 31, 5, 30, tzinfo=UTC).timestamp())  # 01:30 EDT
    ends = (first, first + 86_400, first + 86_400 + 25 * HOUR)  # 1 November has 25 hours
    rows = posted("a", "canary", {(end - DAY) // 60 + 1: {"success": 1} for end in ends})
    one = report(rows, new_york, now=ends[-1] + 6 * HOUR, days=4 + day)
    assert [mark for _, mark in marks(one)] == ["ok", "ok", "ok"]
