"""A long window at a glance: the numbers of many periods merged into as many buckets as a chart has room for. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from archive.metrics.rows import NO_ROWS, Integers, Mask, Rows, Values, touching
from domain import Series, Window
from domain.window import MINUTE_S, merged

CELL_S = 600  # what numbers are merged into first; buckets of ten minutes and more are made of these
COUNTED = frozenset({"sum", "sample_count"})  # statistics that add up; of the others there is a median

_LENGTHS_S = tuple(minutes * MINUTE_S for minutes in (1, 2, 5, 10, 20, 30, 60, 120, 180, 240, 360, 720, 1440))


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

    @classmethod
    def of_each(cls, rows: Rows) -> "Cells":
        """A cell for each row."""
        return cls(rows.code, rows.ts, rows.value, rows.value, rows.value, np.ones(len(rows), dtype="int64"))

    def where(self, mask: Mask) -> "Cells":
        return Cells(*(getattr(self, name)[mask] for name in ("code", "ts", "value", "low", "high", "periods")))

    def beside(self, others: "Cells") -> "Cells":
        """These and the others."""
        names = ("code", "ts", "value", "low", "high", "periods")
        return Cells(*(np.concatenate((getattr(self, name), getattr(others, name))) for name in names))


NO_CELLS = Cells.of_each(NO_ROWS)


def bucket_s(window: Window, buckets: int) -> int:
    """The shortest usual length, in seconds, at which no more than `buckets` cover the window; whole days where even a day is too short."""
    fitting = (length_s for length_s in _LENGTHS_S if _covering(window, length_s) <= buckets)
    day_s = _LENGTHS_S[-1]
    return next(fitting, -(-_covering(window, day_s) // max(buckets, 1)) * day_s)


def overview(window: Window, length_s: int, series: Sequence[Series], cells: Cells) -> Overview:
    """Cells, whose codes are positions in `series`, as buckets of `length_s`."""
    ts = np.arange(window.start - window.start % length_s, window.end, length_s)
    dense = merge(cells, length_s, _counted(series))
    at = (dense.ts - ts[0]) // length_s
    lines = {}
    for code, one in enumerate(series):
        mine = dense.code == code
        value, low, high = (np.full(len(ts), np.nan) for _ in range(3))
        periods = np.zeros(len(ts), dtype="int64")
        spread = ((value, dense.value), (low, dense.low), (high, dense.high), (periods, dense.periods))
        for line, merged_values in spread:
            line[at[mine]] = merged_values[mine]
        lines[one] = Line(value, low, high, periods)
    return Overview(window, length_s, ts, lines)


def cells_of(rows: Rows, length_s: int, series: Sequence[Series]) -> Cells:
    """Rows, each stretch in one resolution only, merged into cells of `length_s`."""
    return merge(Cells.of_each(rows), length_s, _counted(series))


def doubtful(
    cells: Cells, period_s: Integers, covered: Mapping[int, Mapping[int, Sequence[Window]]]
) -> tuple[Window, ...]:
    """Stretches of whole ten-minute cells in which rows of a longer period meet shorter ones: which of them stand is for `rows.finest` to say.

    `cells` are of one period each, `period_s`. `covered`: by code, by period in seconds, the time that is known in that period.
    """
    found: list[Window] = []
    for code in np.unique(cells.code):
        mine, known = cells.code == code, covered.get(int(code), {})
        for each_s in np.unique(period_s[mine]):
            ts = cells.ts[mine & (period_s == each_s)]
            length_s = CELL_S if CELL_S % each_s == 0 else -(-(CELL_S + int(each_s)) // CELL_S) * CELL_S
            finer = [
                Window(int(start), int(start) + CELL_S) for start in np.unique(cells.ts[mine & (period_s < each_s)])
            ]
            finer += [window for shorter_s, windows in known.items() if shorter_s < each_s for window in windows]
            if finer:
                found += [
                    Window(int(start), int(start) + length_s) for start in ts[touching(ts, length_s, merged(finer))]
                ]
    return merged(found)


def merge(cells: Cells, length_s: int, counted: Mask) -> Cells:
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


def _counted(series: Sequence[Series]) -> Mask:
    return np.array([one.stat in COUNTED for one in series], dtype=bool)


def _covering(window: Window, length_s: int) -> int:
    around = window.aligned(length_s)
    return (around.end - around.start) // length_s
