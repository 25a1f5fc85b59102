"""When a schedule falls due. Pure: schedules, a zone and epoch seconds in, epoch seconds out."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, tzinfo
from itertools import takewhile

from domain import Window
from domain.cron import Cron


def scheduled_times(schedule: Cron, zone: tzinfo, window: Window) -> tuple[int, ...]:
    """Every moment in `window` at which a cron expression falls due, in order.

    By the wall clock of `zone`, as EventBridge Scheduler documents it (User Guide, "Daylight savings time"): what falls into the hour that
    is skipped in spring does not run, and what falls into the hour that comes twice in autumn runs once. Rules have no zone: UTC.
    """
    first, last = (datetime.fromtimestamp(end, zone).date() for end in (window.start, window.end))
    days = takewhile(lambda day: day <= last, _days(schedule, first))
    return tuple(at for day in days for at in _times_on(schedule, day, zone) if window.start <= at < window.end)


def next_scheduled_time(schedule: Cron, zone: tzinfo, after: int) -> int | None:
    """The first moment later than `after`; None where there is none before the year 2200."""
    first = datetime.fromtimestamp(after, zone).date()
    return next((at for day in _days(schedule, first) for at in _times_on(schedule, day, zone) if at > after), None)


def last_scheduled_time(schedule: Cron, zone: tzinfo, before: int) -> int | None:
    """The last moment earlier than `before`; None where there is none since 1970."""
    last = datetime.fromtimestamp(before, zone).date()
    moments = (at for day in _days_back(schedule, last) for at in reversed(_times_on(schedule, day, zone)))
    return next((at for at in moments if at < before), None)


def _days(schedule: Cron, first: date) -> Iterator[date]:
    """The days on which the schedule has something to do, from `first` on."""
    for year in schedule.years:
        for month in schedule.months if year >= first.year else ():
            if (year, month) >= (first.year, first.month):
                for number in schedule.days.in_month(year, month):
                    if (day := date(year, month, number)) >= first:
                        yield day


def _days_back(schedule: Cron, last: date) -> Iterator[date]:
    for year in reversed(schedule.years):
        for month in reversed(schedule.months) if year <= last.year else ():
            if (year, month) <= (last.year, last.month):
                for number in reversed(schedule.days.in_month(year, month)):
                    if (day := date(year, month, number)) <= last:
                        yield day


def _times_on(schedule: Cron, day: date, zone: tzinfo) -> list[int]:
    """When on one day of the wall clock, in order and each once. Of an hour that comes twice it is the first."""
    told = (
        datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
        for hour in schedule.hours
        for minute in schedule.minutes
    )
    return sorted({int(at.timestamp()) for at in told if _is_on_clock(at)})


def _is_on_clock(at: datetime) -> bool:
    """Whether the wall clock ever shows this: a way to UTC and back leads elsewhere if not."""
    return at.astimezone(UTC).astimezone(at.tzinfo).replace(fold=0) == at
