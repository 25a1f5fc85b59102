"""The tidy frame as arrays on one time grid: what each fleet did in each period, ready for arithmetic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from domain import FLEETS, FleetName, Series, Window, epoch_s
from domain.series import ALB_COUNTS, PERCENTILES, SPARSE_COUNTS
from domain.window import MINUTE_S

UnknownWindows = Mapping[
    Series, Sequence[Window]
]  # the time for which a series was asked and not answered, or not asked at all
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

STATUS_COUNTS = ("target_2xx", "target_3xx", "target_4xx", "target_5xx")


@dataclass(frozen=True, slots=True, eq=False)
class FleetSeries:
    """One fleet on the grid. Every array has one value a period; NaN where there is none.

    `counts`: requests, target_2xx … target_5xx, connection_errors, fail_open_requests, sample_count; a count that the source left out is 0
    where that group had requests, and NaN where nobody could read it. `latency`: p50 … p99 and average, in seconds, of the group with most
    requests where several served (`mixed` says where). `within`: share of answers within each threshold (key: seconds as in the statistic's
    name), merged over groups exactly.
    """

    counts: Mapping[str, FloatArray]
    latency: Mapping[str, FloatArray]
    within: Mapping[str, FloatArray]
    multi_group: BoolArray

    @property
    def requests(self) -> FloatArray:
        return self.counts["requests"]


@dataclass(frozen=True, slots=True, eq=False)
class TimeGrid:
    """Both fleets and the load balancer on one grid: `ts` (epoch seconds) are period starts, `lengths` how many seconds each period has.

    `period_s` is the longest of them. `alb` holds the load balancer's own counts (alb_5xx, alb_502 …): 0 where it is absent, was answered, and
    anybody had requests.
    """

    ts: IntArray
    period_s: int
    fleets: Mapping[FleetName, FleetSeries]
    alb: Mapping[str, FloatArray]
    lengths_s: IntArray

    @property
    def requests(self) -> FloatArray:
        """Requests of both fleets together; NaN where neither had any."""
        return nan_sum(self.fleets["baseline"].requests, self.fleets["canary"].requests)


def time_grid(
    frame: pd.DataFrame, window: Window, unknown: UnknownWindows = MappingProxyType({}), *, period_s: int | None = None
) -> TimeGrid:
    """`frame` (tidy) on the grid of `window`.

    The grid's period is `period_s`, else the coarsest that the frame has in this window: counts of finer rows, and shares weighted by them, are
    put together in it, exactly; percentiles of finer rows cannot be merged and are left out there, like all that is coarser. A count that is
    absent where it is `unknown` is NaN, never 0: errors that nobody could read are not errors that did not happen.
    """
    ts_all = epoch_s(frame)
    inside = (ts_all >= window.start) & (ts_all < window.end)
    if period_s is not None:
        inside &= frame["period_s"].to_numpy() <= period_s
    frame, ts_all = frame[inside], ts_all[inside]
    step = period_s or (int(frame["period_s"].max()) if len(frame) else 60)
    start = window.start - window.start % step
    ts = np.arange(start, window.end, step, dtype=np.int64)
    return _build_grid(_IndexedRows(frame, ts_all, ts, np.full(len(ts), step), unknown))


def finest_grid(frame: pd.DataFrame, window: Window, unknown: UnknownWindows = MappingProxyType({})) -> TimeGrid:
    """Like `minutes`, but each part of the window on a grid of its own period: the coarsest that the frame has there, and not elsewhere.

    A window across the fifteenth day has periods of five minutes left of it and minutes right of it, each with its own percentiles.
    """
    ts_all = epoch_s(frame)
    inside = (ts_all >= window.start) & (ts_all < window.end)
    frame, ts_all = frame[inside], ts_all[inside]
    ts, lengths = _tiles(ts_all, frame["period_s"].to_numpy(), window)
    return _build_grid(_IndexedRows(frame, ts_all, ts, lengths, unknown))


def _tiles(row_ts: IntArray, period_s: npt.NDArray[np.int32], window: Window) -> tuple[IntArray, IntArray]:
    """Period starts and lengths that tile the window. Where there are no rows the period is that of the rows before, else of those after."""
    told = np.zeros(window.minutes, dtype=np.int64)
    for step in np.unique(period_s):
        starts = np.unique(row_ts[period_s == step]) - window.start
        slots = (starts[:, None] + np.arange(0, step, MINUTE_S)).ravel() // MINUTE_S
        told[slots[slots < len(told)]] = step
    at = np.flatnonzero(told)
    if not len(at):
        told[:] = MINUTE_S
    else:
        told = told[at[np.maximum(np.searchsorted(at, np.arange(len(told)), side="right") - 1, 0)]]
    cuts = [0, *(np.flatnonzero(np.diff(told)) + 1).tolist(), len(told)]
    parts = [
        np.arange(start - start % step if first == 0 else start, window.start + last * MINUTE_S, step, dtype=np.int64)
        for first, last in pairwise(cuts)
        for start, step in [(window.start + first * MINUTE_S, int(told[first]))]
    ]
    lengths = [np.full(len(part), told[first]) for part, first in zip(parts, cuts, strict=False)]
    return np.concatenate(parts), np.concatenate(lengths)


def _build_grid(rows: "_IndexedRows") -> TimeGrid:
    fleets = {fleet: _fleet_series(rows, fleet) for fleet in FLEETS}
    served = ~np.isnan(nan_sum(*(fleets[fleet].requests for fleet in FLEETS)))
    alb = {
        count: np.where(served, rows.count("load_balancer", "", count), np.nan)
        if rows.has("load_balancer", "", count, "sum") or count == "alb_5xx"
        else np.full(len(rows.ts), np.nan)
        for count in ALB_COUNTS
    }
    return TimeGrid(rows.ts, int(rows.lengths_s.max(initial=MINUTE_S)), fleets, alb, rows.lengths_s)


def nan_sum(*arrays: FloatArray) -> FloatArray:
    """The sum, value by value, of what is there; NaN where nothing is."""
    together = np.vstack(arrays)
    return np.where(np.isnan(together).all(axis=0), np.nan, np.nansum(together, axis=0))


_SeriesKey = tuple[str, str, str, str]  # fleet, target group, metric, stat


class _IndexedRows:
    """The frame's rows by series, each placed on the grid once it is asked for."""

    def __init__(
        self, frame: pd.DataFrame, row_ts: IntArray, ts: IntArray, lengths_s: IntArray, unknown: UnknownWindows
    ) -> None:
        self.ts, self.lengths_s = ts, lengths_s
        self._unknown = {(one.fleet, one.target_group, one.metric, one.stat): when for one, when in unknown.items()}
        values = frame["value"].to_numpy()
        periods = frame["period_s"].to_numpy()
        place = np.searchsorted(ts, row_ts, side="right") - 1
        key = frame.groupby(["fleet", "target_group", "metric", "stat"], observed=True, sort=False).indices
        self._rows: dict[_SeriesKey, tuple[IntArray, FloatArray, npt.NDArray[np.int32]]] = {
            cast(_SeriesKey, name): (place[at], values[at], periods[at]) for name, at in key.items()
        }
        self._row_starts: dict[_SeriesKey, npt.NDArray[np.int64]] = {
            cast(_SeriesKey, name): row_ts[at] for name, at in key.items()
        }

    def has(self, fleet: str, group: str, metric: str, stat: str) -> bool:
        return (fleet, group, metric, stat) in self._rows

    def groups(self, fleet: str) -> list[str]:
        return sorted({name[1] for name in self._rows if name[0] == fleet})

    def stats(self, fleet: str, group: str, metric: str) -> list[str]:
        return [name[3] for name in self._rows if name[:3] == (fleet, group, metric)]

    def count(self, fleet: str, group: str, metric: str) -> FloatArray:
        """A count that is left out when it is 0: 0 where it is absent, NaN where it is absent and unknown."""
        found = self.series(fleet, group, metric, "sum")
        hidden = np.zeros(len(self.ts), dtype=bool)
        for window in self._unknown.get((fleet, group, metric, "sum"), ()):
            hidden |= (self.ts < window.end) & (self.ts + self.lengths_s > window.start)
        return np.where(np.isnan(found) & ~hidden, 0.0, found)

    def series(self, fleet: str, group: str, metric: str, stat: str) -> FloatArray:
        """One series on the grid: NaN where absent. Finer counts are summed, finer shares weighted by their answers; what else is finer is left out."""
        out = np.full(len(self.ts), np.nan)
        found = self._rows.get((fleet, group, metric, stat))
        if found is None:
            return out
        place, value, period = found
        whole = period == self.lengths_s[place]
        out[place[whole]] = value[whole]
        if stat in ("sum", "sample_count") and not whole.all():
            finer = np.bincount(place[~whole], value[~whole], minlength=len(out))
            there = np.bincount(place[~whole], minlength=len(out)) > 0
            out = np.where(there, np.nan_to_num(out) + finer, out)
        elif stat.startswith("within_") and not whole.all():
            starts = self._row_starts[fleet, group, metric, stat]
            weight = self._answer_counts(fleet, group, metric, starts[~whole], period[~whole])
            total = np.bincount(place[~whole], weight, minlength=len(out))
            share = np.bincount(place[~whole], weight * value[~whole], minlength=len(out))
            out = np.where((total > 0) & np.isnan(out), share / np.where(total > 0, total, 1.0), out)
        return out

    def _answer_counts(
        self, fleet: str, group: str, metric: str, starts: npt.NDArray[np.int64], periods: npt.NDArray[np.int32]
    ) -> FloatArray:
        """How many answers stand behind each of these periods; 0 where nobody told."""
        name = (fleet, group, metric, "sample_count")
        if name not in self._rows:
            return np.zeros(len(starts))
        _, value, period = self._rows[name]
        told = dict(
            zip(zip(self._row_starts[name].tolist(), period.tolist(), strict=True), value.tolist(), strict=True)
        )
        return np.array([told.get(at, 0.0) for at in zip(starts.tolist(), periods.tolist(), strict=True)])


def _fleet_series(rows: _IndexedRows, fleet: FleetName) -> FleetSeries:
    groups = rows.groups(fleet)
    empty = np.full(len(rows.ts), np.nan)
    if not groups:
        counts = dict.fromkeys(("requests", *SPARSE_COUNTS, "sample_count"), empty)
        return FleetSeries(
            counts, dict.fromkeys((*PERCENTILES, "average"), empty), {}, np.zeros(len(rows.ts), dtype=bool)
        )

    requests = np.vstack([rows.series(fleet, group, "requests", "sum") for group in groups])
    served = requests > 0  # groups × periods; NaN is not served
    known = ~np.isnan(requests)
    counts = {"requests": nan_sum(*requests)}
    for count in SPARSE_COUNTS:
        told = np.vstack([rows.series(fleet, group, count, "sum") for group in groups])
        each = np.vstack([rows.count(fleet, group, count) for group in groups])
        each = np.where(known, each, np.nan_to_num(told))  # an answer may come in a minute without requests
        counts[count] = np.where((known | ~np.isnan(told)).any(axis=0), each.sum(axis=0), np.nan)
    samples = np.vstack([rows.series(fleet, group, "latency", "sample_count") for group in groups])
    counts["sample_count"] = nan_sum(*samples)

    # Percentiles of two groups cannot be merged: the group with most requests speaks for the fleet, and `mixed` says so.
    most = np.argmax(np.where(served, requests, -1.0), axis=0)
    latency = {}
    for stat in (*PERCENTILES, "average"):
        each = np.vstack([rows.series(fleet, group, "latency", stat) for group in groups])
        latency[stat] = each[most, np.arange(len(rows.ts))]
    within = {}
    for stat in sorted(
        {stat for group in groups for stat in rows.stats(fleet, group, "latency") if stat.startswith("within_")}
    ):
        shares = np.vstack([rows.series(fleet, group, "latency", stat) for group in groups])
        weights = np.where(np.isnan(shares), np.nan, samples)
        total = np.nansum(weights, axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            within[stat] = np.where(total > 0, np.nansum(shares * weights, axis=0) / total, np.nan)
    return FleetSeries(counts, latency, within, served.sum(axis=0) > 1)
