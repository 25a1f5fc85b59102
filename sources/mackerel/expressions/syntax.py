"""The syntax tree of an expression, its 21 functions, and its canonical text."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from domain.window import DAY_S, HOUR_S, MINUTE_S

# The parameters, by their names in Mackerel's documentation.
Kind = Literal[
    "metrics",
    "hostId",
    "serviceName",
    "roleFullname",
    "metricName",
    "displayName",
    "factor",
    "threshold",
    "percentage",
    "duration",
]

# The parameters of each function; that of `group` may repeat.
FUNCTIONS: Mapping[str, tuple[Kind, ...]] = MappingProxyType(
    {
        "host": ("hostId", "metricName"),
        "service": ("serviceName", "metricName"),
        "role": ("roleFullname", "metricName"),
        "roleSlots": ("roleFullname", "metricName"),
        "avg": ("metrics",),
        "max": ("metrics",),
        "min": ("metrics",),
        "sum": ("metrics",),
        "product": ("metrics",),
        "diff": ("metrics", "metrics"),
        "divide": ("metrics", "metrics"),
        "scale": ("metrics", "factor"),
        "offset": ("metrics", "factor"),
        "percentile": ("metrics", "percentage"),
        "timeShift": ("metrics", "duration"),
        "movingAverage": ("metrics", "duration"),
        "linearRegression": ("metrics", "duration"),
        "timeLeftForecast": ("metrics", "duration", "threshold"),
        "group": ("metrics",),
        "stack": ("metrics",),
        "alias": ("metrics", "displayName"),
    }
)
SELECTORS = frozenset({"host", "service", "role", "roleSlots"})  # functions that read metrics
VARIADIC = "group"

# Mackerel does not document how long a month and a year are.
UNITS_S: Mapping[str, int] = {
    "m": MINUTE_S,
    "h": HOUR_S,
    "d": DAY_S,
    "w": 7 * DAY_S,
    "mo": 30 * DAY_S,
    "y": 365 * DAY_S,
}
_BARE = re.compile(r"[\w.*:/+-]+")


@dataclass(frozen=True, slots=True)
class Number:
    """A float, or a fraction like 1/86400. `denominator` is not 0."""

    numerator: float
    denominator: float = 1.0

    @property
    def value(self) -> float:
        return self.numerator / self.denominator

    def __str__(self) -> str:
        fraction = f"/{_float(self.denominator)}" if self.denominator != 1 else ""
        return f"{_float(self.numerator)}{fraction}"


@dataclass(frozen=True, slots=True)
class Duration:
    """`amount` of a unit: m, h, d, w, mo (30 days) or y (365 days)."""

    amount: int
    unit: str

    @property
    def seconds(self) -> int:
        return self.amount * UNITS_S[self.unit]

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}"


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments: `scale(service(Blog, foo.bar), 10)`. `depth`: of the nesting, 1 for a function without functions in it.

    str() is its text on one line, which `parse` reads as an equal tree.
    """

    function: str
    arguments: tuple["Argument", ...]
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", 1 + max((call.depth for call in self.operands), default=0))

    @property
    def operands(self) -> tuple["Call", ...]:
        """The arguments that are metrics."""
        return tuple(argument for argument in self.arguments if isinstance(argument, Call))

    def walk(self) -> Iterator["Call"]:
        """This call and all in it, in the order in which they are written."""
        yield self
        for call in self.operands:
            yield from call.walk()

    def __str__(self) -> str:
        quoted = self.function == "alias"
        return f"{self.function}({', '.join(_text(argument, quoted=quoted) for argument in self.arguments)})"


Argument = Call | Number | Duration | str


def usage(function: str) -> str:
    """`divide(metrics, metrics)`"""
    dots = ", …" if function == VARIADIC else ""
    return f"{function}({', '.join(FUNCTIONS[function])}{dots})"


def _text(argument: Argument, *, quoted: bool) -> str:
    """Names are quoted; other strings only if they have to be. There is no escape: no string has both kinds of quotes."""
    if not isinstance(argument, str):
        return str(argument)
    if _BARE.fullmatch(argument) and not quoted:
        return argument
    quote = '"' if "'" in argument else "'"
    return f"{quote}{argument}{quote}"


def _float(number: float) -> str:
    return repr(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
