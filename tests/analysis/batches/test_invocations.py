"""Silent failures of a Lambda function, from short literal counts and runs."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from analysis.batches.invocations import (
    InvocationPeriod,
    InvocationTotals,
    invocation_totals,
    parse_invocations,
    silent_failures,
)
from analysis.batches.jobs import JobReport, job_reports
from analysis.batches.runs import Run
from domain import Window, assemble
from domain.config.batches import Batches, series_of_function, series_of_rule

DAY = int(datetime(2026, 11, 16, tzinfo=UTC).timestamp())  # a Monday, 00:00 UTC
NOW = DAY + 4 * 86_400
WINDOW = Window(NOW - 14 * 86_400, NOW)
SETTINGS = Batches.model_validate(
    {"duration": "b.{job}.d", "success": "b.{job}.s", "jobs": [{"name": "a", "schedule": "cron(0 3 * * ? *)"}]}
)


def always(_start: int, _end: int) -> bool:
    return True


def invocation(minute: int, invocations: int = 1, errors: int = 0, **counts: Any) -> InvocationPeriod:
    return InvocationPeriod(DAY + minute * 60, counts.pop("period_s", 60), invocations, errors, **counts)


def run(minute: float, result: str = "ok", takes_s: int = 10) -> Run:
    began = DAY + int(minute * 60)
    return Run(began, began + takes_s, began, float(takes_s), result)  # type: ignore[arg-type]


def silent_minutes(invocations: list[InvocationPeriod], *reported: Run, was_answered: Any = always) -> list[int]:
    return [(silent_run.started_at - DAY) // 60 for silent_run in silent_failures(invocations, reported, was_answered)]


def test_an_unreported_error_is_a_failed_run() -> None:
    (silent_run,) = silent_failures([invocation(180, errors=1, longest_s=2.4)], (), always)
    assert silent_run == Run(DAY + 10_800, DAY + 10_802, DAY + 10_800, 2.4, "failed", was_reported=False)


def test_a_reported_failure_is_no_second_run() -> None:
    assert silent_minutes([invocation(180, errors=1)], run(180, "failed")) == []
    assert silent_minutes([invocation(180, errors=1)], run(179.2, "failed")) == [], (
        "when a run began is known to a minute"
    )
    assert silent_minutes([invocation(180, errors=1)], run(178.9, "failed")) == [180]


def test_of_a_job_that_runs_every_minute_the_missing_run_failed() -> None:
    invocations = [invocation(minute, errors=minute == 182) for minute in range(180, 186)]
    reported = [run(minute - 0.1) for minute in (180, 181, 183, 184, 185)]
    assert silent_minutes(invocations, *reported) == [182]


def test_a_run_that_reported_success_before_an_error_is_no_silent_failure() -> None:
    assert silent_minutes([invocation(180, errors=1)], run(180)) == []
    assert silent_minutes([invocation(180, invocations=2, errors=1)], run(180)) == [180], "the other one did"


def test_silent_failures_require_complete_reports() -> None:
    invocations = [invocation(180, errors=1, longest_s=700.0)]
    assert silent_minutes(invocations, was_answered=lambda start, end: end <= DAY + 10_800 + 819) == []
    assert silent_minutes(invocations, was_answered=lambda start, end: end <= DAY + 10_800 + 820) == [180]


def test_longer_periods_are_ignored() -> None:
    assert silent_minutes([invocation(180, errors=1, period_s=300)]) == []


def test_totals_are_those_of_the_window() -> None:
    invocations = [invocation(-20_000, errors=9), invocation(180, 3, 2, throttles=1), invocation(240, 0, undelivered=4)]
    silent_runs = silent_failures(invocations, (), always)
    assert invocation_totals(invocations, silent_runs, WINDOW) == InvocationTotals(3, 2, 1, 4, 1)


def test_a_frame_is_read_by_job_and_period() -> None:
    series = (*series_of_function("lambda", "a"), series_of_rule("lambda", "a"), *series_of_function("lambda", "b"))
    rows = [(0, 180, 2.0), (1, 180, 1.0), (3, 180, 2.5), (4, 240, 3.0), (5, 180, 1.0), (7, 180, 5.0)]
    frame = assemble(
        series,
        np.array([code for code, _, _ in rows]),
        np.array([DAY + minute * 60 for _, minute, _ in rows]),
        np.array([value for *_, value in rows]),
        60,
    )
    assert parse_invocations(frame) == {
        "a": (invocation(180, 2, 1, longest_s=2.5), invocation(240, 0, undelivered=3)),
        "b": (invocation(180, 1, 0, throttles=5),),
    }


# In the report of a job


def report(
    reported_days: list[int],
    invocations: list[InvocationPeriod],
    *,
    cron: tuple[int, ...] = (),
    unanswered: tuple[Window, ...] = (),
) -> JobReport:
    runs = {
        ("a", scheduler): tuple(run(day * 1440 + 180) for day in days)
        for scheduler, days in (("canary", reported_days), ("baseline", cron))
        if days
    }
    (job_report,) = job_reports(
        SETTINGS, runs, window=WINDOW, now=NOW, unanswered=unanswered, invocations={"a": invocations}
    )  # type: ignore[arg-type]
    return job_report


def statuses(job_report: JobReport) -> list[str]:
    return [scheduled.status for scheduled in job_report.scheduled_runs]


def test_a_silent_failure_is_failed_and_not_missed() -> None:
    job = report([0, 1, 3], [invocation(2 * 1440 + minute, errors=1) for minute in (180, 181, 183)])
    assert statuses(job) == ["ok", "ok", "failed", "ok"] and job.state == "ok"
    assert [(run.result, run.was_reported) for run in job.scheduled_runs[2].runs] == [("failed", False)] * 3
    assert job.invocation_totals == InvocationTotals(3, 3, 0, 0, 3)
    assert job.schedulers["canary"].failed == 3


def test_a_silent_failure_can_be_the_last_run() -> None:
    job = report([0, 1, 2], [invocation(3 * 1440 + 180, errors=1)])
    assert (job.state, job.last_run and job.last_run.was_reported) == ("failed", False)


def test_a_successful_repetition_counts() -> None:
    invocations = [invocation(2 * 1440 + 180, errors=1), invocation(2 * 1440 + 181)]
    runs = {("a", "canary"): (run(180), run(1440 + 180), run(2 * 1440 + 181), run(3 * 1440 + 180))}
    (job,) = job_reports(SETTINGS, runs, window=WINDOW, now=NOW, invocations={"a": invocations})  # type: ignore[arg-type]
    assert statuses(job) == ["ok"] * 4


def test_an_error_is_inconclusive_while_reports_are_unknown() -> None:
    gap = Window(DAY + 2 * 86_400, DAY + 3 * 86_400)
    job = report([0, 1, 3], [invocation(2 * 1440 + 180, errors=1)], unanswered=(gap,))
    assert statuses(job) == ["ok", "ok", "unknown", "ok"]
    assert job.invocation_totals == InvocationTotals(1, 1, 0, 0, 0)


@pytest.mark.parametrize(("cron", "state"), [((0, 1, 2, 3), "ok"), ((0, 1), "failed")])
def test_a_trial_while_cron_runs_is_no_run(cron: tuple[int, ...], state: str) -> None:
    """EventBridge's runs were never reported: errors count from cron's last run on."""
    job = report([], [invocation(2 * 1440 + 180, errors=1), invocation(3 * 1440 + 180, errors=1)], cron=cron)
    assert (job.state, job.scheduler) == (state, "baseline" if state == "ok" else "canary")


def test_a_function_that_always_fails_is_failed() -> None:
    job = report([], [invocation(day * 1440 + 180, errors=1) for day in range(4)])
    assert (job.state, statuses(job)) == ("failed", ["failed"] * 4)


def test_without_counts_there_are_no_totals() -> None:
    (job,) = job_reports(SETTINGS, {("a", "canary"): (run(180),)}, window=WINDOW, now=NOW)
    assert job.invocation_totals is None
