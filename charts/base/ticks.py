"""Ticks of a value axis, as text: with one number of decimals, a real minus sign, and the unit. plotly's own have neither."""

import math
from typing import Any

from messages.numbers import MINUS


def value_ticks(low: float, high: float, suffix: str, *, n: int = 5, signed: bool = False) -> dict[str, Any]:
    """About `n` round values from `low` to `high`. `signed`: a difference, "+0.1 pp", whose 0 has no sign."""
    step = tick_step((high - low) / n)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [index * step for index in range(first, last + 1)]

    def text(value: float) -> str:
        sign = "" if round(value / step) == 0 else MINUS if value < 0 else "+" if signed else ""
        return f"{sign}{abs(value):,.{decimals}f}{suffix}"

    return {"tickmode": "array", "tickvals": values, "ticktext": [text(value) for value in values]}


def tick_step(minimum: float) -> float:
    """The smallest of 1, 2, 5, 10, … that is at least `minimum`."""
    power = 10.0 ** math.floor(math.log10(minimum))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= minimum * (1 - 1e-9))
