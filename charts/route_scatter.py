"""The map of routes: how much worse the canary is on each, against its traffic. The outlier is seen at a glance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from analysis.parity.verdicts import VERDICTS, Verdict
from charts.base import layout
from charts.base.frame import HEIGHT_PX, plain
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
LOUD: tuple[Verdict, ...] = ("regression", "improvement")
MOST_NAMED = 5
LONGEST_NAME = 36


@dataclass(frozen=True, slots=True)
class Dot:
    """A route: `traffic` in requests a minute, `difference` canary − baseline in the unit of the axis, and what its hover box says."""

    route: str
    traffic: float
    difference: float
    verdict: Verdict
    hover: str


def routes_figure(
    dots: Sequence[Dot], theme: Theme, *, axis: str, traffic: str, suffix: str, margin: float | None = None
) -> go.Figure:
    """`dots` worst first, as the table has them; `margin` in the axis's unit is a band. `axis` and `traffic` are the titles of the axes."""
    palette = PALETTES[theme]
    data: list[dict[str, Any]] = []
    named = {dot.route for dot in [one for one in dots if one.verdict in LOUD][:MOST_NAMED]}
    for verdict in (one for one in reversed(VERDICTS) if any(dot.verdict == one for dot in dots)):
        mine, loud = [dot for dot in dots if dot.verdict == verdict], verdict in LOUD
        colour = palette.ink if loud else palette.faint
        data.append(
            {
                "type": "scatter",
                "mode": "markers+text" if loud else "markers",
                "name": verdicts.label(verdict),
                "x": [dot.traffic for dot in mine],
                "y": [dot.difference for dot in mine],
                "text": [_short(dot.route) if dot.route in named else "" for dot in mine] if loud else None,
                "textposition": "middle left",
                "textfont": {"color": palette.ink},
                "customdata": [f"{plain(dot.route)}<br>{plain(dot.hover)}" for dot in mine],
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
    lines = layout.axis(palette)
    band = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "layer": "below", "line": {"width": 0}}
    title = {"font": {"color": palette.faint, "size": 12}}
    return go.Figure(
        data=data,
        layout=layout.layout(palette)
        | {
            "height": HEIGHT_PX,
            "margin": {"l": 64, "r": 16, "t": 24, "b": 44},
            "showlegend": True,
            "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
            "shapes": [band | {"y0": -margin, "y1": margin, "fillcolor": palette.band}] if margin else [],
            "xaxis": lines | {"type": "log", "dtick": 1, "tickformat": ",~g", "title": title | {"text": plain(traffic)}},
            "yaxis": lines | {
                "zeroline": True, "zerolinecolor": palette.faint, "tickformat": "+,~g", "ticksuffix": f" {suffix}",
                "title": title | {"text": plain(axis)},
            },
        },
    )  # fmt: skip


def _short(name: str) -> str:
    return plain(name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…") + "  "
