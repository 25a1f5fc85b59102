"""The latency distribution of one target group over one long period, which cannot be derived from values per minute."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from domain.series import PERCENTILES, FleetName, Series, series_of_target_group

# Thresholds for the latency CDF, beside the configured ones: three per decade, 10 ms to 10 s.
CDF_THRESHOLDS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Latency of a target group over a period. None, or absent from a mapping: not available.

    `requests` were sent, `answers` of them were answered and timed. `percentiles` ("p95" → seconds) and `within` (threshold in seconds → share
    of answers at or below it, 0–1) are over all these answers.
    """

    fleet: FleetName
    target_group: str
    requests: float | None
    answers: float | None
    average_s: float | None
    percentiles: Mapping[str, float]
    within: Mapping[float, float]

    def points(self) -> tuple[tuple[float, float], ...]:
        """The known points of the CDF, ascending: (seconds, share of answers at or below).

        Of the thresholds with share 0 only the largest, of those with share 1 only the smallest.
        """
        first = max((threshold for threshold, share in self.within.items() if share <= 0), default=0.0)
        last = min((threshold for threshold, share in self.within.items() if share >= 1), default=float("inf"))
        shares = {(threshold, share) for threshold, share in self.within.items() if first <= threshold <= last}
        return tuple(sorted(shares | {(value, _percentile_share(name)) for name, value in self.percentiles.items()}))


def series_of_window_latency(
    source: str, fleet: FleetName, target_group: str, slow_thresholds_s: Iterable[float]
) -> Iterator[Series]:
    """The series from which a `LatencySummary` is built."""
    thresholds_s = sorted({*CDF_THRESHOLDS_S, *slow_thresholds_s})
    for series in series_of_target_group(source, fleet, target_group, thresholds_s):
        if series.metric in ("requests", "latency") and not series.hourly:
            yield series


def latency_summaries(values: Mapping[Series, float]) -> tuple[LatencySummary, ...]:
    """One per target group, in the order of `values`."""
    owners = dict.fromkeys((series.fleet, series.target_group) for series in values)
    return tuple(_group_summary(fleet, group, values) for fleet, group in owners)


def _group_summary(fleet: str, group: str, values: Mapping[Series, float]) -> LatencySummary:
    stats = {s.stat: value for s, value in values.items() if (s.fleet, s.target_group) == (fleet, group)}
    return LatencySummary(
        fleet="baseline" if fleet == "baseline" else "canary",
        target_group=group,
        requests=stats.get("sum"),
        answers=stats.get("sample_count"),
        average_s=stats.get("average"),
        percentiles={name: stats[name] for name in PERCENTILES if name in stats},
        within={
            float(stat.removeprefix("within_").removesuffix("s")): value
            for stat, value in stats.items()
            if stat.startswith("within_")
        },
    )


def _percentile_share(percentile: str) -> float:
    return float(percentile.removeprefix("p")) / 100
