"""What a chart needs of the judge's trace: the running estimate of one criterion in a window, with its CI and margin."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.series.grid import FloatArray, IntArray
from domain import Window, epoch_s
from domain.window import MINUTE_S

MAX_POINTS = 90  # it changes slowly, and a refresh sends five numbers a point


@dataclass(frozen=True, slots=True, eq=False)
class RunningEstimate:
    """The estimate of canary − baseline over a phase so far, its 95% CI and the margin, after the periods that start at `ts` (epoch seconds).

    Rates are fractions, latency is in seconds. NaN until there is an interval. The last value is the judgement's.
    """

    ts: IntArray
    step_s: int
    estimate: FloatArray
    lower: FloatArray
    upper: FloatArray
    margin_lower: FloatArray
    margin: FloatArray

    @property
    def known(self) -> bool:
        return bool(np.isfinite(self.lower).any())


def running_estimate(trace: pd.DataFrame, metric: str, window: Window) -> RunningEstimate | None:
    """`metric` of a trace (analysis.TRACE_COLUMNS) in `window`, thinned out to MAX_POINTS with the newest kept; None if it is not judged there."""
    rows = trace[trace["metric"] == metric]
    ts = epoch_s(rows)
    inside = np.flatnonzero((ts >= window.start) & (ts < window.end))
    if not len(inside):
        return None
    step = -(-len(inside) // MAX_POINTS)
    shown = inside[::-step][::-1]
    period_s = int(ts[1] - ts[0]) if len(ts) > 1 else MINUTE_S
    columns = (rows[name].to_numpy()[shown] for name in ("estimate", "lower", "upper", "margin_lower", "margin"))
    return RunningEstimate(ts[shown], step * period_s, *columns)
