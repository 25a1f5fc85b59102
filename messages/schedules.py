"""Schedules in words: "Mon–Fri 18:00 UTC", "every 5 min", "last Fri of the month 10:15 UTC"; complicated ones as the expression."""

from domain.cron import Cron, DayRule, Rate, Schedule
from messages import times
from messages.i18n import _, comma_list

MAX_TIMES = 4  # times of a day that are listed


def format_schedule(schedule: Schedule, timezone: str) -> str:
    if isinstance(schedule, Rate):
        return _("every {duration}").format(duration=times.duration(schedule.interval_s))
    hours = _hours(schedule)
    days = _days(schedule.days)
    if not (hours and days) or len(schedule.years) < 100:
        return f"{schedule.text} {timezone}"
    months = comma_list(map(times.month, schedule.months))
    months = "" if len(schedule.months) == 12 else _("in {months}").format(months=months)
    if days == _("every day") and len(schedule.hours) == 24:
        days = ""  # implied by "every 15 min"
    return " ".join(filter(None, (days, months, hours, timezone)))


def _hours(schedule: Cron) -> str:
    minutes, hours = schedule.minutes, schedule.hours
    if len(minutes) * len(hours) <= MAX_TIMES:
        return comma_list(f"{hour:02}:{minute:02}" for hour in hours for minute in minutes)
    if len(minutes) == 1:
        interval = _("every hour at :{minute:02}").format(minute=minutes[0])
    elif step := _step(minutes):
        interval = _("every {duration}").format(duration=times.duration(step * 60))
        interval += "" if not minutes[0] else " " + _("from :{minute:02}").format(minute=minutes[0])
    else:
        return ""
    if len(hours) == 24:
        return interval
    if hours == tuple(range(hours[0], hours[-1] + 1)):
        return f"{hours[0]:02}:{minutes[0]:02}–{hours[-1]:02}:{minutes[-1]:02} {interval}"
    return ""


def _step(minutes: tuple[int, ...]) -> int:
    """The constant difference of consecutive minutes, across the hour, too; 0 if there is none."""
    steps = {later - earlier for earlier, later in zip(minutes, (*minutes[1:], minutes[0] + 60), strict=True)}
    return steps.pop() if len(steps) == 1 else 0


def _days(rule: DayRule) -> str:
    if len(rule.days) == 31 or len(rule.weekdays) == 7:
        text = _("every day")
    elif rule.days:
        text = _("day {days} of the month").format(days=comma_list(map(str, sorted(rule.days))))
    elif rule.weekdays:
        text = _weekdays(sorted(rule.weekdays))
    elif rule.last:
        text = _("last day of the month")
    elif rule.last_weekday:
        text = _("last weekday of the month")
    elif rule.nearest:
        text = _("weekday nearest to day {day}").format(day=min(rule.nearest))
    else:
        ordinals = (_("first"), _("second"), _("third"), _("fourth"), _("fifth"))
        weekday, ordinal = (
            (min(rule.last_of), _("last")) if rule.last_of else (min(rule.nth)[0], ordinals[min(rule.nth)[1] - 1])
        )
        text = f"{ordinal} {_day(weekday)} {_('of the month')}"
    return text


def _weekdays(days: list[int]) -> str:
    if len(days) > 2 and days == list(range(days[0], days[-1] + 1)):
        return f"{_day(days[0])}–{_day(days[-1])}"
    return comma_list(map(_day, days))


def _day(number: int) -> str:
    return (_("Sun"), _("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"))[number - 1]
