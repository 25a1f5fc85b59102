"""Schedules as EventBridge writes them, `cron(0 18 ? * MON-FRI *)` and `rate(5 minutes)`, read into values. When they fall due: analysis.batches.due_times.

The grammar is AWS's own: docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html and
docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html. Six fields, Sunday is day 1, and either the day of the month or the day of
the week is `?`. What AWS does not rule out is read as Quartz reads it, from which the dialect comes: `LW`, and ranges that wrap (FRI-MON).
"""

import calendar
import re
from dataclasses import dataclass
from typing import Literal

ScheduleErrorCode = Literal["not_a_schedule", "rate_of_nothing", "rate_unit", "cron_fields", "cron_days", "cron_field"]
CronField = Literal["minutes", "hours", "day of month", "month", "day of week", "year"]
CRON_FIELDS: tuple[CronField, ...] = ("minutes", "hours", "day of month", "month", "day of week", "year")

_UNITS_S = {"minute": 60, "hour": 3_600, "day": 86_400}
_RANGES: dict[CronField, tuple[int, int]] = {
    "minutes": (0, 59),
    "hours": (0, 23),
    "day of month": (1, 31),
    "month": (1, 12),
    "day of week": (1, 7),
    "year": (1970, 2199),
}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NAMES: dict[CronField, dict[str, int]] = {
    "month": {name: at for at, name in enumerate(_MONTHS, 1)},
    "day of week": {name: at for at, name in enumerate(_DAYS, 1)},
}


class ScheduleError(ValueError):
    """A text that is no schedule: `slug` says why, `particulars` what words need to say it."""

    def __init__(self, code: ScheduleErrorCode, **params: str) -> None:
        super().__init__(f"{code}: {params}")
        self.code, self.params = code, params


@dataclass(frozen=True, slots=True)
class Rate:
    """Every so many seconds, from a moment that the expression does not tell. Days are always 24 hours."""

    text: str
    interval_s: int


@dataclass(frozen=True, slots=True)
class DayRule:
    """Which days of a month. Of the month: `days`, the `last`, the last Monday to Friday (`last_weekday`), the Monday to Friday `nearest` to a day.

    Of the week (1 is Sunday): `weekdays`, the `last_of` each, the `nth` as (weekday, which).
    """

    days: frozenset[int] = frozenset()
    last: bool = False
    last_weekday: bool = False
    nearest: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    last_of: frozenset[int] = frozenset()
    nth: frozenset[tuple[int, int]] = frozenset()

    def in_month(self, year: int, month: int) -> list[int]:
        """The days of one month, in order."""
        first, length = calendar.monthrange(year, month)

        def weekday(day: int) -> int:  # calendar's Monday is 0
            return (first + day) % 7 + 1

        found = {day for day in self.days if day <= length}
        found |= {length} if self.last else set()
        found |= {_nearest_weekday(length, weekday(length), length)} if self.last_weekday else set()
        found |= {_nearest_weekday(day, weekday(day), length) for day in self.nearest if day <= length}
        for day in range(1, length + 1):
            of_week = weekday(day)
            if (
                of_week in self.weekdays
                or (of_week in self.last_of and day + 7 > length)
                or (of_week, (day + 6) // 7) in self.nth
            ):
                found.add(day)
        return sorted(found)


@dataclass(frozen=True, slots=True)
class Cron:
    """At these hours and minutes, on these days of these months and years, by the wall clock of a zone."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: DayRule
    months: tuple[int, ...]
    years: range | tuple[int, ...]


Schedule = Cron | Rate


def parse_schedule(text: str) -> Schedule:
    """The schedule that an expression means. Raises ScheduleError."""
    text = " ".join(text.split())
    if found := re.fullmatch(r"rate\( ?(\d+) (\w+) ?\)", text):
        return _parse_rate(text, int(found[1]), found[2])
    if found := re.fullmatch(r"cron\( ?(.*?) ?\)", text):
        return _parse_cron(text, found[1].upper().split(" "))
    raise ScheduleError("not_a_schedule", given=text)


def _parse_rate(text: str, value: int, unit: str) -> Rate:
    single = unit.removesuffix("s")
    if not value:
        raise ScheduleError("rate_of_nothing", given=text)
    right = single if value == 1 else f"{single}s"
    if single not in _UNITS_S or unit != right:
        right = right if single in _UNITS_S else "minute" if value == 1 else "minutes"
        raise ScheduleError("rate_unit", given=text, right=f"rate({value} {right})")
    return Rate(text, value * _UNITS_S[single])


def _parse_cron(text: str, fields: list[str]) -> Cron:
    if len(fields) != len(CRON_FIELDS):
        raise ScheduleError("cron_fields", given=text, found=str(len(fields)))
    minutes, hours, of_month, months, of_week, years = fields
    if (of_month == "?") == (of_week == "?"):
        raise ScheduleError("cron_days", given=text)
    days = _parse_days_of_week(of_week) if of_month == "?" else _parse_days_of_month(of_month)
    return Cron(
        text=text,
        minutes=_parse_field("minutes", minutes),
        hours=_parse_field("hours", hours),
        days=days,
        months=_parse_field("month", months),
        years=_parse_field("year", years),
    )


def _parse_days_of_month(field: str) -> DayRule:
    name: CronField = "day of month"
    if field in ("L", "LW", "WL"):
        return DayRule(last=field == "L", last_weekday=field != "L")
    if found := re.fullmatch(r"(\d+)W", field):
        return DayRule(nearest=frozenset({_parse_number(name, found[1], field)}))
    return DayRule(days=frozenset(_parse_field(name, field)))


def _parse_days_of_week(field: str) -> DayRule:
    name: CronField = "day of week"
    if field == "L":  # the last day of the week
        return DayRule(weekdays=frozenset({7}))
    if found := re.fullmatch(r"(\w+)L", field):
        return DayRule(last_of=frozenset({_parse_number(name, found[1], field)}))
    if found := re.fullmatch(r"(\w+)#([1-5])", field):
        return DayRule(nth=frozenset({(_parse_number(name, found[1], field), int(found[2]))}))
    return DayRule(weekdays=frozenset(_parse_field(name, field)))


def _parse_field(name: CronField, field: str) -> tuple[int, ...]:
    """The numbers that a field stands for, in order: lists of numbers, names, ranges and steps."""
    return tuple(sorted({number for item in field.split(",") for number in _parse_item(name, item)}))


def _parse_item(name: CronField, item: str) -> list[int]:
    low, high = _RANGES[name]
    span, slash, step = item.partition("/")
    if slash and not (step.isdecimal() and int(step)):
        raise _field_error(name, item)
    every = int(step) if slash else 1
    if span == "*":
        return list(range(low, high + 1, every))
    first, dash, last = span.partition("-")
    start = _parse_number(name, first, item)
    end = _parse_number(name, last, item) if dash else high if slash else start
    if end >= start:
        return list(range(start, end + 1, every))
    if name == "year":
        raise _field_error(name, item)
    around = [*range(start, high + 1), *range(low, end + 1)]
    return around[::every]


def _parse_number(name: CronField, text: str, item: str) -> int:
    low, high = _RANGES[name]
    number = _NAMES.get(name, {}).get(text, int(text) if text.isdecimal() else -1)
    if not low <= number <= high:
        raise _field_error(name, item)
    return number


def _field_error(name: CronField, item: str) -> ScheduleError:
    low, high = _RANGES[name]
    return ScheduleError("cron_field", given=item, field=name, low=str(low), high=str(high))


def _nearest_weekday(day: int, weekday: int, length: int) -> int:
    """The Monday to Friday that is nearest to a day of the same month. `weekday`: 1 is Sunday, 7 Saturday."""
    if weekday == 7:
        return day - 1 if day > 1 else day + 2
    if weekday == 1:
        return day + 1 if day < length else day - 2
    return day
