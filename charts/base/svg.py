"""A figure as SVG: the very chart of the pages, for paper. No script, nothing to load, sharp at any size."""

import html
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from charts.base.figure import PlotlyFigure
from messages.times import date

WIDTH_PX = 760
LEGEND_PX = 22
CHAR_WIDTH_PX = 6.2  # of the legend's type, on average
_DASHES = {"dash": "7 4", "dot": "1.5 3", "dashdot": "7 3 1.5 3"}
_ANCHORS = {"left": "start", "center": "middle", "right": "end"}
_BASELINE_SHIFTS = {
    "top": 1.0,
    "middle": 0.35,
    "bottom": -0.25,
}  # how far below its point a line of text stands, in its own height
_TICK_STEPS_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080)
_MAX_TIME_TICKS = 9
_DAY_S = 86_400  # ticks that are as far apart stand for days and have no time of day

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Axis:
    """Values from `low` to `high` lie between two places in px."""

    low: float
    high: float
    start_px: float
    end_px: float

    def px(self, value: Any) -> Any:
        return self.start_px + (value - self.low) / (self.high - self.low) * (self.end_px - self.start_px)

    def px_at_fraction(self, share: float) -> float:
        return self.start_px + share * (self.end_px - self.start_px)


def figure_svg(figure: PlotlyFigure, alt_text: str) -> Markup:
    """A figure of this room, without what only a mouse can reach. `alternative`: what it shows, in words, for readers who do not see it.

    It knows what our figures are made of and no more: scatter traces with numbers on a time axis, fills, lines and rectangles, words.
    """
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
    margin, named = layout["margin"], [trace for trace in traces if trace.get("showlegend", True)]
    top = margin["t"] + (LEGEND_PX if named else 0)
    height = layout["height"] + (LEGEND_PX if named else 0)
    left, right, bottom = margin["l"], WIDTH_PX - margin["r"], height - margin["b"]
    first, last = _x_range(layout["xaxis"], traces)
    x = _Axis(first, last, left, right)
    whole = _Axis(0, 1, bottom, top)
    ys = {
        name: _Axis(*axis["range"], *map(whole.px_at_fraction, axis.get("domain", (0, 1))))
        for name, axis in axes.items()
    }
    shapes = [(shape.get("layer", "above"), _shape_svg(shape, x, whole, ys)) for shape in layout.get("shapes", ())]
    parts = [
        *(_y_ticks(axes[name], axis, left, right) for name, axis in ys.items()),
        _x_ticks(layout["xaxis"], x, bottom),
        *(drawn for layer, drawn in shapes if layer == "below"),
        *(_panel_svg(name, axis, left, right, traces, x) for name, axis in ys.items()),
        *(drawn for layer, drawn in shapes if layer != "below"),
        *(_annotation_svg(note, x, whole, ys) for note in layout.get("annotations", ())),
        _legend(named, left, layout["font"]["color"]),
    ]
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}" font-family="system-ui, sans-serif" font-size="11">{}</svg>'
    ).format(WIDTH_PX, height, alt_text, Markup("").join(parts))


def _is_invisible(trace: Mapping[str, Any]) -> bool:
    """Marks that only a hover box tells of."""
    return (trace.get("marker") or {}).get("opacity") == 0


def _normalized_trace(trace: dict[str, Any]) -> dict[str, Any]:
    """The trace with `x` in seconds of the axis's own clock and `y` as floats."""
    y = _to_array(trace["y"]).astype("float64")
    if "x" in trace:
        return trace | {"x": np.asarray(trace["x"], dtype="datetime64[s]").astype("float64"), "y": y}
    return trace | {"x": _parse_seconds(trace["x0"]) + np.arange(len(y)) * trace["dx"] / 1000, "y": y}


def _to_array(value: Any) -> npt.NDArray[Any]:
    """An array, or what plotly makes of one: its type and its bytes in base64."""
    if isinstance(value, dict):
        return np.frombuffer(b64decode(value["bdata"]), value["dtype"])
    return np.asarray(value)


def _parse_seconds(text: str) -> float:
    return float(np.datetime64(text, "s").astype("int64"))


def _x_range(axis: Mapping[str, Any], traces: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    if "range" in axis:
        return _parse_seconds(axis["range"][0]), _parse_seconds(axis["range"][1])
    every = np.concatenate([trace["x"] for trace in traces])
    return float(every.min()), max(float(every.max()), float(every.min()) + 60)


# ---- the lines


def _panel_svg(name: str, axis: _Axis, left: float, right: float, traces: Sequence[dict[str, Any]], x: _Axis) -> Markup:
    """The traces of one panel, cut off at its edges: an svg of its own clips what it holds."""
    top, height = axis.end_px, axis.start_px - axis.end_px
    drawn, before = Markup(""), None
    for trace in traces:
        if trace.get("yaxis", "y") != name:
            continue
        points = np.column_stack((x.px(trace["x"]) - left, axis.px(trace["y"]) - top))
        drawn += _trace_svg(trace, points, before, axis.px(0.0) - top)
        before = points
    return Markup('<svg role="none" x="{}" y="{:.1f}" width="{}" height="{:.1f}">{}</svg>').format(
        left, top, right - left, height, drawn
    )


def _trace_svg(trace: dict[str, Any], points: Points, previous: Points | None, zero_px: float) -> Markup:
    drawn, line, marker = Markup(""), trace.get("line", {}), trace.get("marker", {})
    fill = trace.get("fill")
    if fill:
        area = _fill_path(fill, points, previous, zero_px)
        drawn += Markup('<path d="{}" fill="{}"/>').format(area, trace["fillcolor"])
    if "lines" in trace["mode"] and line.get("width", 2):
        path = "".join(_path_data(points[run]) for run in _contiguous_runs(~np.isnan(points[:, 1])))
        drawn += Markup('<path d="{}" fill="none" stroke="{}" stroke-width="{}" stroke-linejoin="round"{}/>').format(
            path, line["color"], line.get("width", 2) * 0.8, _dash_attribute(line)
        )
    if "markers" in trace["mode"]:
        sizes = np.broadcast_to(_to_array(marker["size"]), len(points))
        for (at, up), width in zip(points, sizes, strict=True):
            if width and not np.isnan(up):
                drawn += Markup('<circle cx="{:.1f}" cy="{:.1f}" r="{:.1f}" fill="{}"/>').format(
                    at, up, width / 2, marker["color"]
                )
    return Markup('<g opacity="{}">{}</g>').format(trace["opacity"], drawn) if "opacity" in trace else drawn


def _fill_path(fill: str, points: Points, previous: Points | None, zero_px: float) -> str:
    """What a trace fills: itself, each run a closed area; or the space to the trace before it, or to zero."""
    if fill == "toself":
        return "".join(_path_data(points[run]) + "Z" for run in _contiguous_runs(~np.isnan(points[:, 1])))
    floor = np.column_stack((points[:, 0], np.full(len(points), zero_px)))
    other = previous if fill == "tonexty" and previous is not None else floor
    both = ~np.isnan(points[:, 1]) & ~np.isnan(other[:, 1])
    return "".join(_path_data(np.concatenate((points[run], other[run][::-1]))) + "Z" for run in _contiguous_runs(both))


def _contiguous_runs(mask: npt.NDArray[np.bool_]) -> Iterator[slice]:
    """The stretches without a gap."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype("int8")))
    return (slice(start, end) for start, end in edges.reshape(-1, 2).tolist())


def _path_data(points: Points) -> str:
    return "M" + "L".join(f"{at:.1f},{up:.1f}" for at, up in points.tolist())


def _dash_attribute(line: Mapping[str, Any]) -> Markup:
    dashes = _DASHES.get(line.get("dash", ""))
    return Markup(' stroke-dasharray="{}"').format(dashes) if dashes else Markup("")


# ---- what surrounds them


def _shape_svg(shape: Mapping[str, Any], x: _Axis, paper: _Axis, ys: Mapping[str, _Axis]) -> Markup:
    across = [
        x.px_at_fraction(shape[end]) if shape["xref"] == "paper" else x.px(_parse_seconds(shape[end]))
        for end in ("x0", "x1")
    ]
    axis = ys.get(shape["yref"])
    up = [axis.px(shape[end]) if axis else paper.px_at_fraction(shape[end]) for end in ("y0", "y1")]
    if axis:
        up = [min(max(end, axis.end_px), axis.start_px) for end in up]
    if shape["type"] == "line":
        return Markup('<path d="M{:.1f},{:.1f}L{:.1f},{:.1f}" stroke="{}" stroke-width="{}"{}/>').format(
            across[0],
            up[0],
            across[1],
            up[1],
            shape["line"]["color"],
            shape["line"]["width"],
            _dash_attribute(shape["line"]),
        )
    return Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}"/>').format(
        min(across), min(up), abs(across[1] - across[0]), abs(up[1] - up[0]), shape["fillcolor"]
    )


def _annotation_svg(note: Mapping[str, Any], x: _Axis, paper: _Axis, ys: Mapping[str, _Axis]) -> Markup:
    at = x.px_at_fraction(note["x"]) if note["xref"] == "paper" else x.px(_parse_seconds(note["x"]))
    axis = ys[note["yref"].split()[0]] if note["yref"] != "paper" else paper
    up = axis.px_at_fraction(note["y"]) if note["yref"].endswith(("domain", "paper")) else axis.px(note["y"])
    kind = note["font"]
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}" font-size="{}" fill="{}">{}</text>').format(
        at + note.get("xshift", 0),
        up - note.get("yshift", 0) + _BASELINE_SHIFTS[note.get("yanchor", "middle")] * kind["size"],
        _ANCHORS[note.get("xanchor", "center")],
        kind["size"],
        kind["color"],
        html.unescape(note["text"]),  # plotly was given it escaped; here it is escaped once, by us
    )


def _y_ticks(axis: Mapping[str, Any], y: _Axis, left: float, right: float) -> Markup:
    step = _tick_step(0.7 * (y.high - y.low) / axis.get("nticks", 5))
    decimals = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    drawn = Markup("")
    for tick in np.arange(np.ceil(y.low / step - 1e-9), np.floor(y.high / step + 1e-9) + 1) * step:
        up, sign = y.px(tick), "+" if axis.get("tickformat", "").startswith("+") and tick > step / 2 else ""
        text = f"{sign}{tick + 0.0:,.{decimals}f}".replace("-", "−") + axis.get("ticksuffix", "")
        zero = axis.get("zeroline") and abs(tick) < step / 2
        drawn += Markup(
            '<path d="M{},{:.1f}H{}" stroke="{}"/><text x="{}" y="{:.1f}" text-anchor="end" fill="{}">{}</text>'
        ).format(
            left,
            up,
            right,
            axis["zerolinecolor"] if zero else axis["gridcolor"],
            left - 5,
            up + 4,
            axis["tickfont"]["color"],
            text,
        )
    return drawn


def _tick_step(minimum: float) -> float:
    """The next of 1, 2, 5, 10, … that is not less."""
    power = 10 ** np.floor(np.log10(minimum))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= minimum * (1 - 1e-9)))


def _x_ticks(axis: Mapping[str, Any], x: _Axis, bottom: float) -> Markup:
    """Times of the day, the day below the first and where it changes; days alone where the axis is long."""
    step = next(
        (60 * m for m in _TICK_STEPS_MINUTES if (x.high - x.low) / (60 * m) <= _MAX_TIME_TICKS),
        _TICK_STEPS_MINUTES[-1] * 60,
    )
    drawn, day = Markup(""), ""
    for tick in range(int(-(-x.low // step) * step), int(x.high) + 1, step):
        at = datetime.fromtimestamp(tick, UTC)  # the wall clock of the frame's zone
        today = "" if date(at, UTC, now=at) == day else date(at, UTC, now=at)
        for line, text in enumerate((f"{at:%H:%M}", today) if step < _DAY_S else (today,)):
            drawn += Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="middle" fill="{}">{}</text>').format(
                x.px(tick), bottom + 14 + 12 * line, axis["tickfont"]["color"], text
            )
        day = date(at, UTC, now=at)
    return drawn


def _legend(traces: Sequence[Mapping[str, Any]], left: float, text_colour: str) -> Markup:
    drawn, at = Markup(""), left
    for trace in traces:
        line, name = trace.get("line", {}), html.unescape(trace["name"])
        colour, width = line.get("color", trace.get("fillcolor")), line.get("width", 2) or 8
        drawn += Markup(
            '<path d="M{:.1f},12h26" stroke="{}" stroke-width="{}"{}/><text x="{:.1f}" y="16" fill="{}">{}</text>'
        ).format(at, colour, width, _dash_attribute(line), at + 31, text_colour, name)
        at += 31 + CHAR_WIDTH_PX * len(name) + 16
    return drawn
