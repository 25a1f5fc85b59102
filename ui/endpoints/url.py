"""What of the Endpoints page lives in its address: the window, the filters, the route, and what the map and the table show."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from domain import Window
from services.endpoints import Chosen
from ui.url import read_range

Choice = Literal["phase", "1h", "3h", "12h", "24h"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
DEFAULT: Choice = "phase"
MINUTES: dict[Choice, int] = {"phase": 1440, "1h": 60, "3h": 180, "12h": 720, "24h": 1440}
MAPS = ("errors", "p95")
STATUSES = ("2xx", "3xx", "4xx", "5xx")
FILE_S = 300  # the load balancer writes files of five minutes: a window ends with one
KEPT = ("window", "from", "to", "method", "host", "status", "map")
LONGEST = 300  # of a word in the address


@dataclass(frozen=True, slots=True)
class Address:
    """`fixed` is a window of its own, else `choice` counts back from now; "" is no choice. `trouble`: something made no sense and was left out."""

    choice: Choice
    fixed: Window | None
    chosen: Chosen
    route: str | None
    map: str
    every: bool
    trouble: bool

    def window(self, phase: Window, *, now: datetime) -> Window:
        """The window that is looked at; of the current phase, whose window is `phase`, its last day: across a step the two sides are not alike."""
        if self.fixed:
            return self.fixed
        end = int(now.timestamp()) // FILE_S * FILE_S
        start = end - MINUTES[self.choice] * 60
        return Window(min(max(start, phase.start), end - FILE_S) if self.choice == "phase" else start, end)


def read(parameters: Mapping[str, str], *, zone: ZoneInfo) -> Address:
    """The address's parameters, each checked."""
    choice = parameters.get("window", DEFAULT)
    status = parameters.get("status", "")
    shown = parameters.get("map", MAPS[0])
    ranged = "from" in parameters or "to" in parameters
    fixed = read_range(parameters, zone=zone) if ranged else None
    trouble = choice not in CHOICES or status not in ("", *STATUSES) or shown not in MAPS or (ranged and fixed is None)
    method, host = (parameters.get(name, "")[:LONGEST] for name in ("method", "host"))
    return Address(
        choice=next((one for one in CHOICES if one == choice), DEFAULT),
        fixed=fixed,
        chosen=Chosen(method, host, int(status[0]) if status in STATUSES else None),
        route=parameters.get("route"),
        map=shown if shown in MAPS else MAPS[0],
        every="all" in parameters,
        trouble=trouble,
    )


def link(parameters: Mapping[str, str], route: str) -> str:
    """The address of a route's own page, in the same window and with the same filters."""
    kept = {name: parameters[name] for name in KEPT if name in parameters}
    return "?" + urlencode({"route": route} | kept)
