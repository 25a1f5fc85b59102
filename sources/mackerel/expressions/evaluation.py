"""Evaluates an expression over minutes. Pure: the points come in, arrays go out.

Mackerel documents what a function computes, and not what it does with gaps. The rules here, which docs/mackerel.md explains:

- A minute without a point is a gap, never 0. diff and divide have a gap where either side has one; avg, max, min, sum, product and percentile use
  the series that have a value, and have a gap where none has.
- A division by zero is a gap.
- diff and divide pair series in order; a single one is paired with each of the other side.
- movingAverage, linearRegression and timeLeftForecast look back from each minute: later minutes never change an earlier value.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import cast

import numpy as np
import numpy.typing as npt

from domain import Window
from domain.window import MINUTE_S, merge_windows
from sources.mackerel.expressions.syntax import SELECTORS, Call, Duration, Number

FloatArray = npt.NDArray[np.float64]

MIN_REGRESSION_POINTS = 2


@dataclass(frozen=True, slots=True)
class MetricPoints:
    """The points of one metric: epoch seconds, in order, and values."""

    name: str
    times: npt.NDArray[np.int64]
    values: FloatArray


@dataclass(frozen=True, slots=True)
class Lines:
    """The series of a graph: their names, and values of shape (series, steps), NaN for a gap."""

    names: tuple[str, ...]
    values: FloatArray


@dataclass(frozen=True, slots=True)
class Steps:
    """`count` steps of `step_s` seconds from `start` (epoch seconds)."""

    start: int
    count: int
    step_s: int = MINUTE_S

    @classmethod
    def over(cls, window: Window, step_s: int = MINUTE_S) -> "Steps":
        start = window.start - window.start % step_s
        return cls(start, -(-(window.end - start) // step_s), step_s)

    @property
    def window(self) -> Window:
        return Window(self.start, self.start + self.count * self.step_s)

    def of(self, duration: Duration) -> int:
        """The number of steps nearest to a duration, at least 1."""
        return max(1, round(duration.seconds / self.step_s))

    def shifted(self, steps: int) -> "Steps":
        """As many steps, that much earlier."""
        return replace(self, start=self.start - steps * self.step_s)

    def extended(self, steps: int) -> "Steps":
        """These steps and so many before them."""
        return Steps(self.start - steps * self.step_s, self.count + steps, self.step_s)


class PairingError(ValueError):
    """diff or divide of `first` and `second` series, neither of which is one."""

    def __init__(self, function: str, first: int, second: int) -> None:
        super().__init__(f"{function}: {first} / {second}")
        self.function, self.first, self.second = function, first, second


def required_windows(expression: Call, window: Window, step_s: int = MINUTE_S) -> dict[Call, tuple[Window, ...]]:
    """The time of which each `host`, `service` and `role` of the expression is needed to evaluate it over `window`."""
    needed: dict[Call, list[Window]] = {}

    def collect(call: Call, steps: Steps) -> None:
        if call.function in SELECTORS:
            needed.setdefault(call, []).append(steps.window)
        for operand in call.operands:
            collect(operand, _steps_of_operand(call, steps))

    collect(expression, Steps.over(window, step_s))
    return {selector: merge_windows(windows) for selector, windows in needed.items()}


def evaluate(expression: Call, points: Mapping[Call, Sequence[MetricPoints]], steps: Steps) -> Lines:
    """The series of the expression over `steps`. `points`: of each `host`, `service` and `role` in it; a missing one has no series.

    Raises PairingError.
    """
    if expression.function in SELECTORS:
        return _aligned(points.get(expression, ()), steps)
    operands = [evaluate(operand, points, _steps_of_operand(expression, steps)) for operand in expression.operands]
    return _OPERATIONS[expression.function](expression, operands, steps)


def _steps_of_operand(call: Call, steps: Steps) -> Steps:
    """The steps at which the operands of `call` are needed."""
    match call.function:
        case "timeShift":
            return steps.shifted(steps.of(_duration(call)))
        case "movingAverage" | "linearRegression" | "timeLeftForecast":
            return steps.extended(steps.of(_duration(call)) - 1)
        case _:
            return steps


def _duration(call: Call) -> Duration:
    return cast(Duration, call.arguments[1])


def _number(call: Call, position: int) -> float:
    return cast(Number, call.arguments[position]).value


def _aligned(series: Sequence[MetricPoints], steps: Steps) -> Lines:
    """Each metric on the steps: the last point of a minute; of longer steps the average, as Mackerel's own."""
    values = np.full((len(series), steps.count), np.nan)
    for row, points in zip(values, series, strict=True):
        minutes, last = np.unique(points.times[::-1] // MINUTE_S, return_index=True)
        of_minutes = points.values[::-1][last]
        index = (minutes * MINUTE_S - steps.start) // steps.step_s
        inside = (index >= 0) & (index < steps.count)
        index, of_minutes = index[inside], of_minutes[inside]
        if steps.step_s == MINUTE_S:
            row[index] = of_minutes
            continue
        n = np.bincount(index, minlength=steps.count)
        total = np.bincount(index, of_minutes, minlength=steps.count)
        row[n > 0] = total[n > 0] / n[n > 0]
    return Lines(tuple(points.name for points in series), values)


def _group(_call: Call, operands: Sequence[Lines], _steps: Steps) -> Lines:
    names = tuple(name for lines in operands for name in lines.names)
    return Lines(names, np.concatenate([lines.values for lines in operands]))


def _unchanged(_call: Call, operands: Sequence[Lines], _steps: Steps) -> Lines:
    """stack is for the eye; the operand of timeShift was evaluated at the earlier time."""
    return operands[0]


def _alias(call: Call, operands: Sequence[Lines], _steps: Steps) -> Lines:
    return Lines((cast(str, call.arguments[1]),) * len(operands[0].names), operands[0].values)


def _scale(call: Call, operands: Sequence[Lines], _steps: Steps) -> Lines:
    return replace(operands[0], values=operands[0].values * _number(call, 1))


def _offset(call: Call, operands: Sequence[Lines], _steps: Steps) -> Lines:
    return replace(operands[0], values=operands[0].values + _number(call, 1))


def _fold(call: Call, operands: Sequence[Lines], _steps: Steps) -> Lines:
    """One series of many: in each step of those that have a value; NaN if none has."""
    values = operands[0].values
    gaps = np.isnan(values)
    if call.function == "percentile":
        folded = _percentile(values, _number(call, 1))
    else:
        neutral, fold = _FOLDS[call.function]
        with np.errstate(over="ignore", invalid="ignore"):
            folded = fold.reduce(np.where(gaps, neutral, values), axis=0, initial=neutral)
    if call.function == "avg":
        folded = folded / np.maximum((~gaps).sum(axis=0), 1)
    return Lines((str(call),), np.where(gaps.all(axis=0), np.nan, _finite(folded))[None, :])


# What stands for a gap, and the function.
_FOLDS: Mapping[str, tuple[float, np.ufunc]] = MappingProxyType(
    {
        "sum": (0.0, np.add),
        "avg": (0.0, np.add),
        "product": (1.0, np.multiply),
        "max": (-np.inf, np.maximum),
        "min": (np.inf, np.minimum),
    }
)


def _percentile(values: FloatArray, percentage: float) -> FloatArray:
    """Linearly interpolated between the two nearest values, as numpy does."""
    if not len(values):
        return np.full(values.shape[1], np.nan)
    ascending = np.sort(values, axis=0)  # NaN last
    n = (~np.isnan(values)).sum(axis=0)
    position = np.maximum(n - 1, 0) * percentage / 100
    lower = np.floor(position).astype(np.intp)
    low, high = (
        np.take_along_axis(ascending, at[None, :], axis=0)[0] for at in (lower, np.ceil(position).astype(np.intp))
    )
    interpolated: FloatArray = low + (high - low) * (position - lower)
    return interpolated


def _paired(call: Call, operands: Sequence[Lines], _steps: Steps) -> Lines:
    first, second = operands
    n_first, n_second = len(first.names), len(second.names)
    if not (n_first and n_second):
        return Lines((), np.empty((0, first.values.shape[1])))
    if not (n_first == n_second or n_first == 1 or n_second == 1):
        raise PairingError(call.function, n_first, n_second)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        values = first.values - second.values if call.function == "diff" else first.values / second.values
    return Lines(max(first.names, second.names, key=len), _finite(values))


def _finite(values: FloatArray) -> FloatArray:
    return np.where(np.isfinite(values), values, np.nan)


def _trailing(call: Call, operands: Sequence[Lines], steps: Steps) -> Lines:
    """A function of the last `duration` of each step. The operand begins that much earlier, less one step."""
    return replace(operands[0], values=_trailing_values(call, operands[0].values, steps))


def _trailing_values(call: Call, values: FloatArray, steps: Steps) -> FloatArray:
    width, gaps = steps.of(_duration(call)), np.isnan(values)
    present = np.where(gaps, 0.0, values)
    n = _window_sums((~gaps).astype(np.float64), width)
    if call.function == "movingAverage":
        averages = _window_sums(present, width) / np.maximum(n, 1)
        return np.where(gaps[:, width - 1 :], np.nan, averages)
    level, slope = _regression(values, gaps, n, width)
    if call.function == "linearRegression":
        return level
    with np.errstate(divide="ignore", invalid="ignore"):
        left_s = (_number(call, 2) - level) / slope * steps.step_s
    return np.where(np.isfinite(left_s) & (left_s >= 0), left_s, np.nan)


def _regression(
    values: FloatArray, gaps: npt.NDArray[np.bool_], n: FloatArray, width: int
) -> tuple[FloatArray, FloatArray]:
    """The least-squares line over each window of `width` steps: its value at the window's last step, and its slope per step."""
    centre = np.where(
        gaps.all(axis=1), 0.0, np.where(gaps, 0.0, values).sum(axis=1) / np.maximum((~gaps).sum(axis=1), 1)
    )
    y = np.where(gaps, 0.0, values - centre[:, None])
    x = np.where(gaps, 0.0, np.arange(values.shape[1], dtype=np.float64) - (values.shape[1] - 1) / 2)
    sums = {name: _window_sums(product, width) for name, product in (("x", x), ("y", y), ("xx", x * x), ("xy", x * y))}
    enough = n >= MIN_REGRESSION_POINTS
    count = np.maximum(n, 1)
    mean_x, mean_y = sums["x"] / count, sums["y"] / count
    last_x = np.arange(values.shape[1], dtype=np.float64)[width - 1 :] - (values.shape[1] - 1) / 2
    spread = np.where(enough, sums["xx"] / count - mean_x * mean_x, 1.0)
    slope = (sums["xy"] / count - mean_x * mean_y) / spread
    level = mean_y + slope * (last_x - mean_x) + centre[:, None]
    return np.where(enough, level, np.nan), np.where(enough, slope, np.nan)


def _window_sums(values: FloatArray, width: int) -> FloatArray:
    """The sums of all windows of `width` consecutive steps."""
    sums = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    differences: FloatArray = sums[:, width:] - sums[:, :-width]
    return differences


_OPERATIONS: Mapping[str, Callable[[Call, Sequence[Lines], Steps], Lines]] = MappingProxyType(
    {
        **dict.fromkeys(("avg", "max", "min", "sum", "product", "percentile"), _fold),
        **dict.fromkeys(("diff", "divide"), _paired),
        "scale": _scale,
        "offset": _offset,
        **dict.fromkeys(("movingAverage", "linearRegression", "timeLeftForecast"), _trailing),
        "group": _group,
        **dict.fromkeys(("timeShift", "stack"), _unchanged),
        "alias": _alias,
    }
)
