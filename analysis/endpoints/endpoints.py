"""Parity route by route, from the counts of the access logs: what totals hide, and which routes are to blame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analysis.parity.confidence_sequences import MIN_MINUTES
from analysis.parity.judge import judge_criterion
from analysis.parity.samples import PairedSamples
from analysis.parity.verdicts import (
    DEFAULT_CRITERIA,
    EXCLUSION_REASONS,
    CriterionVerdict,
    ExclusionReason,
    Judgement,
    overall_verdict,
)
from analysis.series.grid import FloatArray
from analysis.series.quantiles import Percentile, percentile
from domain import FLEETS, Criterion, FleetName, Window
from domain.log_counts import UNANSWERED_MS
from domain.route_templates import OTHER_ROUTE
from domain.window import MINUTE_S

MAX_ROUTES = 500
PERCENTILES = ("p50", "p95", "p99")
BLOCKS_MINUTES = (1, 5, 15, 60)
ALL_ROUTES = ""  # the name of all routes together

ERROR_CLASSES = (4, 5)  # classes of status codes of which fewer are better

AnyArray = npt.NDArray[Any]  # whole numbers
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FleetStats:
    """One fleet on one route. `errors`: answered with 5xx by the target, or by the load balancer in its place (502, 503, 504 of this very group);
    where a class of status codes was asked for, its answers.
    """

    requests: int
    errors: int
    unanswered: int
    percentiles: Mapping[str, Percentile | None]

    @property
    def error_rate(self) -> float | None:
        return self.errors / self.requests if self.requests else None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route on both sides, and what the judge says of it. `route` is ALL for all together."""

    route: str
    fleets: Mapping[FleetName, FleetStats]
    judgement: Judgement

    @property
    def requests(self) -> int:
        return sum(side.requests for side in self.fleets.values())

    @property
    def error_difference(self) -> float | None:
        """Canary − baseline, as a fraction of requests."""
        b, c = (self.fleets[fleet].error_rate for fleet in FLEETS)
        return c - b if b is not None and c is not None else None


@dataclass(frozen=True, slots=True)
class JudgedEndpoints:
    """Every route, worst first; all of them together; how many were judged (the family that alarms are corrected for); and requests that no fleet took.

    `folded`: how many routes beyond the cap stand together as OTHER.
    """

    routes: tuple[Endpoint, ...]
    total: Endpoint
    n_judged: int
    n_folded: int
    unassigned_requests: int

    @property
    def hidden_regressions(self) -> tuple[Endpoint, ...]:
        """Routes with a regression while all of them together show none: Simpson's paradox, or simply a small route that broke."""
        if self.total.judgement.verdict == "regression":
            return ()
        return tuple(one for one in self.routes if one.judgement.verdict == "regression")


@dataclass(frozen=True, slots=True, eq=False)
class _CountRows:
    """Counts as arrays of equal length. `fleet` is a position in FLEETS; `minute` counts from the window's start.

    `failed`: what counts as an error. `timed`: answers whose time is looked at.
    """

    fleet: AnyArray
    minute: AnyArray
    ms: AnyArray
    n: AnyArray
    failed: Flags
    timed: Flags
    unanswered: Flags
    target_5xx: Flags

    def select(self, mask: Flags | slice | AnyArray) -> "_CountRows":
        return _CountRows(*(getattr(self, name)[mask] for name in self.__slots__))


def judge_endpoints(
    counts: pa.Table,
    fleet_by_group: Mapping[str, FleetName],
    window: Window,
    criteria: Sequence[Criterion] = (),
    *,
    max_routes: int = MAX_ROUTES,
    status: int | None = None,
) -> JudgedEndpoints:
    """Judges every route of `counts` (domain.log_counts.COUNTS) in `window`. `fleet_of`: target groups' names.

    The judge is that of the Parity page, fed with the minutes of one route. Its alarms are corrected for all routes that are judged times the
    criteria, so that among 500 routes on which nothing is wrong the chance of any false alarm stays ≤ 5 %; parity needs no such correction.
    `status`: a class of status codes (2 to 5). Then the times are those of its answers, and an error is one of them; of 2xx and 3xx only times are
    judged, for nobody can say whether more of them are better.
    """
    chosen = _applicable_criteria(tuple(criteria) or DEFAULT_CRITERIA, status)
    rows, code, every, elsewhere = _parse_counts(counts, fleet_by_group, window, status)
    names, code, folded = _cap_routes(every, code, rows.n, max_routes)
    order = np.lexsort((rows.ms, code))
    rows, code = rows.select(order), code[order]
    bounds = np.searchsorted(code, np.arange(len(names) + 1))
    parts = [(name, rows.select(slice(bounds[place], bounds[place + 1]))) for place, name in enumerate(names)]
    parts = [(name, part) for name, part in parts if len(part.n)]
    # Fewer minutes and the judge says nothing, so that no alarm can come of it. How many there are hangs on traffic alone, not on how it ended.
    enough = sum(_shared_minutes(part, window) >= MIN_MINUTES for _, part in parts)
    family = max(1, enough) * max(1, len(chosen))
    found = [_endpoint(name, part, window, chosen, family, default=not criteria) for name, part in parts]
    every_route = rows.select(np.argsort(rows.ms, kind="stable"))
    total = _endpoint(ALL_ROUTES, every_route, window, chosen, len(chosen), default=not criteria)
    return JudgedEndpoints(tuple(sorted(found, key=_sort_key)), total, enough, folded, elsewhere)


def _applicable_criteria(criteria: Sequence[Criterion], status: int | None) -> tuple[Criterion, ...]:
    """The criteria that have a meaning where only one class of status codes is looked at."""
    if status is None:
        return tuple(criteria)
    kept = ("error_rate",) if status in ERROR_CLASSES else ()
    times = [one for one in DEFAULT_CRITERIA if one.metric.startswith("latency_")]
    chosen = [one for one in criteria if one.metric in kept or _is_time_based(one)]
    return tuple(chosen or times)


def _is_time_based(criterion: Criterion) -> bool:
    return criterion.metric.startswith("latency_") or criterion.slow_threshold_s is not None


def _parse_counts(
    counts: pa.Table, fleet_by_group: Mapping[str, FleetName], window: Window, status: int | None
) -> tuple[_CountRows, AnyArray, list[str], int]:
    """The rows of both fleets in `window`, each one's route as a place in the list of names, and how many requests no fleet took."""
    minute, elb, target, ms, n = (
        counts[name].to_numpy() for name in ("minute", "elb_status", "target_status", "latency_ms", "n")
    )
    groups, names_of_groups = _dictionary_encode(counts["target_group"])
    fleets = [FLEETS.index(fleet_by_group[name]) if name in fleet_by_group else -1 for name in names_of_groups]
    fleet = np.array([*fleets, -1], dtype=np.int32)[groups]
    code, names = _dictionary_encode(counts["route"])
    inside = (minute >= window.start) & (minute < window.end)
    kept = inside & (fleet >= 0)
    ends = elb >= 500 if status is None else elb // 100 == status
    rows = _CountRows(
        fleet,
        ((minute - window.start) // MINUTE_S).astype(np.int32),
        ms.astype(np.int32),
        n,
        failed=ends,
        timed=(ms >= 0) & ends if status else ms >= 0,
        unanswered=(ms == UNANSWERED_MS) & (target < 0),
        target_5xx=target >= 500,
    )
    return rows.select(kept), code[kept], names, int(n[inside & (fleet < 0)].sum())


def _dictionary_encode(column: pa.ChunkedArray) -> tuple[AnyArray, list[str]]:
    """A column of texts as numbers, and the texts that they stand for."""
    coded = column.combine_chunks().dictionary_encode()
    return coded.indices.to_numpy(), coded.dictionary.to_pylist()


def _cap_routes(names: Sequence[str], code: AnyArray, n: AnyArray, max_routes: int) -> tuple[list[str], AnyArray, int]:
    """The names of the `most` routes with most requests, and each row's place among them; what is beyond stands together as OTHER."""
    served = np.bincount(code, weights=n, minlength=len(names)) if len(code) else np.zeros(len(names))
    busiest = [place for place in np.argsort(-served, kind="stable") if served[place] > 0]
    folded = max(0, len(busiest) - max_routes)
    place_of = np.full(len(names), max_routes, dtype=np.int64)
    place_of[busiest[:max_routes]] = np.arange(min(max_routes, len(busiest)))
    return (
        [names[place] for place in busiest[:max_routes]] + [OTHER_ROUTE] * bool(folded),
        place_of[code] if len(code) else code,
        folded,
    )


def _shared_minutes(rows: _CountRows, window: Window) -> int:
    """In how many minutes both fleets had requests."""
    return int((_requests_by_block(rows, window.minutes) > 0).all(axis=0).sum())


def _endpoint(
    name: str, rows: _CountRows, window: Window, criteria: Sequence[Criterion], n_comparisons: int, *, default: bool
) -> Endpoint:
    sides = {fleet: _fleet_stats(rows.select(rows.fleet == place)) for place, fleet in enumerate(FLEETS)}
    said = tuple(_judge_criterion(criterion, rows, window, n_comparisons) for criterion in criteria)
    return Endpoint(name, sides, Judgement(overall_verdict(said), said, default_criteria=default))


def _fleet_stats(rows: _CountRows) -> FleetStats:
    """`rows` of one fleet, by their time."""
    ms, n = rows.ms[rows.timed], rows.n[rows.timed]
    return FleetStats(
        requests=int(rows.n.sum()),
        errors=int(rows.n[rows.failed].sum()),
        unanswered=int(rows.n[rows.unanswered].sum()),
        percentiles={name: percentile(ms, n, percentile_fraction(name)) for name in PERCENTILES},
    )


def percentile_fraction(name: str) -> float:
    """0.95 for "p95"."""
    return float(name.removeprefix("p")) / 100


def _judge_criterion(criterion: Criterion, rows: _CountRows, window: Window, n_comparisons: int) -> CriterionVerdict:
    block = 1
    if criterion.metric.startswith("latency_"):
        share = percentile_fraction(criterion.metric.removeprefix("latency_"))
        timed = rows.select(rows.timed)
        block = _block_minutes(timed, window, 10 / (1 - share))
        found = _latency_samples(timed, window, block, share)
    else:
        found = _rate_samples(criterion, rows, window)
    return judge_criterion(criterion, found, n_comparisons, period_minutes=block)


def _rate_samples(criterion: Criterion, rows: _CountRows, window: Window) -> PairedSamples:
    """Events among requests, minute by minute."""
    of = np.ones(len(rows.n), dtype=bool)
    if (slow_s := criterion.slow_threshold_s) is not None:
        of = rows.timed  # of the answers, as in CloudWatch
        event = rows.ms > slow_s * 1000
    else:
        chosen = {
            "error_rate": rows.failed,
            "unanswered_rate": rows.unanswered,
            "target_5xx_rate": rows.target_5xx,
        }
        event = chosen[criterion.metric]
    requests = _requests_by_block(rows.select(of), window.minutes)
    events = _requests_by_block(rows.select(of & event), window.minutes)
    there = requests > 0
    return _paired_samples(window, 1, there[0] & there[1], there[0] | there[1], events, requests, is_rate=True)


def _latency_samples(rows: _CountRows, window: Window, block: int, fraction: float) -> PairedSamples:
    """Percentiles of blocks of minutes, of those blocks that have enough answers on both sides."""
    blocks = -(-window.minutes // block)
    samples = _requests_by_block(rows, window.minutes, block)
    found = _percentiles(rows.fleet * blocks + rows.minute // block, rows.ms, rows.n, fraction, 2 * blocks)
    values = found.reshape(2, blocks)
    enough = (samples >= 10 / (1 - fraction)) & (np.nan_to_num(values) > 0)
    return _paired_samples(
        window, block, enough[0] & enough[1], samples.sum(axis=0) > 0, values, samples, is_rate=False
    )


def _block_minutes(rows: _CountRows, window: Window, min_answers: float) -> int:
    """The shortest block in which most blocks of both sides have `fewest` answers; the longest where none has. Chosen by traffic, not by outcome."""
    for block in BLOCKS_MINUTES:
        samples = _requests_by_block(rows, window.minutes, block).min(axis=0)
        if len(samples) and np.median(samples) >= min_answers:
            return block
    return BLOCKS_MINUTES[-1]


def _requests_by_block(rows: _CountRows, minutes: int, block: int = 1) -> FloatArray:
    """Requests of both fleets (rows) in each block of minutes (columns)."""
    blocks = -(-minutes // block)
    place = rows.fleet * blocks + rows.minute // block
    return np.bincount(place, weights=rows.n, minlength=2 * blocks).astype(np.float64).reshape(2, blocks)


def _percentiles(block: AnyArray, ms: AnyArray, n: AnyArray, fraction: float, blocks: int) -> FloatArray:
    """The `share` quantile of each block in seconds: its smallest value up to which so many of its answers lie; NaN without any.

    `ms` ascend. Numpy sorts stably in linear time what has 16 bits, and only that.
    """
    order = np.argsort(block.astype(np.uint16) if blocks <= 2**16 else block, kind="stable")
    block, ms, upto = block[order], ms[order], np.cumsum(n[order])
    found = np.full(blocks, np.nan)
    there, first = np.unique(block, return_index=True)
    if len(there):
        last = np.append(first[1:], len(block)) - 1
        before = np.where(first > 0, upto[first - 1], 0)
        rank = before + np.ceil(fraction * (upto[last] - before))
        found[there] = ms[np.searchsorted(upto, rank, side="left")] / 1000
    return found


def _paired_samples(
    window: Window,
    block: int,
    used: Flags,
    served: Flags,
    values: FloatArray,
    requests: FloatArray,
    *,
    is_rate: bool,
) -> PairedSamples:
    place = np.flatnonzero(used)
    left_out: dict[ExclusionReason, int] = dict.fromkeys(EXCLUSION_REASONS, 0)
    why: ExclusionReason = "one_side_missing" if is_rate else "low_samples"
    left_out[why] = int((served & ~used).sum()) * block
    left_out["no_traffic"] = int((~served).sum()) * block
    return PairedSamples(
        is_rate=is_rate,
        ts=window.start + place * block * MINUTE_S,
        index=place,
        baseline=values[0, place],
        canary=values[1, place],
        requests_b=requests[0, place],
        requests_c=requests[1, place],
        excluded=left_out,
        is_measured=True,
        one_side_empty=not requests.any(axis=1).all(),
        paired_periods=int(used.sum()),
        recent_gap=None,
    )


_WORST_FIRST = ("regression", "undecided", "not enough data", "parity", "improvement")


def _sort_key(endpoint: Endpoint) -> tuple[int, bool, float, str]:
    """Worst first: by verdict, then what is surely worse than nothing, then by how many requests errors more concern."""
    judgement = endpoint.judgement
    surely = any(one.is_significantly_worse for one in judgement.criteria)
    difference = endpoint.error_difference or 0.0
    return (
        _WORST_FIRST.index(judgement.verdict),
        not surely,
        -difference * endpoint.fleets["canary"].requests,
        endpoint.route,
    )
