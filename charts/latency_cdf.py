"""Latency CDF of both fleets: the share of answers at or below each latency."""

from collections.abc import Sequence

import plotly.graph_objects as go

from charts.base.frame import HEIGHT_PX, plotly_text
from charts.base.layout import MARGIN_PX, TRANSPARENT, base_axis, base_layout
from charts.base.palette import PALETTES, Theme, fleet_line
from domain.latency import LatencySummary
from messages import parity as text


def latency_cdf_figure(groups: Sequence[tuple[str, LatencySummary]], theme: Theme) -> go.Figure:
    """One named curve per target group with points. Latency in ms on a logarithmic axis, shares in %.

    The markers are measurements: shares within thresholds, and percentiles. The lines between them only guide the eye.
    """
    palette = PALETTES[theme]
    data = []
    for name, group in groups:
        if not (points := group.points()):
            continue
        colour = palette.fleets[group.fleet]
        symbol = "circle" if group.fleet == "baseline" else "diamond"
        data.append(
            {"type": "scatter", "mode": "lines+markers", "name": plotly_text(name)}
            | {"x": [seconds * 1000 for seconds, _ in points], "y": [share * 100 for _, share in points]}
            | {"line": fleet_line(palette, group.fleet, len(points))}
            | {"marker": {"color": colour, "size": 5, "symbol": symbol}}
            | {"hovertemplate": text.distribution_hover("%{y:.4~g}", "%{x:,.4~g}")}
        )
    layout = base_layout(
        palette,
        height=HEIGHT_PX,
        margin=MARGIN_PX,
        showlegend=True,
        legend={"x": 1, "xanchor": "right", "y": 0.04, "yanchor": "bottom", "bgcolor": TRANSPARENT},
        xaxis=base_axis(palette, type="log", tickformat=",~g", ticksuffix=" ms", dtick="D2"),
        yaxis=base_axis(palette, range=[0, 102], dtick=25, ticksuffix="%"),
    )
    return go.Figure(data=data, layout=layout)
