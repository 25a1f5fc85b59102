"""The query parameters of the Endpoints page: the window, the filters, the route, and what the table and the map show."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from analysis import VERDICTS, Verdict
from domain import Window
from domain.window import MINUTE_S
from services.endpoints import RequestFilter
from sources.access_logs.filenames import FILE_INTERVAL_S
from ui.sorting import Sort, parse_sort
from ui.url import parse_range

LogWindowChoice = Literal["phase", "1h", "3h", "12h", "24h"]
WINDOW_CHOICES: tuple[LogWindowChoice, ...] = get_args(LogWindowChoice)
DEFAULT_WINDOW: LogWindowChoice = "phase"
WINDOW_MINUTES: dict[LogWindowChoice, int] = {"phase": 1440, "1h": 60, "3h": 180, "12h": 720, "24h": 1440}
MAPS = ("errors", "p95")
STATUSES = ("2xx", "3xx", "4xx", "5xx")
LINK_PARAMS = ("window", "from", "to", "method", "host", "status", "map", "q", "verdict", "sort")
SORT_COLUMNS = ("route", "requests", "errors", "difference", "p95")
MAX_PARAM_LENGTH = 300
MAX_TRACE_LENGTH = 1000  # of a header with a trace id
MAX_PAGE_DIGITS = 6


@dataclass(frozen=True, slots=True)
class EndpointsParams:
    """`fixed_window`: the range of the URL, else `window_choice` counts back from now. Invalid parameters have their default.

    `range_clipped`: the range of the URL is longer than MAX_WINDOW_MINUTES or ends in the future; `fixed_window` is what remains of it.
    `search`: a part of the routes' names; `verdict`, `sort`: None for all, and for the worst first.
    `trace`: the trace id of one request, as it was entered; None without one.
    `page`: of the table of routes, from 1; there may be fewer pages.
    """

    window_choice: LogWindowChoice
    fixed_window: Window | None
    filters: RequestFilter
    route: str | None
    map: str
    page: int
    has_invalid_params: bool
    range_clipped: bool = False
    search: str = ""
    verdict: Verdict | None = None
    sort: Sort | None = None
    trace: str | None = None

    def window(self, phase: Window, *, now: datetime) -> Window:
        """The window to show, up to the newest complete log file. "phase": at most the last day of the current phase."""
        if self.fixed_window:
            return self.fixed_window
        end = _newest_complete_file(now)
        start = end - WINDOW_MINUTES[self.window_choice] * MINUTE_S
        return Window(
            min(max(start, phase.start), end - FILE_INTERVAL_S) if self.window_choice == "phase" else start, end
        )


def _newest_complete_file(now: datetime) -> int:
    return int(now.timestamp()) // FILE_INTERVAL_S * FILE_INTERVAL_S


def parse_endpoints_params(query_params: Mapping[str, str], *, zone: ZoneInfo, now: datetime) -> EndpointsParams:
    choice = query_params.get("window", DEFAULT_WINDOW)
    status = query_params.get("status", "")
    map_choice = query_params.get("map", MAPS[0])
    has_range = "from" in query_params or "to" in query_params
    selected = parse_range(query_params, zone=zone) if has_range else None
    past = Window(0, _newest_complete_file(now) + FILE_INTERVAL_S)
    fixed = selected.clip(past) if selected else None
    verdict, sort = query_params.get("verdict", ""), parse_sort(query_params.get("sort", ""), SORT_COLUMNS)
    is_valid = choice in WINDOW_CHOICES and status in ("", *STATUSES) and map_choice in MAPS
    is_valid = is_valid and verdict in ("", *VERDICTS) and (sort is not None or not query_params.get("sort"))
    method, host, search = (query_params.get(name, "")[:MAX_PARAM_LENGTH] for name in ("method", "host", "q"))
    return EndpointsParams(
        window_choice=next((item for item in WINDOW_CHOICES if item == choice), DEFAULT_WINDOW),
        fixed_window=fixed,
        filters=RequestFilter(method, host, int(status[0]) if status in STATUSES else None),
        route=query_params.get("route"),
        map=map_choice if map_choice in MAPS else MAPS[0],
        page=_parse_page(query_params.get("page", "")),
        has_invalid_params=not is_valid or (has_range and fixed is None),
        range_clipped=fixed is not None and fixed != selected,
        search=search.strip(),
        verdict=next((item for item in VERDICTS if item == verdict), None),
        sort=sort,
        trace=query_params.get("trace", "")[:MAX_TRACE_LENGTH] or None,
    )


def _parse_page(text: str) -> int:
    """The first page if it is not a number."""
    return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) <= MAX_PAGE_DIGITS else 1


def kept_params(query_params: Mapping[str, str]) -> dict[str, str]:
    """The parameters that links to routes and orders keep."""
    return {name: query_params[name] for name in LINK_PARAMS if name in query_params}


def route_link(query_params: Mapping[str, str], route: str) -> str:
    """The URL of a route's page, with the same window and filters."""
    return "?" + urlencode({"route": route} | kept_params(query_params))
