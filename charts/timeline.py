"""A whole migration on one time axis: weights, error rate and latency of both fleets in three panels, and a strip of events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from analysis.retrospective.timeline import Timeline
from analysis.series.grid import BoolArray, FloatArray, runs_of
from analysis.series.shares import ShareStep, mean_share
from charts.base.events import EVENT_SYMBOLS, event_lines, event_strips
from charts.base.frame import ChartFrame, axis_time, plotly_text
from charts.base.layout import (
    ZOOM,
    base_axis,
    base_layout,
    clock_meta,
    label,
    panel_label,
    readable,
    time_axis,
    zone_label,
)
from charts.base.palette import fleet_line
from charts.base.ticks import value_ticks
from charts.base.traces import x_values
from domain import FLEETS, Event, EventKind, FleetName, Window
from messages import charts
from messages import retrospective as text

HEIGHT_PX = 540
# Domains of the panels, from the top: event markers, weights, error rate, p95.
STRIP, WEIGHTS, ERRORS, LATENCY = (0.96, 1.0), (0.765, 0.91), (0.4, 0.71), (0.0, 0.345)
MIN_EXPECTED_ERRORS = 10
PEAK_CUTOFF = 6.0  # a peak that exceeds the 98th percentile by this factor is cut off and labelled
MARKER_SPACING = 0.011  # as a share of the chart's width
NUMBER_SPACING, MAX_NUMBERS = 0.03, 3  # of numbers of incidents in one label

# If markers would overlap, the one with the lowest number is drawn.
_BY_PRIORITY: tuple[EventKind, ...] = ("rollback", "alarm", "note", "alert", "deployment", "annotation", "weight")
EVENT_PRIORITY = {kind: priority for priority, kind in enumerate(_BY_PRIORITY)}


@dataclass(frozen=True, slots=True)
class IncidentMark:
    """The number of an incident, and where it is drawn: of errors, or `is_slow`."""

    number: int
    is_slow: bool
    window: Window


def timeline_figure(
    timeline: Timeline,
    steps: Sequence[ShareStep],
    frame: ChartFrame,
    events: Sequence[Event],
    incidents: Sequence[IncidentMark] = (),
) -> go.Figure:
    """Three panels on one x axis, and a strip of event markers on top.

    The canary's configured share as a filled step line, its observed share as a thin line; error rates in %; p95 in ms as a line, with the
    range of the merged periods as a band. Gaps stay gaps. Incidents are numbered in the panel of what went wrong.
    """
    palette = frame.palette
    x = x_values(timeline.ts, np.diff(timeline.ts, append=timeline.ts[-1:] + timeline.bucket_s), frame)
    low_sample = _low_sample(timeline)
    observed = {"color": palette.ink, "width": 1, "dash": "dot"}
    configured = mean_share(steps, timeline.ts, np.full(len(timeline.ts), timeline.bucket_s))
    panel = charts.share_panel(frame.labels["canary"])
    data = [
        _weight_trace(steps, frame),
        # The steps have other times than the buckets: what is read beside the observed share is their mean in each bucket.
        _line(x, configured * 100, "y", {"width": 0}, name=charts.configured(), showlegend=False)
        | {"fillcolor": _share_area(frame)}  # of the legend; the steps fill the area
        | readable("share", panel=panel),
        _line(x, timeline.canary_share * 100, "y", observed, name=charts.observed(), showlegend=False)
        | readable("share", panel=panel),
    ]
    for fleet in FLEETS:
        data += _error_rate_traces(x, timeline, fleet, frame, low_sample[fleet])
    for fleet in FLEETS:
        data += _p95_range(timeline, fleet, frame)
    p95 = {}
    for fleet in FLEETS:
        series = timeline.fleets[fleet]
        p95[fleet] = np.where(series.is_sufficient, series.p95, np.nan) * 1000
        line = _fleet_line(x, p95[fleet], frame, fleet, "y3")
        data.append(line | {"showlegend": False} | readable("milliseconds", panel=charts.p95()))
    rates = {fleet: np.where(low_sample[fleet], np.nan, timeline.fleets[fleet].error_rate * 100) for fleet in FLEETS}
    top_rate, top_p95 = _axis_top(rates.values()), _axis_top(p95.values())
    layout = _layout(frame, steps, top_rate, top_p95)
    marked = [event for event in events if event.kind in ("rollback", "note")]
    visible = [mark for mark in incidents if mark.window.overlap(frame.window)]
    bands = [_incident_band(mark, frame) for mark in visible]
    layout["shapes"] = [*bands, *event_lines(frame, marked), *event_strips(frame, marked)]
    titles = ((WEIGHTS, text.PANEL_WEIGHTS), (ERRORS, text.PANEL_ERRORS), (LATENCY, text.PANEL_LATENCY))
    layout["annotations"] = [
        *(panel_label(str(name), domain, 11, palette, name="title") for domain, name in titles),
        *_event_markers(frame, events),
        *_peak_labels(timeline, rates, top_rate, frame),
        *_incident_numbers(visible, frame),
        zone_label(frame),
    ]
    return go.Figure(data=data, layout=layout)


def _weight_trace(steps: Sequence[ShareStep], frame: ChartFrame) -> dict[str, Any]:
    """The configured shares as a step line, clipped to the window."""
    x: list[str] = []
    y: list[float] = []
    ends = [*(start for start, _ in steps), frame.window.end][1:]
    for (start, share), end in zip(steps, ends, strict=True):
        first, last = max(start, frame.window.start), min(end, frame.window.end)
        if first < last:
            x += [axis_time(first, frame), axis_time(last, frame)]
            y += [np.nan if share is None else share * 100] * 2
    colour = frame.palette.fleets["canary"]
    trace = _line({"x": x}, np.array(y), None, {"color": colour, "width": 1.5}, showlegend=False, name="steps")
    return trace | {"fill": "tozeroy", "fillcolor": _share_area(frame)}


def _share_area(frame: ChartFrame) -> str:
    return _with_opacity(frame.palette.fleets["canary"], 0.22)


def _line(x: dict[str, Any], y: FloatArray, axis: str | None, line: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """`x`: see `x_values`."""
    trace = {"type": "scatter", "mode": "lines", **x, "y": y.astype("float32"), "line": line}
    return trace | {"connectgaps": False} | ({"yaxis": axis} if axis else {}) | more


def _fleet_line(x: dict[str, Any], y: FloatArray, frame: ChartFrame, fleet: FleetName, axis: str) -> dict[str, Any]:
    line = fleet_line(frame.palette, fleet, int(np.count_nonzero(~np.isnan(y))))
    return _line(x, y, axis, line, name=plotly_text(frame.labels[fleet]), legendgroup=fleet)


def _error_rate_traces(
    x: dict[str, Any], timeline: Timeline, fleet: FleetName, frame: ChartFrame, low_sample: BoolArray
) -> list[dict[str, Any]]:
    """A fleet's error rate, and faintly its part with low samples."""
    series, rate = timeline.fleets[fleet], timeline.fleets[fleet].error_rate * 100
    requests = {"customdata": np.nan_to_num(series.requests).astype("float32")}

    def line(mask: BoolArray, **note: str) -> dict[str, Any]:
        trace = _fleet_line(x, np.where(mask, rate, np.nan), frame, fleet, "y2") | requests
        return trace | readable("percent", panel=charts.error_rate(), **note)

    lines = [line(~low_sample)]
    if (low_sample & ~np.isnan(rate)).any():
        lines.append(line(low_sample, note=charts.low_sample()) | {"opacity": 0.3, "showlegend": False})
    return lines


def _low_sample(timeline: Timeline) -> dict[FleetName, BoolArray]:
    """Buckets with too few requests for MIN_EXPECTED_ERRORS at the overall error rate."""
    fleets = timeline.fleets
    total = sum(float(np.nansum(series.requests)) for series in fleets.values())
    rate = sum(float(np.nansum(series.errors)) for series in fleets.values()) / total if total else 0.0
    return {fleet: np.nan_to_num(fleets[fleet].requests) * rate < MIN_EXPECTED_ERRORS for fleet in FLEETS}


def _p95_range(timeline: Timeline, fleet: FleetName, frame: ChartFrame) -> list[dict[str, Any]]:
    """The range of the p95s of the periods in each bucket; nothing if all buckets are one period.

    Each run of buckets is a closed area: plotly's fill between two traces would bridge the gaps.
    """
    series = timeline.fleets[fleet]
    index = np.flatnonzero(series.is_sufficient & (series.periods > 1))
    if not len(index):
        return []
    corners: list[str] = []
    heights: list[FloatArray] = []
    for run in runs_of(index):
        times = [axis_time(int(ts), frame) for ts in timeline.ts[run]]
        corners += [*times, *reversed(times), times[0]]
        heights += [series.p95_max[run], series.p95_min[run][::-1], np.array([np.nan])]
    colour = frame.palette.fleets[fleet]
    area = _line({"x": corners}, np.concatenate(heights) * 1000, "y3", {"color": colour, "width": 0, "dash": "solid"})
    area |= {"name": "range", "showlegend": False}
    return [area | {"fill": "toself", "fillcolor": _with_opacity(colour, 0.16)}]


def _event_markers(frame: ChartFrame, events: Sequence[Event]) -> list[dict[str, Any]]:
    """One marker per event in the strip; of overlapping ones that with the highest priority."""
    taken: list[float] = []
    markers = []
    marked = (event for event in events if event.kind != "weight")
    for event in sorted(marked, key=lambda event: (EVENT_PRIORITY[event.kind], event.ts)):
        place = (event.ts - frame.window.start) / (frame.window.end - frame.window.start)
        if not 0 <= place < 1 or any(abs(place - other) < MARKER_SPACING for other in taken):
            continue
        taken.append(place)
        position = {"x": axis_time(event.ts, frame), "xref": "x", "yref": "paper", "y": sum(STRIP) / 2}
        position |= {"yanchor": "middle", "xanchor": "center"}
        markers.append(label(EVENT_SYMBOLS[event.kind], 13, frame.palette.ink, position, name=event.kind))
    return markers


def _incident_band(mark: IncidentMark, frame: ChartFrame) -> dict[str, Any]:
    """The time of an incident in its panel, with an outline, because minutes among weeks have no width."""
    start, end = max(mark.window.start, frame.window.start), min(mark.window.end, frame.window.end)
    x = {"xref": "x", "x0": axis_time(start, frame), "x1": axis_time(end, frame)}
    y0, y1 = LATENCY if mark.is_slow else ERRORS
    band = {"type": "rect", "layer": "below", "yref": "paper", "y0": y0, "y1": y1, "name": "incident"}
    colour = frame.palette.unattributed
    return band | x | {"fillcolor": colour, "line": {"width": 1, "color": colour}}


def _incident_numbers(marks: Sequence[IncidentMark], frame: ChartFrame) -> list[dict[str, Any]]:
    """A label left of each band, at the top of its panel; incidents that are too close together share one."""
    groups: list[list[IncidentMark]] = []
    spacing_s = (frame.window.end - frame.window.start) * NUMBER_SPACING
    for mark in sorted(marks, key=lambda mark: (mark.is_slow, mark.number)):
        previous = groups[-1][-1] if groups else None
        if previous and previous.is_slow == mark.is_slow and mark.window.start - previous.window.start < spacing_s:
            groups[-1].append(mark)
        else:
            groups.append([mark])
    labels = []
    for group in groups:
        first, last = group[0], group[-1]
        numbers = [text.circled(mark.number) for mark in group]
        name = "".join(numbers) if len(numbers) <= MAX_NUMBERS else f"{numbers[0]}–{numbers[-1]}"
        x = axis_time(max(first.window.start, frame.window.start), frame)
        position = {"x": x, "xref": "x", "xanchor": "right", "xshift": -2, "y": 1, "yanchor": "top"}
        position["yref"] = f"{_axis_of(last)} domain"
        labels.append(label(name, 15, frame.palette.ink, position, name="incident"))
    return labels


def _axis_of(mark: IncidentMark) -> str:
    return "y3" if mark.is_slow else "y2"


def _axis_top(lines: Iterable[FloatArray]) -> float:
    """The upper end of a panel; a peak that dwarfs everything else is cut off."""
    values = np.concatenate([line[~np.isnan(line)] for line in lines])
    if not len(values) or values.max() <= 0:
        return 1.0
    usual, highest = float(np.quantile(values, 0.98)), float(values.max())
    return 2.5 * usual if usual > 0 and highest > PEAK_CUTOFF * usual else 1.18 * highest


def _peak_labels(
    timeline: Timeline, rates: Mapping[FleetName, FloatArray], top: float, frame: ChartFrame
) -> list[dict[str, Any]]:
    """The value at the top of each peak that leaves the panel."""
    labels = []
    for rate in (rates[fleet] for fleet in FLEETS):
        for run in runs_of(np.flatnonzero(np.nan_to_num(rate) > top)):
            peak = int(run[np.argmax(rate[run])])
            position = {"x": axis_time(int(timeline.ts[peak]), frame), "xref": "x", "xanchor": "left", "xshift": 4}
            position |= {"yref": "y2 domain", "y": 1, "yanchor": "top"}
            labels.append(label(f"↑ {rate[peak]:.3g}%", 11, frame.palette.ink, position, name="peak"))
    return labels


def _layout(frame: ChartFrame, steps: Sequence[ShareStep], top_rate: float, top_p95: float) -> dict[str, Any]:
    palette = frame.palette
    highest = max((share for _, share in steps if share is not None), default=1.0) * 100

    def axis(domain: tuple[float, float], top: float, suffix: str, nticks: int) -> dict[str, Any]:
        return base_axis(palette, domain=domain, range=[0, top], **value_ticks(0, top, suffix, n=nticks))

    return (
        base_layout(
            palette,
            height=HEIGHT_PX,
            margin={"l": 58, "r": 12, "t": 6, "b": 34},
            xaxis=time_axis(frame, anchor="y3"),
            yaxis=axis(WEIGHTS, max(highest * 1.12, 1.0), "%", 3),
            yaxis2=axis(ERRORS, top_rate, "%", 5),
            yaxis3=axis(LATENCY, top_p95, " ms", 5),
            meta=clock_meta(frame),
        )
        | ZOOM
    )


def _with_opacity(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
