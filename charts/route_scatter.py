"""Scatter chart of routes: difference of the canary in one metric against traffic, so that outliers stand out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from analysis.parity.verdicts import VERDICTS, Verdict
from charts.base.frame import HEIGHT_PX, plotly_text
from charts.base.layout import BAND, LEGEND, TRANSPARENT, base_axis, base_layout
from charts.base.palette import PALETTES, Theme
from messages import endpoints, verdicts

# A verdict is shown by symbol and name; fleet colours are for fleets, and verdict colours for text.
SYMBOLS: dict[Verdict | None, str] = {
    "parity": "circle",
    "regression": "triangle-up",
    "improvement": "triangle-down",
    "undecided": "circle-open-dot",
    "not enough data": "circle-open",
    None: "x-thin-open",
}
HIGHLIGHTED: tuple[Verdict, ...] = ("regression", "improvement")
MAX_LABELS = 5
MAX_LABEL_CHARS = 36


@dataclass(frozen=True, slots=True)
class RoutePoint:
    """A route: `traffic` in requests per minute, `difference` canary − baseline in the axis's unit, and the text of its hover box.

    `verdict`: of the axis's metric; None if no criterion judges it.
    """

    route: str
    traffic: float
    difference: float
    verdict: Verdict | None
    hover: str


def route_scatter_figure(
    points: Sequence[RoutePoint],
    theme: Theme,
    *,
    difference_title: str,
    traffic_title: str,
    suffix: str,
    margin: float | None = None,
) -> go.Figure:
    """One point per route, the worst first as in the table; `margin`, in the axis's unit, is drawn as a band."""
    palette = PALETTES[theme]
    labelled = {point.route for point in [point for point in points if point.verdict in HIGHLIGHTED][:MAX_LABELS]}
    data: list[dict[str, Any]] = []
    for verdict in (None, *reversed(VERDICTS)):
        group = [point for point in points if point.verdict == verdict]
        if not group:
            continue
        highlighted = verdict in HIGHLIGHTED
        colour = palette.ink if highlighted else palette.faint
        names = [_label(point.route) if point.route in labelled else "" for point in group] if highlighted else None
        size, opacity = (13, 1.0) if highlighted else (9, 0.75)
        marker = {"symbol": SYMBOLS[verdict], "size": size, "color": colour, "opacity": opacity}
        outline = {"line": {"width": 1.4, "color": colour}}
        data.append(
            {
                "type": "scatter",
                "mode": "markers+text" if highlighted else "markers",
                "name": verdicts.label(verdict) if verdict else str(endpoints.NOT_JUDGED),
            }
            | {"x": [point.traffic for point in group], "y": [point.difference for point in group]}
            | {
                "text": names,
                "textposition": "middle left",
                "textfont": {"color": palette.ink},
                "marker": marker | outline,
            }
            | {"customdata": [f"{plotly_text(point.route)}<br>{plotly_text(point.hover)}" for point in group]}
            | {"hovertemplate": "%{customdata}<extra></extra>"}
        )
    title = {"font": {"color": palette.faint, "size": 12}}
    x_axis = base_axis(
        palette, type="log", dtick=1, tickformat=",~g", title=title | {"text": plotly_text(traffic_title)}
    )
    y_axis = base_axis(palette, tickformat="+,~g", ticksuffix=f" {suffix}")
    y_axis |= {
        "zeroline": True,
        "zerolinecolor": palette.faint,
        "title": title | {"text": plotly_text(difference_title)},
    }
    layout = base_layout(
        palette,
        height=HEIGHT_PX,
        margin={"l": 64, "r": 16, "t": 24, "b": 44},
        showlegend=True,
        legend=LEGEND | {"y": 1.01, "bgcolor": TRANSPARENT},
        shapes=[BAND | {"y0": -margin, "y1": margin, "fillcolor": palette.band}] if margin else [],
        xaxis=x_axis,
        yaxis=y_axis,
    )
    return go.Figure(data=data, layout=layout)


def _label(name: str) -> str:
    return plotly_text(name if len(name) <= MAX_LABEL_CHARS else f"{name[: MAX_LABEL_CHARS - 1]}…") + "  "
