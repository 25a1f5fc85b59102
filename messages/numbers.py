"""Formatting of numbers: as many digits as needed, a unit, a real minus sign, and "–" for a missing number.

Independent of language and locale. Rates, shares and differences are fractions (0–1), times are in seconds.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import wraps
from math import isfinite

NONE = "–"
MINUS = "−"
Number = float | int | Fraction


def _optional(format_number: Callable[[float], str]) -> Callable[[Number | None], str]:
    """The formatter with NONE for None, NaN and infinity."""

    @wraps(format_number)
    def formatter(number: Number | None) -> str:
        value = float("nan") if number is None else float(number)
        return format_number(value) if isfinite(value) else NONE

    return formatter


@_optional
def percent(fraction: float) -> str:
    """A rate: "12.3%", "1.24%", "0.21%", "0.004%", "< 0.001%", "0%"; as exact near 100% as near 0."""
    value = fraction * 100
    if value in (0, 100):
        return f"{value:.0f}%"
    if value > 100:
        return f"{value:,.1f}%"
    if value > 99.999:
        return "> 99.999%"
    if 0 < value < 0.001:
        return "< 0.001%"
    return f"{_adaptive(value, min(abs(value), 100 - value))}%"


@_optional
def share(fraction: float) -> str:
    """A share of the traffic with one decimal: "49.8%"; "0.0%" and "100.0%" are exact."""
    value = round(fraction * 100, 9)  # 0.999 × 100 is 99.9 in spite of binary fractions
    if 0 < value < 0.1:
        return "< 0.1%"
    if 99.9 < value < 100:
        return "> 99.9%"
    return f"{value:.1f}%"


@_optional
def configured_share(fraction: float) -> str:
    """A share as it was set: "50%", "0.1%", "33.3%"; `share` without needless decimals."""
    return share(fraction).replace(".0%", "%")


@_optional
def points(difference: float) -> str:
    """A difference of rates in percentage points: "+0.06 pp", "−0.004 pp"; "±0 pp" if it is 0 to three decimals."""
    value = difference * 100
    return f"{_signed(value, _adaptive(abs(value), abs(value)))} pp"


@_optional
def milliseconds(seconds: float) -> str:
    """A latency: "4.2 ms", "284 ms", "1.24 s", "12.4 s"."""
    return f"{MINUS if seconds < 0 else ''}{_time(abs(seconds))}"


@_optional
def signed_milliseconds(seconds: float) -> str:
    """A difference of latencies: "+12 ms", "−3.4 ms", "+1.24 s", "±0 ms"."""
    digits, unit = _time(abs(seconds)).split(" ")
    return f"{_signed(seconds, digits)} {unit}"


@_optional
def relative(fraction: float) -> str:
    """A relative difference: "+12.3%", "−4.1%", "±0%"."""
    return f"{_signed(fraction, f'{abs(fraction) * 100:,.1f}')}%"


@_optional
def count(number: float) -> str:
    """A count: "8,412", "1.2M", "2.6B"."""
    sign, value = (MINUS if round(number) < 0 else ""), abs(number)
    if value < 999_999.5:
        return f"{sign}{value:,.0f}"
    return f"{sign}{value / 1e6:.1f}M" if value < 999.95e6 else f"{sign}{value / 1e9:,.1f}B"


@_optional
def per_minute(number: float) -> str:
    """A rate of requests: "8,412/min"; below ten with one decimal."""
    return f"{number:.1f}/min" if 0 < number < 9.95 else f"{count(number)}/min"


@_optional
def plain_value(number: float) -> str:
    """A number in a unit of its own, to three digits: "0.042", "12.3", "8,412", "1.2M"."""
    return f"{MINUS if number < 0 else ''}{_three_digits(abs(number))}"


@_optional
def signed_value(difference: float) -> str:
    """A difference of such numbers: "+0.042", "−12.3", "±0"."""
    return _signed(difference, _three_digits(abs(difference)))


def interval(lower: str, upper: str) -> str:
    """Two formatted bounds with their common unit once: "−0.004 … +0.011 pp", "−1.0 … +4.0%", "−3 ms … +1.24 s"."""
    for unit in (" pp", " ms", " s", "%"):
        if lower.endswith(unit) and upper.endswith(unit):
            lower = lower.removesuffix(unit)
    return f"{lower} … {upper}"


def threshold(seconds: Number) -> str:
    """A latency threshold: "100 ms", "1 s", "1.5 s"."""
    value = float(seconds)
    return f"{value * 1000:g} ms" if value < 1 else f"{value:g} s"


def _adaptive(value: float, distance: float) -> str:
    """`value` with 1 to 3 decimals: the more, the smaller its `distance` from 0 or 100."""
    if distance >= 9.995:
        return f"{value:,.1f}"
    if distance >= 0.0995:
        return f"{value:.2f}"
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _three_digits(size: float) -> str:
    if size >= 99.95:
        return count(size)
    decimals = next(
        (decimals for decimals, limit in enumerate((99.95, 9.995, 0.9995, 0.09995, 0.009995)) if size >= limit), 5
    )
    return f"{size:.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{size:.0f}"


def _time(seconds: float) -> str:
    if seconds < 0.00995:
        return f"{seconds * 1000:.1f}".removesuffix(".0") + " ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:,.1f} s"


def _signed(value: float, digits: str) -> str:
    """`digits`, the formatted absolute value, with the sign of `value`; "±0" if all digits are 0."""
    if not digits.strip("0.,"):
        return "±0"
    return f"{MINUS if value < 0 else '+'}{digits}"
