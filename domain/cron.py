"""Parses schedule expressions of EventBridge: `cron(0 18 ? * MON-FRI *)` and `rate(5 minutes)`. analysis.batches.due_times computes their times.

Grammar: docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html and
docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html. Six fields, Sunday is day 1, and either day of month or day of week is `?`.
Where AWS is silent, as in Quartz: `LW`, and ranges that wrap around (FRI-MON).
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
    "month": {name: number for number, name in enumerate(_MONTHS, 1)},
    "day of week": {name: number for number, name in enumerate(_DAYS, 1)},
}


class ScheduleError(ValueError):
    """An invalid expression: `code`, and the `params` of its message."""

    def __init__(self, code: ScheduleErrorCode, **params: str) -> None:
        super().__init__(f"{code}: {params}")
        self.code, self.params = code, params


@dataclass(frozen=True, slots=True)
class Rate:
    """Every `interval_s` seconds; the start is not part of the expression. A day is always 24 hours."""

    text: str
    interval_s: int


@dataclass(frozen=True, slots=True)
class DayRule:
    """The days of a month on which a schedule runs: the union of its fields. Working days are Monday to Friday.

    Of the month: `days`, the `last` day, the last working day (`last_weekday`), the working day `nearest` to a day. Of the week (1: Sunday): all
    `weekdays`, the `last_of` each in the month, the `nth` as (weekday, n).
    """

    days: frozenset[int] = frozenset()
    last: bool = False
    last_weekday: bool = False
    nearest: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    last_of: frozenset[int] = frozenset()
    nth: frozenset[tuple[int, int]] = frozenset()

    def in_month(self, year: int, month: int) -> list[int]:
        """The days in one month, in order."""
        first, length = calendar.monthrange(year, month)

        def weekday(day: int) -> int:  # calendar's Monday is 0
            return (first + day) % 7 + 1

        days = {day for day in self.days if day <= length}
        days |= {length} if self.last else set()
        days |= {_nearest_weekday(length, weekday(length), length)} if self.last_weekday else set()
        days |= {_nearest_weekday(day, weekday(day), length) for day in self.nearest if day <= length}
        days |= {
            day
            for day in range(1, length + 1)
            if weekday(day) in self.weekdays
            or (weekday(day) in self.last_of and day + 7 > length)
            or (weekday(day), (day + 6) // 7) in self.nth
        }
        return sorted(days)


@dataclass(frozen=True, slots=True)
class Cron:
    """All combinations of its minutes, hours, days, months and years, in local time of a time zone."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: DayRule
    months: tuple[int, ...]
    years: range | tuple[int, ...]


Schedule = Cron | Rate


def parse_schedule(text: str) -> Schedule:
    """The schedule of an expression. Raises ScheduleError."""
    text = " ".join(text.split())
    if match := re.fullmatch(r"rate\( ?(\d+) (\w+) ?\)", text):
        return _parse_rate(text, int(match[1]), match[2])
    if match := re.fullmatch(r"cron\( ?(.*?) ?\)", text):
        return _parse_cron(text, match[1].upper().split(" "))
    raise ScheduleError("not_a_schedule", given=text)


def _parse_rate(text: str, value: int, unit: str) -> Rate:
    if not value:
        raise ScheduleError("rate_of_nothing", given=text)
    singular = unit.removesuffix("s")
    known = singular if singular in _UNITS_S else "minute"
    valid_unit = known if value == 1 else f"{known}s"
    if unit != valid_unit:
        raise ScheduleError("rate_unit", given=text, right=f"rate({value} {valid_unit})")
    return Rate(text, value * _UNITS_S[singular])


def _parse_cron(text: str, fields: list[str]) -> Cron:
    if len(fields) != len(CRON_FIELDS):
        raise ScheduleError("cron_fields", given=text, found=str(len(fields)))
    minutes, hours, of_month, months, of_week, years = fields
    if (of_month == "?") == (of_week == "?"):
        raise ScheduleError("cron_days", given=text)
    return Cron(
        text=text,
        minutes=_parse_field("minutes", minutes),
        hours=_parse_field("hours", hours),
        days=_parse_days_of_week(of_week) if of_month == "?" else _parse_days_of_month(of_month),
        months=_parse_field("month", months),
        years=_parse_field("year", years),
    )


def _parse_days_of_month(field: str) -> DayRule:
    name: CronField = "day of month"
    if field in ("L", "LW", "WL"):
        return DayRule(last=field == "L", last_weekday=field != "L")
    if match := re.fullmatch(r"(\d+)W", field):
        return DayRule(nearest=frozenset({_parse_number(name, match[1], field)}))
    return DayRule(days=frozenset(_parse_field(name, field)))


def _parse_days_of_week(field: str) -> DayRule:
    name: CronField = "day of week"
    if field == "L":  # the last day of the week
        return DayRule(weekdays=frozenset({7}))
    if match := re.fullmatch(r"(\w+)L", field):
        return DayRule(last_of=frozenset({_parse_number(name, match[1], field)}))
    if match := re.fullmatch(r"(\w+)#([1-5])", field):
        return DayRule(nth=frozenset({(_parse_number(name, match[1], field), int(match[2]))}))
    return DayRule(weekdays=frozenset(_parse_field(name, field)))


def _parse_field(name: CronField, field: str) -> tuple[int, ...]:
    """The numbers in a field, in order: a list of numbers, names, ranges and steps."""
    return tuple(sorted({number for item in field.split(",") for number in _parse_item(name, item)}))


def _parse_item(name: CronField, item: str) -> list[int]:
    low, high = _RANGES[name]
    span, slash, step_text = item.partition("/")
    if slash and not (step_text.isdecimal() and int(step_text)):
        raise _field_error(name, item)
    step = int(step_text) if slash else 1
    if span == "*":
        return list(range(low, high + 1, step))
    first, dash, last = span.partition("-")
    start = _parse_number(name, first, item)
    end = _parse_number(name, last, item) if dash else high if slash else start
    if end >= start:
        return list(range(start, end + 1, step))
    if name == "year":
        raise _field_error(name, item)
    return [*range(start, high + 1), *range(low, end + 1)][::step]


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
    """The working day nearest to a day, in the same month. `weekday`: 1 is Sunday, 7 Saturday."""
    if weekday == 7:
        return day - 1 if day > 1 else day + 2
    if weekday == 1:
        return day + 1 if day < length else day - 2
    return day
