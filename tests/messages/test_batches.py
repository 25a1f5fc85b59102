"""Messages for batches: schedules, the headline, durations and runs."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

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
        ("cron(30 7 * * ? *)", "Daily 07:30 UTC"),
        ("cron(0 6,18 * * ? *)", "Daily 06:00, 18:00 UTC"),
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
    assert schedules.format_schedule(parse_schedule(text), "UTC", UTC, now=NOW) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cron(0 18 * * ? *)", "Daily 03:00 JST (18:00 UTC)"),
        ("cron(0 6,18 * * ? *)", "Daily 03:00, 15:00 JST (06:00, 18:00 UTC)"),
        ("cron(0 18 ? * MON-FRI *)", "Tue–Sat 03:00 JST (Mon–Fri 18:00 UTC)"),
        ("cron(0 6,18 ? * MON-FRI *)", "Mon–Fri 06:00, 18:00 UTC"),
        ("cron(0 18 1 * ? *)", "day 1 of the month 18:00 UTC"),
        ("cron(0/15 * * * ? *)", "every 15 min UTC"),
    ],
)
def test_schedules_of_another_zone(text: str, expected: str) -> None:
    assert schedules.format_schedule(parse_schedule(text), "UTC", ZoneInfo("Asia/Tokyo"), now=NOW) == expected


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ({}, "No job has reported yet."),
        ({"ok": ["a"]}, "The job ran as scheduled"),
        ({"ok": list("abcdefg")}, "All 7 jobs ran as scheduled"),
        ({"slow": ["a"], "ok": list("bcdefg")}, "All 7 jobs ran as scheduled · slow: a"),
        (
            {"failed": ["a"], "missed": ["b", "c"], "ok": ["d"]},
            "1 of 4 jobs failed: a · missed: b, c",
        ),
        (
            {"failed": ["a"], "slow": ["b", "c"], "ok": ["d"]},
            "1 of 4 jobs failed: a · slow: b, c",
        ),
        ({"unknown": ["a", "b"]}, "Unknown: runs could not be read."),
        ({"failed": list("abcde"), "ok": ["f"]}, "5 of 6 jobs failed: a, b, c, +2"),
        ({"paused": ["a"], "ok": ["b"]}, "1 of 2 jobs ran as scheduled · paused: a"),
    ],
)
def test_headline(jobs: dict[str, list[str]], expected: str) -> None:
    assert batches.headline(jobs) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ({"ok": ["b"]}, "The job ran · no schedule: b"),
        ({"ok": ["b", "c"]}, "All 2 jobs ran · no schedule: b, c"),
        ({"slow": ["c"]}, "The job ran · slow: c · no schedule: c"),
        ({"ok": ["a", "b"]}, "1 of 2 jobs ran as scheduled · no schedule: b"),
        (
            {"slow": ["a", "c"], "ok": ["b"]},
            "1 of 3 jobs ran as scheduled · slow: a, c · no schedule: b, c",
        ),
        ({"failed": ["b"], "ok": ["a"]}, "1 of 2 jobs failed: b"),
    ],
)
def test_a_job_without_a_schedule_did_not_run_as_scheduled(jobs: dict[str, list[str]], expected: str) -> None:
    assert batches.headline(jobs, {"b", "c"}) == expected  # type: ignore[arg-type]
    assert "no schedule" in batches.explain("ok", None, scheduled=False) != batches.explain("ok", None, scheduled=True)


def test_durations() -> None:
    assert [batches.run_duration(value) for value in (None, 0.25, 7.1, 59.94, 293, 3900)] == [
        "–", "0.2s", "7.1s", "1m 00s", "4m 53s", "1h 05m",
    ]  # fmt: skip
    assert batches.typical_duration(TypicalDuration(9, 60, 50, 75)) == "Typical 50s–1m 15s (p10–p90)"
    assert batches.typical_duration(None) == "Too few runs for a baseline"


def test_scheduled_runs() -> None:
    run = Run(NOON, NOON + 60, NOON + 60, 61.5, "failed")
    assert batches.scheduled_run(ScheduledRun(NOON, "failed", (run,)), UTC, NOW) == "12:00 UTC: failed · failed, 1m 02s"
    assert batches.scheduled_run(ScheduledRun(NOON, "missed"), UTC, NOW) == "12:00 UTC: missed · no metric"
    assert (
        batches.in_window("last 14d", {"failed": 1, "missed": 2, "ok": 9}) == "Last 14d: 10 runs, 1 failed, 2 missed."
    )
