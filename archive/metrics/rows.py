"""Rows of numbers as plain arrays, between the database and the tidy frame. Pure."""

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


@dataclass(frozen=True, slots=True)
class Rows:
    """Arrays of equal length: `code[i]` says whose `value[i]` is, by a position in a sequence of series; `ts` is epoch seconds."""

    code: Integers
    ts: Integers
    period_s: Integers
    value: Values

    def __len__(self) -> int:
        return len(self.code)

    def where(self, mask: Mask | Integers) -> "Rows":
        return Rows(self.code[mask], self.ts[mask], self.period_s[mask], self.value[mask])

    def key(self) -> Integers:
        """A number for each row that says whose it is, when, and over how long: equal only for the same period of the same series."""
        return self.code << 42 | self.ts // MINUTE_S << 17 | self.period_s // MINUTE_S

    def isin(self, other: "Rows", *, with_value: bool = False) -> Mask:
        """Which rows are among `others`, too: by what they measure, or `with_value` by what they say of it as well."""
        if not len(other):
            return np.zeros(len(self), dtype=bool)
        order = np.argsort(other.key())
        keys, mine = other.key()[order], self.key()
        at = np.minimum(np.searchsorted(keys, mine), len(keys) - 1)
        found: Mask = keys[at] == mine
        return found & (other.value[order][at] == self.value) if with_value else found

    def merged_over(self, below: "Rows") -> "Rows":
        """These rows, and those of `below` that measure something else."""
        return concat((self, below.where(~below.isin(self))))

    def floor_to(self, length_s: int) -> "Rows":
        """The same rows as if each began with the stretch of `length_s` that it begins in."""
        return Rows(self.code, self.ts - self.ts % length_s, self.period_s, self.value)

    def frame(self, series: Sequence[Series]) -> pd.DataFrame:
        """The tidy frame, in the order of time."""
        ordered = self.where(np.argsort(self.ts, kind="stable"))
        return assemble(series, ordered.code, ordered.ts, ordered.value, ordered.period_s)


_NONE = np.array([], dtype="int64")
NO_ROWS = Rows(_NONE, _NONE, _NONE, _NONE.astype("float64"))


def concat(parts: Iterable[Rows]) -> Rows:
    """All rows of all of `every`."""
    parts = (NO_ROWS, *parts)
    code, ts, period_s = (
        np.concatenate([getattr(rows, name) for rows in parts]) for name in ("code", "ts", "period_s")
    )
    return Rows(code, ts, period_s, np.concatenate([rows.value for rows in parts]))


def rows_from_sql(records: Iterable[tuple[int, int, int, float]], ids: Sequence[int]) -> Rows:
    """Rows as the database gives them, (series id, ts, period_s, value) each; a code is the position of the series' id in `ids`."""
    series_id, ts, period_s, value = to_columns(records, 4)
    return Rows(positions(series_id, ids), ts.astype("int64"), period_s.astype("int64"), value)


def to_columns(records: Iterable[Sequence[float]], width: int) -> tuple[Values, ...]:
    """Rows of so many numbers as one array a column."""
    table = np.fromiter(records, dtype=np.dtype((np.float64, (width,))))
    return tuple(np.ascontiguousarray(table[:, at]) for at in range(width))


def positions(series_id: Values, ids: Sequence[int]) -> Integers:
    """Where each id stands in `ids`, which need not be sorted."""
    if not len(series_id):
        return np.array([], dtype="int64")
    order = np.argsort(ids)
    return order[np.searchsorted(np.asarray(ids)[order], series_id)].astype("int64")


def rows_from_frame(frame: pd.DataFrame) -> tuple[tuple[Series, ...], Rows]:
    """A tidy frame's rows, and the series that their codes stand for."""
    key = np.zeros(len(frame), dtype="int64")
    for name in LABEL_COLUMNS:
        codes, names = pd.factorize(frame[name])
        key = key * max(len(names), 1) + codes
    _, first, code = np.unique(key, return_index=True, return_inverse=True)
    heads = frame.iloc[first]
    columns = (
        heads[name].astype("object").tolist() for name in ("source", "fleet", "target_group", "metric", "stat", "unit")
    )
    series = tuple(Series(*names) for names in zip(*columns, strict=True))
    return series, Rows(
        code.astype("int64"), epoch_s(frame), frame["period_s"].to_numpy("int64"), frame["value"].to_numpy("float64")
    )


def uncovered(rows: Rows, covered: Mapping[int, Mapping[int, Sequence[Window]]]) -> Rows:
    """The rows whose time is not covered yet in their own period. `covered`: by code, by period in seconds."""
    stays = np.ones(len(rows), dtype=bool)
    for code, periods in covered.items():
        for period_s, windows in periods.items():
            if windows:
                mine = (rows.code == code) & (rows.period_s == period_s)
                stays &= ~(mine & _inside(rows.ts, period_s, windows))
    return rows.where(stays)


def apply_answers(
    rows: Rows, series: Sequence[Series], frame: pd.DataFrame, answered_ranges: Iterable[AnsweredRange]
) -> Rows:
    """`below` as it will be once a pull is kept: what the pull answered replaces what was there, and its rows come on top."""
    place = {one: code for code, one in enumerate(series)}
    stays = np.ones(len(rows), dtype=bool)
    for answer in answered_ranges:
        codes = [place[one] for one in answer.series if one in place]
        window = answer.window
        gone = (rows.ts >= window.start) & (rows.ts < window.end) & (rows.period_s == answer.period_s)
        stays &= ~(gone & np.isin(rows.code, codes))
    heads, above = rows_from_frame(frame)
    translate = np.array([place.get(one, -1) for one in heads] or [-1])
    above = Rows(translate[above.code], above.ts, above.period_s, above.value)
    above, rows = above.where(above.code >= 0), rows.where(stays)
    return above.merged_over(rows)


def finest_resolution(rows: Rows, covered: Mapping[int, Mapping[int, Sequence[Window]]]) -> Rows:
    """Every stretch of a series in one resolution: a coarse row yields where finer rows cover all of its period, else it stands for them.

    `covered`: by code, by period in seconds, the time that is known in that period.
    """
    stays = np.ones(len(rows), dtype=bool)
    for period_s in _periods(rows)[1:]:
        for code in np.unique(rows.code[rows.period_s == period_s]):
            of_one = stays & (rows.code == code)
            coarse, fine = of_one & (rows.period_s == period_s), of_one & (rows.period_s < period_s)
            known = merge_windows(
                window
                for each_s, windows in covered.get(int(code), {}).items()
                if each_s < period_s
                for window in windows
            )
            yields = coarse & _inside(rows.ts, period_s, known)
            standing = rows.ts[coarse & ~yields]
            stays &= ~yields
            stays &= ~(fine & np.isin(rows.ts - rows.ts % period_s, standing))
    return rows.where(stays)


def resolutions(rows: Rows, covered: Mapping[int, Iterable[Window]], window: Window) -> tuple[tuple[Window, int], ...]:
    """Which period serves which part of `window`, in order: that of the rows, and where there are none, that of what is covered (`known`,
    by period). The finest where several do.
    """
    groups = [(period_s, _covered_windows(rows, period_s)) for period_s in _periods(rows)]
    groups += [(period_s, tuple(covered[period_s])) for period_s in sorted(covered)]
    served: dict[int, tuple[Window, ...]] = {}
    taken: tuple[Window, ...] = ()
    for period_s, stretches in groups:  # group by group: rare events are thousands of stretches, one a row
        parts = merge_windows(part for stretch in stretches if (part := stretch.overlap(window)))
        fresh = parts if not taken else tuple(rest for part in parts for rest in part.subtract(taken))
        served[period_s] = merge_windows((*served.get(period_s, ()), *fresh))
        taken = merge_windows((*taken, *fresh))
    return tuple(sorted((part, period_s) for period_s, parts in served.items() for part in parts))


def _periods(rows: Rows) -> list[int]:
    if not len(rows) or rows.period_s.min() == rows.period_s.max():  # nearly always: no need to sort a day of rows
        return [int(period_s) for period_s in rows.period_s[:1]]
    return [int(period_s) for period_s in np.unique(rows.period_s)]


def _inside(ts: Integers, length_s: int, windows: Sequence[Window]) -> Mask:
    """Which periods of `length_s` from `ts` on lie wholly inside one of the windows, which are merged."""
    if not windows:
        return np.zeros(len(ts), dtype=bool)
    starts = np.array([window.start for window in windows])
    ends = np.array([window.end for window in windows])
    at = np.searchsorted(starts, ts, side="right") - 1
    inside: Mask = (at >= 0) & (ends[np.maximum(at, 0)] >= ts + length_s)
    return inside


def overlapping(ts: Integers, length_s: int, windows: Sequence[Window]) -> Mask:
    """Which stretches of `length_s` from `ts` on have something in common with one of the windows, which are merged."""
    starts, ends = (np.array([getattr(window, name) for window in windows]) for name in ("start", "end"))
    at = np.searchsorted(starts, ts + length_s, side="left") - 1  # the last that begins before the stretch ends
    common: Mask = (at >= 0) & (ends[np.maximum(at, 0)] > ts)
    return common


def _covered_windows(rows: Rows, period_s: int) -> tuple[Window, ...]:
    """The time that the rows of one period stand for."""
    ts = np.unique(rows.ts[rows.period_s == period_s])
    if not len(ts):
        return ()
    breaks = np.flatnonzero(np.diff(ts) > period_s)
    firsts, lasts = ts[np.concatenate(([0], breaks + 1))], ts[np.concatenate((breaks, [len(ts) - 1]))]
    return tuple(Window(int(first), int(last) + period_s) for first, last in zip(firsts, lasts, strict=True))
