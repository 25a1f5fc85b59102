"""The judge's interval over time: does the CI narrow into the margin?"""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analysis import Quantity
from charts.base.frame import ChartFrame, axis_time
from charts.base.layout import MARGIN_PX, base_axis, base_layout, clock_meta, readable
from charts.base.ticks import value_ticks
from charts.base.traces import DISPLAYS
from messages import charts
from messages import parity as text

MAX_POINTS = 1500  # a screen has fewer pixels


def interval_trace_figure(trace: pd.DataFrame, frame: ChartFrame, *, quantity: Quantity) -> go.Figure:
    """One criterion of `analysis.trace` (rates as fractions, latency in seconds, others in their unit): CI band, estimate, and the margin as a grey band.

    Rates are drawn in percentage points, latency in ms. The y axis fits the later half of the CI, not its wide beginning. Long traces are
    downsampled, keeping the last row.
    """
    trace = trace.iloc[:: -max(1, -(-len(trace) // MAX_POINTS))].iloc[::-1]
    palette, display = frame.palette, DISPLAYS[quantity]
    scale = display.scale
    x = [axis_time(int(ts), frame) for ts in trace["ts"].dt.as_unit("s").astype("int64")]

    def line(column: str, name: str, **more: Any) -> dict[str, Any]:
        y = (trace[column].to_numpy() * scale).astype("float32")
        trace_ = {"type": "scatter", "mode": "lines", "x": x, "y": y, "name": name, "showlegend": False}
        return trace_ | {"connectgaps": False} | more

    hidden = {"line": {"width": 0}}
    edge = {"color": palette.ink, "width": 1, "dash": "dot"}
    data = [
        line("margin_lower", "margin", **hidden),
        line("margin", "margin", **hidden, fill="tonexty", fillcolor=palette.band),
        line("lower", str(text.LOWER), line=edge, meta={"bound": "lower"}),
        line(
            "upper", str(text.UPPER), line=edge, fill="tonexty", fillcolor=palette.unattributed, meta={"bound": "upper"}
        ),
        line("estimate", str(text.ESTIMATE), line={"color": palette.ink, "width": 2})
        | readable(display.difference_unit),
    ]
    reach = _reach(trace) * scale
    day = charts.day_format()
    times = {"type": "date", "tickformat": f"%H:%M\n{day}"}
    zero_line = {"zeroline": True, "zerolinecolor": palette.faint}
    layout = base_layout(
        palette,
        height=frame.height_px,
        margin=MARGIN_PX,
        meta=clock_meta(frame),
        xaxis=base_axis(palette, showgrid=False) | times,
        yaxis=base_axis(palette, range=[-reach, reach])
        | value_ticks(-reach, reach, display.difference_suffix, signed=True)
        | zero_line,
    )
    return go.Figure(data=data, layout=layout | {"hovermode": False})


def _reach(trace: pd.DataFrame) -> float:
    """Twice the margin, or as far as the CI of the later half extends."""
    later = trace.iloc[len(trace) // 2 :]
    bounds = np.abs(later[["lower", "upper"]].to_numpy())
    widest = float(np.nanmax(bounds)) if bounds.size and not np.isnan(bounds).all() else 0.0
    margin = float(np.nanmax(trace["margin"].to_numpy())) if not trace["margin"].isna().all() else 0.0
    return max(2 * margin, 1.1 * widest) or 1.0
