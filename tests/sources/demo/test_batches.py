"""The demo's batches are deterministic, and have a job in every state."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.batches.invocations import parse_invocations
from analysis.batches.jobs import RUN_STATUSES, JobReport, job_reports
from analysis.batches.runs import parse_runs
from domain import Series, Window, check_frame, epoch_s
from domain.cron import parse_schedule
from sources.demo.batches import DEMO_JOBS, DemoBatches, DemoTriggers
from sources.demo.lambda_metrics import DemoLambda
from sources.demo.sources import demo_migration

ANCHOR = datetime(2026, 11, 24, 6, tzinfo=UTC)
NOW = ANCHOR + timedelta(minutes=17, seconds=20)
MIGRATION = demo_migration(ANCHOR)


def make_source(now: datetime = NOW, anchor: datetime = ANCHOR) -> DemoBatches:
    return DemoBatches(anchor=anchor, clock=lambda: now)


def reports_at(now: datetime = NOW, anchor: datetime = ANCHOR) -> dict[str, JobReport]:
    assert MIGRATION.batches
    frame = check_frame(make_source(now, anchor).pull(Window.last(30 * 1440, now=now)).frame)
    function_metrics = DemoLambda(anchor=anchor, clock=lambda: now).pull(Window.last(30 * 1440, now=now)).frame
    triggers = DemoTriggers(anchor=anchor, clock=lambda: now).snapshot().triggers
    assert triggers
    reports = job_reports(
        MIGRATION.batches,
        parse_runs(frame, timestamp_is="end"),
        window=Window.last(14 * 1440, now=now),
        now=int(now.timestamp()) // 60 * 60,
        triggers={trigger.job: trigger for trigger in triggers.triggers},
        invocations=parse_invocations(check_frame(function_metrics)),
    )
    return {report.name: report for report in reports}


def rows(window: Window) -> set[tuple[object, ...]]:
    frame = make_source().pull(window).frame
    return set(
        zip(epoch_s(frame), *(frame[name] for name in ("target_group", "fleet", "metric", "value")), strict=True)
    )


@given(st.integers(0, 50 * 1440), st.lists(st.integers(1, 400), min_size=2, max_size=3))
@settings(max_examples=15)
def test_runs_do_not_depend_on_the_requested_window(start: int, lengths: list[int]) -> None:
    first = int(ANCHOR.timestamp()) - (60 * 1440 - start) * 60
    parts, start_s = set[tuple[object, ...]](), first
    for length in lengths:
        parts |= rows(Window(start_s, start_s + length * 60))
        start_s += length * 60
    assert rows(Window(first, start_s)) == parts


@pytest.mark.parametrize("hour", [0, 6, 18, 23])  # at 18 the cleanup is due
def test_jobs_in_every_state(hour: int) -> None:
    anchor = ANCHOR.replace(hour=hour)
    reports = reports_at(anchor + timedelta(minutes=17, seconds=20), anchor)
    assert {name: report.state for name, report in reports.items()} == {
        "cleanup": "failed",
        "rankings": "slow",
        "newsletter": "paused",
        "digest": "ok",
        "export": "ok",
        "invoices": "ok",
        "thumbnails": "ok",
    }
    assert {status for report in reports.values() for status in RUN_STATUSES if report.count(status)} >= {
        "failed",
        "missed",
        "slow",
        "paused",
    }
    assert (reports["invoices"].count("missed"), reports["thumbnails"].count("failed")) == (1, 1)
    assert reports["export"].scheduler == "baseline" and reports["export"].job is None
    assert sum(report.both_active is not None for report in reports.values()) >= 2, "both schedulers reported"


def test_digest_and_its_retries_died_silently_once() -> None:
    reports = reports_at()
    (failed,) = [run for run in reports["digest"].scheduled_runs if run.status == "failed"]
    assert [run.was_reported for run in failed.runs] == [False] * 3
    assert {
        name: report.invocation_totals.silent_failures
        for name, report in reports.items()
        if report.invocation_totals and report.invocation_totals.silent_failures
    } == {"digest": 3}
    cleanup = reports["cleanup"].invocation_totals
    assert cleanup and (cleanup.errors, cleanup.silent_failures) == (1, 0), "it posted its failure"
    assert reports["export"].invocation_totals is None


def test_runs_follow_the_clock() -> None:
    later = reports_at(NOW + timedelta(days=1))
    assert (later["cleanup"].state, later["rankings"].state) == ("ok", "ok")
    frame = make_source().pull(Window.last(60, now=NOW + timedelta(minutes=30))).frame
    assert int(epoch_s(frame).max()) < int(NOW.timestamp()), "no runs in the future"


def test_runs_follow_their_schedules() -> None:
    for job in DEMO_JOBS:
        if job.expression:
            parse_schedule(job.expression)
    assert all(report.count("late") == 0 and report.count("unknown") == 0 for report in reports_at().values())


def test_only_the_given_series() -> None:
    series = make_source().series()[0]
    assert isinstance(series, Series)
    pull = make_source().pull(Window.last(120, now=NOW), [series])
    assert pull.answered_ranges[0].series == frozenset({series})
    assert set(pull.frame["target_group"]) <= {series.target_group}
