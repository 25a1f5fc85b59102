"""Does the traffic that was seen match the weights that were told? The first thing to know before comparing anything."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.series.grid import TimeGrid
from domain import Window

SampleRatioVerdict = Literal["matches", "differs", "not enough data"]

MIN_MINUTES = 5
Z = 4.0  # looked at every minute all day: 4 σ of an approximately normal mean is crossed by chance about once in a month of looking
MIN_RELATIVE_DEVIATION = (
    0.01  # a deviation below 1 % of the smaller side's share is of no consequence, however surely it is there
)


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """`told` and `seen` are the canary's share (0–1); `low` … `high` is where the true share surely lies; `requests` and `minutes` is what was counted."""

    verdict: SampleRatioVerdict
    expected_share: float
    observed_share: float | None
    lower: float | None
    upper: float | None
    requests: int
    minutes: int


def sample_ratio(
    grid: TimeGrid, expected_share: float, window: Window, *, unread: Iterable[Window] = ()
) -> SampleRatio:
    """The canary's share of the requests in `window` (settled, and since the last weight change) against the share it was told.

    The ratio estimator of survey sampling with minutes as clusters (Cochran, Sampling Techniques, §6.8), so that a burst that lands on one side
    widens the interval; never narrower than independent requests would make it. A chi-squared test of single requests, as experiments use it,
    would call every real load balancer wrong within an hour. Minutes in which the requests of either fleet were not answered (`unread`) are no minutes
    without requests: they are left out.
    """
    inside = (grid.ts >= window.start) & (grid.ts + grid.period_s <= window.end)
    for gap in unread:
        inside &= (grid.ts >= gap.end) | (grid.ts + grid.period_s <= gap.start)
    canary = np.nan_to_num(grid.fleets["canary"].requests[inside])
    total = np.nan_to_num(grid.requests[inside])
    served = total > 0
    canary, total, count = canary[served], total[served], int(served.sum())
    requests = int(total.sum())
    if count < MIN_MINUTES or not requests:
        return SampleRatio("not enough data", expected_share, None, None, None, requests, count)
    seen = float(canary.sum() / requests)
    clusters = np.sqrt(count / (count - 1) * np.square(canary - seen * total).sum()) / requests
    independent = np.sqrt(max(expected_share * (1 - expected_share), seen * (1 - seen)) / requests)
    half = Z * float(max(clusters, independent))
    low, high = max(0.0, seen - half), min(1.0, seen + half)
    consequence = MIN_RELATIVE_DEVIATION * min(expected_share, 1 - expected_share)
    differs = not low <= expected_share <= high and abs(seen - expected_share) > consequence
    return SampleRatio("differs" if differs else "matches", expected_share, seen, low, high, requests, count)
