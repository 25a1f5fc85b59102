"""The sheet that every chart is drawn on: colours, type, and axes that a reader cannot shift by mistake."""

from typing import Any

from charts.base.palette import Palette


def base_layout(palette: Palette) -> dict[str, Any]:
    """A plotly layout that says nothing yet of what is drawn."""
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "Source Sans, Source Sans Pro, system-ui, sans-serif", "size": 12, "color": palette.ink},
        "hovermode": "closest",
        "hoverlabel": {
            "bgcolor": palette.paper,
            "bordercolor": palette.grid,
            "font": {"color": palette.ink},
            "align": "left",
        },
        "dragmode": False,
    }


def base_axis(palette: Palette) -> dict[str, Any]:
    """A plotly axis without a range."""
    return {
        "gridcolor": palette.grid,
        "tickfont": {"color": palette.faint},
        "fixedrange": True,
        "zeroline": False,
    }
