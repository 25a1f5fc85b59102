"""Latency over time: the answers of both fleets, counted in blocks of time and buckets of latency."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.endpoints.endpoints import AnyArray, dictionary_encode
from analysis.series.grid import FloatArray
from analysis.series.quantiles import block_percentiles
from domain import FLEETS, FleetName, Window
from domain.log_counts import add_up
from domain.window import MINUTE_S

BLOCKS_S = (60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600, 86_400)
MAX_BLOCKS = 120
MAX_BUCKETS = 24
BUCKETS_PER_DECADE = (20, 10, 5, 3)
HEATMAP_KEYS = ("target_group", "minute", "latency_ms")
MIN_ANSWERS = 20  # in a block: of fewer, a single answer would be as dark as a habit


@dataclass(frozen=True, slots=True, eq=False)
class FleetHeatmap:
    """One fleet: `answers` in each block, `counts` of them by block (rows) and bucket (columns); `p50` and `p95` in seconds, NaN of fewer than
    MIN_ANSWERS."""

    answers: AnyArray
    counts: AnyArray
    p50: FloatArray
    p95: FloatArray

    @property
    def shares(self) -> FloatArray:
        """The share (0–1) of each bucket in the answers of its block, as if each block had at least MIN_ANSWERS."""
        shares: FloatArray = self.counts / np.maximum(self.answers, MIN_ANSWERS)[:, np.newaxis]
        return shares


@dataclass(frozen=True, slots=True, eq=False)
class LatencyHeatmap:
    """Blocks of `block_s` from `ts` (epoch seconds), and buckets from each of `edges_ms` to below the next: the same for both fleets."""

    block_s: int
    ts: AnyArray
    edges_ms: AnyArray
    fleets: Mapping[FleetName, FleetHeatmap]


def latency_heatmap(
    fleet: AnyArray, minute: AnyArray, ms: AnyArray, n: AnyArray, window: Window
) -> LatencyHeatmap | None:
    """The heatmap of answers in `window`, one row for `n` equal ones: `fleet` by name, `minute` in epoch seconds. None without answers."""
    if not len(ms):
        return None
    ms = np.maximum(ms, 1)  # a logarithmic axis has no 0
    edges = bucket_edges_ms(int(ms.min()), int(ms.max()))
    block_s = next((block for block in BLOCKS_S if (window.end - window.start) / block < MAX_BLOCKS), BLOCKS_S[-1])
    first = window.start // block_s * block_s  # aligned to the clock: blocks stay the same while the window moves
    ts = np.arange(first, window.end, block_s)
    block, bucket = (minute - first) // block_s, np.searchsorted(edges, ms, side="right") - 1
    shape = (len(ts), len(edges) - 1)
    fleets = dict[FleetName, FleetHeatmap]()
    for name in FLEETS:
        rows = fleet == name
        cell = block[rows] * shape[1] + bucket[rows]
        counts = np.bincount(cell, weights=n[rows], minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64)
        p50, p95 = (
            block_percentiles(block[rows], ms[rows], n[rows], quantile, len(ts), min_values=MIN_ANSWERS)
            for quantile in (0.5, 0.95)
        )
        fleets[name] = FleetHeatmap(counts.sum(axis=1), counts, p50, p95)
    return LatencyHeatmap(block_s, ts, edges, fleets)


def all_routes_heatmap(
    counts: pa.Table, fleet_by_group: Mapping[str, FleetName], window: Window
) -> LatencyHeatmap | None:
    """The heatmap of all answers in `window`, whatever their route. `counts`: by HEATMAP_KEYS at least (domain.log_counts.COUNTS). Blocks end with the
    newest minute of any row."""
    end = min(window.end, (pc.max(counts["minute"]).as_py() or 0) + MINUTE_S)
    if end <= window.start:
        return None
    sums = add_up(counts.filter(pc.greater_equal(counts["latency_ms"], 0)), HEATMAP_KEYS)
    groups, group_names = dictionary_encode(sums["target_group"])
    fleet = np.array([fleet_by_group.get(name, "") for name in group_names], dtype="U8")[groups]
    minute, ms, n = (sums[name].to_numpy().astype(np.int64) for name in ("minute", "latency_ms", "n"))
    counted = (fleet != "") & (minute >= window.start) & (minute < end)
    return latency_heatmap(fleet[counted], minute[counted], ms[counted], n[counted], Window(window.start, end))


def bucket_edges_ms(lowest: int, highest: int) -> AnyArray:
    """The edges of at most MAX_BUCKETS buckets of equal ratio from `lowest` ≥ 1 to `highest`, as fine as possible.

    Latencies are whole milliseconds: buckets without any would be stripes, so those are left out.
    """
    for per_decade in BUCKETS_PER_DECADE:
        first = int(np.floor(np.log10(lowest) * per_decade))
        last = int(np.floor(np.log10(highest) * per_decade)) + 1
        if last - first <= MAX_BUCKETS:
            break
    return np.unique(np.ceil(10.0 ** (np.arange(first, last + 1) / per_decade) - 1e-9).astype(np.int64))
