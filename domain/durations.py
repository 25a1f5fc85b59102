"""A histogram of durations, as Prometheus has them: how many took no longer than each bound."""

from bisect import bisect_left
from dataclasses import dataclass, field

# A poll of nothing takes milliseconds, one of an API a second, and counting logs up to an hour.
BOUNDS_S = (0.05, 0.25, 1.0, 5.0, 30.0, 300.0, 3600.0)


@dataclass(slots=True)
class DurationHistogram:
    """One thread adds; others may read meanwhile."""

    total_s: float = 0.0
    _counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))

    def add(self, duration_s: float) -> None:
        self._counts[bisect_left(BOUNDS_S, duration_s)] += 1
        self.total_s += duration_s

    def __add__(self, other: "DurationHistogram") -> "DurationHistogram":
        counts = [one + another for one, another in zip(self._counts, other._counts, strict=True)]
        return DurationHistogram(self.total_s + other.total_s, counts)

    @property
    def cumulative(self) -> tuple[tuple[float, int], ...]:
        """Each bound (s), at last infinity, with the number of durations up to it."""
        n, rows = 0, []
        for bound, count in zip((*BOUNDS_S, float("inf")), tuple(self._counts), strict=True):
            n += count
            rows.append((bound, n))
        return tuple(rows)
