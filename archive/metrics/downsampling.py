"""A long window in few buckets: points merged into ten-minute rollups, and these into buckets for a chart. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from archive.metrics.rows import NO_ROWS, CoveredByCode, Integers, Mask, Rows, Values, overlapping
from domain import Series, Window
from domain.series import OWN_COUNTS
from domain.window import MINUTE_S, merge_windows

ROLLUP_S = 600  # the length of a stored rollup; longer buckets are made of rollups
ADDITIVE_STATS = frozenset(
    {"sum", "sample_count", *OWN_COUNTS}
)  # buckets have their sum; the median of other statistics

_BUCKET_LENGTHS_S = tuple(minutes * MINUTE_S for minutes in (1, 2, 5, 10, 20, 30, 60, 120, 180, 240, 360, 720, 1440))
_COLUMNS = ("code", "ts", "value", "low", "high", "periods")


@dataclass(frozen=True, slots=True)
class BucketedSeries:
    """One series in buckets: arrays aligned with the overview's `ts`, NaN in buckets without periods.

    `value`: the sum of additive statistics (`sum`, `sample_count`), else the median of the periods; `low`, `high`: their range;
    `periods`: their number. In a bucket longer than ten minutes it is the median of the ten-minute medians.
    """

    value: Values
    low: Values
    high: Values
    periods: Integers


@dataclass(frozen=True, slots=True)
class Overview:
    """`window` in buckets of `bucket_s` seconds that start at `ts` (epoch seconds, multiples of `bucket_s`).

    The first bucket may start before the window and the last may end after it; they hold the periods that start inside the window.
    """

    window: Window
    bucket_s: int
    ts: Integers
    series: Mapping[Series, BucketedSeries]

    def minutes_of(self, windows: Iterable[Window]) -> Values:
        """How many minutes of each bucket lie inside `windows` (apart, in order) and inside this window."""
        ends = np.append(self.ts, self.ts[-1] + self.bucket_s)
        total = np.zeros(len(ends))
        for window in windows:
            if inside := window.overlap(self.window):
                total += np.clip(ends, inside.start, inside.end) - inside.start
        return np.diff(total) / MINUTE_S


@dataclass(frozen=True, slots=True)
class Rollup:
    """Arrays of equal length: the periods of one series (`code`) that start in one interval from `ts`, merged as in BucketedSeries."""

    code: Integers
    ts: Integers
    value: Values
    low: Values
    high: Values
    periods: Integers

    @classmethod
    def from_rows(cls, rows: Rows) -> "Rollup":
        """One entry for each row."""
        return cls(rows.code, rows.ts, rows.value, rows.value, rows.value, np.ones(len(rows), dtype="int64"))

    def where(self, mask: Mask) -> "Rollup":
        return Rollup(*(getattr(self, name)[mask] for name in _COLUMNS))

    def concat(self, other: "Rollup") -> "Rollup":
        return Rollup(*(np.concatenate((getattr(self, name), getattr(other, name))) for name in _COLUMNS))


EMPTY_ROLLUP = Rollup.from_rows(NO_ROWS)


def choose_bucket_s(window: Window, max_buckets: int) -> int:
    """The shortest of the usual lengths (seconds) with at most `max_buckets` buckets; whole days if a day is too short."""
    fitting = (length_s for length_s in _BUCKET_LENGTHS_S if _bucket_count(window, length_s) <= max_buckets)
    day_s = _BUCKET_LENGTHS_S[-1]
    return next(fitting, -(-_bucket_count(window, day_s) // max(max_buckets, 1)) * day_s)


def downsample(window: Window, bucket_s: int, series: Sequence[Series], rollup: Rollup) -> Overview:
    """A rollup, whose codes are positions in `series`, as buckets of `bucket_s`."""
    ts = np.arange(window.start - window.start % bucket_s, window.end, bucket_s)
    merged = merge_rollup(rollup, bucket_s, _additive(series))
    at = (merged.ts - ts[0]) // bucket_s
    bucketed = {}
    for code, item in enumerate(series):
        of_series = merged.code == code
        value, low, high = (np.full(len(ts), np.nan) for _ in range(3))
        periods = np.zeros(len(ts), dtype="int64")
        for target, source in (
            (value, merged.value),
            (low, merged.low),
            (high, merged.high),
            (periods, merged.periods),
        ):
            target[at[of_series]] = source[of_series]
        bucketed[item] = BucketedSeries(value, low, high, periods)
    return Overview(window, bucket_s, ts, bucketed)


def roll_up(rows: Rows, length_s: int, series: Sequence[Series]) -> Rollup:
    """Rows of one resolution at a time, merged into intervals of `length_s`."""
    return merge_rollup(Rollup.from_rows(rows), length_s, _additive(series))


def mixed_resolution(rollup: Rollup, period_s: Integers, covered: CoveredByCode) -> tuple[Window, ...]:
    """Time (whole ten minutes) in which rows of a longer period overlap shorter ones, so that `rows.finest_resolution` must choose.

    Each entry of `rollup` is of one period, `period_s`.
    """
    mixed: list[Window] = []
    for code in np.unique(rollup.code):
        of_series, periods = rollup.code == code, covered.get(int(code), {})
        for coarse_s in np.unique(period_s[of_series]):
            ts = rollup.ts[of_series & (period_s == coarse_s)]
            length_s = ROLLUP_S if ROLLUP_S % coarse_s == 0 else -(-(ROLLUP_S + int(coarse_s)) // ROLLUP_S) * ROLLUP_S
            finer = [
                Window(int(start), int(start) + ROLLUP_S)
                for start in np.unique(rollup.ts[of_series & (period_s < coarse_s)])
            ]
            finer += [window for fine_s, windows in periods.items() if fine_s < coarse_s for window in windows]
            if finer:
                starts = ts[overlapping(ts, length_s, merge_windows(finer))]
                mixed += [Window(int(start), int(start) + length_s) for start in starts]
    return merge_windows(mixed)


def merge_rollup(rollup: Rollup, length_s: int, additive: Mask) -> Rollup:
    """Merges into longer intervals. `additive`: by code, whether values are summed."""
    if not len(rollup.ts):
        return rollup
    start = rollup.ts - rollup.ts % length_s
    order = np.lexsort((rollup.value, start, rollup.code))
    code, ts, value = rollup.code[order], start[order], rollup.value[order]
    first = np.flatnonzero(np.concatenate(([True], (np.diff(code) != 0) | (np.diff(ts) != 0))))
    length = np.diff(np.concatenate((first, [len(ts)])))
    median = (value[first + (length - 1) // 2] + value[first + length // 2]) / 2  # sorted by value
    return Rollup(
        code[first],
        ts[first],
        np.where(additive[code[first]], np.add.reduceat(value, first), median),
        np.minimum.reduceat(rollup.low[order], first),
        np.maximum.reduceat(rollup.high[order], first),
        np.add.reduceat(rollup.periods[order], first),
    )


def _additive(series: Sequence[Series]) -> Mask:
    return np.array([item.stat in ADDITIVE_STATS for item in series], dtype=bool)


def _bucket_count(window: Window, length_s: int) -> int:
    aligned = window.aligned(length_s)
    return (aligned.end - aligned.start) // length_s
