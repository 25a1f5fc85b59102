"""What a frame says of one criterion: both sides' minutes in pairs, and which minutes were left out and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.parity.verdicts import ExclusionReason
from analysis.series.comparison import latency, slow_share
from analysis.series.grid import STATUS_COUNTS, BoolArray, FloatArray, TimeGrid, UnknownWindows, time_grid
from domain import FLEETS, Criterion, FleetName, Series, Window, epoch_s
from domain.series import within_stat

RECENT_GAP_S = 300
MAX_IN_FLIGHT_MINUTES = 5  # how long a request may be on its way before it counts as never answered


@dataclass(frozen=True, slots=True, eq=False)
class PairedSamples:
    """One criterion's minutes that can be used, in order, as pairs: `ts` (epoch seconds), `place` on the grid, and either

    events among requests (rates; `baseline` and `canary` are events), or values in seconds (latency; `requests_…` are the answers they stand on).
    `measured` is False where the frame lacks the metric on a side that had requests. `served` are the minutes both sides had.
    """

    is_rate: bool
    ts: npt.NDArray[np.int64]
    index: npt.NDArray[np.intp]
    baseline: FloatArray
    canary: FloatArray
    requests_b: FloatArray
    requests_c: FloatArray
    excluded: Mapping[ExclusionReason, int]
    is_measured: bool
    one_side_empty: bool
    paired_periods: int
    recent_gap: Literal["one_side_gone", "unread"] | None


@dataclass(frozen=True, slots=True, eq=False)
class PreparedGrid:
    """A window of a frame, ready for any criterion. `settled` are the grid's periods that may be judged; in those that are `coarser` or `finer`
    the frame has rows of longer or shorter periods than the grid's."""

    grid: TimeGrid
    final: BoolArray
    coarser: BoolArray
    finer: BoolArray
    unanswered: Mapping[FleetName, FloatArray] | None  # per minute, where the frame has it as a count of its own
    answers_known: bool


def is_series_needed(series: Series, criteria: Iterable[Criterion]) -> bool:
    """Whether any of `criteria` is judged by this series."""
    if series.fleet not in FLEETS:
        return False
    if series.metric != "latency":
        return series.metric in ("requests", "unanswered", *STATUS_COUNTS)
    percentiles = {one.metric.removeprefix("latency_") for one in criteria}
    thresholds = {within_stat(one.slow_threshold_s) for one in criteria if one.slow_threshold_s is not None}
    return series.stat == "sample_count" or series.stat in percentiles | thresholds


def prepare_grid(
    frame: pd.DataFrame,
    window: Window | None,
    provisional_from: int | None,
    unknown: UnknownWindows = MappingProxyType({}),
) -> PreparedGrid:
    """`frame` (tidy) in `window` (None: all of it). Periods that end after `provisional_from` (epoch seconds) are provisional.

    The grid's period is the one of which there are most in the window: CloudWatch keeps minutes for fifteen days, and five minutes after that.
    `unknown`: counts that could not be read, and when (archive.Brought.unknown): what is absent there is not 0.
    """
    if window is None:
        ts = epoch_s(frame)
        start, end = (int(ts.min()), int((ts + frame["period_s"].to_numpy()).max())) if len(frame) else (0, 60)
        window = Window(start, end)
    period_s, others = _dominant_period(frame, window)
    grid = time_grid(frame, window, unknown, period_s=period_s)
    coarser = finer = np.zeros(len(grid.ts), dtype=bool)
    for starts, length in others:
        place = (starts - grid.ts[0]) // grid.period_s
        inside = (place >= 0) & (place < len(grid.ts))
        if length < grid.period_s:
            finer = finer | np.isin(np.arange(len(grid.ts)), place[inside])
        else:
            each = place[:, None] + np.arange(length // grid.period_s)
            coarser = coarser | np.isin(np.arange(len(grid.ts)), each)
    settled = np.ones(len(grid.ts), dtype=bool)
    if provisional_from is not None:
        settled = grid.ts + grid.period_s <= provisional_from
    metric, stat = frame["metric"], frame["stat"]
    counted = set(metric.unique())
    timed = "latency" in counted and bool(((metric == "latency") & (stat == "sample_count")).any())
    answers_known = timed or bool(counted & set(STATUS_COUNTS[:3]))
    unanswered = None
    if "unanswered" in counted:
        rows = frame[(metric == "unanswered") & (frame["period_s"] <= grid.period_s)]
        unanswered = {fleet: _sum_by_period(rows[rows["fleet"] == fleet], grid) for fleet in FLEETS}
    return PreparedGrid(grid, settled, coarser, finer, unanswered, answers_known)


def _dominant_period(frame: pd.DataFrame, window: Window) -> tuple[int | None, list[tuple[npt.NDArray[np.int64], int]]]:
    """The period of which `frame` has most in `window` (None without any), and the starts of all that are of another, each with its length."""
    ts, periods = epoch_s(frame), frame["period_s"].to_numpy()
    if not len(ts) or periods.min() == periods.max():
        return (int(periods[0]) if len(ts) else None), []
    inside = (ts >= window.start) & (ts < window.end)
    starts = {int(period_s): np.unique(ts[inside & (periods == period_s)]) for period_s in np.unique(periods[inside])}
    most = max(starts, key=lambda period_s: len(starts[period_s]), default=None)
    return most, [(found, period_s) for period_s, found in starts.items() if period_s != most]


def paired_samples(prepared: PreparedGrid, criterion: Criterion) -> PairedSamples:
    """What `record` says of `criterion`. A minute is used if it is settled and both sides had requests in it.

    A percentile also needs 10 / (1 − p) answers on each side and one target group a side, because percentiles cannot be merged. A latency that
    is not positive is none.
    """
    grid = prepared.grid
    b, c = (grid.fleets[fleet] for fleet in FLEETS)
    requests = {fleet: np.nan_to_num(grid.fleets[fleet].requests) for fleet in FLEETS}
    low = mixed = np.zeros(len(grid.ts), dtype=bool)
    rate = not criterion.metric.startswith("latency_")
    if not rate:
        lines = latency(grid, criterion.metric.removeprefix("latency_"))
        there = {fleet: np.nan_to_num(lines.values[fleet]) > 0 for fleet in FLEETS}
        samples = {fleet: np.nan_to_num(lines.samples[fleet]) for fleet in FLEETS}
        low = lines.low_sample["baseline"] | lines.low_sample["canary"]
        mixed = b.multi_group | c.multi_group
        events: Mapping[FleetName, FloatArray] = lines.values
    elif criterion.slow_threshold_s is not None:
        lines = slow_share(grid, criterion.slow_threshold_s)
        samples = {fleet: np.nan_to_num(lines.samples[fleet]) for fleet in FLEETS}
        there = {fleet: ~np.isnan(lines.values[fleet]) & (samples[fleet] > 0) for fleet in FLEETS}
        events = {fleet: lines.values[fleet] * samples[fleet] for fleet in FLEETS}
    else:
        samples = requests
        there = {fleet: requests[fleet] > 0 for fleet in FLEETS}
        events = {}

    unread = np.zeros(len(grid.ts), dtype=bool) if events else _unread_periods(prepared, criterion.metric)
    both = there["baseline"] & there["canary"]
    quiet = ~there["baseline"] & ~there["canary"] & (requests["baseline"] == 0) & (requests["canary"] == 0)
    other = ~both & (prepared.coarser | (prepared.finer if not rate else False))
    reasons: tuple[tuple[ExclusionReason, BoolArray], ...] = (
        ("provisional", ~prepared.final),
        ("other_period", other),
        ("no_traffic", quiet),
        ("one_side_missing", ~both),
        ("mixed_groups", mixed),
        ("low_samples", low),
        ("unread", unread),
    )
    left = np.ones(len(grid.ts), dtype=bool)
    left_out: dict[ExclusionReason, int] = {}
    for reason, flags in reasons:
        left_out[reason] = int((left & flags).sum()) * grid.period_s // 60
        left &= ~flags
    place = np.flatnonzero(left)
    if not events:
        events, measured, unsure = _error_counts(prepared, criterion.metric, place)
        left_out["in_flight"] = len(place[:unsure]) * grid.period_s // 60
        place, events = place[unsure:], {fleet: events[fleet][unsure:] for fleet in FLEETS}
    else:
        left_out["in_flight"] = 0
        events = {fleet: events[fleet][place] for fleet in FLEETS}
        measured = all(bool(there[fleet].any()) or not requests[fleet].any() for fleet in FLEETS)
    served = prepared.final & ((requests["baseline"] > 0) & (requests["canary"] > 0) | both)
    return PairedSamples(
        rate,
        grid.ts[place],
        place,
        events["baseline"],
        events["canary"],
        samples["baseline"][place],
        samples["canary"][place],
        left_out,
        measured,
        any(not there[fleet].any() and not requests[fleet].any() for fleet in FLEETS),
        int(served.sum()),
        _recent_gap(prepared.final & ~quiet & ~other, {"one_side_gone": ~both & ~low, "unread": unread}, grid.period_s),
    )


def _unread_periods(prepared: PreparedGrid, metric: str) -> BoolArray:
    """The minutes in which a count that the metric is made of could not be read on a side that had requests."""
    unread = np.zeros(len(prepared.grid.ts), dtype=bool)
    for fleet in FLEETS:
        counts = prepared.grid.fleets[fleet].counts
        absent = {name: np.isnan(counts[name]) for name in (*STATUS_COUNTS, "sample_count")}
        here = np.zeros(len(unread), dtype=bool)
        if metric != "unanswered_rate":
            here |= absent["target_5xx"]
        if metric != "target_5xx_rate" and prepared.unanswered is None:
            here |= np.any([absent[answer] for answer in STATUS_COUNTS], axis=0) & absent["sample_count"]
        unread |= here & (np.nan_to_num(counts["requests"]) > 0)
    return unread


def _recent_gap(
    expected: BoolArray, flags_by_reason: Mapping[Literal["one_side_gone", "unread"], BoolArray], period_s: int
) -> Literal["one_side_gone", "unread"] | None:
    """What the newest minutes with traffic all lack. Within a phase the split does not change: a side that falls silent has broken."""
    newest = np.flatnonzero(expected)[-max(1, RECENT_GAP_S // period_s) :]
    return next((why for why, flags in flags_by_reason.items() if len(newest) and flags[newest].all()), None)


def _error_counts(
    prepared: PreparedGrid, metric: str, index: npt.NDArray[np.intp]
) -> tuple[dict[FleetName, FloatArray], bool, int]:
    """Errors of both fleets in the minutes `place`; whether the frame has what they are counted from; how many of the first are not sure."""
    grid = prepared.grid
    known = prepared.answers_known or prepared.unanswered is not None
    if metric == "unanswered_rate" and not known:
        return {fleet: np.zeros(len(index)) for fleet in FLEETS}, False, 0
    span = max(1, MAX_IN_FLIGHT_MINUTES * 60 // grid.period_s)
    errors: dict[FleetName, FloatArray] = {}
    for fleet in FLEETS:
        counts = {name: np.nan_to_num(count[index]) for name, count in grid.fleets[fleet].counts.items()}
        found = np.zeros(len(index))
        if metric != "unanswered_rate":
            found = found + counts["target_5xx"]
        if metric != "target_5xx_rate" and prepared.unanswered is not None:
            found = found + prepared.unanswered[fleet][index]
        elif metric != "target_5xx_rate" and known:
            answers = np.fmax(np.sum([counts[answer] for answer in STATUS_COUNTS], axis=0), counts["sample_count"])
            found = found + unanswered_counts(counts["requests"], answers, span)
        errors[fleet] = np.minimum(found, counts["requests"])
    derived = metric != "target_5xx_rate" and prepared.unanswered is None and known
    return errors, True, span if derived else 0


def unanswered_counts(requests: FloatArray, answers: FloatArray, delay_periods: int) -> FloatArray:
    """How many requests of each minute turn out never to be answered, said up to `span` minutes later.

    Requests − answers so far, C, is those never answered and those on their way. What was never answered stays: the lowest C of the last `span`
    minutes, and of that the highest so far. Only its growth counts, so requests on their way are counted at most once in a whole window; a sum of
    max(0, requests − answers) over blocks would count some in every block, and more of them, per request, on the smaller side.
    """
    if not len(requests):
        return requests
    outstanding = np.concatenate((np.zeros(delay_periods), np.cumsum(requests - answers)))
    settled = np.lib.stride_tricks.sliding_window_view(outstanding, delay_periods + 1).min(axis=-1)
    lasting = np.maximum.accumulate(np.maximum(settled, 0.0))
    grown: FloatArray = np.diff(lasting, prepend=0.0)
    return grown


def _sum_by_period(rows: pd.DataFrame, grid: TimeGrid) -> FloatArray:
    """The sum of `rows` (counts) in each period of the grid."""
    place = (epoch_s(rows) - grid.ts[0]) // grid.period_s
    inside = (place >= 0) & (place < len(grid.ts))
    return np.bincount(place[inside], rows["value"].to_numpy()[inside], minlength=len(grid.ts)).astype(np.float64)
