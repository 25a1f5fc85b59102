"""Sample-ratio check: does the observed traffic share match the configured weights?"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.series.grid import TimeGrid
from domain import Window

SampleRatioVerdict = Literal["matches", "differs", "not enough data"]

MIN_MINUTES = 5
Z = 4.0  # checked every minute, 4 σ of a normal mean are exceeded by chance about once a month
MIN_RELATIVE_DEVIATION = 0.01  # a deviation below 1 % of the smaller fleet's share does not matter, even if significant


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """The canary's share of requests (0–1) with its CI `lower` … `upper`, from `requests` requests in `minutes` minutes."""

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
    """The canary's share of the requests in `window` (final, and since the last weight change) against its configured share.

    The ratio estimator of survey sampling with minutes as clusters (Cochran, Sampling Techniques, §6.8), so that a burst on one fleet widens
    the CI; never narrower than for independent requests. A chi-squared test of single requests, as in A/B tests, would reject every real load
    balancer within an hour. Minutes whose request counts are unknown (`unread`) are excluded.
    """
    inside = (grid.ts >= window.start) & (grid.ts + grid.period_s <= window.end)
    for excluded in unread:
        inside &= (grid.ts >= excluded.end) | (grid.ts + grid.period_s <= excluded.start)
    canary = np.nan_to_num(grid.fleets["canary"].requests[inside])
    total = np.nan_to_num(grid.requests[inside])
    served = total > 0
    canary, total, n = canary[served], total[served], int(served.sum())
    requests = int(total.sum())
    if n < MIN_MINUTES or not requests:
        return SampleRatio("not enough data", expected_share, None, None, None, requests, n)
    observed_share = float(canary.sum() / requests)
    clustered_se = np.sqrt(n / (n - 1) * np.square(canary - observed_share * total).sum()) / requests
    independent_se = np.sqrt(
        max(expected_share * (1 - expected_share), observed_share * (1 - observed_share)) / requests
    )
    half_width = Z * float(max(clustered_se, independent_se))
    lower, upper = max(0.0, observed_share - half_width), min(1.0, observed_share + half_width)
    tolerance = MIN_RELATIVE_DEVIATION * min(expected_share, 1 - expected_share)
    differs = not lower <= expected_share <= upper and abs(observed_share - expected_share) > tolerance
    return SampleRatio("differs" if differs else "matches", expected_share, observed_share, lower, upper, requests, n)
