"""The Live page's chart: both fleets overlaid, and their difference below on the same time axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis import NOTABLE_SHARE, Comparison, Quantity
from analysis.series.grid import BoolArray, FloatArray
from charts.base.events import event_annotations, event_shapes
from charts.base.figure import Figure
from charts.base.frame import ChartFrame, axis_time, plotly_text
from charts.base.layout import (
    BAND,
    ZOOM,
    Unit,
    base_axis,
    base_layout,
    clock_meta,
    label,
    readable,
    time_axis,
    zone_label,
)
from charts.base.palette import DASHES
from domain import FLEETS, Event, FleetName, Margin
from messages import charts, times


@dataclass(frozen=True, slots=True)
class _Format:
    """Display of a quantity: the factor from the data's unit to the chart's, and the units of values, differences and both axes."""

    scale: float
    unit: Unit
    difference_unit: Unit
    suffix: str
    difference_suffix: str


_FORMATS: dict[Quantity, _Format] = {
    "rate": _Format(100.0, "percent", "points", "%", " pp"),
    "latency": _Format(1000.0, "milliseconds", "signed_milliseconds", " ms", " ms"),
    "count": _Format(1.0, "per_minute", "count", "/min", "/min"),
}


def comparison_figure(
    comparison: Comparison, frame: ChartFrame, *, margin: Margin | None = None, events: Sequence[Event] = ()
) -> Figure:
    """Two panels on one x axis: both fleets, and their difference. Rates in %, their difference in pp; latency in ms; counts per minute.

    Traces by name: the fleets' labels (baseline solid, canary dashed; gaps stay gaps), components of the error rate that are not 0, the load
    balancer's own 5xx as a grey area with an axis of its own, and the difference. Low samples are separate faint traces; provisional minutes
    are shaded.
    """
    palette, display = frame.palette, _FORMATS[comparison.quantity]
    is_final = comparison.ends <= frame.provisional_from
    low_sample = comparison.low_sample["baseline"] | comparison.low_sample["canary"]
    difference = np.where(low_sample, np.nan, comparison.difference)
    lines = [comparison.values[fleet] for fleet in FLEETS]
    data = [trace for fleet in FLEETS for trace in _fleet_traces(comparison, frame, fleet)]
    name = charts.difference(**{fleet: plotly_text(frame.labels[fleet]) for fleet in FLEETS})
    data.append(
        _trace(comparison, frame, difference, name)
        | {"yaxis": "y2", "showlegend": False, "line": {"color": palette.ink, "width": 1.5}}
        | readable(display.difference_unit)
    )
    data += _relative_margin_traces(comparison, frame, margin)
    data += [trace for fleet in FLEETS for trace in _component_traces(comparison, frame, fleet)]
    data += _alb_5xx_traces(comparison, frame)

    labels = event_annotations(frame, events)
    top = _scale_max(lines, is_final, low_sample) * display.scale
    spread = _scale_max([np.abs(difference)], is_final, low_sample) * display.scale
    reach = max(spread * 1.1, _margin_reach(margin, comparison) * 1.25) or 1.0
    layout = _layout(frame, top * (1.3 if labels else 1.12) or 1.0, reach, display)
    if comparison.alb_5xx is not None:
        layout["yaxis3"] = _alb_5xx_axis(comparison, frame, is_final, layout["yaxis"])
    fixed = margin.value if margin and margin.unit != "%" else 0.0
    band = BAND | {"yref": "y2", "y0": -fixed, "y1": fixed, "fillcolor": palette.band}
    shading, shading_labels = _provisional(frame)
    changes, change_labels = _resolution_changes(comparison, frame)
    layout["shapes"] = [*([band] if fixed else ()), *event_shapes(frame, events), *shading, *changes]
    layout["annotations"] = [
        *labels,
        *_margin_label(margin, frame),
        *_no_difference_label(comparison, difference, frame),
        *shading_labels,
        *change_labels,
        zone_label(frame),
    ]
    return Figure(data, layout)


def _trace(comparison: Comparison, frame: ChartFrame, values: FloatArray, name: str) -> dict[str, Any]:
    display = _FORMATS[comparison.quantity]
    trace = {"type": "scatter", "mode": "lines", "name": name, "connectgaps": False}
    return _x_values(comparison, frame) | trace | {"y": (values * display.scale).astype("float32")}


def _alb_5xx_traces(comparison: Comparison, frame: ChartFrame) -> list[dict[str, Any]]:
    """The load balancer's own 5xx a minute: a count of all its target groups, so not on the axis of the fleets' rates."""
    if comparison.alb_5xx is None or not np.nan_to_num(comparison.alb_5xx).any():
        return []
    trace = _trace(comparison, frame, comparison.alb_5xx, charts.alb_5xx_of_load_balancer())
    trace |= {"y": comparison.alb_5xx.astype("float32"), "yaxis": "y3"} | readable("per_minute", name=charts.alb_5xx())
    return [trace | {"line": {"width": 0}, "fill": "tozeroy", "fillcolor": frame.palette.unattributed}]


def _alb_5xx_axis(
    comparison: Comparison, frame: ChartFrame, is_final: BoolArray, upper: dict[str, Any]
) -> dict[str, Any]:
    """The right-hand axis of the load balancer's own 5xx, with its labels inside, which are left out if these are few.

    It reaches at least as far as the fleets' requests at the upper end of their axis, so that few look like few.
    """
    assert comparison.alb_5xx is not None
    top = _scale_max([comparison.alb_5xx], is_final, np.zeros_like(is_final))
    requests = sum(np.nan_to_num(comparison.samples[fleet]) for fleet in FLEETS)
    per_minute = float(np.max(requests * 60 / np.maximum(comparison.lengths_s, comparison.window_s), initial=0.0))
    reach = max(top * 1.12, per_minute * upper["range"][1] / 100) or 1.0
    ticks = {"tickmode": "auto", "nticks": 3, "ticksuffix": "/min", "tickformat": ",", "showgrid": False}
    ticks |= {"ticklabelposition": "inside top", "showticklabels": top >= NOTABLE_SHARE * per_minute}
    place = {"overlaying": "y", "side": "right", "domain": upper["domain"], "anchor": "x"}
    return base_axis(frame.palette, automargin=False) | place | ticks | {"range": [0, reach], "visible": top > 0}


def _x_values(comparison: Comparison, frame: ChartFrame) -> dict[str, Any]:
    """The periods' starts; as start and step if all have one length, which is less to send."""
    if not len(comparison.ts):
        return {"x0": 0, "dx": 60_000}
    if np.diff(comparison.lengths_s).any():
        return {"x": [axis_time(int(ts), frame) for ts in comparison.ts]}
    return {"x0": axis_time(int(comparison.ts[0]), frame), "dx": int(comparison.lengths_s[0]) * 1000}


def _resolution_changes(comparison: Comparison, frame: ChartFrame) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Lines and labels at which the resolution changes: a percentile of five minutes differs from that of one."""
    lines, labels, lengths_s = [], [], comparison.lengths_s
    stroke = {"width": 1, "dash": "dot", "color": frame.palette.faint}
    for index in (np.flatnonzero(np.diff(lengths_s)) + 1).tolist():
        x = axis_time(int(comparison.ts[index]), frame)
        line = {"type": "line", "layer": "below", "xref": "x", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1}
        lines.append(line | {"line": stroke, "name": "resolution"})
        text = f"{times.duration(lengths_s[index - 1])} ◂ ▸ {times.duration(lengths_s[index])}"
        position = {"xref": "x", "x": x, "yref": "paper", "y": 0.31, "xanchor": "center", "yanchor": "middle"}
        more = {"name": "resolution", "bgcolor": frame.palette.paper}
        labels.append(label(text, 10, frame.palette.faint, position, **more))
    return lines, labels


def _fleet_traces(comparison: Comparison, frame: ChartFrame, fleet: FleetName) -> list[dict[str, Any]]:
    name, values = plotly_text(frame.labels[fleet]), comparison.values[fleet]
    low_sample = comparison.low_sample[fleet]
    stroke = {"color": frame.palette.fleets[fleet], "width": 2, "dash": DASHES[fleet]}
    sufficient = np.where(low_sample, np.nan, values)
    unit = _FORMATS[comparison.quantity].unit
    group: dict[str, Any] = {"legendgroup": fleet}
    line = _trace(comparison, frame, sufficient, name) | group | {"line": stroke} | readable(unit)
    if (isolated := _isolated(sufficient)).any():  # a line alone would not show them
        marker = {"size": np.where(isolated, 5, 0).astype("int8"), "color": stroke["color"]}
        line |= {"mode": "lines+markers", "marker": marker}
    traces = [line]
    if (low_sample & ~np.isnan(values)).any():
        faint = _trace(comparison, frame, np.where(low_sample, values, np.nan), name) | group
        faint |= {"mode": "lines+markers", "opacity": 0.35, "line": stroke | {"width": 1}, "showlegend": False}
        faint |= {"marker": {"size": 4, "color": stroke["color"]}}
        traces.append(faint | readable(unit, note=charts.low_sample()))
    return traces


def _component_traces(comparison: Comparison, frame: ChartFrame, fleet: FleetName) -> list[dict[str, Any]]:
    """The parts of a fleet's error rate that are not 0."""
    name, traces = plotly_text(frame.labels[fleet]), []
    for component, title, dash in (
        ("unanswered", charts.no_response(name), "dot"),
        ("connection_errors", charts.connection_errors(name), "dashdot"),
    ):
        values = comparison.components.get(component, {}).get(fleet, np.array([]))
        if np.nan_to_num(values).any():
            trace = _trace(comparison, frame, values, title)
            thin = {"color": frame.palette.fleets[fleet], "width": 1, "dash": dash}
            unit = _FORMATS[comparison.quantity].unit
            traces.append(trace | {"line": thin, "legendgroup": fleet} | readable(unit))
    return traces


def _isolated(values: FloatArray) -> BoolArray:
    """Values between two gaps."""
    present = np.concatenate(([False], ~np.isnan(values), [False]))
    isolated: BoolArray = present[1:-1] & ~present[:-2] & ~present[2:]
    return isolated


def _scale_max(lines: Sequence[FloatArray], is_final: BoolArray, low_sample: BoolArray) -> float:
    """The maximum of final minutes with enough samples; without one, of all final minutes; else of all."""
    for mask in (is_final & ~low_sample, is_final, np.ones_like(is_final)):
        maxima = [float(np.nanmax(line[mask])) for line in lines if mask.any() and not np.isnan(line[mask]).all()]
        if maxima and max(maxima) > 0:
            return max(maxima)
    return 0.0


def _margin_reach(margin: Margin | None, comparison: Comparison) -> float:
    """How far the margin reaches on the lower axis, in its unit. A band that filled the panel would look like parity."""
    if margin is None:
        return 0.0
    if margin.unit != "%":
        return margin.value
    baseline = comparison.values["baseline"]
    level = float(np.median(baseline[~np.isnan(baseline)])) if not np.isnan(baseline).all() else 0.0
    return level * margin.value / 100 * _FORMATS[comparison.quantity].scale


def _no_difference_label(comparison: Comparison, difference: FloatArray, frame: ChartFrame) -> list[dict[str, Any]]:
    """Why the lower panel is empty: its zero line alone would look like no difference."""
    if not np.isnan(difference).all():
        return []
    scarce = any((comparison.low_sample[fleet] & ~np.isnan(comparison.values[fleet])).any() for fleet in FLEETS)
    text = charts.no_difference(is_scarce=scarce)
    position = {"xref": "paper", "x": 0.5, "xanchor": "center", "yref": "y2 domain", "y": 0.5, "yanchor": "middle"}
    return [label(text, 11, frame.palette.ink, position, name="no difference", bgcolor=frame.palette.paper)]


def _relative_margin_traces(comparison: Comparison, frame: ChartFrame, margin: Margin | None) -> list[dict[str, Any]]:
    if margin is None or margin.unit != "%":
        return []
    edge = comparison.values["baseline"] * margin.value / 100
    hidden = {"yaxis": "y2", "showlegend": False, "line": {"width": 0}}
    lower, upper = (_trace(comparison, frame, values, "margin") | hidden for values in (-edge, edge))
    return [lower, upper | {"fill": "tonexty", "fillcolor": frame.palette.band}]


def _margin_label(margin: Margin | None, frame: ChartFrame) -> list[dict[str, Any]]:
    if margin is None:
        return []
    position = {"xref": "paper", "x": 0.005, "xanchor": "left", "yref": "y2 domain", "y": 1, "yanchor": "top"}
    return [label(charts.margin(str(margin)), 10, frame.palette.faint, position)]


def _provisional(frame: ChartFrame) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Shading and label of the provisional minutes."""
    if frame.provisional_from >= frame.window.end:
        return [], []
    start, end = (axis_time(max(ts, frame.window.start), frame) for ts in (frame.provisional_from, frame.window.end))
    shading = {"type": "rect", "layer": "above", "xref": "x", "x0": start, "x1": end, "yref": "paper", "y0": 0, "y1": 1}
    shading |= {"fillcolor": frame.palette.provisional, "line": {"width": 0}, "name": "provisional"}
    position = {"xref": "x", "x": start, "yref": "paper", "y": 0.31, "xanchor": "right", "yanchor": "middle"}
    return [shading], [label(charts.provisional(), 10, frame.palette.faint, position)]


def _layout(frame: ChartFrame, top: float, reach: float, display: _Format) -> dict[str, Any]:
    palette = frame.palette
    zero_line = {"zeroline": True, "zerolinecolor": palette.faint, "zerolinewidth": 1, "tickformat": "+~g"}
    upper = {"domain": [0.36, 1], "range": [0, top], "ticksuffix": display.suffix, "nticks": 5}
    lower = {"domain": [0, 0.26], "range": [-reach, reach], "ticksuffix": display.difference_suffix, "nticks": 4}
    return (
        base_layout(
            palette,
            height=frame.height_px,
            margin={"l": 62, "r": 12, "t": 8, "b": 34},
            meta=clock_meta(frame),
            xaxis=time_axis(frame, anchor="y2"),
            yaxis=base_axis(palette, automargin=False) | upper,
            yaxis2=base_axis(palette, automargin=False) | lower | zero_line,
        )
        | ZOOM
    )
