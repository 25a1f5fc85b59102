"""How numbers are written: as many digits as a reader can use, a unit on each, a real minus, and "–" where there is no number.

The same in every language and locale. Rates, shares and differences come as fractions (0–1), times in seconds.
"""

from fractions import Fraction
from math import isfinite

NONE = "–"
MINUS = "−"
Number = float | int | Fraction


def percent(fraction: Number | None) -> str:
    """A rate: "12.3 %", "1.24 %", "0.21 %", "0.004 %", "< 0.001 %", "0 %". Close to 100 % it is as exact as close to 0."""
    value = _finite(fraction)
    if value is None:
        return NONE
    value *= 100
    if value in (0, 100):
        return f"{value:.0f} %"
    if value > 100:
        return f"{value:,.1f} %"
    if value > 99.999:
        return "> 99.999 %"
    if 0 < value < 0.001:
        return "< 0.001 %"
    return f"{_adaptive(value, min(abs(value), 100 - value))} %"


def share(fraction: Number | None) -> str:
    """A share of the traffic, with exactly one decimal: "49.8 %". What is neither nothing nor all is never written as "0.0 %" or "100.0 %"."""
    value = _finite(fraction)
    if value is None:
        return NONE
    value = round(value * 100, 9)  # 0.999 × 100 is 99.9, whatever binary makes of it
    if 0 < value < 0.1:
        return "< 0.1 %"
    if 99.9 < value < 100:
        return "> 99.9 %"
    return f"{value:.1f} %"


def points(difference: Number | None) -> str:
    """The difference of two rates: "+0.06 pp", "−0.004 pp"; "±0 pp" where it vanishes at three decimals."""
    value = _finite(difference)
    if value is None:
        return NONE
    value *= 100
    return f"{_signed(value, _adaptive(abs(value), abs(value)))} pp"


def milliseconds(seconds: Number | None) -> str:
    """How long something took: "4.2 ms", "284 ms", "1.24 s", "12.4 s"."""
    value = _finite(seconds)
    return NONE if value is None else f"{MINUS if value < 0 else ''}{_time(abs(value))}"


def signed_milliseconds(seconds: Number | None) -> str:
    """The difference of two times: "+12 ms", "−3.4 ms", "+1.24 s", "±0 ms"."""
    value = _finite(seconds)
    if value is None:
        return NONE
    digits, unit = _time(abs(value)).split(" ")
    return f"{_signed(value, digits)} {unit}"


def relative(fraction: Number | None) -> str:
    """A relative difference: "+12.3 %", "−4.1 %", "±0 %"."""
    value = _finite(fraction)
    return NONE if value is None else f"{_signed(value, f'{abs(value) * 100:,.1f}')} %"


def count(number: Number | None) -> str:
    """How many: "8,412", "1.2 M", "2.6 G"."""
    value = _finite(number)
    if value is None:
        return NONE
    sign, value = (MINUS if round(value) < 0 else ""), abs(value)
    if value < 999_999.5:
        return f"{sign}{value:,.0f}"
    return f"{sign}{value / 1e6:.1f} M" if value < 999.95e6 else f"{sign}{value / 1e9:,.1f} G"


def per_minute(number: Number | None) -> str:
    """A rate of requests: "8,412 /min"; below ten with one decimal, because a canary may see less than one a minute."""
    value = _finite(number)
    if value is None:
        return NONE
    return f"{value:.1f} /min" if 0 < value < 9.95 else f"{count(value)} /min"


def threshold(seconds: Number) -> str:
    """A threshold as people say it: "100 ms", "1 s", "1.5 s"."""
    value = float(seconds)
    return f"{value * 1000:g} ms" if value < 1 else f"{value:g} s"


def _finite(number: Number | None) -> float | None:
    value = float("nan") if number is None else float(number)
    return value if isfinite(value) else None


def _adaptive(value: float, distance: float) -> str:
    """`value` with the decimals that a number `distance` away from 0 (or 100) needs: 1, 2 or at most 3; then no trailing zeros."""
    if distance >= 9.995:
        return f"{value:,.1f}"
    if distance >= 0.0995:
        return f"{value:.2f}"
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _time(seconds: float) -> str:
    if seconds < 0.00995:
        return f"{seconds * 1000:.1f}".removesuffix(".0") + " ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:,.1f} s"


def _signed(value: float, digits: str) -> str:
    """`digits`, the absolute value as written, with the sign of `value`; nothing but zeros has none."""
    if not digits.strip("0.,"):
        return "±0"
    return f"{MINUS if value < 0 else '+'}{digits}"
