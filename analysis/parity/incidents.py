"""Incidents: stretches in which a fleet, or both, failed far beyond the margin by their own counts. Facts, not inferences.

Whether a minute belongs to one depends on it and on earlier minutes alone, so that a trace of the past has the incidents of its time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from analysis.alarms.rules import MET, failed_requests, latency_states, other_fleet
from analysis.series.grid import BoolArray, FloatArray, IntArray, TimeGrid
from domain import FLEETS, FleetName, Window
from domain.window import MINUTE_S

IncidentKind = Literal["errors", "slow"]
# (since, epoch seconds; the canary's configured share, 0–1), in order of time.
ConfiguredShare = Sequence[tuple[int, float]]

MIN_ERRORS = 10  # of consecutive periods with such a rate: a small canary has few errors a minute even if all of its requests fail
ORDINARY_MINUTES = 10  # after so many, the rate of the ordinary minutes so far is the reference; before, the other fleet's of the same minute
# A minute is one of an incident if its rate is this many times the reference, or, if errors are not rare, so far above a smaller multiple.
RARE_RATIO = 25.0
FREQUENT_RATIO, FREQUENT_DIFFERENCE = 5.0, 0.2
MARGINS = 2.0  # and this many margins above the reference
MAX_GAP_S = 300  # of ordinary periods within one incident
SLOW_S = 180
SHARED_RATIO = 3.0  # shared unless one fleet's rate is more than this many times the other's
OUTAGE_SHARE, OUTAGE_S = 0.5, 120  # of the requests of a fleet, and at least so long: it does not answer
# A longer incident is the state of the fleet: its minutes are judged. Only those of the canary alone are soon: what both fleets or the baseline
# suffer is no difference of the canary.
JUDGED_AFTER_S: Mapping[FleetName | None, int] = {"canary": 600, "baseline": 7200, None: 7200}


@dataclass(frozen=True, slots=True)
class Incident:
    """A stretch of `window` in which `fleets` failed. `requests`, `errors`: of both fleets in it; None for a slow one.

    `uncounted`: those of the canary's requests that no target received, by its configured share. `p95_s`: of both fleets, the worst period's;
    None for errors. `open`: the newest final period belongs to it.
    """

    kind: IncidentKind
    window: Window
    fleets: tuple[FleetName, ...]
    requests: Mapping[FleetName, int] | None
    errors: Mapping[FleetName, int] | None
    uncounted: int = 0
    p95_s: Mapping[FleetName, float] | None = None
    open: bool = False

    @property
    def id(self) -> str:
        """Stable while the incident grows: "2026-11-10T15:19Z", with "-slow" for a slow one."""
        start = datetime.fromtimestamp(self.window.start, UTC).strftime("%Y-%m-%dT%H:%MZ")
        return start if self.kind == "errors" else f"{start}-{self.kind}"

    @property
    def own(self) -> FleetName | None:
        """The fleet that failed alone; None if both did."""
        return self.fleets[0] if len(self.fleets) == 1 else None

    @property
    def excess(self) -> int | None:
        """Errors of the fleet that failed beyond those at the other's rate in the same time; of both fleets, all of their errors."""
        if self.requests is None or self.errors is None:
            return None
        if self.own is None:
            return sum(self.errors.values())
        other = other_fleet(self.own)
        expected = self.requests[self.own] * self.errors[other] / max(self.requests[other], 1)
        return max(round(self.errors[self.own] - expected), 0)

    def failed_share(self, fleet: FleetName) -> float | None:
        """The share of a fleet's requests that failed; None if it had none."""
        if self.requests is None or self.errors is None or not self.requests[fleet]:
            return None
        return self.errors[fleet] / self.requests[fleet]

    @property
    def is_outage(self) -> bool:
        """Whether the canary alone fails most of its requests, now."""
        share = self.failed_share("canary") if self.own == "canary" else None
        return (
            self.open
            and share is not None
            and share >= OUTAGE_SHARE
            and self.window.end - self.window.start >= OUTAGE_S
        )


@dataclass(frozen=True, slots=True, eq=False)
class FailureScan:
    """The failed requests of each fleet in every period of a grid, and those that belong to incidents.

    `requests`, `failed`: with the uncounted ones of the canary. `uncounted`: of these. `in_incident`: the periods of an incident of each fleet, from
    the one in which it was known; `began`: of each of these, where its run of such rates began.
    `judged_from`: for each period the index of the period from which on it is judged: its own, unless it belongs to an incident; the grid's length
    if it never is. `slow`: the periods in which the p95 of each fleet met the rule of the alarm `latency_p95`. `p95_s`: of both.
    """

    ts: IntArray
    period_s: int
    requests: Mapping[FleetName, FloatArray]
    failed: Mapping[FleetName, FloatArray]
    uncounted: FloatArray
    in_incident: Mapping[FleetName, BoolArray]
    began: Mapping[FleetName, IntArray]
    slow: Mapping[FleetName, BoolArray]
    p95_s: Mapping[FleetName, FloatArray]
    judged_from: npt.NDArray[np.intp]
    incidents: tuple[Incident, ...] = ()

    def excess(self, failed: FloatArray) -> FloatArray:
        """What the incidents of the canary alone that are not judged so far add to its rate, after each period. A fact: parity has to hold with it.

        `failed`: the canary's failed requests that count.
        """
        own = np.flatnonzero(self.in_incident["canary"] & ~self.in_incident["baseline"])
        added = np.zeros(len(self.ts) + 1)
        np.add.at(added, own, failed[own])
        np.add.at(added, np.minimum(self.judged_from[own], len(self.ts)), -failed[own])
        excess: FloatArray = np.cumsum(added)[:-1] / np.maximum(np.cumsum(self.requests["canary"]), 1.0)
        return excess

    def incidents_after(self, periods: Iterable[int]) -> Iterator[tuple[Incident, ...]]:
        """The incidents as they were known after each of `periods` (ascending indices), in order of time."""
        known: dict[tuple[FleetName | None, int, int, bool], Incident] = {}
        errors = self.in_incident["baseline"] | self.in_incident["canary"]
        flagged: list[tuple[FleetName | None, BoolArray]] = [(None, errors), *self.slow.items()]
        served = self.requests["baseline"] + self.requests["canary"] > 0
        newest = np.maximum.accumulate(np.where(served, np.arange(len(served)), -1)).tolist()
        for period in periods:
            found = []
            for slow, flags in flagged:
                for first, end in _stretches(flags[: period + 1], self.ts):
                    key = (slow, first, end, end - 1 == newest[period])
                    if slow is None or (end - first) * self.period_s >= SLOW_S:
                        found.append(known.get(key) or known.setdefault(key, self._incident(*key)))
            yield tuple(sorted(found, key=lambda incident: incident.window.start))

    def _incident(self, slow: FleetName | None, first: int, end: int, is_open: bool) -> Incident:
        """The incident of errors, or that of a slow fleet, that is known from `first` on, until before `end`."""
        if slow is None:
            first = min(int(self.began[fleet][first]) for fleet in FLEETS if self.in_incident[fleet][first])
        span = slice(first, end)
        window = Window(int(self.ts[first]), int(self.ts[end - 1]) + self.period_s)
        if slow:
            worst = first + int(np.nanargmax(self.p95_s[slow][span]))
            p95_s = {fleet: float(self.p95_s[fleet][worst]) for fleet in FLEETS}
            return Incident("slow", window, (slow,), None, None, p95_s=p95_s, open=is_open)
        requests, errors = _totals(self.requests, span), _totals(self.failed, span)
        fleets = _failing_fleets(self.in_incident, requests, errors, span)
        missing = round(float(self.uncounted[span].sum()))
        return Incident("errors", window, fleets, requests, errors, uncounted=missing, open=is_open)


def scan_failures(
    grid: TimeGrid,
    final: BoolArray,
    *,
    unanswered: Mapping[FleetName, FloatArray] | None,
    answers_known: bool,
    configured: ConfiguredShare = (),
    margin: float = 0.0,
    usual: tuple[float, float] = (0.0, 0.0),
) -> FailureScan:
    """The failures and incidents in the `final` periods of `grid`. `margin`: of the error rate, as a fraction of requests.

    `unanswered`: requests without an answer, if they are known as a count of their own. `usual`: errors and requests of both fleets in ordinary
    periods before the grid.
    """
    requests = {fleet: np.where(final, np.nan_to_num(grid.fleets[fleet].requests), 0.0) for fleet in FLEETS}
    if unanswered is not None or not answers_known:
        none = np.zeros(len(grid.ts))
        failed = {
            fleet: np.nan_to_num(grid.fleets[fleet].counts["target_5xx"])
            + (unanswered[fleet] if unanswered is not None else none)
            for fleet in FLEETS
        }
    else:
        failed = failed_requests(grid)
    failed = {fleet: np.minimum(np.nan_to_num(failed[fleet]), requests[fleet]) for fleet in FLEETS}
    uncounted = np.where(final, _uncounted(grid, configured), 0.0)
    requests["canary"] = requests["canary"] + uncounted
    failed["canary"] = failed["canary"] + uncounted
    flags, began = _flag_periods(requests, failed, grid.period_s, margin, usual)
    states = {fleet: latency_states(grid, fleet) for fleet in FLEETS}
    slow = {fleet: (state == MET) & final for fleet, (state, _p95) in states.items()}
    judged_from = np.arange(len(grid.ts))
    scan = FailureScan(
        grid.ts, grid.period_s, requests, failed, uncounted, flags, began, slow, states["baseline"][1], judged_from
    )
    either = flags["baseline"] | flags["canary"]
    *_, incidents = ((), *scan.incidents_after([len(grid.ts) - 1] if len(grid.ts) else []))
    for incident in incidents:
        if incident.kind == "errors":
            first, end = (
                (ts - int(grid.ts[0])) // grid.period_s for ts in (incident.window.start, incident.window.end)
            )
            flagged = first + np.flatnonzero(either[first:end])
            long_at = first + JUDGED_AFTER_S[incident.own] // grid.period_s - 1
            judged_from[flagged] = np.maximum(flagged, long_at) if long_at < end else len(grid.ts)
    return replace(scan, incidents=incidents)


def _totals(counts: Mapping[FleetName, FloatArray], span: slice) -> dict[FleetName, int]:
    return {fleet: round(float(counts[fleet][span].sum())) for fleet in FLEETS}


def configured_shares(configured: ConfiguredShare, ts: IntArray) -> FloatArray:
    """The canary's configured share at each of `ts`; NaN before the first known one."""
    since = np.array([start for start, _ in configured], dtype=np.int64)
    shares = np.array([np.nan, *(share for _, share in configured)])
    return shares[np.searchsorted(since, ts, side="right")]


def _uncounted(grid: TimeGrid, configured: ConfiguredShare) -> FloatArray:
    """Requests of the canary that no target received: it has a share, the baseline is counted, and the canary is not.

    As many as its share of them, but not more than the load balancer's own 503s. Where these are not known, a stretch counts from the period in
    which MIN_ERRORS requests were expected: fewer may be missing by chance.
    """
    none = np.zeros(len(grid.ts))
    if not configured:
        return none
    # The smallest share in a period: after a rollback in it, few requests may have been expected.
    ends = configured_shares(configured, grid.ts + grid.lengths_s - 1)
    shares = np.nan_to_num(np.minimum(configured_shares(configured, grid.ts), ends))
    baseline, canary = np.nan_to_num(grid.fleets["baseline"].requests), np.nan_to_num(grid.fleets["canary"].requests)
    absent = (shares > 0) & (shares < 1) & (baseline > 0) & (canary == 0)
    expected = np.where(absent, baseline * shares / np.where(absent, 1 - shares, 1.0), 0.0)
    failed = np.fmin(expected, grid.alb["alb_503"])
    for first, end in _runs(absent):
        by_chance = np.isnan(grid.alb["alb_503"][first:end]) & (np.cumsum(failed[first:end]) < MIN_ERRORS)
        failed[first:end][by_chance] = 0.0
    return np.where(absent, failed, none)


def _flag_periods(
    requests: Mapping[FleetName, FloatArray],
    failed: Mapping[FleetName, FloatArray],
    period_s: int,
    margin: float,
    usual: tuple[float, float],
) -> tuple[dict[FleetName, BoolArray], dict[FleetName, IntArray]]:
    """Each fleet's periods with a rate far above that of the ordinary periods before, of both fleets together; of consecutive ones those from
    MIN_ERRORS on. And the first of these consecutive ones."""
    n_periods = len(requests["baseline"])
    flags: dict[FleetName, BoolArray] = {fleet: np.zeros(n_periods, dtype=bool) for fleet in FLEETS}
    began = {fleet: np.arange(n_periods) for fleet in FLEETS}
    errors, total = usual
    consecutive = dict.fromkeys(FLEETS, 0.0)
    n_required = -(-ORDINARY_MINUTES * MINUTE_S // period_s)
    n_ordinary = n_required if total else 0
    counts = [zip(failed[fleet].tolist(), requests[fleet].tolist(), strict=True) for fleet in FLEETS]
    for period, (baseline, canary) in enumerate(zip(*counts, strict=True)):
        ordinary = []
        both = zip(FLEETS, (baseline, canary), (canary, baseline), strict=True)
        for fleet, (k, n), (k_other, n_other) in both:
            is_far, has_past = False, n_ordinary >= n_required
            if k and (has_past or n_other):
                reference = (errors + 1) / total if has_past else (k_other + 1) / n_other
                limit = min(RARE_RATIO * reference, FREQUENT_RATIO * reference + FREQUENT_DIFFERENCE)
                is_far = k / n >= max(limit, reference + MARGINS * margin)
            if is_far and consecutive[fleet]:
                began[fleet][period] = began[fleet][period - 1]
            consecutive[fleet] = consecutive[fleet] + k if is_far else 0.0
            if consecutive[fleet] >= MIN_ERRORS:
                flags[fleet][period] = True
            else:
                ordinary.append((k, n))
        for k, n in ordinary:
            errors, total = errors + k, total + n
        n_ordinary += len(ordinary) == len(FLEETS) and bool(baseline[1] or canary[1])
    return flags, began


def _failing_fleets(
    flags: Mapping[FleetName, BoolArray],
    requests: Mapping[FleetName, int],
    errors: Mapping[FleetName, int],
    span: slice,
) -> tuple[FleetName, ...]:
    """The fleets with a flagged period in `span`, without one whose rate is a fraction of the other's."""
    flagged = [fleet for fleet in FLEETS if flags[fleet][span].any()]
    rates = {fleet: errors[fleet] / max(requests[fleet], 1) for fleet in flagged}
    return tuple(fleet for fleet in flagged if rates[fleet] * SHARED_RATIO >= max(rates.values()))


def _stretches(flags: BoolArray, ts: IntArray) -> list[tuple[int, int]]:
    """The index ranges [first, end) of flagged periods with gaps of at most MAX_GAP_S."""
    flagged = np.flatnonzero(flags)
    if not len(flagged):
        return []
    period_s = int(ts[1] - ts[0]) if len(ts) > 1 else MINUTE_S
    cuts = np.flatnonzero(np.diff(ts[flagged]) - period_s > MAX_GAP_S) + 1
    return [(int(part[0]), int(part[-1]) + 1) for part in np.split(flagged, cuts)]


def _runs(flags: BoolArray) -> list[tuple[int, int]]:
    """The index ranges [first, end) of consecutive flagged periods."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False]))))
    return [(int(first), int(end)) for first, end in pairwise(edges.tolist()) if flags[first]]
