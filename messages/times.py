"""How times are written: in the migration's zone, with the zone named, and how old, how long. Nothing here looks at a clock."""

from datetime import datetime, tzinfo

from messages.i18n import _

# Not strftime's %b: that follows the process's locale, which is not ours to set.
_MONTHS = (
    _("Jan"), _("Feb"), _("Mar"), _("Apr"), _("May"), _("Jun"),
    _("Jul"), _("Aug"), _("Sep"), _("Oct"), _("Nov"), _("Dec"),
)  # fmt: skip


def clock(at: datetime, zone: tzinfo, *, now: datetime) -> str:
    """A moment: "22:33 JST"; "22 Nov 22:33 JST" on another day than `now`'s; "22 Nov 2025 22:33 JST" in another year. All in `zone`."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    return f"{_date_prefix(local, today)}{local:%H:%M} {zone_name(local)}"


def clock_s(at: datetime, zone: tzinfo, *, now: datetime) -> str:
    """The same to the second: "22:33:07 JST"."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    return f"{_date_prefix(local, today)}{local:%H:%M:%S} {zone_name(local)}"


def span(start: datetime, end: datetime, zone: tzinfo, *, now: datetime | None = None) -> str:
    """From when to when: "22 Nov 13:10–15:40 JST", "22 Nov 22:00 – 23 Nov 01:00 JST"; both zones where the clocks changed in between.

    The year is written where it is not `now`'s.
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
    """A day: "22 Nov", "22 Nov 2025" in another year than `now`'s."""
    local = at.astimezone(zone)
    return _day(local, year=_other_year(local, now.astimezone(zone)))


def duration(seconds: float) -> str:
    """How long: "41 s", "3 min", "2 h 05 min", "3 d 4 h". What has not begun yet has lasted "0 s"."""
    whole = max(0, int(seconds))
    if whole < 60:
        return _("{seconds} s").format(seconds=whole)
    minutes = whole // 60
    if minutes < 60:
        return _("{minutes} min").format(minutes=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        if not minutes:
            return _("{hours} h").format(hours=hours)
        return _("{hours} h {minutes:02d} min").format(hours=hours, minutes=minutes)
    days, hours = divmod(hours, 24)
    return _("{days} d {hours} h").format(days=days, hours=hours) if hours else _("{days} d").format(days=days)


def age(seconds: float) -> str:
    """How old something is, bare: "41 s", "3 min". Never negative, even where two clocks differ."""
    return duration(seconds)


def old(at: datetime, *, now: datetime) -> str:
    """How old what is from `at` is: "41 s old", "2 h 05 min old"."""
    return _("{age} old").format(age=age((now - at).total_seconds()))


def ago(at: datetime, *, now: datetime) -> str:
    """How long ago `at` was: "41 s ago", "2 h 05 min ago"."""
    return _("{age} ago").format(age=age((now - at).total_seconds()))


def last(minutes: int) -> str:
    """A window that ends now: "last 30 min", "last 3 h"."""
    return _("last {duration}").format(duration=duration(minutes * 60))


def zone_name(local: datetime) -> str:
    """The zone's short name at that moment: "JST", "CEST"; "UTC+08:00" where it has only a number. `local` knows its zone."""
    name = local.tzname() or ""
    if name[:1] not in ("+", "-"):
        return name
    offset = f"{local:%z}"
    return f"UTC{offset[:3]}:{offset[3:5]}".replace("-", "−")


def month(number: int) -> str:
    """The short name of a month, 1 to 12."""
    return _MONTHS[number - 1]


def _day(local: datetime, *, year: bool) -> str:
    return f"{local.day} {_MONTHS[local.month - 1]}" + (f" {local.year}" if year else "")


def _date_prefix(local: datetime, today: datetime) -> str:
    return "" if local.date() == today.date() else f"{_day(local, year=_other_year(local, today))} "


def _other_year(local: datetime, now: datetime | None) -> bool:
    return now is not None and local.year != now.astimezone(local.tzinfo).year
