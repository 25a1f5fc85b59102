"""Points as NumPy arrays, between the database and the tidy frame. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from domain import Series, Window, assemble, epoch_s
from domain.frame import LABEL_COLUMNS
from domain.window import MINUTE_S, merge_windows
from sources.base import AnsweredRange

Integers = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# By code (position in a sequence of series), by period in seconds.
CoveredByCode = Mapping[int, Mapping[int, Sequence[Window]]]

# The units of Rows.key: a period has at most 1,440 minutes, and `ts` less than 2**30 for two thousand years.
KEY_MINUTE, KEY_SERIES = 1 << 12, 1 << 42


@dataclass(frozen=True, slots=True)
class Rows:
    """Arrays of equal length. `code` is the position of the row's series in some sequence; `ts` is the period's start in epoch seconds."""

    code: Integers
    ts: Integers
    period_s: Integers
    value: Values

    def __len__(self) -> int:
        return len(self.code)

    def where(self, mask: Mask | Integers) -> "Rows":
        return Rows(self.code[mask], self.ts[mask], self.period_s[mask], self.value[mask])

    def key(self) -> Integers:
        """One integer a row, equal only for the same period of the same series."""
        return self.code * KEY_SERIES + self.ts // MINUTE_S * KEY_MINUTE + self.period_s // MINUTE_S

    def isin(self, other: "Rows", *, with_value: bool = False) -> Mask:
        """Which rows have the key of a row in `other`, and the same value if `with_value`."""
        if not len(other):
            return np.zeros(len(self), dtype=bool)
        order = np.argsort(other.key())
        other_keys, keys = other.key()[order], self.key()
        at = np.minimum(np.searchsorted(other_keys, keys), len(other_keys) - 1)
        same: Mask = other_keys[at] == keys
        return same & (other.value[order][at] == self.value) if with_value else same

    def merged_over(self, below: "Rows") -> "Rows":
        """These rows, and those of `below` with other keys."""
        return concat((self, below.where(~below.isin(self))))

    def floor_to(self, length_s: int) -> "Rows":
        """`ts` rounded down to a multiple of `length_s`."""
        return Rows(self.code, self.ts - self.ts % length_s, self.period_s, self.value)

    def frame(self, series: Sequence[Series]) -> pd.DataFrame:
        """The tidy frame, sorted by time."""
        ordered = self.where(np.argsort(self.ts, kind="stable"))
        return assemble(series, ordered.code, ordered.ts, ordered.value, ordered.period_s)


_EMPTY = np.array([], dtype="int64")
NO_ROWS = Rows(_EMPTY, _EMPTY, _EMPTY, _EMPTY.astype("float64"))


def concat(parts: Iterable[Rows]) -> Rows:
    parts = (NO_ROWS, *parts)
    code, ts, period_s = (
        np.concatenate([getattr(rows, name) for rows in parts]) for name in ("code", "ts", "period_s")
    )
    return Rows(code, ts, period_s, np.concatenate([rows.value for rows in parts]))


def rows_from_sql(records: Iterable[tuple[int, float]], ids: Sequence[int]) -> Rows:
    """Rows of records of a Rows.key, with a series id as its code, and a value; a code is the position of the series id in `ids`."""
    table = np.fromiter(records, dtype=[("key", np.int64), ("value", np.float64)])
    return Rows(*split_key(table["key"], ids), np.ascontiguousarray(table["value"]))


def split_key(key: Integers, ids: Sequence[int]) -> tuple[Integers, Integers, Integers]:
    """`code`, `ts` and `period_s` of Rows.key with a series id as its code; a code is the position of the series id in `ids`."""
    series_id, rest = np.divmod(key, KEY_SERIES)
    minute, period = np.divmod(rest, KEY_MINUTE)
    position = np.zeros(max(ids, default=0) + 1, dtype="int64")  # by series id
    position[np.asarray(ids, dtype="int64")] = np.arange(len(ids))
    return position[series_id], minute * MINUTE_S, period * MINUTE_S


def rows_from_frame(frame: pd.DataFrame) -> tuple[tuple[Series, ...], Rows]:
    """The rows of a tidy frame, and the series that their codes refer to."""
    key = np.zeros(len(frame), dtype="int64")
    for name in LABEL_COLUMNS:
        codes, labels = pd.factorize(frame[name])
        key = key * max(len(labels), 1) + codes
    _, first, code = np.unique(key, return_index=True, return_inverse=True)
    unique = frame.iloc[first]
    columns = (
        unique[name].astype("object").tolist() for name in ("source", "fleet", "target_group", "metric", "stat", "unit")
    )
    series = tuple(Series(*labels) for labels in zip(*columns, strict=True))
    return series, Rows(
        code.astype("int64"), epoch_s(frame), frame["period_s"].to_numpy("int64"), frame["value"].to_numpy("float64")
    )


def uncovered(rows: Rows, covered: CoveredByCode) -> Rows:
    """The rows whose time is not covered in their own period."""
    keep = np.ones(len(rows), dtype=bool)
    for code, periods in covered.items():
        for period_s, windows in periods.items():
            if windows:
                same = (rows.code == code) & (rows.period_s == period_s)
                keep &= ~(same & _inside(rows.ts, period_s, windows))
    return rows.where(keep)


def apply_answers(
    rows: Rows, series: Sequence[Series], frame: pd.DataFrame, answered_ranges: Iterable[AnsweredRange]
) -> Rows:
    """`rows` as they will be once a pull is stored: answered ranges are cleared, and the rows of `frame` replace those with the same key."""
    position = {item: code for code, item in enumerate(series)}
    keep = np.ones(len(rows), dtype=bool)
    for answer in answered_ranges:
        codes = [position[item] for item in answer.series if item in position]
        window = answer.window
        replaced = (rows.ts >= window.start) & (rows.ts < window.end) & (rows.period_s == answer.period_s)
        keep &= ~(replaced & np.isin(rows.code, codes))
    frame_series, new = rows_from_frame(frame)
    translate = np.array([position.get(item, -1) for item in frame_series] or [-1])
    new = Rows(translate[new.code], new.ts, new.period_s, new.value)
    return new.where(new.code >= 0).merged_over(rows.where(keep))


def finest_resolution(rows: Rows, covered: CoveredByCode) -> Rows:
    """One resolution for any time of a series: finer rows if they are covered for all of a coarse row's period, else the coarse row."""
    coarser = _periods(rows)[1:]
    if not coarser:
        return rows
    keep = np.ones(len(rows), dtype=bool)
    for period_s in coarser:
        for code in np.unique(rows.code[rows.period_s == period_s]):
            of_series = keep & (rows.code == code)
            coarse, fine = of_series & (rows.period_s == period_s), of_series & (rows.period_s < period_s)
            finer_covered = merge_windows(
                window
                for covered_s, windows in covered.get(int(code), {}).items()
                if covered_s < period_s
                for window in windows
            )
            dropped = coarse & _inside(rows.ts, period_s, finer_covered)
            kept_ts = rows.ts[coarse & ~dropped]
            keep &= ~dropped
            keep &= ~(fine & np.isin(rows.ts - rows.ts % period_s, kept_ts))
    return rows.where(keep)


def resolutions(rows: Rows, covered: Mapping[int, Iterable[Window]], window: Window) -> tuple[tuple[Window, int], ...]:
    """Which period serves which part of `window`, in order: the finest of the rows', or without rows the finest of `covered` (by period)."""
    if len(periods := {*_periods(rows), *covered}) == 1:  # the usual case: one period serves all
        [period_s] = periods
        answered = merge_windows(covered.get(period_s, ()))
        others = _covered_windows(rows.where(~_inside(rows.ts, period_s, answered)), period_s)
        merged = merge_windows((*answered, *others))
        return tuple((part, period_s) for other in merged if (part := other.overlap(window)))
    groups = [(period_s, _covered_windows(rows, period_s)) for period_s in _periods(rows)]
    groups += [(period_s, tuple(covered[period_s])) for period_s in sorted(covered)]
    served: dict[int, tuple[Window, ...]] = {}
    taken: tuple[Window, ...] = ()
    for period_s, windows in groups:
        parts = merge_windows(part for other in windows if (part := other.overlap(window)))
        new = parts if not taken else tuple(rest for part in parts for rest in part.subtract(taken))
        served[period_s] = merge_windows((*served.get(period_s, ()), *new))
        taken = merge_windows((*taken, *new))
    return tuple(sorted((part, period_s) for period_s, parts in served.items() for part in parts))


def _periods(rows: Rows) -> list[int]:
    if not len(rows) or rows.period_s.min() == rows.period_s.max():  # the usual case, without sorting
        return [int(period_s) for period_s in rows.period_s[:1]]
    return [int(period_s) for period_s in np.unique(rows.period_s)]


def _inside(ts: Integers, length_s: int, windows: Sequence[Window]) -> Mask:
    """Which periods of `length_s` from `ts` are completely inside one of the windows, which are merged."""
    if not windows:
        return np.zeros(len(ts), dtype=bool)
    starts = np.array([window.start for window in windows])
    ends = np.array([window.end for window in windows])
    at = np.searchsorted(starts, ts, side="right") - 1
    inside: Mask = (at >= 0) & (ends[np.maximum(at, 0)] >= ts + length_s)
    return inside


def overlapping(ts: Integers, length_s: int, windows: Sequence[Window]) -> Mask:
    """Which periods of `length_s` from `ts` overlap one of the windows, which are merged."""
    starts, ends = (np.array([getattr(window, name) for window in windows]) for name in ("start", "end"))
    at = np.searchsorted(starts, ts + length_s, side="left") - 1  # the last window that starts before the period ends
    overlaps: Mask = (at >= 0) & (ends[np.maximum(at, 0)] > ts)
    return overlaps


def _covered_windows(rows: Rows, period_s: int) -> tuple[Window, ...]:
    """The time covered by the rows of one period."""
    ts = np.unique(rows.ts[rows.period_s == period_s])
    if not len(ts):
        return ()
    breaks = np.flatnonzero(np.diff(ts) > period_s)
    firsts, lasts = ts[np.concatenate(([0], breaks + 1))], ts[np.concatenate((breaks, [len(ts) - 1]))]
    return tuple(Window(int(first), int(last) + period_s) for first, last in zip(firsts, lasts, strict=True))
