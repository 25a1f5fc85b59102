"""The demo's numbers: every minute a pure function of the script and that minute, computed for a whole window at once."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from domain.series import within_stat
from sources.demo.scenario import BLUE, EC2, GREEN, HICCUP_DURATION_S, HICCUP_INTERVAL_S, HICCUP_OFFSET_S, Scenario

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
# (target group, metric, stat) → one number a minute; NaN where a source would have no point
MetricArrays = Mapping[tuple[str, str, str], Floats]

_DAY_S = 86_400
_TOKYO_S = 9 * 3600
TARGET_COUNTS = {EC2: 4, BLUE: 6, GREEN: 6}
# ln(latency / median) = BODY·L + TAIL·L² for the log-odds L = ln(p / (1 − p)) of a percentile above the median, BODY·L below:
# heavier than lognormal, and it can be turned around to ask for a share. Gives p50 90, p90 198, p95 280, p99 700 ms.
_MEDIAN_S, _BODY, _TAIL = 0.090, 0.277, 0.0369
MAX_LATENCY_S = 60.0  # the load balancer waits no longer
_LOG_ODDS = {name: math.log(p / (1 - p)) for name, p in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99))}
_AVERAGE_LOG_ODDS = np.log(
    (np.arange(48) + 0.5) / (47.5 - np.arange(48))
)  # mid-points of 48 equal shares, for the average

# One stream of randomness a purpose; a fleet's own are offset by its number.
_RATE, _RATE_SLOW, _BURST, _BURST_SIZE, _TOTAL, _SPLIT, _ERRORS, _DELIVERY, _TAILS = range(1, 10)
_FLEET_OFFSET = 100


def minute_metrics(scenario: Scenario, ts: Ints, *, now: int, slow_thresholds_s: Iterable[float]) -> MetricArrays:
    """Everything that a source had at `now` for the minutes that start at `ts` (epoch seconds, whole minutes; any order).

    Minutes of the future, of before the story, and the one in progress have nothing. The newest three come in low and are revised.
    """
    ts = np.asarray(ts, dtype=np.int64)
    late = _minutes_since_end(scenario, ts, now)
    arrived = _arrived_share(ts // 60, late)
    told: dict[tuple[str, str, str], Floats] = {}
    made_by_alb = {code: np.zeros(len(ts)) for code in ("alb_502", "alb_503", "alb_504")}
    for group, own, requests, load in _requests_by_group(scenario, ts):
        answers = _outcome_counts(scenario, group, ts, requests, arrived, own)
        for code in made_by_alb:
            made_by_alb[code] += answers.pop(code)
        answered = answers.pop("answered")
        served = answers["requests"] > 0
        for metric, count in answers.items():
            told[group, metric, "sum"] = _mask(count, served & (count > 0))
        for stat, value in _latency_stats(scenario, group, ts, load, answered, own, slow_thresholds_s).items():
            told[group, "latency", stat] = _mask(value, served & (answered > 0))
        for metric, hosts in _host_counts(scenario, group, ts).items():
            told[group, metric, "minimum"] = _mask(hosts, late >= 0)
    told["", "alb_5xx", "sum"] = sum(made_by_alb.values(), np.zeros(len(ts)))
    told |= {("", code, "sum"): count for code, count in made_by_alb.items()}
    for code in ("alb_5xx", *made_by_alb):
        told["", code, "sum"] = _mask(told["", code, "sum"], told["", code, "sum"] > 0)
    return told


@dataclass(frozen=True, slots=True)
class LatencyDistributions:
    """One target group's answers, a distribution a minute: how many, and what `quantile` and `share_within` take."""

    requests: Floats
    answered: Floats
    median: Floats
    stretch: Floats

    def reshape(self, minutes: int) -> "LatencyDistributions":
        """The same, a row for every so many minutes."""
        return LatencyDistributions(
            *(getattr(self, name).reshape(-1, minutes) for name in ("requests", "answered", "median", "stretch"))
        )


def latency_distributions(scenario: Scenario, ts: Ints, *, now: int) -> dict[str, LatencyDistributions]:
    """The distributions that `numbers` tells of, by target group; minutes without answers have weight 0."""
    return {group: mixture for group, (_, mixture) in request_outcomes(scenario, ts, now=now).items()}


def request_outcomes(
    scenario: Scenario, ts: Ints, *, now: int
) -> dict[str, tuple[dict[str, Floats], LatencyDistributions]]:
    """By target group: the counts that `numbers` tells of (with the 502, 503 and 504 that the load balancer made in its stead), and the distributions."""
    ts = np.asarray(ts, dtype=np.int64)
    arrived = _arrived_share(ts // 60, _minutes_since_end(scenario, ts, now))
    found = {}
    for group, own, requests, load in _requests_by_group(scenario, ts):
        answers = _outcome_counts(scenario, group, ts, requests, arrived, own)
        median, stretch = _latency_shape(scenario, group, ts, load, answers["answered"], own)
        found[group] = answers, LatencyDistributions(answers["requests"], answers["answered"], median, stretch)
    return found


def _minutes_since_end(story: Scenario, ts: Ints, now: int) -> Ints:
    """Whole minutes since each minute ended; −1 before the story."""
    return np.where(ts >= story.start, (now - ts - 60) // 60, -1)


def _requests_by_group(story: Scenario, ts: Ints) -> Iterator[tuple[str, int, Floats, Floats]]:
    """Each target group with the offset of its own randomness, its requests in every minute, and how busy the hour is."""
    step = np.searchsorted([one.ts for one in story.steps], ts, side="right") - 1
    share = np.array([one.share for one in story.steps])[step]
    live = np.array([one.live for one in story.steps])[step]
    total, load = _traffic(story, ts)
    canary = np.minimum(_poisson(total * share, ts // 60, _SPLIT, thinning=1 - share), total)
    yield EC2, _FLEET_OFFSET, total - canary, load
    for group in (BLUE, GREEN):  # which never serve the same minute
        yield group, _FLEET_OFFSET * 2, np.where(live == group, canary, 0), load


def _traffic(story: Scenario, ts: Ints) -> tuple[Floats, Floats]:
    """Requests to the load balancer in every minute, and how busy the hour is (−1…1 around its mean, smooth)."""
    minute, local = ts // 60, ts + _TOKYO_S
    hour, day = local % _DAY_S / 3600, (local / _DAY_S + 3) % 7  # day 0 is a Monday
    daily = 0.36 * np.cos((hour - 20.5) * np.pi / 12) + 0.09 * np.cos((hour - 12.5) * np.pi / 6)
    weekly = 1 + 0.06 * np.cos((day - 6.5) * 2 * np.pi / 7)
    # A burst of three minutes about every two hours, on both sides because it comes from outside.
    burst = 1 + np.where(uniform(minute // 3, _BURST) < 0.025, 0.15 + 0.25 * uniform(minute // 3, _BURST_SIZE), 0)
    wander = np.exp(0.04 * _smooth_noise(minute, _RATE_SLOW, 45) + 0.03 * _smooth_noise(minute, _RATE, 6))
    return _poisson(12_000 * (1 + daily) * weekly * burst * wander, minute, _TOTAL), daily


def _outcome_counts(
    story: Scenario, group: str, ts: Ints, requests: Floats, arrived: Floats, own: int
) -> dict[str, Floats]:
    """Counts of one target group: requests, what became of them, and the 5xx that the load balancer made in its stead."""
    minute = ts // 60
    hiccup = _hiccup(story, ts)
    slow, dead = _severity(story, ts, group)
    error_rate = 0.002 * np.exp(0.22 * _smooth_noise(minute, _ERRORS, 12) + 0.06 * _smooth_noise(minute, own + 1, 9))
    error_rate = error_rate * (1 + 1.6 * hiccup) * (dead == 0) + 0.001 * slow
    unanswered = np.where(dead > 0, np.rint(requests * dead), _poisson(requests * 0.00008, minute, own + 2))
    answered = requests - np.minimum(unanswered, requests)
    share = {"target_3xx": 0.06, "target_4xx": 0.022, "target_5xx": error_rate}
    counts = {
        name: np.minimum(_poisson(answered * part, minute, own + 10 + place), answered // 4)
        for place, (name, part) in enumerate(share.items())
    }
    refused = np.where(dead > 0, np.rint(unanswered * 0.92), 0.0)  # nobody listens: the rest were cut off or timed out
    counts |= {
        "requests": requests,
        "answered": answered,
        "connection_errors": refused,
        "fail_open_requests": np.where(dead == 1, requests, 0.0),
        "alb_502": np.where(dead > 0, refused, np.minimum(_poisson(unanswered * 0.6, minute, own + 3), unanswered)),
        # Where no target could be chosen the request is in no group's count.
        "alb_503": _poisson(requests * dead * 0.03, minute, own + 4),
    }
    counts["alb_504"] = np.maximum(unanswered - counts["alb_502"], 0)
    # A part of each count has arrived; the parts add up because the sum is taken last.
    counts = {name: np.floor(count * arrived) for name, count in counts.items()}
    counts["target_2xx"] = counts["answered"] - sum(counts[name] for name in share)
    return counts


def _latency_stats(
    story: Scenario, group: str, ts: Ints, load: Floats, answered: Floats, own: int, slow_thresholds_s: Iterable[float]
) -> dict[str, Floats]:
    """Latency of the answered requests in seconds, and the shares within each threshold: all of one distribution a minute, so they agree."""
    median, stretch = _latency_shape(story, group, ts, load, answered, own)
    told = {name: np.round(quantile(median, stretch, odds), 6) for name, odds in _LOG_ODDS.items()}
    told["average"] = np.round(average(median, stretch), 6)
    told["sample_count"] = answered
    for threshold_s in slow_thresholds_s:
        told[within_stat(threshold_s)] = np.round(share_within(median, stretch, threshold_s), 6)
    return told


def _latency_shape(
    story: Scenario, group: str, ts: Ints, load: Floats, answered: Floats, own: int
) -> tuple[Floats, Floats]:
    """The median of every minute's latency in seconds, and how far its distribution is stretched."""
    minute = ts // 60
    number = np.maximum(answered, 1)
    median = _MEDIAN_S * (1 + 0.12 * load) * (1 + 0.15 * _hiccup(story, ts)) * (1 if group == EC2 else 0.985)
    stretch = 1.0 + 0.04 * _smooth_noise(minute, _TAILS, 40) + 0.012 * _smooth_noise(minute, own + 20, 30)
    slow, dead = _severity(story, ts, group)
    # Survivors are quick: whoever waits for the database is not among them.
    median, stretch = median * (1 + 0.16 * slow) * (1 - 0.3 * dead), stretch * (1 + 0.285 * slow)
    # Few answers make an unsteady median and a yet unsteadier tail.
    median = median * np.exp(np.sqrt(0.012**2 + 0.4 / number) * np.clip(_normal(minute, own + 21), -3, 3))
    stretch = stretch * np.clip(1 + np.sqrt(0.015**2 + 1.5 / number) * _normal(minute, own + 22), 0.5, 1.6)
    return median, stretch


def quantile(median: Floats, stretch: Floats, log_odds: Floats | float) -> Floats:
    upper = np.maximum(log_odds, 0.0)
    return np.minimum(median * np.exp(stretch * (_BODY * log_odds + _TAIL * upper * upper)), MAX_LATENCY_S)


def average(median: Floats, stretch: Floats) -> Floats:
    total = sum((quantile(median, stretch, odds) for odds in _AVERAGE_LOG_ODDS), np.zeros_like(median))
    return total / len(_AVERAGE_LOG_ODDS)


def share_within(median: Floats, stretch: Floats, threshold_s: Floats | float) -> Floats:
    """`quantile` turned around: the share of answers that took at most `threshold_s`."""
    log = np.log(threshold_s / median) / stretch
    above = (np.sqrt(_BODY * _BODY + 4 * _TAIL * np.maximum(log, 0)) - _BODY) / (2 * _TAIL)
    share: Floats = 1 / (1 + np.exp(-np.where(log > 0, above, log / _BODY)))
    return share


def _host_counts(story: Scenario, group: str, ts: Ints) -> dict[str, Floats]:
    registered = np.zeros(len(ts), dtype=bool)
    for window in story.registered_windows(group):
        registered |= (ts >= window.start) & (ts < window.end)
    _, dead = _severity(story, ts, group)
    healthy = np.where(dead > 0, 0.0, TARGET_COUNTS[group])
    nowhere = np.full(len(ts), np.nan)
    return {
        "healthy_hosts": np.where(registered, healthy, nowhere),
        "unhealthy_hosts": np.where(registered, TARGET_COUNTS[group] - healthy, nowhere),
    }


def _severity(story: Scenario, ts: Ints, group: str) -> tuple[Floats, Floats]:
    """How slow and how dead an ECS group is, 0–1; EC2 never is. Slowness comes up within six minutes; death takes two."""
    serves = np.array([step.live == group for step in story.steps])
    here = serves[np.maximum(np.searchsorted([step.ts for step in story.steps], ts, side="right") - 1, 0)]
    slow = np.clip((ts - story.slowdown.start + 60) / 360, 0, 1) * (ts < story.slowdown.end) * here
    since = (ts - story.outage.start) // 60
    dead = np.select([since < 0, since == 0, since == 1], [0.0, 0.6, 0.97], 1.0) * (ts < story.outage.end) * here
    return slow, dead


def _hiccup(story: Scenario, ts: Ints) -> Floats:
    """1 while both fleets wait for the same slow storage, 0 otherwise."""
    since = (ts - story.anchor) % HICCUP_INTERVAL_S - HICCUP_OFFSET_S
    on = (since >= 0) & (since < HICCUP_DURATION_S) & (ts >= story.anchor - 2 * HICCUP_INTERVAL_S)
    return on.astype(np.float64)


def _arrived_share(minute: Ints, minutes_since_end: Ints) -> Floats:
    """Which part of a minute's count is there, so many whole minutes after it ended: all of it after three."""
    u = uniform(minute, _DELIVERY)
    return np.select([minutes_since_end < 0, minutes_since_end == 0, minutes_since_end == 1, minutes_since_end == 2], [0.0, 0.5 + 0.2 * u, 0.84 + 0.1 * u, 0.96 + 0.03 * u], 1.0)  # fmt: skip


def _mask(value: Floats, is_present: npt.NDArray[np.bool_]) -> Floats:
    return np.where(is_present, value, np.nan)


def uniform(counter: Ints, stream: int) -> Floats:
    """Numbers between 0 and 1 that depend on nothing but the counter and the stream: splitmix64's finaliser (Steele, Lea, Flood 2014)."""
    x = counter.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(stream * 0xD1B54A32D192ED03 % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53 + 2.0**-54


def _normal(counter: Ints, stream: int) -> Floats:
    radius: Floats = np.sqrt(-2 * np.log(uniform(counter, stream + 1000)))
    return radius * np.cos(2 * np.pi * uniform(counter, stream + 2000))


def _smooth_noise(minute: Ints, stream: int, interval_min: int) -> Floats:
    """Noise that neighbouring minutes share: normal at every so many minutes, eased in between."""
    knot, weight = minute // interval_min, (1 - np.cos(np.pi * (minute % interval_min) / interval_min)) / 2
    return (1 - weight) * _normal(knot, stream) + weight * _normal(knot + 1, stream)


def _poisson(mean: Floats, minute: Ints, stream: int, *, thinning: Floats | float = 1.0) -> Floats:
    """Whole numbers with this mean: Poisson by inversion where it is small, normal with variance mean · `thinning` where it is not."""
    big = np.maximum(np.rint(mean + np.sqrt(mean * thinning) * _normal(minute, stream)), 0)
    few = np.flatnonzero(mean < 15)
    if len(few):
        u, small = uniform(minute[few], stream), mean[few]
        term = np.exp(-small)
        below, number = term.copy(), np.zeros(len(few))
        for k in range(1, 60):
            number += u > below
            term = term * small / k
            below += term
        big[few] = number
    return big
