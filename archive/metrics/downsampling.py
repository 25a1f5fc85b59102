"""A long window at a glance: the numbers of many periods merged into as many buckets as a chart has room for. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from archive.metrics.rows import NO_ROWS, Integers, Mask, Rows, Values, overlapping
from domain import Series, Window
from domain.window import MINUTE_S, merge_windows

ROLLUP_S = 600  # what numbers are merged into first; buckets of ten minutes and more are made of these
ADDITIVE_STATS = frozenset({"sum", "sample_count"})  # statistics that add up; of the others there is a median

_BUCKET_LENGTHS_S = tuple(minutes * MINUTE_S for minutes in (1, 2, 5, 10, 20, 30, 60, 120, 180, 240, 360, 720, 1440))


@dataclass(frozen=True, slots=True)
class BucketedSeries:
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
    series: Mapping[Series, BucketedSeries]


@dataclass(frozen=True, slots=True)
class Rollup:
    """Arrays of equal length: periods of one series (`code`) that began in one stretch from `ts` on, merged as a Line says."""

    code: Integers
    ts: Integers
    value: Values
    low: Values
    high: Values
    periods: Integers

    @classmethod
    def from_rows(cls, rows: Rows) -> "Rollup":
        """A cell for each row."""
        return cls(rows.code, rows.ts, rows.value, rows.value, rows.value, np.ones(len(rows), dtype="int64"))

    def where(self, mask: Mask) -> "Rollup":
        return Rollup(*(getattr(self, name)[mask] for name in ("code", "ts", "value", "low", "high", "periods")))

    def concat(self, other: "Rollup") -> "Rollup":
        """These and the others."""
        names = ("code", "ts", "value", "low", "high", "periods")
        return Rollup(*(np.concatenate((getattr(self, name), getattr(other, name))) for name in names))


EMPTY_ROLLUP = Rollup.from_rows(NO_ROWS)


def choose_bucket_s(window: Window, max_buckets: int) -> int:
    """The shortest usual length, in seconds, at which no more than `buckets` cover the window; whole days where even a day is too short."""
    fitting = (length_s for length_s in _BUCKET_LENGTHS_S if _bucket_count(window, length_s) <= max_buckets)
    day_s = _BUCKET_LENGTHS_S[-1]
    return next(fitting, -(-_bucket_count(window, day_s) // max(max_buckets, 1)) * day_s)


def downsample(window: Window, bucket_s: int, series: Sequence[Series], rollup: Rollup) -> Overview:
    """Cells, whose codes are positions in `series`, as buckets of `length_s`."""
    ts = np.arange(window.start - window.start % bucket_s, window.end, bucket_s)
    dense = merge_rollup(rollup, bucket_s, _additive(series))
    at = (dense.ts - ts[0]) // bucket_s
    lines = {}
    for code, one in enumerate(series):
        mine = dense.code == code
        value, low, high = (np.full(len(ts), np.nan) for _ in range(3))
        periods = np.zeros(len(ts), dtype="int64")
        spread = ((value, dense.value), (low, dense.low), (high, dense.high), (periods, dense.periods))
        for line, merged_values in spread:
            line[at[mine]] = merged_values[mine]
        lines[one] = BucketedSeries(value, low, high, periods)
    return Overview(window, bucket_s, ts, lines)


def roll_up(rows: Rows, length_s: int, series: Sequence[Series]) -> Rollup:
    """Rows, each stretch in one resolution only, merged into cells of `length_s`."""
    return merge_rollup(Rollup.from_rows(rows), length_s, _additive(series))


def mixed_resolution(
    rollup: Rollup, period_s: Integers, covered: Mapping[int, Mapping[int, Sequence[Window]]]
) -> tuple[Window, ...]:
    """Stretches of whole ten-minute cells in which rows of a longer period meet shorter ones: which of them stand is for `rows.finest` to say.

    `cells` are of one period each, `period_s`. `covered`: by code, by period in seconds, the time that is known in that period.
    """
    found: list[Window] = []
    for code in np.unique(rollup.code):
        mine, known = rollup.code == code, covered.get(int(code), {})
        for each_s in np.unique(period_s[mine]):
            ts = rollup.ts[mine & (period_s == each_s)]
            length_s = ROLLUP_S if ROLLUP_S % each_s == 0 else -(-(ROLLUP_S + int(each_s)) // ROLLUP_S) * ROLLUP_S
            finer = [
                Window(int(start), int(start) + ROLLUP_S) for start in np.unique(rollup.ts[mine & (period_s < each_s)])
            ]
            finer += [window for shorter_s, windows in known.items() if shorter_s < each_s for window in windows]
            if finer:
                found += [
                    Window(int(start), int(start) + length_s)
                    for start in ts[overlapping(ts, length_s, merge_windows(finer))]
                ]
    return merge_windows(found)


def merge_rollup(rollup: Rollup, length_s: int, additive: Mask) -> Rollup:
    """Cells merged into longer ones. `counted`: by code, whether values add up."""
    if not len(rollup.ts):
        return rollup
    start = rollup.ts - rollup.ts % length_s
    order = np.lexsort((rollup.value, start, rollup.code))
    code, ts, value = rollup.code[order], start[order], rollup.value[order]
    first = np.flatnonzero(np.concatenate(([True], (np.diff(code) != 0) | (np.diff(ts) != 0))))
    length = np.diff(np.concatenate((first, [len(ts)])))
    median = (
        value[first + (length - 1) // 2] + value[first + length // 2]
    ) / 2  # they are in the order of their values
    return Rollup(
        code[first],
        ts[first],
        np.where(additive[code[first]], np.add.reduceat(value, first), median),
        np.minimum.reduceat(rollup.low[order], first),
        np.maximum.reduceat(rollup.high[order], first),
        np.add.reduceat(rollup.periods[order], first),
    )


def _additive(series: Sequence[Series]) -> Mask:
    return np.array([one.stat in ADDITIVE_STATS for one in series], dtype=bool)


def _bucket_count(window: Window, length_s: int) -> int:
    around = window.aligned(length_s)
    return (around.end - around.start) // length_s
