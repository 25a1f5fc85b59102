"""Latency heatmap: the share of each latency in the responses of each block of time, one panel a fleet on one scale."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import numpy as np

from analysis.endpoints.heatmap import LatencyHeatmap
from analysis.series.grid import FloatArray
from charts.base.figure import Figure
from charts.base.frame import ChartFrame, axis_time, plotly_text
from charts.base.layout import MARGIN_PX, base_axis, base_layout, clock_meta, label, panel_label, readable, time_axis
from domain import FLEETS, FleetName

HEIGHT_PX = 420
PANELS: dict[FleetName, tuple[float, float]] = {"baseline": (0.54, 0.96), "canary": (0.0, 0.42)}
AXES: dict[FleetName, str] = {"baseline": "y", "canary": "y2"}
# A share has the colour of the highest level that it exceeds or reaches: logarithmic, so that a second mode of 1 % is seen.
LEVELS = (0.0, 0.001, 0.01, 0.03, 0.1, 0.3)
MAX_FINE_DECADES = 2  # with ticks at 2 and 5, too
UNITS_PER_DECADE = 1000  # of the pictures' height


def latency_heatmap_figure(heatmap: LatencyHeatmap, frame: ChartFrame) -> Figure:
    """Each fleet's cells as a picture on a logarithmic axis in ms, below lines of p50 and p95."""
    palette, edges = frame.palette, np.log10(heatmap.edges_ms)
    x = [axis_time(int(ts), frame) for ts in heatmap.ts]
    data, images, annotations = list[dict[str, Any]](), list[dict[str, Any]](), list[dict[str, Any]]()
    for fleet in FLEETS:
        values, name = heatmap.fleets[fleet], plotly_text(frame.labels[fleet])
        for series, quantile, dash in ((values.p50, "p50", "solid"), (values.p95, "p95", "dot")):
            line = {"type": "scatter", "mode": "lines", "name": quantile, "yaxis": AXES[fleet], "connectgaps": False}
            line |= {"x": x, "y": (series * 1000).astype("float32")}
            ink = {"color": palette.ink, "width": 1.3, "dash": dash, "shape": "hv"}
            data += [
                # The cells below may be as dark as the line.
                line | {"line": {"color": palette.paper, "width": 4, "shape": "hv"}, "showlegend": False},
                line | {"line": ink} | readable("milliseconds", panel=name),
            ]
        images.append(
            {"source": heatmap_svg(values.shares, edges, palette.heat[fleet]), "xref": "x", "yref": AXES[fleet]}
            | {"x": x[0], "sizex": len(x) * heatmap.block_s * 1000, "y": edges[-1], "sizey": edges[-1] - edges[0]}
            | {"sizing": "stretch", "layer": "below"}
        )
        annotations += [
            panel_label(name, PANELS[fleet], 12, palette),
            _legend(palette.heat[fleet], PANELS[fleet], palette.faint),
        ]
    ticks = 1 if edges[-1] - edges[0] > MAX_FINE_DECADES else "D2"
    axis = base_axis(palette, type="log", range=[edges[0], edges[-1]], tickformat=",~g", ticksuffix=" ms", dtick=ticks)
    layout = base_layout(
        palette,
        height=HEIGHT_PX,
        margin=MARGIN_PX,
        showlegend=False,
        meta=clock_meta(frame),
        images=images,
        annotations=annotations,
        xaxis=time_axis(frame, anchor="y2") | {"fixedrange": True},
        yaxis=axis | {"domain": PANELS["baseline"]},
        yaxis2=axis | {"domain": PANELS["canary"]},
    )
    return Figure(data, layout | {"hovermode": False})


def heatmap_svg(shares: FloatArray, edges: FloatArray, colours: Sequence[str]) -> str:
    """A data: URL of an SVG, because the plotly.js of the pages has no heatmaps: one path a colour, cells that touch in time as one rectangle.

    `shares`: blocks × buckets; `edges`: of the buckets, as decimal logarithms.
    """
    heights = np.rint((edges[-1] - edges) * UNITS_PER_DECADE).astype(int).tolist()  # downwards
    levels = np.where(shares > 0, np.searchsorted(LEVELS, shares + 1e-12, side="right") - 1, -1)
    paths = [""] * len(colours)
    for bucket in range(shares.shape[1]):
        top, bottom = heights[bucket + 1], heights[bucket]
        column = levels[:, bucket]
        starts = np.flatnonzero(np.diff(column, prepend=-2))
        for start, end in zip(starts, [*starts[1:], len(column)], strict=True):
            if column[start] >= 0:
                paths[column[start]] += f"M{start} {top}H{end}V{bottom}H{start}z"
    content = "".join(
        f'<path fill="{colour}" d="{path}"/>' for colour, path in zip(colours, paths, strict=True) if path
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {len(shares)} {heights[0]}" preserveAspectRatio="none" '
        f'shape-rendering="crispEdges">{content}</svg>'
    )
    return "data:image/svg+xml," + quote(svg, safe=" /:=")


def _legend(colours: Sequence[str], panel: tuple[float, float], text_colour: str) -> dict[str, Any]:
    """The colours with the lowest share of each, above the panel's right end."""
    shares = [">0", *(f"{level * 100:g}" for level in LEVELS[1:])]
    steps = (f'<span style="color:{colour}">■</span> {share}' for colour, share in zip(colours, shares, strict=True))
    position = {"x": 1, "xref": "paper", "xanchor": "right", "y": panel[1], "yref": "paper", "yanchor": "bottom"}
    return label(f"{'  '.join(steps)}%", 11, text_colour, position, name="legend")
