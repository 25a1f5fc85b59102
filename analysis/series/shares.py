"""The canary's configured share over time, from the steps of the weights."""

from collections.abc import Sequence

import numpy as np

from analysis.series.grid import FloatArray, IntArray

ShareStep = tuple[int, float | None]  # from when (epoch seconds) a configured canary share holds; None: unknown


def mean_share(steps: Sequence[ShareStep], ts: IntArray, lengths_s: IntArray) -> FloatArray:
    """The configured share in each period, as a mean over its time: what the observed share is to be compared with. NaN if a part is unknown."""
    starts = np.array([start for start, _ in steps], dtype=float)
    shares = np.array([np.nan if share is None else share for _, share in steps], dtype=float)
    means = np.full(len(ts), np.nan)
    for index, (start, length_s) in enumerate(zip(ts.tolist(), lengths_s.tolist(), strict=True)):
        first = int(np.searchsorted(starts, start, side="right")) - 1
        if first >= 0:
            edges = starts[(starts > start) & (starts < start + length_s)]
            parts_s = np.diff(np.concatenate(([start], edges, [start + length_s])))
            means[index] = np.average(shares[first : first + len(parts_s)], weights=parts_s)
    return means
