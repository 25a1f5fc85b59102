"""Parity per route, from access log counts: finds regressions of single routes that the totals hide."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
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
    ExclusionReason,
    Judgement,
    Verdict,
    overall_verdict,
)
from analysis.series.fleet_requests import FleetRequests
from analysis.series.grid import BoolArray, FloatArray
from analysis.series.quantiles import Percentile, percentile
from domain import FLEETS, Criterion, FleetName, Window
from domain.log_counts import COUNTS, UNANSWERED_MS
from domain.route_templates import OTHER_ROUTE
from domain.window import MINUTE_S

MAX_ROUTES = 500
PERCENTILES = ("p50", "p95", "p99")
BLOCKS_MINUTES = (1, 5, 15, 60)
TREND_BLOCKS = 24
ALL_ROUTES = ""  # the route name of the total
EVENTS = {
    "error_rate": "failed",
    "unanswered_rate": "unanswered",
    "target_5xx_rate": "target_5xx",
}  # columns of _CountRows
ERROR_CLASSES = (4, 5)  # status code classes of which fewer are better

# For a route whose share of α is not known yet: only an outage is an alarm. All of them together add 10⁻⁶ · α at most.
UNDECIDED_COMPARISONS = 10**9

AnyArray = npt.NDArray[Any]  # of integers


@dataclass(frozen=True, slots=True)
class FleetStats:
    """One fleet's requests of a route. `errors`: 5xx by the target, or by the load balancer on its behalf; with a status filter, its answers."""

    requests: int
    errors: int
    unanswered: int
    percentiles: Mapping[str, Percentile | None]

    @property
    def error_rate(self) -> float | None:
        return self.errors / self.requests if self.requests else None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route (or ALL_ROUTES) of both fleets, with its judgement.

    `trend`: each fleet's error rate in TREND_BLOCKS equal parts of the window, None without requests.
    """

    route: str
    fleets: Mapping[FleetName, FleetStats]
    judgement: Judgement
    trend: Mapping[FleetName, tuple[float | None, ...]] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        return sum(fleet.requests for fleet in self.fleets.values())

    @property
    def error_difference(self) -> float | None:
        """Canary − baseline, as a fraction of requests."""
        b, c = (self.fleets[fleet].error_rate for fleet in FLEETS)
        return c - b if b is not None and c is not None else None

    @property
    def p95_difference(self) -> float | None:
        """Canary against baseline, as a fraction of the baseline's."""
        b, c = (self.fleets[fleet].percentiles["p95"] for fleet in FLEETS)
        return c.value_s / b.value_s - 1 if b and c and b.value_s else None


@dataclass(frozen=True, slots=True)
class JudgedEndpoints:
    """Every route, the worst first, and the total.

    `n_judged`: routes with enough data, for which alarms are corrected; `n_folded`: routes beyond the cap, merged into OTHER_ROUTE;
    `unassigned_requests`: requests of neither fleet.
    """

    routes: tuple[Endpoint, ...]
    total: Endpoint
    n_judged: int
    n_folded: int
    unassigned_requests: int

    @property
    def hidden_regressions(self) -> tuple[Endpoint, ...]:
        """Routes with a regression while the total has none: Simpson's paradox, or a small route that broke."""
        if self.total.judgement.verdict == "regression":
            return ()
        return tuple(endpoint for endpoint in self.routes if endpoint.judgement.verdict == "regression")


@dataclass(slots=True, eq=False)
class _CountRows:
    """One fleet's counts as arrays of equal length: `route` is an index into the names of routes, `minute` counts from the window's start.

    `failed`: rows that count as errors. `timed`: answers whose latency is judged.
    """

    route: AnyArray
    minute: AnyArray
    ms: AnyArray
    n: AnyArray
    failed: BoolArray
    timed: BoolArray
    unanswered: BoolArray
    target_5xx: BoolArray

    def select(self, mask: BoolArray | slice | AnyArray) -> "_CountRows":
        return _CountRows(*(getattr(self, name)[mask] for name in self.__slots__))

    def reorder(self, order: AnyArray) -> None:
        """In place: one array after the other, so that no two copies of all of them are in memory."""
        for column in self.__slots__:
            setattr(self, column, getattr(self, column)[order])


_Fleets = Sequence[_CountRows]  # in the order of FLEETS


def judge_endpoints(
    counts: pa.Table | Iterable[pa.Table],
    fleet_by_group: Mapping[str, FleetName],
    window: Window,
    criteria: Sequence[Criterion] = (),
    *,
    max_routes: int = MAX_ROUTES,
    status: int | None = None,
    before_route: Callable[[], None] = lambda: None,
) -> JudgedEndpoints:
    """Judges every route of `counts` (domain.log_counts.COUNTS), in one table or several, in `window`. `fleet_by_group`: fleets by target group name.

    The judge is that of the Parity page, applied to one route at a time. Alarms are corrected for routes and criteria (`route_comparisons`), so that
    the probability of any false alarm stays ≤ 5 %; parity needs no correction. `status` restricts to a class of status codes (2 to 5): latency is
    that of its answers, and they are the errors; for 2xx and 3xx only latency is judged. `before_route` is called before each route
    is judged, and may raise to give up. Criteria of one's own do not apply; without any others, DEFAULT_CRITERIA do.
    """
    criteria = tuple(criterion for criterion in criteria if not criterion.is_own)  # no log line has their metrics
    chosen = _applicable_criteria(criteria or DEFAULT_CRITERIA, status)
    fleets, all_names, unassigned = _parse_counts(counts, fleet_by_group, window, status)
    judgeable_after = _judgeable_after(fleets, len(all_names), window.minutes)
    comparisons = route_comparisons(judgeable_after, window.minutes, len(chosen))
    after_by_name, comparisons_by_name = (
        dict(zip(all_names, of_route.tolist(), strict=True)) for of_route in (judgeable_after, comparisons)
    )
    names, n_folded = _cap_routes(all_names, fleets, max_routes)
    if n_folded:
        comparisons_by_name[OTHER_ROUTE] = UNDECIDED_COMPARISONS  # its routes are others at every look
    for rows in fleets:
        rows.reorder(np.argsort(rows.ms))
    total = _endpoint(ALL_ROUTES, fleets, window, chosen, len(chosen), default=not criteria)
    for rows in fleets:
        rows.reorder(np.argsort(rows.route, kind="stable"))
    parts = zip(*(_split_by_route(rows, len(names)) for rows in fleets), strict=True)
    routes = [(name, part) for name, part in zip(names, parts, strict=True) if any(len(rows.n) for rows in part)]
    n_judged = sum(after_by_name.get(name, 0) <= window.minutes for name, _ in routes)
    endpoints = []
    for name, part in routes:
        before_route()
        endpoints.append(_endpoint(name, part, window, chosen, comparisons_by_name[name], default=not criteria))
    return JudgedEndpoints(tuple(sorted(endpoints, key=_sort_key)), total, n_judged, n_folded, unassigned)


def _applicable_criteria(criteria: Sequence[Criterion], status: int | None) -> tuple[Criterion, ...]:
    """The criteria that apply to one class of status codes; the default latency criteria if none does."""
    if status is None:
        return tuple(criteria)
    rates = ("error_rate",) if status in ERROR_CLASSES else ()
    defaults = [criterion for criterion in DEFAULT_CRITERIA if criterion.metric.startswith("latency_")]
    chosen = [criterion for criterion in criteria if criterion.metric in rates or _is_time_based(criterion)]
    return tuple(chosen or defaults)


def _is_time_based(criterion: Criterion) -> bool:
    return criterion.quantity == "latency" or criterion.slow_threshold_s is not None


def _parse_counts(
    counts: pa.Table | Iterable[pa.Table], fleet_by_group: Mapping[str, FleetName], window: Window, status: int | None
) -> tuple[_Fleets, list[str], int]:
    """The rows of each fleet in `window`, the names of their routes, and the number of unassigned requests."""
    columns = [defaultdict[str, list[AnyArray]](list) for _ in FLEETS]
    index_of, unassigned = dict[str, int](), 0
    for table in chain([COUNTS.empty_table()], [counts] if isinstance(counts, pa.Table) else counts):
        fleets, names, n_unassigned = _parse_table(table, fleet_by_group, window, status)
        index = np.array([index_of.setdefault(name, len(index_of)) for name in names], dtype=np.int32)
        for rows, of_fleet in zip(fleets, columns, strict=True):
            rows.route = index[rows.route]
            for name in _CountRows.__slots__:
                of_fleet[name].append(getattr(rows, name))
        unassigned += n_unassigned
    fleets = [_CountRows(**{name: np.concatenate(of_fleet.pop(name)) for name in [*of_fleet]}) for of_fleet in columns]
    return fleets, list(index_of), unassigned


def _parse_table(
    counts: pa.Table, fleet_by_group: Mapping[str, FleetName], window: Window, status: int | None
) -> tuple[_Fleets, list[str], int]:
    minute, elb, target, ms, n = (
        counts[name].to_numpy() for name in ("minute", "elb_status", "target_status", "latency_ms", "n")
    )
    groups, group_names = dictionary_encode(counts["target_group"])
    fleet_of = [FLEETS.index(fleet_by_group[name]) if name in fleet_by_group else -1 for name in group_names]
    fleet = np.array([*fleet_of, -1], dtype=np.int8)[groups]
    route, names = dictionary_encode(counts["route"])
    in_window = (minute >= window.start) & (minute < window.end)
    failed = elb >= 500 if status is None else elb // 100 == status
    rows = _CountRows(
        route,
        ((minute - window.start) // MINUTE_S).astype(np.int32),
        ms.astype(np.int32),
        n,
        failed=failed,
        timed=(ms >= 0) & failed if status else ms >= 0,
        unanswered=(ms == UNANSWERED_MS) & (target < 0),
        target_5xx=target >= 500,
    )
    fleets = [rows.select(in_window & (fleet == index)) for index, _ in enumerate(FLEETS)]
    return fleets, names, int(n[in_window & (fleet < 0)].sum())


def dictionary_encode(column: pa.ChunkedArray) -> tuple[AnyArray, list[str]]:
    """A column of strings as indices, and the distinct strings."""
    encoded = column.dictionary_encode().unify_dictionaries().combine_chunks()  # in this order no string is copied
    return encoded.indices.to_numpy(), encoded.dictionary.to_pylist()


def _cap_routes(names: Sequence[str], fleets: _Fleets, max_routes: int) -> tuple[list[str], int]:
    """The `max_routes` names with most requests, to which the rows' indices are changed, and how many other routes were merged into OTHER_ROUTE."""
    requests = np.sum([np.bincount(rows.route, weights=rows.n, minlength=len(names)) for rows in fleets], axis=0)
    busiest = [index for index in np.argsort(-requests, kind="stable") if requests[index] > 0]
    n_folded = max(0, len(busiest) - max_routes)
    # Numpy's stable sort takes linear time for 16-bit integers only.
    new_index = np.full(len(names), max_routes, dtype=np.min_scalar_type(max_routes + 1))
    new_index[busiest[:max_routes]] = np.arange(min(max_routes, len(busiest)))
    for rows in fleets:
        rows.route = new_index[rows.route]
    return [names[index] for index in busiest[:max_routes]] + [OTHER_ROUTE] * bool(n_folded), n_folded


def _split_by_route(rows: _CountRows, n_routes: int) -> Iterator[_CountRows]:
    """`rows`: in the order of routes."""
    bounds = np.searchsorted(rows.route, np.arange(n_routes + 1, dtype=rows.route.dtype))
    return (rows.select(slice(*bounds[index : index + 2])) for index in range(n_routes))


def _judgeable_after(fleets: _Fleets, n_routes: int, minutes: int) -> AnyArray:
    """For each route, how many minutes of the window had passed when both fleets had had requests in MIN_MINUTES of them; more than `minutes` if
    they have not."""
    of_baseline, of_canary = (_distinct(rows.route.astype(np.int64) * minutes + rows.minute) for rows in fleets)
    shared = np.intersect1d(of_baseline, of_canary, assume_unique=True)
    first, last = (np.searchsorted(shared, (np.arange(n_routes) + end) * minutes) for end in (0, 1))
    result = np.full(n_routes, minutes + 1)
    enough = last - first >= MIN_MINUTES
    result[enough] = shared[first[enough] + MIN_MINUTES - 1] % minutes + 1
    return result


def _distinct(values: AnyArray) -> AnyArray:
    """In order. Sorting takes a fiftieth of the time of numpy's and Arrow's hash tables, and a tenth of the memory."""
    ordered = np.sort(values)
    distinct: AnyArray = np.append(ordered[:1], ordered[1:][ordered[1:] != ordered[:-1]])
    return distinct


def route_comparisons(judgeable_after: AnyArray, minutes: int, n_criteria: int) -> AnyArray:
    """By what the α of each route is divided after `minutes`, so that any alarm of any route, ever, is false with probability ≤ α.

    `judgeable_after`: of each route, as `_judgeable_after`. Routes that became judgeable in the first ten minutes, from then to the twentieth,
    to the fortieth, … share the parts 6/(πk)² of α, k = 1, 2, 3, …: how many they are is known when their block is over, and depends on traffic
    alone. Before that, a route has α / UNDECIDED_COMPARISONS. docs/MATH.md, "Route by route".
    """
    block = np.ceil(np.log2(np.maximum(judgeable_after, MIN_MINUTES) / MIN_MINUTES)).astype(np.int64)
    is_over = MIN_MINUTES * 2**block <= minutes
    routes_in_block = np.bincount(block)[block] if len(block) else block
    comparisons = np.ceil(np.maximum(n_criteria, 1) * routes_in_block * np.square(np.pi * (block + 1)) / 6)
    return np.where(is_over, comparisons, UNDECIDED_COMPARISONS).astype(np.int64)


def _endpoint(
    name: str, fleets: _Fleets, window: Window, criteria: Sequence[Criterion], n_comparisons: int, *, default: bool
) -> Endpoint:
    """`fleets`: sorted by latency."""
    stats = {fleet: _fleet_stats(rows) for fleet, rows in zip(FLEETS, fleets, strict=True)}
    trend = {fleet: _trend(rows, window) for fleet, rows in zip(FLEETS, fleets, strict=True)}
    requests = _requests_by_minute(fleets, [slice(None) for _ in fleets], window)
    answers = _requests_by_minute(fleets, [rows.timed for rows in fleets], window)
    verdicts = []
    for criterion in criteria:
        if criterion.metric.startswith("latency_"):
            samples = _latency_samples(criterion, fleets, answers, window)
        else:
            samples = _rate_samples(criterion, fleets, requests, answers, window)
        verdicts.append(judge_criterion(samples, n_comparisons))
    judgement = Judgement(overall_verdict(verdicts), tuple(verdicts), default_criteria=default)
    return Endpoint(name, stats, judgement, trend)


def _trend(rows: _CountRows, window: Window) -> tuple[float | None, ...]:
    block = rows.minute * TREND_BLOCKS // window.minutes
    requests, errors = (
        np.bincount(block[chosen], weights=rows.n[chosen], minlength=TREND_BLOCKS).tolist()
        for chosen in (slice(None), rows.failed)
    )
    return tuple(failed / n if n else None for n, failed in zip(requests, errors, strict=True))


def _fleet_stats(rows: _CountRows) -> FleetStats:
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


def _rate_samples(
    criterion: Criterion, fleets: _Fleets, requests: FloatArray, answers: FloatArray, window: Window
) -> PairedSamples:
    """Events among requests per minute; among answers for a slow share, as in CloudWatch."""
    if (slow_s := criterion.slow_threshold_s) is not None:
        requests, event = answers, [rows.timed & (rows.ms > slow_s * 1000) for rows in fleets]
    else:
        event = [getattr(rows, EVENTS[criterion.metric]) for rows in fleets]
    events = _requests_by_minute(fleets, event, window)
    return _paired_samples(criterion, window, 1, requests > 0, values=events, requests=requests)


def _latency_samples(criterion: Criterion, fleets: _Fleets, answers: FloatArray, window: Window) -> PairedSamples:
    """Percentiles per block of minutes, for blocks with enough answers of both fleets."""
    fraction = percentile_fraction(criterion.metric.removeprefix("latency_"))
    min_answers = 10 / (1 - fraction)
    block = _block_minutes(answers, min_answers)
    samples = _sum_blocks(answers, block)
    values = np.stack([_percentiles(rows, block, samples.shape[1], fraction) for rows in fleets])
    usable = (samples >= min_answers) & (np.nan_to_num(values) > 0)
    return _paired_samples(criterion, window, block, usable, values=values, requests=samples)


def _block_minutes(answers: FloatArray, min_answers: float) -> int:
    """The shortest block length with `min_answers` of both fleets in most blocks, else the longest. Depends on traffic alone, not on outcomes."""
    for block in BLOCKS_MINUTES:
        if np.median(_sum_blocks(answers, block).min(axis=0)) >= min_answers:
            return block
    return BLOCKS_MINUTES[-1]


def _requests_by_minute(fleets: _Fleets, counted: Iterable[BoolArray | slice], window: Window) -> FloatArray:
    """Requests of both fleets (rows) per minute (columns), those in the rows that are `counted`."""
    return np.stack(
        [
            np.bincount(rows.minute[chosen], weights=rows.n[chosen], minlength=window.minutes).astype(np.float64)
            for rows, chosen in zip(fleets, counted, strict=True)
        ]
    )


def _sum_blocks(by_minute: FloatArray, block: int) -> FloatArray:
    """The sums of each `block` minutes; the last ones may be fewer."""
    sums: FloatArray = np.add.reduceat(by_minute, np.arange(0, by_minute.shape[1], block), axis=1)
    return sums


def _percentiles(rows: _CountRows, block: int, blocks: int, fraction: float) -> FloatArray:
    """The quantile `fraction` of a fleet's answers in each block of minutes, in seconds (inverse of the empirical CDF); NaN without answers.

    `rows` must be in the order of `ms`. Numpy's stable sort takes linear time for 16-bit integers only.
    """
    block_of = (rows.minute[rows.timed] // block).astype(np.uint16 if blocks <= 2**16 else np.int32)
    order = np.argsort(block_of, kind="stable")
    block_of, ms, cumulative = block_of[order], rows.ms[rows.timed][order], np.cumsum(rows.n[rows.timed][order])
    result = np.full(blocks, np.nan)
    present, first = np.unique(block_of, return_index=True)
    if len(present):
        last = np.append(first[1:], len(block_of)) - 1
        before = np.where(first > 0, cumulative[first - 1], 0)
        rank = before + np.ceil(fraction * (cumulative[last] - before))
        result[present] = ms[np.searchsorted(cumulative, rank, side="left")] / 1000
    return result


def _paired_samples(
    criterion: Criterion,
    window: Window,
    block: int,
    usable: BoolArray,
    *,
    values: FloatArray,
    requests: FloatArray,
) -> PairedSamples:
    """Pairs the blocks that are `usable` for both fleets. Arrays have one row a fleet."""
    used, served = usable.all(axis=0), (requests > 0).any(axis=0)
    index = np.flatnonzero(used)
    excluded: dict[ExclusionReason, int] = dict.fromkeys(EXCLUSION_REASONS, 0)
    excluded["low_samples" if criterion.metric.startswith("latency_") else "one_side_missing"] = (
        int((served & ~used).sum()) * block
    )
    excluded["no_traffic"] = int((~served).sum()) * block
    return PairedSamples(
        criterion=criterion,
        period_s=block * MINUTE_S,
        ts=window.start + index * block * MINUTE_S,
        index=index,
        judged_from=index,
        baseline=values[0, index],
        canary=values[1, index],
        requests_b=requests[0, index],
        requests_c=requests[1, index],
        excluded=excluded,
        is_measured=True,
        paired_periods=int(used.sum()),
        missing=tuple(
            FleetRequests(fleet, "none", 0)
            for fleet, of_fleet in zip(FLEETS, requests, strict=True)
            if not of_fleet.any()
        ),
    )


MIN_RANKED_REQUESTS = 100  # of both fleets; routes with fewer come after all others
WORST_FIRST: tuple[Verdict, ...] = ("regression", "undecided", "not enough data", "parity", "improvement")


def _sort_key(endpoint: Endpoint) -> tuple[bool, int, bool, float, str]:
    """Worst first: by verdict, then significantly worse ones, then by the number of additional errors.

    Routes of fewer than MIN_RANKED_REQUESTS come last, unless they regress: they are undecided more often than those with thousands.
    """
    judgement = endpoint.judgement
    significant = any(criterion.is_significantly_worse for criterion in judgement.criteria)
    difference = endpoint.error_difference or 0.0
    return (
        endpoint.requests < MIN_RANKED_REQUESTS and judgement.verdict != "regression",
        WORST_FIRST.index(judgement.verdict),
        not significant,
        -difference * endpoint.fleets["canary"].requests,
        endpoint.route,
    )
