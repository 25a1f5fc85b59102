"""Schedules in words: "Daily 03:00 JST (18:00 UTC)", "every 5 min", "last Fri of the month 10:15 UTC"; complicated ones as the expression."""

from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from domain.cron import Cron, DayRule, Rate, Schedule
from messages import times
from messages.i18n import _, comma_list

MAX_TIMES = 4  # times of a day that are listed


def format_schedule(schedule: Schedule, timezone: str, zone: tzinfo, *, now: datetime) -> str:
    """`timezone`: the schedule's own. Its times are given in `zone`, too, with today's offset, where they are of every day or of days of the week."""
    if isinstance(schedule, Rate):
        return _("every {duration}").format(duration=times.duration(schedule.interval_s))
    own = _in_own_zone(schedule, timezone)
    return _in_zone(schedule, timezone, zone, own, now) or own


def _in_zone(schedule: Cron, timezone: str, zone: tzinfo, own: str, now: datetime) -> str:
    """ "Tue–Sat 03:00 JST (Mon–Fri 18:00 UTC)"; "" if the clock is the same or the days cannot be moved."""
    hours, minutes, rule = schedule.hours, schedule.minutes, schedule.days
    daily = _is_daily(rule)
    if len(hours) * len(minutes) > MAX_TIMES or len(schedule.months) < 12 or len(schedule.years) < 100:
        return ""
    if not (daily or rule.weekdays):
        return ""
    today = now.astimezone(ZoneInfo(timezone))
    due = [today.replace(hour=hour, minute=minute) for hour in hours for minute in minutes]
    local = [time.astimezone(zone) for time in due]
    if [time.utcoffset() for time in due] == [time.utcoffset() for time in local]:
        return ""
    shifts = {(there.date() - here.date()).days for here, there in zip(due, local, strict=True)}
    if daily:
        days = _("Daily")
        own = f"{_hours(schedule)} {timezone}"
    elif len(shifts) == 1:
        shift = shifts.pop()
        days = _weekdays(sorted((day - 1 + shift) % 7 + 1 for day in rule.weekdays))
    else:
        return ""
    clocks = comma_list(sorted(f"{time:%H:%M}" for time in local))
    return f"{days} {clocks} {local[0].tzname()} ({own})"


def _in_own_zone(schedule: Cron, timezone: str) -> str:
    hours = _hours(schedule)
    days = _days(schedule.days)
    if not (hours and days) or len(schedule.years) < 100:
        return f"{schedule.text} {timezone}"
    months = comma_list(map(times.month, schedule.months))
    months = "" if len(schedule.months) == 12 else _("in {months}").format(months=months)
    if _is_daily(schedule.days) and len(schedule.hours) == 24:
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


def _is_daily(rule: DayRule) -> bool:
    return len(rule.days) == 31 or len(rule.weekdays) == 7


def _days(rule: DayRule) -> str:
    if _is_daily(rule):
        text = _("Daily")
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
