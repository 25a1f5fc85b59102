"""The judge's interval over time: a ribbon that narrows into the margin, or does not."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from charts.base import layout
from charts.base.frame import ChartFrame, axis_time
from charts.base.palette import PALETTES
from messages import parity as words

MAX_POINTS = 1500  # a screen has fewer pixels


def interval_trace_figure(trace: pd.DataFrame, frame: ChartFrame, *, is_latency: bool) -> go.Figure:
    """One criterion of `analysis.trace` (rates as fractions, latency in seconds): the ribbon low … high, the estimate, and the margin as a grey band.

    Rates are drawn in percentage points, latency in ms. The axis is scaled to where the ribbon has come to, not to how wide it began. Of many
    moments every so-manieth is drawn, and the last.
    """
    trace = trace.iloc[:: -max(1, -(-len(trace) // MAX_POINTS))].iloc[::-1]
    palette, scale, unit = PALETTES[frame.theme], 1000.0 if is_latency else 100.0, "ms" if is_latency else "pp"
    x = [axis_time(int(ts), frame) for ts in trace["ts"].dt.as_unit("s").astype("int64")]

    def line(column: str, name: str, **more: Any) -> dict[str, Any]:
        values = (trace[column].to_numpy() * scale).astype("float32")
        shown = {
            "type": "scatter",
            "mode": "lines",
            "x": x,
            "y": values,
            "name": name,
            "showlegend": False,
            "connectgaps": False,
        }
        return shown | {"hovertemplate": f"%{{y:+,.3~g}} {unit}"} | more

    still = {"line": {"width": 0}, "hoverinfo": "skip", "hovertemplate": None}
    edge = {"color": palette.ink, "width": 1, "dash": "dot"}
    data = [
        line("margin_lower", "margin", **still),
        line("margin", "margin", **still, fill="tonexty", fillcolor=palette.band),
        line("lower", words.LOWER, line=edge),
        line("upper", words.UPPER, line=edge, fill="tonexty", fillcolor=palette.unattributed),
        line("estimate", words.ESTIMATE, line={"color": palette.ink, "width": 2}),
    ]
    axis = layout.base_axis(palette)
    reach = _reach(trace) * scale
    return go.Figure(
        data=data,
        layout=layout.base_layout(palette)
        | {
            "height": frame.height_px,
            "margin": {"l": 60, "r": 12, "t": 8, "b": 34},
            "hovermode": "x unified",
            "xaxis": axis
            | {
                "type": "date",
                "showgrid": False,
                "hoverformat": f"%-d %b %H:%M {frame.zone}",
                "tickformat": "%H:%M\n%-d %b",
            },
            "yaxis": axis
            | {"range": [-reach, reach], "zeroline": True, "zerolinecolor": palette.faint, "ticksuffix": f" {unit}"},
        },
    )


def _reach(trace: pd.DataFrame) -> float:
    """Twice the margin, or as far as the interval of the later half reaches."""
    later = trace.iloc[len(trace) // 2 :]
    bounds = np.abs(np.concatenate([later["lower"].to_numpy(), later["upper"].to_numpy()]))
    widest = float(np.nanmax(bounds)) if bounds.size and not np.isnan(bounds).all() else 0.0
    margin = float(np.nanmax(trace["margin"].to_numpy())) if not trace["margin"].isna().all() else 0.0
    return max(2 * margin, 1.1 * widest) or 1.0
