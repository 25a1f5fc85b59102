"""The tidy frame as numpy arrays on one time grid: per fleet, one value per period."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from domain import FLEETS, FleetName, Series, Window, epoch_s
from domain.series import ALB_COUNTS, OWN_STATS, PERCENTILES, SPARSE_COUNTS
from domain.window import MINUTE_S

UnknownWindows = Mapping[Series, Sequence[Window]]  # when the source gave no answer for a series, or was never asked
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

STATUS_COUNTS = ("target_2xx", "target_3xx", "target_4xx", "target_5xx")


@dataclass(frozen=True, slots=True, eq=False)
class FleetSeries:
    """One fleet on the grid: arrays with one value per period, NaN if there is none.

    `counts`: requests, target_2xx … target_5xx, connection_errors, fail_open_requests, sample_count. A count without a row is 0 if that target
    group had requests, and NaN if it is unknown. `latency`: p50 … p99 and average in seconds; if several groups served (`multi_group`), those
    of the group with most requests. `within`: share of answers within a threshold, by statistic ("within_0.3s"), merged exactly.
    `own`: of criteria of one's own, by metric and statistic.
    """

    counts: Mapping[str, FloatArray]
    latency: Mapping[str, FloatArray]
    within: Mapping[str, FloatArray]
    multi_group: BoolArray
    own: Mapping[tuple[str, str], FloatArray] = field(default_factory=dict)

    @property
    def requests(self) -> FloatArray:
        return self.counts["requests"]


@dataclass(frozen=True, slots=True, eq=False)
class TimeGrid:
    """Both fleets and the load balancer on one grid of period starts `ts` (epoch seconds) and lengths `lengths_s`.

    `period_s` is the longest length. `alb`: the load balancer's own counts (alb_5xx, alb_502 …), for all its target
    groups; without a row 0 in periods with requests, NaN if unknown.
    """

    ts: IntArray
    period_s: int
    fleets: Mapping[FleetName, FleetSeries]
    alb: Mapping[str, FloatArray]
    lengths_s: IntArray

    @property
    def requests(self) -> FloatArray:
        """Requests of both fleets together; NaN if neither had any."""
        return nan_sum(self.fleets["baseline"].requests, self.fleets["canary"].requests)

    def overlaps(self, windows: Iterable[Window]) -> BoolArray:
        """Whether each period overlaps any of `windows`."""
        return _overlaps(self.ts, self.lengths_s, windows)


def time_grid(
    frame: pd.DataFrame, window: Window, unknown: UnknownWindows = MappingProxyType({}), *, period_s: int | None = None
) -> TimeGrid:
    """Puts a tidy frame on a grid over `window` with one period: `period_s`, else the coarsest in the window.

    Finer counts, and shares weighted by counts, are merged exactly; finer percentiles cannot be merged and are dropped, like coarser rows.
    A count without a row in an `unknown` window is NaN, not 0.
    """
    ts_all = epoch_s(frame)
    inside = (ts_all >= window.start) & (ts_all < window.end)
    if period_s is not None:
        inside &= frame["period_s"].to_numpy() <= period_s
    if not inside.all():
        frame, ts_all = frame[inside], ts_all[inside]
    step = period_s or (int(frame["period_s"].max()) if len(frame) else 60)
    start = window.start - window.start % step
    ts = np.arange(start, window.end, step, dtype=np.int64)
    return _build_grid(_IndexedRows(frame, ts_all, ts, np.full(len(ts), step), unknown))


def finest_grid(frame: pd.DataFrame, window: Window, unknown: UnknownWindows = MappingProxyType({})) -> TimeGrid:
    """Like `time_grid`, but each part of the window has its own period: the coarsest of the rows there.

    CloudWatch keeps 1-minute periods for 15 days, then 5-minute periods; a window across that limit has both, each with its own percentiles.
    """
    ts_all = epoch_s(frame)
    inside = (ts_all >= window.start) & (ts_all < window.end)
    if not inside.all():
        frame, ts_all = frame[inside], ts_all[inside]
    ts, lengths = _tiles(ts_all, frame["period_s"].to_numpy(), window)
    return _build_grid(_IndexedRows(frame, ts_all, ts, lengths, unknown))


def _tiles(row_ts: IntArray, period_s: npt.NDArray[np.int32], window: Window) -> tuple[IntArray, IntArray]:
    """Period starts and lengths that tile the window. A stretch without rows takes the period of the rows before it, else of those after."""
    minute_period_s = np.zeros(window.minutes, dtype=np.int64)
    for step in np.unique(period_s):
        starts = np.unique(row_ts[period_s == step]) - window.start
        slots = (starts[:, None] + np.arange(0, step, MINUTE_S)).ravel() // MINUTE_S
        minute_period_s[slots[slots < len(minute_period_s)]] = step
    known = np.flatnonzero(minute_period_s)
    if not len(known):
        minute_period_s[:] = MINUTE_S
    else:
        minute_period_s = minute_period_s[
            known[np.maximum(np.searchsorted(known, np.arange(len(minute_period_s)), side="right") - 1, 0)]
        ]
    edges = [0, *(np.flatnonzero(np.diff(minute_period_s)) + 1).tolist(), len(minute_period_s)]
    part_starts = [
        np.arange(
            start - start % step if start_minute == 0 else start,
            window.start + end_minute * MINUTE_S,
            step,
            dtype=np.int64,
        )
        for start_minute, end_minute in pairwise(edges)
        for start, step in [(window.start + start_minute * MINUTE_S, int(minute_period_s[start_minute]))]
    ]
    lengths_s = [
        np.full(len(starts), minute_period_s[start_minute])
        for starts, start_minute in zip(part_starts, edges, strict=False)
    ]
    return np.concatenate(part_starts), np.concatenate(lengths_s)


def _build_grid(rows: "_IndexedRows") -> TimeGrid:
    fleets = {fleet: _fleet_series(rows, fleet) for fleet in FLEETS}
    served = ~np.isnan(nan_sum(*(fleets[fleet].requests for fleet in FLEETS)))
    alb = {
        count: np.where(served, rows.count("load_balancer", "", count), rows.series("load_balancer", "", count, "sum"))
        if rows.has("load_balancer", "", count, "sum") or count == "alb_5xx"
        else np.full(len(rows.ts), np.nan)
        for count in ALB_COUNTS
    }
    return TimeGrid(rows.ts, int(rows.lengths_s.max(initial=MINUTE_S)), fleets, alb, rows.lengths_s)


def _overlaps(ts: IntArray, lengths_s: IntArray, windows: Iterable[Window]) -> BoolArray:
    overlapping = np.zeros(len(ts), dtype=bool)
    for window in windows:
        overlapping |= (ts < window.end) & (ts + lengths_s > window.start)
    return overlapping


def nan_sum(*arrays: FloatArray) -> FloatArray:
    """Element-wise sum that ignores NaN; NaN if all are."""
    stacked = np.vstack(arrays)
    return np.where(np.isnan(stacked).all(axis=0), np.nan, np.nansum(stacked, axis=0))


def nan_ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Element-wise quotient; NaN unless the denominator is positive."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


def runs_of(indices: npt.NDArray[np.intp]) -> list[npt.NDArray[np.intp]]:
    """Ascending indices, split where they are not consecutive."""
    return np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1) if len(indices) else []


_SeriesKey = tuple[str, str, str, str]  # fleet, target group, metric, stat


class _IndexedRows:
    """The frame's rows by series, with each row's index on the grid."""

    def __init__(
        self, frame: pd.DataFrame, row_ts: IntArray, ts: IntArray, lengths_s: IntArray, unknown: UnknownWindows
    ) -> None:
        self.ts, self.lengths_s = ts, lengths_s
        self._unknown = {
            (series.fleet, series.target_group, series.metric, series.stat): windows
            for series, windows in unknown.items()
        }
        values = frame["value"].to_numpy()
        periods = frame["period_s"].to_numpy()
        index = np.searchsorted(ts, row_ts, side="right") - 1
        rows_by_series = frame.groupby(["fleet", "target_group", "metric", "stat"], observed=True, sort=False).indices
        self._rows: dict[_SeriesKey, tuple[IntArray, FloatArray, npt.NDArray[np.int32]]] = {
            cast(_SeriesKey, key): (index[rows], values[rows], periods[rows]) for key, rows in rows_by_series.items()
        }
        self._row_starts: dict[_SeriesKey, npt.NDArray[np.int64]] = {
            cast(_SeriesKey, key): row_ts[rows] for key, rows in rows_by_series.items()
        }

    def has(self, fleet: str, group: str, metric: str, stat: str) -> bool:
        return (fleet, group, metric, stat) in self._rows

    def groups(self, fleet: str) -> list[str]:
        """The target groups of a fleet."""
        return sorted({name[1] for name in self._rows if name[0] == fleet and name[3] not in OWN_STATS})

    def own(self, fleet: str) -> dict[tuple[str, str], FloatArray]:
        return {
            (metric, stat): self.series(fleet, group, metric, stat)
            for owner, group, metric, stat in self._rows
            if owner == fleet and stat in OWN_STATS
        }

    def stats(self, fleet: str, group: str, metric: str) -> list[str]:
        return [name[3] for name in self._rows if name[:3] == (fleet, group, metric)]

    def count(self, fleet: str, group: str, metric: str) -> FloatArray:
        """A count whose source omits zeros: without a row 0, or NaN if unknown."""
        counts = self.series(fleet, group, metric, "sum")
        unknown = _overlaps(self.ts, self.lengths_s, self._unknown.get((fleet, group, metric, "sum"), ()))
        return np.where(np.isnan(counts) & ~unknown, 0.0, counts)

    def series(self, fleet: str, group: str, metric: str, stat: str) -> FloatArray:
        """One series on the grid, NaN if absent. Finer counts are summed, finer shares weighted by their answers, finer values of one's own averaged;
        other finer rows are dropped."""
        result = np.full(len(self.ts), np.nan)
        rows = self._rows.get((fleet, group, metric, stat))
        if rows is None:
            return result
        index, value, period_s = rows
        exact = period_s == self.lengths_s[index]
        result[index[exact]] = value[exact]
        if stat == "value" and not exact.all():
            n = np.bincount(index[~exact], minlength=len(result))
            mean = np.bincount(index[~exact], value[~exact], minlength=len(result)) / np.maximum(n, 1)
            result = np.where(np.isnan(result) & (n > 0), mean, result)
        elif stat in ("sum", "sample_count", "events", "total") and not exact.all():
            finer = np.bincount(index[~exact], value[~exact], minlength=len(result))
            has_finer = np.bincount(index[~exact], minlength=len(result)) > 0
            result = np.where(has_finer, np.nan_to_num(result) + finer, result)
        elif stat.startswith("within_") and not exact.all():
            starts = self._row_starts[fleet, group, metric, stat]
            answers = self._answer_counts(fleet, group, metric, starts[~exact], period_s[~exact])
            total = np.bincount(index[~exact], answers, minlength=len(result))
            share = np.bincount(index[~exact], answers * value[~exact], minlength=len(result))
            result = np.where((total > 0) & np.isnan(result), share / np.where(total > 0, total, 1.0), result)
        return result

    def _answer_counts(
        self, fleet: str, group: str, metric: str, starts: npt.NDArray[np.int64], periods: npt.NDArray[np.int32]
    ) -> FloatArray:
        """Number of answers in each of these periods; 0 if unknown."""
        key = (fleet, group, metric, "sample_count")
        if key not in self._rows:
            return np.zeros(len(starts))
        _, value, period = self._rows[key]
        answers = dict(
            zip(zip(self._row_starts[key].tolist(), period.tolist(), strict=True), value.tolist(), strict=True)
        )
        return np.array([answers.get(period, 0.0) for period in zip(starts.tolist(), periods.tolist(), strict=True)])


def _fleet_series(rows: _IndexedRows, fleet: FleetName) -> FleetSeries:
    groups = rows.groups(fleet)
    empty = np.full(len(rows.ts), np.nan)
    if not groups:
        counts = dict.fromkeys(("requests", *SPARSE_COUNTS, "sample_count"), empty)
        return FleetSeries(
            counts,
            dict.fromkeys((*PERCENTILES, "average"), empty),
            {},
            np.zeros(len(rows.ts), dtype=bool),
            rows.own(fleet),
        )

    requests = np.vstack([rows.series(fleet, group, "requests", "sum") for group in groups])
    served = requests > 0  # groups × periods; NaN is not served
    has_requests = ~np.isnan(requests)
    counts = {"requests": nan_sum(*requests)}
    for count in SPARSE_COUNTS:
        reported = np.vstack([rows.series(fleet, group, count, "sum") for group in groups])
        filled = np.vstack([rows.count(fleet, group, count) for group in groups])
        # An answer may arrive in a later minute than its request.
        filled = np.where(has_requests, filled, np.nan_to_num(reported))
        counts[count] = np.where((has_requests | ~np.isnan(reported)).any(axis=0), filled.sum(axis=0), np.nan)
    samples = np.vstack([rows.series(fleet, group, "latency", "sample_count") for group in groups])
    counts["sample_count"] = nan_sum(*samples)

    # Percentiles of two groups cannot be merged: take the group with most requests, and flag it in `multi_group`.
    busiest = np.argmax(np.where(served, requests, -1.0), axis=0)
    latency = {}
    for stat in (*PERCENTILES, "average"):
        by_group = np.vstack([rows.series(fleet, group, "latency", stat) for group in groups])
        latency[stat] = by_group[busiest, np.arange(len(rows.ts))]
    within = {}
    for stat in sorted(
        {stat for group in groups for stat in rows.stats(fleet, group, "latency") if stat.startswith("within_")}
    ):
        shares = np.vstack([rows.series(fleet, group, "latency", stat) for group in groups])
        weights = np.where(np.isnan(shares), np.nan, samples)
        within[stat] = nan_ratio(np.nansum(shares * weights, axis=0), np.nansum(weights, axis=0))
    return FleetSeries(counts, latency, within, served.sum(axis=0) > 1, rows.own(fleet))


def dominant_period(frame: pd.DataFrame, window: Window) -> tuple[int | None, list[tuple[npt.NDArray[np.int64], int]]]:
    """The most frequent period in `window` (None without rows), and the starts of the rows of every other period, with its length.

    Criteria of one's own do not count: their periods are those of their sources.
    """
    frame = frame[~frame["stat"].isin(OWN_STATS)]
    ts, periods = epoch_s(frame), frame["period_s"].to_numpy()
    if not len(ts) or periods.min() == periods.max():
        return (int(periods[0]) if len(ts) else None), []
    inside = (ts >= window.start) & (ts < window.end)
    starts = {int(period_s): np.unique(ts[inside & (periods == period_s)]) for period_s in np.unique(periods[inside])}
    dominant = max(starts, key=lambda period_s: len(starts[period_s]), default=None)
    return dominant, [(other_starts, period_s) for period_s, other_starts in starts.items() if period_s != dominant]


def sum_by_period(rows: pd.DataFrame, grid: TimeGrid) -> FloatArray:
    """The sum of `rows` (counts) in each period of the grid."""
    index = (epoch_s(rows) - grid.ts[0]) // grid.period_s
    inside = (index >= 0) & (index < len(grid.ts))
    return np.bincount(index[inside], rows["value"].to_numpy()[inside], minlength=len(grid.ts)).astype(np.float64)
