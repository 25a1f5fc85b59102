"""One route's two charts: how its answers are distributed in time, and how it went."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from analysis.endpoints.route import LatencyDistribution, RouteTimeline, downsample
from charts.base import layout
from charts.base.frame import ChartFrame, axis_time, plotly_text
from charts.base.palette import DASHES, PALETTES, Palette, Theme
from charts.latency_cdf import cdf_layout
from domain import FLEETS, FleetName
from messages import parity as words

TIMELINE_HEIGHT_PX = 360
REQUESTS, ERRORS, LATENCY = (0.74, 1.0), (0.37, 0.64), (0.0, 0.27)


def route_cdf_figure(
    distributions: Mapping[FleetName, LatencyDistribution], labels: Mapping[FleetName, str], theme: Theme
) -> go.Figure:
    """One line a fleet: which share of its answers took at most so long; the time in ms on a logarithmic axis. Exact: every answer counts."""
    palette = PALETTES[theme]
    data: list[dict[str, Any]] = []
    for fleet in FLEETS:
        if not len(distributions[fleet].ms):
            continue
        ms, share = downsample(distributions[fleet])
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": plotly_text(labels[fleet]),
                "x": [max(one, 0.5) for one in ms],  # less than a millisecond has no place on a logarithmic axis
                "y": [one * 100 for one in share],
                "line": {"color": palette.fleets[fleet], "width": 2, "dash": DASHES[fleet], "shape": "hv"},
                "hovertemplate": words.distribution_hover("%{y:.4~g}", "%{x:,.4~g}"),
            }
        )
    decades = {"dtick": 1, "minor": {"dtick": "D2", "showgrid": True, "gridcolor": palette.grid}}
    return go.Figure(data=data, layout=cdf_layout(palette, decades))


def route_timeline_figure(
    timelines: Mapping[FleetName, RouteTimeline], frame: ChartFrame, panels: tuple[str, str, str]
) -> go.Figure:
    """Requests a minute, error rate and p95 of both fleets, one above the other. `panels` name them."""
    palette = PALETTES[frame.theme]
    data: list[dict[str, Any]] = []
    for fleet in FLEETS:
        told = timelines[fleet]
        x = [axis_time(int(one), frame) for one in told.ts]
        for axis, y, unit in (
            ("y", told.requests, "%{y:,.4~g} /min"),
            ("y2", told.error_rate * 100, "%{y:.3~g} %"),
            ("y3", told.p95 * 1000, "%{y:,.4~g} ms"),
        ):
            data.append(_line(x, y, fleet, axis, unit, frame, palette))
    panel: dict[str, Any] = layout.base_axis(palette) | {"rangemode": "tozero", "nticks": 4}
    names: list[dict[str, Any]] = [
        {
            "text": plotly_text(name), "x": 0, "xref": "paper", "xanchor": "left", "y": domain[1], "yref": "paper", "yanchor": "bottom",
            "showarrow": False, "font": {"size": 12, "color": palette.faint},
        }
        for name, domain in zip(panels, (REQUESTS, ERRORS, LATENCY), strict=True)
    ]  # fmt: skip
    return go.Figure(
        data=data,
        layout=layout.base_layout(palette)
        | {
            "height": TIMELINE_HEIGHT_PX,
            "margin": {"l": 60, "r": 12, "t": 26, "b": 34},
            "hovermode": "x",
            "showlegend": True,
            "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.01, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
            "annotations": names,
            "xaxis": layout.base_axis(palette) | {
                "type": "date", "anchor": "y3", "range": [axis_time(frame.window.start, frame), axis_time(frame.window.end, frame)],
                "title": {"text": plotly_text(frame.zone), "font": {"color": palette.faint, "size": 11}, "standoff": 2},
            },
            "yaxis": panel | {"domain": REQUESTS},
            "yaxis2": panel | {"domain": ERRORS, "ticksuffix": " %"},
            "yaxis3": panel | {"domain": LATENCY, "ticksuffix": " ms"},
        },
    )  # fmt: skip


def _line(
    x: list[str],
    y: npt.NDArray[np.float64],
    fleet: FleetName,
    axis: str,
    unit: str,
    frame: ChartFrame,
    palette: Palette,
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plotly_text(frame.labels[fleet]),
        "legendgroup": fleet,
        "showlegend": axis == "y",
        "x": x,
        "y": y.astype("float32"),
        "yaxis": axis,
        "line": {"color": palette.fleets[fleet], "width": 1.6, "dash": DASHES[fleet]},
        "connectgaps": False,
        "hovertemplate": f"{unit}<extra>{plotly_text(frame.labels[fleet])}</extra>",
    }
