"""How long the answers of one target group took over one long period: what no average of minutes can tell."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from domain.series import PERCENTILES, FleetName, Series, within_stat

# Thresholds beside the configured ones, so that the shares within them draw the distribution: every third of a decade, from 10 ms to 10 s.
CDF_THRESHOLDS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """One target group over one period. None, or absent from a mapping: not answered.

    `requests` were sent to it, `answers` of them came back and were timed; `percentiles` ("p95" → seconds) and `within` (seconds → share of the
    answers that took at most so long, 0–1) are of all those answers together.
    """

    fleet: FleetName
    target_group: str
    requests: float | None
    answers: float | None
    average_s: float | None
    percentiles: Mapping[str, float]
    within: Mapping[float, float]

    def points(self) -> tuple[tuple[float, float], ...]:
        """The distribution as far as it is known, ascending: (seconds, share of the answers that took at most so long).

        Of the thresholds that nobody kept, and of those that everybody kept, only the innermost: the rest is empty paper.
        """
        none = max((threshold for threshold, share in self.within.items() if share <= 0), default=0.0)
        every = min((threshold for threshold, share in self.within.items() if share >= 1), default=float("inf"))
        shares = {(threshold, share) for threshold, share in self.within.items() if none <= threshold <= every}
        return tuple(sorted(shares | {(value, _percentile_share(name)) for name, value in self.percentiles.items()}))


def series_of_window_latency(
    source: str, fleet: FleetName, target_group: str, slow_thresholds_s: Iterable[float]
) -> Iterator[Series]:
    """Everything that `Latencies` is made of, as series of one period."""
    yield Series(source, fleet, target_group, "requests", "sum", "count")
    yield Series(source, fleet, target_group, "latency", "sample_count", "count")
    yield Series(source, fleet, target_group, "latency", "average", "s")
    for percentile in PERCENTILES:
        yield Series(source, fleet, target_group, "latency", percentile, "s")
    for threshold_s in sorted({*CDF_THRESHOLDS_S, *slow_thresholds_s}):
        yield Series(source, fleet, target_group, "latency", within_stat(threshold_s), "fraction")


def latency_summaries(values: Mapping[Series, float]) -> tuple[LatencySummary, ...]:
    """One for each target group that has any value here, in the order of `values`."""
    owners = dict.fromkeys((one.fleet, one.target_group) for one in values)
    return tuple(_group_summary(fleet, group, values) for fleet, group in owners)


def _group_summary(fleet: str, group: str, values: Mapping[Series, float]) -> LatencySummary:
    mine = {one.stat: value for one, value in values.items() if (one.fleet, one.target_group) == (fleet, group)}
    return LatencySummary(
        fleet="baseline" if fleet == "baseline" else "canary",
        target_group=group,
        requests=mine.get("sum"),
        answers=mine.get("sample_count"),
        average_s=mine.get("average"),
        percentiles={name: mine[name] for name in PERCENTILES if name in mine},
        within={
            float(stat.removeprefix("within_").removesuffix("s")): value
            for stat, value in mine.items()
            if stat.startswith("within_")
        },
    )


def _percentile_share(percentile: str) -> float:
    return float(percentile.removeprefix("p")) / 100
