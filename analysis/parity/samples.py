"""Paired minutes of both fleets for one criterion, and the reasons why minutes are excluded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.parity.confidence_sequences import NO_HISTORY, Scatter, paired_weights
from analysis.parity.context import NO_CONTEXT, JudgeContext
from analysis.parity.incidents import FailureScan, Incident, scan_failures
from analysis.parity.verdicts import DEFAULT_CRITERIA, ExclusionReason
from analysis.series.comparison import latency, slow_share
from analysis.series.fleet_requests import FleetRequests, requests_of_series
from analysis.series.grid import (
    STATUS_COUNTS,
    BoolArray,
    FloatArray,
    TimeGrid,
    UnknownWindows,
    dominant_period,
    sum_by_period,
    time_grid,
)
from analysis.series.unanswered import failed_by_period
from domain import FLEETS, Criterion, FleetName, Series, Window, epoch_s
from domain.series import OWN_STATS, within_stat
from domain.window import MINUTE_S

ERROR_METRICS = ("error_rate", "target_5xx_rate", "unanswered_rate")
RECENT_GAP_S = 300
OWN_RECENT_GAP_S = 3600  # of a criterion of one's own, which may be reported late, and seldom
MAX_IN_FLIGHT_S = 300  # how long a request may be in flight before it counts as unanswered

RecentGap = Literal["one_side_gone", "unread"]


@dataclass(frozen=True, slots=True, eq=False)
class PairedSamples:
    """The usable periods of one criterion, in order: start `ts` (epoch seconds), `index` on the grid, and one value per fleet.

    Of a rate `baseline` and `canary` are events among `requests_…`; of a latency they are seconds, and `requests_…` their sample sizes; of a
    value of one's own they are in its unit, and `requests_…` are 1.
    `judged_from`: the index on the grid from which on each of them, and those before it, are judged: its own, unless an incident began there.
    `is_measured` is False if the metric is missing for a fleet that had requests. `paired_periods`: final periods in which both had requests.
    `missing`: the fleets without requests in any final period. `recent_gap`: why the newest periods could not be used; `gone`: the fleets
    that had no requests in them. `unexplained`: requests without a counted response that are no errors. `history`: of the
    criterion. `excess`: what the canary's own incidents that are not judged so far add to its rate, after each period of the grid.
    """

    criterion: Criterion
    period_s: int
    ts: npt.NDArray[np.int64]
    index: npt.NDArray[np.intp]
    judged_from: npt.NDArray[np.intp]
    baseline: FloatArray
    canary: FloatArray
    requests_b: FloatArray
    requests_c: FloatArray
    excluded: Mapping[ExclusionReason, int]
    is_measured: bool
    paired_periods: int
    missing: tuple[FleetRequests, ...] = ()
    recent_gap: RecentGap | None = None
    gone: tuple[FleetName, ...] = ()
    unexplained: Mapping[FleetName, int] = field(default_factory=lambda: dict.fromkeys(FLEETS, 0))
    history: Scatter = NO_HISTORY
    excess: FloatArray = field(default_factory=lambda: np.zeros(1))

    @property
    def is_rate(self) -> bool:
        return self.criterion.quantity == "rate"

    @property
    def weights(self) -> FloatArray:
        return paired_weights(self.requests_b, self.requests_c)

    @property
    def edge(self) -> float:
        """The margin on the scale of `levels`; of rates with a relative margin, that of their log ratio."""
        margin = self.criterion.margin
        return float(np.log1p(margin.amount)) if margin.is_relative else margin.amount

    @property
    def counts(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Of a rate: events and requests of the baseline, then of the canary."""
        return self.baseline, self.requests_b, self.canary, self.requests_c

    @property
    def levels(self) -> tuple[FloatArray, FloatArray]:
        """What is compared, of both fleets: rates, or latencies; their logarithms if the margin is relative."""
        if self.is_rate:
            return self.baseline / self.requests_b, self.canary / self.requests_c
        if self.criterion.margin.is_relative:
            return np.log(self.baseline), np.log(self.canary)
        return self.baseline, self.canary


@dataclass(frozen=True, slots=True, eq=False)
class PreparedGrid:
    """A window of a frame, prepared for its `criteria`. `final`: periods that may be judged; `coarser`, `finer`: periods for which the frame has
    rows of longer or shorter periods than the grid's. `unanswered` requests per period, if the frame has them as a count of their own.
    `requests_unread`: periods for which a fleet's requests are unknown. `fleets`: the requests of each fleet in the final periods."""

    grid: TimeGrid
    final: BoolArray
    coarser: BoolArray
    finer: BoolArray
    unanswered: Mapping[FleetName, FloatArray] | None
    answers_known: bool
    requests_unread: BoolArray
    fleets: tuple[FleetRequests, ...]
    scan: FailureScan
    warm_up: BoolArray
    context: JudgeContext
    criteria: tuple[Criterion, ...]

    def incidents_by_period(self) -> Iterator[tuple[Incident, ...]]:
        """The incidents as they were known after each final period: as many as `trace` has times."""
        return self.scan.incidents_after(np.flatnonzero(self.final).tolist())


def is_needed(series: Series, criteria: Sequence[Criterion] = ()) -> bool:
    """Whether the judge uses this series."""
    criteria = criteria or DEFAULT_CRITERIA
    if series.stat in OWN_STATS:
        return any(series in criterion.series(fleet).values() for criterion in criteria for fleet in FLEETS)
    if series.metric != "latency":
        return series.metric in ("requests", "unanswered", "connection_errors", "alb_5xx", "alb_503", *STATUS_COUNTS)
    percentiles = {criterion.metric.removeprefix("latency_") for criterion in criteria}
    thresholds = {
        within_stat(criterion.slow_threshold_s) for criterion in criteria if criterion.slow_threshold_s is not None
    }
    return series.stat == "sample_count" or series.stat in percentiles | thresholds


def prepare_grid(
    frame: pd.DataFrame,
    criteria: Sequence[Criterion] = (),
    *,
    window: Window | None = None,
    provisional_from: int | None = None,
    unknown: UnknownWindows = MappingProxyType({}),
    fleets: Sequence[FleetRequests] = (),
    context: JudgeContext = NO_CONTEXT,
) -> PreparedGrid:
    """Puts a tidy frame on a grid over `window` (all of it by default), which should be one phase, to be judged by `criteria`, or DEFAULT_CRITERIA.

    The grid's period is the most frequent one in the window: CloudWatch keeps minutes for 15 days, then five-minute periods. `provisional_from`:
    epoch seconds from which periods may still change. `unknown`: when counts are unknown, so that a missing row is not 0. `fleets`: the requests
    of each fleet, if more is known of them than `frame` and `unknown` say; they explain a verdict and do not change it.
    An incident exceeds the smallest absolute margin of the criteria of errors.
    """
    criteria = tuple(criteria) or DEFAULT_CRITERIA
    if window is None:
        ts = epoch_s(frame)
        start, end = (int(ts.min()), int((ts + frame["period_s"].to_numpy()).max())) if len(frame) else (0, 60)
        window = Window(start, end)
    period_s, others = dominant_period(frame, window)
    grid = time_grid(frame, window, unknown, period_s=period_s)
    if context.counts_503:
        alb_503 = np.where(np.isnan(grid.alb["alb_5xx"]), grid.alb["alb_503"], np.nan_to_num(grid.alb["alb_503"]))
        grid = replace(grid, alb={**grid.alb, "alb_503": alb_503})
    coarser, finer = (np.zeros(len(grid.ts), dtype=bool) for _ in range(2))
    for starts, length_s in others:
        covered = (starts - grid.ts[0])[:, None] // grid.period_s + np.arange(max(1, length_s // grid.period_s))
        (finer if length_s < grid.period_s else coarser)[covered[(covered >= 0) & (covered < len(grid.ts))]] = True
    final = np.ones(len(grid.ts), dtype=bool)
    if provisional_from is not None:
        final = grid.ts + grid.period_s <= provisional_from
    metrics = set(frame["metric"].unique())
    answers_known = bool(metrics & set(STATUS_COUNTS[:3])) or bool((frame["stat"] == "sample_count").any())
    unanswered = None
    if "unanswered" in metrics:
        rows = frame[(frame["metric"] == "unanswered") & (frame["period_s"] <= grid.period_s)]
        unanswered = {fleet: sum_by_period(rows[rows["fleet"] == fleet], grid) for fleet in FLEETS}
    unread = {fleet: _requests_unread(grid, fleet, unknown) for fleet in FLEETS}
    fleets = tuple(fleets) or tuple(
        requests_of_series(fleet, grid.fleets[fleet].requests[final], unknown=bool(unread[fleet][final].any()))
        for fleet in FLEETS
    )
    either = unread["baseline"] | unread["canary"]
    scan = scan_failures(
        grid,
        final & ~either,
        unanswered=unanswered,
        answers_known=answers_known,
        configured=context.configured,
        margin=min(
            (item.margin.amount for item in criteria if item.metric in ERROR_METRICS and not item.margin.is_relative),
            default=0.0,
        ),
        usual=context.usual,
    )
    warm_up = grid.overlaps(context.warm_up)
    return PreparedGrid(
        grid, final, coarser, finer, unanswered, answers_known, either, fleets, scan, warm_up, context, criteria
    )


def _requests_unread(grid: TimeGrid, fleet: FleetName, unknown: UnknownWindows) -> BoolArray:
    """Periods without requests of a fleet for which the requests of one of its target groups are unknown."""
    of_fleet = (windows for series, windows in unknown.items() if (series.fleet, series.metric) == (fleet, "requests"))
    return grid.overlaps(chain.from_iterable(of_fleet)) & np.isnan(grid.fleets[fleet].requests)


def paired_samples(prepared: PreparedGrid, criterion: Criterion) -> PairedSamples:
    """The periods in which `criterion` can be judged: final, and with requests of both fleets.

    A percentile also needs 10 / (1 − p) answers and one target group per fleet, because percentiles cannot be merged. A latency must be positive.
    A criterion of one's own needs its values, or its counts, of both fleets instead of requests; a value has the weight of one request.
    """
    grid, is_rate = prepared.grid, criterion.quantity == "rate"
    measure = _measure(prepared, criterion)
    requests, present, samples, events = measure.requests, measure.present, measure.samples, measure.events
    both = present["baseline"] & present["canary"]
    either = present["baseline"] | present["canary"]
    no_traffic = ~either & (requests["baseline"] == 0) & (requests["canary"] == 0)
    other_period = ~both & (prepared.coarser | (prepared.finer if not is_rate else False))
    n_final = int(np.flatnonzero(prepared.final)[-1]) if prepared.final.any() else -1
    usable = np.ones(len(grid.ts), dtype=bool)
    excluded: dict[ExclusionReason, int] = {}
    flags_by_reason: dict[ExclusionReason, BoolArray] = {
        "provisional": ~prepared.final,
        "other_period": other_period,
        "no_traffic": no_traffic & ~prepared.requests_unread,
        "incident": prepared.scan.judged_from > n_final,
        "one_side_missing": either & ~both & ~prepared.requests_unread,
        "both_sides_missing": ~either & ~prepared.requests_unread,
        "unread": measure.unread | ~both,  # ~both: periods with unknown requests
        "mixed_groups": measure.multi_group,
        "low_samples": measure.low_sample,
        "not_comparable": measure.not_comparable,
    }
    for reason, flags in flags_by_reason.items():
        excluded[reason] = int((usable & flags).sum()) * grid.period_s // MINUTE_S
        usable &= ~flags
    index = np.flatnonzero(usable)
    n_uncertain, unexplained = 0, {fleet: np.zeros(len(index)) for fleet in FLEETS}
    if events:
        events = {fleet: events[fleet][index] for fleet in FLEETS}
        is_measured = all(bool(present[fleet].any()) or not requests[fleet].any() for fleet in FLEETS)
    else:
        events, unexplained, is_measured, n_uncertain = _error_counts(prepared, criterion.metric, index)
    warm = prepared.warm_up[index]
    certain = np.arange(len(index)) >= n_uncertain
    excluded["warm_up"] = int(warm.sum()) * grid.period_s // MINUTE_S
    excluded["in_flight"] = int((~certain & ~warm).sum()) * grid.period_s // MINUTE_S
    used = certain & ~warm
    index, events = index[used], {fleet: events[fleet][used] for fleet in FLEETS}
    recent_s = OWN_RECENT_GAP_S if criterion.is_own else RECENT_GAP_S
    newest = np.flatnonzero(prepared.final & ~no_traffic & ~other_period)[-max(1, recent_s // grid.period_s) :]
    # That a metric of one's own is missing says nothing about the fleet.
    silent = prepared.requests_unread | criterion.is_own
    return PairedSamples(
        criterion,
        grid.period_s,
        grid.ts[index],
        index,
        np.maximum.accumulate(prepared.scan.judged_from[index]),
        events["baseline"],
        events["canary"],
        samples["baseline"][index],
        samples["canary"][index],
        excluded,
        is_measured,
        int((prepared.final & ((requests["baseline"] > 0) & (requests["canary"] > 0) | both)).sum()),
        missing=tuple(fleet for fleet in prepared.fleets if not fleet.is_counted),
        recent_gap=_recent_gap(newest, ~both & ~measure.low_sample, measure.unread, silent),
        gone=tuple(fleet for fleet in FLEETS if not present[fleet][newest].any()),
        unexplained={fleet: round(float(unexplained[fleet][used].sum())) for fleet in FLEETS},
        history=prepared.context.scatter.get(criterion.metric, NO_HISTORY),
        excess=_incident_excess(prepared, criterion.metric),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Measure:
    """What a criterion compares, in each period of the grid, by fleet: `events` of `samples` where it is `present`. `events` is empty if errors are
    counted later, in the periods that are used. The others are reasons not to use a period."""

    requests: Mapping[FleetName, FloatArray]
    present: Mapping[FleetName, BoolArray]
    samples: Mapping[FleetName, FloatArray]
    events: Mapping[FleetName, FloatArray]
    low_sample: BoolArray
    multi_group: BoolArray
    unread: BoolArray
    not_comparable: BoolArray


def _measure(prepared: PreparedGrid, criterion: Criterion) -> _Measure:
    grid, none = prepared.grid, np.zeros(len(prepared.grid.ts), dtype=bool)
    requests = {fleet: np.nan_to_num(grid.fleets[fleet].requests) for fleet in FLEETS}
    if criterion.is_own:
        own = {fleet: _own_values(grid, criterion, fleet) for fleet in FLEETS}
        events, samples = ({fleet: own[fleet][part] for fleet in FLEETS} for part in (0, 1))
        present = {fleet: samples[fleet] > 0 for fleet in FLEETS}
        not_comparable = np.any([_not_comparable(criterion, *own[fleet]) for fleet in FLEETS], axis=0)
        return _Measure(requests, present, samples, events, none, none, none, not_comparable)
    if criterion.quantity == "latency":
        comparison = latency(grid, criterion.metric.removeprefix("latency_"))
        present = {fleet: np.nan_to_num(comparison.values[fleet]) > 0 for fleet in FLEETS}
        samples = {fleet: np.nan_to_num(comparison.samples[fleet]) for fleet in FLEETS}
        low_sample = comparison.low_sample["baseline"] | comparison.low_sample["canary"]
        multi_group = grid.fleets["baseline"].multi_group | grid.fleets["canary"].multi_group
        return _Measure(requests, present, samples, comparison.values, low_sample, multi_group, none, none)
    if criterion.slow_threshold_s is not None:
        comparison = slow_share(grid, criterion.slow_threshold_s)
        samples = {fleet: np.nan_to_num(comparison.samples[fleet]) for fleet in FLEETS}
        present = {fleet: ~np.isnan(comparison.values[fleet]) & (samples[fleet] > 0) for fleet in FLEETS}
        events = {fleet: comparison.values[fleet] * samples[fleet] for fleet in FLEETS}
        return _Measure(requests, present, samples, events, none, none, none, none)
    if criterion.metric == "error_rate":
        requests["canary"] = requests["canary"] + prepared.scan.uncounted
    present = {fleet: requests[fleet] > 0 for fleet in FLEETS}
    return _Measure(requests, present, requests, {}, none, none, _unread_periods(prepared, criterion.metric), none)


def _own_values(grid: TimeGrid, criterion: Criterion, fleet: FleetName) -> tuple[FloatArray, FloatArray]:
    """Events and totals of a rate; values and ones. Both are 0 without a row."""
    own, gaps = grid.fleets[fleet].own, np.full(len(grid.ts), np.nan)
    if criterion.quantity == "rate":
        events, total = (own.get((criterion.series_metric, stat), gaps) for stat in ("events", "total"))
        return np.nan_to_num(events), np.where(np.isnan(events), 0.0, np.nan_to_num(total))
    values = own.get((criterion.series_metric, "value"), gaps)
    return np.nan_to_num(values), np.where(np.isnan(values), 0.0, 1.0)


def _not_comparable(criterion: Criterion, values: FloatArray, samples: FloatArray) -> BoolArray:
    """Periods in which events exceed their total or are negative, or a value has no logarithm, which a relative margin needs."""
    if criterion.quantity == "rate":
        return (samples > 0) & ((values > samples) | (values < 0))
    return (samples > 0) & (values <= 0) & criterion.margin.is_relative


def _incident_excess(prepared: PreparedGrid, metric: str) -> FloatArray:
    """See `PairedSamples.excess`: 0 but for errors."""
    scan, failed = prepared.scan, np.zeros(len(prepared.grid.ts))
    target_5xx = np.nan_to_num(prepared.grid.fleets["canary"].counts["target_5xx"])
    if metric == "error_rate":
        failed = scan.failed["canary"]
    elif metric == "target_5xx_rate":
        failed = np.minimum(scan.failed["canary"], target_5xx)
    elif metric == "unanswered_rate":
        failed = np.maximum(scan.failed["canary"] - scan.uncounted - target_5xx, 0.0)
    return scan.excess(failed)


def _unread_periods(prepared: PreparedGrid, metric: str) -> BoolArray:
    """Periods in which a count that the metric needs is unknown for a fleet that had requests."""
    unread = np.zeros(len(prepared.grid.ts), dtype=bool)
    for fleet in FLEETS:
        counts = prepared.grid.fleets[fleet].counts
        missing = np.zeros(len(unread), dtype=bool)
        if metric != "unanswered_rate":
            missing |= np.isnan(counts["target_5xx"])
        if metric != "target_5xx_rate" and prepared.unanswered is None:
            some_status = np.isnan([counts[status] for status in STATUS_COUNTS]).any(axis=0)
            missing |= some_status & np.isnan(counts["sample_count"])
        unread |= missing & (np.nan_to_num(counts["requests"]) > 0)
    return unread


def _recent_gap(
    newest: npt.NDArray[np.intp], missing: BoolArray, unread: BoolArray, requests_unread: BoolArray
) -> RecentGap | None:
    """Why none of the `newest` periods could be used. Within a phase weights do not change: a silent fleet is broken, if its requests are known."""
    if len(newest) and missing[newest].all():
        return "unread" if requests_unread[newest].any() else "one_side_gone"
    return "unread" if len(newest) and unread[newest].all() else None


def _error_counts(
    prepared: PreparedGrid, metric: str, index: npt.NDArray[np.intp]
) -> tuple[dict[FleetName, FloatArray], dict[FleetName, FloatArray], bool, int]:
    """Errors of both fleets in the periods `index`; requests without a counted response that are no errors; whether the frame has the counts
    for them; how many of the first periods are uncertain."""
    grid, none = prepared.grid, {fleet: np.zeros(len(index)) for fleet in FLEETS}
    known = prepared.answers_known or prepared.unanswered is not None
    if metric == "unanswered_rate" and not known:
        return none, none, False, 0
    unanswered, unexplained, delay_periods = none, none, 0
    if metric != "target_5xx_rate" and prepared.unanswered is not None:
        unanswered = {fleet: prepared.unanswered[fleet][index] for fleet in FLEETS}
    elif metric != "target_5xx_rate" and known:
        delay_periods = max(1, MAX_IN_FLIGHT_S // grid.period_s)
        unanswered, unexplained = failed_by_period(grid, index, delay_periods)
    errors: dict[FleetName, FloatArray] = {}
    for fleet in FLEETS:
        counts = grid.fleets[fleet].counts
        target_5xx = 0.0 if metric == "unanswered_rate" else np.nan_to_num(counts["target_5xx"][index])
        requests = np.nan_to_num(counts["requests"][index])
        errors[fleet] = np.minimum(target_5xx + unanswered[fleet], requests)
    if metric == "error_rate":
        errors["canary"] = errors["canary"] + prepared.scan.uncounted[index]
    return errors, unexplained, True, delay_periods
