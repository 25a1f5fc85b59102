"""Parts that all charts share, as plain plotly dictionaries: colours, type, axes, legends and labels."""

from collections.abc import Mapping
from typing import Any, Literal

from charts.base.frame import ChartFrame, axis_time, plotly_text
from charts.base.palette import Palette
from domain.window import DAY_S
from messages import charts as text
from messages.i18n import ENGLISH, current_language

Unit = Literal[
    "percent",
    "share",
    "points",
    "milliseconds",
    "signed_milliseconds",
    "count",
    "per_minute",
    "plain_value",
    "signed_value",
]

MARGIN_PX = {"l": 60, "r": 12, "t": 8, "b": 34}
TRANSPARENT = "rgba(0,0,0,0)"
LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
# A drag zooms, and the zoom survives an update. Values are read above the plot (ui/components/chart_values.js), not in a hover box.
ZOOM = {"hovermode": False, "showlegend": False, "dragmode": "zoom", "uirevision": "same"}
BAND = {"type": "rect", "layer": "below", "xref": "paper", "x0": 0, "x1": 1, "line": {"width": 0}}


def base_layout(palette: Palette, **more: Any) -> dict[str, Any]:
    """A layout with the theme's colours and type, without drag and zoom; `more` is added."""
    hover = {"bgcolor": palette.paper, "bordercolor": palette.grid, "font": {"color": palette.ink}, "align": "left"}
    font = {
        "family": '"Source Sans", system-ui, "Hiragino Sans", "Yu Gothic UI", "Noto Sans JP", "Noto Sans CJK JP", sans-serif',
        "size": 12,
        "color": palette.ink,
    }
    colours = {"paper_bgcolor": TRANSPARENT, "plot_bgcolor": TRANSPARENT}
    return {**colours, "font": font, "hovermode": "closest", "hoverlabel": hover, "dragmode": False, **more}


def base_axis(palette: Palette, **more: Any) -> dict[str, Any]:
    """An axis that the reader cannot shift; `more` is added."""
    tick_font = {"color": palette.faint}
    return {"gridcolor": palette.grid, "tickfont": tick_font, "fixedrange": True, "zeroline": False, **more}


def time_axis(frame: ChartFrame, *, anchor: str) -> dict[str, Any]:
    """The x axis of a chart that zooms: the frame's window, with times of the day or dates."""
    return {
        "type": "date",
        "range": [axis_time(frame.window.start, frame), axis_time(frame.window.end, frame)],
        "uirevision": f"{frame.window.start}-{frame.window.end}",
        "anchor": anchor,
        "showgrid": False,
        "tickfont": {"color": frame.palette.faint},
        **date_ticks(),
    }


def date_ticks() -> dict[str, Any]:
    """The labels of a time axis: times of the day or dates. Without it, plotly's are English."""
    day_ms, day = DAY_S * 1000, text.day_format()
    stops = [{"dtickrange": [None, day_ms - 1], "value": f"%H:%M\n{day}"}, {"dtickrange": [day_ms, None], "value": day}]
    return {"tickformatstops": stops, "hoverformat": f"{day} %H:%M"}


def readable(unit: Unit, **more: str) -> dict[str, Any]:
    """Makes a trace's values readable at the crosshair and in the table, formatted as messages.numbers does; y is in %, pp, ms or per minute.

    `more`: `panel`, the title of its panel; `name`, if it is another than the trace's; `note`, what to say of every value.
    """
    return {"meta": {"unit": unit, **more}}


def clock_meta(frame: ChartFrame) -> dict[str, str]:
    """What the crosshair's time needs: the zone, and from when on values are provisional."""
    meta = {"zone": plotly_text(frame.zone)}
    if current_language() != ENGLISH:
        meta["locale"] = current_language()
    if frame.provisional_from < frame.window.end:
        meta |= {"provisional_from": axis_time(frame.provisional_from, frame), "provisional": text.provisional()}
    return meta


def label(text: str, size: int, colour: str, position: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """An annotation without an arrow."""
    return {**position, "text": text, "showarrow": False, "font": {"size": size, "color": colour}, **more}


def zone_label(frame: ChartFrame) -> dict[str, Any]:
    """The time zone, below the x axis on the right."""
    position = {"xref": "paper", "x": 1, "xanchor": "right", "yref": "paper", "y": 0, "yanchor": "top", "yshift": -20}
    return label(frame.zone, 10, frame.palette.faint, position, name="zone")


def panel_label(text: str, domain: tuple[float, float], size: int, palette: Palette, **more: Any) -> dict[str, Any]:
    """The title of a panel, above its left end."""
    position = {"x": 0, "xref": "paper", "xanchor": "left", "y": domain[1], "yref": "paper", "yanchor": "bottom"}
    return label(text, size, palette.faint, position, **more)
