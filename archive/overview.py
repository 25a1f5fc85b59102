"""A long window at a glance: the numbers of many periods merged into as many buckets as a chart has room for. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archive.rows import Integers, Rows
from migration import Series, Window
from migration.window import MINUTE_S

CELL_S = 600  # what numbers are merged into first; buckets of ten minutes and more are made of these
COUNTED = frozenset({"sum", "sample_count"})  # statistics that add up; of the others there is a median

_LENGTHS_S = tuple(minutes * MINUTE_S for minutes in (1, 2, 5, 10, 20, 30, 60, 120, 180, 240, 360, 720, 1440))

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """One series in buckets: arrays aligned with the overview's `ts`.

    `value`: the sum where periods are counted (`sum`, `sample_count`), else their median; `low`, `high`: the range of the periods merged;
    `periods`: how many there were. Where there were none the others are NaN: nothing is filled with 0.
    The median of a bucket longer than ten minutes is the median of the medians of its ten-minute cells.
    """

    value: Values
    low: Values
    high: Values
    periods: Integers


@dataclass(frozen=True, slots=True)
class Overview:
    """`window` in buckets of `bucket_s` seconds that begin at `ts` (epoch seconds, multiples of `bucket_s`).

    The first bucket may begin before the window and the last end after it; they hold what began in the window. A period counts where it begins.
    """

    window: Window
    bucket_s: int
    ts: Integers
    lines: Mapping[Series, Line]


@dataclass(frozen=True, slots=True)
class Cells:
    """Arrays of equal length: periods of one series (`code`) that began in one stretch from `ts` on, merged as a Line says."""

    code: Integers
    ts: Integers
    value: Values
    low: Values
    high: Values
    periods: Integers


def bucket_s(window: Window, buckets: int) -> int:
    """The shortest usual length, in seconds, at which no more than `buckets` cover the window; whole days where even a day is too short."""
    fitting = (length_s for length_s in _LENGTHS_S if _covering(window, length_s) <= buckets)
    day_s = _LENGTHS_S[-1]
    return next(fitting, -(-_covering(window, day_s) // max(buckets, 1)) * day_s)


def overview(window: Window, length_s: int, series: Sequence[Series], cells: Cells) -> Overview:
    """Cells, whose codes are positions in `series`, as buckets of `length_s`."""
    ts = np.arange(window.start - window.start % length_s, window.end, length_s)
    merged = merge(cells, length_s, _counted(series))
    at = (merged.ts - ts[0]) // length_s
    lines = {}
    for code, one in enumerate(series):
        mine = merged.code == code
        value, low, high = (np.full(len(ts), np.nan) for _ in range(3))
        periods = np.zeros(len(ts), dtype="int64")
        spread = ((value, merged.value), (low, merged.low), (high, merged.high), (periods, merged.periods))
        for sparse, dense in spread:
            sparse[at[mine]] = dense[mine]
        lines[one] = Line(value, low, high, periods)
    return Overview(window, length_s, ts, lines)


def cells_of(rows: Rows, length_s: int, series: Sequence[Series]) -> Cells:
    """Rows, each stretch in one resolution only, merged into cells of `length_s`."""
    every = Cells(rows.code, rows.ts, rows.value, rows.value, rows.value, np.ones(len(rows), dtype="int64"))
    return merge(every, length_s, _counted(series))


def merge(cells: Cells, length_s: int, counted: npt.NDArray[np.bool_]) -> Cells:
    """Cells merged into longer ones. `counted`: by code, whether values add up."""
    if not len(cells.ts):
        return cells
    start = cells.ts - cells.ts % length_s
    order = np.lexsort((cells.value, start, cells.code))
    code, ts, value = cells.code[order], start[order], cells.value[order]
    first = np.flatnonzero(np.concatenate(([True], (np.diff(code) != 0) | (np.diff(ts) != 0))))
    length = np.diff(np.concatenate((first, [len(ts)])))
    median = (
        value[first + (length - 1) // 2] + value[first + length // 2]
    ) / 2  # they are in the order of their values
    return Cells(
        code[first],
        ts[first],
        np.where(counted[code[first]], np.add.reduceat(value, first), median),
        np.minimum.reduceat(cells.low[order], first),
        np.maximum.reduceat(cells.high[order], first),
        np.add.reduceat(cells.periods[order], first),
    )


def _counted(series: Sequence[Series]) -> npt.NDArray[np.bool_]:
    return np.array([one.stat in COUNTED for one in series], dtype=bool)


def _covering(window: Window, length_s: int) -> int:
    around = window.aligned(length_s)
    return (around.end - around.start) // length_s
