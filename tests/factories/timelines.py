"""Small timelines with literal numbers."""

from collections.abc import Sequence

import numpy as np

from analysis.retrospective.timeline import FleetTimeline, Timeline

START = 1_790_000_000 // 86_400 * 86_400  # a midnight in UTC
NAN = float("nan")

Values = Sequence[float]


def make_fleet_timeline(requests: Values, errors: Values = (), p95: Values = (), *, periods: int = 10) -> FleetTimeline:
    """`requests` and `errors` per bucket; every p95 is the median of `periods` periods within ±10 %."""
    request_array = np.array(requests, dtype=float)
    error_array = np.array(errors, dtype=float) if len(errors) else np.where(np.isnan(request_array), NAN, 0.0)
    missing = np.full(len(request_array), NAN)
    p95_array = np.array(p95, dtype=float) if len(p95) else missing
    n_periods = np.where(np.isnan(p95_array), 0, periods).astype(np.int64)
    enough = np.nan_to_num(request_array) >= 200 * periods
    return FleetTimeline(
        request_array, error_array, p95_array, p95_array * 0.9, p95_array * 1.1, n_periods, enough, missing
    )


def make_timeline(
    baseline: FleetTimeline, canary: FleetTimeline, *, bucket_s: int = 600, start: int = START
) -> Timeline:
    ts = start + np.arange(len(baseline.requests), dtype=np.int64) * bucket_s
    return Timeline(ts, bucket_s, {"baseline": baseline, "canary": canary})
