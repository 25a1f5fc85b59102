"""What runs did, by what they logged: both schedulers side by side."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from analysis.batches.handover import Handover, Slot
from analysis.batches.jobs import JobReport
from analysis.batches.run_work import job_work, statement_key
from analysis.batches.runs import Run
from domain.config.batches import SchedulerKind
from domain.run_steps import RunStep
from messages import run_work as text

SQL = "DELETE FROM t WHERE day < '2026-11-27'"


def run(start: int) -> Run:
    return Run(start, start + 60, start + 60, 60.0, "ok")


def step(scheduler: SchedulerKind, ts: int, rows: float | None, sql: str = SQL, **values: object) -> RunStep:
    return replace(RunStep(f"{scheduler}{ts}{sql}", "a", scheduler, ts, sql=sql, rows=rows, seconds=2.0), **values)  # type: ignore[arg-type]


def report(cron: Sequence[Run], eventbridge: Sequence[Run], both: Sequence[Slot] = ()) -> JobReport:
    return JobReport(
        "a",
        None,
        "ok",
        runs_by_scheduler={"baseline": cron, "canary": eventbridge},
        handover=Handover({"both": tuple(both)}) if both else None,
    )


def test_the_newest_due_time_that_both_logged_is_compared() -> None:
    slots = [Slot(at, (run(at),), (run(at + 10),)) for at in (1000, 5000, 9000)]
    jobs = report([run(1000), run(5000), run(9000)], [run(1010), run(5010), run(9010)], slots)
    steps = [step("baseline", 5040, 10), step("canary", 5050, 8), step("canary", 9050, 3)]
    work = job_work(jobs, steps)
    assert work
    assert work.due_at == 5000
    (statement,) = work.differences
    assert (statement.rows, text.difference(statement)) == ({"canary": 8, "baseline": 10}, "−2 (−20.0%)")


def test_without_a_common_due_time_the_newest_runs_are_compared() -> None:
    work = job_work(report([run(1000)], [run(9000)]), [step("baseline", 1030, 5), step("canary", 9030, 5)])
    assert work
    assert (work.due_at, work.differences, len(work.runs)) == (None, (), 2)


def test_statements_are_paired_without_their_literals() -> None:
    steps = [step("baseline", 1030, 5, "DELETE FROM t WHERE day < '2026-11-26'"), step("canary", 9030, 5)]
    work = job_work(report([run(1000)], [run(9000)]), steps)
    assert work
    assert [statement.sql for statement in work.statements] == [SQL]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("SELECT 1", "select  2 ;", True),
        ("SELECT 'it''s'", "SELECT 'x'", True),
        ("SELECT a1", "SELECT a2", False),
        ("SELECT a", "SELECT b", False),
    ],
)
def test_statement_key(one: str, other: str, same: bool) -> None:
    assert (statement_key(one) == statement_key(other)) is same


def test_a_statement_of_one_scheduler_alone_differs() -> None:
    steps = [step("baseline", 1030, 5), step("baseline", 1031, 6, "UPDATE u"), step("canary", 9030, 5)]
    work = job_work(report([run(1000)], [run(9000)]), steps)
    assert work
    assert [(item.sql, text.difference(item)) for item in work.differences] == [("UPDATE u", "only by cron")]
    assert text.rows(work.differences[0], "canary") == "not run"


def test_rows_that_were_not_logged_are_not_a_difference() -> None:
    work = job_work(report([run(1000)], [run(9000)]), [step("baseline", 1030, None), step("canary", 9030, 5)])
    assert work
    assert work.differences == ()


def test_one_scheduler_alone_has_no_differences() -> None:
    work = job_work(report([], [run(9000)]), [step("canary", 9030, 5), step("canary", 9031, 6, "UPDATE u")])
    assert work
    assert (work.differences, work.runs["canary"].rows, work.runs["canary"].seconds) == ((), 11, 4.0)


def test_a_run_failed_if_one_step_did() -> None:
    steps = [step("canary", 9030, 5, success=True), step("canary", 9031, None, "UPDATE u", success=False)]
    work = job_work(report([], [run(9000)]), steps)
    assert work
    assert work.runs["canary"].success is False


def test_steps_outside_of_any_run_are_of_none() -> None:
    assert job_work(report([], [run(9000)]), [step("canary", 9200, 5), step("canary", 8900, 5)]) is None
