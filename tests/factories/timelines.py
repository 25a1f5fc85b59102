"""Small courses for tests, written as the numbers a reader can check by eye."""

from collections.abc import Sequence

import numpy as np

from analysis.retrospective.timeline import FleetTimeline, Timeline

START = 1_790_000_000 // 86_400 * 86_400  # a midnight in UTC
NAN = float("nan")

Values = Sequence[float]


def make_fleet_timeline(requests: Values, errors: Values = (), p95: Values = (), *, periods: int = 10) -> FleetTimeline:
    """A fleet with so many requests and errors a bucket; every p95 is the median of `periods` that reach ten per cent to each side."""
    served = np.array(requests, dtype=float)
    failed = np.array(errors, dtype=float) if len(errors) else np.where(np.isnan(served), NAN, 0.0)
    told = np.array(p95, dtype=float) if len(p95) else np.full(len(served), NAN)
    merged = np.where(np.isnan(told), 0, periods).astype(np.int64)
    enough = np.nan_to_num(served) >= 200 * periods
    return FleetTimeline(served, failed, told, told * 0.9, told * 1.1, merged, enough, np.full(len(served), NAN))


def make_timeline(
    baseline: FleetTimeline, canary: FleetTimeline, *, bucket_s: int = 600, start: int = START
) -> Timeline:
    ts = start + np.arange(len(baseline.requests), dtype=np.int64) * bucket_s
    return Timeline(ts, bucket_s, {"baseline": baseline, "canary": canary})
