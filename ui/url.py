"""What of a page lives in its address, so that a reload or a shared link shows the same."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from domain import EVENT_KINDS, EventKind, Window
from domain.series import PERCENTILES
from domain.window import parse_datetime

WindowChoice = Literal["30m", "1h", "3h", "12h", "24h"]
WINDOW_CHOICES: tuple[WindowChoice, ...] = get_args(WindowChoice)
WINDOW_MINUTES: dict[WindowChoice, int] = {"30m": 30, "1h": 60, "3h": 180, "12h": 720, "24h": 1440}
DEFAULT_WINDOW: WindowChoice = "3h"
DEFAULT_PERCENTILE = "p95"
NO_KINDS = "none"
MIN_WINDOW_MINUTES = 5
MAX_WINDOW_MINUTES = 1440
# Nothing was measured before, nobody asks beyond, and a calendar that ends in the year 9999 is kept at arm's length.
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

InvalidParam = Literal["window", "range", "range_order", "range_too_long", "source", "percentile", "events"]


@dataclass(frozen=True, slots=True)
class LiveParams:
    """What the Live page shows, as its address says: `fixed` is a window of its own (`?from=…&to=…`), else `choice` counts back from now.

    `kinds` are the events that the charts show. `troubles` are the parameters that made no sense and were left out.
    """

    window_choice: WindowChoice
    fixed_window: Window | None
    source: str
    percentile: str
    auto_refresh: bool
    invalid_params: tuple[InvalidParam, ...] = ()
    event_kinds: frozenset[EventKind] = frozenset(EVENT_KINDS)

    def window(self, now: datetime) -> Window:
        """The window to draw; one that counts back from now ends with the minute in progress, so that what happens now is on it."""
        return self.fixed_window or Window.last(WINDOW_MINUTES[self.window_choice], now=now + timedelta(minutes=1))


def parse_live_params(query_params: Mapping[str, str], *, zone: ZoneInfo, sources: tuple[str, ...]) -> LiveParams:
    """The address's parameters, each checked; what makes no sense falls back to its default and is named in `troubles`."""
    troubles: list[InvalidParam] = []
    choice = query_params.get("window", DEFAULT_WINDOW)
    if choice not in WINDOW_CHOICES:
        troubles.append("window")
        choice = DEFAULT_WINDOW
    percentile = query_params.get("percentile", DEFAULT_PERCENTILE)
    if percentile not in PERCENTILES:
        troubles.append("percentile")
        percentile = DEFAULT_PERCENTILE
    source = query_params.get("source", sources[0] if sources else "")
    if source not in sources:
        troubles.append("source")
        source = sources[0] if sources else ""
    fixed = None
    if "from" in query_params or "to" in query_params:
        fixed = _parse_fixed_window(query_params.get("from", ""), query_params.get("to", ""), zone)
    if isinstance(fixed, str):
        troubles.append(fixed)
        fixed = None
    kinds = parse_event_kinds(query_params.get("events"))
    if kinds is None:
        troubles.append("events")
        kinds = frozenset(EVENT_KINDS)
    return LiveParams(choice, fixed, source, percentile, query_params.get("live") != "off", tuple(troubles), kinds)


def parse_event_kinds(text: str | None) -> frozenset[EventKind] | None:
    """The kinds of events that an address (`events=weight,alert`) lets the charts show: all where it says nothing, none for "none".

    None where it names none that there is.
    """
    if text is None:
        return frozenset(EVENT_KINDS)
    named = {name.strip() for name in text.split(",")}
    found = frozenset(kind for kind in EVENT_KINDS if kind in named)
    return found if found or named == {NO_KINDS} else None


def format_event_kinds(kinds: Collection[EventKind]) -> str | None:
    """The same as the address spells it; None where all are shown, which goes without saying."""
    shown = [kind for kind in EVENT_KINDS if kind in kinds]
    return None if len(shown) == len(EVENT_KINDS) else ",".join(shown) or NO_KINDS


def parse_range(query_params: Mapping[str, str], *, zone: ZoneInfo) -> Window | None:
    """`?from=…&to=…` of any length; None where it is not there or no window at all."""
    try:
        first, last = (parse_datetime(query_params.get(name, ""), zone) for name in ("from", "to"))
    except (ValueError, OverflowError):
        return None
    return Window.between(first, last) if _in_bounds(first) and _in_bounds(last) and first < last else None


def _parse_fixed_window(start: str, end: str, zone: ZoneInfo) -> Window | InvalidParam:
    try:
        first, last = (parse_datetime(text, zone) for text in (start, end))
    except (ValueError, OverflowError):
        return "range"
    if not (_in_bounds(first) and _in_bounds(last)):
        return "range"
    if first >= last:
        return "range_order"
    if last - first > timedelta(minutes=MAX_WINDOW_MINUTES):
        return "range_too_long"
    return Window.between(first, max(last, first + timedelta(minutes=MIN_WINDOW_MINUTES)))


def _in_bounds(value: datetime) -> bool:
    return EARLIEST <= value < LATEST


def format_time(ts: int) -> str:
    """A moment as the address spells it: UTC to the minute, `2026-11-22T13:10Z`."""
    return f"{datetime.fromtimestamp(ts, UTC):%Y-%m-%dT%H:%MZ}"


def range_from_drag(ends: list[str], *, utc_offset_s: int) -> Window | None:
    """The window that was dragged on a chart, whose axis shows the wall clock at `utc_offset_s`; None where it is no window at all.

    Grown around its middle to five minutes where the drag was shorter.
    """
    try:
        first, last = sorted(
            datetime.fromisoformat(end[:26]).replace(tzinfo=UTC) - timedelta(seconds=utc_offset_s) for end in ends
        )
    except (ValueError, OverflowError):
        return None
    if not (_in_bounds(first) and _in_bounds(last)):
        return None
    short = timedelta(minutes=MIN_WINDOW_MINUTES) - (last - first)
    if short > timedelta():
        first, last = first - short / 2, last + short / 2
    return Window.between(first, last)
