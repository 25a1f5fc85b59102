"""A stretch of time in whole minutes of UTC: what is asked for, and what was answered."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400
Clock = Callable[[], datetime]  # tells the time, in UTC


def utc_now() -> datetime:
    """The clock of this machine, for whoever was not given another."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """From `start` (inclusive) to `end` (exclusive), in epoch seconds that are whole minutes.

    Whole numbers rather than datetimes: they hash, sort and travel to a database as they are.
    Raises ValueError where the ends are not whole minutes or stand in the wrong order.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.start % MINUTE_S or self.end % MINUTE_S:
            raise ValueError(f"A window holds whole minutes, but {self.start}–{self.end} does not.")
        if self.start >= self.end:
            raise ValueError(f"A window ends after it starts, but {self.start}–{self.end} does not.")

    @classmethod
    def between(cls, start: datetime, end: datetime) -> Self:
        """The whole minutes that touch [start, end). Both must know their time zone."""
        if start.tzinfo is None or end.tzinfo is None:
            raise ValueError("A window needs times that know their time zone.")
        first, last = int(start.timestamp()), int(-(-end.timestamp() // 1))
        return cls(first - first % MINUTE_S, last + -last % MINUTE_S)

    @classmethod
    def last(cls, minutes: int, *, now: datetime) -> Self:
        """The last so many whole minutes, the one that `now` is in being the first left out."""
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
        """The smallest window around this one whose ends are multiples of `period_s` (a multiple of 60)."""
        return Window(self.start - self.start % period_s, self.end + -self.end % period_s)

    def overlap(self, other: "Window") -> "Window | None":
        """What both have in common, or None."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Window(start, end) if start < end else None

    def subtract(self, others: Iterable["Window"]) -> tuple["Window", ...]:
        """What is left of this window, in order, after every one of `others` is taken away."""
        left, at = [], self.start
        for other in sorted(others):
            if other.end <= at or other.start >= self.end:
                continue
            if other.start > at:
                left.append(Window(at, other.start))
            at = max(at, other.end)
        if at < self.end:
            left.append(Window(at, self.end))
        return tuple(left)

    def chunks(self, max_s: int) -> Iterator["Window"]:
        """This window cut from its start into windows of at most `longest_s` seconds (a multiple of 60)."""
        for start in range(self.start, self.end, max_s):
            yield Window(start, min(start + max_s, self.end))


def merge_windows(windows: Iterable[Window]) -> tuple[Window, ...]:
    """The same time as `windows` cover, as the fewest windows, in order: touching and overlapping ones become one."""
    joined: list[Window] = []
    for window in sorted(windows):
        if joined and window.start <= joined[-1].end:
            joined[-1] = Window(joined[-1].start, max(joined[-1].end, window.end))
        else:
            joined.append(window)
    return tuple(joined)


def parse_datetime(text: str, zone: tzinfo) -> datetime:
    """A moment as people write it, in ISO 8601: where it names no zone, in `zone`. Raises ValueError where it is none."""
    # A "+" in an address is a blank unless somebody took care; take it for what was meant.
    found = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
    return found if found.tzinfo else found.replace(tzinfo=zone)
