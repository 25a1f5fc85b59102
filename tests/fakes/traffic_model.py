"""The requests behind a load balancer, minute by minute: what the fakes report and the tests expect."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol
from zlib import crc32

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class TargetGroupMinute:
    """One target group's minute. `latencies`: sorted seconds of the answered requests.

    `requests` beyond the sum of the responses were never answered; `fail_open` requests were sent to unhealthy targets.
    """

    requests: int
    responses_2xx: int = 0
    responses_3xx: int = 0
    responses_4xx: int = 0
    responses_5xx: int = 0
    latencies: npt.NDArray[np.float64] | tuple[float, ...] = ()
    connection_errors: int = 0
    healthy: int = 2
    unhealthy: int = 0
    fail_open: int = 0


class TrafficModel(Protocol):
    """The traffic of any time; deterministic."""

    def target_groups(self) -> Collection[str]:
        """The names of the target groups."""
        ...

    def minute(self, target_group: str, ts: int) -> TargetGroupMinute | None:
        """The group's minute that begins at `ts`; None if nothing is reported."""
        ...

    def load_balancer_errors(self, ts: int) -> Mapping[str, int]:
        """The 5xx that the load balancer generated itself in that minute: alb_5xx, alb_500, alb_502, alb_503, alb_504; zeros are absent."""
        ...


@dataclass(frozen=True, slots=True)
class ScriptedTraffic:
    """Literal traffic: (target group, ts) → its minute, and ts → the load balancer's own 5xx."""

    minutes: Mapping[tuple[str, int], TargetGroupMinute]
    alb_errors: Mapping[int, Mapping[str, int]] = field(default_factory=dict)

    def target_groups(self) -> Collection[str]:
        return {group for group, _ in self.minutes}

    def minute(self, target_group: str, ts: int) -> TargetGroupMinute | None:
        return self.minutes.get((target_group, ts))

    def load_balancer_errors(self, ts: int) -> Mapping[str, int]:
        return self.alb_errors.get(ts, {})


class SteadyTraffic:
    """Steady traffic, divided by `shares`: ts → share of each target group; the sum need not be 1.

    A group that is not in `shares` is not registered and reports nothing; one at 0 has targets and no requests. `error_rates` and
    `latency_factors` are per group (default: 0 and 1); `unresponsive`: ts → groups whose targets do not answer, so that their requests
    end in the load balancer's own 502 and 504. Every minute depends on (seed, group, ts) alone.
    """

    MEDIAN_S = 0.08
    SPREAD = 0.6  # standard deviation of the logarithm of a latency

    def __init__(
        self,
        shares: Callable[[int], Mapping[str, float]],
        *,
        names: Collection[str] | None = None,
        requests_per_minute: float = 600,
        seed: int = 1,
        error_rates: Mapping[str, float] | None = None,
        latency_factors: Mapping[str, float] | None = None,
        unresponsive: Callable[[int], Collection[str]] = lambda ts: (),
    ) -> None:
        self._shares = shares
        self._names = tuple(shares(0)) if names is None else tuple(names)
        self._requests_per_minute = requests_per_minute
        self._seed = seed
        self._error_rates = dict(error_rates or {})
        self._latency_factors = dict(latency_factors or {})
        self._unresponsive = unresponsive
        self.minute = lru_cache(maxsize=6_000)(self._minute)

    def target_groups(self) -> Collection[str]:
        return self._names

    def _minute(self, target_group: str, ts: int) -> TargetGroupMinute | None:
        share = self._shares(ts).get(target_group)
        if share is None:
            return None
        rng = np.random.default_rng((self._seed, crc32(target_group.encode()), ts))
        requests = int(rng.poisson(self._requests_per_minute * share))
        if target_group in self._unresponsive(ts):
            refused = int(rng.binomial(requests, 0.5))
            return TargetGroupMinute(requests, connection_errors=refused, healthy=0, unhealthy=2, fail_open=requests)
        errors = int(rng.binomial(requests, self._error_rates.get(target_group, 0.0)))
        redirects, client_errors, successes = (int(n) for n in rng.multinomial(requests - errors, (0.02, 0.01, 0.97)))
        log_median = np.log(self.MEDIAN_S * self._latency_factors.get(target_group, 1.0))
        return TargetGroupMinute(
            requests=requests,
            responses_2xx=successes,
            responses_3xx=redirects,
            responses_4xx=client_errors,
            responses_5xx=errors,
            latencies=np.sort(rng.lognormal(log_median, self.SPREAD, requests)),
        )

    def load_balancer_errors(self, ts: int) -> Mapping[str, int]:
        minutes = [minute for group in self._unresponsive(ts) if (minute := self.minute(group, ts))]
        unanswered = sum(minute.requests for minute in minutes)
        refused = sum(minute.connection_errors for minute in minutes)
        return {"alb_5xx": unanswered, "alb_502": refused, "alb_504": unanswered - refused} if unanswered else {}
