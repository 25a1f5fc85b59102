"""Sample-ratio check: does the observed traffic share match the configured weights?"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analysis.parity.confidence_sequences import mean_bounds, running_differences
from analysis.series.grid import FloatArray, TimeGrid
from domain import Window
from domain.window import HOUR_S

SampleRatioVerdict = Literal["matches", "differs", "not enough data"]

LOOK_BACK_S = 2 * HOUR_S  # no request before it counts
ALPHA = 0.001  # per side, for all looks at the time since one full hour
# Deviations of the share within this part of the smaller fleet's share do not matter, even if significant. Sessions that stay on a fleet make
# its share wander for hours, and one hour cannot show by how much.
TOLERANCE, STICKY_TOLERANCE = 0.01, 0.32


@dataclass(frozen=True, slots=True)
class ExpectedShare:
    """The canary's configured share (0–1), of requests from `since` (epoch seconds) on.

    `sticky`: sessions stay on the fleet that they began on. `earlier`: the shares that were configured when sessions of now may have begun.
    """

    share: float
    since: int = 0
    sticky: bool = False
    earlier: tuple[float, ...] = ()

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest share that is no mismatch."""
        relative, shares = STICKY_TOLERANCE if self.sticky else TOLERANCE, (self.share, *self.earlier)
        tolerances = [relative * min(share, 1 - share) for share in shares]
        return (
            min(share - tolerance for share, tolerance in zip(shares, tolerances, strict=True)),
            max(share + tolerance for share, tolerance in zip(shares, tolerances, strict=True)),
        )


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """The canary's share of requests (0–1) with its CI `lower` … `upper`, from `requests` requests in `minutes` minutes.

    `observed_share`: None without requests. Bounds are None if there are too few minutes, or if they resemble each other too much.
    """

    verdict: SampleRatioVerdict
    expected_share: float
    observed_share: float | None
    lower: float | None
    upper: float | None
    requests: int
    minutes: int


def sample_ratio(
    grid: TimeGrid, expected: ExpectedShare, window: Window, *, unread: Iterable[Window] = ()
) -> SampleRatio:
    """The canary's share of the requests in `window` (final) against its configured share.

    A confidence sequence over the minutes since the full hour before the last one, or since `expected.since`: valid at every look, and hours
    before do not hide a mismatch of now. docs/MATH.md, "Sample ratio". A share between the earlier ones and the expected one is no mismatch.
    Minutes whose request counts are unknown (`unread`) are excluded.
    """
    start = max(window.start, expected.since, first_counted(window.end))
    inside = (grid.ts >= start) & (grid.ts + grid.period_s <= window.end)
    for excluded in unread:
        inside &= (grid.ts >= excluded.end) | (grid.ts + grid.period_s <= excluded.start)
    canary = np.nan_to_num(grid.fleets["canary"].requests[inside])
    total = np.nan_to_num(grid.requests[inside])
    canary, total = canary[total > 0], total[total > 0]
    requests, n = int(total.sum()), len(total)
    if not requests:
        return SampleRatio("not enough data", expected.share, None, None, None, 0, 0)
    share = float(canary.sum() / requests)
    half_width = float(share_half_width(canary, total, expected.share))
    if not np.isfinite(half_width):
        return SampleRatio("not enough data", expected.share, share, None, None, requests, n)
    lower, upper = max(0.0, share - half_width), min(1.0, share + half_width)
    differs = upper < expected.bounds[0] or lower > expected.bounds[1]
    return SampleRatio("differs" if differs else "matches", expected.share, share, lower, upper, requests, n)


def first_counted(end: int) -> int:
    """The full hour before the last one before `end` (epoch seconds), so that many looks have the same beginning."""
    return (end - 1) // HOUR_S * HOUR_S + HOUR_S - LOOK_BACK_S


def share_half_width(canary: FloatArray, total: FloatArray, expected_share: float) -> FloatArray:
    """Half the width of the CI of Σ canary / Σ total, over the last axis (minutes); ∞ if there is none.

    Each bound is wrong at any time with probability ≤ ALPHA. The ratio estimator of survey sampling with minutes as clusters (Cochran, Sampling
    Techniques, §6.8), as a confidence sequence: bursts on one fleet and autocorrelation widen it; it is never narrower than for independent
    requests of the expected or the observed share.
    """
    mean_total = total.mean(axis=-1, keepdims=True)
    share = canary.mean(axis=-1, keepdims=True) / mean_total
    residuals = running_differences(canary - share * total)
    independent = np.maximum(expected_share * (1 - expected_share), share * (1 - share)) * mean_total
    _, upper = mean_bounds(replace(residuals, variance=np.maximum(residuals.variance, independent)), ALPHA)
    half_width: FloatArray = (upper - residuals.mean)[..., -1] / mean_total[..., 0]
    return half_width
