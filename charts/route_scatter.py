"""The map of routes: how much worse the canary is on each, against its traffic. The outlier is seen at a glance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from analysis.parity.verdicts import VERDICTS, Verdict
from charts.base import layout
from charts.base.frame import HEIGHT_PX, plotly_text
from charts.base.palette import PALETTES, Theme
from messages import verdicts

# A verdict is told by form and word; colours of fleets are for fleets, and those of verdicts for words.
SYMBOLS: dict[Verdict, str] = {
    "parity": "circle",
    "regression": "triangle-up",
    "improvement": "triangle-down",
    "undecided": "circle-open-dot",
    "not enough data": "circle-open",
}
HIGHLIGHTED: tuple[Verdict, ...] = ("regression", "improvement")
MAX_LABELS = 5
MAX_LABEL_CHARS = 36


@dataclass(frozen=True, slots=True)
class RoutePoint:
    """A route: `traffic` in requests a minute, `difference` canary − baseline in the unit of the axis, and what its hover box says."""

    route: str
    traffic: float
    difference: float
    verdict: Verdict
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
    """`dots` worst first, as the table has them; `margin` in the axis's unit is a band. `axis` and `traffic` are the titles of the axes."""
    palette = PALETTES[theme]
    data: list[dict[str, Any]] = []
    named = {dot.route for dot in [one for one in points if one.verdict in HIGHLIGHTED][:MAX_LABELS]}
    for verdict in (one for one in reversed(VERDICTS) if any(dot.verdict == one for dot in points)):
        mine, loud = [dot for dot in points if dot.verdict == verdict], verdict in HIGHLIGHTED
        colour = palette.ink if loud else palette.faint
        data.append(
            {
                "type": "scatter",
                "mode": "markers+text" if loud else "markers",
                "name": verdicts.label(verdict),
                "x": [dot.traffic for dot in mine],
                "y": [dot.difference for dot in mine],
                "text": [_label(dot.route) if dot.route in named else "" for dot in mine] if loud else None,
                "textposition": "middle left",
                "textfont": {"color": palette.ink},
                "customdata": [f"{plotly_text(dot.route)}<br>{plotly_text(dot.hover)}" for dot in mine],
                "hovertemplate": "%{customdata}<extra></extra>",
                "marker": {
                    "symbol": SYMBOLS[verdict],
                    "size": 13 if loud else 9,
                    "color": colour,
                    "opacity": 1.0 if loud else 0.75,
                    "line": {"width": 1.4, "color": colour},
                },
            }
        )
    lines = layout.base_axis(palette)
    band = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "layer": "below", "line": {"width": 0}}
    title = {"font": {"color": palette.faint, "size": 12}}
    return go.Figure(
        data=data,
        layout=layout.base_layout(palette)
        | {
            "height": HEIGHT_PX,
            "margin": {"l": 64, "r": 16, "t": 24, "b": 44},
            "showlegend": True,
            "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
            "shapes": [band | {"y0": -margin, "y1": margin, "fillcolor": palette.band}] if margin else [],
            "xaxis": lines | {"type": "log", "dtick": 1, "tickformat": ",~g", "title": title | {"text": plotly_text(traffic_title)}},
            "yaxis": lines | {
                "zeroline": True, "zerolinecolor": palette.faint, "tickformat": "+,~g", "ticksuffix": f" {suffix}",
                "title": title | {"text": plotly_text(difference_title)},
            },
        },
    )  # fmt: skip


def _label(name: str) -> str:
    return plotly_text(name if len(name) <= MAX_LABEL_CHARS else f"{name[: MAX_LABEL_CHARS - 1]}…") + "  "
