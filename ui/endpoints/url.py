"""What of the Endpoints page lives in its address: the window, the filters, the route, and what the map and the table show."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from domain import Window
from services.endpoints import RequestFilter
from ui.url import parse_range

WindowChoice = Literal["phase", "1h", "3h", "12h", "24h"]
WINDOW_CHOICES: tuple[WindowChoice, ...] = get_args(WindowChoice)
DEFAULT_WINDOW: WindowChoice = "phase"
WINDOW_MINUTES: dict[WindowChoice, int] = {"phase": 1440, "1h": 60, "3h": 180, "12h": 720, "24h": 1440}
MAPS = ("errors", "p95")
STATUSES = ("2xx", "3xx", "4xx", "5xx")
LOG_FILE_S = 300  # the load balancer writes files of five minutes: a window ends with one
LINK_PARAMS = ("window", "from", "to", "method", "host", "status", "map")
MAX_PARAM_LENGTH = 300  # of a word in the address


@dataclass(frozen=True, slots=True)
class EndpointsParams:
    """`fixed` is a window of its own, else `choice` counts back from now; "" is no choice. `trouble`: something made no sense and was left out."""

    window_choice: WindowChoice
    fixed_window: Window | None
    filters: RequestFilter
    route: str | None
    map: str
    show_all: bool
    has_invalid_params: bool

    def window(self, phase: Window, *, now: datetime) -> Window:
        """The window that is looked at; of the current phase, whose window is `phase`, its last day: across a step the two sides are not alike."""
        if self.fixed_window:
            return self.fixed_window
        end = int(now.timestamp()) // LOG_FILE_S * LOG_FILE_S
        start = end - WINDOW_MINUTES[self.window_choice] * 60
        return Window(min(max(start, phase.start), end - LOG_FILE_S) if self.window_choice == "phase" else start, end)


def parse_endpoints_params(query_params: Mapping[str, str], *, zone: ZoneInfo) -> EndpointsParams:
    """The address's parameters, each checked."""
    choice = query_params.get("window", DEFAULT_WINDOW)
    status = query_params.get("status", "")
    shown = query_params.get("map", MAPS[0])
    ranged = "from" in query_params or "to" in query_params
    fixed = parse_range(query_params, zone=zone) if ranged else None
    trouble = (
        choice not in WINDOW_CHOICES or status not in ("", *STATUSES) or shown not in MAPS or (ranged and fixed is None)
    )
    method, host = (query_params.get(name, "")[:MAX_PARAM_LENGTH] for name in ("method", "host"))
    return EndpointsParams(
        window_choice=next((one for one in WINDOW_CHOICES if one == choice), DEFAULT_WINDOW),
        fixed_window=fixed,
        filters=RequestFilter(method, host, int(status[0]) if status in STATUSES else None),
        route=query_params.get("route"),
        map=shown if shown in MAPS else MAPS[0],
        show_all="all" in query_params,
        has_invalid_params=trouble,
    )


def route_link(query_params: Mapping[str, str], route: str) -> str:
    """The address of a route's own page, in the same window and with the same filters."""
    kept = {name: query_params[name] for name in LINK_PARAMS if name in query_params}
    return "?" + urlencode({"route": route} | kept)
