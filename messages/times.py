"""Formatting of times, with the time zone's name, and of ages and durations."""

from datetime import UTC, datetime, tzinfo

from domain.window import HOUR_S, MINUTE_S
from messages.i18n import _, lazy

# strftime's %b would depend on the process's locale.
_MONTHS = (
    lazy("Jan"), lazy("Feb"), lazy("Mar"), lazy("Apr"), lazy("May"), lazy("Jun"),
    lazy("Jul"), lazy("Aug"), lazy("Sep"), lazy("Oct"), lazy("Nov"), lazy("Dec"),
)  # fmt: skip


def clock(at: datetime, zone: tzinfo, *, now: datetime) -> str:
    """A time: "22:33 JST"; "22 Nov 22:33 JST" on another day than `now`; "22 Nov 2025 22:33 JST" in another year."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    return f"{_date_prefix(local, today)}{local:%H:%M} {zone_name(local)}"


def clock_of(epoch_s: int, zone: tzinfo, *, now: datetime) -> str:
    """`clock` of epoch seconds; a text for a time that no calendar has, which an older version may have stored."""
    try:
        return clock(datetime.fromtimestamp(epoch_s, UTC), zone, now=now)
    except (ValueError, OverflowError, OSError):
        return _("invalid time")


def clock_s(at: datetime, zone: tzinfo, *, now: datetime) -> str:
    """`clock` with seconds: "22:33:07 JST"."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    return f"{_date_prefix(local, today)}{local:%H:%M:%S} {zone_name(local)}"


def span(start: datetime, end: datetime, zone: tzinfo, *, now: datetime | None = None) -> str:
    """A range: "22 Nov 13:10–15:40 JST", "22 Nov 22:00 – 23 Nov 01:00 JST"; with both zone names if the clocks changed.

    With the year, if it is not that of `now`.
    """
    first, last = start.astimezone(zone), end.astimezone(zone)
    year = _other_year(first, now) or _other_year(last, now)
    opening, closing = f"{_day(first, year=year)} {first:%H:%M}", f"{last:%H:%M} {zone_name(last)}"
    if zone_name(first) != zone_name(last):
        return f"{opening} {zone_name(first)} – {_day(last, year=year)} {closing}"
    if first.date() == last.date():
        return f"{opening}–{closing}"
    return f"{opening} – {_day(last, year=year)} {closing}"


def date(at: datetime, zone: tzinfo, *, now: datetime) -> str:
    """A date: "22 Nov", "22 Nov 2025" in another year than `now`."""
    local = at.astimezone(zone)
    return _day(local, year=_other_year(local, now.astimezone(zone)))


def duration(seconds: float) -> str:
    """A duration: "41s", "75s", "3 min", "2h 05m", "3d 4h"; at least "0s"."""
    whole = max(0, int(seconds))
    if whole < 2 * MINUTE_S and whole != MINUTE_S:
        return _("{seconds}s").format(seconds=whole)
    minutes = whole // MINUTE_S
    if minutes < 60:
        return _("{minutes} min").format(minutes=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        if not minutes:
            return _("{hours}h").format(hours=hours)
        return _("{hours}h {minutes:02d}m").format(hours=hours, minutes=minutes)
    days, hours = divmod(hours, 24)
    return _("{days}d {hours}h").format(days=days, hours=hours) if hours else _("{days}d").format(days=days)


def run_time(seconds: float) -> str:
    """How long a program or a request ran, with seconds: "0.4s", "6.7s", "42s", "4m 53s", "1h 05m"."""
    if seconds < 9.95:
        return _("{seconds:.1f}s").format(seconds=seconds)
    whole = round(seconds)
    if whole < MINUTE_S:
        return _("{seconds}s").format(seconds=whole)
    if whole < HOUR_S:
        minutes, whole = divmod(whole, MINUTE_S)
        return _("{minutes}m {seconds:02d}s").format(minutes=minutes, seconds=whole)
    return duration(seconds)


def old(at: datetime, *, now: datetime) -> str:
    """ "41s old", "2h 05m old"."""
    return _("{age} old").format(age=duration((now - at).total_seconds()))


def ago(at: datetime, *, now: datetime) -> str:
    """ "41s ago", "2h 05m ago"."""
    return _("{age} ago").format(age=duration((now - at).total_seconds()))


def last(minutes: int) -> str:
    """ "last 30 min", "last 3h"."""
    return _("last {duration}").format(duration=duration(minutes * 60))


def zone_name(local: datetime) -> str:
    """The time zone's abbreviation: "JST", "CEST"; "UTC+08:00" if it has none. `local` is aware."""
    name = local.tzname() or ""
    if name[:1] not in ("+", "-"):
        return name
    offset = f"{local:%z}"
    return f"UTC{offset[:3]}:{offset[3:5]}".replace("-", "−")


def month(number: int) -> str:
    """The abbreviated name of a month, 1 to 12."""
    return str(_MONTHS[number - 1])


def _day(local: datetime, *, year: bool) -> str:
    pattern = _("{day} {month} {year}") if year else _("{day} {month}")
    return pattern.format(day=local.day, month=_MONTHS[local.month - 1], year=local.year)


def _date_prefix(local: datetime, today: datetime) -> str:
    return "" if local.date() == today.date() else f"{_day(local, year=_other_year(local, today))} "


def _other_year(local: datetime, now: datetime | None) -> bool:
    return now is not None and local.year != now.astimezone(local.tzinfo).year
