"""Line traces on a time grid, and how a quantity is displayed."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis import Quantity
from analysis.series.grid import FloatArray, IntArray
from charts.base.frame import ChartFrame, axis_time
from charts.base.layout import Unit


@dataclass(frozen=True, slots=True)
class Display:
    """Display of a quantity: the factor from the data's unit to the chart's, and the units of values, differences and both axes."""

    scale: float
    unit: Unit
    difference_unit: Unit
    suffix: str
    difference_suffix: str


DISPLAYS: dict[Quantity, Display] = {
    "rate": Display(100.0, "percent", "points", "%", " pp"),
    "latency": Display(1000.0, "milliseconds", "signed_milliseconds", " ms", " ms"),
    "value": Display(1.0, "plain_value", "signed_value", "", ""),
    "count": Display(1.0, "per_minute", "per_minute", "/min", "/min"),
}


def line_trace(x: dict[str, Any], y: FloatArray, name: str) -> dict[str, Any]:
    """A line with gaps. `x`: see `x_values`; `y`: in the chart's unit."""
    return x | {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "connectgaps": False,
        "y": y.astype("float32"),
    }


def x_values(ts: IntArray, lengths_s: IntArray, frame: ChartFrame) -> dict[str, Any]:
    """The periods' starts; as start and step if all have one length, which is less to send."""
    if not len(ts):
        return {"x0": 0, "dx": 60_000}
    if np.diff(lengths_s).any():
        return {"x": [axis_time(int(start), frame) for start in ts]}
    return {"x0": axis_time(int(ts[0]), frame), "dx": int(lengths_s[0]) * 1000}
