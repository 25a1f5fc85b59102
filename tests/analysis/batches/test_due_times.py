"""Scheduled times of cron expressions: AWS's examples, time zones, and daylight saving time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.batches.due_times import last_scheduled_time, next_scheduled_time, scheduled_times
from domain import Window
from domain.cron import Cron, parse_schedule

NEW_YORK = ZoneInfo("America/New_York")
TOKYO = ZoneInfo("Asia/Tokyo")


def cron(text: str) -> Cron:
    schedule = parse_schedule(text)
    assert isinstance(schedule, Cron)
    return schedule


def local_times(text: str, start: str, end: str, zone: ZoneInfo | None = None) -> list[str]:
    """The scheduled times between two dates in `zone`, by its wall clock."""
    clock = zone or UTC
    first, last = (datetime.fromisoformat(day).replace(tzinfo=clock) for day in (start, end))
    return [
        f"{datetime.fromtimestamp(at, clock):%m-%d %H:%M%z}"
        for at in scheduled_times(cron(text), clock, Window.between(first, last))
    ]


@pytest.mark.parametrize(
    ("text", "first", "second"),  # from 1 November 2026, a Sunday, on
    [
        ("cron(0 10 * * ? *)", "2026-11-01 10:00", "2026-11-02 10:00"),
        ("cron(15 12 * * ? *)", "2026-11-01 12:15", "2026-11-02 12:15"),
        ("cron(0 18 ? * MON-FRI *)", "2026-11-02 18:00", "2026-11-03 18:00"),
        ("cron(0 8 1 * ? *)", "2026-11-01 08:00", "2026-12-01 08:00"),
        ("cron(0/15 * * * ? *)", "2026-11-01 00:15", "2026-11-01 00:30"),
        ("cron(0/10 * ? * MON-FRI *)", "2026-11-02 00:00", "2026-11-02 00:10"),
        ("cron(0/5 8-17 ? * MON-FRI *)", "2026-11-02 08:00", "2026-11-02 08:05"),
        ("cron(0/30 20-2 ? * MON-FRI *)", "2026-11-02 00:00", "2026-11-02 00:30"),
        ("cron(15 10 ? * 6L 2026-2027)", "2026-11-27 10:15", "2026-12-25 10:15"),
        ("cron(0 9 ? * 2#1 *)", "2026-11-02 09:00", "2026-12-07 09:00"),
    ],
)
def test_the_documented_examples(text: str, first: str, second: str) -> None:
    at = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
    times = []
    for _ in range(2):
        at = next_scheduled_time(cron(text), UTC, at) or 0
        times.append(f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}")
    assert times == [first, second]


def test_times_follow_the_zones_clock() -> None:
    assert local_times("cron(30 7 * * ? *)", "2026-11-23", "2026-11-25", TOKYO) == [
        "11-23 07:30+0900",
        "11-24 07:30+0900",
    ]
    window = Window.between(datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC))
    assert scheduled_times(cron("cron(30 7 * * ? *)"), TOKYO, window) == (
        int(datetime(2026, 11, 23, 22, 30, tzinfo=UTC).timestamp()),
    )


def test_the_skipped_hour_in_spring_has_no_run() -> None:
    assert local_times("cron(30 2 * * ? *)", "2026-03-07", "2026-03-10", NEW_YORK) == [
        "03-07 02:30-0500",
        "03-09 02:30-0400",
    ]
    assert local_times("cron(0 0-4 * * ? *)", "2026-03-08", "2026-03-09", NEW_YORK) == [
        "03-08 00:00-0500", "03-08 01:00-0500", "03-08 03:00-0400", "03-08 04:00-0400",
    ]  # fmt: skip


def test_the_repeated_hour_in_autumn_has_one_run() -> None:
    assert local_times("cron(30 1 * * ? *)", "2026-10-31", "2026-11-03", NEW_YORK) == [
        "10-31 01:30-0400", "11-01 01:30-0400", "11-02 01:30-0500",
    ]  # fmt: skip
    assert local_times("cron(0 0-3 * * ? *)", "2026-11-01", "2026-11-02", NEW_YORK) == [
        "11-01 00:00-0400", "11-01 01:00-0400", "11-01 02:00-0500", "11-01 03:00-0500",
    ]  # fmt: skip


def test_the_second_occurrence_of_a_repeated_hour_has_no_run() -> None:
    """01:30 on 1 November 2026 is at 05:30 UTC (EDT) and at 06:30 UTC (EST)."""
    first, second = (int(datetime(2026, 11, 1, hour, 30, tzinfo=UTC).timestamp()) for hour in (5, 6))
    half_past_one = cron("cron(30 1 * * ? *)")
    assert scheduled_times(half_past_one, NEW_YORK, Window(second - 1800, second + 1800)) == ()
    assert next_scheduled_time(half_past_one, NEW_YORK, first) == second + 86_400
    assert last_scheduled_time(half_past_one, NEW_YORK, second + 1) == first
    every_half_hour = scheduled_times(cron("cron(0/30 1-2 * * ? *)"), NEW_YORK, Window(first - 1800, second + 7200))
    assert every_half_hour == (first - 1800, first, second + 1800, second + 3600)


def test_a_skipped_day_has_no_run() -> None:
    samoa = ZoneInfo("Pacific/Apia")  # went from 29 to 31 December 2011
    assert local_times("cron(0 12 * * ? *)", "2011-12-29", "2012-01-01", samoa) == [
        "12-29 12:00-1000",
        "12-31 12:00+1400",
    ]


def test_a_schedule_without_times_is_none() -> None:
    assert next_scheduled_time(cron("cron(0 0 30 2 ? *)"), UTC, 0) is None
    assert last_scheduled_time(cron("cron(0 0 30 2 ? *)"), UTC, 2**31) is None
    assert next_scheduled_time(cron("cron(0 0 * * ? 2020-2021)"), UTC, 1_790_000_000) is None
    assert next_scheduled_time(cron("cron(0 0 29 2 ? *)"), UTC, 1_790_000_000) == int(
        datetime(2028, 2, 29, tzinfo=UTC).timestamp()
    )


ZONES = st.sampled_from([UTC, TOKYO, NEW_YORK, ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")])
EXPRESSIONS = st.builds(
    "cron({} {} {} *)".format,
    st.sampled_from(["0", "*/20", "7,37", "0/13"]),
    st.sampled_from(["*", "2", "0-4", "1/5", "22-2"]),
    st.sampled_from(["* * ?", "1,15 * ?", "L * ?", "15W * ?", "? * MON-FRI", "? 3,11 1#1", "? * 6L", "LW 1-6 ?"]),
)
STARTS = st.integers(20_000 * 1440, 21_500 * 1440).map(lambda minute: minute * 60)  # from October 2024 to November 2028


@given(EXPRESSIONS, ZONES, STARTS, st.integers(1, 20 * 1440), st.integers(1, 20 * 1440))
@settings(max_examples=60)
def test_two_adjacent_windows_have_the_same_times_as_both(text, zone, start, minutes, more):  # type: ignore[no-untyped-def]
    middle, end = start + minutes * 60, start + (minutes + more) * 60
    schedule = cron(text)
    whole = scheduled_times(schedule, zone, Window(start, end))
    assert whole == scheduled_times(schedule, zone, Window(start, middle)) + scheduled_times(
        schedule, zone, Window(middle, end)
    )
    assert list(whole) == sorted(set(whole))


@given(EXPRESSIONS, ZONES, STARTS)
@settings(max_examples=60)
def test_next_and_last_times_are_neighbours(text, zone, start):  # type: ignore[no-untyped-def]
    schedule = cron(text)
    times = scheduled_times(schedule, zone, Window(start, start + 40 * 86_400))
    assume(times)
    assert next_scheduled_time(schedule, zone, start - 1) == times[0]
    assert last_scheduled_time(schedule, zone, start + 40 * 86_400) == times[-1]
    for earlier, later in pairwise(times[:20]):
        assert (
            next_scheduled_time(schedule, zone, earlier) == later
            and last_scheduled_time(schedule, zone, later) == earlier
        )


@given(EXPRESSIONS, ZONES, STARTS)
@settings(max_examples=60)
def test_every_time_matches_the_fields(text, zone, start):  # type: ignore[no-untyped-def]
    schedule = cron(text)
    for at in scheduled_times(schedule, zone, Window(start, start + 10 * 86_400)):
        local = datetime.fromtimestamp(at, zone)
        assert local.minute in schedule.minutes and local.hour in schedule.hours and local.fold == 0
        assert local.month in schedule.months and local.day in schedule.days.in_month(local.year, local.month)


@given(EXPRESSIONS, STARTS)
@settings(max_examples=40)
def test_in_utc_every_matching_minute_is_scheduled(text, start):  # type: ignore[no-untyped-def]
    schedule, window = cron(text), Window(start, start + 86_400)

    def matches(at: datetime) -> bool:
        of_month = schedule.days.in_month(at.year, at.month)
        return (
            at.minute in schedule.minutes
            and at.hour in schedule.hours
            and at.month in schedule.months
            and at.day in of_month
        )

    minutes = (window.starts_at + timedelta(minutes=minute) for minute in range(window.minutes))
    assert scheduled_times(schedule, UTC, window) == tuple(int(at.timestamp()) for at in minutes if matches(at))
