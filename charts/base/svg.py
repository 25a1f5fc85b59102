"""Renders a plotly figure as static SVG, for reports: no script, nothing to load."""

import html
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from analysis.series.grid import runs_of
from charts.base.figure import PlotlyFigure
from charts.base.text_width import text_width_px
from charts.base.ticks import value_ticks
from domain.window import DAY_S
from messages.times import date

WIDTH_PX = 760
LEGEND_PX = 22
FONT_PX = 11
_DASHES = {"dash": "7 4", "dot": "1.5 3", "dashdot": "7 3 1.5 3"}
_ANCHORS = {"left": "start", "center": "middle", "right": "end"}
_BASELINE_SHIFTS = {"top": 1.0, "middle": 0.35, "bottom": -0.25}  # of the text below its point, as a share of its size
_TICK_STEPS_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080)
_MAX_TIME_TICKS = 9

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Axis:
    """Maps values from `low` … `high` to pixels."""

    low: float
    high: float
    start_px: float
    end_px: float

    def px(self, value: Any) -> Any:
        return self.start_px + (value - self.low) / (self.high - self.low) * (self.end_px - self.start_px)

    def px_at_fraction(self, share: float) -> float:
        return self.start_px + share * (self.end_px - self.start_px)


def figure_svg(figure: PlotlyFigure, alt_text: str) -> Markup:
    """A figure of this package, without hover boxes. Supports only what these use: scatter traces on a time axis, fills, lines, rectangles, text."""
    spec = figure.to_plotly_json()
    layout = spec["layout"]
    axes = {
        f"y{key.removeprefix('yaxis')}": axis
        for key, axis in layout.items()
        if key.startswith("yaxis") and axis.get("visible", True)
    }
    traces = [
        _normalized_trace(trace)
        for trace in spec["data"]
        if trace.get("yaxis", "y") in axes and not _is_invisible(trace)
    ]
    margin, in_legend = layout["margin"], [trace for trace in traces if trace.get("showlegend", True)]
    top = margin["t"] + (LEGEND_PX if in_legend else 0)
    height = layout["height"] + (LEGEND_PX if in_legend else 0)
    left, right, bottom = margin["l"], WIDTH_PX - margin["r"], height - margin["b"]
    x = _Axis(*_x_range(layout["xaxis"], traces), left, right)
    paper = _Axis(0, 1, bottom, top)
    ys = {
        name: _Axis(*axis["range"], *map(paper.px_at_fraction, axis.get("domain", (0, 1))))
        for name, axis in axes.items()
    }
    shapes = [(shape.get("layer", "above"), _shape_svg(shape, x, paper, ys)) for shape in layout.get("shapes", ())]
    parts = [
        *(_y_ticks(axes[name], axis, left, right) for name, axis in ys.items()),
        _x_ticks(layout["xaxis"], x, bottom),
        *(svg for layer, svg in shapes if layer == "below"),
        *(
            _panel_svg(axis, left, right, [trace for trace in traces if trace.get("yaxis", "y") == name], x)
            for name, axis in ys.items()
        ),
        *(svg for layer, svg in shapes if layer != "below"),
        *(_annotation_svg(annotation, x, paper, ys) for annotation in layout.get("annotations", ())),
        _legend(in_legend, left, layout["font"]["color"]),
    ]
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}" font-family="inherit, sans-serif" font-size="{}">{}</svg>'
    ).format(WIDTH_PX, height, alt_text, FONT_PX, Markup("").join(parts))


def _is_invisible(trace: Mapping[str, Any]) -> bool:
    """Whether a trace exists for its hover boxes only."""
    return (trace.get("marker") or {}).get("opacity") == 0


def _normalized_trace(trace: dict[str, Any]) -> dict[str, Any]:
    """The trace with `x` in seconds of the axis's wall clock and `y` as floats."""
    y = _to_array(trace["y"]).astype("float64")
    if "x" in trace:
        return trace | {"x": np.asarray(trace["x"], dtype="datetime64[s]").astype("float64"), "y": y}
    return trace | {"x": _parse_seconds(trace["x0"]) + np.arange(len(y)) * trace["dx"] / 1000, "y": y}


def _to_array(value: Any) -> npt.NDArray[Any]:
    """An array from a list, or from plotly's type and base64."""
    if isinstance(value, dict):
        return np.frombuffer(b64decode(value["bdata"]), value["dtype"])
    return np.asarray(value)


def _parse_seconds(text: str) -> float:
    return float(np.datetime64(text, "s").astype("int64"))


def _x_range(axis: Mapping[str, Any], traces: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    if "range" in axis:
        return _parse_seconds(axis["range"][0]), _parse_seconds(axis["range"][1])
    x = np.concatenate([trace["x"] for trace in traces])
    return float(x.min()), max(float(x.max()), float(x.min()) + 60)


# Traces


def _panel_svg(axis: _Axis, left: float, right: float, traces: Sequence[dict[str, Any]], x: _Axis) -> Markup:
    """The traces of one panel, clipped by a nested svg element."""
    top, height = axis.end_px, axis.start_px - axis.end_px
    svg, previous = Markup(""), None
    for trace in traces:
        points = np.column_stack((x.px(trace["x"]) - left, axis.px(trace["y"]) - top))
        svg += _trace_svg(trace, points, previous, axis.px(0.0) - top)
        previous = points
    return Markup('<svg role="none" x="{}" y="{:.1f}" width="{}" height="{:.1f}">{}</svg>').format(
        left, top, right - left, height, svg
    )


def _trace_svg(trace: dict[str, Any], points: Points, previous: Points | None, zero_px: float) -> Markup:
    svg, line, marker = Markup(""), trace.get("line", {}), trace.get("marker", {})
    if fill := trace.get("fill"):
        area = _fill_path(fill, points, previous, zero_px)
        svg += Markup('<path d="{}" fill="{}"/>').format(area, trace["fillcolor"])
    if "lines" in trace["mode"] and line.get("width", 2):
        path = "".join(_path_data(points[run]) for run in runs_of(np.flatnonzero(~np.isnan(points[:, 1]))))
        svg += Markup('<path d="{}" fill="none" stroke="{}" stroke-width="{}" stroke-linejoin="round"{}/>').format(
            path, line["color"], line.get("width", 2) * 0.8, _dash_attribute(line)
        )
    if "markers" in trace["mode"]:
        sizes = np.broadcast_to(_to_array(marker["size"]), len(points))
        for (cx, cy), width in zip(points, sizes, strict=True):
            if width and not np.isnan(cy):
                svg += Markup('<circle cx="{:.1f}" cy="{:.1f}" r="{:.1f}" fill="{}"/>').format(
                    cx, cy, width / 2, marker["color"]
                )
    return Markup('<g opacity="{}">{}</g>').format(trace["opacity"], svg) if "opacity" in trace else svg


def _fill_path(fill: str, points: Points, previous: Points | None, zero_px: float) -> str:
    """The area that a trace fills: itself (each run is a closed area), or down to the previous trace or to zero."""
    other = np.column_stack((points[:, 0], np.full(len(points), zero_px)))
    if fill == "tonexty" and previous is not None:
        other = previous
    both = np.flatnonzero(~np.isnan(points[:, 1]) & ~np.isnan(other[:, 1]))
    areas = (
        points[run] if fill == "toself" else np.concatenate((points[run], other[run][::-1])) for run in runs_of(both)
    )
    return "".join(_path_data(area) + "Z" for area in areas)


def _path_data(points: Points) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points.tolist())


def _dash_attribute(line: Mapping[str, Any]) -> Markup:
    dashes = _DASHES.get(line.get("dash", ""))
    return Markup(' stroke-dasharray="{}"').format(dashes) if dashes else Markup("")


# Shapes, annotations, axes and legend


def _x_px(value: Any, reference: str, x: _Axis) -> float:
    """An x coordinate of a shape or an annotation: a share of the paper's width, or a time."""
    return float(x.px_at_fraction(value) if reference == "paper" else x.px(_parse_seconds(value)))


def _shape_svg(shape: Mapping[str, Any], x: _Axis, paper: _Axis, ys: Mapping[str, _Axis]) -> Markup:
    x0, x1 = (_x_px(shape[end], shape["xref"], x) for end in ("x0", "x1"))
    axis = ys.get(shape["yref"])
    y0, y1 = (axis.px(shape[end]) if axis else paper.px_at_fraction(shape[end]) for end in ("y0", "y1"))
    if axis:
        y0, y1 = (min(max(end, axis.end_px), axis.start_px) for end in (y0, y1))
    if shape["type"] == "line":
        line = shape["line"]
        return Markup('<path d="M{:.1f},{:.1f}L{:.1f},{:.1f}" stroke="{}" stroke-width="{}"{}/>').format(
            x0, y0, x1, y1, line["color"], line["width"], _dash_attribute(line)
        )
    outline, stroke = shape["line"], Markup("")
    if outline["width"]:
        stroke = Markup(' stroke="{}" stroke-width="{}"').format(outline["color"], outline["width"])
    return Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}"{}/>').format(
        min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0), shape["fillcolor"], stroke
    )


def _annotation_svg(annotation: Mapping[str, Any], x: _Axis, paper: _Axis, ys: Mapping[str, _Axis]) -> Markup:
    y, reference, font = annotation["y"], annotation["yref"], annotation["font"]
    axis = ys[reference.split()[0]] if reference != "paper" else paper
    y_px = axis.px_at_fraction(y) if reference.endswith(("domain", "paper")) else axis.px(y)
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}" font-size="{}" fill="{}">{}</text>').format(
        _x_px(annotation["x"], annotation["xref"], x) + annotation.get("xshift", 0),
        y_px - annotation.get("yshift", 0) + _BASELINE_SHIFTS[annotation.get("yanchor", "middle")] * font["size"],
        _ANCHORS[annotation.get("xanchor", "center")],
        font["size"],
        font["color"],
        html.unescape(annotation["text"]),  # it was escaped for plotly; Markup escapes it again
    )


def _y_ticks(axis: Mapping[str, Any], y: _Axis, left: float, right: float) -> Markup:
    inside_right = axis.get("side") == "right"
    grid_line = Markup('<path d="M{},{:.1f}H{}" stroke="{}"/>')
    template = Markup('<text x="{}" y="{:.1f}" text-anchor="end" fill="{}">{}</text>')
    svg = Markup("")
    for tick, text in _tick_texts(axis, y):
        y_px = y.px(tick)
        stroke = axis["zerolinecolor" if axis.get("zeroline") and abs(tick) < 1e-12 else "gridcolor"]
        if axis.get("showgrid", True):
            svg += grid_line.format(left, y_px, right, stroke)
        if not axis.get("showticklabels", True):
            continue
        label_x, label_y = (right - 3, y_px + 11) if inside_right else (left - 5, y_px + 4)
        svg += template.format(label_x, label_y, axis["tickfont"]["color"], text)
    return svg


def _tick_texts(axis: Mapping[str, Any], y: _Axis) -> list[tuple[float, str]]:
    """The axis's own ticks; without any, round ones."""
    if "ticktext" in axis:
        return list(zip(axis["tickvals"], axis["ticktext"], strict=True))
    signed, n = axis.get("tickformat", "").startswith("+"), round(axis.get("nticks", 5) / 0.7)
    ticks = value_ticks(y.low, y.high, axis.get("ticksuffix", ""), n=n, signed=signed)
    return list(zip(ticks["tickvals"], ticks["ticktext"], strict=True))


def _x_ticks(axis: Mapping[str, Any], x: _Axis, bottom: float) -> Markup:
    """Times of the day, with the date below the first and below each change of day; only dates if the axis is long."""
    minutes = (step for step in _TICK_STEPS_MINUTES if (x.high - x.low) / (60 * step) <= _MAX_TIME_TICKS)
    step = 60 * next(minutes, _TICK_STEPS_MINUTES[-1])
    svg, previous_day = Markup(""), ""
    for tick in range(int(-(-x.low // step) * step), int(x.high) + 1, step):
        time = datetime.fromtimestamp(tick, UTC)  # the wall clock of the frame's zone
        day = date(time, UTC, now=time)
        shown = "" if day == previous_day else day
        for line, text in enumerate((f"{time:%H:%M}", shown) if step < DAY_S else (shown,)):
            svg += Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="middle" fill="{}">{}</text>').format(
                x.px(tick), bottom + 14 + 12 * line, axis["tickfont"]["color"], text
            )
        previous_day = day
    return svg


def _legend(traces: Sequence[Mapping[str, Any]], left: float, text_colour: str) -> Markup:
    svg, x = Markup(""), left
    for trace in traces:
        line, name = trace.get("line", {}), html.unescape(trace["name"])
        colour, width = line.get("color", trace.get("fillcolor")), line.get("width", 2) or 8
        svg += Markup(
            '<path d="M{:.1f},12h26" stroke="{}" stroke-width="{}"{}/><text x="{:.1f}" y="16" fill="{}">{}</text>'
        ).format(x, colour, width, _dash_attribute(line), x + 31, text_colour, name)
        x += 31 + text_width_px(name, FONT_PX) + 16
    return svg
