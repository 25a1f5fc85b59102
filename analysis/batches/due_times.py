"""When a cron schedule runs. Pure: a schedule, a time zone and epoch seconds in, epoch seconds out."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, tzinfo
from itertools import takewhile

from domain import Window
from domain.cron import Cron


def scheduled_times(schedule: Cron, zone: tzinfo, window: Window) -> tuple[int, ...]:
    """Every scheduled time in `window` (epoch seconds), in order.

    By the wall clock of `zone`, as EventBridge Scheduler documents it (User Guide, "Daylight savings time"): times in the hour that is skipped
    in spring do not run, times in the hour that is repeated in autumn run once, the first time. EventBridge rules have no zone: UTC.
    """
    first, last = (datetime.fromtimestamp(end, zone).date() for end in (window.start, window.end))
    days = takewhile(lambda day: day <= last, _days(schedule, first))
    return tuple(ts for day in days for ts in _times_on(schedule, day, zone) if window.start <= ts < window.end)


def next_scheduled_time(schedule: Cron, zone: tzinfo, after: int) -> int | None:
    """The first scheduled time later than `after`; None if there is none before the year 2200."""
    days = _days(schedule, datetime.fromtimestamp(after, zone).date())
    return next((ts for day in days for ts in _times_on(schedule, day, zone) if ts > after), None)


def last_scheduled_time(schedule: Cron, zone: tzinfo, before: int) -> int | None:
    """The last scheduled time earlier than `before`; None if there is none since 1970."""
    days = _days(schedule, datetime.fromtimestamp(before, zone).date(), backwards=True)
    return next((ts for day in days for ts in reversed(_times_on(schedule, day, zone)) if ts < before), None)


def _days(schedule: Cron, start: date, *, backwards: bool = False) -> Iterator[date]:
    """The days with scheduled times from `start` on, or back from it."""
    step = -1 if backwards else 1
    for year in schedule.years[::step]:
        if year > start.year if backwards else year < start.year:
            continue
        for month in schedule.months[::step]:
            for number in schedule.days.in_month(year, month)[::step]:
                day = date(year, month, number)
                if day <= start if backwards else day >= start:
                    yield day


def _times_on(schedule: Cron, day: date, zone: tzinfo) -> list[int]:
    """The scheduled times of one day of the wall clock, in order. Of a repeated hour: its first occurrence (fold=0)."""
    times = (
        datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
        for hour in schedule.hours
        for minute in schedule.minutes
    )
    return [int(time.timestamp()) for time in times if _is_on_clock(time)]


def _is_on_clock(time: datetime) -> bool:
    """Whether the wall clock ever shows this time: if not, conversion to UTC and back changes it."""
    return time.astimezone(UTC).astimezone(time.tzinfo) == time
