"""Both fleets' lines and their difference, as every chart on the Live page shows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from analysis.series.grid import ANSWERS, Flags, Integers, Minutes, Values
from domain import FLEETS, FleetName
from domain.series import within

Quantity = Literal["rate", "latency", "count"]
READING_S = 300
UNANSWERED_WINDOW_S = 300  # requests in flight cross the border of a minute; over five minutes they hardly matter


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """One measure of both fleets over time. Arrays have one value a period, which starts at `ts` (epoch seconds) and lasts `lengths` seconds;
    NaN is a gap.

    `unit`: a rate is a fraction, latency is in seconds, a count is per period. `difference` is canary − baseline, NaN where either is missing.
    `parts` are what the lines are made of (same unit), by name and fleet; `samples` what each value stands on; `low` where that is too little.
    """

    ts: Integers
    lengths: Integers
    quantity: Quantity
    lines: Mapping[FleetName, Values]
    samples: Mapping[FleetName, Values]
    low: Mapping[FleetName, Flags]
    parts: Mapping[str, Mapping[FleetName, Values]] = field(default_factory=dict)
    unattributed: Values | None = None
    mixed: Flags | None = None

    @property
    def ends(self) -> Integers:
        ends: Integers = self.ts + self.lengths
        return ends

    @property
    def difference(self) -> Values:
        return self.lines["canary"] - self.lines["baseline"]

    @property
    def empty(self) -> bool:
        return bool(all(np.isnan(self.lines[fleet]).all() for fleet in FLEETS))


def needed_samples(percentile: str) -> float:
    """How many answers a percentile needs in its period to mean anything: 10 / (1 − p); p95 200, p99 1,000.

    CloudWatch's own rule for alarms on percentiles ("evaluate low samples").
    """
    p = float(percentile.removeprefix("p")) / 100
    return round(10 / (1 - p)) if p >= 0.5 else round(10 / p)


def error_rate(minutes: Minutes) -> Overlay:
    """Target 5xx + unanswered, per request: what a user of each fleet saw fail. NaN where either could not be read.

    `parts`: target_5xx (per minute), unanswered (see `unanswered_rate`), connection_errors (per request). `unattributed`: the load balancer's own
    5xx per request of both fleets together: an upper bound for neither, and of whom nobody can say.
    """
    fleets = minutes.fleets
    target_5xx = {fleet: _share(fleets[fleet].counts["target_5xx"], fleets[fleet].requests) for fleet in FLEETS}
    unanswered = {fleet: unanswered_rate(minutes, fleet) for fleet in FLEETS}
    refused = {fleet: _share(fleets[fleet].counts["connection_errors"], fleets[fleet].requests) for fleet in FLEETS}
    return Overlay(
        minutes.ts,
        minutes.lengths,
        "rate",
        lines={fleet: np.minimum(target_5xx[fleet] + unanswered[fleet], 1.0) for fleet in FLEETS},
        samples={fleet: fleets[fleet].requests for fleet in FLEETS},
        low={fleet: np.zeros(len(minutes.ts), dtype=bool) for fleet in FLEETS},
        parts={"target_5xx": target_5xx, "unanswered": unanswered, "connection_errors": refused},
        unattributed=_share(minutes.alb["alb_5xx"], minutes.requests),
    )


def unanswered_rate(minutes: Minutes, fleet: FleetName) -> Values:
    """The share of requests that a fleet took and never answered: (requests − Σ 2xx…5xx) / requests, never below 0.

    That of the last five minutes, or of a little more where periods are longer, because a request is counted when it is sent to a target and an
    answer when it comes. WebSocket upgrades (101), which no metric counts, are in it. Answers that were timed count too, so that a status metric
    that could not be read does not look like an outage. NaN where the fleet had no requests in the minute itself, and where no answers could be
    read of any of the five.
    """
    counts = minutes.fleets[fleet].counts
    first = _back(minutes.ts, minutes.lengths, UNANSWERED_WINDOW_S)
    by_status = np.sum([counts[answer] for answer in ANSWERS], axis=0)
    unread = ~np.isnan(counts["requests"]) & np.isnan(by_status) & np.isnan(counts["sample_count"])
    requests = _trailing(np.nan_to_num(counts["requests"]), first)
    answers = _trailing(np.nan_to_num(np.fmax(by_status, counts["sample_count"])), first)
    rate = _share(np.maximum(requests - answers, 0.0), requests)
    return np.where(np.isnan(counts["requests"]) | (_trailing(unread, first) > 0), np.nan, rate)


def latency(minutes: Minutes, percentile: str) -> Overlay:
    """One percentile of the target response time in seconds. Answered requests alone: a request that was never answered is not in it."""
    fleets = minutes.fleets
    enough = needed_samples(percentile)
    samples = {
        fleet: np.where(
            np.isnan(fleets[fleet].counts["sample_count"]), fleets[fleet].requests, fleets[fleet].counts["sample_count"]
        )
        for fleet in FLEETS
    }
    return Overlay(
        minutes.ts,
        minutes.lengths,
        "latency",
        lines={fleet: fleets[fleet].latency[percentile] for fleet in FLEETS},
        samples=samples,
        low={fleet: samples[fleet] < enough for fleet in FLEETS},
        mixed=fleets["baseline"].mixed | fleets["canary"].mixed,
    )


def slow(minutes: Minutes, threshold_s: float) -> Overlay:
    """The share of answers slower than `threshold_s` seconds: 1 − PR(:t), merged over target groups by their number of answers."""
    name = within(threshold_s)
    gap = np.full(len(minutes.ts), np.nan)
    return Overlay(
        minutes.ts,
        minutes.lengths,
        "rate",
        lines={fleet: 1.0 - minutes.fleets[fleet].within.get(name, gap) for fleet in FLEETS},
        samples={fleet: minutes.fleets[fleet].counts["sample_count"] for fleet in FLEETS},
        low={fleet: np.zeros(len(minutes.ts), dtype=bool) for fleet in FLEETS},
    )


def requests(minutes: Minutes) -> Overlay:
    """Requests per minute, whatever the period."""
    per_minute = 60 / minutes.lengths
    lines = {fleet: minutes.fleets[fleet].requests * per_minute for fleet in FLEETS}
    none = np.zeros(len(minutes.ts), dtype=bool)
    return Overlay(minutes.ts, minutes.lengths, "count", lines, samples=lines, low=dict.fromkeys(FLEETS, none))


@dataclass(frozen=True, slots=True)
class Reading:
    """Both fleets' newest value that is no longer provisional, from `at` to `until` (epoch seconds); None where a fleet has none.

    `low`: the fleets whose value stands on too few samples; there is no difference to speak of then.
    """

    at: int
    until: int
    baseline: float | None
    canary: float | None
    low: frozenset[FleetName] = frozenset()

    @property
    def difference(self) -> float | None:
        return None if self.baseline is None or self.canary is None or self.low else self.canary - self.baseline


def newest(overlay: Overlay, *, before: int, pooled_s: int = READING_S) -> Reading | None:
    """The newest reading that ended by `before` (epoch seconds) and in which at least one fleet has a value; None without any.

    A rate is that of the last `pooled_s` seconds, each period weighted by its requests: in a single minute of a canary it would jump between
    nothing and much. A percentile, which cannot be pooled, and a count are those of the newest period.
    """
    known = ~(np.isnan(overlay.lines["baseline"]) & np.isnan(overlay.lines["canary"])) & (overlay.ends <= before)
    if not known.any():
        return None
    at = int(np.flatnonzero(known)[-1])

    until = int(overlay.ends[at])
    first = int(_back(overlay.ts, overlay.lengths, pooled_s)[at]) if overlay.quantity == "rate" else at
    pooled = slice(first, at + 1)

    def value(fleet: FleetName) -> float | None:
        values, weights = overlay.lines[fleet][pooled], np.nan_to_num(overlay.samples[fleet][pooled])
        there = ~np.isnan(values)
        if first == at or not (weights[there] > 0).any():
            return None if np.isnan(values[-1]) else float(values[-1])
        return float(np.average(values[there], weights=weights[there]))

    low = frozenset(fleet for fleet in FLEETS if overlay.low[fleet][at] and value(fleet) is not None)
    return Reading(int(overlay.ts[pooled][0]), until, value("baseline"), value("canary"), low)


def _share(part: Values, whole: Values) -> Values:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def _back(ts: Integers, lengths: Integers, seconds: int) -> npt.NDArray[np.intp]:
    """For each period the first of those that make up `seconds` with it, or more where periods are longer."""
    return np.clip(np.searchsorted(ts, ts + lengths - seconds, side="right") - 1, 0, np.arange(len(ts)))


def _trailing(values: Values, first: npt.NDArray[np.intp]) -> Values:
    """The sum of the values from `first` on to each."""
    total = np.cumsum(np.concatenate(([0.0], values)))
    trailing: Values = total[1:] - total[first]
    return trailing


def part(overlay: Overlay, name: str) -> Overlay:
    """One of the parts of an overlay, as an overlay of its own."""
    return replace(overlay, lines=overlay.parts[name], parts={}, unattributed=None)
