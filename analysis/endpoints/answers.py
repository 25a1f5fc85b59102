"""What was answered: the size, the status and the protocol of each route's responses, compared between the fleets. docs/MATH.md, "What was answered"."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from analysis.endpoints.endpoints import AnyArray, dictionary_encode
from analysis.parity.judge import judge_criterion
from analysis.parity.samples import PairedSamples
from analysis.parity.verdicts import EXCLUSION_REASONS, CriterionVerdict, ExclusionReason
from analysis.series.fleet_requests import FleetRequests
from analysis.series.grid import FloatArray
from domain import FLEETS, Criterion, FleetName, Margin, Window
from domain.log_counts import NO_STATUS
from domain.window import MINUTE_S

SIZE_MARGIN = Margin(value=20, unit="%")
STATUS_MARGIN = Margin(value=1, unit="pp")
PROTOCOL_MARGIN = Margin(value=5, unit="pp")
MIN_REQUESTS = 100  # of each fleet
MAX_ERROR_STATUS = 500  # from here on the criteria judge the rate of errors

AnswerKind = Literal["size", "status", "protocol"]
BodyKind = Literal["body", "head", "empty", "part"]


@dataclass(frozen=True, slots=True)
class SizeRow:
    """The responses of a route with the same method and status: how many of each fleet, and their mean size in bytes, headers included."""

    route: str
    method: str
    status: int
    requests: Mapping[FleetName, int]
    mean_bytes: Mapping[FleetName, float | None]

    @property
    def body(self) -> BodyKind:
        """Sizes of different kinds are never compared with each other."""
        if self.method == "HEAD":
            return "head"
        return {204: "empty", 304: "empty", 206: "part"}.get(self.status, "body")  # type: ignore[return-value]

    @property
    def ratio(self) -> float | None:
        """Canary ÷ baseline."""
        baseline, canary = (self.mean_bytes[fleet] for fleet in FLEETS)
        return canary / baseline if baseline and canary is not None else None


@dataclass(frozen=True, slots=True)
class ShareRow:
    """The requests of a route with the same status, or the same protocol, among `all_requests` of the route."""

    route: str
    kind: Literal["status", "protocol"]
    value: str
    requests: Mapping[FleetName, int]
    all_requests: Mapping[FleetName, int]

    @property
    def difference(self) -> float:
        """Canary − baseline, of the shares."""
        baseline, canary = (self.requests[fleet] / (self.all_requests[fleet] or 1) for fleet in FLEETS)
        return canary - baseline


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference in what a route answers that surely exceeds its margin, whatever the minute: `row` with the judgement."""

    row: SizeRow | ShareRow
    judged: CriterionVerdict

    @property
    def kind(self) -> AnswerKind:
        return "size" if isinstance(self.row, SizeRow) else self.row.kind

    @property
    def route(self) -> str:
        return self.row.route


@dataclass(frozen=True, slots=True)
class Answers:
    """What the routes answered. `findings`: the most frequent first; `sizes`, `shares`: by route; `compared`: how many rows were judged or
    differ too little to be; `excluded`: routes with differences that are configured as intended."""

    findings: tuple[Finding, ...] = ()
    sizes: tuple[SizeRow, ...] = ()
    shares: tuple[ShareRow, ...] = ()
    compared: int = 0
    excluded: tuple[str, ...] = ()

    def of(self, route: str) -> "Answers":
        """Those of one route."""
        return Answers(
            tuple(finding for finding in self.findings if finding.route == route),
            tuple(row for row in self.sizes if row.route == route),
            tuple(row for row in self.shares if row.route == route),
            self.compared,
            tuple(name for name in self.excluded if name == route),
        )


def compare_answers(
    sizes: pa.Table,
    fleet_by_group: Mapping[str, FleetName],
    window: Window,
    *,
    excluded: Collection[str] = (),
    checkpoint: Callable[[], None] = lambda: None,
) -> Answers:
    """What was answered in `window` (domain.log_counts.SIZES), judged minute by minute as the criteria are.

    A row is judged if both fleets have MIN_REQUESTS and the difference of its totals exceeds half the margin: less cannot be a finding. Alarms
    are corrected for all rows. Routes in `excluded` are not judged.
    """
    rows = _parse(sizes, fleet_by_group, window)
    size_rows, share_rows = _size_rows(rows), [*_share_rows(rows, "status"), *_share_rows(rows, "protocol")]
    compared: tuple[SizeRow | ShareRow, ...] = (*size_rows, *share_rows)
    candidates = [row for row in compared if _is_comparable(row)]
    findings = []
    for row in candidates:
        if row.route in excluded or not _may_differ(row):
            continue
        checkpoint()
        judged = judge_criterion(_samples(rows, row, window), len(candidates))
        if judged.verdict == "regression":
            findings.append(Finding(row, judged))
    findings.sort(key=lambda item: (-sum(item.row.requests.values()), item.route, item.kind))
    known = {row.route for row in size_rows}
    return Answers(
        tuple(findings),
        tuple(size_rows),
        tuple(share_rows),
        len(candidates),
        tuple(sorted(name for name in excluded if name in known)),
    )


_Key = tuple[str, str, int, str]


@dataclass(frozen=True, slots=True, eq=False)
class _SizeTable:
    """SIZES as arrays, in the order of `key`, an index into `keys` (route, method, status, protocol), which are in the order of routes. `first`: the
    index of each route's first key. `fleet` is an index into FLEETS, `minute` counts from the window's start."""

    keys: Sequence[_Key]
    first: Mapping[str, int]
    key: AnyArray
    fleet: AnyArray
    minute: AnyArray
    n: AnyArray
    n_bytes: AnyArray

    def of_route(self, route: str) -> "_SizeTable":
        start = end = self.first[route]
        while end < len(self.keys) and self.keys[end][0] == route:
            end += 1
        rows = slice(*np.searchsorted(self.key, (start, end)).tolist())
        fleet, minute, n, n_bytes = (array[rows] for array in (self.fleet, self.minute, self.n, self.n_bytes))
        return _SizeTable(self.keys[start:end], {route: 0}, self.key[rows] - start, fleet, minute, n, n_bytes)


def _parse(sizes: pa.Table, fleet_by_group: Mapping[str, FleetName], window: Window) -> _SizeTable:
    minute = sizes["minute"].to_numpy()
    groups, group_names = dictionary_encode(sizes["target_group"])
    fleets = [FLEETS.index(fleet_by_group[name]) if name in fleet_by_group else -1 for name in group_names]
    fleet = np.array([*fleets, -1])[groups]
    used = np.flatnonzero((fleet >= 0) & (minute >= window.start) & (minute < window.end))
    (route, routes), (method, methods), (protocol, protocols) = (
        dictionary_encode(sizes[name]) for name in ("route", "method", "protocol")
    )
    status = sizes["elb_status"].to_numpy().astype(np.int64) - NO_STATUS  # not negative
    shape = [len(routes) + 1, len(methods) + 1, int(status.max(initial=0)) + 1, len(protocols) + 1]
    codes = np.ravel_multi_index([array[used] for array in (route, method, status, protocol)], shape)
    distinct, key = np.unique(codes, return_inverse=True)
    parts = zip(*(array.tolist() for array in np.unravel_index(distinct, shape)), strict=True)
    keys = [(routes[a], methods[b], c + NO_STATUS, protocols[d]) for a, b, c, d in parts]
    order = np.argsort(key, kind="stable")
    used, key = used[order], key[order]
    of_minute = (minute[used] - window.start) // MINUTE_S
    n, n_bytes = (sizes[name].to_numpy()[used] for name in ("n", "bytes"))
    first = {name: index for index, (name, *_) in reversed([*enumerate(keys)])}
    return _SizeTable(keys, first, key, fleet[used], of_minute, n, n_bytes)


def _groups(
    rows: _SizeTable, name_of: Callable[[_Key], tuple[object, ...]]
) -> tuple[list[tuple[object, ...]], AnyArray]:
    """The distinct names of the keys, and the index of each row's."""
    names = list(dict.fromkeys(map(name_of, rows.keys)))
    index = {name: at for at, name in enumerate(names)}
    of_key = np.array([index[name_of(key)] for key in rows.keys], dtype=np.int64)
    return names, of_key[rows.key]


def _totals(rows: _SizeTable, index: AnyArray, n_names: int, values: AnyArray) -> FloatArray:
    """The sums of `values` by name (rows) and fleet (columns)."""
    cell = index * len(FLEETS) + rows.fleet
    totals = np.bincount(cell, weights=values, minlength=n_names * len(FLEETS)).astype(np.float64)
    return totals.reshape(n_names, len(FLEETS))


def _size_rows(rows: _SizeTable) -> list[SizeRow]:
    names, index = _groups(rows, lambda key: key[:3])
    n, n_bytes = (_totals(rows, index, len(names), values) for values in (rows.n, rows.n_bytes))
    result = []
    for at, (route, method, status) in enumerate(names):
        requests = {fleet: int(n[at, code]) for code, fleet in enumerate(FLEETS)}
        mean = {
            fleet: float(n_bytes[at, code] / n[at, code]) if n[at, code] else None for code, fleet in enumerate(FLEETS)
        }
        result.append(SizeRow(str(route), str(method), int(str(status)), requests, mean))
    return sorted(result, key=lambda row: (row.route, -sum(row.requests.values()), row.method, row.status))


def _share_rows(rows: _SizeTable, kind: Literal["status", "protocol"]) -> list[ShareRow]:
    at_key = 2 if kind == "status" else 3
    names, index = _groups(rows, lambda key: (key[0], key[at_key]))
    routes, of_route = _groups(rows, lambda key: key[:1])
    n = _totals(rows, index, len(names), rows.n)
    totals = _totals(rows, of_route, len(routes), rows.n)
    position = {route: at for at, (route,) in enumerate(routes)}
    result = []
    for at, (route, value) in enumerate(names):
        requests = {fleet: int(n[at, code]) for code, fleet in enumerate(FLEETS)}
        all_requests = {fleet: int(totals[position[route], code]) for code, fleet in enumerate(FLEETS)}
        result.append(ShareRow(str(route), kind, str(value), requests, all_requests))
    return sorted(result, key=lambda row: (row.route, -sum(row.requests.values()), row.value))


def _is_comparable(row: SizeRow | ShareRow) -> bool:
    if isinstance(row, ShareRow):
        return min(row.all_requests.values()) >= MIN_REQUESTS and not (
            row.kind == "status" and int(row.value) >= MAX_ERROR_STATUS
        )
    return min(row.requests.values()) >= MIN_REQUESTS and row.status < MAX_ERROR_STATUS


def _may_differ(row: SizeRow | ShareRow) -> bool:
    if isinstance(row, ShareRow):
        margin = STATUS_MARGIN if row.kind == "status" else PROTOCOL_MARGIN
        return row.difference > margin.amount / 2
    return row.ratio is not None and abs(np.log(row.ratio or 1e-9)) > np.log1p(SIZE_MARGIN.amount / 2)


def _samples(rows: _SizeTable, row: SizeRow | ShareRow, window: Window) -> PairedSamples:
    """The minutes of both fleets: mean sizes, or requests with the value among all of the route."""
    name = f"{row.route} {row.method} {row.status}" if isinstance(row, SizeRow) else f"{row.route} {row.value}"
    rows = rows.of_route(row.route)
    if isinstance(row, SizeRow):
        wanted = [(method, status) == (row.method, row.status) for _, method, status, _ in rows.keys]
        margin, kind = SIZE_MARGIN, "value"
    else:
        at_key = 2 if row.kind == "status" else 3
        wanted = [str(key[at_key]) == row.value for key in rows.keys]
        margin, kind = (STATUS_MARGIN if row.kind == "status" else PROTOCOL_MARGIN), "rate"
    chosen = np.array(wanted)[rows.key]
    population = chosen if isinstance(row, SizeRow) else np.ones(len(chosen), dtype=bool)
    n = _by_minute(rows, population, rows.n, window.minutes)
    values = _by_minute(rows, chosen, rows.n_bytes if isinstance(row, SizeRow) else rows.n, window.minutes)
    # A criterion that cannot be configured: it has a kind, and no query.
    criterion = Criterion.model_construct(
        name=name, metric=name, margin=margin, better="equal" if kind == "value" else "lower", kind=kind
    )
    usable = (n > 0).all(axis=0) & ((values > 0).all(axis=0) | (kind == "rate"))
    index = np.flatnonzero(usable)
    if kind == "value":
        values = values / np.maximum(n, 1)
    excluded: dict[ExclusionReason, int] = dict.fromkeys(EXCLUSION_REASONS, 0)
    excluded["one_side_missing"] = int(((n > 0).any(axis=0) & ~usable).sum())
    return PairedSamples(
        criterion=criterion,
        period_s=MINUTE_S,
        ts=window.start + index * MINUTE_S,
        index=index,
        judged_from=index,
        baseline=values[0, index],
        canary=values[1, index],
        requests_b=n[0, index],
        requests_c=n[1, index],
        excluded=excluded,
        is_measured=True,
        paired_periods=len(index),
        missing=tuple(
            FleetRequests(fleet, "none", 0) for fleet, of_fleet in zip(FLEETS, n, strict=True) if not of_fleet.any()
        ),
    )


def _by_minute(rows: _SizeTable, chosen: AnyArray, values: AnyArray, minutes: int) -> FloatArray:
    """Sums of both fleets (rows) by minute (columns)."""
    cell = rows.fleet[chosen] * minutes + rows.minute[chosen]
    sums = np.bincount(cell, weights=values[chosen], minlength=len(FLEETS) * minutes).astype(np.float64)
    return sums.reshape(-1, minutes)
