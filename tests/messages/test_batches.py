"""Messages for batches: schedules, the headline, durations and runs."""

from datetime import UTC, datetime

import pytest

from analysis.batches.jobs import ScheduledRun
from analysis.batches.runs import Run, TypicalDuration
from domain.cron import parse_schedule
from messages import batches, schedules

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOON = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rate(5 minutes)", "every 5 min"),
        ("rate(1 day)", "every 1d"),
        ("cron(0 18 ? * MON-FRI *)", "Mon–Fri 18:00 UTC"),
        ("cron(30 7 * * ? *)", "every day 07:30 UTC"),
        ("cron(0 6,18 * * ? *)", "every day 06:00, 18:00 UTC"),
        ("cron(5 * * * ? *)", "every hour at :05 UTC"),
        ("cron(0/15 * * * ? *)", "every 15 min UTC"),
        ("cron(0/10 8-17 ? * MON,WED *)", "Mon, Wed 08:00–17:50 every 10 min UTC"),
        ("cron(0 3 1 * ? *)", "day 1 of the month 03:00 UTC"),
        ("cron(0 3 L * ? *)", "last day of the month 03:00 UTC"),
        ("cron(15 10 ? * 6L *)", "last Fri of the month 10:15 UTC"),
        ("cron(0 9 ? * 3#2 *)", "second Tue of the month 09:00 UTC"),
        ("cron(0 9 15W * ? *)", "weekday nearest to day 15 09:00 UTC"),
        ("cron(0 9 1 JAN,JUL ? *)", "day 1 of the month in Jan, Jul 09:00 UTC"),
        ("cron(1,2,7,9,30 * * * ? *)", "cron(1,2,7,9,30 * * * ? *) UTC"),
        ("cron(0 9 * * ? 2026)", "cron(0 9 * * ? 2026) UTC"),
    ],
)
def test_schedules_in_words(text: str, expected: str) -> None:
    assert schedules.format_schedule(parse_schedule(text), "UTC") == expected


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ({}, "No job has reported yet."),
        ({"ok": ["a"]}, "The job ran as scheduled."),
        ({"ok": list("abcdefg")}, "All 7 jobs ran as scheduled."),
        ({"slow": ["a"], "ok": list("bcdefg")}, "All 7 jobs ran as scheduled, a slowly."),
        (
            {"failed": ["a"], "missed": ["b", "c"], "ok": ["d"]},
            "1 of 4 jobs ran as scheduled; a failed, 2 missed a run.",
        ),
        (
            {"failed": ["a"], "slow": ["b", "c"], "ok": ["d"]},
            "3 of 4 jobs ran as scheduled, 2 of them slowly; a failed.",
        ),
        ({"unknown": ["a", "b"]}, "Unknown: runs could not be read."),
        ({"paused": ["a"], "ok": ["b"]}, "1 of 2 jobs ran as scheduled; a is paused."),
    ],
)
def test_headline(jobs: dict[str, list[str]], expected: str) -> None:
    assert batches.headline(jobs) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ({"ok": ["b"]}, "The job ran; it has no schedule."),
        ({"ok": ["b", "c"]}, "All 2 jobs ran; none has a schedule."),
        ({"slow": ["c"]}, "0 of 1 jobs ran as scheduled; c ran slowly and has no schedule."),
        ({"ok": ["a", "b"]}, "1 of 2 jobs ran as scheduled; b ran and has no schedule."),
        (
            {"slow": ["a", "c"], "ok": ["b"]},
            "1 of 3 jobs ran as scheduled, a slowly; c ran slowly and has no schedule, b ran and has no schedule.",
        ),
        ({"failed": ["b"], "ok": ["a"]}, "1 of 2 jobs ran as scheduled; b failed."),
    ],
)
def test_a_job_without_a_schedule_did_not_run_as_scheduled(jobs: dict[str, list[str]], expected: str) -> None:
    assert batches.headline(jobs, {"b", "c"}) == expected  # type: ignore[arg-type]
    assert "was due" in batches.explain("ok", None, scheduled=False) != batches.explain("ok", None, scheduled=True)


def test_durations() -> None:
    assert [batches.run_duration(value) for value in (None, 0.25, 7.1, 59.94, 293, 3900)] == [
        "–", "0.2s", "7.1s", "1m 00s", "4m 53s", "1h 05m",
    ]  # fmt: skip
    assert batches.typical_duration(TypicalDuration(9, 60, 50, 75)) == "Typical 50s–1m 15s (p10–p90)"
    assert batches.typical_duration(None) == "Too few runs for a baseline"


def test_scheduled_runs() -> None:
    run = Run(NOON, NOON + 60, NOON + 60, 61.5, "failed")
    assert batches.scheduled_run(ScheduledRun(NOON, "failed", (run,)), UTC, NOW) == "12:00 UTC: failed · failed, 1m 02s"
    assert batches.scheduled_run(ScheduledRun(NOON, "missed"), UTC, NOW) == "12:00 UTC: missed · nothing was reported"
    assert (
        batches.in_window("last 14d", {"failed": 1, "missed": 2, "ok": 9}) == "Last 14d: 10 runs, 1 failed, 2 missed."
    )
