"""A probe's result: what both fleets answered to the same request, and where the answers differ."""

from dataclasses import dataclass
from typing import Literal

from domain.series import FleetName

PROBE = "probe"  # the source
# Why no answer could be read.
ProbeError = Literal["", "unreachable", "timeout", "tls", "too_large", "bad_reply"]
ProbeState = Literal["same", "different", "unexpected", "failed", "refused"]
# Why nothing was sent.
ProbeRefusal = Literal[
    "",
    "no_traffic",
    "no_header_rule",
    "not_told_apart",
    "other_path",
    "regex_header",
    "foreign_host",
    "no_dns",
    "earlier_rule",
]


@dataclass(frozen=True, slots=True)
class Answer:
    """One response. `status` 0: none, see `error`. `headers`: lower-case names; `body`: decoded, at most the ceiling. `seconds`: to its end."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    seconds: float = 0.0
    error: ProbeError = ""

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


@dataclass(frozen=True, slots=True)
class Difference:
    """`feature`: "status", "header cache-control", "redirect", "json $.a[].b", "text", …; the values of each fleet, shortened."""

    feature: str
    baseline: str
    canary: str


@dataclass(frozen=True, slots=True)
class SideResult:
    """The answers of one fleet. `statuses`: each with its number; `seconds`: of each answer, sorted; `header`: that led to it, "" without one."""

    fleet: FleetName
    header: str
    statuses: tuple[tuple[int, int], ...] = ()
    errors: tuple[tuple[ProbeError, int], ...] = ()
    seconds: tuple[float, ...] = ()
    bytes: int | None = None  # of the decoded body: the median


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """`ts`: epoch seconds of its start. `ignored`: the features that vary within one fleet, and are not compared: the rules that it proposes itself.

    `header`: the configured one; "": that of the rule. `earlier_rule`: that takes the request, or may: its listener and priority, "HTTPS:443 5".
    """

    key: str
    ts: int
    method: str
    path: str
    host: str
    expect: int
    requests: int
    state: ProbeState
    refusal: ProbeRefusal = ""
    sides: tuple[SideResult, ...] = ()
    differences: tuple[Difference, ...] = ()
    ignored: tuple[str, ...] = ()
    header: str = ""
    earlier_rule: str = ""
