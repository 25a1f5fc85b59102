"""A schedule in words: "Mon–Fri 18:00 UTC", "every 5 min", "last Fri of the month 10:15 UTC". What words would only blur stays as it was written."""

from collections.abc import Iterable

from domain.cron import Cron, DayRule, Rate, Schedule
from messages import times
from messages.i18n import _

MAX_TIMES = 4  # of a day that are named one by one


def format_schedule(schedule: Schedule, timezone: str) -> str:
    """When something is due, in words. `timezone` is named as it is configured."""
    if isinstance(schedule, Rate):
        return _("every {duration}").format(duration=times.duration(schedule.interval_s))
    hours = _hours(schedule)
    days = _days(schedule.days)
    if not (hours and days) or len(schedule.years) < 100:
        return f"{schedule.text} {timezone}"
    whole = len(schedule.months) == 12
    months = (
        "" if whole else _("in {months}").format(months=", ".join(times.month(number) for number in schedule.months))
    )
    if days == _("every day") and len(schedule.hours) == 24:
        days = ""  # "every 15 min" says it
    return " ".join(filter(None, (days, months, hours, timezone)))


def _hours(schedule: Cron) -> str:
    minutes, hours = schedule.minutes, schedule.hours
    if len(minutes) * len(hours) <= MAX_TIMES:
        return ", ".join(f"{hour:02}:{minute:02}" for hour in hours for minute in minutes)
    if len(minutes) == 1:
        every = _("every hour at :{minute:02}").format(minute=minutes[0])
    elif step := _step(minutes):
        every = _("every {duration}").format(duration=times.duration(step * 60))
        every += "" if not minutes[0] else " " + _("from :{minute:02}").format(minute=minutes[0])
    else:
        return ""
    if len(hours) == 24:
        return every
    if hours == tuple(range(hours[0], hours[-1] + 1)):
        return f"{hours[0]:02}:{minutes[0]:02}–{hours[-1]:02}:{minutes[-1]:02} {every}"
    return ""


def _step(minutes: tuple[int, ...]) -> int:
    """The even step that minutes keep over the turn of the hour; 0 where they keep none."""
    steps = {later - earlier for earlier, later in zip(minutes, (*minutes[1:], minutes[0] + 60), strict=True)}
    return steps.pop() if len(steps) == 1 else 0


def _days(days: DayRule) -> str:
    of_month = _("of the month")
    if days.days:
        if len(days.days) == 31:
            return _("every day")
        return _("day {days} of the month").format(days=", ".join(map(str, sorted(days.days))))
    if days.weekdays:
        return _("every day") if len(days.weekdays) == 7 else _weekdays(sorted(days.weekdays))
    if days.last:
        return _("last day of the month")
    if days.last_weekday:
        return _("last weekday of the month")
    if days.nearest:
        return _("weekday nearest to day {day}").format(day=min(days.nearest))
    if days.last_of:
        return " ".join((_("last"), _day(min(days.last_of)), of_month))
    (weekday, which), *_rest = sorted(days.nth)
    ordinals = (_("first"), _("second"), _("third"), _("fourth"), _("fifth"))
    return " ".join((ordinals[which - 1], _day(weekday), of_month))


def _weekdays(days: Iterable[int]) -> str:
    numbers = list(days)
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{_day(numbers[0])}–{_day(numbers[-1])}"
    return ", ".join(map(_day, numbers))


def _day(number: int) -> str:
    return (_("Sun"), _("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"))[number - 1]
