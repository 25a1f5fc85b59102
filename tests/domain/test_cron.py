"""Parsing of EventBridge schedule expressions, valid and invalid by its documentation."""

import pytest

from domain.cron import Cron, DayRule, Rate, ScheduleError, parse_schedule


def cron(fields: str) -> Cron:
    schedule = parse_schedule(f"cron({fields})")
    assert isinstance(schedule, Cron)
    return schedule


@pytest.mark.parametrize(
    ("text", "every_s"),
    [
        ("rate(1 minute)", 60),
        ("rate(5 minutes)", 300),
        ("rate(1 hour)", 3600),
        ("rate(12 hours)", 43_200),
        ("rate(1 day)", 86_400),
        ("rate(7 days)", 604_800),
        (" rate( 5  minutes ) ", 300),
    ],
)
def test_rates(text: str, every_s: int) -> None:
    schedule = parse_schedule(text)
    assert isinstance(schedule, Rate) and schedule.interval_s == every_s


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("rate(1 minutes)", "rate(1 minute)"),
        ("rate(1 days)", "rate(1 day)"),
        ("rate(5 minute)", "rate(5 minutes)"),
        ("rate(2 hour)", "rate(2 hours)"),
        ("rate(10 secs)", "rate(10 minutes)"),
    ],
)
def test_rate_units_agree_with_the_number(text: str, valid: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse_schedule(text)
    assert (caught.value.code, caught.value.params["right"]) == ("rate_unit", valid)
    assert isinstance(parse_schedule(valid), Rate)


def test_steps_begin_at_the_start() -> None:
    schedule = cron("1/10 8-17/3 ? * 2-6 *")  # AWS: the 11th, 21st and 31st minute, and so on
    assert schedule.minutes == (1, 11, 21, 31, 41, 51)
    assert schedule.hours == (8, 11, 14, 17)
    assert schedule.days == DayRule(weekdays=frozenset({2, 3, 4, 5, 6}))
    assert cron("*/20 * * * ? *").minutes == (0, 20, 40)


def test_names_are_case_insensitive_and_sunday_is_1() -> None:
    assert cron("0 0 ? jan,Mar SUN 2026").months == (1, 3)
    assert cron("0 0 ? * SUN *").days == cron("0 0 ? * 1 *").days == DayRule(weekdays=frozenset({1}))
    assert cron("0 0 ? * FRI-MON *").days == DayRule(weekdays=frozenset({6, 7, 1, 2}))
    assert cron("0 0 ? * L *").days == DayRule(weekdays=frozenset({7}))
    assert cron("0 22-2 * * ? *").hours == (0, 1, 2, 22, 23)


@pytest.mark.parametrize(
    ("fields", "year", "month", "days"),
    [
        ("0 0 L * ? *", 2024, 2, [29]),
        ("0 0 L * ? *", 2026, 2, [28]),
        ("0 0 31 * ? *", 2026, 4, []),
        ("0 0 3W * ? *", 2026, 10, [2]),  # a Saturday
        ("0 0 4W * ? *", 2026, 10, [5]),  # a Sunday
        ("0 0 1W * ? *", 2026, 8, [3]),  # the 1st is a Saturday, but not into July
        ("0 0 31W * ? *", 2026, 5, [29]),  # the 31st is a Sunday, but not into June
        ("0 0 31W * ? *", 2026, 4, []),
        ("0 0 LW * ? *", 2026, 5, [29]),
        ("0 0 ? * 6L *", 2026, 11, [27]),  # the last Friday
        ("0 0 ? * FRIL *", 2026, 11, [27]),
        ("0 0 ? * 3#2 *", 2026, 11, [10]),  # AWS: the second Tuesday
        ("0 0 ? * TUE#2 *", 2026, 11, [10]),
        ("0 0 ? * 1#5 *", 2026, 11, [29]),
        ("0 0 ? * 2#5 *", 2026, 10, []),
        ("0 0 1,15 * ? *", 2026, 11, [1, 15]),
    ],
)
def test_days_of_a_month(fields: str, year: int, month: int, days: list[int]) -> None:
    assert cron(fields).days.in_month(year, month) == days


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "not_a_schedule"),
        ("every day", "not_a_schedule"),
        ("0 18 * * 1-5", "not_a_schedule"),
        ("at(2026-11-20T13:00:00)", "not_a_schedule"),
        ("rate(5)", "not_a_schedule"),
        ("rate(-5 minutes)", "not_a_schedule"),
        ("rate(0 minutes)", "rate_of_nothing"),
        ("cron(0 18 * * ?)", "cron_fields"),
        ("cron(0 0 18 * * ? *)", "cron_fields"),
        ("cron(0 18 * * * *)", "cron_days"),
        ("cron(0 18 ? * ? *)", "cron_days"),
        ("cron(0 18 1 * MON *)", "cron_days"),
        ("cron(60 18 * * ? *)", "cron_field"),
        ("cron(0 18 0 * ? *)", "cron_field"),
        ("cron(0 18 ? * 0 *)", "cron_field"),
        ("cron(0 18 ? * 8 *)", "cron_field"),
        ("cron(0 18 ? * 3#6 *)", "cron_field"),
        ("cron(0 18 ? * 3#1,6#3 *)", "cron_field"),  # AWS: only one # in the field
        ("cron(0 18 1W,15W * ? *)", "cron_field"),
        ("cron(0/0 18 * * ? *)", "cron_field"),
        ("cron(0, 18 * * ? *)", "cron_field"),
        ("cron(0 18 * FEBR ? *)", "cron_field"),
        ("cron(0 18 * * ? 2026-2025)", "cron_field"),
        ("cron(0 18 * * ? 2200)", "cron_field"),
    ],
)
def test_invalid_expressions(text: str, code: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse_schedule(text)
    assert caught.value.code == code
