"""Does the traffic that was seen match the weights that were told? The first thing to know before comparing anything."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.series.grid import Minutes
from domain import Window

SampleRatioVerdict = Literal["matches", "differs", "not enough data"]

FEWEST_MINUTES = 5
SIGMAS = 4.0  # looked at every minute all day: 4 σ of an approximately normal mean is crossed by chance about once in a month of looking
SMALLEST_SHARE_OF_SHARE = (
    0.01  # a deviation below 1 % of the smaller side's share is of no consequence, however surely it is there
)


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """`told` and `seen` are the canary's share (0–1); `low` … `high` is where the true share surely lies; `requests` and `minutes` is what was counted."""

    verdict: SampleRatioVerdict
    told: float
    seen: float | None
    low: float | None
    high: float | None
    requests: int
    minutes: int


def sample_ratio(minutes: Minutes, told: float, window: Window, *, unread: Iterable[Window] = ()) -> SampleRatio:
    """The canary's share of the requests in `window` (settled, and since the last weight change) against the share it was told.

    The ratio estimator of survey sampling with minutes as clusters (Cochran, Sampling Techniques, §6.8), so that a burst that lands on one side
    widens the interval; never narrower than independent requests would make it. A chi-squared test of single requests, as experiments use it,
    would call every real load balancer wrong within an hour. Minutes in which the requests of either fleet were not answered (`unread`) are no minutes
    without requests: they are left out.
    """
    inside = (minutes.ts >= window.start) & (minutes.ts + minutes.period_s <= window.end)
    for gap in unread:
        inside &= (minutes.ts >= gap.end) | (minutes.ts + minutes.period_s <= gap.start)
    canary = np.nan_to_num(minutes.fleets["canary"].requests[inside])
    total = np.nan_to_num(minutes.requests[inside])
    served = total > 0
    canary, total, count = canary[served], total[served], int(served.sum())
    requests = int(total.sum())
    if count < FEWEST_MINUTES or not requests:
        return SampleRatio("not enough data", told, None, None, None, requests, count)
    seen = float(canary.sum() / requests)
    clusters = np.sqrt(count / (count - 1) * np.square(canary - seen * total).sum()) / requests
    independent = np.sqrt(max(told * (1 - told), seen * (1 - seen)) / requests)
    half = SIGMAS * float(max(clusters, independent))
    low, high = max(0.0, seen - half), min(1.0, seen + half)
    consequence = SMALLEST_SHARE_OF_SHARE * min(told, 1 - told)
    differs = not low <= told <= high and abs(seen - told) > consequence
    return SampleRatio("differs" if differs else "matches", told, seen, low, high, requests, count)
