"""The latency distribution of both fleets: which share of the answers took at most so long."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from charts.base import layout
from charts.base.frame import HEIGHT_PX, plotly_text
from charts.base.palette import DASHES, PALETTES, Palette, Theme
from domain.latency import LatencySummary
from messages import parity as words


def latency_cdf_figure(groups: Sequence[tuple[str, LatencySummary]], theme: Theme) -> go.Figure:
    """One curve a target group, named as given; those without points are left out. Latency in ms on a logarithmic axis, shares in %.

    The marks are what was measured: shares within thresholds, and percentiles. The lines between them only lead the eye.
    """
    palette = PALETTES[theme]
    data = []
    for name, group in groups:
        if not (points := group.points()):
            continue
        colour = palette.fleets[group.fleet]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": plotly_text(name),
                "x": [seconds * 1000 for seconds, _ in points],
                "y": [share * 100 for _, share in points],
                "line": {"color": colour, "width": 2, "dash": DASHES[group.fleet]},
                "marker": {"color": colour, "size": 5, "symbol": "circle" if group.fleet == "baseline" else "diamond"},
                "hovertemplate": words.distribution_hover("%{y:.4~g}", "%{x:,.4~g}"),
            }
        )
    return go.Figure(data=data, layout=cdf_layout(palette, {"dtick": "D2"}))


def cdf_layout(palette: Palette, ticks: dict[str, Any]) -> dict[str, Any]:
    """The layout of shares (%) over a time (ms, logarithmic); `ticks`: how the time is ruled, as plotly says it."""
    axis = layout.base_axis(palette)
    return layout.base_layout(palette) | {
        "height": HEIGHT_PX,
        "margin": {"l": 60, "r": 12, "t": 8, "b": 34},
        "showlegend": True,
        "legend": {"x": 1, "xanchor": "right", "y": 0.04, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
        "xaxis": axis | {"type": "log", "tickformat": ",~g", "ticksuffix": " ms"} | ticks,
        "yaxis": axis | {"range": [0, 102], "dtick": 25, "ticksuffix": " %"},
    }
