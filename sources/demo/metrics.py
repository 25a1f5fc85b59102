"""The demo's metrics: each minute a pure function of the scenario and that minute, computed for whole arrays of minutes."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from domain.series import within_stat
from domain.window import DAY_S
from sources.demo.scenario import (
    BLUE,
    EC2,
    GREEN,
    HICCUP_DURATION_S,
    HICCUP_INTERVAL_S,
    HICCUP_OFFSET_S,
    RELEASE_GROUPS,
    Scenario,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
# (target group, metric, stat) → one value a period; NaN if there is no point
MetricArrays = Mapping[tuple[str, str, str], Floats]

_TOKYO_S = 9 * 3600
TARGET_COUNTS = {EC2: 4, BLUE: 6, GREEN: 6, **dict.fromkeys(RELEASE_GROUPS, 6)}
# ln(latency / median) = BODY·L + TAIL·L² for the log-odds L = ln(p / (1 − p)) of a percentile above the median, BODY·L below it: heavier than lognormal,
# and invertible. Gives p50 90, p90 198, p95 280, p99 700 ms.
_MEDIAN_S, _BODY, _TAIL = 0.090, 0.277, 0.0369
MAX_LATENCY_S = 60.0  # the load balancer's timeout
_LOG_ODDS = {name: math.log(p / (1 - p)) for name, p in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99))}
_AVERAGE_LOG_ODDS = np.log((np.arange(48) + 0.5) / (47.5 - np.arange(48)))  # mid-points of 48 equal shares
_ALB_CODES = ("alb_502", "alb_503", "alb_504")

# Random streams by purpose. Those of one fleet are offset.
_RATE, _RATE_SLOW, _BURST, _BURST_SIZE, _TOTAL, _SPLIT, _ERRORS, _DELIVERY, _TAILS = range(1, 10)
_FLEET_OFFSET = 100


@dataclass(frozen=True, slots=True)
class LatencyDistributions:
    """The latency of a target group's answered requests, one distribution a minute, in arrays of one shape."""

    requests: Floats
    answered: Floats
    median: Floats
    stretch: Floats

    def reshape(self, minutes: int) -> "LatencyDistributions":
        """The same with a row for every `minutes` minutes."""
        arrays = (self.requests, self.answered, self.median, self.stretch)
        return LatencyDistributions(*(array.reshape(-1, minutes) for array in arrays))

    def quantile(self, log_odds: Floats | float) -> Floats:
        """Seconds, at most MAX_LATENCY_S."""
        upper = np.maximum(log_odds, 0.0)
        return np.minimum(
            self.median * np.exp(self.stretch * (_BODY * log_odds + _TAIL * upper * upper)), MAX_LATENCY_S
        )

    def average(self) -> Floats:
        return sum(map(self.quantile, _AVERAGE_LOG_ODDS), np.zeros_like(self.median)) / len(_AVERAGE_LOG_ODDS)

    def share_within(self, threshold_s: Floats | float) -> Floats:
        """The share of answers of at most `threshold_s`: the inverse of `quantile`."""
        log = np.log(threshold_s / self.median) / self.stretch
        above = (np.sqrt(_BODY * _BODY + 4 * _TAIL * np.maximum(log, 0)) - _BODY) / (2 * _TAIL)
        share: Floats = 1 / (1 + np.exp(-np.where(log > 0, above, log / _BODY)))
        return share


def minute_metrics(scenario: Scenario, ts: Ints, *, now: int, slow_thresholds_s: Iterable[float]) -> MetricArrays:
    """All metrics known at `now` of the minutes that start at `ts` (epoch seconds, any order).

    The current minute, the future and the time before the scenario have none. The newest three minutes are too low and revised later.
    """
    metrics: dict[tuple[str, str, str], Floats] = {}
    alb_counts = {code: np.zeros(len(ts)) for code in _ALB_CODES}
    has_ended = _minutes_since_end(scenario, ts, now) >= 0
    for group, (counts, latency) in request_outcomes(scenario, ts, now=now).items():
        for metric, count in counts.items():
            if metric in alb_counts:
                alb_counts[metric] += count
            elif metric != "answered":
                metrics[group, metric, "sum"] = _mask(count, (latency.requests > 0) & (count > 0))
        stats = {name: latency.quantile(log_odds) for name, log_odds in _LOG_ODDS.items()}
        stats["average"], stats["sample_count"] = latency.average(), latency.answered
        stats |= {within_stat(threshold_s): latency.share_within(threshold_s) for threshold_s in slow_thresholds_s}
        for stat, value in stats.items():
            metrics[group, "latency", stat] = _mask(np.round(value, 6), latency.answered > 0)
        for metric, hosts in _host_counts(scenario, group, ts).items():
            metrics[group, metric, "minimum"] = _mask(hosts, has_ended)
    alb_counts["alb_5xx"] = sum(alb_counts.values(), np.zeros(len(ts)))
    return metrics | {("", code, "sum"): _mask(count, count > 0) for code, count in alb_counts.items()}


def latency_distributions(scenario: Scenario, ts: Ints, *, now: int) -> dict[str, LatencyDistributions]:
    """The latency distributions by target group."""
    return {group: latency for group, (_, latency) in request_outcomes(scenario, ts, now=now).items()}


def request_outcomes(
    scenario: Scenario, ts: Ints, *, now: int
) -> dict[str, tuple[dict[str, Floats], LatencyDistributions]]:
    """By target group: the counts known at `now` (with the 502, 503 and 504 that the load balancer returned instead), and the latency."""
    ts = np.asarray(ts, dtype=np.int64)
    arrived = _arrived_share(ts // 60, _minutes_since_end(scenario, ts, now))
    outcomes = {}
    for minutes in _requests_by_group(scenario, ts):
        counts = _outcome_counts(minutes, arrived)
        median, stretch = _latency_shape(minutes, counts["answered"])
        outcomes[minutes.group] = counts, LatencyDistributions(counts["requests"], counts["answered"], median, stretch)
    return outcomes


def _minutes_since_end(scenario: Scenario, ts: Ints, now: int) -> Ints:
    """Whole minutes since each minute ended; −1 before the scenario."""
    return np.where(ts >= scenario.start, (now - ts - 60) // 60, -1)


@dataclass(frozen=True, slots=True)
class _GroupMinutes:
    """The requests of a target group. `load`: how busy the hour is, −1…1. `stream`: the offset of its random streams."""

    scenario: Scenario
    group: str
    ts: Ints
    requests: Floats
    load: Floats
    stream: int


def _requests_by_group(scenario: Scenario, ts: Ints) -> Iterator[_GroupMinutes]:
    index = np.searchsorted([step.ts for step in scenario.steps], ts, side="right") - 1
    share = np.array([step.share for step in scenario.steps])[index]
    old, live = (np.array([getattr(step, name) for step in scenario.steps])[index] for name in ("old", "live"))
    total, load = _traffic(ts)
    canary = np.minimum(poisson(total * share, ts // 60, _SPLIT, thinning=1 - share), total)
    for number, group in enumerate(scenario.groups):
        requests = np.where(old == group, total - canary, np.where(live == group, canary, 0))
        yield _GroupMinutes(scenario, group, ts, requests, load, _FLEET_OFFSET * min(number + 1, 2))


def _traffic(ts: Ints) -> tuple[Floats, Floats]:
    """Requests to the load balancer in each minute, and how busy the hour is (−1…1, smooth)."""
    minute, local = ts // 60, ts + _TOKYO_S
    hour, day = local % DAY_S / 3600, (local / DAY_S + 3) % 7  # day 0 is a Monday
    daily = 0.36 * np.cos((hour - 20.5) * np.pi / 12) + 0.09 * np.cos((hour - 12.5) * np.pi / 6)
    weekly = 1 + 0.06 * np.cos((day - 6.5) * 2 * np.pi / 7)
    # A burst of three minutes about every two hours, on both fleets.
    burst = 1 + np.where(uniform(minute // 3, _BURST) < 0.025, 0.15 + 0.25 * uniform(minute // 3, _BURST_SIZE), 0)
    noise = np.exp(0.04 * smooth_noise(minute, _RATE_SLOW, 45) + 0.03 * smooth_noise(minute, _RATE, 6))
    return poisson(12_000 * (1 + daily) * weekly * burst * noise, minute, _TOTAL), daily


def _outcome_counts(minutes: _GroupMinutes, arrived: Floats) -> dict[str, Floats]:
    """A target group's requests by outcome, and the 5xx that the load balancer returned instead. `arrived`: the share known so far."""
    minute, requests, stream = minutes.ts // 60, minutes.requests, minutes.stream
    slow, dead = _severity(minutes.scenario, minutes.ts, minutes.group)
    error_rate = 0.002 * np.exp(0.22 * smooth_noise(minute, _ERRORS, 12) + 0.06 * smooth_noise(minute, stream + 1, 9))
    error_rate = error_rate * (1 + 1.6 * _hiccup(minutes.scenario, minutes.ts)) * (dead == 0) + 0.001 * slow
    unanswered = np.where(dead > 0, np.rint(requests * dead), poisson(requests * 0.00008, minute, stream + 2))
    answered = requests - np.minimum(unanswered, requests)
    shares = {"target_3xx": 0.06, "target_4xx": 0.022, "target_5xx": error_rate}
    counts = {
        name: np.minimum(poisson(answered * share, minute, stream + 10 + number), answered // 4)
        for number, (name, share) in enumerate(shares.items())
    }
    refused = np.where(dead > 0, np.rint(unanswered * 0.92), 0.0)  # the other connections broke off or timed out
    counts |= {
        "requests": requests,
        "answered": answered,
        "connection_errors": refused,
        "fail_open_requests": np.where(dead == 1, requests, 0.0),
        "alb_502": np.where(dead > 0, refused, np.minimum(poisson(unanswered * 0.6, minute, stream + 3), unanswered)),
        # Requests for which no target was available are in no group's count.
        "alb_503": poisson(requests * dead * 0.03, minute, stream + 4),
    }
    counts["alb_504"] = np.maximum(unanswered - counts["alb_502"], 0)
    # Computed last, so that the parts add up although only a share of each count has arrived.
    counts = {name: np.floor(count * arrived) for name, count in counts.items()}
    counts["target_2xx"] = counts["answered"] - sum(counts[name] for name in shares)
    return counts


def _latency_shape(minutes: _GroupMinutes, answered: Floats) -> tuple[Floats, Floats]:
    """Median (seconds) and stretch of each minute's latency distribution."""
    minute, scenario, stream = minutes.ts // 60, minutes.scenario, minutes.stream
    n = np.maximum(answered, 1)
    median = _MEDIAN_S * (1 + 0.12 * minutes.load) * (1 + 0.15 * _hiccup(scenario, minutes.ts))
    median = median * (1 if minutes.group == EC2 else 0.985)
    stretch = 1.0 + 0.04 * smooth_noise(minute, _TAILS, 40) + 0.012 * smooth_noise(minute, stream + 20, 30)
    slow, dead = _severity(scenario, minutes.ts, minutes.group)
    # During the outage the remaining answers are fast, because requests that wait for the database are not among them.
    median, stretch = median * (1 + 0.16 * slow) * (1 - 0.3 * dead), stretch * (1 + 0.285 * slow)
    # With few answers the median is noisy, and the tail even more.
    median = median * np.exp(np.sqrt(0.012**2 + 0.4 / n) * np.clip(_normal(minute, stream + 21), -3, 3))
    stretch = stretch * np.clip(1 + np.sqrt(0.015**2 + 1.5 / n) * _normal(minute, stream + 22), 0.5, 1.6)
    return median, stretch


def _host_counts(scenario: Scenario, group: str, ts: Ints) -> dict[str, Floats]:
    registered = np.zeros(len(ts), dtype=bool)
    for window in scenario.registered_windows(group):
        registered |= (ts >= window.start) & (ts < window.end)
    _, dead = _severity(scenario, ts, group)
    healthy = np.where(dead > 0, 0.0, TARGET_COUNTS[group])
    return {
        "healthy_hosts": _mask(healthy, registered),
        "unhealthy_hosts": _mask(TARGET_COUNTS[group] - healthy, registered),
    }


def _severity(scenario: Scenario, ts: Ints, group: str) -> tuple[Floats, Floats]:
    """Severity of the slowdown and the outage of an ECS group, 0–1. The slowdown builds up in six minutes, the outage in two."""
    is_live = np.array([step.live == group for step in scenario.steps])
    live = is_live[np.maximum(np.searchsorted([step.ts for step in scenario.steps], ts, side="right") - 1, 0)]
    slow = np.clip((ts - scenario.slowdown.start + 60) / 360, 0, 1) * (ts < scenario.slowdown.end) * live
    since_min = (ts - scenario.outage.start) // 60
    dead = np.select([since_min < 0, since_min == 0, since_min == 1], [0.0, 0.6, 0.97], 1.0)
    return slow, dead * (ts < scenario.outage.end) * live


def _hiccup(scenario: Scenario, ts: Ints) -> Floats:
    """1 while the storage of both fleets is slow, else 0."""
    since_s = (ts - scenario.anchor) % HICCUP_INTERVAL_S - HICCUP_OFFSET_S
    active = (since_s >= 0) & (since_s < HICCUP_DURATION_S) & (ts >= scenario.anchor - 2 * HICCUP_INTERVAL_S)
    return active.astype(np.float64)


def _arrived_share(minute: Ints, minutes_since_end: Ints) -> Floats:
    """The share of a minute's count that is known some minutes after its end: all of it after three."""
    u = uniform(minute, _DELIVERY)
    shares = [0 * u, 0.5 + 0.2 * u, 0.84 + 0.1 * u, 0.96 + 0.03 * u]
    return np.select([minutes_since_end < 0, *(minutes_since_end == n for n in range(3))], shares, 1.0)


def _mask(value: Floats, is_present: npt.NDArray[np.bool_]) -> Floats:
    return np.where(is_present, value, np.nan)


def uniform(counter: Ints, stream: int | Ints) -> Floats:
    """Uniform numbers in (0, 1), a pure function of counter and stream: the finalizer of splitmix64 (Steele, Lea, Flood 2014)."""
    x = counter.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x += np.asarray(stream, dtype=np.uint64) * np.uint64(0xD1B54A32D192ED03)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53 + 2.0**-54


def _normal(counter: Ints, stream: int) -> Floats:
    radius: Floats = np.sqrt(-2 * np.log(uniform(counter, stream + 1000)))
    return radius * np.cos(2 * np.pi * uniform(counter, stream + 2000))


def smooth_noise(minute: Ints, stream: int, interval_min: int) -> Floats:
    """Autocorrelated noise: normal every `interval_min` minutes, interpolated in between."""
    knot, weight = minute // interval_min, (1 - np.cos(np.pi * (minute % interval_min) / interval_min)) / 2
    return (1 - weight) * _normal(knot, stream) + weight * _normal(knot + 1, stream)


def poisson(mean: Floats, minute: Ints, stream: int, *, thinning: Floats | float = 1.0) -> Floats:
    """Whole numbers with this mean: Poisson by inversion below 15, else normal with variance mean · `thinning`."""
    numbers = np.maximum(np.rint(mean + np.sqrt(mean * thinning) * _normal(minute, stream)), 0)
    few = np.flatnonzero(mean < 15)
    if len(few):
        u, small_mean = uniform(minute[few], stream), mean[few]
        term = np.exp(-small_mean)
        cumulative, number = term.copy(), np.zeros(len(few))
        for k in range(1, 60):
            number += u > cumulative
            term = term * small_mean / k
            cumulative += term
        numbers[few] = number
    return numbers
