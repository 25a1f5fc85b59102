"""The chart of one route: requests, error rate and p95 over time."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from analysis.endpoints.route import RouteTimeline
from charts.base.frame import ChartFrame, axis_time, plotly_text
from charts.base.layout import LEGEND, TRANSPARENT, base_axis, base_layout, date_ticks, panel_label
from charts.base.palette import fleet_line
from domain import FLEETS, FleetName

TIMELINE_HEIGHT_PX = 360
ERRORS, LATENCY, REQUESTS = (0.74, 1.0), (0.37, 0.64), (0.0, 0.27)  # from the top: what is wrong first


def route_timeline_figure(
    timelines: Mapping[FleetName, RouteTimeline], frame: ChartFrame, panels: tuple[str, str, str]
) -> go.Figure:
    """Error rate, p95 and requests per minute of both fleets in three panels. `panels`: the titles of requests, error rate and p95."""
    palette = frame.palette
    data: list[dict[str, Any]] = []
    for fleet in FLEETS:
        series, name = timelines[fleet], plotly_text(frame.labels[fleet])
        x = [axis_time(int(ts), frame) for ts in series.ts]
        line = fleet_line(palette, fleet, len(x))
        for axis, y, hover in (
            ("y", series.requests, "%{y:,.4~g}/min"),
            ("y2", series.error_rate * 100, "%{y:.3~g}%"),
            ("y3", series.p95 * 1000, "%{y:,.4~g} ms"),
        ):
            data.append(
                {"type": "scatter", "mode": "lines", "name": name, "legendgroup": fleet, "showlegend": axis == "y"}
                | {"x": x, "y": y.astype("float32"), "yaxis": axis, "line": line, "connectgaps": False}
                | {"hovertemplate": f"{hover}<extra>{name}</extra>"}
            )
    panel = base_axis(palette, rangemode="tozero", nticks=4)
    zone = {"text": plotly_text(frame.zone), "font": {"color": palette.faint, "size": 11}, "standoff": 2}
    window = [axis_time(frame.window.start, frame), axis_time(frame.window.end, frame)]
    titles = zip(panels, (REQUESTS, ERRORS, LATENCY), strict=True)
    layout = base_layout(
        palette,
        height=TIMELINE_HEIGHT_PX,
        margin={"l": 60, "r": 12, "t": 26, "b": 34},
        showlegend=True,
        legend=LEGEND | {"x": 1, "xanchor": "right", "y": 1.01, "bgcolor": TRANSPARENT},
        annotations=[panel_label(plotly_text(name), domain, 12, palette) for name, domain in titles],
        xaxis=base_axis(palette, type="date", anchor="y", range=window, title=zone, **date_ticks()),
        yaxis=panel | {"domain": REQUESTS},
        yaxis2=panel | {"domain": ERRORS, "ticksuffix": "%"},
        yaxis3=panel | {"domain": LATENCY, "ticksuffix": " ms"},
    )
    return go.Figure(data=data, layout=layout | {"hovermode": "x"})
