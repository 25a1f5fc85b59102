"""The demo's batches tell one story, however they are asked, and it has one of everything that can become of a run."""

from datetime import UTC, datetime, timedelta

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


def make_source(now: datetime = NOW) -> DemoBatches:
    return DemoBatches(MIGRATION, anchor=ANCHOR, clock=lambda: now)


def reports_at(now: datetime = NOW) -> dict[str, JobReport]:
    assert MIGRATION.batches
    frame = check_frame(make_source(now).pull(Window.last(30 * 1440, now=now)).frame)
    counted = DemoLambda(anchor=ANCHOR, clock=lambda: now).pull(Window.last(30 * 1440, now=now)).frame
    starters = DemoTriggers(clock=lambda: now).snapshot().triggers
    assert starters
    found = job_reports(
        MIGRATION.batches,
        parse_runs(frame, timestamp_is="end"),
        window=Window.last(14 * 1440, now=now),
        now=int(now.timestamp()) // 60 * 60,
        triggers={one.job: one for one in starters.triggers},
        invocations=parse_invocations(check_frame(counted)),
    )
    return {one.name: one for one in found}


def rows(window: Window) -> set[tuple[object, ...]]:
    frame = make_source().pull(window).frame
    return set(
        zip(epoch_s(frame), *(frame[name] for name in ("target_group", "fleet", "metric", "value")), strict=True)
    )


@given(st.integers(0, 50 * 1440), st.lists(st.integers(1, 400), min_size=2, max_size=3))
@settings(max_examples=15)
def test_the_same_minutes_are_the_same_runs_in_whatever_pieces(start: int, lengths: list[int]) -> None:
    first = int(ANCHOR.timestamp()) - (60 * 1440 - start) * 60
    pieces, at = set[tuple[object, ...]](), first
    for length in lengths:
        pieces |= rows(Window(at, at + length * 60))
        at += length * 60
    assert rows(Window(first, at)) == pieces


def test_the_story_has_one_of_everything() -> None:
    found = reports_at()
    assert {name: one.state for name, one in found.items()} == {
        "cleanup": "failed",
        "rankings": "slow",
        "newsletter": "paused",
        "digest": "ok",
        "export": "ok",
        "invoices": "ok",
        "thumbnails": "ok",
    }
    assert {mark for one in found.values() for mark in RUN_STATUSES if one.count(mark)} >= {
        "failed",
        "missed",
        "slow",
        "paused",
    }
    assert (found["invoices"].count("missed"), found["thumbnails"].count("failed")) == (1, 1)
    assert found["export"].scheduler == "baseline" and found["export"].job is None
    assert sum(one.both_active is not None for one in found.values()) >= 2, "both eras reported"


def test_one_morning_the_digest_died_and_so_did_its_repetitions() -> None:
    found = reports_at()
    (died,) = [slot for slot in found["digest"].scheduled_runs if slot.status == "failed"]
    assert [run.was_reported for run in died.runs] == [False] * 3
    assert {
        name: one.invocation_totals.silent_failures
        for name, one in found.items()
        if one.invocation_totals and one.invocation_totals.silent_failures
    } == {"digest": 3}
    cleanup = found["cleanup"].invocation_totals
    assert cleanup and (cleanup.errors, cleanup.silent_failures) == (1, 0), "it posted its failure"
    assert found["export"].invocation_totals is None


def test_it_moves_with_the_clock() -> None:
    later = reports_at(NOW + timedelta(days=1))
    assert (later["cleanup"].state, later["rankings"].state) == ("ok", "ok")
    frame = make_source().pull(Window.last(60, now=NOW + timedelta(minutes=30))).frame
    assert int(epoch_s(frame).max()) < int(NOW.timestamp()), "nothing of the future is told"


def test_the_jobs_are_due_as_their_schedules_say() -> None:
    for job in DEMO_JOBS:
        if job.expression:
            parse_schedule(job.expression)
    assert all(one.count("late") == 0 and one.count("unknown") == 0 for one in reports_at().values())


def test_a_source_may_be_asked_for_some_series_only() -> None:
    one = make_source().series()[0]
    assert isinstance(one, Series)
    pull = make_source().pull(Window.last(120, now=NOW), [one])
    assert pull.answered_ranges[0].series == frozenset({one})
    assert set(pull.frame["target_group"]) <= {one.target_group}
