"""Due times that ran under both schedulers, under neither, or twice under EventBridge, from short literal histories."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from analysis.batches.commands import comment_out_cron, disable_trigger
from analysis.batches.handover import Handover, HandoverKind, Slot, find_handover
from analysis.batches.invocations import InvocationPeriod
from analysis.batches.runs import Run, RunResult
from domain import Window
from domain.config.batches import SchedulerKind
from domain.cron import parse_schedule
from domain.run_steps import RunStep
from domain.triggers import Trigger

DAY = int(datetime(2026, 11, 16, tzinfo=UTC).timestamp())
WINDOW = Window(DAY, DAY + 10 * 86_400)
DAILY, RATE = parse_schedule("cron(0 3 * * ? *)"), parse_schedule("rate(5 minutes)")


def run(minute: float, result: RunResult = "ok", *, was_reported: bool = True) -> Run:
    """A run of one minute that began `minute` minutes after DAY."""
    start = DAY + round(minute * 60)
    return Run(start, start + 60, start + 60, 60.0, result, was_reported=was_reported)


def at_three(*days: int, offset: float = 0, result: RunResult = "ok") -> tuple[Run, ...]:
    return tuple(run(day * 1440 + 180 + offset, result) for day in days)


def handover(
    by_cron: Sequence[Run],
    by_eventbridge: Sequence[Run],
    schedule: str = "cron(0 3 * * ? *)",
    *,
    unknown: Sequence[int] = (),
    invocations: Sequence[InvocationPeriod] = (),
) -> Handover | None:
    """`unknown`: due times of which the runs are not known."""
    return find_handover(
        {"baseline": by_cron, "canary": by_eventbridge},
        parse_schedule(schedule) if schedule else None,
        ZoneInfo("UTC"),
        window=WINDOW,
        grace_s=600,
        was_missed=lambda at: at not in unknown,
        invocations=invocations,
    )


def due(result: Handover | None, kind: HandoverKind) -> list[float]:
    """Minutes after DAY."""
    assert result
    return [(slot.due_at - DAY) / 60 for slot in result.slots.get(kind, ())]


def test_due_times_that_both_ran_have_the_runs_of_both() -> None:
    result = handover(at_three(0, 1, 2), at_three(1, 2, 3, 4))
    assert result
    assert due(result, "both") == [1620, 3060]
    assert result.slots["both"][0].by_cron == at_three(1)
    assert result.slots["both"][0].by_eventbridge == at_three(1)
    assert (result.kinds, result.runs_twice) == (("both",), False)


@pytest.mark.parametrize(("cron_days", "runs_twice"), [((1, 2, 3, 4), True), ((1, 2, 3), True), ((1, 2), False)])
def test_a_job_runs_twice_while_cron_ran_at_one_of_the_last_two_runs_of_eventbridge(
    cron_days: tuple[int, ...], runs_twice: bool
) -> None:
    result = handover(at_three(*cron_days), at_three(1, 2, 3, 4))
    assert result
    assert result.runs_twice is runs_twice


def test_a_cron_that_runs_some_minutes_before_the_due_time_ran_the_same_one() -> None:
    assert due(handover(at_three(1, 2, offset=-9), at_three(1, 2)), "both") == [1620, 3060]
    assert due(handover(at_three(1, offset=-11), at_three(1)), "both") == []


def test_a_due_time_with_neither_counts_between_the_schedulers_only() -> None:
    # Cron ended on day 2, EventBridge began on day 5 and missed day 7; cron missed day 1.
    by_cron, by_eventbridge = at_three(0, 2), at_three(5, 6, 8)
    assert due(handover(by_cron, by_eventbridge), "neither") == [3 * 1440 + 180, 4 * 1440 + 180]
    unknown = (DAY + 3 * 86_400 + 3 * 3600,)
    assert due(handover(by_cron, by_eventbridge, unknown=unknown), "neither") == [4 * 1440 + 180]


def test_a_due_time_with_neither_during_the_parallel_run() -> None:
    assert due(handover(at_three(0, 1, 2, 4), at_three(1, 2, 4)), "neither") == [3 * 1440 + 180]


def test_a_retry_after_a_failure_is_not_a_double_run() -> None:
    failed_then_ok = (*at_three(1, result="failed"), *at_three(1, offset=1))
    result = handover((), failed_then_ok)
    assert (due(result, "retried"), due(result, "repeated"), due(result, "both")) == ([1620], [], [])


def test_a_retry_by_lambdas_own_count_of_errors() -> None:
    twice = (*at_three(1), *at_three(1, offset=2))
    error = InvocationPeriod(DAY + 1620 * 60, 60, invocations=1, errors=1)
    assert due(handover((), twice), "repeated") == [1620]
    assert due(handover((), twice, invocations=(error,)), "retried") == [1620]
    an_hour_of_errors = InvocationPeriod(DAY + 1620 * 60, 3600, invocations=1, errors=1)
    assert due(handover((), twice, invocations=(an_hour_of_errors,)), "repeated") == [1620]
    later = InvocationPeriod(DAY + 1622 * 60, 60, invocations=1, errors=1)  # of the repetition itself
    assert due(handover((), twice, invocations=(later,)), "repeated") == [1620]


def test_a_rate_pairs_the_nearest_runs_whatever_their_phase() -> None:
    by_cron = [run(minute) for minute in (0, 5, 10, 15)]
    by_eventbridge = [run(minute) for minute in (12, 17, 22, 23, 27)]
    result = handover(by_cron, by_eventbridge, "rate(5 minutes)")
    assert (due(result, "both"), due(result, "repeated"), due(result, "neither")) == ([12, 17], [22], [])


def test_a_rate_with_a_gap_between_the_schedulers() -> None:
    result = handover([run(0), run(5)], [run(20), run(25)], "rate(5 minutes)")
    assert due(result, "neither") == [10, 15]


@pytest.mark.parametrize(
    ("schedule", "by_eventbridge"), [("", at_three(1)), ("rate(1 minute)", at_three(1)), ("cron(0 3 * * ? *)", ())]
)
def test_without_due_times_or_eventbridge_nothing_is_known(schedule: str, by_eventbridge: tuple[Run, ...]) -> None:
    assert handover(at_three(1), by_eventbridge, schedule) is None


def test_due_times_outside_of_the_window_are_not_findings() -> None:
    assert due(handover(at_three(-1, 11), at_three(-1, 11)), "both") == []


FIRST, SECOND, THIRD = run(1620), run(1622), run(1624)


def logged(of: Run, request: str, event: str = "", *, at_s: int = 30, scheduler: SchedulerKind = "canary") -> RunStep:
    """A step that a run logged `at_s` after its start."""
    return RunStep(f"{scheduler}{of.started_at}", "a", scheduler, of.started_at + at_s, request, event)


@pytest.mark.parametrize(
    ("runs", "steps", "kind"),
    [
        # Lambda keeps the request ID in its retries, and the event.
        ((FIRST, SECOND), (logged(FIRST, "r-1"), logged(SECOND, "r-1")), "retried"),
        ((FIRST, SECOND), (logged(FIRST, "r-1", "e-1"), logged(SECOND, "r-1", "e-1")), "retried"),
        # A second delivery of the event is another request, whether or not one of them is retried, too.
        ((FIRST, SECOND), (logged(FIRST, "r-1", "e-1"), logged(SECOND, "r-2", "e-1")), "redelivered"),
        (
            (FIRST, SECOND, THIRD),
            (logged(FIRST, "r-1", "e-1"), logged(SECOND, "r-1", "e-1"), logged(THIRD, "r-2", "e-1")),
            "redelivered",
        ),
        # Started by hand, or by another rule.
        ((FIRST, SECOND), (logged(FIRST, "r-1", "e-1"), logged(SECOND, "r-2", "e-2")), "repeated"),
        ((FIRST, SECOND), (logged(FIRST, "r-1"), logged(SECOND, "r-2")), "repeated"),
        # One of the two logged nothing, or no request ID.
        ((FIRST, SECOND), (logged(FIRST, "r-1"),), "repeated"),
        ((FIRST, SECOND), (logged(SECOND, "r-1"),), "repeated"),
        ((FIRST, SECOND), (logged(FIRST, "r-1", "e-1"),), "repeated"),
        ((FIRST, SECOND), (logged(FIRST, "r-1", "e-1"), logged(SECOND, "", "e-1")), "repeated"),
        ((FIRST, SECOND), (logged(FIRST, "r-1", "e-1"), logged(SECOND, "r-2")), "repeated"),
        ((FIRST, SECOND, THIRD), (logged(FIRST, "r-1"), logged(SECOND, "r-1")), "repeated"),
        # Between both runs, nearer to the first: the second one logged nothing.
        ((FIRST, SECOND), (logged(FIRST, "r-1"), logged(FIRST, "r-1", at_s=85)), "repeated"),
        # The log of cron is none of EventBridge's.
        ((FIRST, SECOND), (logged(FIRST, "r-1"), logged(SECOND, "r-1", scheduler="baseline")), "repeated"),
        ((FIRST, SECOND), (), "repeated"),
    ],
)
def test_runs_again_are_told_apart_by_the_ids_that_they_logged(
    runs: tuple[Run, ...], steps: tuple[RunStep, ...], kind: HandoverKind
) -> None:
    result = handover((), runs)
    assert result and result.kinds == ("repeated",)
    assert result.with_requests(steps).kinds == (kind,)


def test_an_error_before_a_second_delivery_does_not_make_it_a_retry() -> None:
    failed = run(1620, "failed")
    result = handover((), (failed, SECOND))
    assert result and result.kinds == ("retried",)
    assert result.with_requests([logged(failed, "r-1", "e-1"), logged(SECOND, "r-2", "e-1")]).kinds == ("redelivered",)
    assert result.with_requests([logged(failed, "r-1")]).kinds == ("retried",)


def test_a_second_delivery_beside_cron_is_both_findings() -> None:
    result = handover(at_three(1), (FIRST, SECOND))
    assert result
    found = result.with_requests([logged(FIRST, "r-1", "e-1"), logged(SECOND, "r-2", "e-1")])
    assert found.kinds == ("both", "redelivered")
    assert found.runs_twice
    assert found.slots["redelivered"] == (Slot(FIRST.started_at, at_three(1), (FIRST, SECOND)),)


def test_a_second_delivery_alone_is_no_job_that_runs_twice() -> None:
    result = handover((), (FIRST, SECOND))
    assert result
    assert not result.with_requests([logged(FIRST, "r-1", "e-1"), logged(SECOND, "r-2", "e-1")]).runs_twice


def test_the_commands_that_end_a_double_run() -> None:
    assert comment_out_cron("clean.up") == r"crontab -l | sed '/\bclean\.up\b/s/^[^#]/#&/' | crontab -"
    rule = Trigger("cleanup", "rule", "photo-cleanup", "cron(0 3 * * ? *)", "UTC", enabled=True)
    assert disable_trigger(rule, "ap-northeast-1") == (
        "aws events disable-rule --region ap-northeast-1 --name photo-cleanup"
    )
    schedule = Trigger("digest", "scheduler", "photo/digest", "cron(0 3 * * ? *)", "Asia/Tokyo", enabled=True)
    assert disable_trigger(schedule, "") == (
        "aws scheduler get-schedule --group-name photo --name digest \\\n"
        """  | jq 'del(.Arn, .CreationDate, .LastModificationDate) | .State = "DISABLED"' > digest.json \\\n"""
        "  && aws scheduler update-schedule --cli-input-json file://digest.json"
    )
