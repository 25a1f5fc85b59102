"""Time windows in whole minutes, the clock, and parsing of times."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400
# Of a range that a visitor or an option names; CloudWatch retains minutes for fifteen days.
MAX_WINDOW_MINUTES = 14 * DAY_S // MINUTE_S
# 2010 and 2100, in epoch seconds: other times from outside are refused.
EARLIEST_S, LATEST_S = 1_262_304_000, 4_102_444_800
Clock = Callable[[], datetime]  # returns the current time in UTC


def utc_now() -> datetime:
    """The system clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """[`start`, `end`) in epoch seconds, both at whole minutes. Raises ValueError if they are not, or not in order."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.start % MINUTE_S or self.end % MINUTE_S:
            raise ValueError(f"A window holds whole minutes, but {self.start}–{self.end} does not.")
        if self.start >= self.end:
            raise ValueError(f"A window ends after it starts, but {self.start}–{self.end} does not.")

    @classmethod
    def between(cls, start: datetime, end: datetime) -> Self:
        """The smallest window that contains [start, end). Both must have a time zone."""
        if start.tzinfo is None or end.tzinfo is None:
            raise ValueError("A window needs times that know their time zone.")
        first, last = int(start.timestamp()), int(-(-end.timestamp() // 1))
        return cls(first - first % MINUTE_S, last + -last % MINUTE_S)

    @classmethod
    def last(cls, minutes: int, *, now: datetime) -> Self:
        """The last `minutes` complete minutes; the current one is excluded."""
        end = int(now.timestamp()) // MINUTE_S * MINUTE_S
        return cls(end - minutes * MINUTE_S, end)

    @property
    def minutes(self) -> int:
        return (self.end - self.start) // MINUTE_S

    @property
    def starts_at(self) -> datetime:
        return datetime.fromtimestamp(self.start, UTC)

    @property
    def ends_at(self) -> datetime:
        return datetime.fromtimestamp(self.end, UTC)

    @property
    def length(self) -> timedelta:
        return timedelta(seconds=self.end - self.start)

    def aligned(self, period_s: int) -> "Window":
        """The smallest window that contains this one and has ends at multiples of `period_s` (a multiple of 60)."""
        return Window(self.start - self.start % period_s, self.end + -self.end % period_s)

    def overlap(self, other: "Window") -> "Window | None":
        """The intersection, or None."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Window(start, end) if start < end else None

    def clip(self, extent: "Window", max_minutes: int = MAX_WINDOW_MINUTES) -> "Window | None":
        """The last `max_minutes` of the part of this window that is in `extent`; None if no part is."""
        inside = self.overlap(extent)
        return Window(max(inside.start, inside.end - max_minutes * MINUTE_S), inside.end) if inside else None

    def week_before(self, zone: tzinfo) -> "Window":
        """As long, and ends at the same time of the day a week before: across a clock change in `zone`, not 168 hours before."""
        local = self.ends_at.astimezone(zone)
        shift_s = round(local.timestamp() - (local - timedelta(days=7)).timestamp())
        return Window(self.start - shift_s, self.end - shift_s)

    def subtract(self, others: Iterable["Window"]) -> tuple["Window", ...]:
        """The parts of this window outside of `others`, in order."""
        remaining, start = [], self.start
        for other in sorted(others):
            if other.end <= start or other.start >= self.end:
                continue
            if other.start > start:
                remaining.append(Window(start, other.start))
            start = max(start, other.end)
        if start < self.end:
            remaining.append(Window(start, self.end))
        return tuple(remaining)

    def chunks(self, max_s: int) -> Iterator["Window"]:
        """Consecutive windows of at most `max_s` seconds (a multiple of 60)."""
        for start in range(self.start, self.end, max_s):
            yield Window(start, min(start + max_s, self.end))


def merge_windows(windows: Iterable[Window]) -> tuple[Window, ...]:
    """The union of `windows` as the fewest windows, in order."""
    merged: list[Window] = []
    for window in sorted(windows):
        if merged and window.start <= merged[-1].end:
            merged[-1] = Window(merged[-1].start, max(merged[-1].end, window.end))
        else:
            merged.append(window)
    return tuple(merged)


def parse_minutes(duration: str) -> int | None:
    """The minutes of "90m", "3h", "1h30m" or "2d"; None if it is invalid or zero."""
    match = re.fullmatch(r"(?:(\d{1,3})d)? ?(?:(\d{1,4})h)? ?(?:(\d{1,5})m(?:in)?)?", duration.strip().lower())
    days, hours, minutes = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    return days * DAY_S // MINUTE_S + hours * HOUR_S // MINUTE_S + minutes or None


def parse_warm_up(duration: str) -> int | None:
    """The seconds of a warm-up, "10m", at most a day; "0" is none. None if it is invalid."""
    if duration.strip() == "0":
        return 0
    minutes = parse_minutes(duration)
    return minutes * MINUTE_S if minutes is not None and minutes * MINUTE_S <= DAY_S else None


def parse_datetime(text: str, zone: tzinfo) -> datetime:
    """An ISO 8601 time; without an offset it is in `zone`. Raises ValueError, also for a time before EARLIEST_S or from LATEST_S on."""
    # In a URL, an unescaped "+" is decoded as a space.
    time = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
    time = time if time.tzinfo else time.replace(tzinfo=zone)
    try:
        accepted = EARLIEST_S <= time.timestamp() < LATEST_S
    except OverflowError:
        accepted = False
    if not accepted:
        raise ValueError("A time is between 2010 and 2100.")
    return time
