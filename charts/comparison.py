"""The Live page's chart: both fleets overlaid, and how they differ below, on the same time axis."""

from collections.abc import Sequence
from itertools import product
from typing import Any, Literal

import numpy as np

from analysis import NOTABLE_SHARE, Comparison
from analysis.parity.estimates import RunningEstimate
from analysis.series.grid import BoolArray, FloatArray
from analysis.series.shares import ShareStep
from charts.base.end_labels import EndLabel, end_labels, end_margin_px, fleet_label
from charts.base.events import event_annotations, event_lines, event_strips
from charts.base.figure import Figure
from charts.base.frame import ChartFrame, axis_time, plotly_text
from charts.base.layout import ZOOM, base_axis, base_layout, clock_meta, label, readable, time_axis, zone_label
from charts.base.palette import fleet_line
from charts.base.ticks import value_ticks
from charts.base.traces import DISPLAYS, Display, line_trace, x_values
from charts.lower_panel import DOMAIN, LowerPanel, difference_panel, share_panel
from domain import FLEETS, Event, FleetName, Margin
from messages import charts, times

UPPER_DOMAIN = (0.36, 1.0)


def comparison_figure(
    comparison: Comparison,
    frame: ChartFrame,
    *,
    estimate: RunningEstimate | None = None,
    margin: Margin | None = None,
    steps: Sequence[ShareStep] = (),
    events: Sequence[Event] = (),
    with_labels: bool = False,
) -> Figure:
    """Two panels on one x axis: both fleets, and below their difference, or of counts the canary's share (charts/lower_panel.py).

    With other percentiles: a line each, and the area between the outer ones is filled; the difference is that of `comparison`.
    Rates in %, their difference in pp; latency in ms; counts per minute. Traces by name: the fleets' labels (see fleet_line; gaps stay
    gaps), components of the error rate that are not 0, the load balancer's own 5xx as a grey area with an axis of its own, and those of the
    lower panel. `with_labels`: of the events. Low samples are separate faint traces; provisional minutes are shaded.
    Last week is a faint line behind all others, and does not stretch the axis.
    """
    display = DISPLAYS[comparison.quantity]
    is_final = comparison.ends <= frame.provisional_from
    lower = (
        share_panel(comparison, frame, steps)
        if comparison.quantity == "count"
        else difference_panel(comparison, frame, estimate=estimate, margin=margin)
    )
    lines = sorted((comparison, *comparison.others), key=lambda line: line.percentile)

    def suffix(line: Comparison) -> str:
        return line.percentile if comparison.others else ""

    data = [trace for fleet in FLEETS for trace in _fan_traces(lines, frame, fleet)]
    for line, fleet in product(lines, FLEETS):
        data += _fleet_traces(line, frame, fleet, suffix=suffix(line), is_thin=line is not comparison)
    data += lower.traces
    data += [trace for fleet in FLEETS for trace in _component_traces(comparison, frame, fleet)]
    data += _alb_5xx_traces(comparison, frame)
    data += _last_week_traces(comparison, frame)

    labels = event_annotations(frame, events) if with_labels else []
    strips = event_strips(frame, events) if with_labels else []
    top = max(_top(line, is_final) for line in lines) * display.scale
    ends = [
        fleet_label(frame, fleet, _end(line.values[fleet] * display.scale, is_final), suffix(line))
        for line, fleet in product(lines, FLEETS)
    ]
    if last_week := comparison.last_week:
        ends.append(EndLabel(charts.last_week(), frame.palette.faint, _end(last_week.values * display.scale)))
    layout = _layout(frame, top * (1.3 if labels else 1.12) or 1.0, display, lower, ends)
    if comparison.alb_5xx is not None:
        layout["yaxis3"] = _alb_5xx_axis(comparison, frame, is_final, layout["yaxis"])
    shading, shading_labels = _provisional(frame)
    changes, change_labels = _resolution_changes(comparison, frame)
    layout["shapes"] = [*event_lines(frame, events), *strips, *shading, *changes]
    upper_px = (frame.height_px - layout["margin"]["t"] - layout["margin"]["b"]) * (1 - UPPER_DOMAIN[0])
    names = end_labels(ends, top=layout["yaxis"]["range"][1], height_px=upper_px)
    layout["annotations"] = [*labels, *lower.labels, *names, *shading_labels, *change_labels, zone_label(frame)]
    return Figure(data, layout)


def _trace(comparison: Comparison, frame: ChartFrame, values: FloatArray, name: str) -> dict[str, Any]:
    x = x_values(comparison.ts, comparison.lengths_s, frame)
    return line_trace(x, values * DISPLAYS[comparison.quantity].scale, name)


def _last_week_traces(comparison: Comparison, frame: ChartFrame) -> list[dict[str, Any]]:
    """Behind all other traces (`zorder`), though the last one: a chart's first trace is the one that the crosshair steps along."""
    last_week, display = comparison.last_week, DISPLAYS[comparison.quantity]
    if last_week is None:
        return []
    x = x_values(last_week.ts, last_week.lengths_s, frame)
    trace = line_trace(x, last_week.values * display.scale, charts.last_week()) | readable(display.unit)
    return [trace | {"line": {"color": frame.palette.faint, "width": 1}, "opacity": 0.6, "zorder": -1}]


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
    ticks = value_ticks(0, reach, "/min", n=3) | {"showgrid": False}
    ticks |= {"ticklabelposition": "inside top", "showticklabels": top >= NOTABLE_SHARE * per_minute}
    place = {"overlaying": "y", "side": "right", "domain": upper["domain"], "anchor": "x"}
    return base_axis(frame.palette, automargin=False) | place | ticks | {"range": [0, reach], "visible": top > 0}


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


def _fan_traces(lines: Sequence[Comparison], frame: ChartFrame, fleet: FleetName) -> list[dict[str, Any]]:
    """The area between the lowest and the highest percentile of a fleet, faint; nothing for one line.

    plotly fills across gaps: there, both edges have the same value, and the area has no height.
    """
    edges = [lines[0].values[fleet], lines[-1].values[fleet]]
    known = ~np.isnan(edges[0] + edges[1])
    if len(lines) == 1 or not known.any():
        return []
    between = np.interp(lines[0].ts, lines[0].ts[known], edges[0][known])
    more = {"line": {"width": 0}, "legendgroup": fleet, "showlegend": False}
    lower, upper = (_trace(lines[0], frame, np.where(known, edge, between), "fan") | more for edge in edges)
    return [lower, upper | {"fill": "tonexty", "fillcolor": f"{frame.palette.fleets[fleet]}1c"}]


def _fleet_traces(
    comparison: Comparison, frame: ChartFrame, fleet: FleetName, *, suffix: str, is_thin: bool
) -> list[dict[str, Any]]:
    """A fleet's line. `suffix`: of its name."""
    name, values = plotly_text(f"{frame.labels[fleet]} {suffix}".rstrip()), comparison.values[fleet]
    low_sample = comparison.low_sample[fleet]
    stroke = fleet_line(frame.palette, fleet, int(np.count_nonzero(~np.isnan(values))))
    if is_thin:
        stroke |= {"width": 1}
    sufficient = np.where(low_sample, np.nan, values)
    unit = DISPLAYS[comparison.quantity].unit
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
        ("unanswered", charts.no_response(name), "solid"),
        ("connection_errors", charts.connection_errors(name), "dot"),
    ):
        values = comparison.components.get(component, {}).get(fleet, np.array([]))
        if np.nan_to_num(values).any():
            trace = _trace(comparison, frame, values, title)
            thin = {"color": frame.palette.fleets[fleet], "width": 1, "dash": dash}
            unit = DISPLAYS[comparison.quantity].unit
            traces.append(trace | {"line": thin, "legendgroup": fleet} | readable(unit))
    return traces


def _end(values: FloatArray, is_final: BoolArray | Literal[True] = True) -> float | None:
    """The last final value of a line; else the last one."""
    final = values[is_final & ~np.isnan(values)]
    known = final if len(final) else values[~np.isnan(values)]
    return float(known[-1]) if len(known) else None


def _isolated(values: FloatArray) -> BoolArray:
    """Values between two gaps."""
    present = np.concatenate(([False], ~np.isnan(values), [False]))
    isolated: BoolArray = present[1:-1] & ~present[:-2] & ~present[2:]
    return isolated


def _top(comparison: Comparison, is_final: BoolArray) -> float:
    low_sample = comparison.low_sample["baseline"] | comparison.low_sample["canary"]
    return _scale_max([comparison.values[fleet] for fleet in FLEETS], is_final, low_sample)


def _scale_max(lines: Sequence[FloatArray], is_final: BoolArray, low_sample: BoolArray) -> float:
    """The maximum of final minutes with enough samples; without one, of all final minutes; else of all."""
    for mask in (is_final & ~low_sample, is_final, np.ones_like(is_final)):
        maxima = [float(np.nanmax(line[mask])) for line in lines if mask.any() and not np.isnan(line[mask]).all()]
        if maxima and max(maxima) > 0:
            return max(maxima)
    return 0.0


def _provisional(frame: ChartFrame) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Shading and label of the provisional minutes."""
    if frame.provisional_from >= frame.window.end:
        return [], []
    start, end = (axis_time(max(ts, frame.window.start), frame) for ts in (frame.provisional_from, frame.window.end))
    shading = {"type": "rect", "layer": "above", "xref": "x", "x0": start, "x1": end, "yref": "paper", "y0": 0, "y1": 1}
    shading |= {"fillcolor": frame.palette.provisional, "line": {"width": 0}, "name": "provisional"}
    position = {"xref": "x", "x": start, "yref": "paper", "y": 0.33, "xanchor": "right", "yanchor": "middle"}
    return [shading], [label(charts.provisional(), 10, frame.palette.faint, position)]


def _layout(
    frame: ChartFrame, top: float, display: Display, lower: LowerPanel, ends: Sequence[EndLabel]
) -> dict[str, Any]:
    upper = {"domain": list(UPPER_DOMAIN), "range": [0, top]} | value_ticks(0, top, display.suffix)
    return (
        base_layout(
            frame.palette,
            height=frame.height_px,
            margin={"l": 62, "r": end_margin_px(ends), "t": 8, "b": 34},
            meta=clock_meta(frame),
            xaxis=time_axis(frame, anchor="y2"),
            yaxis=base_axis(frame.palette, automargin=False) | upper,
            yaxis2=base_axis(frame.palette, automargin=False) | {"domain": list(DOMAIN)} | lower.axis,
        )
        | ZOOM
    )
