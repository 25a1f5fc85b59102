"""The query parameters of the Live page, and times and ranges in any URL."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from domain import EVENT_KINDS, EventKind, Window
from domain.config.releases import ReleaseSpan
from domain.series import PERCENTILES
from domain.window import EARLIEST_S, LATEST_S, MINUTE_S, parse_datetime

WindowChoice = Literal["30m", "1h", "3h", "12h", "24h"]
WINDOW_CHOICES: tuple[WindowChoice, ...] = get_args(WindowChoice)
WINDOW_MINUTES: dict[WindowChoice, int] = {"30m": 30, "1h": 60, "3h": 180, "12h": 720, "24h": 1440}
DEFAULT_WINDOW: WindowChoice = "3h"
DEFAULT_PERCENTILE = "p95"
FAN = "fan"  # FAN_PERCENTILES together; the default one is the one that is compared
LAST_WEEK = "week"
DEFAULT_REFRESH = "15s"
NO_KINDS = "none"
MIN_WINDOW_MINUTES = 5
MAX_WINDOW_DAYS = 14
MAX_WINDOW_MINUTES = MAX_WINDOW_DAYS * 1440
REFRESH_S: dict[str, int] = {"5s": 5, "15s": 15, "60s": 60, "off": 0}

InvalidParam = Literal["window", "range", "range_order", "range_too_long", "source", "percentile", "events", "compare"]


@dataclass(frozen=True, slots=True)
class LiveParams:
    """`fixed_window`: the range of the URL (`from`, `to`), else `window_choice` counts back from now. `event_kinds`: the events in the charts.

    `fan`: whether other percentiles are drawn with `percentile`; `with_last_week`: whether the same time a week before is.
    `since`: nothing earlier is shown (epoch seconds). `refresh_s`: 0 for never. The parameters in `invalid_params` have their default.
    """

    window_choice: WindowChoice
    fixed_window: Window | None
    source: str
    percentile: str
    refresh_s: int
    invalid_params: tuple[InvalidParam, ...] = ()
    event_kinds: frozenset[EventKind] = frozenset(EVENT_KINDS)
    fan: bool = False
    with_last_week: bool = False
    since: int | None = None

    @property
    def percentile_choice(self) -> str:
        return FAN if self.fan else self.percentile

    def window(self, now: datetime) -> Window:
        """The window to show; without a range, it ends with the current minute."""
        if self.fixed_window:
            return self.fixed_window
        last = Window.last(WINDOW_MINUTES[self.window_choice], now=now + timedelta(minutes=1))
        return last if self.since is None else Window(max(last.start, min(self.since, last.end - MINUTE_S)), last.end)

    def of_release(self, release: ReleaseSpan, now: datetime) -> "LiveParams":
        """As far as they are of the release's own time: at any other, its target groups served other revisions. If it has ended, all of it by default."""
        span = release.window(int(now.timestamp()) + MINUTE_S)
        fixed = self.fixed_window.overlap(span) if self.fixed_window else None
        if release.end is not None:
            fixed = fixed or span
        return replace(self, fixed_window=fixed, with_last_week=False, since=span.start)


def parse_live_params(query_params: Mapping[str, str], *, zone: ZoneInfo, sources: tuple[str, ...]) -> LiveParams:
    """The first of `sources` is the default."""
    invalid: list[InvalidParam] = []
    choice = query_params.get("window", DEFAULT_WINDOW)
    if choice not in WINDOW_CHOICES:
        invalid.append("window")
        choice = DEFAULT_WINDOW
    percentile = query_params.get("percentile", DEFAULT_PERCENTILE)
    is_fan = percentile == FAN
    if percentile not in PERCENTILES:
        if not is_fan:
            invalid.append("percentile")
        percentile = DEFAULT_PERCENTILE
    default_source = sources[0] if sources else ""
    source = query_params.get("source", default_source)
    if source not in sources:
        invalid.append("source")
        source = default_source
    fixed = None
    if "from" in query_params or "to" in query_params:
        fixed = _parse_fixed_window(query_params.get("from", ""), query_params.get("to", ""), zone)
    if isinstance(fixed, str):
        invalid.append(fixed)
        fixed = None
    kinds = parse_event_kinds(query_params.get("events"))
    if kinds is None:
        invalid.append("events")
        kinds = frozenset(EVENT_KINDS)
    compared = query_params.get("compare", "")
    if compared not in ("", LAST_WEEK):
        invalid.append("compare")
    return LiveParams(
        choice,
        fixed,
        source,
        percentile,
        REFRESH_S.get(query_params.get("refresh", ""), REFRESH_S[DEFAULT_REFRESH]),
        tuple(invalid),
        kinds,
        is_fan,
        compared == LAST_WEEK,
    )


def parse_event_kinds(text: str | None) -> frozenset[EventKind] | None:
    """The kinds of `events=weight,alert`: all if it is missing, no kind for "none". None if it names no kind that exists."""
    if text is None:
        return frozenset(EVENT_KINDS)
    names = {name.strip() for name in text.split(",")}
    kinds = frozenset(kind for kind in EVENT_KINDS if kind in names)
    return kinds if kinds or names == {NO_KINDS} else None


def format_event_kinds(kinds: Collection[EventKind]) -> str | None:
    """The inverse of `parse_event_kinds`; None for all kinds."""
    shown = [kind for kind in EVENT_KINDS if kind in kinds]
    return None if len(shown) == len(EVENT_KINDS) else ",".join(shown) or NO_KINDS


def parse_range(query_params: Mapping[str, str], *, zone: ZoneInfo) -> Window | None:
    """`from` and `to` at any distance; None if they are missing or not a range."""
    try:
        first, last = (parse_datetime(query_params.get(name, ""), zone) for name in ("from", "to"))
    except ValueError:
        return None
    return Window.between(first, last) if first < last else None


def _parse_fixed_window(start: str, end: str, zone: ZoneInfo) -> Window | InvalidParam:
    try:
        first, last = (parse_datetime(text, zone) for text in (start, end))
    except ValueError:
        return "range"
    if first >= last:
        return "range_order"
    if last - first > timedelta(minutes=MAX_WINDOW_MINUTES):
        return "range_too_long"
    return Window.between(first, max(last, first + timedelta(minutes=MIN_WINDOW_MINUTES)))


def format_time(ts: int) -> str:
    """Epoch seconds in a URL: UTC to the minute, `2026-11-22T13:10Z`."""
    return f"{datetime.fromtimestamp(ts, UTC):%Y-%m-%dT%H:%MZ}"


def time_on_axis(text: str, *, utc_offset_s: int) -> int | None:
    """Epoch seconds of a time as a chart's axis writes it, at `utc_offset_s`; None if it is invalid."""
    try:
        ts = datetime.fromisoformat(text[:26]).replace(tzinfo=UTC).timestamp() - utc_offset_s
    except (ValueError, OverflowError):
        return None
    return int(ts) if EARLIEST_S <= ts < LATEST_S else None


def range_from_drag(ends: list[str], *, utc_offset_s: int) -> Window | None:
    """The range that was dragged on a chart whose axis is at `utc_offset_s`; None if it is invalid.

    A range of less than five minutes is extended around its middle.
    """
    try:
        first, last = sorted(
            datetime.fromisoformat(end[:26]).replace(tzinfo=UTC) - timedelta(seconds=utc_offset_s) for end in ends
        )
    except (ValueError, OverflowError):
        return None
    if first.timestamp() < EARLIEST_S or last.timestamp() >= LATEST_S:
        return None
    missing = timedelta(minutes=MIN_WINDOW_MINUTES) - (last - first)
    if missing > timedelta():
        first, last = first - missing / 2, last + missing / 2
    return Window.between(first, last)
